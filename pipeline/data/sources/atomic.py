"""A folder in RecBole's atomic file format: NAME.inter, NAME.item, NAME.kg, NAME.link.

Tab-separated, with a header of ``name:type`` fields; quotes are ordinary characters. ``.item`` may be missing: the items
are then those of the interactions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.common.errors import InputError, quoted
from pipeline.data.sources.beside_tables import BesideTables
from pipeline.data.sources.delimited import RENAME_MEANING, all_renamed, read_delimited, renamed
from pipeline.data.sources.files import content_of
from pipeline.data.sources.not_rated import NOT_RATED_MEANING, only_rated
from pipeline.data.sources.remote import here
from pipeline.data.sources.rows_are_likes import ROWS_ARE_LIKES_MEANING, with_each_row_a_like
from pipeline.data.sources.tidy import GRAPH, GRAPH_MEANING, RawTable, TidyTables, items_of, tidy

ENDINGS = {"interactions": ".inter", "items": ".item", "kg": ".kg", "item_entities": ".link"}
TYPES = ("token", "token_seq", "float", "float_seq")
OUR_NAMES = {"head_id": "head", "relation_id": "relation", "tail_id": "tail"}


class AtomicSource(BesideTables):
    type: Literal["atomic"] = Field(description="A folder in RecBole's atomic file format")
    path: str = Field(min_length=1, description="The folder, or its address in a store (`s3://`); DVC watches it")
    rename: dict[str, str] = Field(default_factory=dict, description=RENAME_MEANING)
    not_rated: list[float] = Field(default_factory=list, description=NOT_RATED_MEANING)
    graph: bool = Field(default=True, description=GRAPH_MEANING)
    rows_are_likes: bool = Field(default=False, description=ROWS_ARE_LIKES_MEANING)

    def read(self) -> TidyTables:
        """Read and check the folder.

        Raises:
            InputError: a file is missing, its header is not ``name:type``, or a table does not pass the checks.
        """
        folder = here(self.path)
        if not folder.is_dir():
            raise InputError(
                f"{folder}: folder not found; expected RecBole's .inter, .kg, .link and, optionally, .item files there"
            )
        names = ("interactions", *(["items"] if any(folder.glob("*.item")) else []), *(GRAPH if self.graph else ()))
        endings = {name: ENDINGS[name] for name in names}
        paths = {name: atomic_file(folder, ending) for name, ending in endings.items()}
        tables = all_renamed(
            {name: atomic_table(content_of(path), str(path)) for name, path in paths.items()}, self.rename
        )
        items = tables.get("items") or items_of(tables["interactions"])
        rated, remarks = only_rated(tables["interactions"], self.not_rated)
        if self.rows_are_likes:
            rated, of_likes = with_each_row_a_like(rated)
            remarks += of_likes
        checked = tidy(rated, items, *map(tables.get, GRAPH), links_may_name_unknown_items=True)
        checked.remarks[:0] = remarks
        return checked


def atomic_table(content: bytes, file: str) -> RawTable:
    """One atomic file as a table with plain column names, the knowledge graph's under our names.

    Raises:
        InputError: a header field has no known type.
    """
    table = read_delimited(content, file, "\t", quoted=False)
    plain = {}
    for name in table.frame.columns:
        column, colon, kind = name.rpartition(":")
        if not colon or kind not in TYPES:
            raise InputError(
                f"{file}: line 1: found header field {quoted(name)}, expected NAME:TYPE with TYPE one of {', '.join(TYPES)}"
            )
        plain[name] = column
    return renamed(renamed(table, plain), OUR_NAMES)


def atomic_file(folder: Path, ending: str) -> Path:
    """The file with an ending.

    Raises:
        InputError: there is none, or more than one.
    """
    found = sorted(path for path in folder.glob(f"*{ending}") if path.is_file())
    if len(found) != 1:
        what = ", ".join(path.name for path in found) or "none"
        raise InputError(f"{folder}: *{ending}: found {what}, expected exactly one such file")
    return found[0]
