"""Columns with titles and years are found by their names, and titles else by what tells items apart."""

from __future__ import annotations

import polars as pl
import pytest

from pipeline.recommend.titles import Titles
from pipeline.text.title import title_column, year_column


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"genre": ["x", "y"], "title": ["A", "B"]}, "title"),
        ({"Title": ["A", "B"], "title_length": [1, 2]}, "Title"),
        ({"genre": ["x", "y"], "movie_title": ["A", "B"]}, "movie_title"),
        ({"genre": ["x", "x", "x"], "Recipe Name": ["A", "B", "C"]}, "Recipe Name"),
        ({"class": ["x", "x", "x"], "text": ["A", "B", "C"]}, "text"),
        ({"name": ["A", "B"], "title": ["x", "y"]}, "title"),
        ({"MovieTitle": ["A", "B"], "text": ["x", "y"]}, "MovieTitle"),
        ({"maker": ["A", "B", "B"], "code": ["q", "r", "s"]}, "code"),
        ({"story": ["A long one", "And another"], "code": ["q", "r"]}, "code"),
        ({"titles": [["A"], ["B"]]}, None),
        # Who published or made an album is not its title.
        ({"album": ["A", "B", "C"], "label": ["x", "x", "x"]}, "album"),
        ({"label": ["A", "B", "C"], "story": ["A long one", "And another", "And a third"]}, "label"),
        ({"label": ["x", "x", "x"]}, "label"),
        ({"artist_name": ["x", "x", "x"], "album": ["A", "B", "C"]}, "album"),
        ({"artist_name": ["x", "x", "y"], "track_name": ["A", "B", "C"]}, "track_name"),
        ({"title": ["A", "A", "A"], "story": ["x", "y", "z"]}, "title"),
        ({"class": ["x", "x", "x"], "price": [1, 2, 3]}, None),
        ({}, None),
    ],
)
def test_the_column_with_the_titles(columns: dict[str, list[object]], expected: str | None) -> None:
    rows = len(next(iter(columns.values()), [1]))
    items = pl.DataFrame({"item": range(rows), "item_id": [f"i{row}" for row in range(rows)], **columns})
    assert title_column(items) == expected
    titles = Titles.of(items)
    assert titles.shown(0) == (items[expected][0] if expected else "i0")


@pytest.mark.parametrize(
    ("name", "values", "shown"),
    [
        ("release_year", ["1995", "unknown"], ["Heat (1995)", "Ran"]),
        ("Year-Of-Publication", [2001, 0], ["Heat (2001)", "Ran"]),
        ("year", [1995.0, None], ["Heat (1995)", "Ran"]),
        ("PublicationYear", ["1995", None], ["Heat (1995)", "Ran"]),
        ("yearly_income", [1995, 1996], ["Heat", "Ran"]),
    ],
)
def test_the_column_with_the_years(name: str, values: list[object], shown: list[str]) -> None:
    items = pl.DataFrame({"item": [0, 1], "item_id": ["a", "b"], "title": ["Heat", "Ran"], name: values})
    assert (year_column(items) == name) == (shown != ["Heat", "Ran"])
    titles = Titles.of(items)
    assert [titles.shown(0), titles.shown(1)] == shown
