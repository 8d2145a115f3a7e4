"""Vectors that somebody has of the items beside the tables: of audio, or by an encoder of their own.

Each kind is a file in the folder of the tables, `NAME.parquet` (item_id and a list of numbers in each row) or `NAME.npy` (a row of numbers
for each item, with the ids in `NAME.txt`, one a line, or else in the order of the table of items).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from pipeline.common.errors import InputError, quoted, shortened
from pipeline.common.memory import refuse_beyond_memory
from pipeline.data.sources.delimited import read_table
from pipeline.data.sources.files import DataFile
from pipeline.data.sources.lines import read_lines
from pipeline.data.sources.tidy import RawTable, read_ids

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARQUET, NPY, IDS = ".parquet", ".npy", ".txt"
WIDEST = 65_536
# While they are read, for each number: as it is in the file, and as float32.
MEMORY_PER_NUMBER = 16
NO_VECTORS = pl.DataFrame(schema={"item_id": pl.String})


def vectors_in(folder: Path, names: Sequence[str], ids: pl.Series) -> tuple[pl.DataFrame, list[str]]:
    """Vectors by their names, checked.

    Args:
        ids: of the items, in the order of their table.

    Returns:
        item_id and a column of float32 vectors for each name, null where an item has none or zeros, of items that have any; and counts.

    Raises:
        InputError: a file is not there, twice there, or cannot be read; a vector has another width than the first, or a number that is
            none; an item has two; or no item of the data set has one that is not of zeros.
    """
    if not names:
        return NO_VECTORS, []
    table, remarks = ids.to_frame("item_id"), list[str]()
    for name in names:
        frame, said = read_vectors(_file_of(folder, name), name, ids)
        remarks += said
        table = table.join(frame, on="item_id", how="left", maintain_order="left")
    return table.filter(pl.any_horizontal(pl.col(names).is_not_null())), remarks


def read_vectors(file: Path, name: str, ids: pl.Series) -> tuple[pl.DataFrame, list[str]]:
    """One file of vectors.

    Returns:
        item_id and ``name``, of the items of the data set that have one; and what was counted.

    Raises:
        InputError: see `vectors_in`.
    """
    table, matrix, row = _of_parquet(file) if file.suffix == PARQUET else _of_npy(file, ids)
    with np.errstate(over="ignore"):
        vectors = matrix.astype(np.float32, copy=False)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        place = int(bad[0])
        number = matrix[place][~np.isfinite(vectors[place])][0]
        more = f" (and {len(bad) - 1} more rows)" if len(bad) > 1 else ""
        raise InputError(f"{file}: row {row[place]}: found {number}{more}, expected only finite float32 numbers")
    read = read_ids(table, "item_id")
    if read.bad.any():
        raise InputError(
            f"{table.file}: column item_id, row {row[int(read.bad.arg_true()[0])]}: found no value, expected an id"
        )
    again = ~read.values.is_first_distinct()
    if again.any():
        place = int(again.arg_true()[0])
        raise InputError(
            f"{file}: row {row[place]}: found item {quoted(read.values[place])} a second time, expected it once"
        )
    known = read.values.is_in(ids.implode())
    if not known.any():
        first = f"the first is {quoted(read.values[0])}" if len(read.values) else "and no rows at all"
        raise InputError(f"{file}: found no item of the data set, {first}; expected ids as in the table of items")
    # Of zeros a vector says nothing: a model knows it as that of an item that has none.
    there = known & pl.Series(vectors.any(axis=1))
    if not there.any():
        raise InputError(f"{file}: found zeros alone, which stand for no vector; expected numbers, or no such file")
    column = pl.Series(name, vectors[there.to_numpy()], dtype=pl.Array(pl.Float32, vectors.shape[1]))
    remarks = []
    if not known.all():
        remarks.append(f"{file}: {int((~known).sum()):,} vectors of items that are not in the data set are left out")
    if (without := len(ids) - int(there.sum())) > 0:
        remarks.append(f"{file}: {without:,} of {len(ids):,} items have no vector, and are not known by it")
    return pl.DataFrame([read.values.filter(there).alias("item_id"), column]), remarks


def lying_in(folder: Path, names: Sequence[str]) -> list[str]:
    """Those of the names that a folder has a file of."""
    return [name for name in names if any((folder / f"{name}{ending}").exists() for ending in (PARQUET, NPY))]


def _file_of(folder: Path, name: str) -> Path:
    found = [path for ending in (PARQUET, NPY) if (path := folder / f"{name}{ending}").exists()]
    if len(found) != 1:
        what = " and ".join(path.name for path in found) or "neither"
        raise InputError(
            f"source.vectors: {folder}: found {what}, expected one of {name}{PARQUET} and {name}{NPY} there"
        )
    return found[0]


def _of_parquet(file: Path) -> tuple[RawTable, NDArray[Any], Sequence[int]]:
    """The rows that have a vector, the vectors, and which rows of the file these are."""
    table = read_table(file)
    columns = vector_columns(table.frame.schema)
    if len(columns) != 1:
        found = shortened(", ".join(columns)) or "none"
        raise InputError(f"{file}: found {found} with lists of numbers, expected one such column beside item_id")
    (column,) = columns
    there = table.frame[column].is_not_null()
    frame, row = table.frame.filter(there), there.arg_true().to_list()
    lists = frame[column]
    if isinstance(lists.dtype, pl.Array):
        width = lists.dtype.size
        lists = lists.arr.to_list()
    else:
        lengths = lists.list.len()
        width = int(lengths[0]) if len(lengths) else 0
        other = (lengths != width).arg_true()
        if len(other):
            place = int(other[0])
            raise InputError(
                f"{file}: column {column}, row {row[place]}: found {lengths[place]} numbers, expected {width} as in the first row"
            )
    if not 0 < width <= WIDEST:
        raise InputError(f"{file}: column {column}: found vectors of {width} numbers, expected 1 to {WIDEST:,}")
    numbers = lists.explode()
    if numbers.has_nulls():
        place = int(numbers.is_null().arg_true()[0]) // width
        raise InputError(
            f"{file}: column {column}, row {row[place]}: found no value in a vector, expected only numbers"
        )
    return RawTable(frame, str(file)), numbers.to_numpy().reshape(-1, width), row


def vector_columns(schema: Mapping[str, pl.DataType]) -> list[str]:
    """Columns with lists of numbers."""
    return [
        name
        for name, kind in schema.items()
        if isinstance(kind, pl.List | pl.Array) and kind.inner is not None and kind.inner.is_numeric()
    ]


def _of_npy(file: Path, ids: pl.Series) -> tuple[RawTable, NDArray[Any], Sequence[int]]:
    try:
        # Nothing of it is run, and no more is read than what it says of itself, before its size is known.
        matrix = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise InputError(f"{file}: not a readable npy file: {' '.join(str(error).split())[:160]}") from None
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiu" or not 0 < matrix.shape[1] <= WIDEST:
        shape = " x ".join(map(str, matrix.shape))
        raise InputError(f"{file}: found an array of {matrix.dtype}, {shape}; expected numbers, a row for each item")
    refuse_beyond_memory(str(file), MEMORY_PER_NUMBER * matrix.size)
    beside = file.with_suffix(IDS)
    if beside.is_file():
        said = pl.Series("item_id", read_lines(DataFile(beside, beside.name), "utf-8"), dtype=pl.String)
        said_in, expected = beside, f"one for each of the {len(said):,} ids in {beside}"
    else:
        said, said_in = ids, file
        expected = f"one for each of the {len(ids):,} items, or the ids of these rows in {beside.name}"
    if len(said) != len(matrix):
        raise InputError(f"{file}: found {len(matrix):,} rows, expected {expected}")
    return RawTable(said.to_frame("item_id"), str(said_in)), np.asarray(matrix), range(len(matrix))
