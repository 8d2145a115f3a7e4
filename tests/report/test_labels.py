from __future__ import annotations

import polars as pl
import pytest

from pipeline.common.errors import LONGEST_TITLE, InputError
from pipeline.report.labels import first_values, genre_column, labels_of

FILMS = pl.DataFrame(
    {
        "item": range(8),
        "item_id": [f"i{item}" for item in range(8)],
        "language": ["en", "fr"] * 4,
        "release_year": ["1990", "1991"] * 4,
        "movie_title": [f"Film {item}" for item in range(7)] + [""],
        "genres": ["Comedy|Drama", "Horror"] * 3 + ["", "Comedy"],
    }
)


def test_titles_details_and_genres_of_a_template() -> None:
    labels = labels_of(FILMS, "{movie_title} ({release_year}). {genres}")
    assert labels.titles == [*(f"Film {item}" for item in range(7)), "i7"]
    assert labels.details[0] == "1990 · Comedy|Drama"
    assert labels.details[6] == "1990"
    assert labels.genres == ["Comedy", "Horror"] * 3 + ["", "Comedy"]
    assert labels.genre_column == "genres"


def test_long_titles_and_details_are_cut() -> None:
    items = FILMS.with_columns(movie_title=pl.lit("a" * 100_000), genres=pl.lit("b" * 100_000))
    labels = labels_of(items, "{movie_title}: {genres}")
    assert labels.titles == ["a" * LONGEST_TITLE + " ..."] * 8
    assert labels.details == ["b" * LONGEST_TITLE + " ..."] * 8


def test_items_without_any_text_go_by_their_ids_and_have_one_colour() -> None:
    labels = labels_of(FILMS.select("item", "item_id"), None)
    assert labels.titles == [f"i{item}" for item in range(8)]
    assert labels.details == labels.genres == [""] * 8
    assert labels.genre_column is None


def test_a_column_named_like_a_genre_comes_before_another_one_and_years_never() -> None:
    assert genre_column(FILMS, "movie_title") == "genres"
    assert genre_column(FILMS.drop("genres"), "movie_title") == "language"
    assert genre_column(FILMS.drop("genres", "language"), "movie_title") is None


@pytest.mark.parametrize(
    "values",
    [
        ["Comedy"] * 8,  # one value tells nothing apart
        [f"author {item}" for item in range(8)],  # too many for colours
        ["Comedy", "Drama", "", "", "", "", "", ""],  # most items have none
    ],
)
def test_a_column_that_tells_no_few_kinds_apart_is_no_genre(values: list[str]) -> None:
    assert genre_column(FILMS.select("item", "item_id").with_columns(genre=pl.Series(values)), "item_id") is None


def test_columns_may_have_any_names() -> None:
    books = FILMS.rename({"movie_title": "book-title", "genres": "1st {genre}"}).drop("language")
    labels = labels_of(books, None)
    assert labels.titles[:2] == ["Film 0", "Film 1"]
    assert labels.genre_column == "1st {genre}"


def test_lists_of_tags_are_a_genre() -> None:
    tagged = FILMS.select("item", "item_id").with_columns(tags=pl.Series([["a", "b"], ["c"]] * 4))
    assert labels_of(tagged, None).genres == ["a", "c"] * 4


def test_the_first_of_several_values_however_they_are_parted() -> None:
    assert first_values(["Comedy|Drama", "Horror"]) == ["Comedy", "Horror"]
    assert first_values(["Science Fiction, Drama", " Horror ", ""]) == ["Science Fiction", "Horror", ""]
    assert first_values(["Animation Children's", "Animation Comedy", "Comedy Children's", "Comedy"]) == [
        "Animation",
        "Animation",
        "Comedy",
        "Comedy",
    ]
    # Two words that come together only are one value.
    twice = ["Science Fiction", "Horror", "Science Fiction"]
    assert first_values(twice) == twice


def test_a_template_of_other_columns_is_refused() -> None:
    with pytest.raises(InputError, match="text_template: column name: not found"):
        labels_of(FILMS, "{name}")
