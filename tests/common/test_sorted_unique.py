"""Distinct numbers against Python's sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.common.sorted_unique import sorted_unique


@given(arrays(np.int64, st.integers(0, 30), elements=st.integers(-5, 5)))
def test_each_number_is_there_once_and_in_order(values: np.ndarray) -> None:
    assert sorted_unique(values).tolist() == sorted(set(values.tolist()))


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64])
def test_the_type_stays_and_a_table_is_taken_as_one_row(dtype: type) -> None:
    found = sorted_unique(np.array([[3, 1], [3, 2]], dtype=dtype))
    assert found.dtype == dtype
    assert found.tolist() == [1, 2, 3]
