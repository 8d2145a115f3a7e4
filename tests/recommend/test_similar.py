from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.recommend.similar import most_similar

QUICK = settings(deadline=None, max_examples=100, derandomize=True)


def plain_cosine(rows: list[list[float]], one: int, other: int) -> float:
    present = [row for row in rows if any(row)]
    mean = [sum(column) / len(present) for column in zip(*present, strict=True)]
    a, b = ([value - middle for value, middle in zip(rows[place], mean, strict=True)] for place in (one, other))
    lengths = math.hypot(*a) * math.hypot(*b)
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths > 1e-9 else 0.0


@QUICK
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_cosines_are_those_of_a_plain_loop_and_fall(seed: int, both: bool) -> None:
    random = np.random.default_rng(seed)
    kinds = {"text": 3, "structure": 5} if both else {"text": 3}
    vectors = {kind: random.normal(1, 1, (9, width)).astype(np.float32) for kind, width in kinds.items()}
    empty = int(random.integers(1, 9))
    vectors["text"][empty] = 0.0
    found = most_similar(vectors, 0, 20)
    assert set(found.items) == set(range(1, 9)) - {empty}
    for place, item in enumerate(found.items):
        cosines = {kind: plain_cosine(rows.astype(float).tolist(), 0, int(item)) for kind, rows in vectors.items()}
        assert {kind: values[place] for kind, values in found.cosines.items()} == pytest.approx(cosines, abs=1e-6)
        assert found.cosine[place] == pytest.approx(sum(cosines.values()) / len(cosines), abs=1e-6)
    assert (np.diff(found.cosine) <= 0).all()


def test_what_all_items_share_does_not_make_them_alike() -> None:
    # All point in much the same direction; the second differs from the mean as the first does, the third the other way.
    rows = np.array([[100, 1], [100, 2], [100, -3]], dtype=np.float32)
    found = most_similar({"text": rows}, 0, 2)
    assert found.items.tolist() == [1, 2]
    assert found.cosine == pytest.approx([1, -1])


def test_at_most_so_many_and_of_equals_the_first() -> None:
    rows = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [-1, 1]], dtype=np.float32)
    assert most_similar({"text": rows}, 1, 2).items.tolist() == [0, 2]
