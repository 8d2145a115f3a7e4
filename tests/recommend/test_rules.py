"""Rules of a shop: what they leave, and lists by them against all items sorted and gone through one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.explain.contributions import contributions_of
from pipeline.recommend import recommend
from pipeline.recommend.recommend import recommendation_table, recommended, recommended_to
from pipeline.recommend.rerank import AtMost, Diversity, reranked
from pipeline.recommend.rules import Rules, rules_of, shortfall
from pipeline.recommend.settings import WITHOUT_RULES, RulesConfig
from pipeline.users.people import Person, preference_of
from tests.evaluation.worlds import random_dataset
from tests.recommend.test_recommend import VARIANTS, everybody, ids, ids_of, scoring, trained
from tests.users.test_trained import ITEMS, USERS

SHOP = pl.DataFrame(
    {
        "item": [0, 1, 2, 3],
        "item_id": ["10", "11", "12", "13"],
        "year": [1990, 1995, 1999, None],
        "author": ["A", "A|B", "B", None],
        "blob": [b"", b"", b"", b""],
    }
)
ALL = {"only": [], "without": [], "where": "", "at_most": 0, "per": "", "diversity": 0.0, "seen": False}


def shop_rules(anywhere: bool = True, **changes: Any) -> Rules:
    config = validated(RulesConfig, ALL | changes, "")
    return rules_of(config, SHOP, lambda setting: f"--{setting}", anywhere=anywhere)


def left(rules: Rules) -> list[int]:
    return list(range(len(SHOP))) if rules.allowed is None else np.flatnonzero(rules.allowed).tolist()


def test_without_a_rule_everything_is_left_and_nothing_is_said() -> None:
    assert validated(RulesConfig, ALL, "") == WITHOUT_RULES
    assert shop_rules() == Rules()


def test_all_that_is_said_of_an_item_must_hold() -> None:
    assert left(shop_rules(only=["11", 12, "id:13"])) == [1, 2, 3]
    assert left(shop_rules(without=["11"])) == [0, 2, 3]
    assert left(shop_rules(where="year > 1990")) == [1, 2]
    rules = shop_rules(only=["10", "11"], without=["10"], where="year > 1900", at_most=2, per="author", seen=True)
    assert left(rules) == [1]
    assert rules.words == (
        "1 of 4 items (only 2, without 1, where year > 1900); at most 2 per author; rated items left in"
    )
    assert shop_rules(diversity=0.25).words == "diversity 0.25"


def test_a_file_has_an_id_on_each_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    file = Path("rules") / "sold-out.txt"
    file.write_bytes("\ufeffitem_id\r\n11\r\n\r\n 12 \r\n11\r\n".encode())
    rules = shop_rules(anywhere=False, without=["rules/sold-out.txt", "10"])
    assert left(rules) == [3]
    assert rules.remarks == ()
    file.write_text("11\n99\n98\n")
    rules = shop_rules(anywhere=False, without=["rules/sold-out.txt"])
    assert left(rules) == [0, 2, 3]
    assert rules.remarks == ("rules/sold-out.txt: 2 of 3 ids are not ids of items and change nothing",)
    # Nothing is sold out today.
    file.write_text("\n")
    assert left(shop_rules(anywhere=False, without=["rules/sold-out.txt"])) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"only": ["99"]},
            "--only: found '99', expected the id of an item, or a file in rules/ with an id on each line",
        ),
        (
            {"without": ["elsewhere.txt"]},
            "--without: found 'elsewhere.txt', expected the id of an item, or a file in rules/",
        ),
        ({"without": ["rules/../elsewhere.txt"]}, "--without: found 'rules/../elsewhere.txt', expected the id"),
        ({"without": ["rules/circle"]}, "--without: found 'rules/circle', expected the id"),
        ({"without": ["x" * 3000]}, "--without: found 'xxx"),
        ({"without": ["\0"]}, "--without: found '\\x00', expected the id"),
        ({"without": ["rules"]}, "--without: found 'rules', expected the id"),
        (
            {"only": ["rules/titles.txt"]},
            "--only: rules/titles.txt: line 1: found 'Alien', expected the id of an item; of 2 found none that is one",
        ),
        ({"only": ["rules/latin.txt"]}, "--only: rules/latin.txt: not UTF-8 text; expected an id on each line"),
        ({"only": ["rules/empty.txt"]}, "found no item that the rules allow, expected some of 4: --only leaves 0"),
        (
            {"where": "yaer > 1"},
            "--where: found 'yaer' in 'yaer > 1', expected a text in single quotes or one of the columns",
        ),
        (
            {"only": ["10"], "where": "year > 1990"},
            "found no item that the rules allow, expected some of 4: --only leaves 1, --where leaves 2",
        ),
        (
            {"at_most": 1, "per": "writer"},
            "--per: found 'writer', expected a column of the items: item_id, year, author, blob",
        ),
        (
            {"at_most": 1, "per": "blob"},
            "--per: found blob of type Binary, expected text, numbers, dates or lists of these",
        ),
        ({"at_most": 1}, "per: found nothing beside at_most, expected a column of the items"),
        ({"per": "author"}, "at_most: found 0 beside per, expected how many items"),
    ],
)
def test_a_mistake_is_one_line_with_the_name_of_the_setting(
    changes: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    for name, content in {"titles": b"Alien\nAliens\n", "latin": b"\xe9\n", "empty": b""}.items():
        (tmp_path / "rules" / f"{name}.txt").write_bytes(content)
    (tmp_path / "elsewhere.txt").write_text("10\n")
    (tmp_path / "rules" / "circle").symlink_to("circle")
    with pytest.raises(InputError) as error:
        shop_rules(anywhere=False, **changes)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_elements_are_counted_as_facts_are_read() -> None:
    rules = shop_rules(at_most=1, per="author")
    model = scoring([4.0, 3.0, 2.0, 1.0])
    # "A|B" is by both; whoever has no author is never too many.
    ((found, _),) = recommended_to(model, [Person(ids(), ids())], 4, rules=rules)
    assert found.tolist() == [0, 2, 3]


def test_what_is_left_too_little_of_is_counted() -> None:
    people = pl.Series(["a", "a", "b", "d", "d"])
    assert shortfall(people, 4, 2) == [
        "2 of 4 people get fewer than 2 items, and 1 none: the rules and their own ratings leave no more"
    ]
    assert shortfall(people, 1, 10) == ["found 5 of 10 items: the rules and their own ratings leave no more"]
    assert shortfall(pl.Series(["a", "a"]), 1, 2) == []


def by_rules(
    scores: np.ndarray[Any, Any], person: Person, top: int, rules: Rules, elements: list[list[str]]
) -> list[int]:
    """All items that may come, sorted, and gone through one by one."""
    rated = set() if rules.seen else {*person.likes.tolist(), *person.dislikes.tolist()}
    listed: list[int] = []
    for item in sorted(range(len(scores)), key=lambda item: (-scores[item], item)):
        full = rules.at_most is not None and any(
            sum(element in elements[other] for other in listed) >= rules.at_most.count for element in elements[item]
        )
        if item not in rated and (rules.allowed is None or rules.allowed[item]) and not full:
            listed.append(item)
    return listed[:top]


@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("name", VARIANTS)
def test_lists_by_rules_are_what_is_left_of_all_items_in_their_order(
    name: str, seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random_dataset(USERS, ITEMS)
    model, people = trained(name, data), everybody(data)
    if isinstance(model.co_rating, torch.Tensor):
        # As EASE has it: an item says nothing of itself.
        model.co_rating.fill_diagonal_(0.0)
    # Blocks of few users, and pools that are too small at first.
    monkeypatch.setattr(recommend, "BLOCK_USERS", 7)
    monkeypatch.setattr(recommend, "BLOCK_CELLS", 5 * ITEMS + 3)
    monkeypatch.setattr(recommend, "POOL", 1)
    random = np.random.default_rng(0)
    elements = [["same"] if random.random() < 0.7 else [str(item % 3), "b"] for item in range(ITEMS)]
    at_most = AtMost.of(2, pl.Series(elements))
    rules = Rules({"where": random.random(ITEMS) < 0.8}, at_most, seen=seen)
    found = list(recommended(model, people, 5, 2, rules))
    lists = np.concatenate([block.items for block in found])
    scores = np.concatenate([block.scores for block in found])
    parts = np.concatenate([block.contributions.values for block in found])
    alone = [recommended_to(model, [person], 5, rules=rules)[0] for person in people]
    for user, (person, (one, told)) in enumerate(zip(people, alone, strict=True)):
        preferred = preference_of(model, [person])[0].copy()
        if seen:
            # Of what they have rated by the rest of it.
            for item in np.concatenate(person):
                preferred[item] = preference_of(model, [person.without(item)])[0, item]
        expected = by_rules(preferred, person, 5, rules, elements)
        mine = lists[user][lists[user] >= 0].tolist()
        assert mine == one.tolist() == expected
        count = len(mine)
        np.testing.assert_allclose(scores[user, :count], preferred[mine], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(parts[user, :count].sum(axis=1), preferred[mine], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(told.score, preferred[mine], rtol=1e-4, atol=1e-4)
        for row, item in enumerate(mine):
            assert not told.likes[row, person.likes == item].any()
            assert not told.dislikes[row, person.dislikes == item].any()
            expected_parts = contributions_of(model, person.without(item), ids(item))
            np.testing.assert_allclose(told.likes[row, person.likes != item], expected_parts.likes[0], atol=1e-5)
    if seen:
        assert any(set(lists[user]) & set(np.concatenate(person)) for user, person in enumerate(people))
        # And nothing is a reason for itself.
        table = recommendation_table(found, ids_of(model))
        for row in table.iter_rows(named=True):
            assert row["item_id"] not in [reason["item_id"] for reason in row["reasons"]]


@given(
    scores=st.lists(st.integers(-3, 3), min_size=1, max_size=30),
    allowed=st.sets(st.integers(0, 29)),
    share=st.sampled_from([0.0, 0.5, 1.0]),
    top=st.integers(1, 8),
)
@settings(deadline=None, max_examples=60, derandomize=True)
def test_diversity_chooses_among_five_for_each_place(
    scores: list[int], allowed: set[int], share: float, top: int
) -> None:
    model = scoring([float(score) for score in scores])
    model.items[:] = torch.from_numpy(np.random.default_rng(len(scores)).normal(size=model.items.shape))
    mask = np.isin(np.arange(len(scores)), list(allowed))
    nobody = Person(ids(), ids())
    ((found, _),) = recommended_to(model, [nobody], top, rules=Rules({"where": mask}, diversity=share))
    best = sorted(np.flatnonzero(mask).tolist(), key=lambda item: (-scores[item], item))[: 5 * top]
    diversity = Diversity(share, model.items.numpy()) if share else None
    expected = reranked(np.array(best, dtype=np.int32), np.array(scores)[best], top, None, diversity)
    assert found.tolist() == expected
    assert set(found.tolist()) <= set(best)
