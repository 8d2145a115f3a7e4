from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from pipeline.evaluation.metrics.threshold import accuracy, best_threshold, f1
from pipeline.evaluation.protocols.split import ScoredPairs
from tests.evaluation.comparison.test_intervals import pairs

RANDOMLY = settings(deadline=None, max_examples=80, derandomize=True)


@pytest.mark.parametrize("threshold", [-100.0, 100.0])
def test_calling_everything_or_nothing_a_like_is_counted_right(threshold) -> None:
    data = pairs(12)
    called = data.scores >= threshold
    assert accuracy(data, threshold).value == pytest.approx(accuracy_score(data.labels, called))
    assert f1(data, threshold).value == pytest.approx(f1_score(data.labels, called, zero_division=0))


@RANDOMLY
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=15))
def test_the_best_threshold_has_the_best_accuracy_of_all_cuts(cells) -> None:
    scores, labels = np.array([float(s) for s, _ in cells]), np.array([label for _, label in cells])
    threshold = best_threshold(ScoredPairs(np.zeros(len(cells), dtype=np.int64), labels, scores))
    cuts = [*sorted(set(scores)), max(scores) + 1]
    best = max(np.mean((scores >= cut) == labels) for cut in cuts)
    assert np.mean((scores >= threshold) == labels) == best


def test_the_best_threshold_lies_in_the_middle_between_two_scores() -> None:
    labels = np.array([True, False, True, False])
    assert best_threshold(ScoredPairs(np.arange(4), labels, np.array([3.0, 1.0, 4.0, 2.0]))) == 2.5
