"""Recommendations against a plain sort, and their reasons against the parts that they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import recommend
from pipeline.artifacts import RECOMMENDATIONS
from pipeline.dataset import Dataset
from pipeline.model import TrainedModel
from pipeline.people import Person, people_of, preference_of
from pipeline.reasons import Reasons, reasons
from pipeline.recommend import KINDS, Recommended, best_unrated, recommendation_table, recommended
from tests.evaluation.worlds import dataset, random_dataset, random_rows
from tests.test_model import ITEMS, USERS, VARIANTS, arrays_of

USER_IDS, ITEM_IDS = (pl.Series([f"{kind}{n}" for n in range(99, 0, -1)]) for kind in "ui")


def everybody(data: Dataset) -> list[Person]:
    return people_of(data, np.arange(data.users))


def trained(name: str, data: Dataset) -> TrainedModel:
    return TrainedModel.from_arrays(arrays_of(VARIANTS[name], data), VARIANTS[name], data)


def ids(*items: int) -> np.ndarray[Any, Any]:
    return np.array(items, dtype=np.int64)


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
    person = Person(ids(*mine[::2]), ids(*mine[1::2]))
    expected = sorted(set(range(len(scores))) - set(mine), key=lambda item: (-scores[item], item))[:top]
    assert best_unrated(np.array(scores, dtype=np.float32), person, top).tolist() == expected


@pytest.mark.parametrize("name", VARIANTS)
def test_every_user_gets_what_no_split_has_by_all_that_they_rated(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_dataset(USERS, ITEMS)
    model, people = trained(name, data), people_of(data, np.arange(USERS))
    # Blocks of five users: the last one is not full.
    monkeypatch.setattr(recommend, "BLOCK_CELLS", 5 * ITEMS + 3)
    found = list(recommended(model, people, 7))
    assert [one.user for one in found] == list(range(USERS))
    scores = preference_of(model, people)
    for one, person, row in zip(found, people, scores, strict=True):
        unrated = sorted(set(range(ITEMS)) - {*person.likes, *person.dislikes}, key=lambda item: (-row[item], item))
        assert one.items.tolist() == unrated[:7]
        np.testing.assert_allclose(one.scores, row[one.items], atol=1e-4)
        np.testing.assert_allclose(one.reasons.score, one.scores, atol=1e-4)
        np.testing.assert_array_equal(one.reasons.likes_part, reasons(model, person, one.items).likes_part)


def test_scores_of_no_more_than_a_block_of_users_are_asked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_dataset(USERS, ITEMS)
    asked = []

    def watched(model: TrainedModel, people: list[Person]) -> Any:
        asked.append(len(people))
        return preference_of(model, people)

    monkeypatch.setattr(recommend, "preference_of", watched)
    monkeypatch.setattr(recommend, "BLOCK_CELLS", 5 * ITEMS)
    assert len(list(recommended(trained("method", data), everybody(data), 1))) == USERS
    assert asked == [5, 5, 2]


def test_a_user_who_rated_everything_gets_nothing_and_the_others_theirs() -> None:
    rows = random_rows(USERS, ITEMS, 0.5, 0)
    rows = [row for row in rows if row["user"] != 4]
    rows += [{"user": 4, "item": item, "like": True, "rating": 5.0, "split": "train"} for item in range(ITEMS)]
    data = dataset(rows, [], USERS, ITEMS)
    found = list(recommended(trained("extended", data), everybody(data), 3))
    assert [len(one.items) for one in found] == [0 if user == 4 else 3 for user in range(USERS)]
    table = recommendation_table(found, USER_IDS[:USERS], ITEM_IDS[:ITEMS], 2)
    assert table["user_id"].unique(maintain_order=True).to_list() == [USER_IDS[n] for n in range(USERS) if n != 4]
    alone = recommendation_table(found[4:5], USER_IDS, ITEM_IDS, 2)
    assert alone.is_empty()
    assert alone.schema == dict(RECOMMENDATIONS.columns)


def one(likes_part: list[list[float]], dislikes_part: list[list[float]], bias: list[float]) -> Recommended:
    parts = Reasons(np.array(likes_part), np.array(dislikes_part), {"meet": np.array(bias)})
    items = ids(*range(50, 50 + len(bias)))
    person = Person(ids(*range(len(likes_part[0]))), ids(*range(10, 10 + len(dislikes_part[0]))))
    return Recommended(3, person, items, parts.score.astype(np.float32), parts)


def test_the_strongest_likes_and_dislikes_are_named_and_the_others_added_up() -> None:
    found = one([[0.25, -2.0, 1.0, 0.5], [1.0, 1.0, 1.0, 0.0]], [[-1.0, 0.0, 0.5], [0.0, 0.0, 0.0]], [0.75, 0.0])
    table = recommendation_table([found], USER_IDS, ITEM_IDS, 2)
    assert table.columns == ["user_id", "rank", "item_id", "score", "reasons"]
    assert table.select("user_id", "rank", "item_id", "score").rows() == [
        (USER_IDS[3], 1, ITEM_IDS[50], 0.0),
        (USER_IDS[3], 2, ITEM_IDS[51], 3.0),
    ]
    assert [[tuple(reason.values()) for reason in row] for row in table["reasons"].to_list()] == [
        [
            ("like", ITEM_IDS[1], -2.0),
            ("like", ITEM_IDS[2], 1.0),
            ("dislike", ITEM_IDS[10], -1.0),
            ("dislike", ITEM_IDS[12], 0.5),
            ("other likes", None, 0.75),
            ("bias", None, 0.75),
        ],
        # Equals in the order of items; what adds nothing is no reason.
        [("like", ITEM_IDS[0], 1.0), ("like", ITEM_IDS[1], 1.0), ("other likes", None, 1.0)],
    ]


def test_without_names_there_are_sums_and_without_parts_there_is_nothing() -> None:
    found = one([[0.5, 0.25], [0.0, 0.0]], [[-0.5, -0.25], [0.0, 0.0]], [1.0, 0.0])
    table = recommendation_table([found], USER_IDS, ITEM_IDS, 0)
    assert [[tuple(reason.values()) for reason in row] for row in table["reasons"].to_list()] == [
        [("other likes", None, 0.75), ("other dislikes", None, -0.75), ("bias", None, 1.0)],
        [],
    ]


@pytest.mark.parametrize("named", [0, 1, 3, 100])
@pytest.mark.parametrize("name", VARIANTS)
def test_the_reasons_in_the_table_add_up_to_the_score(name: str, named: int) -> None:
    data = random_dataset(USERS, ITEMS)
    model = trained(name, data)
    table = recommendation_table(recommended(model, everybody(data), 5), USER_IDS[:USERS], ITEM_IDS[:ITEMS], named)
    assert len(table) == 5 * USERS
    assert table.schema == dict(RECOMMENDATIONS.columns)
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
