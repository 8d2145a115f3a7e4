"""The users of the report: who they are, and what they are shown."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from pipeline.report import people
from pipeline.report.labels import labels_of
from pipeline.report.people import chosen_people, showcase_of
from pipeline.report.portraits import portraits_of
from pipeline.users.people import Person, preference_of
from tests.report.world import ENTITY_IDS, HOSTILE, ITEMS, TEMPLATE, USERS, data, items, model, rows, shown


def rated(user: int, split: str, like: bool) -> list[int]:
    chosen = (pl.col("user") == user) & (pl.col("split") == split) & (pl.col("like") == like)
    return rows().filter(chosen)["item"].to_list()


def test_users_are_drawn_from_the_shortest_history_to_the_longest_in_equal_steps() -> None:
    tested = [user for user in range(USERS) if rated(user, "test", True)]
    lengths = {user: len(rated(user, "train", True) + rated(user, "train", False)) for user in tested}
    order = sorted(tested, key=lambda user: (lengths[user], user))
    step = (len(order) - 1) / (people.PEOPLE - 1)
    assert len(order) > people.PEOPLE
    assert chosen_people(data()).tolist() == [order[round(step * place)] for place in range(people.PEOPLE)]


def test_all_users_are_shown_where_there_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "PEOPLE", 1000)
    assert sorted(chosen_people(data())) == [user for user in range(USERS) if rated(user, "test", True)]


@pytest.mark.parametrize("name", ["attentive", "plain", "together"])
def test_a_user_is_shown_the_best_items_that_they_had_not_rated_with_parts_that_add_up(name: str) -> None:
    users = chosen_people(data())
    found = showcase_of(model(name), data(), users, ENTITY_IDS)
    assert found.recommendations["user"].unique(maintain_order=True).to_list() == users.tolist()
    for user in users.tolist():
        person = Person(*(np.array(rated(user, "train", like), dtype=np.int64) for like in (True, False)))
        scores = preference_of(model(name), [person])[0]
        known = {item for split in ("train", "valid") for like in (True, False) for item in rated(user, split, like)}
        best = sorted(set(range(ITEMS)) - known, key=lambda item: -scores[item])[: people.ITEMS_EACH]
        own = found.recommendations.filter(pl.col("user") == user)
        assert own["item"].to_list() == best
        assert own["rank"].to_list() == list(range(1, people.ITEMS_EACH + 1))
        assert own["score"].to_list() == pytest.approx(scores[best].tolist(), abs=1e-4)
        parts = found.reasons.filter(pl.col("user") == user)
        for rank, score, bias in own.select("rank", "score", "bias").iter_rows():
            of_item = parts.filter(pl.col("rank") == rank)
            assert of_item.filter(pl.col("like"))["cause"].to_list() == person.likes.tolist()
            assert of_item.filter(~pl.col("like"))["cause"].to_list() == person.dislikes.tolist()
            assert of_item["part"].sum() + bias == pytest.approx(score, abs=1e-5)


def test_an_entity_without_letters_is_named_like_any_other() -> None:
    users = pl.DataFrame(
        {"user": pl.Series(range(USERS), dtype=pl.Int32), "user_id": [str(user) for user in range(USERS)]}
    )
    found = shown("plain")
    reasons = found.reasons.with_columns(by=pl.lit("overlap"), relation=pl.lit("author"), entity=pl.lit(""))
    labels = labels_of(items(), TEMPLATE)
    portraits = portraits_of(found.recommendations, reasons, rows(), users, labels, {"": "an unknown"}, False)
    assert "same author: an unknown" in str(portraits)


def test_a_portrait_says_what_the_test_split_says() -> None:
    labels = labels_of(items(), TEMPLATE)
    users = pl.DataFrame(
        {"user": pl.Series(range(USERS), dtype=pl.Int32), "user_id": [f"u{user}" for user in range(USERS)]}
    )
    found = shown("plain")
    portraits = portraits_of(found.recommendations, found.reasons, rows(), users, labels, {}, False)
    assert len(portraits) == people.PEOPLE
    verdicts = set()
    for portrait in portraits:
        user = int(portrait.user_id.removeprefix("u"))
        assert portrait.likes == len(rated(user, "train", True))
        assert portrait.dislikes == len(rated(user, "train", False))
        assert portrait.hidden == len(rated(user, "test", True))
        for pick in portrait.picks:
            item = labels.titles.index(pick.title)
            expected = {
                **dict.fromkeys(rated(user, "test", True), "liked"),
                **dict.fromkeys(rated(user, "test", False), "disliked"),
            }
            assert pick.verdict == expected.get(item, "")
            assert pick.details == labels.details[item]
            assert f"{math.fsum(float(piece.number) for piece in pick.why):.2f}" == f"{pick.score:.2f}"
            verdicts.add(pick.verdict)
    assert verdicts == {"", "liked", "disliked"}
    lengths = [portrait.likes + portrait.dislikes for portrait in portraits]
    assert lengths == sorted(lengths)
    assert HOSTILE in labels.titles
