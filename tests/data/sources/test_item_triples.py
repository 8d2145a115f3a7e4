from __future__ import annotations

import polars as pl

from pipeline.data.sources.item_triples import decades, item_triples

ITEMS = pl.DataFrame({"item_id": ["1", "2", "3", "4"]})


def test_columns_become_triples_and_items_with_any_get_an_entity() -> None:
    genre = pl.Series([["Comedy", "War"], [], None, ["Comedy"]])
    year = pl.Series([1995, None, None, 1996])
    kg, links = item_triples(ITEMS, "movie", {"genre": genre, "year": year}, "movies.dat")
    assert kg.frame.columns == ["head", "relation", "tail"]
    assert sorted(kg.frame.rows()) == [
        ("movie:1", "genre", "Comedy"),
        ("movie:1", "genre", "War"),
        ("movie:1", "year", "1995"),
        ("movie:4", "genre", "Comedy"),
        ("movie:4", "year", "1996"),
    ]
    assert links.frame.rows() == [("1", "movie:1"), ("4", "movie:4")]
    assert (kg.file, links.file) == ("movies.dat", "movies.dat")


def test_names_that_differ_in_case_or_blanks_are_one_entity_as_first_written() -> None:
    author = pl.Series(["J. K.  Rowling", "j. k. rowling ", "  ", "J.K. Rowling"])
    kg, links = item_triples(ITEMS, "book", {"author": author, "publisher": pl.Series([None, None, None, "SAME"])}, "f")
    assert kg.frame.rows() == [
        ("book:1", "author", "J. K. Rowling"),
        ("book:2", "author", "J. K. Rowling"),
        ("book:4", "author", "J.K. Rowling"),
        ("book:4", "publisher", "SAME"),
    ]
    assert links.frame["item_id"].to_list() == ["1", "2", "4"]


def test_a_fact_that_is_said_twice_is_one_triple() -> None:
    kg, _ = item_triples(ITEMS, "artist", {"tag": pl.Series([["rock", "Rock", "rock "], [], [], []])}, "f")
    assert kg.frame.rows() == [("artist:1", "tag", "rock")]


def test_a_year_is_of_its_decade() -> None:
    years = pl.Series([1995, 1990, 1989, 2000, None], dtype=pl.Int32)
    assert decades(years).to_list() == ["1990s", "1990s", "1980s", "2000s", None]
