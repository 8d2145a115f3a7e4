"""`crmman recommend --histories`: lists for everybody in a file of ratings."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.artifacts.data import SOURCE_INTERACTIONS
from pipeline.artifacts.recommend import RECOMMENDATIONS
from tests.stages.conftest import Ask, Finished
from tests.stages.test_ask import USER, ratings
from tests.stages.workspace import KEY, VARIANTS, Result, Workspace, assert_a_mistake_in_one_line

Many = Callable[..., Result]


def table_of(root: Path) -> pl.DataFrame:
    """The source's own interactions."""
    return pl.read_csv(root / "tables" / "interactions.csv")


@pytest.fixture
def many(ask: Ask, tmp_path: Path) -> Many:
    """Call `crmman recommend --histories` with a table."""

    def call(rows: pl.DataFrame, *arguments: str, name: str = "more.csv") -> Result:
        rows.write_csv(tmp_path / name)
        return ask("recommend", "--histories", str(tmp_path / name), *arguments)

    return call


def told(result: Result) -> dict[str, Any]:
    assert result.code == 0, result.err
    return {one["user_id"]: one for one in json.loads(result.out)["people"]}


@pytest.mark.parametrize("variant", VARIANTS)
def test_somebody_new_is_told_what_one_with_the_same_ratings_is_told(
    finished: Finished,
    many: Many,
    answer: Any,
    variant: str,
) -> None:
    rows = table_of(finished.workspace.root).filter(pl.col("user_id") == USER).with_columns(user_id=pl.lit("new"))
    found = told(many(rows.select("user_id", "item_id", "rating"), "-k", "4", "--variant", variant, "--format", "json"))
    known = answer("recommend", "--user", USER, "-k", "4", "--variant", variant)
    assert found["new"]["recommendations"] == known["recommendations"]
    assert [found["new"][kind] for kind in ("likes", "dislikes")] == [
        len(one) for one in ratings(finished.workspace.root)
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_parquet_file_has_the_rows_of_the_nightly_table(
    finished: Finished, many: Many, tmp_path: Path, variant: str
) -> None:
    root = finished.workspace.root
    nightly = RECOMMENDATIONS.of(variant=variant).read(KEY, root)
    rows = table_of(root).filter(pl.col("user_id").is_in(nightly["user_id"].implode()))
    rows = (
        rows.with_columns(pl.col("user_id") + "n")
        .select("user_id", "item_id", "rating")
        .sample(fraction=1.0, shuffle=True, seed=1)
    )
    top = str(int(nightly["rank"].max()))  # type: ignore[arg-type]
    result = many(rows, "-k", top, "--output", str(tmp_path / "lists.parquet"), "--variant", variant)
    assert (result.code, result.out) == (0, "")
    found = pl.read_parquet(tmp_path / "lists.parquet")
    assert dict(found.schema) == dict(nightly.schema)
    found = found.with_columns(pl.col("user_id").str.strip_suffix("n")).sort("user_id", "rank")
    nightly = nightly.sort("user_id", "rank")
    assert found["item_id"].equals(nightly["item_id"])
    assert (found["score"] - nightly["score"]).abs().max() < 1e-4  # type: ignore[operator]
    parts, nightly_parts = (frame.select("reasons").explode("reasons").unnest("reasons") for frame in (found, nightly))
    assert parts.select("kind", "by", "relation", "entity").equals(
        nightly_parts.select("kind", "by", "relation", "entity")
    )


def test_ratings_of_a_known_user_are_added_and_the_newer_ones_count(finished: Finished, many: Many) -> None:
    likes, dislikes = ratings(finished.workspace.root)
    others = [f"i{item}" for item in range(60) if f"i{item}" not in {*likes, *dislikes}]
    # One that was liked is disliked now, and one more is liked.
    rows = pl.DataFrame({"user_id": [USER] * 2, "item_id": [likes[0], others[0]], "rating": [1, 5]})
    result = many(rows, "--format", "json", "-k", "60")
    assert (
        "0 new users (0.0%), 0 new items (0.0%), 2 new ratings (0.2%) since the models were trained; no rerun is due"
        in result.err
    )
    found = told(result)[USER]
    assert (found["likes"], found["dislikes"]) == (len(likes), len(dislikes) + 1)
    assert others[0] not in {row["item_id"] for row in found["recommendations"]}
    assert len(found["recommendations"]) == 60 - len(likes) - len(dislikes) - 1


def test_a_column_like_does_where_the_data_set_has_ratings(finished: Finished, many: Many) -> None:
    rows = pl.DataFrame({"user_id": ["a", "a", "b"], "item_id": ["i3", "i4", "i5"], "like": [1, 0, 0]})
    rated = rows.select("user_id", "item_id", rating=pl.col("like") * 3 + 1)
    assert told(many(rows, "--format", "json")) == told(many(rated, "--format", "json"))


def test_rows_about_unknown_items_are_left_out_and_counted(many: Many) -> None:
    rows = pl.DataFrame({"user_id": ["a", "a", "b", "c"], "item_id": ["i3", "i4", "x", "i9"], "rating": [5, 1, 5, 4]})
    result = many(rows, "--format", "csv", "-k", "2")
    assert result.code == 0
    assert "found 1 of 4 rows about one item that the model does not know: 'x'; left out" in result.err
    assert "1 of them has no item that the model knows: recommendations are those for anybody" in result.err
    found = pl.read_csv(io.StringIO(result.out))
    assert found["user_id"].to_list() == ["a", "a", "b", "b", "c", "c"]
    of_nobody = found.filter(pl.col("user_id") == "b")
    assert of_nobody["from_likes"].sum() == of_nobody["from_dislikes"].sum() == 0
    without = many(rows, "--format", "csv", "-k", "2", "--variant", "crmman")
    assert pl.read_csv(io.StringIO(without.out))["user_id"].to_list() == ["a", "a", "c", "c"]
    assert "nothing to go by: no list" in without.err


@pytest.mark.parametrize(
    ("items", "arguments", "words"),
    [
        (
            ["i1", "i2", "x"],
            ["--unknown-items", "refuse"],
            "1 of 3 rows about one item that the model does not know: 'x'; expected none",
        ),
        (
            ["i1", "x", "y"],
            [],
            "2 of 3 rows about 2 items that the model does not know: 'x', 'y'; expected most of them",
        ),
        (["i1", "i1"], [], "a second time"),
        (["i1", None], [], "column item_id, line 3: found no value, expected an id"),
    ],
)
def test_mistakes_are_one_line(many: Many, items: list[str | None], arguments: list[str], words: str) -> None:
    rows = pl.DataFrame({"user_id": ["a"] * len(items), "item_id": items, "rating": [5] * len(items)})
    result = many(rows, *arguments)
    assert_a_mistake_in_one_line(result, words)


def test_of_repeated_ratings_the_latest_counts_where_they_have_times(many: Many) -> None:
    rows = pl.DataFrame(
        {"user_id": ["a"] * 3, "item_id": ["i1", "i2", "i1"], "rating": [1, 1, 5], "timestamp": [3, 2, 4]}
    )
    result = many(rows, "--format", "json")
    assert (told(result)["a"]["likes"], told(result)["a"]["dislikes"]) == (1, 1)
    assert "1 repeated interactions: the latest of each counts" in result.err


def test_one_way_to_say_who(ask: Ask) -> None:
    result = ask("recommend", "--histories", "more.csv", "--user", USER)
    assert_a_mistake_in_one_line(result, "--histories: found --user, --like or --dislike as well")


def test_the_lists_are_not_written_over_what_they_are_made_of(many: Many, tmp_path: Path) -> None:
    rows = pl.DataFrame({"user_id": ["a"], "item_id": ["i1"], "rating": [5]})
    ids, linked = tmp_path / "ids.csv", tmp_path / "linked.csv"
    ids.write_text("i2\n")
    linked.symlink_to(tmp_path / "more.csv")
    for output in (tmp_path / "more.csv", tmp_path / "sub" / ".." / "more.csv", linked, ids):
        (tmp_path / "sub").mkdir(exist_ok=True)
        result = many(rows, "--without", str(ids), "--output", str(output))
        assert_a_mistake_in_one_line(result, f"--output {output}: found a file that the answer is made of")
        assert (tmp_path / "more.csv").read_text() == rows.write_csv()
        assert ids.read_text() == "i2\n"


def test_what_has_come_since_training_is_said_and_when_a_rerun_is_due(finished: Finished, many: Many) -> None:
    ratings_of_a_new_one = pl.DataFrame(
        {"user_id": ["new"] * 30, "item_id": [f"i{item}" for item in range(30)], "rating": [5] * 30}
    )
    count = len(table_of(finished.workspace.root))
    due = f"1 new users (2.5%), 0 new items (0.0%), 30 new ratings ({30 / count:.1%}) since the models were trained; no rerun is due"
    err = many(ratings_of_a_new_one).err
    assert f"{KEY}: {due}" in err
    assert "30 ratings of 1 people, 1 of whom the models were not trained on\n" in err
    several = pl.concat([ratings_of_a_new_one.with_columns(user_id=pl.lit(f"new{one}")) for one in range(4)])
    assert f"a rerun is due (10% more users, {120 / count:.0%} more ratings): `dvc repro`" in many(several).err


def test_whom_the_settings_leave_out_of_training_is_not_new(finished: Finished, ask: Ask, tmp_path: Path) -> None:
    """Else a rerun would be due for ever."""
    copy = finished.workspace.copy(tmp_path / "copy")
    table = SOURCE_INTERACTIONS.read(KEY, copy.root)
    rows = pl.DataFrame(
        {"user_id": ["left out"] * 30, "item_id": [f"i{item}" for item in range(30)], "rating": [1] * 30}
    )
    rows.write_csv(copy.root / "more.csv")
    SOURCE_INTERACTIONS.write(pl.concat([table, rows.cast({"rating": pl.Float32})], how="diagonal"), KEY, copy.root)
    result = ask("recommend", "--histories", "more.csv", workspace=copy)
    assert (
        "30 ratings of 1 people, 1 of whom the models were not trained on, 1 of them left out by settings of the data set\n"
        in result.err
    )
    assert "0 new users (0.0%), 0 new items (0.0%), 0 new ratings (0.0%) since the models were trained" in result.err


def test_data_check_says_what_has_come_to_the_folder_that_a_data_set_was_made_of(
    finished: Finished, ask: Ask, tmp_path: Path
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    check = ("data", "check", "tables", "--text-template", "{title}")
    unchanged = ask(*check, workspace=copy)
    assert (
        f"{KEY}: 0 new users (0.0%), 0 new items (0.0%), 0 new ratings (0.0%) since the models were trained; no rerun is due"
        in unchanged.out
    )
    copy.change_table(
        "interactions", lambda frame: pl.concat([frame, frame.head(3).with_columns(user_id=pl.lit("new"))])
    )
    copy.change_table(
        "items", lambda frame: pl.concat([frame, frame.head(3).with_columns(item_id="j" + pl.col("item_id"))])
    )
    found = json.loads(ask(*check, "--format", "json", workspace=copy).out)["changes"]
    assert found[KEY] | {"ratings": 0} == {
        "users": 40, "items": 60, "ratings": 0, "new_users": 1, "new_items": 3, "new_ratings": 3, "gone": 0, "rerun_due": ["5% more items"],
    }  # fmt: skip
    assert "changes" in json.loads(ask("data", "check", "tables", "--format", "json", workspace=copy).out)


def touched(workspace: Workspace, seconds: float) -> None:
    """As if the tables had been written so long after they were read."""
    read = SOURCE_INTERACTIONS.at(KEY, workspace.root).stat().st_mtime
    for path in (workspace.root / "tables", *(workspace.root / "tables").iterdir()):
        os.utime(path, (read + seconds, read + seconds))


def test_for_one_person_too_what_has_come_is_said(
    finished: Finished, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    asked = ("recommend", "--user", USER, "-k", "3")

    def said() -> str:
        result = ask(*asked, workspace=copy)
        assert (result.code, result.out) == (0, ask(*asked).out)
        return result.err

    touched(copy, 1)
    assert said() == ""
    copy.change_table(
        "interactions", lambda frame: pl.concat([frame, frame.head(3).with_columns(user_id=pl.lit("new"))])
    )
    touched(copy, -1)
    assert said() == ""
    touched(copy, 1)
    ratings = len(table_of(copy.root)) - 3
    line = f"note: {KEY}: 1 new users (2.5%), 0 new items (0.0%), 3 new ratings ({3 / ratings:.1%}) since the models were trained; "
    assert said() == f"{line}no rerun is due\n"
    monkeypatch.setattr("stages.cli.changes.QUICKLY_READ", 10)
    assert said() == f"note: {KEY}: tables is newer than the models; `crmman data check tables` says how much is new\n"
    monkeypatch.undo()
    # What cannot be read is for `data check` and for the next run.
    copy.change_table("interactions", lambda frame: frame.drop("rating"))
    touched(copy, 1)
    assert said() == ""
