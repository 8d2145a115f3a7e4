"""What a folder holds: the layout by its file names, and the tables that can be read."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from zipfile import is_zipfile

from pipeline.common.config import validated
from pipeline.common.errors import InputError, quoted, shortened
from pipeline.data.sources import SourceConfig
from pipeline.data.sources.amazon import is_amazon
from pipeline.data.sources.atomic import ENDINGS as ATOMIC_ENDINGS
from pipeline.data.sources.atomic import atomic_file, atomic_table
from pipeline.data.sources.book_crossing import BOOK_HEADER, RATING_HEADER
from pipeline.data.sources.delimited import ENDINGS, PLAIN, SEPARATORS, all_renamed, ending_of, names_for
from pipeline.data.sources.entity_names import with_names
from pipeline.data.sources.facts import facts_in, graph_of_facts
from pipeline.data.sources.files import PACKED, DataFile, Files, FilesSource, content_of
from pipeline.data.sources.goodreads import OF_BOOKS, OF_RATINGS
from pipeline.data.sources.goodreads_ucsd import is_goodreads_ucsd
from pipeline.data.sources.kgcn import KG_FILES, LINK_FILES
from pipeline.data.sources.mind import is_mind
from pipeline.data.sources.movielens import CSV_MOVIES, CSV_RATINGS
from pipeline.data.sources.not_rated import only_rated
from pipeline.data.sources.rows_are_likes import with_each_row_a_like
from pipeline.data.sources.steam import is_steam
from pipeline.data.sources.tables import (
    ENTITY_NAMES,
    NAMES,
    is_there,
    rdf_ending,
    read_file,
    refuse_two_graphs,
    table_file,
)
from pipeline.data.sources.tidy import GRAPH, RawTable, TidyTables, items_of
from pipeline.parameters.data_check.column_names import near
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
    "kg": "the item graph is made from it: columns head, relation, tail, one row for each fact, which may be the items' own "
    "categories, such as (item id, 'genre', 'Comedy')",
    "item_entities": "which entity of kg an item is: columns item_id, entity_id; the same id twice where kg has the items' ids",
}
# What an archive is called; a zip is known by its content.
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
# JSON lines under other endings, which may as well be other JSON.
OTHER_ENDINGS = {".ndjson": ".jsonl", ".json": ".jsonl", ".ndjson.gz": ".jsonl.gz", ".json.gz": ".jsonl.gz"}
SHEETS = (".xlsx", ".xls", ".xlsm", ".ods")
MAKE_IT = "make it from columns of the items"
# So many file names in a line.
SHOWN = 6


@dataclass(frozen=True)
class KnownBy:
    """A file that a published data set has.

    Attributes:
        names: one of these.
        header: columns that it has, where others have files of that name, too.
    """

    names: tuple[str, ...]
    header: tuple[str, ...] = ()

    def is_in(self, files: Files) -> bool:
        file = files.find(*self.names)
        return file is not None and (not self.header or set(self.header) <= _header(file))


# Published data sets by the files that they are known by; the first that has all is it.
PUBLISHED: tuple[tuple[str, tuple[KnownBy, ...]], ...] = (
    ("kgcn", (KnownBy(LINK_FILES), KnownBy(KG_FILES))),
    ("kgcn", (KnownBy(("ratings_final.txt",)), KnownBy(("kg_final.txt",)))),
    ("hetrec-lastfm", (KnownBy(("user_artists.dat",)), KnownBy(("artists.dat",)))),
    ("book-crossing", (KnownBy(("bx-book-ratings.csv",)),)),
    (
        "book-crossing",
        (
            KnownBy(("ratings.csv", "book-ratings.csv"), RATING_HEADER),
            KnownBy(("books.csv", "bx_books.csv"), BOOK_HEADER),
        ),
    ),
    ("goodreads", (KnownBy(("ratings.csv",), OF_RATINGS), KnownBy(("books.csv",), OF_BOOKS))),
    ("movielens", (KnownBy(("ratings.csv",), CSV_RATINGS), KnownBy(("movies.csv",), CSV_MOVIES))),
    ("movielens", (KnownBy(("ratings.dat",)), KnownBy(("movies.dat",)))),
    ("movielens", (KnownBy(("u.data",)), KnownBy(("u.item",)))),
)
# Others have names of their own in each category, or folders for their parts: they are known by what is in the files.
KNOWN_BY_CONTENT: tuple[tuple[str, Callable[[Files], bool]], ...] = (
    ("mind", is_mind),
    ("amazon", is_amazon),
    ("steam", is_steam),
    ("goodreads-ucsd", is_goodreads_ucsd),
)


def _header(file: DataFile) -> set[str]:
    """Columns that a file has, whatever separates them; so far as it can be read."""
    text = file.first_line().decode("utf-8-sig", errors="replace")
    return {name.strip().strip('"').strip() for name in re.split("[,;\t]", text)}


@dataclass(frozen=True)
class FolderTables:
    """
    Attributes:
        type: the reader, as `source.type` of params.yaml names it.
        raw: the tables that could be read, by name.
        errors: why the others could not.
        renamed: of each table, our names that a renaming gave, each with the name it was given for.
        remarks: what reading left out.
        graph: whether there is a knowledge graph, or should be one.
        described: whether there is a table of items.
        rows_are_likes: interactions have neither ratings nor likes.
        lacking: what is said of tables that are not there and need not be.
        proposed: columns of the items that could make the graph that is not there.
        tables: of a published data set, whose reader checks and mends them itself.
    """

    type: str
    raw: dict[str, RawTable] = field(default_factory=dict)
    errors: list[Finding] = field(default_factory=list)
    renamed: dict[str, dict[str, str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    graph: bool = True
    described: bool = True
    rows_are_likes: bool = False
    lacking: list[Finding] = field(default_factory=list)
    proposed: list[str] = field(default_factory=list)
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
    if facts and kind != "tables":
        raise InputError(f"--facts: found {quoted(facts[0])}, but {folder} is {kind}, whose reader makes the graph")
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
    raw: dict[str, RawTable] = {}
    errors: list[Finding] = []
    if facts:
        refuse_two_graphs(folder, facts)
    absent = _absent(folder, kind)
    graph = bool(facts) or not set(GRAPH) <= absent
    named = kind == "tables" and graph and not facts and is_there(folder, ENTITY_NAMES)
    for name in (*NAMES, ENTITY_NAMES) if named else NAMES:
        if name in (absent - set(GRAPH)) or (name in GRAPH and (facts or not graph)):
            continue
        try:
            path = table_file(folder, name) if kind == "tables" else atomic_file(folder, ATOMIC_ENDINGS[name])
        except InputError as error:
            errors.append(_not_found(error, folder, name, kind))
            continue
        try:
            raw[name] = read_file(path) if kind == "tables" else atomic_table(content_of(path), str(path))
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
    likes = _rows_are_likes(raw)
    if likes:
        raw["interactions"], of_likes = with_each_row_a_like(raw["interactions"])
        remarks += of_likes
    entities = raw.pop(ENTITY_NAMES, None)
    if entities is not None and set(GRAPH) <= set(raw):
        try:
            raw["kg"], of_names = with_names(raw["kg"], raw["item_entities"], entities)
            remarks += of_names
        except InputError as error:
            problem = str(error).removeprefix(f"{entities.file}: ")
            errors.append(Finding(problem, _names_meant(entities), entities.file))
    rated = raw.get("interactions")
    # Without a row there is one mistake, not one for each table.
    if "items" in absent and rated is not None and "item_id" in rated.frame.columns and len(rated.frame):
        raw["items"] = items_of(rated)
    # Items without an id are an error of their own, with what to do about it.
    if facts and "items" in raw and "item_id" in raw["items"].frame.columns:
        raw["kg"], raw["item_entities"] = graph_of_facts(raw["items"], facts)
    columns = facts_in(raw["items"].frame) if kind == "tables" and "items" in raw and not facts else []
    asked = " ".join(f"--facts {shlex.quote(name)}" for name in columns)
    if asked:
        errors = [_or_facts(error, asked) for error in errors]
    lacking = [_without_items(folder)] if "items" in absent else []
    if likes:
        lacking.append(Finding("there is no column rating or like: each row is a like", "", raw["interactions"].file))
    lacking += [] if graph else [_without_graph(folder, kind, asked)]
    proposed = [] if graph else columns
    return FolderTables(kind, raw, errors, names, remarks, graph, "items" not in absent, likes, lacking, proposed)


def _rows_are_likes(raw: Mapping[str, RawTable]) -> bool:
    """Whether interactions say who had to do with what, and nothing else that could be a rating under another name."""
    if "interactions" not in raw:
        return False
    columns = raw["interactions"].frame.columns
    return {"user_id", "item_id"} <= set(columns) and not any(
        name in columns or near(name, "interactions", raw) for name in ("rating", "like")
    )


def _absent(folder: Path, kind: str) -> set[str]:
    """Tables that are not there, nor anything that looks like them: data may come without items, and without a graph."""
    if kind == "atomic":
        absent = {name for name, ending in ATOMIC_ENDINGS.items() if not any(folder.glob(f"*{ending}"))}
    else:
        near = {name: _near(name, _files_in(folder)) for name in ("items", "kg")}
        absent = {name for name in NAMES if not is_there(folder, name) and not near.get(name)}
    return absent - {"interactions"} - (set() if set(GRAPH) <= absent else set(GRAPH))


def _names_meant(entities: RawTable) -> str:
    """What to rename in a table of names of entities."""
    columns = entities.frame.columns
    called = next((name for name in columns if name.lower() in ("label", "title", "entity_name", "entity_label")), None)
    probably = [(near("entity_id", ENTITY_NAMES, {ENTITY_NAMES: entities}), "entity_id"), (called, "name")]
    probably = [(theirs, ours) for theirs, ours in probably if ours not in columns]
    asked = " ".join(
        f"--rename {shlex.quote(f'{ENTITY_NAMES}.{theirs}={ours}')}" for theirs, ours in probably if theirs
    )
    return f"if that is it, {asked}" if asked else ""


def _without_items(folder: Path) -> Finding:
    return Finding(
        "there is no table items: the items are those that have ratings, shown by their ids", "", str(folder)
    )


def _without_graph(folder: Path, kind: str, asked: str) -> Finding:
    what = " and ".join(f"*{ATOMIC_ENDINGS[name]}" if kind == "atomic" else name for name in GRAPH)
    return Finding(
        f"there is no knowledge graph ({what})",
        f"{MAKE_IT}: {asked}" if asked else "",
        str(folder),
    )


def _or_facts(error: Finding, asked: str) -> Finding:
    """What else can be done where a table of the graph is missing."""
    if not error.problem.startswith("table kg: found nothing"):
        return error
    return replace(error, advice=f"{error.advice}; or make the graph from columns of the items: {asked}")


def layout(folder: Path) -> str:
    """The reader by the names of the files; `tables` where they say nothing.

    Raises:
        InputError: a file that is no zip.
    """
    if any((folder / f"{name}{ending}").is_file() for name in NAMES for ending in PLAIN):
        return "tables"
    if any(folder.glob("*.inter")):
        return "atomic"
    if any((folder / f"interactions{ending}").exists() for ending in ENDINGS):
        return "tables"
    files = FilesSource(type="any", path=str(folder)).files()
    # First, since MIND has two files of one name, which `find` refuses.
    content = next((kind for kind, knows in KNOWN_BY_CONTENT if knows(files)), None)
    if content is not None:
        return content
    known = (kind for kind, parts in PUBLISHED if all(part.is_in(files) for part in parts))
    return next(known, "tables")


def _unlike(folder: Path) -> str:
    """Why tables that are called as those of a published data set are not read as it."""
    files = FilesSource(type="any", path=str(folder)).files()
    for kind, parts in PUBLISHED:
        found = [(part, files.find(*part.names)) for part in parts]
        other = next((file for part, file in found if file is not None and not part.is_in(files)), None)
        if other is not None and all(file is not None for _, file in found):
            header = next(part.header for part, file in found if file is other)
            return f"(it is not {kind}, whose {other.name} has {', '.join(header)})"
    return ""


def _unknown_zip(path: Path) -> str:
    names = sorted(file.inside for file in FilesSource(type="any", path=str(path)).files())
    return (
        f"{path}: found a zip that is no known data set, with {_some(names)}; expected a folder for tables of your own; "
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
        if any((inner / f"{name}{ending}").exists() for name in NAMES for ending in ENDINGS):
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
    if problem == str(error):
        # Of a file that is there.
        file, _, problem = problem.partition(": ")
        return Finding(problem, file=file)
    if "found nothing" not in problem and "found none" not in problem:
        return Finding(problem, "keep one of them there", str(folder))
    advice = f"it is needed: {WHAT_FOR[name]}"
    near = _near(name, _files_in(folder)) if kind == "tables" else None
    if near is not None:
        ending = ending_of(near) or rdf_ending(near)
        right = "rename it" if ending else f"save it as {' or '.join(PLAIN)} and name it"
        for other, ours in OTHER_ENDINGS.items():
            if near.lower().endswith(other):
                right, ending = "and each of its lines is a JSON object, rename it", ours
        advice = f"if it is {near}, {right} {name}{ending or '.csv'}; {advice}"
        if name == "interactions" and (unlike := _unlike(folder)):
            advice = f"{advice} {unlike}"
    elif elsewhere := _elsewhere(folder):
        advice = f"{elsewhere}; {advice}"
    return Finding(problem, advice, str(folder))


def _files_in(folder: Path) -> list[str]:
    """Names of files that may be tables; a packed one is none to be renamed."""
    there = sorted(path.name for path in folder.iterdir() if path.is_file() or path.suffix == ".parquet")
    return [file for file in there if not file.lower().endswith(ARCHIVES)]


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
        return Finding(problem, "put text that contains the separator into double quotes", str(path))
    if "not a readable table" in problem:
        return Finding(problem, "a quote inside a quoted text is written twice", str(path))
    return Finding(problem, file=str(path))


def _separated_otherwise(path: Path, problem: str) -> str:
    whole = ending_of(path.name)
    ending = whole.removesuffix(PACKED)
    if ending not in SEPARATORS:
        return "save the file with tabs"
    for right, separator in SEPARATORS.items():
        if f"separated by {separator!r}" in problem:
            return f"rename it {path.name.removesuffix(whole)}{right}{whole.removeprefix(ending)}"
    return (
        "save the file with commas as .csv, or with tabs as .tsv, text that contains the separator in double quotes, and a point before "
        "decimals"
    )
