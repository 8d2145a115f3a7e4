"""Numbers of the page: key numbers, tables of figures, and what is said of slices."""

from __future__ import annotations

import polars as pl
import pytest

from pipeline.report.figures import Cell, best_baseline, metrics_of, protocol_tables, short
from pipeline.report.key_numbers import KeyNumber, key_numbers, split_sentence
from pipeline.report.strengths import PANELS, findings

INTERVALS = pl.DataFrame(
    [
        ("plus", "ranking", "ndcg@10", 0.35, 0.33, 0.375),
        ("base", "ranking", "ndcg@10", 0.3, 0.28, 0.32),
        ("als", "ranking", "ndcg@10", 0.34, 0.32, 0.36),
        ("ease", "ranking", "ndcg@10", 0.2, 0.1, 0.3),
        ("plus", "ranking", "coverage@10", 0.5, None, None),
        ("als", "ranking", "coverage@10", 1.0, None, None),
        ("plus", "ctr", "auc", 0.8, 0.79, 0.81),
        ("als", "ctr", "auc", 0.8, 0.79, 0.81),
    ],
    schema=["system", "protocol", "metric", "value", "low", "high"],
    orient="row",
)
METRICS = metrics_of(INTERVALS)
DIFFERENCES = pl.DataFrame(
    [
        ("plus", "ranking", "ndcg@10", "als", 0.01, 0.005, 0.015, 9),
        ("plus", "ranking", "ndcg@10", "ease", 0.15, 0.1, 0.2, 9),
        ("base", "ranking", "ndcg@10", "als", -0.04, -0.05, -0.03, 9),
        ("plus", "ctr", "auc", "als", 0.0, -0.01, 0.01, 9),
    ],
    schema=["system", "protocol", "metric", "against", "difference", "low", "high", "users"],
    orient="row",
)


def test_a_table_has_variants_first_the_best_of_each_column_and_marks_beyond_chance() -> None:
    ctr, ranking = protocol_tables(METRICS, INTERVALS, DIFFERENCES, ["base", "plus"])
    assert (ctr.protocol, ctr.metrics) == ("ctr", ["auc"])
    assert (ranking.protocol, ranking.metrics) == ("ranking", ["ndcg@10", "coverage@10"])
    cells = {row.system: row.cells for row in ranking.rows}
    assert list(cells) == ["base", "plus", "als", "ease"]
    assert [row.variant for row in ranking.rows] == [True, True, False, False]
    assert cells["plus"] == [Cell(".3500", ".022", True, "+"), Cell(".5000", "", False, "")]
    # Coverage has no test, and so no mark, not even that of the best.
    assert cells["als"] == [Cell(".3400", ".020", False, ""), Cell("1.0000", "", False, "")]
    assert cells["base"] == [Cell(".3000", ".020", False, "-"), Cell("", "", False, "")]
    # Equals are both the best.
    assert [row.cells[0].best for row in ctr.rows] == [False, True, True, False]
    assert "never rated" in ctr.explained


def test_figures_are_nested_and_have_the_digits_of_the_committed_ones() -> None:
    rows = [("a", "ctr", "auc", 0.12345678), ("a", "ctr", "f1", -1e-9), ("b", "ranking", "ndcg@10", 1.0)]
    intervals = pl.DataFrame(rows, schema=["system", "protocol", "metric", "value"], orient="row")
    assert metrics_of(intervals) == {"a": {"ctr": {"auc": 0.123457, "f1": 0.0}}, "b": {"ranking": {"ndcg@10": 1.0}}}


def test_the_best_baseline_is_that_of_the_ranking() -> None:
    assert best_baseline(METRICS, ["base", "plus"]) == "als"
    assert best_baseline(METRICS, ["base", "plus", "als", "ease"]) is None


@pytest.mark.parametrize(
    ("number", "shown"), [("0.5000", ".5000"), ("1.0000", "1.0000"), ("10.5", "10.5"), ("-0.5", "-.5")]
)
def test_numbers_below_one_lose_their_zero(number: str, shown: str) -> None:
    assert short(number) == shown


def test_facts_count_what_is_there() -> None:
    interactions = pl.DataFrame(
        {"user": [0, 0, 1], "item": [0, 1, 1], "like": [True, False, True], "split": ["train", "train", "test"]}
    )
    items = pl.DataFrame({"item": range(4), "item_id": list("abcd")})
    links = pl.DataFrame({"item_id": ["a", "a", "x"], "entity_id": ["1", "2", "3"]})
    kg = pl.DataFrame({"head": ["1"] * 3, "relation": ["r", "r", "s"], "tail": list("pqr")})
    assert key_numbers(interactions, 2, items, ["text", "", "", ""], kg, links) == [
        KeyNumber("2", "users"),
        KeyNumber("4", "items"),
        KeyNumber("3", "ratings"),
        KeyNumber("67%", "of them likes"),
        KeyNumber("37.50%", "of all pairs are rated"),
        KeyNumber("25%", "of the items have text"),
        KeyNumber("25%", "of the items have an entity"),
        KeyNumber("3", "triples, 2 relations"),
    ]
    users = pl.DataFrame({"user": [0, 1]})
    assert split_sentence(interactions, users).startswith(
        "2 ratings train the models, 0 choose their settings, and 1 are"
    )
    drawn = users.with_columns(evaluated=pl.Series([True, False]))
    assert split_sentence(interactions, drawn) == (
        f"{split_sentence(interactions, users)} Settings and figures are based on 1 users drawn at random."
    )


def slice_rows(values: dict[str, tuple[float, float]]) -> pl.DataFrame:
    """History length by ranking NDCG@10: slice to the values of a variant and of als, intervals of 0.05 to each side."""
    rows = [
        ("history length", name, system, "ranking", "ndcg@10", value, value - 0.05, value + 0.05)
        for name, both in values.items()
        for system, value in zip(("plus", "als"), both, strict=True)
    ]
    columns = ["slice_by", "slice", "system", "protocol", "metric", "value", "low", "high"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def test_findings_name_the_best_and_the_worst_slice_and_where_a_baseline_is_ahead() -> None:
    slices = slice_rows({"short": (0.2, 0.25), "middle": (0.3, 0.29), "long": (0.5, 0.65)})
    assert findings(slices, "plus", "als") == [
        "Users by length of history: NDCG@10 is highest for users with a long history (.500) and lowest for users with a "
        "short history (.200). als is ahead for: short (.250, within the intervals), long (.650)."
    ]
    assert findings(slices, "plus", None)[0].endswith("(.200).")


def test_slices_that_are_equal_or_alone_have_no_best() -> None:
    assert findings(slice_rows({"short": (0.2, 0.1), "long": (0.2, 0.1)}), "plus", "als") == [
        "Users by length of history: NDCG@10 is .200 everywhere."
    ]
    assert findings(slice_rows({"short": (0.2, 0.1)}), "plus", "als") == []
    assert set(PANELS) == {"found", "within", "history", "dislikes"}
