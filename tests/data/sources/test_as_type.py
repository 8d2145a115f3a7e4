"""Values are of the other type, or nothing: never other values, and never an error."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources.as_type import as_type
from pipeline.data.sources.tidy import RawTable, tidy_added

NAMED = pl.Struct({"name": pl.String})


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["2024-05-01", "2024-13-01", "May"], pl.Date(), [date(2024, 5, 1), None, None]),
        (["2024-05-01 10:30:00", "x"], pl.Datetime("us"), [datetime(2024, 5, 1, 10, 30), None]),
        (["May", "x"], pl.Datetime("ms"), [None, None]),
        (["true", "False", "1"], pl.Boolean(), [True, False, None]),
        (["10:30"], pl.Time(), [None]),
        ([12, 13], pl.Date(), [None, None]),
        ([12.5], pl.Datetime("us"), [None]),
        ([2.0, 1.5, float("nan")], pl.Int64(), [2, None, None]),
        (["12", "1.5", "x"], pl.Int64(), [12, None, None]),
        (["12", "1.5", "x"], pl.Float32(), [12.0, 1.5, None]),
        ([1990, 7], pl.String(), ["1990", "7"]),
        (["Comedy|Crime"], pl.List(pl.String()), [None]),
        ([["a"]], pl.List(pl.Int64()), [None]),
        ([["a"], []], pl.String(), [None, None]),
        ([[1, 2], []], pl.List(pl.String()), [["1", "2"], []]),
        (["12"], NAMED, [None]),
    ],
)
def test_values_are_of_the_other_type_or_nothing(values: list[Any], kind: pl.DataType, expected: list[Any]) -> None:
    found = as_type(pl.Series("column", [*values, None]), kind)
    assert found.name == "column"
    assert found.dtype == kind
    assert found.to_list() == [*expected, None]


@pytest.mark.parametrize("kind", [pl.List(pl.String()), pl.Time(), NAMED, pl.Date(), pl.Boolean(), pl.Int8()], ids=str)
def test_an_added_value_that_is_none_of_the_data_sets_type_is_a_mistake_in_its_row(kind: pl.DataType) -> None:
    items = RawTable(pl.DataFrame({"item_id": ["a", "b"], "column": [None, "Comedy|Crime"]}), "items.csv", first_row=2)
    with pytest.raises(InputError, match=r"^items\.csv: column column, line 3: found 'Comedy\|Crime', expected "):
        tidy_added(items, None, None, {"item_id": pl.String(), "column": kind})


def test_a_list_is_shown_in_one_line() -> None:
    items = RawTable(pl.DataFrame({"item_id": ["a"], "genres": [["Comedy", "Crime"]]}), "items.jsonl", first_row=1)
    with pytest.raises(InputError, match=r"genres, line 1: found \['Comedy', 'Crime'\], expected String"):
        tidy_added(items, None, None, {"item_id": pl.String(), "genres": pl.String()})
