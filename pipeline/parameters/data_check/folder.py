"""What a folder holds: the layout by its file names, and the tables that can be read."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from zipfile import is_zipfile

from pipeline.common.config import validated
from pipeline.common.errors import InputError, quoted, shortened
from pipeline.data.sources import SourceConfig
from pipeline.data.sources.atomic import ENDINGS as ATOMIC_ENDINGS
from pipeline.data.sources.atomic import atomic_file, atomic_table, items_of
from pipeline.data.sources.delimited import SEPARATORS, all_renamed, names_for, read_table
from pipeline.data.sources.facts import facts_in, graph_of_facts
from pipeline.data.sources.files import FilesSource, content_of
from pipeline.data.sources.kgcn import KG_FILES, LINK_FILES
from pipeline.data.sources.not_rated import only_rated
from pipeline.data.sources.tables import ENDINGS, NAMES, table_file, tables_read
from pipeline.data.sources.tidy import RawTable, TidyTables
from pipeline.parameters.data_check.findings import Finding

# What people call our tables.
OTHER_NAMES = {
    "interactions": ("ratings", "rating", "likes", "reviews", "votes", "events", "interaction", "ratings_data"),
    "items": ("item", "movies", "films", "books", "products", "recipes", "songs", "artists", "catalogue", "catalog"),
    "kg": ("triples", "graph", "knowledge_graph", "facts", "kg_final"),
    "item_entities": ("links", "link", "item_entity", "entities", "item2entity", "item_index2entity_id"),
}
WHAT_FOR = {
    "interactions": "columns user_id, item_id and rating or like",
    "items": "columns item_id and any text columns",
    "kg": "the item graph is made of it: columns head, relation, tail, one row for each fact, which may be the items' own "
    "categories, such as (item id, 'genre', 'Comedy')",
    "item_entities": "which entity of kg an item is: columns item_id, entity_id; the same id twice where kg has the items' ids",
}
# What an archive is called; a zip is known by its content.
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
SHEETS = (".xlsx", ".xls", ".xlsm", ".ods")
# So many file names in a line.
SHOWN = 6


# Published data sets by the files that they are known by, each by one of its names; the first that has all is it.
PUBLISHED: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("kgcn", (LINK_FILES, KG_FILES)),
    ("kgcn", (("ratings_final.txt",), ("kg_final.txt",))),
    ("hetrec-lastfm", (("user_artists.dat",), ("artists.dat",))),
    ("book-crossing", (("bx-book-ratings.csv",),)),
    ("book-crossing", (("ratings.csv", "book-ratings.csv"), ("books.csv", "bx_books.csv"))),
    ("movielens", (("ratings.csv",), ("movies.csv",))),
    ("movielens", (("ratings.dat",), ("movies.dat",))),
    ("movielens", (("u.data",), ("u.item",))),
)


@dataclass(frozen=True)
class FolderTables:
    """
    Attributes:
        type: the reader, as `source.type` of params.yaml names it.
        raw: the tables that could be read, by name.
        errors: why the others could not.
        renamed: of each table, our names that a renaming gave, each with the name it was given for.
        remarks: what reading left out.
        tables: of a published data set, whose reader checks and mends them itself.
    """

    type: str
    raw: dict[str, RawTable] = field(default_factory=dict)
    errors: list[Finding] = field(default_factory=list)
    renamed: dict[str, dict[str, str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    tables: TidyTables | None = None


def read_folder(
    folder: Path, rename: Mapping[str, str], not_rated: Sequence[float] = (), facts: Sequence[str] = ()
) -> FolderTables:
    """Read each table by itself, so that one that is missing or damaged does not hide what the others have.

    Args:
        folder: or, of a published data set, the zip that it came in.
        facts: columns of the items that the graph is made of.

    Raises:
        InputError: no such folder, names to rename that no table has, ratings to leave out where there are none, columns that are no
            facts, or a reader that does none of these.
    """
    if not folder.exists():
        raise InputError(f"{folder}: folder not found; expected {', '.join(NAMES)} there as {', '.join(ENDINGS)}")
    if folder.is_file() and not _may_be_published(folder):
        raise InputError(_no_folder(folder))
    kind = layout(folder)
    if kind == "tables" and folder.is_file():
        raise InputError(_unknown_zip(folder))
    if kind not in ("tables", "atomic"):
        if rename:
            raise InputError(
                f"--rename: found {next(iter(rename))!r}, but {folder} is {kind}, whose column names are fixed"
            )
        if not_rated:
            raise InputError(
                f"--not-rated: found {not_rated[0]:g}, but {folder} is {kind}, whose reader knows its ratings"
            )
        return _published(folder, kind)
    if facts and kind != "tables":
        raise InputError(f"--facts: found {quoted(facts[0])}, but {folder} is {kind}, whose graph is published with it")
    raw: dict[str, RawTable] = {}
    errors: list[Finding] = []
    for name in tables_read(folder, facts):
        if kind == "atomic" and name == "items" and not any(folder.glob("*.item")):
            if "interactions" in raw:
                raw[name] = items_of(raw["interactions"])
            continue
        try:
            path = table_file(folder, name) if kind == "tables" else atomic_file(folder, ATOMIC_ENDINGS[name])
        except InputError as error:
            errors.append(_not_found(error, folder, name, kind))
            continue
        try:
            raw[name] = read_table(path) if kind == "tables" else atomic_table(content_of(path), str(path))
        except (InputError, OSError) as error:
            errors.append(_unreadable(error, path))
    given = {name: names_for(name, table, rename).values() for name, table in raw.items()}
    names = {name: {rename[theirs]: theirs for theirs in of_table} for name, of_table in given.items()}
    if rename:
        # Where a table could not be read, a name may well be one of its columns.
        raw = all_renamed(raw, rename, known=not errors)
    remarks: list[str] = []
    if "interactions" in raw:
        raw["interactions"], remarks = only_rated(raw["interactions"], not_rated)
    if facts and "items" in raw:
        raw["kg"], raw["item_entities"] = graph_of_facts(raw["items"], facts)
    elif "items" in raw and not {"kg", "item_entities"} & set(raw):
        errors = _with_facts(errors, facts_in(raw["items"].frame))
    return FolderTables(kind, raw, errors, names, remarks)


def _with_facts(errors: Sequence[Finding], columns: Sequence[str]) -> list[Finding]:
    """What else can be done where there is no graph: it can be made out of columns of the items."""
    if not columns:
        return list(errors)
    asked = " ".join(f"--facts {shlex.quote(name)}" for name in columns)
    return [
        replace(error, advice=f"{error.advice}; or make the graph out of columns of the items: {asked}")
        if error.problem.startswith("table kg: found nothing")
        else error
        for error in errors
    ]


def layout(folder: Path) -> str:
    """The reader by the names of the files; `tables` where they say nothing.

    Raises:
        InputError: a file that is no zip.
    """
    if any((folder / f"{name}{ending}").is_file() for name in NAMES for ending in ENDINGS):
        return "tables"
    if any(folder.glob("*.inter")):
        return "atomic"
    files = FilesSource(type="any", path=str(folder)).files()
    known = (kind for kind, parts in PUBLISHED if all(files.find(*names) is not None for names in parts))
    return next(known, "tables")


def _unknown_zip(path: Path) -> str:
    names = sorted(file.inside for file in FilesSource(type="any", path=str(path)).files())
    return (
        f"{path}: found a zip of no published data set, with {_some(names)}; expected a folder for tables of your own; "
        f"unpack it and name the folder: unzip {shlex.quote(str(path))} -d {shlex.quote(path.stem)}"
    )


def _may_be_published(path: Path) -> bool:
    """A zip, or a file that is called one; spreadsheets are zips, too."""
    suffix = path.suffix.lower()
    return suffix == ".zip" or (suffix not in SHEETS and is_zipfile(path))


def _no_folder(path: Path) -> str:
    if path.suffix.lower() in SHEETS:
        return (
            f"{path}: found a spreadsheet, expected a folder with {', '.join(NAMES)}; save each sheet there as .csv (in a spreadsheet: "
            "'CSV UTF-8')"
        )
    if path.name.lower().endswith(ARCHIVES):
        return f"{path}: found an archive, expected a folder with {', '.join(NAMES)}; unpack it and name the folder"
    return (
        f"{path}: found a file, expected a folder with {', '.join(NAMES)}, or the zip of a published data set; "
        "put the table into a folder, under one of these names"
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(shortened(name) for name in names[:SHOWN]) or "nothing in it") + more


def _elsewhere(folder: Path) -> str:
    """Where the tables may lie, if none is in the folder itself."""
    for inner in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if any((inner / f"{name}{ending}").is_file() for name in NAMES for ending in ENDINGS):
            return f"tables lie in {inner}: name that folder"
    packed = sorted(path.name for path in folder.iterdir() if path.name.lower().endswith(ARCHIVES))
    return f"{_some(packed)} lies there: unpack it" if packed else ""


def _published(folder: Path, kind: str) -> FolderTables:
    source = validated(SourceConfig, {"source": {"type": kind, "path": folder.as_posix()}}, "").source
    try:
        return FolderTables(kind, tables=source.read())
    except InputError as error:
        return FolderTables(kind, errors=[Finding(str(error))])


def _not_found(error: InputError, folder: Path, name: str, kind: str) -> Finding:
    problem = str(error).removeprefix(f"{folder}: ")
    there = sorted(path.name for path in folder.iterdir() if path.is_file())
    if "found nothing" not in problem and "found none" not in problem:
        return Finding(problem, "keep one of them there", str(folder))
    advice = f"it is needed: {WHAT_FOR[name]}"
    # A packed file is none to be renamed.
    plain = [file for file in there if not file.lower().endswith(ARCHIVES)]
    near = _near(name, plain) if kind == "tables" else None
    if near is not None:
        ending = Path(near).suffix
        right = "rename it" if ending in ENDINGS else f"save it as {' or '.join(ENDINGS)} and name it"
        advice = f"if it is {near}, {right} {name}{ending if ending in ENDINGS else '.csv'}; {advice}"
    elif elsewhere := _elsewhere(folder):
        advice = f"{elsewhere}; {advice}"
    return Finding(problem, advice, str(folder))


def _near(name: str, files: Sequence[str]) -> str | None:
    """The file that is probably meant by a table's name."""
    taken = {f"{other}{ending}" for other in NAMES for ending in ENDINGS}
    stems = {file.split(".")[0].lower().replace("-", "_"): file for file in reversed(files) if file not in taken}
    for candidate in (name, *OTHER_NAMES[name]):
        if candidate in stems:
            return stems[candidate]
    close = difflib.get_close_matches(name, stems, n=1, cutoff=0.8)
    return stems[close[0]] if close else None


def _unreadable(error: InputError | OSError, path: Path) -> Finding:
    if isinstance(error, OSError):
        return Finding(f"cannot be read: {error.strerror}", file=str(path))
    problem = str(error).removeprefix(f"{path}: ")
    if "not UTF-8" in problem:
        return Finding(problem, "save it again as UTF-8 (in a spreadsheet: 'CSV UTF-8')", str(path))
    if "look separated by" in problem:
        return Finding(problem, _separated_otherwise(path, problem), str(path))
    if "which is for spreadsheets" in problem:
        return Finding(problem, "remove this line", str(path))
    if "found 1 fields, expected" in problem:
        return Finding(
            problem, "remove the line if it is empty, or write the header's separator between its fields", str(path)
        )
    if "fields, expected" in problem:
        return Finding(problem, "a text that holds the separator goes into double quotes", str(path))
    if "not a readable table" in problem:
        return Finding(problem, "a quote inside a quoted text is written twice", str(path))
    return Finding(problem, file=str(path))


def _separated_otherwise(path: Path, problem: str) -> str:
    for ending, separator in SEPARATORS.items():
        if f"separated by {separator!r}" in problem and path.suffix in SEPARATORS:
            return f"rename it {path.stem}{ending}"
    if path.suffix not in SEPARATORS:
        return "save the file with tabs"
    return (
        "save the file with commas as .csv, or with tabs as .tsv, a text that holds the separator in double quotes, and a point before "
        "decimals"
    )
