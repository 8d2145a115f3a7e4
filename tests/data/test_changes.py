"""What has come since a model was trained, counted by hand, and when it is so much that a rerun is due."""

from __future__ import annotations

import polars as pl
import pytest

from pipeline.data.changes import Changes, changes_between, changes_by


def table(rows: list[tuple[str, str, float]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema={"user_id": pl.String, "item_id": pl.String, "rating": pl.Float32}, orient="row")
    return frame.with_columns(like=pl.lit(None, dtype=pl.Boolean))


def test_what_came_what_is_another_and_what_is_gone_is_counted() -> None:
    then = table([("a", "1", 5), ("a", "2", 1), ("b", "1", 3)])
    # One stays, one is another, one is gone, and three are new.
    now = table([("a", "1", 5), ("a", "2", 4), ("c", "1", 3), ("c", "3", 3), ("a", "3", 2)])
    items_then, items = (pl.DataFrame({"item_id": ids}) for ids in (["1", "2"], ["1", "2", "3", "4"]))
    found = changes_between(now, items, then, items_then)
    assert found == Changes(2, 2, 3, 1, 2, 4, 1)
    assert changes_between(then, items_then, then, items_then) == Changes(2, 2, 3, 0, 0, 0, 0)


def test_of_a_file_what_the_data_set_has_already_is_nothing_new() -> None:
    schema = {"user_id": pl.String, "item_id": pl.String, "like": pl.Boolean}
    known = pl.DataFrame([("a", "0", True), ("a", "1", False), ("b", "0", True)], schema=schema, orient="row")
    rows = [("a", "0", True), ("a", "1", True), ("c", "1", True), ("c", "8", True), ("c", "9", True), ("b", "9", True)]
    items = pl.DataFrame({"item_id": ["0", "1", "2"]})
    found = changes_by(pl.DataFrame(rows, schema=schema, orient="row"), known, items)
    assert found == Changes(2, 3, 3, 1, 2, 5)


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        (Changes(100, 100, 1000, 0, 0, 0), []),
        (Changes(100, 100, 1000, 9, 4, 99, 99), []),
        (Changes(100, 100, 1000, 10, 0, 0), ["10% more users"]),
        (Changes(100, 100, 1000, 0, 5, 0), ["5% more items"]),
        (Changes(100, 100, 1000, 0, 0, 100), ["10% more ratings"]),
        (Changes(100, 100, 1000, 0, 0, 0, 100), ["10% of the ratings gone"]),
    ],
)
def test_a_rerun_is_due_from_a_share_on(changes: Changes, due: list[str]) -> None:
    assert changes.due == due
    assert ("a rerun is due" in changes.in_words()) == bool(due)
    assert changes.as_json()["rerun_due"] == due


def test_the_words_are_one_line() -> None:
    assert Changes(943, 1682, 100_000, 12, 3, 510, 7).in_words() == (
        "12 new users (1.3%), 3 new items (0.2%), 510 new ratings (0.5%), 7 ratings gone since the models were trained; no rerun is due"
    )
    assert Changes(10, 10, 10, 2, 0, 0).in_words().endswith("a rerun is due (20% more users): `dvc repro`")
