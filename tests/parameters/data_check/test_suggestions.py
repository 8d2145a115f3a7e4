from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from pipeline.graph.item_graph import overlap_join
from pipeline.parameters.data_check.suggestions import (
    joining_at,
    percent,
    suggested_s_m,
    suggested_template,
    suggested_threshold,
    unusable_names,
)
from pipeline.text.template import item_texts


def ratings(*values: float) -> pl.Series:
    return pl.Series("rating", values, dtype=pl.Float32)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1, 2, 3, 4, 5), 4),
        ((0.5, 1, 2, 3, 3.5, 4, 5), 3.5),
        (tuple(range(1, 11)), 7),
        ((0, 1), 1),
        ((-1, 1), 1),
        ((0.1, 0.2, 0.3, 0.7, 0.8), 0.7),
        # Play counts: the upper third has hardly anything, so half of them are likes.
        ((*range(1, 21), 5000, 5000), 12),
        # Nearly everybody gives five: what is below is disliked.
        ((1, 4, *[5] * 40), 5),
        ((3, 3, 3), 3),
    ],
)
def test_the_threshold_is_the_first_rating_of_the_upper_third_that_splits_them(
    values: tuple[float, ...], expected: float
) -> None:
    assert suggested_threshold(ratings(*values)).value == expected


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.lists(st.integers(-20, 20).map(lambda x: x / 4), min_size=2, max_size=30))
def test_the_threshold_is_a_rating_that_leaves_likes_and_where_it_can_dislikes(values: list[float]) -> None:
    series = ratings(*values)
    value = suggested_threshold(series).value
    assert value in values
    assert (series >= value).any()
    assert (series >= value).all() == (len(set(values)) == 1)


def test_a_threshold_is_written_as_short_as_it_is_read() -> None:
    series = ratings(0.1, 3.6, 3.6, 4.9)
    found = suggested_threshold(series).value
    assert repr(found) == "3.6"
    assert int((series >= found).sum()) == 3


def table(*rows: tuple[int, int, float, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["s_m", "edges", "density", "isolated_items"], orient="row")


def test_the_highest_s_m_that_fits_is_taken() -> None:
    rows = [(0, 900, 0.2, 0), (1, 400, 0.09, 5), (2, 100, 0.02, 20), (3, 40, 0.008, 25), (4, 0, 0.0, 100)]
    found = suggested_s_m(table(*rows), 100)
    assert (found.s_m, found.edges, found.isolated_items, found.fits) == (2, 100, 20, True)


@pytest.mark.parametrize(
    ("rows", "expected", "why"),
    [
        # A little too sparse is nearer than far too dense.
        ([(0, 900, 0.5, 0), (1, 40, 0.008, 0)], 1, "1 joins only 0.8% of the pairs; 1 is the nearest"),
        ([(0, 900, 0.11, 0), (1, 40, 0.001, 0)], 0, "0 joins 11% of the pairs; 1 joins only 0.1%"),
        # Many isolated items weigh as well.
        ([(0, 900, 0.12, 10), (1, 40, 0.05, 80)], 0, "1 isolates 80.0% of the items; 0 is the nearest"),
        # As many edges as that are not trained on, whatever their share.
        ([(0, 30_000_000, 0.06, 0), (1, 300_000, 0.0007, 10)], 1, "0 has 30,000,000 edges, slow to train on"),
    ],
)
def test_where_none_fits_the_nearest_is_taken_and_said_why(
    rows: list[tuple[int, int, float, int]], expected: int, why: str
) -> None:
    found = suggested_s_m(table(*rows), 100)
    assert found.s_m == expected
    assert not found.fits
    assert found.why.startswith("no S_m fits: ")
    assert why in found.why


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.6))
def test_a_suggestion_fits_exactly_where_one_s_m_does(seed: int, share: float) -> None:
    items = 25
    incidence = csr_matrix((np.random.default_rng(seed).random((items, 12)) < share).astype(np.int32))
    thresholds = overlap_join(incidence, 10**6)[1]
    if not thresholds["edges"][0]:
        return
    pairs = items * (items - 1) / 2
    fitting = []
    dense = (incidence @ incidence.T).toarray()
    for s_m in range(12):
        joined = (dense > s_m) & ~np.eye(items, dtype=bool)
        edges = joined.sum() / 2
        if 0.01 <= edges / pairs <= 0.1 and (~joined.any(axis=1)).sum() < 0.3 * items:
            fitting.append(s_m)
    found = suggested_s_m(thresholds, items)
    assert found.fits == bool(fitting)
    if fitting:
        assert found.s_m == max(fitting)
    joined = (dense > found.s_m) & ~np.eye(items, dtype=bool)
    assert (found.edges, found.isolated_items) == (joined.sum() / 2, (~joined.any(axis=1)).sum())
    assert joining_at(found.s_m, thresholds, items).fits == found.fits


def test_a_given_s_m_above_every_overlap_has_no_edge() -> None:
    found = joining_at(9, table((0, 5, 0.05, 2), (1, 0, 0.0, 10)), 10)
    assert (found.edges, found.isolated_items, found.fits) == (0, 10, False)


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.142, "14%"), (0.04, "4%"), (0.0062, "0.62%"), (0.0000412, "0.0041%"), (1, "100%"), (0, "0%")],
)
def test_a_share_has_two_digits(share: float, shown: str) -> None:
    assert percent(share) == shown


FILMS = pl.DataFrame(
    {
        "item_id": [1, 2, 3],
        "genres": ["drama|crime", "comedy", None],
        "movie_title": ["Heat", "Emma", "Mother"],
        "release_year": ["1995", None, "2017"],
        "description": ["A thief and a policeman meet in a café", "A matchmaker is wrong", "A house, and guests in it"],
        "poster_url": ["https://a/1", "https://a/2", "https://a/3"],
        "imdb_id": ["tt01", "tt02", "tt03"],
        "minutes": [170, 117, 121],
    }
)


def test_a_text_starts_with_the_title_and_ends_with_what_is_long() -> None:
    template = suggested_template(FILMS)
    assert template == "{movie_title} ({release_year}). {genres}. {description}"
    assert item_texts(FILMS, template)[0] == "Heat (1995). drama|crime. A thief and a policeman meet in a café"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"title": ["A film", "B film"]}, "{title}"),
        ({"Bezeichnung": ["Erste Suppe", "Zweite Suppe"], "Art": ["kalt", "kalt"]}, "{Bezeichnung}. {Art}"),
        ({"tags": ["a, bb", "bb, cc"], "name": ["Käse", "Brot"]}, "{name}. {tags}"),
        ({"name": ["Heat", "Emma"], "year": [1995, 1996]}, "{name} ({year})"),
        ({"name": ["Heat", "Emma"], "kinds": [["drama", "crime"], ["comedy"]]}, "{name}. {kinds}"),
        # What only says the title again adds nothing.
        ({"title": ["The Great Heat", "Emma Thompson"], "keywords": ["great heat", "emma"]}, "{title}"),
        ({"price": [1.0, 2.0]}, None),
        ({"code": ["1-2", "3-4"], "link": ["www.a.org", "www.b.org"]}, None),
        ({"title": [None, None]}, None),
        ({"title": ["", " "]}, None),
        ({}, None),
    ],
)
def test_columns_that_are_text_make_the_template(columns: dict[str, list[object]], expected: str | None) -> None:
    items = pl.DataFrame({"item_id": [1, 2], **columns})
    assert suggested_template(items) == expected
    item_texts(items, expected)


def of_films(count: int = 30, **columns: list[object]) -> pl.DataFrame:
    """As Kaggle's The Movies Dataset has them."""
    films: dict[str, object] = {
        "item_id": range(count),
        "adult": ["False", "True"] * (count // 2),
        "genres": ["[{'id': 18, 'name': 'Drama'}]"] * count,
        "original_language": ["en", "fr", "zh"] * (count // 3),
        "overview": [f"A captain who lost her ship {number} looks for it" for number in range(count)],
        "poster": [f"/rhIRbceo{number}.jpg" for number in range(count)],
        "status": ["Released"] * count,
        "title": [f"Film {number}" for number in range(count)],
        "video": ["False"] * count,
    }
    return pl.DataFrame(films | columns, strict=False)


def test_flags_codes_constants_and_dumps_are_no_text() -> None:
    items = of_films()
    assert suggested_template(items) == "{title}. {overview}"
    assert item_texts(items, "{title}. {overview}")[1] == "Film 1. A captain who lost her ship 1 looks for it"


@pytest.mark.parametrize(
    "columns",
    [
        # MIND's news.tsv.
        {"title_entities": ["[]"] * 20 + ['[{"Label": "Skoda", "Type": "O"}]'] * 10},
        {"cast": ['["Ann Lee", "Bo Li"]'] * 30},
        {"size": ['{"width": 3}\n'] * 30},
        {"in_stock": ["yes", "No", None] * 10},
        {"video": ["y"] * 29 + ["n"]},
        {"certificate": ["PG", "R", "12"] * 10},
        {"sku": [f"B00{number}XK" for number in range(30)]},
        {"language": ["eng", "en-US", "en_GB"] * 10},
        {"status": ["Released"] * 29 + ["Post Production"]},
        {"still": [f"still{chr(97 + number % 26)}.png" for number in range(30)]},
        {"key": [f"9f8e-{number}-ab" for number in range(30)]},
    ],
)
def test_what_nobody_would_read_is_left_out(columns: dict[str, list[object]]) -> None:
    assert suggested_template(of_films(**columns)) == "{title}. {overview}"


def test_a_description_is_kept_where_there_are_many_columns() -> None:
    kinds = {
        name: [f"{name} {number % 4}" for number in range(30)] for name in ("tone", "mood", "look", "place", "age")
    }
    many = of_films(**kinds)
    assert suggested_template(many) == "{title}. {age}. {tone}. {mood}. {overview}"
    # Whatever it is called, it is the longest.
    assert suggested_template(many.rename({"overview": "Handlung"})) == "{title}. {age}. {tone}. {mood}. {Handlung}"
    genres = many.with_columns(genres=pl.Series(["drama and crime", "comedy and war"] * 15))
    assert suggested_template(genres) == "{title}. {age}. {tone}. {genres}. {overview}"


def test_codes_are_the_text_where_there_is_nothing_else_and_no_title_where_there_is() -> None:
    codes = pl.DataFrame({"item_id": range(30), "sku": [f"B00{number}XK" for number in range(30)]})
    assert suggested_template(codes) == "{sku}"
    told = codes.with_columns(told=pl.format("A chair of {} legs", "item_id"))
    assert suggested_template(told) == "{told}"
    # What is called a title is one, whatever it looks like.
    assert suggested_template(told.rename({"sku": "name"})) == "{name}. {told}"


def test_a_column_whose_name_cannot_be_in_a_template_is_left_out_and_named() -> None:
    items = pl.DataFrame({"item_id": [1, 2], "film-title": ["Heat", "Emma"], "kind of": ["drama", "comedy"]})
    assert suggested_template(items) == "{kind of}"
    assert unusable_names(items) == ["film-title"]
