"""Tables: Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from pipeline.artifacts.kinds import versions
from pipeline.artifacts.kinds.artifact import HERE, Artifact, flat
from pipeline.common.errors import InputError
from pipeline.common.row_keys import has_repeats, key_order

# Rows that are written together.
ROW_GROUP = 122_880
Columns = Mapping[str, type[pl.DataType] | pl.DataType]


@dataclass(frozen=True)
class Table(Artifact):
    """A Parquet table, one row per key.

    Attributes:
        columns: name to type; no NaN and nothing infinite, and no nulls but in ``nullable``.
        key: columns that identify a row; rows are stored in their order.
        holds: what must be true of every row, said in words to the expression that tells.
        more: further columns of any type are allowed (items carry whatever text columns their source has).
    """

    columns: Columns = field(default_factory=dict)
    key: tuple[str, ...] = ()
    nullable: frozenset[str] = frozenset()
    more: bool = False
    not_empty: bool = True
    holds: Mapping[str, pl.Expr] = field(default_factory=dict)

    def write(self, frame: pl.DataFrame, dataset: str, root: Path = HERE) -> None:
        """
        Args:
            frame: with Enums for texts within a list, if that saves memory.
        """
        content, blank = self.encoded(frame, self.name(dataset), self.at(dataset, root))
        self._write_sealed(content, blank, dataset, root)

    def encoded(self, frame: pl.DataFrame, name: str, path: Path) -> tuple[bytes, str]:
        """What a file at the path is to hold, and the blank seal in it."""
        names = [*self.columns, *(name for name in frame.columns if self.more and name not in self.columns)]
        # Not by `select`, which brings chunks of all columns in line, in a copy.
        kept = frame[names]
        order = key_order(kept, self.key)
        types = {name: _stored(dtype) for name, dtype in kept.schema.items()}
        self._check(kept, types, path, order.repeats)
        buffer, blank = io.BytesIO(), versions.blank(name)
        _in_pieces(kept, order.rows, types).sink_parquet(
            buffer, compression="zstd", statistics=True, row_group_size=ROW_GROUP, metadata={"seal": blank}
        )
        return buffer.getvalue(), blank

    def read(self, dataset: str, root: Path = HERE) -> pl.DataFrame:
        return self.decoded(*self._content(dataset, root))

    def decoded(self, content: bytes, path: Path) -> pl.DataFrame:
        """
        Raises:
            InputError: it is not such a table.
        """
        try:
            frame = pl.read_parquet(content)
        # polars has no common base class for what a damaged file can raise
        except (Exception, pl.exceptions.PanicException) as error:
            raise InputError(f"{path}: not a readable Parquet file: {flat(error)}") from None
        self._check(frame, frame.schema, path, bool(self.key) and has_repeats(frame, self.key))
        return frame

    def _check(self, frame: pl.DataFrame, types: Mapping[str, pl.DataType], path: Path, repeats: bool) -> None:
        for name, dtype in self.columns.items():
            if name not in frame.columns:
                raise InputError(f"{path}: column {name}: not found; expected columns: {', '.join(self.columns)}")
            if types[name] != dtype:
                raise InputError(f"{path}: column {name}: found type {types[name]}, expected {dtype}")
            _no_missing(frame[name], path, nulls=name in self.nullable)
        if not self.more and len(frame.columns) != len(self.columns):
            unknown = [name for name in frame.columns if name not in self.columns]
            raise InputError(f"{path}: column {unknown[0]}: unknown; expected columns: {', '.join(self.columns)}")
        if self.not_empty and frame.is_empty():
            raise InputError(f"{path}: found no rows, expected at least one")
        # Of lists it takes as much as the lists do: so many rows at a time. A rule about a row's place is asked of all at once.
        step = ROW_GROUP if any(dtype.is_nested() for dtype in types.values()) else max(len(frame), 1)
        for words, holds in self.holds.items():
            for start in range(0, len(frame), step):
                broken = frame[start : start + step].select((~holds).alias("broken"))["broken"].arg_true()
                if len(broken):
                    row = start + int(broken[0])
                    raise InputError(f"{path}: row {row}: found {frame.row(row)}, expected {words}")
        if repeats:
            raise InputError(f"{path}: found a repeated key, expected {', '.join(self.key)} to identify each row")


def _in_pieces(frame: pl.DataFrame, rows: pl.Series | None, types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """The rows in an order, so many at a time as are written together: a table in order would be there a second time.

    Args:
        rows: their order; None: as they are.
        types: of all columns, that they are written with.
    """

    def pieces(*_: object) -> Iterator[pl.DataFrame]:
        for start in range(0, max(len(frame), 1), ROW_GROUP):
            end = start + ROW_GROUP
            yield (frame[start:end] if rows is None else frame[rows[start:end]]).cast(pl.Schema(types)).rechunk()

    return register_io_source(pieces, schema=types)


def _stored(dtype: pl.DataType) -> pl.DataType:
    """The type that a column is written with: texts in a list may be an Enum before."""
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
        fields = [
            pl.Field(each.name, pl.String() if isinstance(each.dtype, pl.Enum) else each.dtype)
            for each in dtype.inner.fields
        ]
        return pl.List(pl.Struct(fields))
    return dtype


def _no_missing(column: pl.Series, path: Path, *, nulls: bool) -> None:
    bad = pl.repeat(False, len(column), eager=True) if nulls else column.is_null()
    if column.dtype.is_float():
        bad = bad | (column.is_nan() | column.is_infinite()).fill_null(False)
    if bad.any():
        raise InputError(
            f"{path}: column {column.name}, row {bad.arg_true()[0]}: found {column[int(bad.arg_true()[0])]}, expected a value"
        )
