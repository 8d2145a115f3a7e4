"""Tables out of a database: which of several ids is the item's, and numbers of rows taken for it."""

from __future__ import annotations

import itertools
from pathlib import Path

import polars as pl
import pytest

from pipeline.data.sources.tables import TablesSource
from pipeline.parameters.data_check.check import DataCheck, Wishes
from tests.parameters.data_check.worlds import checked, tables, write


def world(folder: Path, interactions: dict[str, str], items: dict[str, str], links: dict[str, str]) -> Path:
    """Columns under other names; `id` beside a renamed one numbers the rows."""
    made = tables()
    for name, names in (("interactions", interactions), ("items", items), ("item_entities", links)):
        frame = made[name].rename({ours: theirs for ours, theirs in names.items() if ours in made[name].columns})
        numbered = names.get("row")
        made[name] = frame.with_row_index(numbered, offset=1) if numbered else frame
    return write(folder, made)


def pasted(check: DataCheck) -> dict[str, str]:
    """The renamings that the findings advise, all of them at once."""
    words = [word for found in (*check.errors, *check.warnings) for word in found.advice.split()]
    pairs = [after.rstrip(",") for before, after in itertools.pairwise(words) if before == "--rename"]
    return dict(pair.split("=") for pair in pairs)


DATABASE = ({"row": "id", "item_id": "movie_id"}, {"item_id": "id"}, {})


@pytest.mark.parametrize(
    ("interactions", "items", "links", "renamings"),
    [
        (*DATABASE, {"movie_id": "item_id", "items.id": "item_id"}),
        (
            {"row": "id", "item_id": "song_id", "user_id": "user", "rating": "score"},
            {"item_id": "id"},
            {"row": "id", "item_id": "song_id"},
            {"user": "user_id", "score": "rating", "song_id": "item_id", "items.id": "item_id"},
        ),
        ({"row": "Id", "item_id": "AnimeID"}, {"item_id": "AnimeID"}, {}, {"AnimeID": "item_id"}),
        (
            {"row": "review_id", "item_id": "business_id", "user_id": "reviewer_id"},
            {"item_id": "id"},
            {"item_id": "id"},
            {"business_id": "item_id", "reviewer_id": "user_id", "id": "item_id"},
        ),
        ({"row": "id", "item_id": "asin"}, {"row": "id", "item_id": "asin"}, {}, {"asin": "item_id"}),
        ({"item_id": "id"}, {"item_id": "id"}, {"item_id": "id"}, {"id": "item_id"}),
        # Rows of the items are numbered as well, and the column that both tables have is the key.
        ({"row": "id", "item_id": "anime_id"}, {"row": "id", "item_id": "anime_id"}, {}, {"anime_id": "item_id"}),
        ({"row": "index", "item_id": "game"}, {"item_id": "game"}, {}, {"game": "item_id"}),
        # Names that say nothing: the ids themselves tell.
        ({"item_id": "game"}, {"item_id": "app"}, {}, {"game": "item_id", "app": "item_id"}),
        (
            {"row": "nr", "item_id": "thing"},
            {"row": "id", "item_id": "what"},
            {},
            {"thing": "item_id", "what": "item_id"},
        ),
        ({"item_id": "game"}, {}, {}, {"game": "item_id"}),
        ({"row": "", "item_id": "movie_id"}, {"row": "", "item_id": "movie_id"}, {}, {"movie_id": "item_id"}),
        (
            {"row": "rating_id", "user_id": "listener_id", "item_id": "track_id", "rating": "plays"},
            {},
            {"row": "id", "item_id": "track_id"},
            {"listener_id": "user_id", "track_id": "item_id", "plays": "rating"},
        ),
    ],
)
def test_the_renamings_that_are_advised_give_the_tables_as_they_are(
    interactions: dict[str, str],
    items: dict[str, str],
    links: dict[str, str],
    renamings: dict[str, str],
    tmp_path: Path,
) -> None:
    folder = world(tmp_path / "theirs", interactions, items, links)
    assert pasted(checked(folder)) == renamings
    check = checked(folder, Wishes(rename=renamings))
    assert check.usable
    assert check.counts == checked(write(tmp_path / "ours")).counts
    read = TablesSource(type="tables", path=str(folder), rename=renamings).read()
    expected = TablesSource(type="tables", path=str(tmp_path / "ours")).read()
    assert read.interactions.equals(expected.interactions)
    assert read.item_entities.equals(expected.item_entities)


def test_a_number_of_the_row_is_not_proposed_as_the_item(tmp_path: Path) -> None:
    made = tables()["interactions"].drop("item_id").with_row_index("id")
    (found,) = checked(write(tmp_path, {"interactions": made})).errors
    assert found.column == "item_id"
    assert found.advice == ""


@pytest.mark.parametrize(
    ("rename", "advised"),
    [
        ({"id": "item_id"}, {"interactions.movie_id": "item_id", "items.id": "item_id"}),
        ({"interactions.id": "item_id", "items.id": "item_id"}, {"interactions.movie_id": "item_id"}),
    ],
)
def test_numbers_of_rows_as_items_are_doubted(rename: dict[str, str], advised: dict[str, str], tmp_path: Path) -> None:
    made = world(tmp_path, *DATABASE)
    rows = len(pl.read_csv(made / "interactions.csv"))
    more = pl.DataFrame({"id": range(rows + 1), "title": [f"Film {row}" for row in range(rows + 1)]})
    more.write_csv(made / "items.csv")
    check = checked(made, Wishes(rename=rename))
    (found,) = [warning for warning in check.warnings if "these row numbers" in warning.problem]
    assert found.problem == f"found every item exactly once, {rows} items in as many rows: are these row numbers?"
    assert found.advice.startswith("if 'movie_id' is the item, --rename interactions.movie_id=item_id")
    place = found.advice.index(" instead of --rename")
    assert dict(pair.split("=") for pair in found.advice[:place].split() if "=" in pair) == advised
    right = checked(made, Wishes(rename={"items.id": "item_id"} | advised))
    assert right.counts is not None
    assert right.counts.items_rated == 10
    assert not any("these row numbers" in warning.problem for warning in right.warnings)


def test_numbers_of_rows_under_our_own_name_are_doubted(tmp_path: Path) -> None:
    made = tables()["interactions"].rename({"item_id": "movie_id"}).with_row_index("item_id")
    items = pl.DataFrame({"item_id": range(len(made)), "title": ["Film"] * len(made)})
    folder = write(tmp_path, {"interactions": made, "items": items})
    (found,) = [warning for warning in checked(folder).warnings if "these row numbers" in warning.problem]
    rename = dict(pair.split("=") for pair in found.advice.split() if "=" in pair)
    right = checked(folder, Wishes(rename=rename))
    assert right.counts is not None
    assert right.counts.items_rated == 10


def test_a_text_that_two_tables_have_is_not_proposed_beside_an_id(tmp_path: Path) -> None:
    titles = tables()["items"].select("item_id", "title")
    rated = tables()["interactions"].join(titles, on="item_id").rename({"item_id": "film_id"})
    (found,) = checked(write(tmp_path, {"interactions": rated.select("title", "film_id", "user_id", "rating")})).errors
    assert found.advice == "if that is it, --rename film_id=item_id"


def test_columns_that_are_no_ids_are_not_proposed(tmp_path: Path) -> None:
    made = {name: frame.rename({"item_id": "id"}) for name, frame in tables().items() if "item_id" in frame.columns}
    lists = [[row] for row in range(len(made["interactions"]))]
    made["interactions"] = made["interactions"].with_columns(id=pl.Series(lists), parts=pl.Series(lists))
    made["items"] = made["items"].with_columns(parts=pl.Series([[0]] * len(made["items"])))
    for name, frame in (tables() | made).items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    assert {error.column for error in checked(tmp_path).errors} == {"item_id"}


def test_of_several_columns_that_may_be_the_item_the_one_that_the_ratings_name_is_proposed(tmp_path: Path) -> None:
    made = tables()
    # A shop's: the items have numbers of the shelf beside an id of their own, which is what was rated.
    shelves = made["items"].rename({"item_id": "id"}).with_columns(sku=pl.format("S-{}", pl.int_range(pl.len())))
    shop = {"interactions": made["interactions"].rename({"item_id": "product_id"}), "items": shelves}
    assert pasted(checked(write(tmp_path / "shop", shop))) == {"product_id": "item_id", "id": "item_id"}
    # Variants of a product have an id of their own in the ratings alone.
    reviews = (
        made["interactions"]
        .rename({"item_id": "parent_asin"})
        .select(pl.lit("Great").alias("title"), pl.all(), pl.format("v{}", pl.int_range(pl.len())).alias("asin"))
    )
    products = {"interactions": reviews, "items": made["items"].rename({"item_id": "parent_asin"})}
    assert pasted(checked(write(tmp_path / "products", products))) == {"parent_asin": "item_id"}
    # The ratings call the items' own id what the items call somebody else's.
    books = made["items"].rename({"item_id": "id"}).with_columns(book_id=pl.int_range(pl.len()) * 7 + 100_000)
    site = {"interactions": made["interactions"].rename({"item_id": "book_id"}), "items": books}
    assert pasted(checked(write(tmp_path / "site", site))) == {"interactions.book_id": "item_id", "id": "item_id"}
