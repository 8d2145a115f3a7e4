"""What is known of items before training, against loops over ratings and triples."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from pipeline.artifacts.users import MODEL
from pipeline.common.errors import InputError
from pipeline.users import knowledge as module
from pipeline.users.knowledge import (
    RELATIONS_AT_MOST,
    Knowledge,
    Surroundings,
    Together,
    count_features,
    knowledge_arrays,
    knowledge_from,
)
from tests.evaluation.worlds import random_dataset
from tests.users.knowing import (
    random_relations,
    rated_sets,
    relations,
    slow_mean_around,
    slow_overlap,
    slow_raw_features,
    slow_surroundings,
)

ITEMS = 6
ROWS = st.lists(
    st.tuples(st.integers(0, ITEMS - 1), st.sampled_from("ab"), st.booleans(), st.integers(0, 3)), max_size=30
)


def overlaps(around: Surroundings) -> np.ndarray[Any, Any]:
    return (around.weights @ around.weights.T).toarray()


@given(ROWS)
@settings(deadline=None, max_examples=100, derandomize=True)
def test_overlap_is_the_cosine_of_idf_weighted_surroundings(rows: list[tuple[int, str, bool, int]]) -> None:
    frame = relations(rows)
    found, expected = Surroundings.of(frame, ITEMS), slow_surroundings(frame, ITEMS)
    np.testing.assert_allclose(
        overlaps(found), [[slow_overlap(one, other) for other in expected] for one in expected], atol=1e-6
    )
    # By relation as well.
    for place, name in enumerate(found.names):
        columns = found.relation == place
        mine = found.weights[:, columns]
        rows_of = [{pair: weight for pair, weight in row.items() if pair[0] == name} for row in expected]
        # And each column is of the entity that it says.
        for item, row in enumerate(rows_of):
            told = dict(zip(found.entity[columns].tolist(), mine.toarray()[item].tolist(), strict=True))
            assert {entity: weight for entity, weight in told.items() if weight} == pytest.approx(
                {entity: weight for (_, entity), weight in row.items() if weight}
            )
        told = [[slow_overlap(one, other) for other in rows_of] for one in rows_of]
        np.testing.assert_allclose((mine @ mine.T).toarray(), told, atol=1e-6)
        np.testing.assert_allclose(found.own[:, place], np.diag(np.array(told)), atol=1e-6)


def test_what_one_item_or_all_items_have_counts_for_nothing() -> None:
    everybody = [(item, "a", False, 0) for item in range(3)]
    assert Surroundings.of(relations([*everybody, (0, "a", False, 1), (1, "b", False, 1)]), 3).weights.shape == (3, 0)
    # The inverse of a relation is another one.
    assert Surroundings.of(relations([(0, "a", False, 1), (1, "a", True, 1)]), 3).weights.shape == (3, 0)
    shared = Surroundings.of(relations([(0, "a", True, 1), (1, "a", True, 1)]), 3)
    assert shared.weights.toarray().tolist() == [[1.0], [1.0], [0.0]]
    assert shared.names == ("^a",)


def test_relations_come_by_frequency_and_the_rarest_share_a_weight() -> None:
    # Relation number n has n + 2 rows, all of them with entities 0 (that items 0 and 1 have) and 2 on (nobody else).
    many = RELATIONS_AT_MOST + 3
    rows = [
        row
        for n in range(many)
        for row in [(0, f"r{n}", False, 0), (1, f"r{n}", False, 0), *((2, f"r{n}", False, 2 + k) for k in range(n))]
    ]
    found = Surroundings.of(relations(rows), 4)
    kept = [f"r{n}" for n in range(many - 1, many - RELATIONS_AT_MOST, -1)]
    assert found.names == (*kept, "any other relation")
    # The rare ones are one relation: what each of them shares, entity 0, is there once.
    assert np.bincount(found.relation).tolist() == [1] * RELATIONS_AT_MOST
    np.testing.assert_allclose(found.weights[:2].toarray(), RELATIONS_AT_MOST**-0.5, rtol=1e-6)


@pytest.mark.parametrize("more", [0, 1])
def test_as_many_relations_as_there_may_be_keep_their_names(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RELATIONS_AT_MOST", 3)
    rows = [(item, name, False, 0) for name in "abcd"[: 3 + more] for item in (0, 1)]
    names = Surroundings.of(relations(rows), 3).names
    assert names == (("a", "b", "any other relation") if more else ("a", "b", "c"))


@given(ROWS, st.lists(st.integers(0, 9), min_size=ITEMS, max_size=ITEMS))
@settings(deadline=None, max_examples=60, derandomize=True)
def test_the_mean_around_an_item_is_that_of_the_others_by_overlap(
    rows: list[tuple[int, str, bool, int]], values: list[int]
) -> None:
    frame = relations(rows)
    means, degrees = Surroundings.of(frame, ITEMS).mean_around(np.array(values, dtype=np.float64))
    expected = slow_mean_around(slow_surroundings(frame, ITEMS), values)
    np.testing.assert_allclose(degrees, expected[1], atol=1e-5)
    np.testing.assert_allclose(means, expected[0], atol=1e-4)


def test_features_are_the_logs_of_counts_and_leave_out_one_rating_of_the_item_alone() -> None:
    data = random_dataset(9, 14, 0.5)
    frame = random_relations(14)
    likes, dislikes = (matrix.toarray().sum(axis=0) for matrix in (data.train_likes, data.train_dislikes))
    rows, overall = slow_surroundings(frame, 14), likes.sum() / (likes.sum() + dislikes.sum())
    (mean_likes, degree), (mean_dislikes, _) = (slow_mean_around(rows, counts.tolist()) for counts in (likes, dislikes))
    around = list(zip(mean_likes, mean_dislikes, degree, strict=True))

    def slow(fewer_likes: int, fewer_dislikes: int) -> np.ndarray[Any, Any]:
        return np.array(
            [
                slow_raw_features(max(a - fewer_likes, 0), max(b - fewer_dislikes, 0), beside, overall)
                for a, b, beside in zip(likes.tolist(), dislikes.tolist(), around, strict=True)
            ]
        )

    whole = slow(0, 0)
    found = count_features(likes.astype(np.float64), dislikes.astype(np.float64), Surroundings.of(frame, 14))
    for features, raw in ((found.whole, whole), (found.without_like, slow(1, 0)), (found.without_dislike, slow(0, 1))):
        expected = (raw - whole.mean(axis=0)) / whole.std(axis=0)
        np.testing.assert_allclose(features, expected, atol=1e-4)
        assert features.dtype == np.float32
    assert (found.whole != found.without_like).any()
    assert (found.whole != found.without_dislike).any()


def test_a_feature_that_is_the_same_for_all_items_is_nothing() -> None:
    # Nothing is disliked, and nothing is shared in the graph.
    found = count_features(np.array([1.0, 2.0, 4.0]), np.zeros(3), Surroundings.of(relations([(0, "a", False, 0)]), 3))
    for features in (found.whole, found.without_like, found.without_dislike):
        assert np.isfinite(features).all()
        assert not features[:, 1:6].any()
        assert features[:, 0].any()


def slow_together(sets: list[set[int]], items: int) -> tuple[list[list[int]], list[int]]:
    counts = [
        [0 if one == other else sum(one in mine and other in mine for mine in sets) for other in range(items)]
        for one in range(items)
    ]
    return counts, [sum(item in mine for mine in sets) for item in range(items)]


@pytest.mark.parametrize("most", [500, 3, 1])
@pytest.mark.parametrize("view", ["likes", "dislikes", "rated"])
def test_together_counts_users_and_keeps_the_largest_cosines_of_each_candidate(
    view: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOGETHER_AT_MOST", most)
    data, items = random_dataset(12, 15, 0.6), 15
    sets = rated_sets(data, view)
    counts, ratings = slow_together(sets, items)
    found = Knowledge.of(data, random_relations(items)).together[view]
    assert found.ratings.tolist() == ratings
    expected, there = np.zeros((items, items)), np.zeros((items, items))
    for candidate in range(items):
        cosines = {
            item: counts[item][candidate] / math.sqrt(ratings[item] * ratings[candidate])
            for item in range(items)
            if counts[item][candidate]
        }
        # Of equal cosines the first item.
        for item in sorted(cosines, key=lambda item: (-round(cosines[item], 9), item))[:most]:
            expected[item, candidate] = counts[item][candidate] / math.sqrt(ratings[item])
            there[item, candidate] = 1 / math.sqrt(ratings[item])
    np.testing.assert_allclose(found.counts.toarray(), expected, rtol=1e-6)
    np.testing.assert_allclose(found.there.toarray(), there, rtol=1e-6)
    assert found.counts.dtype == found.there.dtype == np.float32


def test_of_equal_entries_the_first_are_the_strongest() -> None:
    matrix = csr_matrix(np.array([[2.0, 5.0, 2.0, 2.0], [0.0, 0.0, 1.0, 0.0], [1.0, 2.0, 3.0, 4.0], [0, 0, 0, 0]]))
    assert module._strongest(matrix, 2).toarray().tolist() == [[2, 5, 0, 0], [0, 0, 1, 0], [0, 0, 3, 4], [0, 0, 0, 0]]


def test_nobodys_ratings_are_no_trouble() -> None:
    found = Together.of(csr_matrix((4, 3), dtype=np.float32))
    assert (found.counts.nnz, found.there.nnz, found.ratings.tolist()) == (0, 0, [0, 0, 0])


def test_knowledge_is_stored_and_read_back(tmp_path: Path) -> None:
    data = random_dataset(12, 15, 0.6)
    known = Knowledge.of(data, random_relations(15, names=("by", "von é\n", "http://x/of")))
    MODEL.of(variant="v").write(knowledge_arrays(known), "d", root=tmp_path)
    found = knowledge_from(MODEL.of(variant="v").read("d", root=tmp_path), 15)
    assert (found.around.weights != known.around.weights).nnz == 0
    assert found.around.relation.tolist() == known.around.relation.tolist()
    assert found.around.entity.tolist() == known.around.entity.tolist()
    assert found.around.names == known.around.names
    assert len(known.around.names) > 3
    np.testing.assert_array_equal(found.around.own, known.around.own)
    np.testing.assert_array_equal(found.features.whole, known.features.whole)
    assert found.together.keys() == known.together.keys()
    for view, together in found.together.items():
        assert (together.counts != known.together[view].counts).nnz == 0
        np.testing.assert_array_equal(together.ratings, known.together[view].ratings)


@pytest.mark.parametrize("name", sorted(knowledge_arrays(Knowledge.of(random_dataset(3, 4), random_relations(4)))))
def test_a_model_without_its_knowledge_is_one_line(name: str) -> None:
    arrays = knowledge_arrays(Knowledge.of(random_dataset(3, 4), random_relations(4)))
    del arrays[name]
    with pytest.raises(
        InputError,
        match=rf"^users/model: found no tensor {name}, expected those of a model with terms; run `dvc repro`$",
    ):
        knowledge_from(arrays, 4)
