"""Rules of a shop, in params.yaml for the stage `recommend` and as options of `crmman recommend`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.artifacts.recommend import RECOMMENDATIONS
from pipeline.recommend.settings import RulesConfig
from tests.stages.conftest import Ask, Finished
from tests.stages.workspace import GENRES, ITEMS, KEY, USERS, Workspace, assert_a_mistake_in_one_line, planted_tables

USER, STAGE = "u7", "recommend.recommended"
GENRE = {f"i{item}": GENRES[item % len(GENRES)] for item in range(ITEMS)}


@pytest.fixture
def shop(finished: Finished, tmp_path: Path) -> Workspace:
    """A copy of the finished workspace, with a file of what is sold out."""
    copy = finished.workspace.copy(tmp_path / "shop")
    (copy.root / "rules").mkdir()
    (copy.root / "rules" / "sold-out.txt").write_text("i0\ni1\ni2\n")
    return copy


def by_rules(workspace: Workspace, **rules: Any) -> None:
    workspace.change_params(lambda values: values["recommend"].update(rules))


def lists(workspace: Workspace) -> pl.DataFrame:
    return RECOMMENDATIONS.of(variant="recommended").read(KEY, workspace.root)


def rated(user: str = USER) -> set[str]:
    return set(planted_tables()["interactions"].filter(user_id=user)["item_id"])


def test_the_stage_recommends_by_the_rules_of_params_and_of_the_data_set(finished: Finished, shop: Workspace) -> None:
    by_rules(shop, top=6, where="genre IN ('horror', 'western')", at_most=3, per="genre")
    shop.change_params(lambda values: values["datasets"][KEY].update(recommend={"without": ["rules/sold-out.txt"]}))
    result = shop.run(STAGE)
    assert result.code == 0, result.err
    assert (
        "recommended, by rules: 38 of 60 items (without 3, where genre IN ('horror', 'western')); at most 3 per genre"
        in result.out
    )
    assert result.err == ""
    found, whole = lists(shop), lists(finished.workspace)
    assert set(found["item_id"]) <= {item for item, genre in GENRE.items() if genre != "comedy"} - {"i0", "i1", "i2"}
    for (user,), mine in found.partition_by("user_id", as_dict=True).items():
        genres = [GENRE[item] for item in mine["item_id"]]
        assert (genres.count("horror"), genres.count("western")) == (3, 3)
        # In the order that they have without rules.
        others = whole.filter(user_id=user)["item_id"].to_list()
        assert [item for item in others if item in set(mine["item_id"])] == [
            item for item in mine["item_id"] if item in others
        ]
    # And back again, byte for byte.
    by_rules(shop, top=20, where="", at_most=0, per="")
    shop.change_params(lambda values: values["datasets"][KEY].update(recommend=None))
    assert shop.run(STAGE).code == 0
    assert shop.files() == finished.files


def test_rated_items_are_recommended_where_they_are_to_be(shop: Workspace) -> None:
    by_rules(shop, seen=True, top=ITEMS)
    result = shop.run(STAGE)
    assert result.code == 0, result.err
    assert set(lists(shop).group_by("user_id").len()["len"]) == {ITEMS}


def test_where_rules_leave_too_little_it_is_said(shop: Workspace) -> None:
    few = sorted(rated())[:2]
    by_rules(shop, only=few)
    result = shop.run(STAGE)
    assert result.code == 0, result.err
    found = lists(shop)
    none = USERS - found["user_id"].n_unique()
    assert USER not in set(found["user_id"])
    assert result.err == (
        f"[{KEY}] recommend: warning: recommended: {USERS} of {USERS} people get fewer than 20 items, and {none} none: the rules and their "
        "own ratings leave no more\n"
    )


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"where": "gerne = 'horror'"}, "recommend.where, data set small: found 'gerne'"),
        (
            {"where": "genre = 'musical'"},
            "found no item that the rules allow, expected some of 60: params.yaml: recommend.where",
        ),
        (
            {"without": ["/etc/passwd"]},
            "recommend.without, data set small: found '/etc/passwd', expected the id of an item, or a file in",
        ),
        ({"at_most": 2, "per": "author"}, "recommend.per, data set small: found 'author', expected a column"),
        ({"at_most": 2}, "params.yaml: recommend.per: found nothing beside at_most, expected a column of the items"),
        ({"diversity": 1.5}, "params.yaml: recommend.diversity: found 1.5, expected"),
        ({"only": "i1"}, "params.yaml: recommend.only: found 'i1', expected a valid list"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_before_anything_runs_and_leaves_the_lists_as_they_were(
    finished: Finished, shop: Workspace, rules: dict[str, Any], said: str
) -> None:
    by_rules(shop, **rules)
    for stage in ("check_tables", STAGE):
        assert_a_mistake_in_one_line(shop.run(stage), said)
    assert shop.files() == finished.files


def test_rules_may_name_items_that_were_added_and_not_those_that_settings_leave_out(
    shop: Workspace, ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "items.csv").write_text("item_id,title,genre\nn1,New,comedy\n")
    by_rules(shop, without=["n1"], where="title <> 'New'")
    assert_a_mistake_in_one_line(shop.run("check_tables"), "recommend.without, data set small: found 'n1'")
    by_rules(shop, without=[])
    assert ask("items", "add", str(tmp_path / "new"), workspace=shop).code == 0
    by_rules(shop, without=["n1"])
    assert shop.run("check_tables").code == 0
    by_rules(shop, without=[f"i{ITEMS - 1}"])
    shop.change_params(lambda values: values["datasets"][KEY].update(linked_items_only=True))
    assert_a_mistake_in_one_line(shop.run("check_tables"), f"recommend.without, data set small: found 'i{ITEMS - 1}'")


def test_what_was_added_before_the_items_had_another_column_is_one_line_before_anything_runs(
    shop: Workspace, ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "items.csv").write_text("item_id,title,genre\nn1,New,comedy\n")
    assert ask("items", "add", str(tmp_path / "new"), workspace=shop).code == 0
    shop.change_table("items", lambda frame: frame.with_columns(year=pl.lit("1990")))
    assert_a_mistake_in_one_line(
        shop.run("check_tables"), "added/small/items.parquet: found other columns than the items of small now have"
    )


def test_a_params_file_that_is_older_than_rules_goes_by_none(finished: Finished, shop: Workspace, ask: Ask) -> None:
    def older(values: dict[str, Any]) -> None:
        for key in RulesConfig.model_fields:
            del values["recommend"][key]

    shop.change_params(older)
    for stage in ("validate", "check_tables", STAGE):
        result = shop.run(stage)
        assert (result.code, result.err) == (0, "")
    assert shop.files() == finished.files
    result = ask("recommend", "--user", USER, "--at-most", "1", "--per", "genre", workspace=shop)
    assert (result.code, result.err) == (
        0,
        "note: found 3 of 10 items: the rules and their own ratings leave no more\n",
    )


def test_a_verb_goes_by_the_rules_of_params_and_by_what_is_asked_in_place_of_some(shop: Workspace, ask: Ask) -> None:
    by_rules(shop, top=5, where="genre <> 'comedy'", without=["rules/sold-out.txt"])
    assert shop.run(STAGE).code == 0
    nightly = lists(shop).filter(user_id=USER)["item_id"].to_list()

    def answer(*arguments: str) -> dict[str, Any]:
        result = ask("recommend", "--user", USER, "-k", "5", "--format", "json", *arguments, workspace=shop)
        assert (result.code, result.err) == (0, "")
        found: dict[str, Any] = json.loads(result.out)
        found["ids"] = [row["item_id"] for row in found["recommendations"]]
        return found

    found = answer()
    assert found["ids"] == nightly
    assert found["rules"] == {"where": "genre <> 'comedy'", "without": ["rules/sold-out.txt"]}
    comedies = answer("--where", "genre = 'comedy'")
    assert {GENRE[item] for item in comedies["ids"]} == {"comedy"}
    assert comedies["rules"] == {"where": "genre = 'comedy'", "without": ["rules/sold-out.txt"]}
    plain = answer("--no-rules")
    assert "rules" not in plain
    assert {GENRE[item] for item in plain["ids"]} == {GENRES[int(USER[1:]) % len(GENRES)]}
    some = answer("--no-rules", *(text for item in plain["ids"][:2] for text in ("--without", item)))
    assert some["ids"][:3] == plain["ids"][2:]
    only = answer("--no-rules", *(text for item in reversed(plain["ids"]) for text in ("--only", item)))
    assert only["ids"] == plain["ids"]
    mixed = [GENRE[item] for item in answer("--no-rules", "--at-most", "2", "--per", "genre")["ids"]]
    assert len(mixed) == 5
    assert all(mixed.count(genre) <= 2 for genre in GENRES)
    seen = answer("--no-rules", "--seen", "-k", str(ITEMS))
    assert rated() < set(seen["ids"])
    assert not rated() & set(answer("--no-rules", "--unseen", "-k", "5")["ids"])


def test_at_most_0_lifts_the_rule_of_params(shop: Workspace, ask: Ask) -> None:
    by_rules(shop, at_most=1, per="genre")
    asked = ("recommend", "--user", USER, "-k", "5", "--format", "json")
    plain, lifted, limited = (
        ask(*asked, *more, workspace=shop) for more in (["--no-rules"], ["--at-most", "0"], ["--at-most", "1"])
    )
    assert lifted.code == 0, lifted.err
    assert json.loads(lifted.out)["recommendations"] == json.loads(plain.out)["recommendations"]
    assert json.loads(limited.out)["recommendations"] != json.loads(plain.out)["recommendations"]


def test_the_table_says_by_which_rules_and_a_note_where_they_leave_little(ask: Ask) -> None:
    unrated = [item for item in GENRE if item not in rated()][:2]
    result = ask("recommend", "--user", USER, "-k", "4", *(text for item in unrated for text in ("--only", item)))
    assert result.code == 0
    assert result.out.splitlines()[1] == "by rules: 2 of 60 items (only 2)"
    assert result.err == "note: found 2 of 4 items: the rules and their own ratings leave no more\n"


def test_everybody_in_a_file_gets_lists_by_the_same_rules(shop: Workspace, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("user_id,item_id,rating\nn1,i3,5\nn1,i4,1\nn2,i5,5\n")
    arguments = ["recommend", "--histories", str(tmp_path / "new.csv"), "-k", "4", "--where", "genre = 'horror'"]
    form: Callable[[str], list[str]] = lambda name: ["--output", str(tmp_path / f"lists.{name}")]  # noqa: E731
    for name in ("csv", "parquet"):
        result = ask(*arguments, *form(name), "--without", "rules/sold-out.txt", workspace=shop)
        assert result.code == 0, result.err
    as_verb, as_stage = pl.read_csv(tmp_path / "lists.csv"), pl.read_parquet(tmp_path / "lists.parquet")
    assert as_verb["item_id"].to_list() == as_stage["item_id"].to_list()
    assert {GENRE[item] for item in as_stage["item_id"]} == {"horror"}
    assert len(as_stage) == 8
    assert not {"i1"} & set(as_stage["item_id"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--where", "SELECT 1"], "--where: found 'SELECT'"),
        (["--where", " "], "--where: found nothing, expected a condition such as"),
        (["--only", "i99"], "--only: found 'i99', expected the id of an item, or a file with an id on each line"),
        (["--at-most", "2"], "--per: found nothing beside --at-most, expected both, such as --at-most 2 --per author"),
        (["--per", "genre"], "--at-most: found nothing beside --per, expected both"),
        (
            ["--at-most", "2", "--per", "author"],
            "--per: found 'author', expected a column of the items: item_id, title, genre",
        ),
        (["--diversity", "1.5"], "'--diversity'"),
        (["--where", "genre = 'musical'"], "found no item that the rules allow, expected some of 60: --where leaves 0"),
    ],
)
def test_an_option_that_cannot_be_followed_is_one_line(ask: Ask, options: list[str], said: str) -> None:
    result = ask("recommend", "--user", USER, *options)
    assert_a_mistake_in_one_line(result, said)
    assert result.out == ""
