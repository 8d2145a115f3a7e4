"""Ragged histories, chunks and batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from pipeline.users.histories import Histories, Sampling, add_up, batches_of_similar_length, histories, merged
from tests.users.views.slow import ragged, vectors

SETS = [[0, 3], [], [1, 2, 4, 5], [2]]


def matrix(sets: list[list[int]] = SETS, width: int = 6) -> csr_matrix:
    dense = np.zeros((len(sets), width), dtype=np.float32)
    for row, items in enumerate(sets):
        dense[row, items] = 1
    return csr_matrix(dense)


def test_histories_are_the_rows_in_the_order_asked_for() -> None:
    found = histories(matrix(), np.array([2, 0, 1]), "cpu")
    assert found.items.tolist() == [1, 2, 4, 5, 0, 3]
    assert found.user.tolist() == [0, 0, 0, 0, 1, 1]
    assert found.lengths.tolist() == [4, 2, 0]


def test_long_histories_are_cut_to_a_random_sample_and_short_ones_stay_whole() -> None:
    seen = set()
    for seed in range(30):
        found = histories(matrix(), np.arange(4), "cpu", Sampling(np.random.default_rng(seed), 2))
        assert found.lengths.tolist() == [2, 0, 2, 1]
        items = found.items.tolist()
        assert set(items[:2]) == {0, 3}
        assert set(items[2:4]) < {1, 2, 4, 5}
        assert items[4:] == [2]
        assert found.user.tolist() == [0, 0, 2, 2, 3]
        seen.add(frozenset(items[2:4]))
    assert len(seen) == 6


def test_histories_of_some_of_the_users_count_them_from_zero() -> None:
    found = ragged(SETS)
    assert [found.of(1, 3).items.tolist(), found.of(1, 3).user.tolist()] == [[1, 2, 4, 5], [1, 1, 1, 1]]
    assert found.of(1, 3).lengths.tolist() == [0, 4]
    assert [found.of(0, 4).items.tolist(), found.of(0, 4).user.tolist()] == [found.items.tolist(), found.user.tolist()]
    assert found.of(3, 4).items.tolist() == [2]
    assert len(found.of(2, 2).items) == 0


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    sets=st.lists(st.lists(st.integers(0, 8), max_size=7, unique=True), max_size=8),
    cells=st.integers(1, 80),
    across=st.sampled_from([None, 1, 5]),
)
def test_chunks_hold_every_entry_once_within_their_bound(sets: list[list[int]], cells: int, across: int | None) -> None:
    found = histories(matrix([sorted(one) for one in sets], 9), np.arange(len(sets)), "cpu") if sets else None
    if found is None:
        return
    met: dict[int, list[int]] = {}
    entries: list[int] = []
    for chunk in found.chunks(cells, across):
        users, length = chunk.present.shape
        assert users == 1 or users * length * (across or length) <= cells
        assert torch.equal(found.items[chunk.entries], chunk.items[chunk.present])
        entries += chunk.entries.tolist()
        for row, user in enumerate(chunk.users.tolist()):
            met[user] = chunk.items[row][chunk.present[row]].tolist()
    assert met == {user: sorted(one) for user, one in enumerate(sets) if one}
    assert sorted(entries) == list(range(len(found.items)))


def test_batches_hold_every_user_once_and_neighbours_in_length_together() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 500)
    batches = batches_of_similar_length(lengths, 50, np.random.default_rng(1))
    assert sorted(np.concatenate(batches)) == list(range(500))
    assert max(map(len, batches)) == 50
    padding = sum(lengths[batch].max() * len(batch) for batch in batches) / lengths.sum()
    random = np.random.default_rng(2).permutation(500).reshape(10, 50)
    at_random = sum(lengths[batch].max() * len(batch) for batch in random) / lengths.sum()
    assert padding < 1.4 < 1.7 < at_random


def test_the_order_of_batches_follows_the_generator() -> None:
    lengths = np.arange(40)
    first, again, other = (batches_of_similar_length(lengths, 10, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_a_chunk_may_be_as_large_as_its_bound_and_no_larger() -> None:
    found = histories(matrix([[0, 1]] * 4), np.arange(4), "cpu")
    sizes = {cells: [len(chunk.users) for chunk in found.chunks(cells)] for cells in (7, 8, 11, 12, 16)}
    assert sizes == {7: [1] * 4, 8: [2, 2], 11: [2, 2], 12: [3, 1], 16: [4]}


def test_histories_within_the_largest_length_are_not_drawn_for() -> None:
    random = np.random.default_rng(0)
    found = histories(matrix(), np.arange(4), "cpu", Sampling(random, 4))
    assert found.items.tolist() == histories(matrix(), np.arange(4), "cpu").items.tolist()
    assert random.random() == np.random.default_rng(0).random()


def test_other_users_meet_in_every_epoch_and_batches_come_in_random_order() -> None:
    lengths = np.arange(100, 200)
    epochs = [batches_of_similar_length(lengths, 10, np.random.default_rng(seed)) for seed in range(3)]
    meetings = [{frozenset(batch.tolist()) for batch in batches} for batches in epochs]
    assert meetings[0] != meetings[1] != meetings[2]
    # Lengths so far apart that the jitter mixes none of them.
    apart = np.repeat([1, 10, 100, 1000, 10_000], 3)
    orders = {
        tuple(int(apart[batch[0]]) for batch in batches_of_similar_length(apart, 3, np.random.default_rng(seed)))
        for seed in range(5)
    }
    assert len(orders) > 1


def check(found: Histories, sets: list[list[int]]) -> list[list[int]]:
    """Each user's part, after a look at whether the arrays fit each other and every item is the user's own."""
    assert found.lengths.dtype == np.int64
    assert len(found.lengths) == len(sets)
    assert found.lengths.sum() == len(found.items) == len(found.user)
    assert found.user.tolist() == np.repeat(np.arange(len(sets)), found.lengths).tolist()
    parts = [found.items[found.user == user].tolist() for user in range(len(sets))]
    for part, one in zip(parts, sets, strict=True):
        assert len(set(part)) == len(part)
        assert set(part) <= set(one)
    return parts


def test_each_user_keeps_the_share_of_items_that_is_asked_for() -> None:
    sets = [list(range(400)), [], list(range(0, 400, 2)), list(range(400)), list(range(400))]
    kept = np.array([0.25, 0.5, 0.75, 0.0, 1.0])
    sampling = Sampling(np.random.default_rng(0), kept=kept)
    parts = check(histories(matrix(sets, 400), np.arange(5), "cpu", sampling), sets)
    assert len(parts[0]) == pytest.approx(100, abs=30)
    assert parts[1] == parts[3] == []
    assert len(parts[2]) == pytest.approx(150, abs=25)
    assert parts[4] == sets[4]


def test_shares_are_of_the_users_asked_for_in_their_order() -> None:
    sampling = Sampling(np.random.default_rng(0), kept=np.array([1.0, 0.0]))
    assert check(histories(matrix(), np.array([2, 0]), "cpu", sampling), [SETS[2], SETS[0]]) == [[1, 2, 4, 5], []]


@settings(deadline=None, max_examples=40, derandomize=True)
@given(seed=st.integers(0, 1000), longest=st.integers(1, 6))
def test_what_is_left_of_a_share_is_cut_to_the_largest_length(seed: int, longest: int) -> None:
    random = np.random.default_rng(seed)
    sets = [sorted(random.choice(12, size, replace=False).tolist()) for size in (12, 0, 3, 8, 1)]
    kept = np.array([0.5, 1.0, 1.0, 0.9, 0.0])
    shares, both = (
        check(
            histories(matrix(sets, 12), np.arange(5), "cpu", Sampling(np.random.default_rng(seed), limit, kept)),
            sets,
        )
        for limit in (None, longest)
    )
    for share, cut in zip(shares, both, strict=True):
        assert set(cut) <= set(share)
        assert len(cut) == min(len(share), longest)


def test_merging_gives_each_user_the_likes_and_the_dislikes() -> None:
    likes, dislikes = [[0, 3], [], [1], []], [[2], [5, 4], [], []]
    found = merged(ragged(likes), ragged(dislikes))
    assert check(found, [[0, 2, 3], [4, 5], [1], []]) == [[0, 3, 2], [5, 4], [1], []]
    assert found.lengths.tolist() == [3, 2, 1, 0]


@settings(deadline=None, max_examples=30, derandomize=True)
@given(sets=st.lists(st.lists(st.integers(0, 5), max_size=5, unique=True), min_size=1, max_size=6))
def test_rows_are_added_up_over_each_history(sets: list[list[int]]) -> None:
    rows = vectors(6, 3)
    expected = [[sum(float(rows[item, column]) for item in one) for column in range(3)] for one in sets]
    np.testing.assert_allclose(add_up(ragged(sets), rows).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(add_up(ragged(sets), rows.T.contiguous().T).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("sets", [[[0, 2], [], [1], [2, 1, 0, 3]], [[], []]])
def test_the_gradient_of_added_up_rows_is_that_of_the_function(sets: list[list[int]]) -> None:
    rows = vectors(4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: add_up(ragged(sets), given), (rows,))
    # A gradient that is laid out otherwise, as that of a transposed use is.
    weights = vectors(3, len(sets), 7)
    add_up(ragged(sets), rows).T.mul(weights).sum().backward()
    expected = torch.zeros(4, 3, dtype=torch.float64)
    for user, one in enumerate(sets):
        for item in one:
            expected[item] += weights[:, user]
    assert rows.grad is not None
    assert torch.allclose(rows.grad, expected)
