"""Places in a catalogue, read row by row, against comparing one score with every other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline.evaluation.protocols import catalogue
from pipeline.evaluation.protocols.catalogue import COUNTED_ITEMS, Catalogue, Places, drawn, first_tens

COMPARED = (np.greater, np.equal)
RANDOMLY = settings(deadline=None, max_examples=80, derandomize=True)
read_both_ways = pytest.mark.parametrize("counted_from", [1, 10**6])


def random_case(
    seed: int, users: int, items: int, levels: int | None, parts: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
    """Scores, what is known, what is liked of the rest, and each item's part."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(users, items)) if levels is None else random.integers(levels, size=(users, items))
    known = random.random((users, items)) < random.random()
    liked = ~known & (random.random((users, items)) < 0.3)
    return scores.astype(np.float32), known, liked, random.integers(parts, size=items)


def slow_places(
    scores: Any, known: Any, liked: Any, parts: Any
) -> tuple[list[list[int]], NDArray[np.float64], NDArray[np.float64]]:
    """Above and tied of each like, in the whole and in its part; the chance of standing in nobody's first ten, and in how many."""
    found, missed, recommended = [], np.ones(scores.shape[1]), np.zeros(scores.shape[1])
    for cells, has, wants in zip(scores, known, liked, strict=True):
        candidates = np.flatnonzero(~has)
        for like in np.flatnonzero(wants):
            within = candidates[parts[candidates] == parts[like]]
            found.append(
                [compare(cells[others], cells[like]).sum() for others in (candidates, within) for compare in COMPARED]
            )
        if not wants.any():
            continue
        for item in candidates:
            above = sum(cells[other] > cells[item] for other in candidates)
            tied = sum(cells[other] == cells[item] for other in candidates)
            chance = min(max((10 - above) / tied, 0), 1)
            missed[item] *= 1 - chance
            recommended[item] += chance
    return found, missed, recommended


def places_of(scores: Any, known: Any, liked: Any, parts: Any, first: int = 0) -> Places:
    above = np.zeros((first, scores.shape[1]), dtype=bool)
    row, column = np.nonzero(liked)
    return Catalogue(csr_matrix(np.concatenate([above, known])), parts).places(
        first + np.arange(len(scores)), scores, row, column
    )


def drawn_tens(ranking: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    missed, recommended, lists, sharing = first_tens(ranking)
    nothing = np.empty(0, dtype=np.int64)
    places = Places(nothing, nothing, nothing, nothing, missed, recommended, lists, sharing)
    return missed, recommended, drawn(places, ranking.shape[1], np.random.default_rng(1))


@read_both_ways
@RANDOMLY
@given(
    st.integers(0, 10**6),
    st.integers(1, 7),
    st.integers(1, 40),
    st.sampled_from([None, 1, 3, 20]),
    st.integers(1, 4),
    st.integers(0, 3),
)
def test_places_are_those_of_plain_comparisons(counted_from, seed, users, items, levels, parts, first) -> None:
    scores, known, liked, of_part = random_case(seed, users, items, levels, parts)
    expected, missed, recommended = slow_places(scores, known, liked, of_part)
    before = scores.copy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "COUNTED_ITEMS", counted_from)
        if not liked.any():
            return
        found = places_of(scores, known, liked, of_part, first)
    rows = zip(found.above, found.tied, found.part_above, found.part_tied, strict=True)
    assert [list(row) for row in rows] == expected
    np.testing.assert_allclose(found.missed, missed, atol=1e-12)
    np.testing.assert_allclose(found.recommended, recommended, atol=1e-12)
    np.testing.assert_array_equal(scores, before)


def test_any_number_of_threads_finds_the_same_bytes(monkeypatch) -> None:
    scores, known, liked, parts = random_case(5, 9, 60, 4, 3)
    monkeypatch.setattr(catalogue, "COUNTED_ITEMS", 1)
    found = []
    for threads in (1, 2, 7, 20):
        monkeypatch.setattr(catalogue, "cores_here", lambda threads=threads: threads)
        found.append(places_of(scores, known, liked, parts))
    for other in found[1:]:
        for name in Places.__dataclass_fields__:
            if name != "sharing":
                assert getattr(other, name).tobytes() == getattr(found[0], name).tobytes()
        assert [(row, tied.tolist()) for row, tied in other.sharing] == [
            (row, tied.tolist()) for row, tied in found[0].sharing
        ]


@read_both_ways
def test_scores_that_are_the_same_for_all_need_no_rows_of_their_own(monkeypatch, counted_from) -> None:
    monkeypatch.setattr(catalogue, "COUNTED_ITEMS", counted_from)
    scores, known, liked, parts = random_case(3, 5, 40, None, 2)
    same = np.broadcast_to(scores[0], scores.shape)
    found, expected = places_of(same, known, liked, parts), slow_places(same, known, liked, parts)
    assert found.above.tolist() == [row[0] for row in expected[0]]
    np.testing.assert_allclose(found.missed, expected[1])
    np.testing.assert_allclose(found.recommended, expected[2])


@read_both_ways
def test_a_list_has_who_is_certain_and_some_of_those_who_share_the_last_places(monkeypatch, counted_from) -> None:
    monkeypatch.setattr(catalogue, "COUNTED_ITEMS", counted_from)
    for levels, items in ((None, 30), (3, 30), (1, 30), (2, 7)):
        scores, known, liked, parts = random_case(2, 8, items, levels, 2)
        found = places_of(scores, known, liked, parts)
        likers = np.flatnonzero(liked.any(axis=1))
        lists = drawn(found, items, np.random.default_rng(0))
        assert lists.shape == (len(likers), 10)
        for user, row in zip(likers, lists.tolist(), strict=True):
            listed = {item for item in row if item >= 0}
            candidates = np.flatnonzero(~known[user])
            assert len(listed) == sum(item >= 0 for item in row) == min(10, len(candidates))
            assert listed <= set(candidates.tolist())
            above = {item for item in candidates if (scores[user, candidates] >= scores[user, item]).sum() <= 10}
            assert above <= listed
            lowest = min(scores[user, list(listed)], default=0)
            assert all(scores[user, item] <= lowest for item in candidates if item not in listed)


def test_whoever_shares_a_place_is_drawn_as_often_as_the_others() -> None:
    ranking = np.zeros((2000, 12), dtype=np.float32)
    ranking[:, 0] = 1.0
    _, recommended, lists = drawn_tens(ranking)
    times = np.bincount(lists.ravel(), minlength=12)
    assert times[0] == 2000
    # Nine of eleven places: 1,636 times, give or take 17.
    np.testing.assert_allclose(times[1:], recommended[1:], atol=70)


def test_a_large_catalogue_is_counted_and_a_small_one_sorted(monkeypatch) -> None:
    def refused(*arguments: object) -> None:
        raise AssertionError("not to be called")

    for items, other in ((COUNTED_ITEMS - 1, "_counted"), (COUNTED_ITEMS, "_sorted")):
        scores, known, _, parts = random_case(0, 3, items, None, 2)
        liked = ~known & (np.random.default_rng(0).random(known.shape) < 0.01)
        with monkeypatch.context() as patch:
            patch.setattr(Catalogue, other, refused)
            found = places_of(scores, known, liked, parts)
        expected = [
            int((~known[user] & (scores[user] > scores[user, item])).sum()) for user, item in np.argwhere(liked)
        ]
        assert found.above.tolist() == expected


def test_a_constant_score_covers_the_catalogue_like_random_lists() -> None:
    ranking = np.zeros((3, 40), dtype=np.float32)
    ranking[0, :20] = -np.inf
    missed, recommended, lists = drawn_tens(ranking)
    assert [len(set(row)) for row in lists.tolist()] == [10, 10, 10]
    assert lists[0].min() >= 20
    assert recommended == pytest.approx([2 * 10 / 40] * 20 + [10 / 20 + 2 * 10 / 40] * 20)
    assert missed[:20] == pytest.approx([(1 - 10 / 40) ** 2] * 20)
    assert missed[20:] == pytest.approx([(1 - 10 / 20) * (1 - 10 / 40) ** 2] * 20)


def test_who_has_less_than_ten_candidates_has_them_all_and_nothing_else() -> None:
    ranking = np.full((2, 40), -np.inf, dtype=np.float32)
    ranking[0, :3] = [1.0, 2.0, 2.0]
    ranking[1] = np.arange(40)
    missed, recommended, lists = drawn_tens(ranking)
    assert [sorted(row) for row in lists.tolist()] == [[-1] * 7 + [0, 1, 2], list(range(30, 40))]
    assert recommended.tolist() == [1.0] * 3 + [0.0] * 27 + [1.0] * 10
    assert missed.tolist() == [0.0] * 3 + [1.0] * 27 + [0.0] * 10
