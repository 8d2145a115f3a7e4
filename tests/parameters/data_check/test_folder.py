"""What a folder is, by the names of its files, and tables that are missing or cannot be read."""

from __future__ import annotations

import gzip
import re
import zipfile
from pathlib import Path

import polars as pl
import pytest

from pipeline.common.errors import InputError
from pipeline.parameters.data_check.check import Wishes
from pipeline.parameters.data_check.folder import layout
from pipeline.parameters.data_check.text import shown_check
from tests.parameters.data_check.worlds import checked, tables, write


def test_a_table_that_is_needed_is_an_error_that_says_what_it_is_for(tmp_path: Path) -> None:
    folder = write(tmp_path, left_out=("interactions", "kg"))
    rated, kg = checked(folder).errors
    assert "table interactions: found nothing, expected one of interactions.parquet" in rated.problem
    assert "user_id, item_id and rating" in rated.advice
    # Half a graph is none.
    assert "table kg: found nothing, expected one of kg.parquet, kg.csv, kg.tsv" in kg.problem
    assert "head, relation, tail" in kg.advice
    assert f"  items: 10 rows of item_id, title ({folder}/items.csv)" in shown_check(checked(folder)).splitlines()


def test_interactions_are_enough(tmp_path: Path) -> None:
    check = checked(write(tmp_path / "alone", left_out=("items", "kg", "item_entities")))
    assert check.usable, check.errors
    problems = [finding.problem for finding in check.warnings]
    assert problems[0] == "there is no table items: the items are those that have ratings, shown by their ids"
    assert problems[1] == "there is no knowledge graph (kg and item_entities)"
    assert problems[2] == "items: found no column of text: items are known only by their ratings"
    assert check.settings()["source"] == {"type": "tables", "path": check.source["path"], "graph": False}
    assert "s_m" not in check.settings()
    (error,) = checked(tmp_path / "alone", Wishes(s_m=2)).errors
    assert error.problem == "s_m: found 2, but there is no knowledge graph"
    lacking = "no texts, no knowledge graph: the models do without text, structure, entities and overlap"
    assert check.left_out() == lacking
    assert checked(write(tmp_path / "whole")).left_out() == ""


@pytest.mark.parametrize(("file", "name"), [("movies.csv", "items"), ("triples.tsv", "kg")])
def test_what_looks_like_a_table_that_need_not_be_is_an_error(file: str, name: str, tmp_path: Path) -> None:
    folder = write(tmp_path, left_out=("items", "kg", "item_entities"))
    (folder / file).write_text("a,b\n1,2\n")
    assert f"if it is {file}, rename it {name}." in checked(folder).errors[0].advice


def test_names_of_entities_are_read_and_their_mistakes_named(tmp_path: Path) -> None:
    folder = write(tmp_path)
    tail = tables()["kg"]["tail"][0]
    (folder / "entities.csv").write_text(f"entity_id,name\n{tail},A name\nnobody,Nobody\n")
    check = checked(folder)
    assert check.usable, check.errors
    assert check.counts is not None
    assert check.counts.relations == len(set(tables()["kg"]["relation"])) + 1
    assert any("1 of 2 entities are not in" in remark for remark in check.splits)
    (folder / "entities.csv").write_text(f"entity_id,title\n{tail},A name\n")
    (error,) = checked(folder).errors
    assert error.problem == "column name: not found; the file has: entity_id, title"
    assert error.advice == "if that is it, --rename entities.title=name"
    assert checked(folder, Wishes(rename={"entities.title": "name"})).usable


def test_a_graph_as_rdf_under_another_name_is_to_be_named(tmp_path: Path) -> None:
    folder = write(tmp_path, left_out=("kg",))
    (folder / "graph.ttl").touch()
    assert "if it is graph.ttl, rename it kg.ttl" in checked(folder).errors[0].advice


def test_half_of_recboles_format_is_enough(tmp_path: Path) -> None:
    rated = tables()["interactions"]
    text = "\n".join(
        ["user_id:token\titem_id:token\trating:float", *("\t".join(map(str, row)) for row in rated.rows())]
    )
    (tmp_path / "a.inter").write_text(text)
    check = checked(tmp_path)
    assert check.usable, check.errors
    assert check.warnings[1].problem == "there is no knowledge graph (*.kg and *.link)"
    assert check.source["graph"] is False
    (tmp_path / "a.kg").write_text("head_id:token\trelation_id:token\ttail_id:token\n1\tr\t2")
    assert "*.link: found none" in checked(tmp_path).errors[0].problem


@pytest.mark.parametrize(
    ("name", "file", "advice"),
    [
        ("interactions", "ratings.csv", "if it is ratings.csv, rename it interactions.csv"),
        ("interactions", "Interactions.xlsx", "if it is Interactions.xlsx, save it as"),
        ("items", "movies.tsv", "if it is movies.tsv, rename it items.tsv"),
        ("kg", "triples.parquet", "if it is triples.parquet, rename it kg.parquet"),
        ("item_entities", "item-entity.csv", "if it is item-entity.csv, rename it item_entities.csv"),
        ("interactions", "ratings.csv.gz", "if it is ratings.csv.gz, rename it interactions.csv.gz"),
        ("interactions", "ratings.parquet/_SUCCESS", "if it is ratings.parquet, rename it interactions.parquet"),
        (
            "interactions",
            "reviews.json.gz",
            "if it is reviews.json.gz, and each of its lines is a JSON object, rename it inter",
        ),
        (
            "items",
            "items.ndjson",
            "if it is items.ndjson, and each of its lines is a JSON object, rename it items.jsonl",
        ),
        ("item_entities", "itementities.csv", "if it is itementities.csv, rename it item_entities.csv"),
    ],
)
def test_a_file_with_another_name_is_proposed(name: str, file: str, advice: str, tmp_path: Path) -> None:
    folder = write(tmp_path, left_out=(name,))
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text("a,b\n")
    (found,) = checked(folder).errors
    assert advice in found.advice


@pytest.mark.parametrize("ending", [".jsonl", ".csv.gz"])
def test_tables_in_other_forms_are_checked_as_any(ending: str, tmp_path: Path) -> None:
    for name, frame in tables().items():
        text = frame.write_ndjson() if ending == ".jsonl" else frame.write_csv()
        content = gzip.compress(text.encode()) if ending == ".csv.gz" else text.encode()
        (tmp_path / f"{name}{ending}").write_bytes(content)
    check = checked(tmp_path)
    assert check.usable
    assert check.counts == checked(write(tmp_path / "plain")).counts


def test_parts_are_checked_as_any(tmp_path: Path) -> None:
    folder = write(tmp_path, left_out=("interactions",))
    parts = folder / "interactions.parquet"
    parts.mkdir()
    (parts / "_SUCCESS").touch()
    rated = tables()["interactions"]
    for number in range(3):
        rated[number::3].write_parquet(parts / f"part-0000{number}.snappy.parquet")
    check = checked(folder)
    assert check.usable
    assert check.files["interactions"].file == str(parts)
    rated[:1].write_csv(parts / "ratings.csv")
    (parts / "part-00000.snappy.parquet").write_bytes(b"")
    (found,) = checked(folder).errors
    assert "part-00000.snappy.parquet: not a readable Parquet file" in found.sentence()


def test_a_table_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    folder = write(tmp_path)
    tables()["kg"].write_parquet(folder / "kg.parquet")
    (found,) = checked(folder).errors
    assert "found kg.parquet and kg.csv" in found.problem
    assert found.advice == "keep one of them there"


def test_parts_behind_a_link_are_an_error_of_that_link(tmp_path: Path) -> None:
    folder = write(tmp_path / "data")
    (folder / "kg.csv").unlink()
    (tmp_path / "parts").mkdir()
    (folder / "kg.parquet").symlink_to(tmp_path / "parts")
    (found,) = checked(folder).errors
    assert found.sentence().startswith(f"{folder}/kg.parquet: found a link to a folder, behind which DVC does not look")
    assert not found.advice


def test_files_that_cannot_be_read_are_all_named(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "items.csv").write_bytes("item_id,title\n1,Käse\n".encode("latin-1"))
    (folder / "kg.csv").write_text("head,relation,tail\na,b\nc,d,e\nf\n")
    (folder / "item_entities.csv").write_text('item_id,entity_id\n1,"m\n')
    check = checked(folder)
    assert check.counts is None
    items, kg, links = check.errors
    assert items.sentence() == f"{folder}/items.csv: line 2: not UTF-8 text; expected the file in UTF-8"
    assert "UTF-8" in items.advice
    assert kg.problem == "line 2: found 2 fields, expected 3 as in the header (and 1 more)"
    assert "double quotes" in kg.advice
    assert "line 2: not a readable table" in links.problem


def test_columns_are_renamed_in_the_tables_that_could_be_read(tmp_path: Path) -> None:
    folder = write(tmp_path, {"interactions": tables()["interactions"].rename({"user_id": "who"})}, left_out=("kg",))
    (found,) = checked(folder, Wishes(rename={"who": "user_id", "head_": "head"})).errors
    assert "table kg: found nothing" in found.problem


def atomic(folder: Path, *, items: bool = True) -> Path:
    folder.mkdir()
    kinds = {"interactions": "inter", "items": "item", "kg": "kg", "item_entities": "link"}
    types = {"rating": "float", "title": "token_seq"}
    for name, frame in tables().items():
        if name == "items" and not items:
            continue
        header = {column: f"{column}:{types.get(column, 'token')}" for column in frame.columns}
        frame.rename(header).write_csv(folder / f"x.{kinds[name]}", separator="\t")
    return folder


def test_an_atomic_folder_is_recognised(tmp_path: Path) -> None:
    check = checked(atomic(tmp_path / "a"))
    assert check.usable
    assert check.source["type"] == "atomic"
    assert check.counts is not None
    assert check.counts.items_with_text == 10
    without = checked(atomic(tmp_path / "b", items=False))
    assert without.usable
    assert without.template is None
    assert without.counts is not None
    assert without.counts.items == 10


def test_an_atomic_folder_without_a_graph_says_so(tmp_path: Path) -> None:
    folder = atomic(tmp_path / "a")
    (folder / "x.kg").unlink()
    (found,) = checked(folder).errors
    assert "*.kg: found none" in found.problem


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (["ratings.csv", "movies.csv"], "movielens"),
        (["ml-1m/ratings.dat", "ml-1m/movies.dat"], "movielens"),
        (["u.data", "u.item", "u.genre"], "movielens"),
        (["BX-Book-Ratings.csv", "BX-Books.csv"], "book-crossing"),
        (["Ratings.csv", "Books.csv", "Users.csv"], "book-crossing"),
        (["user_artists.dat", "artists.dat", "tags.dat"], "hetrec-lastfm"),
        (["user_artists.dat", "item_index2entity_id.txt", "kg.txt"], "kgcn"),
        (["ratings_final.txt", "kg_final.txt"], "kgcn"),
        (["ratings.csv", "recipes.csv"], "tables"),
        (["ratings.csv", "movies.csv", "kg.csv"], "tables"),
        (["x.inter", "x.kg"], "atomic"),
        ([], "tables"),
    ],
)
def test_a_layout_is_known_by_its_files(files: list[str], kind: str, tmp_path: Path) -> None:
    headers = {
        "ratings.csv": "\ufeffuserId,movieId,rating,timestamp\r\n",
        "movies.csv": "movieId,title,genres\r\n",
        "Ratings.csv": '"User-ID";"ISBN";"Book-Rating"\n',
        "Books.csv": "ISBN,Book-Title,Book-Author,Year-Of-Publication,Publisher,Image-URL-S\n",
    }
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(headers.get(file, ""))
    assert layout(tmp_path) == kind


def renamed_files(folder: Path, *wanted: str) -> None:
    """What the check says of files that are called otherwise, done."""
    said = " ".join(error.advice for error in checked(folder).errors)
    found = re.findall(r"if it is (\S+), rename it ([^;\s]+)", said)
    assert [ours for _, ours in found] == list(wanted)
    for theirs, ours in found:
        (folder / theirs).rename(folder / ours)


# goodbooks-10k; films as many tutorials have them; MovieLens' ratings beside films of TMDB; MovieLens' names in another case.
OTHERS = [
    ("ratings.csv", "user_id,book_id,rating", "books.csv", "book_id,authors,title", ["book_id=item_id"]),
    (
        "ratings.csv",
        "userId,movieId,rating",
        "movies.csv",
        "movieId,genres,title",
        ["userId=user_id", "movieId=item_id"],
    ),
    (
        "ratings.csv",
        "userId,movieId,rating,timestamp",
        "movies.csv",
        "movieId,overview,title",
        ["userId=user_id", "movieId=item_id"],
    ),
    (
        "Ratings.csv",
        "UserId,ItemId,Rating,Timestamp",
        "Movies.csv",
        "ItemId,genres,title",
        ["UserId=user_id", "ItemId=item_id", "Rating=rating"],
    ),
]


@pytest.mark.parametrize(("ratings", "of_ratings", "items", "of_items", "renames"), OTHERS)
def test_common_names_with_other_columns_are_anybodys_tables_and_come_in_by_what_is_said(
    ratings: str, of_ratings: str, items: str, of_items: str, renames: list[str], tmp_path: Path
) -> None:
    folder = write(tmp_path / "t", left_out=("interactions", "items"))
    made = tables()
    kg, links = (folder / "kg.csv").rename(tmp_path / "kg.csv"), folder / "item_entities.csv"
    links.rename(tmp_path / "links")
    rated = made["interactions"].with_columns(timestamp=pl.Series(range(len(made["interactions"]))))
    rows = [of_ratings, *(",".join(map(str, row[: of_ratings.count(",") + 1])) for row in rated.rows())]
    (folder / ratings).write_text("\n".join(rows))
    rows = [of_items, *(f"{item},some text,{title}" for item, title in made["items"].rows())]
    (folder / items).write_text("\n".join(rows))
    check = checked(folder)
    assert check.source["type"] == "tables"
    assert len(check.errors) == 2
    published = "book-crossing" if "books" in items else "movielens"
    assert f"(it is not {published}, whose " in check.errors[0].advice
    renamed_files(folder, "interactions.csv", "items.csv")
    # The other two are made by hand.
    kg.rename(folder / "kg.csv")
    (tmp_path / "links").rename(links)
    said: list[str] = []
    for error in checked(folder).errors:
        said += re.findall(r"--rename (\S+)", error.advice)
    # The links are called as they should be, which a rename must not touch.
    assert sorted(set(said)) == sorted(renames)
    assert checked(folder, Wishes(rename=dict(pair.split("=") for pair in renames))).usable


@pytest.mark.parametrize("header", ["user_id,book_id,rating", "", "\0\0", "a" * 100_000])
def test_a_zip_with_common_names_and_other_columns_is_no_published_data_set(header: str, tmp_path: Path) -> None:
    folder = tmp_path / "t"
    folder.mkdir()
    (folder / "ratings.csv").write_text(header)
    (folder / "books.csv").write_text("book_id,title\n")
    with pytest.raises(InputError, match=r"that is no known data set, with books\.csv, ratings\.csv; expected"):
        checked(zipped(folder, tmp_path / "a.zip"))


def test_a_rename_is_taken_where_common_names_have_other_columns(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("user_id,book_id,rating\n1,2,3\n")
    (tmp_path / "books.csv").write_text("book_id,title\n2,Emma\n")
    assert len(checked(tmp_path, Wishes(rename={"book_id": "item_id"})).errors) == 2


def movielens(folder: Path) -> Path:
    """As GroupLens writes its latest sets."""
    folder.mkdir()
    rated = tables(users=20, items=30)["interactions"].rename({"item_id": "movieId"})
    rated = rated.with_columns(userId=pl.col("user_id").str.strip_prefix("u").cast(pl.Int64) + 1, timestamp=pl.lit(1))
    rated.select("userId", "movieId", "rating", "timestamp").write_csv(folder / "ratings.csv")
    films = {"movieId": range(30), "title": [f"Film, the {i}th ({1990 + i % 4})" for i in range(30)]}
    films["genres"] = ["Comedy|Drama" if i % 3 else "Horror" for i in range(30)]
    pl.DataFrame(films).write_csv(folder / "movies.csv")
    return folder


def test_a_published_data_set_is_read_by_its_own_reader(tmp_path: Path) -> None:
    check = checked(movielens(tmp_path / "ml"))
    assert check.usable, check.errors
    assert check.source == {"type": "movielens", "path": (tmp_path / "ml").as_posix()}
    assert check.counts is not None
    assert (check.counts.users, check.counts.items) == (20, 30)
    with pytest.raises(InputError, match=r"^--rename: found 'userId', but .* is movielens"):
        checked(tmp_path / "ml", Wishes(rename={"userId": "user_id"}))


def zipped(folder: Path, path: Path, below: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{below}{file.name}")
    return path


def test_a_zip_of_ones_own_tables_is_to_be_unpacked(tmp_path: Path) -> None:
    path = zipped(write(tmp_path / "t"), tmp_path / "my archive.zip")
    with pytest.raises(InputError) as error:
        checked(path)
    assert str(error.value) == (
        f"{path}: found a zip that is no known data set, with interactions.csv, item_entities.csv, items.csv, kg.csv; expected a folder "
        f"for tables of your own; unpack it and name the folder: unzip '{path}' -d 'my archive'"
    )
    # What it says to do does it, also where everything lies in a folder of the zip.
    inner = zipped(tmp_path / "t", tmp_path / "inner.zip", "data/")
    with zipfile.ZipFile(inner) as archive:
        archive.extractall(tmp_path / "inner")
    for found in checked(tmp_path / "inner").errors:
        assert found.advice.startswith(f"tables lie in {tmp_path / 'inner' / 'data'}: name that folder; it is needed")
    assert checked(tmp_path / "inner" / "data").usable


def test_a_zip_of_a_published_data_set_is_read_as_it_is(tmp_path: Path) -> None:
    check = checked(zipped(movielens(tmp_path / "ml"), tmp_path / "a.zip", "ml/"))
    assert check.usable
    assert check.source["type"] == "movielens"


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("empty.zip", b"PK\5\6" + bytes(18), "found a zip that is no known data set, with nothing in it; expected"),
        ("page.zip", b"<html>", "not a readable zip: File is not a zip file; expected a folder or a zip"),
        (
            "all.tar.gz",
            b"\x1f\x8b",
            "found an archive, expected a folder with interactions, items, kg, item_entities; unpack",
        ),
        ("ratings.xlsx", b"PK\5\6" + bytes(18), "found a spreadsheet, expected a folder with interactions, items, kg,"),
        (
            "ratings.csv",
            b"user_id,item_id,rating\n",
            "found a file, expected a folder with interactions, items, kg, item",
        ),
    ],
)
def test_a_file_in_place_of_a_folder_is_one_line(file: str, content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError) as error:
        checked(tmp_path / file)
    assert str(error.value).startswith(f"{tmp_path / file}: {expected}")


@pytest.mark.parametrize("packed", ["archive.zip", "interactions.csv.zip", "all.tar.gz"])
def test_a_folder_with_a_packed_file_alone_says_to_unpack_it(packed: str, tmp_path: Path) -> None:
    (tmp_path / packed).touch()
    found = checked(tmp_path).errors
    assert len(found) == 1
    assert found[0].advice.startswith(f"{packed} lies there: unpack it; it is needed: columns user_id, item_id")


def test_what_its_reader_says_of_a_published_data_set_is_an_error(tmp_path: Path) -> None:
    folder = movielens(tmp_path / "ml")
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,2,good,1\n")
    (found,) = checked(folder).errors
    assert "good" in found.problem


def without_a_graph(folder: Path) -> Path:
    items = tables()["items"].with_columns(
        tags=pl.Series(["a|b" if item % 2 else "b|c" for item in range(10)]),
        told=pl.lit("same"),
        code=pl.col("item_id") * 7,
    )
    return write(folder, {"items": items}, left_out=("kg", "item_entities"))


def test_columns_that_could_make_a_graph_are_proposed_where_there_is_none(tmp_path: Path) -> None:
    folder = without_a_graph(tmp_path / "without")
    check = checked(folder)
    assert check.usable, check.errors
    advice = {warning.problem: warning.advice for warning in check.warnings}
    made = "make it from columns of the items: --facts tags"
    joining = checked(folder, Wishes(facts=["tags"])).joining
    assert joining is not None
    said = f"{made}; s_m is then {joining.s_m}: {joining.sentence()}"
    assert advice["there is no knowledge graph (kg and item_entities)"] == said
    # What looks like one is to be named so.
    (folder / "triples.csv").touch()
    assert checked(folder).errors[0].advice.endswith("; or make the graph from columns of the items: --facts tags")
    # Where half of it is there, the other half is missing.
    found = checked(write(tmp_path / "half", left_out=("kg",))).errors
    assert "--facts" not in found[0].advice


def test_a_graph_of_facts_is_checked_like_any_other(tmp_path: Path) -> None:
    folder = without_a_graph(tmp_path)
    check = checked(folder, Wishes(facts=["tags"]))
    assert check.usable, check.errors
    assert check.counts is not None
    assert (check.counts.triples, check.counts.relations) == (20, 1)
    assert check.settings()["source"] == {"type": "tables", "path": folder.as_posix(), "facts": ["tags"]}
    with pytest.raises(
        InputError, match=r"source\.facts: found 'genre', expected columns of .*: title, tags, told, code"
    ):
        checked(folder, Wishes(facts=["genre"]))


def test_facts_are_refused_where_there_is_a_graph(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found kg\.csv and the facts title"):
        checked(write(tmp_path / "own"), Wishes(facts=["title"]))


def test_items_without_an_id_are_an_error_with_advice_where_facts_are_asked_for(tmp_path: Path) -> None:
    folder = without_a_graph(tmp_path)
    pl.read_csv(folder / "items.csv").rename({"item_id": "movieId"}).write_csv(folder / "items.csv")
    check = checked(folder, Wishes(facts=["tags"]))
    (error,) = check.errors
    assert error.problem.startswith("not found")
    assert "--rename movieId=item_id" in error.advice
    assert checked(folder, Wishes(facts=["tags"], rename={"movieId": "item_id"})).usable
