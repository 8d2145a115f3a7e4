"""Rows by their key, in as little memory as tens of millions of them allow.

Sorting rows by columns of text, or hashing a pair of columns to find repeats, takes hundreds of bytes a row in polars. A key that
is written as one whole number takes 8, and sorting these finds the order and the repeats at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray


class KeyOrder(NamedTuple):
    """
    Attributes:
        rows: the rows in the order of their key; None where they lie in it.
        repeats: whether two of them have the same key.
    """

    rows: pl.Series | None
    repeats: bool


def in_key_order(frame: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The rows in the order of their key, which no two of them share."""
    rows = key_order(frame, key).rows
    return frame if rows is None else frame[rows]


def key_order(frame: pl.DataFrame, key: Sequence[str]) -> KeyOrder:
    if ascending(frame, key):
        return KeyOrder(None, repeats=False)
    numbers = key_numbers(frame, key)
    if numbers is None:
        keys = frame[list(key)]
        return KeyOrder(
            keys.select(pl.arg_sort_by(key, maintain_order=True)).to_series(), bool(keys.is_duplicated().any())
        )
    rows = numbers.arg_sort()
    numbers = numbers.gather(rows)
    return KeyOrder(rows, bool((numbers == numbers.shift()).any()))


def ascending(frame: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether each row's key comes after that of the row before, so that no key is there twice; False where values are missing."""
    if any(frame[name].null_count() for name in key):
        return False
    after, same = [], pl.lit(True)
    for name in key:
        column = pl.col(name)
        after.append(same & (column > column.shift()))
        same = same & (column == column.shift())
    # The first row has none before it, and null counts as true.
    # Of the key alone: `select` brings chunks of all columns in line, in a copy.
    return bool(frame[list(key)].select(reduce(or_, after).all()).item())


def has_repeats(frame: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether two rows have the same key."""
    if ascending(frame, key):
        return False
    numbers = key_numbers(frame, key)
    if numbers is None:
        return bool(frame.select(key).is_duplicated().any())
    numbers = numbers.sort()
    return bool((numbers == numbers.shift()).any())


def key_numbers(frame: pl.DataFrame, key: Sequence[str]) -> pl.Series | None:
    """A whole number for each row, in the order of the keys, the same for the same key.

    Returns:
        None where a column of the key is neither whole numbers nor text, or has missing values, or there are too many keys for
        63 bits.
    """
    numbers, count = np.zeros(len(frame), dtype=np.int64), 1
    for name in key:
        found = _codes(frame[name])
        if found is None:
            return None
        codes, low, size = found
        count *= size
        if count >= 2**63:
            return None
        # In place, as each copy is as large as the numbers. What overflows on the way comes back, as the sum does not.
        numbers *= size
        numbers -= low
        numbers += codes
    return pl.Series(numbers)


def _codes(column: pl.Series) -> tuple[NDArray[np.integer], int, int] | None:
    """Numbers in the column's order, the lowest of them, and how many there are from that to the highest."""
    if column.null_count() or column.is_empty():
        return None
    if column.dtype.is_integer():
        low, high = int(column.min()), int(column.max())  # type: ignore[arg-type]
        if high >= 2**63:
            return None
        return (column.cast(pl.Int64) if column.dtype == pl.UInt64 else column).to_numpy(), low, high - low + 1
    if column.dtype == pl.String:
        texts = column.unique().sort()
        return column.cast(pl.Enum(texts)).to_physical().to_numpy(), 0, len(texts)
    return None
