"""Files of vectors beside the tables: found by what is in them, and read as they would be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.common.errors import InputError, quoted
from pipeline.data.sources.beside_tables import NAME, TAKEN
from pipeline.data.sources.item_vectors import NPY, PARQUET, vector_columns, vectors_in
from pipeline.data.sources.tables import ENTITY_NAMES, NAMES
from pipeline.parameters.data_check.findings import Finding

DO_WITHOUT = "correct it and run this again; otherwise these vectors are not read"


@dataclass(frozen=True)
class FoundVectors:
    """
    Attributes:
        width: numbers in each.
        items: that have one.
    """

    width: int
    items: int


def found_vectors(folder: Path, ids: pl.Series) -> tuple[dict[str, FoundVectors], list[Finding]]:
    """Vectors that can be used, by name; and why others cannot.

    Args:
        ids: of the items, in the order of their table.
    """
    found, warnings = dict[str, FoundVectors](), list[Finding]()
    files = (
        [path for path in sorted(folder.iterdir()) if path.is_file() and _has_vectors(path)] if folder.is_dir() else []
    )
    for name in dict.fromkeys(path.stem for path in files):
        file = next(path for path in files if path.stem == name)
        if not re.fullmatch(NAME, name) or name in TAKEN:
            warnings.append(
                Finding(
                    f"found vectors called {quoted(name)}, expected a letter of a-z, then letters, digits and _, and none of "
                    + ", ".join(TAKEN),
                    "rename it to use them; otherwise they are not read",
                    str(file),
                )
            )
            continue
        try:
            table, _ = vectors_in(folder, [name], ids)
        except InputError as error:
            warnings.append(Finding(str(error), DO_WITHOUT))
            continue
        found[name] = FoundVectors(table.schema[name].size, len(table))  # type: ignore[attr-defined]
    return found, warnings


def _has_vectors(file: Path) -> bool:
    """Whether it looks like it; what cannot be read says nothing."""
    try:
        if file.suffix == PARQUET and file.stem not in (*NAMES, ENTITY_NAMES):
            schema = pl.read_parquet_schema(file)
            return "item_id" in schema and bool(vector_columns(schema))
        return file.suffix == NPY and np.load(file, mmap_mode="r", allow_pickle=False).ndim == 2
    # Of a damaged file, each in its own way.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, EOFError, SyntaxError):
        return False
