"""Pairs in both orders against sorting in Python, and blocks of rows."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.structure.gat.sorted_pairs import by_blocks, sorted_pairs

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=40)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(PAIRS)
def test_both_orders_are_those_of_sorting(pairs: list[tuple[int, int]]) -> None:
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    found = sorted_pairs(rows, columns, (6, 4))
    assert found.by_row().T.tolist() == [list(pair) for pair in sorted(pairs)]
    assert found.columns.tolist() == [column for _, column in sorted(pairs)]
    for row in range(6):
        mine = found.columns[found.starts[row] : found.starts[row + 1]]
        assert mine.tolist() == sorted(column for other, column in pairs if other == row)
    for column in range(4):
        places = slice(found.column_starts[column], found.column_starts[column + 1])
        assert found.rows[places].tolist() == sorted(row for row, other in pairs if other == column)
        assert (found.columns[found.places[places]] == column).all()
        assert (found.by_row()[0, found.places[places]] == found.rows[places]).all()
    assert sorted(found.places.tolist()) == list(range(len(pairs)))


@pytest.mark.parametrize(("rows", "columns"), [([0, 6], [0, 0]), ([-1, 0], [0, 0]), ([0, 0], [4, 0])])
def test_a_number_beyond_the_size_is_an_error(rows: list[int], columns: list[int]) -> None:
    with pytest.raises(ValueError, match=r"^pairs: found numbers -?\d to \d, expected 0 to [53]$"):
        sorted_pairs(np.array(rows), np.array(columns), (6, 4))


@pytest.mark.parametrize("cores", [1, 3])
@pytest.mark.parametrize("lengths", [[], [0], [5], [1, 0, 90, 2, 0, 7], [1] * 100])
def test_every_row_is_in_one_block(cores: int, lengths: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.structure.gat.sorted_pairs.cores_here", lambda: cores)
    met: list[int] = []
    lock = threading.Lock()

    def kernel(first: int, last: int, word: str) -> None:
        assert word == "passed on"
        with lock:
            met.extend(range(first, last))

    by_blocks(kernel, np.cumsum([0, *lengths]), "passed on")
    assert sorted(met) == list(range(len(lengths)))


def test_what_a_thread_raises_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.structure.gat.sorted_pairs.cores_here", lambda: 2)

    def kernel(first: int, last: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        by_blocks(kernel, np.arange(9))
