"""Reading a table from Parquet: a file, or a folder of parts as Spark and Dask write it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from pipeline.common.errors import InputError, shortened
from pipeline.common.memory import refuse_beyond_memory
from pipeline.data.sources.files import content_of
from pipeline.data.sources.tidy import RawTable

# Of a table in Parquet while it is read and checked: ids become strings, and are compared with each other.
MEMORY_PER_CELL = 40
# What in a folder of parts says that the parts are not the table, and how it becomes one.
OTHER_FOLDERS = {
    "_delta_log": "it may have parts that the Delta table no longer has; write it as plain Parquet",
    "_temporary": "the program that writes it has not finished; wait, or write it again",
}


def read_parquet(content: bytes, file: str) -> RawTable:
    """
    Raises:
        InputError: it is damaged, or larger than this machine's memory.
    """
    return RawTable(_frame(content, file, file, 0), file)


def read_parts(folder: Path) -> RawTable:
    """A folder's ``*.parquet``, by their names, numbers in these by size; what starts with a dot or ``_`` is no part.

    Raises:
        InputError: there is none, they do not have the same columns, or one cannot be read.
    """
    for name, advice in OTHER_FOLDERS.items():
        if (folder / name).exists():
            raise InputError(f"{folder}: found {name}, expected only parts: {advice}")
    meant = [path for path in folder.iterdir() if not path.name.startswith((".", "_"))]
    folders = sorted(path.name for path in meant if path.is_dir())
    if folders:
        raise InputError(
            f"{folder}: found the folder {shortened(folders[0])}, expected only parts; write it without partitions (Spark: no "
            "partitionBy; Dask: no partition_on)"
        )
    parts = sorted((path for path in meant if path.suffix == ".parquet"), key=_by_numbers)
    if not parts:
        there = shortened(", ".join(sorted(path.name for path in meant))) or "nothing"
        raise InputError(f"{folder}: found {there}, expected parts that end in .parquet")
    frames: list[pl.DataFrame] = []
    cells = 0
    for part in parts:
        try:
            content = content_of(part)
        except OSError as error:
            raise InputError(f"{part}: cannot be read: {error.strerror}") from None
        frame = _frame(content, str(part), str(folder), cells)
        cells += _values(content)
        if frames:
            _refuse_other_columns(frame, part, frames[0], parts[0])
        frames.append(frame.select(frames[0].columns) if frames else frame)
    return RawTable(pl.concat(frames, how="vertical_relaxed"), str(folder))


def _listed(frame: pl.DataFrame) -> str:
    # Names of Parquet may hold line breaks.
    return shortened(", ".join(" ".join(name.split()) for name in frame.columns))


def _refuse_other_columns(frame: pl.DataFrame, part: Path, first: pl.DataFrame, of_first: Path) -> None:
    if set(frame.columns) != set(first.columns):
        raise InputError(f"{part}: found columns {_listed(frame)}; expected those of {of_first.name}: {_listed(first)}")
    for name, dtype in frame.schema.items():
        wanted = first.schema[name]
        numbers = dtype.is_numeric() and wanted.is_numeric()
        if not (dtype == wanted or numbers or pl.Null in (dtype, wanted)):
            raise InputError(f"{part}: column {name}: found type {dtype}, expected {wanted} as in {of_first.name}")


def _frame(content: bytes, file: str, whole: str, cells: int) -> pl.DataFrame:
    """
    Args:
        cells: of what the whole has besides.
    """
    try:
        # By the numbers in its footer: equal values take next to nothing in a file. Those of lists are counted one by one.
        refuse_beyond_memory(whole, MEMORY_PER_CELL * (cells + _values(content)))
        return pl.read_parquet(content)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, OSError) as error:
        raise InputError(f"{file}: not a readable Parquet file: {' '.join(str(error).split())[:160]}") from None


def _values(content: bytes) -> int:
    """How many there are by the footer, each element of a list for itself."""
    footer = pq.read_metadata(io.BytesIO(content))
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    return sum(group.column(place).num_values for group in groups for place in range(group.num_columns))


def _by_numbers(path: Path) -> list[str | int]:
    """``part.10`` after ``part.9``: texts and numbers take turns."""
    return [int(piece) if place % 2 else piece for place, piece in enumerate(re.split(r"([0-9]+)", path.name))]
