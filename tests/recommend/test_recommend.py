"""Recommendations for many users against those for one user at a time, and contributions that add up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.artifacts.recommend import RECOMMENDATIONS
from pipeline.common.top_columns import best_columns
from pipeline.data.dataset import Dataset
from pipeline.explain.causes import MainCauses, relation_names
from pipeline.explain.contributions import KINDS, NO_ITEM, contributions_of
from pipeline.explain.strongest import StrongestContributions
from pipeline.recommend import recommend
from pipeline.recommend.recommend import Ids, Recommended, recommendation_table, recommended, recommended_to
from pipeline.recommend.vectors import item_vectors, with_ones
from pipeline.users.coordinates import why_no_vectors
from pipeline.users.model import Model, build_scorer
from pipeline.users.people import Person, histories_of, people_of, preference_of
from pipeline.users.shares import head_shares
from pipeline.users.views import folded
from tests.evaluation.worlds import dataset, random_dataset, random_rows
from tests.users.test_coordinates import by_unit_vectors
from tests.users.test_trained import ITEMS, USERS, arrays_of, config
from tests.users.test_trained import VARIANTS as OTHERS

VARIANTS = OTHERS | {
    "sums": config(attention="none"),
    "terms-of-merged-sums": config(attention="none", views="merged", terms=["together", "overlap"]),
    "sums-and-co-rating-of-merged-views": config(attention="none", views="merged", co_rating_l2=10.0),
    "sums-and-co-rating-of-both-views": config(attention="none", co_rating_l2=10.0, co_rating_share=0.4),
}

RELATIONS, ENTITY_IDS = pl.Series(["by", "^of"]), pl.Series(["e0", "e1", "e2", "e3", "e4", "e5"])
USER_IDS, ITEM_IDS = (pl.Series([f"{kind}{n}" for n in range(99, 0, -1)]) for kind in "ui")


def everybody(data: Dataset) -> list[Person]:
    return people_of(data, np.arange(data.users))


def ids_of(model: Model) -> Ids:
    return Ids(USER_IDS[:USERS], ITEM_IDS[:ITEMS], pl.Series(relation_names(model), dtype=pl.String), ENTITY_IDS)


def trained(name: str, data: Dataset) -> Model:
    return Model.from_arrays(arrays_of(VARIANTS[name], data), VARIANTS[name], data.items)


def ids(*items: int) -> np.ndarray[Any, Any]:
    return np.array(items, dtype=np.int64)


def scoring(scores: list[float]) -> Model:
    """A model that says of each item just what it is told, whoever asks."""
    variant = config(attention="none", heads=["like"])
    scorer = build_scorer(variant, 2, dataset([], [], 1, len(scores)))
    scorer.item_bias["like"].data = torch.tensor(scores)
    return Model(scorer.requires_grad_(False), torch.zeros(len(scores), 2))


def best_unrated(scores: np.ndarray[Any, Any], person: Person, top: int) -> list[int]:
    unrated = set(range(len(scores))) - set(np.concatenate(person).tolist())
    return sorted(unrated, key=lambda item: (-scores[item], item))[:top]


@given(
    scores=st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=1, max_size=12),
    rated=st.sets(st.integers(0, 11)),
    top=st.integers(1, 14),
)
@settings(deadline=None)
def test_the_best_unrated_items_come_in_the_order_of_score_and_then_of_items(
    scores: list[float], rated: set[int], top: int
) -> None:
    mine = [item for item in rated if item < len(scores)]
    person, model = Person(ids(*mine[::2]), ids(*mine[1::2])), scoring(scores)
    expected = sorted(set(range(len(scores))) - set(mine), key=lambda item: (-scores[item], item))[:top]
    ((found, contributions),) = recommended_to(model, [person], top)
    assert found.tolist() == expected
    assert contributions.score.tolist() == [scores[item] for item in expected]
    # What is known is another set than what was rated.
    known = ids(*mine[:1], *range(len(scores) - 1, len(scores)))
    expected = sorted(set(range(len(scores))) - set(known.tolist()), key=lambda item: (-scores[item], item))[:top]
    ((found, _),) = recommended_to(model, [person], top, [known])
    assert found.tolist() == expected


@pytest.mark.parametrize("name", VARIANTS)
def test_every_user_gets_what_they_would_get_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_dataset(USERS, ITEMS)
    model, people = trained(name, data), everybody(data)
    # Blocks of seven users, of which five and two are scored at once.
    monkeypatch.setattr(recommend, "BLOCK_USERS", 7)
    monkeypatch.setattr(recommend, "BLOCK_CELLS", 5 * ITEMS + 3)
    found = list(recommended(model, people, 7, 2))
    assert [one.users.tolist() for one in found] == [list(range(7)), list(range(7, USERS))]
    for block in found:
        assert block.items.dtype == np.int32
        assert block.scores.dtype == np.float32
        for user, items, scores, parts in zip(
            block.users, block.items, block.scores, block.contributions.values, strict=True
        ):
            alone = preference_of(model, [people[user]])[0]
            expected = ids(*best_unrated(alone, people[user], 7))
            assert items.tolist() == expected.tolist()
            ((one, _),) = recommended_to(model, [people[user]], 7)
            assert one.tolist() == expected.tolist()
            np.testing.assert_allclose(scores, alone[expected], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(parts.sum(axis=1), scores, atol=1e-4)
            by_kind = contributions_of(model, people[user], expected)
            kinds = block.contributions.kinds
            np.testing.assert_allclose(parts[:, kinds == 4].sum(axis=1), by_kind.bias, atol=1e-5)
            for mine, whole in (([0, 2], by_kind.likes), ([1, 3], by_kind.dislikes)):
                sums = parts[:, np.isin(kinds, mine)].sum(axis=1)
                np.testing.assert_allclose(sums, whole.sum(axis=1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", VARIANTS)
def test_users_come_with_their_vectors_where_there_are_any(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_dataset(USERS, ITEMS)
    model, people = trained(name, data), everybody(data)
    monkeypatch.setattr(recommend, "BLOCK_USERS", 7)
    # Chunks of a few users.
    monkeypatch.setattr(folded, "NUMBERS", 300)
    found = [one.vectors for one in recommended(model, people, 1, 1)]
    if VARIANTS[name].attention == "candidate":
        assert found == [None, None]
        return
    vectors = with_ones(np.concatenate([mine for mine in found if mine is not None]))
    assert len(vectors) == USERS
    if why_no_vectors(model) is None:
        with torch.inference_mode():
            theirs = by_unit_vectors(model, *histories_of(people, model.device), head_shares(model))
        np.testing.assert_allclose(vectors, with_ones(theirs.numpy()), atol=1e-5)
    without = replace(model, co_rating=None)
    for weights in model.scorer.terms.parameters():
        weights.data.zero_()
    np.testing.assert_allclose(vectors @ item_vectors(without).T, preference_of(without, people), atol=1e-4)


@pytest.mark.parametrize("name", VARIANTS)
def test_ties_are_for_the_order_of_items_and_users_with_little_left_get_less(name: str) -> None:
    data = random_dataset(USERS, ITEMS)
    model = trained(name, data)
    pairs = (*([] if model.co_rating is None else [model.co_rating]), *model.scorer.terms.parameters())
    for weights in (model.items, *pairs, *model.scorer.item_bias.values()):
        weights.data.zero_()
    people = [Person(ids(0, 3), ids(2, 6)), Person(ids(*range(1, ITEMS - 3)), ids(0)), Person(ids(), ids())]
    (found,) = recommended(model, people, 6, 1)
    last = list(range(ITEMS - 3, ITEMS))
    assert found.items.tolist() == [[1, 4, 5, 7, 8, 9], last + [NO_ITEM] * 3, list(range(6))]
    assert not found.contributions.values.any()


@pytest.mark.parametrize("name", VARIANTS)
def test_no_more_than_a_block_of_scores_is_made_at_once_and_always_in_the_same_place(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random_dataset(USERS, ITEMS)
    shapes, places = [], []

    def watched(scores: np.ndarray[Any, Any], count: int) -> Any:
        shapes.append(scores.shape)
        places.append(scores.ctypes.data)
        return best_columns(scores, count)

    monkeypatch.setattr(recommend, "best_columns", watched)
    monkeypatch.setattr(recommend, "BLOCK_CELLS", 5 * ITEMS)
    model = trained(name, data)
    for _ in recommended(model, everybody(data), 1, 1):
        pass
    if VARIANTS[name].attention == "candidate":
        # Items x items are needed for however few users.
        assert shapes == [(USERS, ITEMS)]
    else:
        assert shapes == [(5, ITEMS), (5, ITEMS), (2, ITEMS)]
        assert len(set(places)) == 1


def test_fewer_users_are_taken_at_once_where_much_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_dataset(USERS, ITEMS)
    monkeypatch.setattr(recommend, "BLOCK_PARTS", 5 * 4 * 7 + 1)
    model, people = trained("extended", data), everybody(data)
    assert [len(one.users) for one in recommended(model, people, 4, 2)] == [5, 5, 2]
    assert [len(one.users) for one in recommended(model, people, 400, 200)] == [1] * USERS


def as_stored(table: pl.DataFrame) -> pl.DataFrame:
    content, _ = RECOMMENDATIONS.encoded(table, "recommendations", Path())
    return pl.read_parquet(content)


def test_a_user_who_rated_everything_gets_nothing_and_the_others_theirs() -> None:
    rows = random_rows(USERS, ITEMS, 0.5, 0)
    rows = [row for row in rows if row["user"] != 4]
    rows += [{"user": 4, "item": item, "like": True, "rating": 5.0, "split": "train"} for item in range(ITEMS)]
    data = dataset(rows, [], USERS, ITEMS)
    (found,) = recommended(trained("extended", data), everybody(data), 3, 2)
    assert (found.items != NO_ITEM).sum(axis=1).tolist() == [0 if user == 4 else 3 for user in range(USERS)]
    table = recommendation_table([found], Ids(USER_IDS[:USERS], ITEM_IDS[:ITEMS]))
    assert table["user_id"].unique(maintain_order=True).to_list() == [USER_IDS[n] for n in range(USERS) if n != 4]
    (alone,) = recommended(trained("extended", data), everybody(data)[4:5], 3, 2)
    table = recommendation_table([alone], Ids(USER_IDS, ITEM_IDS))
    assert table.is_empty()
    assert as_stored(table).schema == dict(RECOMMENDATIONS.columns)


def test_rows_of_the_table_have_the_parts_that_are_not_zero() -> None:
    """Two blocks: a user with three items, of which nothing is told of the second; one with two, and one with none."""
    kinds = np.array([0, 0, 1, 1, 2, 3, 4], dtype=np.int8)
    parts = np.zeros((1, 3, 7), dtype=np.float32)
    parts[0, 0] = [-2.0, 1.0, -1.0, 0.5, 0.75, 0.0, 0.75]
    parts[0, 2, [0, 4]] = [1.0, 2.0]
    items = np.full((1, 3, 7), NO_ITEM, dtype=np.int32)
    items[0, 0, :4] = [1, 2, 10, 12]
    items[0, 2, 0] = 5
    causes = MainCauses(*(np.full(items.shape, NO_ITEM) for _ in range(3)))
    for column, (part, relation, entity) in enumerate([(0, -1, -1), (2, 1, 5), (2, 0, 0), (1, -1, -1)]):
        causes.part[0, 0, column], causes.relation[0, 0, column], causes.entity[0, 0, column] = part, relation, entity
    first = Recommended(
        np.array([3]),
        np.array([[50, 51, 52]], dtype=np.int32),
        np.array([[0.0, 0.0, 3.0]], dtype=np.float32),
        StrongestContributions(kinds, items, parts, causes),
        None,
    )
    second = Recommended(
        np.array([4, 5]),
        np.array([[7, 8, NO_ITEM], [NO_ITEM] * 3], dtype=np.int32),
        np.array([[9.0, 8.0, 0.0], [0.0] * 3], dtype=np.float32),
        StrongestContributions(
            kinds[-3:],
            np.full((2, 3, 3), NO_ITEM, dtype=np.int32),
            np.zeros((2, 3, 3), dtype=np.float32),
            MainCauses(*(np.full((2, 3, 3), NO_ITEM) for _ in range(3))),
        ),
        None,
    )
    table = recommendation_table([first, second], Ids(USER_IDS, ITEM_IDS, RELATIONS, ENTITY_IDS))
    assert as_stored(table).schema == dict(RECOMMENDATIONS.columns)
    assert table.select("user_id", "rank", "item_id", "score").rows() == [
        (USER_IDS[3], 1, ITEM_IDS[50], 0.0),
        (USER_IDS[3], 2, ITEM_IDS[51], 0.0),
        (USER_IDS[3], 3, ITEM_IDS[52], 3.0),
        (USER_IDS[4], 1, ITEM_IDS[7], 9.0),
        (USER_IDS[4], 2, ITEM_IDS[8], 8.0),
    ]
    assert [[tuple(reason.values()) for reason in row] for row in table["reasons"].to_list()] == [
        [
            ("like", ITEM_IDS[1], -2.0, "vectors", None, None),
            ("like", ITEM_IDS[2], 1.0, "overlap", "^of", "e5"),
            ("dislike", ITEM_IDS[10], -1.0, "overlap", "by", "e0"),
            ("dislike", ITEM_IDS[12], 0.5, "co_rating", None, None),
            ("other likes", None, 0.75, None, None, None),
            ("bias", None, 0.75, None, None, None),
        ],
        [],
        [("like", ITEM_IDS[5], 1.0, None, None, None), ("other likes", None, 2.0, None, None, None)],
        [],
        [],
    ]


@pytest.mark.parametrize("named", [0, 1, 3, 100])
@pytest.mark.parametrize("name", VARIANTS)
def test_the_reasons_in_the_table_add_up_to_the_score(name: str, named: int) -> None:
    data = random_dataset(USERS, ITEMS)
    model = trained(name, data)
    table = recommendation_table(recommended(model, everybody(data), 5, named), ids_of(model))
    assert len(table) == 5 * USERS
    assert as_stored(table).schema == dict(RECOMMENDATIONS.columns)
    people = people_of(data, np.arange(USERS))
    for user_id, _, _, score, told in table.rows():
        assert sum(reason["part"] for reason in told) == pytest.approx(score, abs=1e-4)
        assert {reason["kind"] for reason in told} <= set(KINDS)
        person = people[USER_IDS.to_list().index(user_id)]
        for kind, items in (("like", person.likes), ("dislike", person.dislikes)):
            of_kind = [reason["item_id"] for reason in told if reason["kind"] == kind]
            assert set(of_kind) <= set(ITEM_IDS.gather(items))
            assert len(of_kind) == len(set(of_kind)) <= named
            strengths = [abs(reason["part"]) for reason in told if reason["kind"] == kind]
            assert strengths == sorted(strengths, reverse=True)
