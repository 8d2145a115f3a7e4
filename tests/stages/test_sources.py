"""Every reader through the stages that come before any model: from files as they are published to prepared data."""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from pipeline.artifacts.data import INTERACTIONS, ITEMS, SOURCE_ITEM_ENTITIES, SOURCE_ITEMS, SOURCE_KG, USERS
from tests.stages.workspace import ROOT, Result, Workspace, assert_a_mistake_in_one_line, make_workspace, planted_tables

STAGES = ("check_tables", "fetch", "prepare")


def planted() -> tuple[pl.DataFrame, pl.DataFrame]:
    """The planted ratings and films with numbers as ids, which published files have."""
    tables = planted_tables()
    number = pl.col("user_id", "item_id").str.slice(1).cast(pl.Int64) + 1
    ratings = tables["interactions"].with_columns(number)
    items = tables["items"].with_columns(pl.col("item_id").str.slice(1).cast(pl.Int64) + 1)
    return ratings, items


def zipped(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{path.stem}/{name}", text.encode("latin-1"))
    return path


def lines(frame: pl.DataFrame, pattern: str) -> str:
    return "".join(pattern.format(**row) + "\n" for row in frame.iter_rows(named=True))


def write_sources(root: Path) -> dict[str, dict[str, Any]]:
    """Folders and zips of every layout in the workspace, and what a data set's entry says of each."""
    ratings, items = planted()
    dat = lines(ratings, "{user_id}::{item_id}::{rating}::978300760")
    movies = lines(items, "{item_id}::{title} (1995)::{genre}|Drama")
    archive = zipped(root / "ml-1m.zip", **{"ratings.dat": dat, "movies.dat": movies})

    books = root / "books"
    books.mkdir()
    header = "ISBN;Book-Title;Book-Author;Year-Of-Publication;Publisher".replace(";", '";"')
    rows = lines(items, '"{item_id}";"{title} \\"or so\\"; &amp; more";"{genre}";"1995";"Léon"')
    (books / "BX-Books.csv").write_bytes(f'"{header}"\n{rows}'.encode("latin-1"))
    rated = lines(ratings.with_columns(pl.col("rating") * 2), '"{user_id}";"{item_id}";"{rating}"')
    implicit = '"1";"60";"0"\n"2";"60";"0"\n'
    (books / "BX-Book-Ratings.csv").write_text(f'"User-ID";"ISBN";"Book-Rating"\n{rated}{implicit}')

    kgcn = root / "kgcn"
    kgcn.mkdir()
    (kgcn / "ratings.dat").write_text(dat)
    linked = items.with_columns(entity=pl.col("item_id") + 100)
    (kgcn / "item_index2entity_id.txt").write_text(lines(linked[:50], "{item_id}\t{entity}"))
    (kgcn / "kg.txt").write_text(lines(linked, "{entity}\tfilm.film.genre\t{genre}"))

    lastfm = root / "lastfm"
    lastfm.mkdir()
    (lastfm / "artists.dat").write_text("id\tname\turl\tpictureURL\n" + lines(items, "{item_id}\t{title}\tu\tp"))
    (lastfm / "tags.dat").write_bytes("tagID\ttagValue\n1\tcomedy\n2\thörror\n3\twestern\n".encode("latin-1"))
    plays = lines(ratings, "{user_id}\t{item_id}\t{rating}")
    (lastfm / "user_artists.dat").write_text("userID\tartistID\tweight\n" + plays)
    tagged = pl.concat([items.with_columns(user=user, tag=(pl.col("item_id") - 1) % 3 + 1) for user in (1, 2)])
    tagged_text = lines(tagged, "{user}\t{item_id}\t{tag}\t1\t4\t2009")
    (lastfm / "user_taggedartists.dat").write_text("userID\tartistID\ttagID\tday\tmonth\tyear\n" + tagged_text)

    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    from_url = {"type": "movielens", "path": "downloads", "url": archive.as_uri(), "sha256": sha256}
    likes = {"min_plays": 4, "fewer_plays": "dislike"}
    return {
        "movielens": {"source": from_url, "text_template": "{title} ({year}). {genres}"},
        "books": {
            "source": {"type": "book-crossing", "path": "books", "implicit": "like"},
            "like_threshold": 7,
            "text_template": "{title} by {author}, {publisher} {year}",
        },
        "kgcn": {"source": {"type": "kgcn", "path": "kgcn"}, "text_template": None},
        "lastfm": {
            "source": {"type": "hetrec-lastfm", "path": "lastfm"} | likes,
            "like_threshold": None,
            "text_template": "{title}. {tags}",
        },
    }


class Ran(NamedTuple):
    workspace: Workspace
    results: dict[tuple[str, str], Result]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The stages of every source, and what each said."""
    workspace = make_workspace(tmp_path_factory.mktemp("sources"))
    entries = write_sources(workspace.root)
    (workspace.root / "downloads").mkdir()

    def change(values: dict[str, Any]) -> None:
        values["datasets"] = {name: values["dataset_defaults"] | entry for name, entry in entries.items()}

    workspace.change_params(change)
    results = {("validate", ""): workspace.run("validate")}
    for name in entries:
        results |= {(stage, name): workspace.run(stage, name) for stage in STAGES}
    return Ran(workspace, results)


def test_every_source_runs_through_the_stages(ran: Ran) -> None:
    assert {result.code for result in ran.results.values()} == {0}, ran.results
    assert {result.err for result in ran.results.values()} == {""}


@pytest.mark.parametrize("name", ["movielens", "books", "kgcn", "lastfm"])
def test_every_source_gives_the_ratings_that_were_written(ran: Ran, name: str) -> None:
    root = ran.workspace.root
    ratings, _ = planted()
    if name == "kgcn":
        ratings = ratings.filter(pl.col("item_id") <= 50)
    expected = {(str(user), str(item), rating >= 4) for user, item, rating in ratings.iter_rows()}
    if name == "books":
        # User 1 has rated book 60 as well: the later row counts.
        expected = expected - {("1", "60", False)} | {("1", "60", True), ("2", "60", True)}
    users, items = USERS.read(name, root), ITEMS.read(name, root)
    table = INTERACTIONS.read(name, root).join(users, on="user").join(items, on="item")
    assert set(table.select("user_id", "item_id", "like").rows()) == expected
    assert len(table) == len(expected)


def test_items_and_graph_are_those_that_were_written(ran: Ran) -> None:
    root = ran.workspace.root
    films = SOURCE_ITEMS.read("movielens", root)
    assert films.filter(item_id="3").row(0) == ("3", "Film number 2", 1995, "western, Drama")
    book = SOURCE_ITEMS.read("books", root).filter(item_id="3").row(0)
    assert book == ("3", 'Film number 2 "or so"; & more', "western", 1995, "Léon")
    artist = SOURCE_ITEMS.read("lastfm", root).filter(item_id="2").row(0)
    assert artist == ("2", "Film number 1", "hörror")
    assert SOURCE_KG.read("lastfm", root).filter(head="artist:2").rows() == [("artist:2", "tag", "hörror")]
    assert SOURCE_ITEM_ENTITIES.read("kgcn", root).filter(item_id="3").rows() == [("3", "103")]
    relations = SOURCE_KG.read("books", root)["relation"].unique().sort().to_list()
    assert relations == ["author", "decade", "publisher", "year"]


def test_what_a_reader_left_out_is_said_when_it_is_fetched(ran: Ran) -> None:
    said = ran.results["fetch", "books"].out
    assert "[books] fetch: books/BX-Book-Ratings.csv: 2 ratings of 0 (implicit) are read as ratings of 10" in said
    said = ran.results["fetch", "kgcn"].out
    assert re.search(
        r"kgcn/ratings\.dat: \d+ of 1096 interactions with items that kgcn/item_index2entity_id\.txt lac", said
    )


def test_a_url_is_kept_in_the_folder_of_downloads(ran: Ran) -> None:
    (kept,) = (ran.workspace.root / "downloads").rglob("*.zip")
    assert kept.read_bytes() == (ran.workspace.root / "ml-1m.zip").read_bytes()


def test_a_wrong_checksum_and_a_broken_line_stop_the_check_and_touch_nothing(ran: Ran, tmp_path: Path) -> None:
    copy = ran.workspace.copy(tmp_path / "copy")
    before = copy.files()
    copy.change_params(lambda values: values["datasets"]["movielens"]["source"].update(sha256="0" * 64))
    plays = copy.root / "lastfm" / "user_artists.dat"
    plays.write_text(plays.read_text() + "7\tmany\t3\n")
    wrong = copy.run("check_tables", "movielens")
    assert_a_mistake_in_one_line(wrong, "/ml-1m.zip: found sha256 ", f", expected {'0' * 64}")
    assert_a_mistake_in_one_line(
        copy.run("check_tables", "lastfm"), "lastfm/user_artists.dat: column item_id, line 1098: found 'many', expected"
    )
    assert copy.files() == before
    assert [path.name for path in (copy.root / "downloads").rglob("*.zip")] == ["ml-1m.zip"]


def test_a_source_with_an_unknown_option_or_without_a_checksum_is_refused(ran: Ran, tmp_path: Path) -> None:
    copy = ran.workspace.copy(tmp_path / "copy", artifacts=False)
    copy.change_params(lambda values: values["datasets"]["lastfm"]["source"].update(min_play=2))
    message = "params.yaml: datasets.lastfm.source.min_play: found an unknown key, expected one of: "
    assert_a_mistake_in_one_line(copy.run("validate"), message, "(did you mean min_plays?)")
    copy.change_params(lambda values: values["datasets"]["lastfm"]["source"].pop("min_play"))
    copy.change_params(lambda values: values["datasets"]["movielens"]["source"].pop("sha256"))
    message = "params.yaml: datasets.movielens.source.sha256: found nothing, expected the checksum of the file at url"
    assert_a_mistake_in_one_line(copy.run("validate"), message)


RECIPES = {
    "recipes.jsonl": '{{"item_id": "r{item_id}", "title": "{title}", "tags": ["{genre}", "quick"]}}',
    "ratings.jsonl": '{{"user_id": {user_id}, "item_id": "r{item_id}", "rating": {rating}}}',
}


def test_the_reader_of_ones_own_that_the_documentation_shows_works(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "your_own_data.md").read_text()
    (reader,) = re.findall(r"```python\n# pipeline/data/sources/recipes\.py\n(.*?)```", page, re.DOTALL)
    (line,) = re.findall(r"```python\n# pipeline/data/sources/registry\.py\n(.*?)```", page, re.DOTALL)
    (entry,) = re.findall(r"```yaml\n(  recipes:\n.*?)```", page, re.DOTALL)
    assert line.count("\n") == 1
    workspace = make_workspace(tmp_path)
    # Beside the workspace's parameters, where Python looks first: the code as it is after the page's two edits.
    for package in ("pipeline", "stages"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pipeline" / "data" / "sources" / "recipes.py").write_text(reader)
    with (tmp_path / "pipeline" / "data" / "sources" / "registry.py").open("a") as registry:
        registry.write(line)
    params = tmp_path / "params.yaml"
    text = (ROOT / "params.yaml").read_text()
    start = text.index("datasets:\n  ml-100k:")
    params.write_text(text[:start] + "datasets:\n" + entry + text[text.index("\n# Models of the users", start) :])
    folder = tmp_path / "recipes"
    folder.mkdir()
    ratings, items = planted()
    (folder / "recipes.jsonl").write_text(lines(items, RECIPES["recipes.jsonl"]))
    (folder / "ratings.jsonl").write_text(lines(ratings, RECIPES["ratings.jsonl"]))
    results = [workspace.run_apart(stage, "recipes") for stage in ("validate", *STAGES)]
    assert [result.code for result in results] == [0] * 4, results
    assert SOURCE_KG.read("recipes", tmp_path).filter(head="recipe:r1").rows() == [
        ("recipe:r1", "tag", "comedy"),
        ("recipe:r1", "tag", "quick"),
    ]
    assert len(INTERACTIONS.read("recipes", tmp_path)) == len(ratings)
    (folder / "ratings.jsonl").write_text('{"user_id": 1, "item_id": "r1"}\n')
    assert_a_mistake_in_one_line(
        workspace.run_apart("check_tables", "recipes"), "recipes/ratings.jsonl: columns rating, like"
    )
    (folder / "ratings.jsonl").write_text("no json\n")
    assert_a_mistake_in_one_line(
        workspace.run_apart("check_tables", "recipes"), "recipes/ratings.jsonl: not readable as JSON"
    )
