"""Markdown tables: every figure in its place, the best bold, marks and intervals as they are."""

from __future__ import annotations

import polars as pl
import pytest

from pipeline.evaluation.comparison.markdown import (
    cold_table,
    differences_table,
    markdown,
    number,
    seeds_table,
    signed,
    slices_table,
    systems_table,
)
from pipeline.evaluation.comparison.paired import SCHEMA

METRICS = {
    "model": {"ctr": {"auc": 0.91, "user_auc": 0.9}, "ranking": {"ndcg@10": 0.25}},
    "simple": {"ctr": {"auc": 0.95, "user_auc": 0.8}, "ranking": {"ndcg@10": 0.3}},
    "other": {"ranking": {"ndcg@10": 0.1}},
}
SLICES = pl.DataFrame(
    [
        ("item popularity", "cold", "model", "ranking-within", "ndcg@10", 0.2, 0.1, 0.3, 12),
        ("item popularity", "cold", "simple", "ranking-within", "ndcg@10", 0.15, 0.1, 0.2, 12),
        ("history length", "short", "model", "ctr", "user_auc", 0.8, 0.7, 0.9, 30),
    ],
    schema=["slice_by", "slice", "system", "protocol", "metric", "value", "low", "high", "users"],
    orient="row",
)


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_a_table_has_a_head_a_rule_and_a_line_for_each_row() -> None:
    assert markdown(["a", "b"], [["1", "2"], ["3", "4"]]) == "| a | b |\n| --- | --: |\n| 1 | 2 |\n| 3 | 4 |"
    assert markdown(["mean of |x|"], [["|"]]) == "| mean of \\|x\\| |\n| --- |\n| \\| |"


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, ".5000"), (-0.25, "-.2500"), (1.0, "1.0000"), (0.00004, ".0000"), (12.5, "12.5000")]
)
def test_numbers_have_no_zero_before_the_point(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0123, "+.0123"), (-0.5, "-.5000"), (0.0, "+.0000")])
def test_differences_have_a_sign(value: float, text: str) -> None:
    assert signed(value) == text


def test_systems_have_a_row_each_with_the_best_of_a_column_bold_and_its_mark() -> None:
    table = cells(systems_table(METRICS, {("model", "ctr", "user_auc"): "+", ("model", "ranking", "ndcg@10"): "-"}))
    assert table[0] == ["system", "ctr auc", "ctr user_auc", "ranking ndcg@10"]
    assert table[2:] == [
        ["model", ".9100", "**.9000** +", ".2500 -"],
        ["simple", "**.9500**", ".8000", "**.3000**"],
        ["other", "–", "–", ".1000"],
    ]


def test_differences_are_bold_where_the_interval_excludes_zero_and_name_what_they_are_against() -> None:
    rows = [
        ("model", "ctr", "user_auc", "als", 0.02, 0.01, 0.03, 9, 1),
        ("model", "ranking", "ndcg@10", "ease", -0.01, -0.03, 0.01, 9, 1),
        ("second", "ctr", "user_auc", "als", -0.02, -0.03, -0.01, 9, 1),
    ]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    table = cells(differences_table(frame))
    assert table[0] == ["system", "ctr user_auc", "ranking ndcg@10"]
    assert table[2] == ["model", "**+.0200 (+.0100 to +.0300)** als", "-.0100 (-.0300 to +.0100) ease"]
    assert table[3] == ["second", "**-.0200 (-.0300 to -.0100)** als", "–"]
    assert "als" not in differences_table(frame, "als")


def test_slices_have_a_row_each_and_a_column_for_each_system() -> None:
    table = cells(slices_table(SLICES, ["model", "simple"]))
    assert table[0] == ["slice", "figure", "users", "model", "simple"]
    assert table[2] == ["item popularity: cold", "ranking-within ndcg@10", "12", "**.2000** ±.100", ".1500 ±.050"]
    assert table[3] == ["history length: short", "ctr user_auc", "30", "**.8000** ±.100", "–"]


def test_cold_items_are_shown_by_the_difference_of_the_means_over_runs() -> None:
    again = SLICES.filter(system="model").with_columns(system=pl.lit("model-2"), value=pl.col("value") + 0.02)
    runs = {"model": ["model", "model-2"], "simple": ["simple"], "absent": ["absent"]}
    table = cells(cold_table(pl.concat([SLICES, again]).filter(pl.col("slice") == "cold"), runs, "model"))
    assert table[0] == ["system", "ranking-within ndcg@10"]
    assert table[2:] == [["simple", "-.0600"], ["absent", "–"]]


def test_a_difference_over_too_few_runs_is_not_bold() -> None:
    rows = [(name, "ctr", "user_auc", "als", 0.02, 0.01, 0.03, 9, runs) for name, runs in (("few", 2), ("many", 3))]
    table = cells(differences_table(pl.DataFrame(rows, schema=SCHEMA, orient="row"), "als", 3))
    assert table[2:] == [["few", "+.0200 (+.0100 to +.0300)"], ["many", "**+.0200 (+.0100 to +.0300)**"]]


def test_runs_are_shown_by_mean_and_standard_deviation() -> None:
    runs = [{"ctr": {"user_auc": value}} for value in (0.8, 0.9, 1.0)]
    table = cells(seeds_table({"model": runs}))
    column = table[0].index("ctr user_auc")
    assert table[2][0] == "model (3 runs)"
    assert table[2][column] == ".9000 ±.1000"
    assert set(table[2][1:]) == {".9000 ±.1000", "–"}
