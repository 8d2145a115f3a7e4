"""A folder with the four tidy tables, each as Parquet, CSV, TSV or JSON lines; or fewer: see `TablesSource`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.common.errors import InputError
from pipeline.data.sources.beside_tables import BesideTables
from pipeline.data.sources.delimited import ENDINGS, PLAIN, RENAME_MEANING, all_renamed, read_table
from pipeline.data.sources.entity_names import with_names
from pipeline.data.sources.facts import FACTS_MEANING, graph_of_facts
from pipeline.data.sources.files import PACKED, UNWATCHED, content_of
from pipeline.data.sources.not_rated import NOT_RATED_MEANING, only_rated
from pipeline.data.sources.rdf import FORMATS, read_rdf
from pipeline.data.sources.remote import here
from pipeline.data.sources.rows_are_likes import ROWS_ARE_LIKES_MEANING, with_each_row_a_like
from pipeline.data.sources.tidy import GRAPH, GRAPH_MEANING, RawTable, TidyTables, items_of, tidy

NAMES = ("interactions", "items", *GRAPH)
# What its entities are called, beside a graph.
ENTITY_NAMES = "entities"
# A graph may be RDF as well.
OF_RDF = (*FORMATS, *(f"{ending}{PACKED}" for ending in FORMATS))
ENDINGS_OF = {"kg": (*ENDINGS, *OF_RDF)}


class TablesSource(BesideTables):
    type: Literal["tables"] = Field(description="A folder with the four tidy tables")
    path: str = Field(min_length=1, description="The folder, or its address in a store (`s3://`); DVC watches it")
    rename: dict[str, str] = Field(default_factory=dict, description=RENAME_MEANING)
    not_rated: list[float] = Field(default_factory=list, description=NOT_RATED_MEANING)
    facts: list[str] = Field(default_factory=list, description=FACTS_MEANING)
    graph: bool = Field(default=True, description=GRAPH_MEANING)
    rows_are_likes: bool = Field(default=False, description=ROWS_ARE_LIKES_MEANING)

    def read(self) -> TidyTables:
        """Read and check the folder's four tables; with `facts` two, out of which the others are made; without `graph` two at most.

        Without a table of items they are known by the ids that the interactions have.

        Raises:
            InputError: a table is missing, there twice under two endings, one of two for the same, or does not pass the checks.
        """
        folder = here(self.path)
        if not folder.is_dir():
            found = "found a file" if folder.exists() else "folder not found"
            raise InputError(f"{folder}: {found}; expected {', '.join(NAMES)} there as {', '.join(ENDINGS)}")
        names = tables_read(folder, self.facts, graph=self.graph)
        read = all_renamed({name: read_named(folder, name) for name in names}, self.rename)
        items = read.get("items") or items_of(read["interactions"])
        rated, remarks = only_rated(read["interactions"], self.not_rated)
        if self.rows_are_likes:
            rated, of_likes = with_each_row_a_like(rated)
            remarks += of_likes
        kg, item_entities = graph_of_facts(items, self.facts) if self.facts else map(read.get, GRAPH)
        if kg and item_entities and ENTITY_NAMES in read:
            kg, of_names = with_names(kg, item_entities, read[ENTITY_NAMES])
            remarks += of_names
        tables = tidy(rated, items, kg, item_entities, links_may_name_unknown_items="items" not in read)
        tables.remarks[:0] = remarks
        return tables


def tables_read(folder: Path, facts: Sequence[str], *, graph: bool = True) -> tuple[str, ...]:
    """Which tables are read: the items where they are there; kg, item_entities, and names of entities where they are there, where
    there is a graph that no facts make.

    Raises:
        InputError: a graph is there, and is to be made out of columns as well; or there is to be none, and facts make one.
    """
    names = tuple(name for name in NAMES if name != "items" or is_there(folder, name))
    if not facts and graph:
        return (*names, ENTITY_NAMES) if is_there(folder, ENTITY_NAMES) else names
    if not facts:
        return tuple(name for name in names if name not in GRAPH)
    if not graph:
        raise InputError(f"source.facts: found {', '.join(facts)} with graph: false, expected one of the two")
    refuse_two_graphs(folder, facts)
    return tuple(name for name in names if name not in GRAPH)


def refuse_two_graphs(folder: Path, facts: Sequence[str]) -> None:
    """
    Raises:
        InputError: a graph is there, and is to be made out of columns as well.
    """
    for name in GRAPH:
        for ending in ENDINGS_OF.get(name, ENDINGS):
            if _is_there(folder / f"{name}{ending}"):
                raise InputError(
                    f"{folder}: found {name}{ending} and the facts {', '.join(facts)}, expected one of the two: facts make the graph in "
                    f"place of {' and '.join(GRAPH)}"
                )


def is_there(folder: Path, name: str) -> bool:
    """Whether a folder has a table, under whatever ending."""
    return any(_is_there(folder / f"{name}{ending}") for ending in ENDINGS_OF.get(name, ENDINGS))


def read_named(folder: Path, name: str) -> RawTable:
    """
    Raises:
        InputError: there is no such table, more than one, or one that cannot be read.
    """
    return read_file(table_file(folder, name))


def read_file(path: Path) -> RawTable:
    """A table, or triples as RDF.

    Raises:
        InputError: it cannot be read as what its ending says.
    """
    ending = rdf_ending(path.name)
    return read_rdf(content_of(path), str(path), ending.removesuffix(PACKED)) if ending else read_table(path)


def rdf_ending(name: str) -> str:
    """Which of `OF_RDF` a file's name has; an empty text where it is none."""
    return next((ending for ending in OF_RDF if name.endswith(ending)), "")


def optional_table(folder: Path, name: str) -> Path | None:
    """As `table_file`; None where there is none."""
    return table_file(folder, name) if any(_is_there(folder / f"{name}{ending}") for ending in ENDINGS) else None


def table_file(folder: Path, name: str) -> Path:
    """The file of one of the four tables, or the folder with its parts.

    Raises:
        InputError: there is none, or more than one; or a link to a folder.
    """
    found = [path for ending in PLAIN if (path := folder / f"{name}{ending}").is_file()]
    endings = ENDINGS_OF.get(name, ENDINGS)
    found = found or [path for ending in endings if _is_there(path := folder / f"{name}{ending}")]
    if len(found) != 1:
        what = " and ".join(path.name for path in found) or "nothing"
        plain = ", ".join(f"{name}{ending}" for ending in PLAIN)
        raise InputError(
            f"{folder}: table {name}: found {what}, expected one of {plain}, or {', '.join(endings[len(PLAIN) :])}"
        )
    if found[0].is_dir() and found[0].is_symlink():
        raise InputError(f"{found[0]}: {UNWATCHED}")
    return found[0]


def _is_there(path: Path) -> bool:
    """A file or a folder.

    Raises:
        InputError: it is anything else: a pipe might never come to an end, and a link to a disk that is not there is no missing table.
    """
    there = path.is_file() or path.is_dir()
    if not there and os.path.lexists(path):
        what = (
            "a link that leads nowhere"
            if path.is_symlink() and not path.exists()
            else "something that is not a file, such as a device"
        )
        raise InputError(f"{path}: found {what}, expected a table or nothing")
    return there
