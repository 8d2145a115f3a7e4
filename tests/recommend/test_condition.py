"""Conditions on items' columns, against the same said in Python; and what must not be let through."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.recommend.condition import FUNCTIONS, LONGEST, WORDS, holds_of

ITEMS = pl.DataFrame(
    {
        "item_id": ["1", "2", "3", "4"],
        # As CSV gives them: all texts.
        "Year": ["1990", "1995", None, "2001"],
        "first": ["1989", "V", "1999", ""],
        "class": ["Comedy War", "Drama", None, "it's 50% off"],
        "release year": [1990, 1995, None, 2001],
        "genres": [["Comedy", "War"], ["Romantic Comedy"], None, []],
        "sizes": [[1, 2], [3], [], None],
        "day": [date(2020, 1, 1), date(2021, 1, 1), None, date(2022, 1, 1)],
        "in_stock": [True, False, None, True],
        'odd "name"': ["a", "b", "c", "d"],
        "blob": [b"1", b"2", b"3", b"4"],
    }
)
QUICK = settings(deadline=None, max_examples=300, derandomize=True)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("year >= 1990 and genres contains Comedy", ["1"]),
        ("Year > 1.99e3", ["2", "4"]),
        ("1995 = YEAR", ["2"]),
        ('"release year" IN (1990, 2001)', ["1", "4"]),
        ("year NOT BETWEEN 1991 AND 2000", ["1", "4"]),
        ("year + 5 = 1995 OR year % 2 = 1 AND year <> 1995", ["1", "4"]),
        ("year LIKE '199%' AND year = '1990'", ["1"]),
        # Text that is no number is none beside a number, and what it is beside a text.
        ("first > 1900", ["1", "3"]),
        ("first IN (1989, 1999.0) OR first = 'V'", ["1", "2", "3"]),
        ("NOT -1 < first", []),
        ('first < "release year"', ["1"]),
        ('year > "release year" - 1 AND year * 10 > 19900', ["2", "4"]),
        ("class LIKE '%Comedy%'", ["1"]),
        ("class ILIKE '%DRAMA'", ["2"]),
        ("class CONTAINS 's 50%'", ["4"]),
        ("class CONTAINS 'it''s'", ["4"]),
        ("class CONTAINS 'c.medy'", []),
        ("class = 'it''s 50% off'", ["4"]),
        # Of a list an element, and not a part of one.
        ("genres CONTAINS 'Comedy'", ["1"]),
        ("genres CONTAINS 'Romantic Comedy'", ["2"]),
        # What has nothing there does not contain it.
        ("genres NOT CONTAINS Comedy", ["2", "3", "4"]),
        ("NOT genres CONTAINS Comedy AND year > 0", ["2", "4"]),
        ("sizes CONTAINS 3 OR sizes CONTAINS 2.0", ["1", "2"]),
        ("ARRAY_LENGTH(genres) = 1", ["2"]),
        ("LENGTH(class) = 5 OR LOWER(class) = 'comedy war' OR UPPER(class) = 'X'", ["1", "2"]),
        ("COALESCE(year, 0) < 1 OR ABS(0 - year) = 2001", ["3", "4"]),
        ("day >= DATE '2021-01-01'", ["2", "4"]),
        ("day IN (DATE '2021-01-01') OR day < DATE '2020-06-01' AND year < 2000", ["1", "2"]),
        ("year > 1990 AND day IS NOT NULL AND day NOT BETWEEN DATE '2021-06-01' AND DATE '2030-01-01'", ["2"]),
        ("in_stock", ["1", "4"]),
        ("NOT in_stock", ["2"]),
        ("in_stock IS NULL", ["3"]),
        ("in_stock = FALSE OR year IS NOT NULL AND NOT (year < 2000)", ["2", "4"]),
        ("item_id IN ('1', '3')", ["1", "3"]),
        ('"odd ""name""" = \'b\'', ["2"]),
        # Unknown is not true, nor is its opposite.
        ("year <> 1990", ["2", "4"]),
    ],
)
def test_a_condition_holds_of_the_items_of_which_it_is_true(condition: str, expected: list[str]) -> None:
    holds = holds_of(condition, ITEMS)
    assert holds.shape == (4,)
    assert ITEMS["item_id"].filter(pl.Series(holds)).to_list() == expected


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (
            "yer > 1990",
            ["'yer'", "Year (text)", "genres (list)", "day (date)", "in_stock (true or false)", "mean Year?"],
        ),
        ("class = Drama", ["'Drama'", "a text in single quotes", "class (text)"]),
        ('class = "Drama"', ["'Drama'", "a text in single quotes"]),
        ("blob = '1'", ["'blob'"]),
        ("\"release year\" > 'a'", ["expected numbers compared with numbers", "Year (text)"]),
        ("\"release year\" = '1990'", ["expected numbers compared with numbers", "release year (number)"]),
        ("class > 1", ["expected numbers compared with numbers", "class (text)"]),
        ("item_id = 1", ["expected numbers compared with numbers", "item_id (text)"]),
        ("day > 'yesterday'", ["'yesterday' beside day", "expected a date such as '2024-01-31'"]),
        ("day IN ('2020-01-01', '2020-13-01')", ["'2020-13-01' beside day"]),
        ("class > DATE '2020-01-01'", ["found class beside a date", "dates such as 2024-01-31"]),
        ("day LIKE '2020%'", ["dates with '2024-01-31'", "day (date)"]),
        *(
            (condition, ["compares a date with a number", "such as '2024-01-31'", "day (date)"])
            for condition in (
                "day > 2000",
                "day BETWEEN 1990 AND 2000",
                "NOT (1995 <= day) OR in_stock",
                "(day) > 1990 + 10",
                'day > "release year"',
                "day - DATE '2020-01-01' > 3",
            )
        ),
        ("genres IN ('Comedy')", ["genres CONTAINS 'a' OR genres CONTAINS 'b'"]),
        ("genres NOT IN ('Comedy')", ["genres CONTAINS 'a' OR genres CONTAINS 'b'"]),
        ("genres LIKE '%Comedy%'", ["genres (list)"]),
        ("\"release year\" LIKE '19%'", ["release year (number)"]),
        ('"release year" CONTAINS 19', ["release year is a number"]),
        ("sizes CONTAINS a", ["lists of numbers"]),
        ("genres CONTAINS", ["expected a text after CONTAINS"]),
        ("genres CONTAINS (", ["expected a text after CONTAINS"]),
        ("year >", ["such as year >= 1990"]),
        ("", ["such as year >= 1990"]),
        ("year > 1990 class", ["such as year >= 1990"]),
        ("year", ["expected what is true or false for each item"]),
        ("TRUE", ["expected what is true or false for each item"]),
        ("class = 'Drama", ["a quote is not closed"]),
        ("class = '\udce9'", ["expected UTF-8 text"]),
        ("year > 1990) OR (year < 1990", ["such as year >= 1990"]),
        ("year > 1990; year", ["found ';'"]),
        ("year > 1990 AND " * 200 + "year > 1990", [f"more than {LONGEST}"]),
    ],
)
def test_what_is_no_condition_is_one_line_with_what_there_is(condition: str, said: list[str]) -> None:
    with pytest.raises(InputError) as error:
        holds_of(condition, ITEMS)
    for text in ["found", "expected" if "quote is" not in str(error.value) else "found", *said]:
        assert text in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "condition",
    [
        "read_csv('{file}')",
        "READ_CSV ( '{file}' ) IS NOT NULL",
        "year IN (SELECT year FROM read_csv('{file}'))",
        "EXISTS (SELECT 1 FROM read_csv('{file}'))",
        "(SELECT MAX(year) FROM read_csv('{file}')) < year",
        "year > 0) OR (year IN (SELECT year FROM read_csv('{file}'))",
        "class = '' OR year IN (SELECT/**/year FROM read_csv('{file}'))",
        "year > 1 -- '\n IN (SELECT year FROM read_csv('{file}'))",
        "class = '\\' OR year IN (SELECT year FROM read_csv('{file}')) OR class = '",
        "\"class\" = 'a' UNION SELECT year FROM read_csv('{file}')",
        "class CONTAINS SELECT year FROM read_csv('{file}')",
        "year > (TABLE self)",
        "SUM(year) > 1",
        "ROW_NUMBER() OVER (ORDER BY year) < 2",
        "year > AVG(year)",
        "UNNEST(genres) = 'Comedy'",
        "CAST(year AS INT) > 1",
        "COLUMNS('.*') = 1",
        "`year` = 1",
        "$$a$$ = class",
        "year[1] = 1",
    ],
)
def test_nothing_but_columns_and_values_is_let_through(
    condition: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polars is not even asked: it would read the file to find out what the condition means."""
    file = tmp_path / "other.csv"
    file.write_text("year\n1990\n")
    given: list[str] = []
    ask = pl.sql_expr
    monkeypatch.setattr(pl, "sql_expr", lambda sql: given.append(sql) or ask(sql))
    with pytest.raises(InputError):
        holds_of(condition.replace("{file}", str(file)), ITEMS)
    # What it is asked about has the names of functions within texts alone.
    for sql in given:
        outside = "".join(sql.split("'")[::2]).upper()
        assert not any(word in outside for word in ("SELECT", "READ_CSV", "UNION", "TABLE"))


DAYS = [date(2019, 12, 31), date(2020, 1, 1), None, date(2021, 2, 28)]
NOON = timedelta(hours=12)
AS_TIMES = [None if one is None else datetime(one.year, one.month, one.day) + NOON for one in DAYS]
OF_DATES = {
    "dates": pl.Series(DAYS),
    "texts of dates": pl.Series([None if one is None else str(one) for one in DAYS]),
}
OF_TIMES = {
    "times": pl.Series(AS_TIMES),
    "of a zone": pl.Series(AS_TIMES).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"),
    "in milliseconds": pl.Series(AS_TIMES).cast(pl.Datetime("ms")),
    "texts of times": pl.Series([None if one is None else one.isoformat(" ") for one in AS_TIMES]),
}


@pytest.mark.parametrize("date_word", ["", "DATE "])
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("released >= {}'2020-01-01'", [1, 3]),
        ("{}'2020-01-01' > released", [0]),
        ("released IS NOT NULL AND released < {}'2020-06-01' AND year > 0", [0, 1]),
        ("released NOT BETWEEN {}'2020-01-01' AND {}'2020-12-31'", [0, 3]),
        ("released BETWEEN {}'2020-01-01' AND '2020-12-31'", [1]),
        ("NOT released < {}'2020-01-01'", [1, 3]),
    ],
)
@pytest.mark.parametrize("kind", [*OF_DATES, *OF_TIMES])
def test_a_date_is_written_in_one_way_whatever_file_the_items_came_in(
    kind: str, condition: str, expected: list[int], date_word: str
) -> None:
    items = pl.DataFrame({"released": (OF_DATES | OF_TIMES)[kind], "year": [1] * 4})
    assert np.flatnonzero(holds_of(condition.format(*[date_word] * 2), items)).tolist() == expected


@pytest.mark.parametrize("kind", OF_DATES)
def test_a_date_is_one_of_some(kind: str) -> None:
    items = pl.DataFrame({"released": OF_DATES[kind]})
    for condition in ("released IN ('2020-01-01', '2021-02-28')", "released IN ('2020-01-01', DATE '2021-02-28')"):
        assert holds_of(condition, items).tolist() == [False, True, False, True]
    assert holds_of("released NOT IN ('2020-01-01')", items).tolist() == [True, False, False, True]
    assert holds_of("released = '2020-01-01'", items).tolist() == [False, True, False, False]


@pytest.mark.parametrize("kind", OF_TIMES)
def test_a_time_is_compared_by_the_second(kind: str) -> None:
    items = pl.DataFrame({"released": OF_TIMES[kind]})
    assert holds_of("released > DATE '2020-01-01 11:59'", items).tolist() == [False, True, False, True]
    assert holds_of("released > DATE '2020-01-01 12:00:00'", items).tolist() == [False, False, False, True]


SIGNS = [
    "(",
    ")",
    ",",
    "=",
    "<",
    ">=",
    "<>",
    "+",
    "-",
    "*",
    "/",
    "%",
    "'",
    "'a'",
    "'%'",
    "''",
    "'2020-01-01'",
    '"class"',
    "1",
    "0",
    "1990",
    "2.5",
    "1e400",
    "99999999999999999999",
]
PARTS = st.sampled_from([*WORDS, *FUNCTIONS, *ITEMS.columns, *SIGNS, "CONTAINS", "DATE", "SELECT", "year"])


@given(st.lists(PARTS, max_size=14) | st.text(max_size=40).map(lambda text: [text]))
@example(["ABS", "(", "-", "9223372036854775808", ")", "=", "year"])
@QUICK
def test_whatever_is_written_is_a_condition_or_a_mistake(parts: list[str]) -> None:
    with suppress(InputError):
        holds = holds_of(" ".join(parts), ITEMS)
        assert holds.shape == (len(ITEMS),)
        assert holds.dtype == bool


COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
}
SIMPLE = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(sorted(COMPARED)), st.integers(-2, 2))


@given(
    rows=st.lists(st.tuples(*[st.none() | st.integers(-2, 2)] * 2), min_size=1, max_size=8),
    alternatives=st.lists(st.lists(SIMPLE, min_size=1, max_size=3), min_size=1, max_size=3),
    as_text=st.booleans(),
)
@QUICK
def test_comparisons_put_together_hold_as_they_do_in_python(
    rows: list[tuple[int | None, int | None]], alternatives: list[list[tuple[str, str, int]]], as_text: bool
) -> None:
    condition = " OR ".join(
        " AND ".join(f"{column} {sign} {value}" for column, sign, value in together) for together in alternatives
    )
    expected = [
        any(
            all(
                (mine := row["ab".index(column)]) is not None and COMPARED[sign](mine, value)
                for column, sign, value in together
            )
            for together in alternatives
        )
        for row in rows
    ]
    items = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.Int64}, orient="row")
    if as_text:
        # With a number in each, or it would be a column of nothing.
        items = pl.concat([items, pl.DataFrame({"a": [0], "b": [0]})]).cast(pl.String)
    assert holds_of(condition, items).tolist()[: len(rows)] == expected
