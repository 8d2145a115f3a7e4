"""The best columns of many rows against sorting each row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.common import top_columns as module
from pipeline.common.top_columns import NONE, best_columns

VALUES = st.sampled_from([-np.inf, -1.5, -0.0, 0.0, 0.25, 1.0, 7.0])


def sorted_columns(row: list[float], count: int, above: float) -> list[int]:
    there = sorted((column for column, score in enumerate(row) if score > above), key=lambda one: (-row[one], one))
    return there[:count] + [NONE] * (count - len(there))


@given(
    scores=arrays.arrays(
        st.sampled_from([np.float32, np.float64]),
        st.tuples(st.integers(0, 5), st.integers(0, 60)),
        elements=VALUES,
    ),
    count=st.integers(0, 8),
    above=st.sampled_from([-np.inf, 0.0, 0.25]),
    cells=st.sampled_from([1, 100, 100_000]),
)
@settings(deadline=None, max_examples=300)
def test_columns_come_by_score_and_then_by_index(scores: np.ndarray, count: int, above: float, cells: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CELLS", cells)
        found = best_columns(scores, count, above)
    assert found.dtype == np.int32
    assert found.shape == (len(scores), count)
    assert found.tolist() == [sorted_columns(row, count, above) for row in scores.tolist()]


@pytest.mark.parametrize("width", [99, 640, 1000, 5003])
@pytest.mark.parametrize("count", [1, 10, 90])
def test_wide_rows_with_ties_at_the_limit(width: int, count: int) -> None:
    random = np.random.default_rng(width)
    scores = random.integers(0, 3 * width, (20, width)).astype(np.float32)
    scores[::3, : width // 2] = 2 * width
    scores[1] = -np.inf
    scores[4, count:] = -np.inf
    expected = [sorted_columns(row, count, -np.inf) for row in scores.tolist()]
    assert best_columns(scores, count).tolist() == expected
