"""Order and repeats of keys against polars' own sort and hashing."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.row_keys import ascending, has_repeats, in_key_order, key_numbers, key_order

KEY = ("user", "item", "split")
numbers = st.integers(-3, 3) | st.integers(-(2**62), 2**62)
small = st.integers(-2, 2)
texts = st.sampled_from(["", "a", "B", "b", "ab", "é", "10", "9"])


def frame_of(rows: list[tuple[int, int, str]]) -> pl.DataFrame:
    schema = {"user": pl.Int64, "item": pl.Int64, "split": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").with_row_index("place")


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.lists(st.tuples(numbers | small, small, texts), min_size=1, max_size=8))
def test_order_and_repeats_are_those_of_a_sort(rows: list[tuple[int, int, str]]) -> None:
    frame = frame_of(rows)
    distinct = len(set(rows)) == len(rows)
    assert has_repeats(frame, KEY) == (not distinct)
    found = in_key_order(frame, KEY)
    assert found.select(KEY).equals(frame.select(KEY).sort(KEY))
    assert ascending(found, KEY) == distinct
    order = key_order(frame, KEY)
    assert order.repeats == (not distinct)
    assert (order.rows is None) == ascending(frame, KEY)
    assert ascending(frame, KEY) == (rows == sorted(set(rows)))
    if distinct:
        assert found.equals(frame.sort(KEY))


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.lists(st.tuples(small, small, texts), min_size=2, max_size=8))
def test_a_number_for_each_key_in_their_order(rows: list[tuple[int, int, str]]) -> None:
    found = key_numbers(frame_of(rows), KEY)
    assert found is not None
    for one, number in zip(rows, found, strict=True):
        for other, against in zip(rows, found, strict=True):
            assert ((number > against), (number == against)) == ((one > other), (one == other))


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([0, 2**62, -(2**62)]),
        pl.Series([0, 2**64 - 1, 5], dtype=pl.UInt64),
        pl.Series([1, None, 2]),
        pl.Series([1.0, 2.0, 3.0]),
        pl.Series([], dtype=pl.Int64),
    ],
)
def test_keys_without_numbers_are_still_sorted(column: pl.Series) -> None:
    frame = pl.DataFrame({"user": column, "item": column, "split": column})
    assert key_numbers(frame, KEY) is None
    assert in_key_order(frame, KEY).equals(frame.sort(KEY))
    assert not has_repeats(frame, KEY)
    assert not key_order(frame, KEY).repeats
    assert key_order(pl.concat([frame, frame]), KEY).repeats == (not column.is_empty())
    assert has_repeats(pl.concat([frame, frame]), KEY) == (not column.is_empty())
