from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.protocols.ranks import sorted_places, standing

RANDOMLY = settings(deadline=None, max_examples=60, derandomize=True)
# Per candidate: score, whether it is relevant; each user has one that is.
LISTS = st.lists(
    st.lists(st.tuples(st.integers(-2, 2), st.booleans()), min_size=1, max_size=7).filter(
        lambda cells: any(relevant for _, relevant in cells)
    ),
    min_size=1,
    max_size=4,
)


@RANDOMLY
@given(LISTS, st.randoms(use_true_random=False))
def test_every_relevant_candidate_stands_where_counting_puts_it(lists, random) -> None:
    cells = [(user, score, relevant) for user, one in enumerate(lists) for score, relevant in one]
    random.shuffle(cells)
    user, scores, relevant = (np.array(column) for column in zip(*cells, strict=True))

    found = standing(user, scores.astype(np.float32), relevant)

    expected = []
    for one, own, counts in cells:
        if counts:
            others = [score for other, score, _ in cells if other == one]
            expected.append((one, sum(score > own for score in others), sum(score == own for score in others)))
    assert list(zip(found.user, found.above, found.tied, strict=True)) == sorted(expected)
    assert found.users == len(lists)
    assert found.relevant.tolist() == [sum(relevant for _, relevant in one) for one in lists]


@pytest.mark.parametrize("levels", [3, 10**6])
def test_sorting_finds_the_places_that_plain_comparisons_find(levels) -> None:
    random = np.random.default_rng(levels)
    scores = random.integers(levels, size=(7, 60)).astype(np.float32)
    scores[random.random(scores.shape) < 0.2] = -np.inf
    scores[3] = 1.0
    row, column = np.nonzero(np.isfinite(scores))
    shuffled = random.permutation(len(row))
    row, own = row[shuffled], scores[row, column][shuffled]
    above, tied = sorted_places(scores, row, own)
    assert above.tolist() == [(scores[r] > value).sum() for r, value in zip(row, own, strict=True)]
    assert tied.tolist() == [(scores[r] == value).sum() for r, value in zip(row, own, strict=True)]
    nothing = sorted_places(scores, row[:0], own[:0])
    assert [len(found) for found in nothing] == [0, 0]
