from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.ranks import sorted_places, standing

RANDOMLY = settings(deadline=None, max_examples=60, derandomize=True)
# Per cell: score, whether it is a candidate, whether it is relevant (only candidates are).
CELLS = st.tuples(st.integers(-2, 2), st.booleans(), st.booleans())
TABLES = st.integers(1, 6).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=4)
)


@RANDOMLY
@given(TABLES, st.randoms(use_true_random=False))
def test_every_relevant_item_stands_where_counting_puts_it(table, random) -> None:
    relevant = [(u, c) for u, row in enumerate(table) for c, cell in enumerate(row) if cell[1] and cell[2]]
    random.shuffle(relevant)
    scores = np.array([[cell[0] for cell in row] for row in table], dtype=np.float32)
    candidates = np.array([[cell[1] for cell in row] for row in table])
    users = np.array([u for u, _ in relevant], dtype=np.int64)
    columns = np.array([c for _, c in relevant], dtype=np.int64)

    found = standing(scores, candidates, users, columns)

    expected = []
    for user, column in relevant:
        others = [cell[0] for cell in table[user] if cell[1]]
        own = table[user][column][0]
        expected.append((user, sum(other > own for other in others), sum(other == own for other in others)))
    assert list(zip(found.user, found.above, found.tied, strict=True)) == sorted(expected)
    assert found.users == len(table)
    assert found.relevant.tolist() == [sum(u == user for u, _ in relevant) for user in range(len(table))]


def test_what_is_no_candidate_takes_no_place_however_high_it_scores() -> None:
    scores = np.array([[9.0, 1.0, 1.0, 9.0]])
    candidates = np.array([[False, True, True, False]])
    found = standing(scores, candidates, np.array([0]), np.array([1]))
    assert (found.above.tolist(), found.tied.tolist()) == ([0], [2])


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
