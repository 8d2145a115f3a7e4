"""Tables: Parquet."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipeline.artifacts.kinds import versions
from pipeline.artifacts.kinds.artifact import HERE, Artifact, flat
from pipeline.common.errors import InputError
from pipeline.common.row_keys import has_repeats, in_key_order

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
        content, blank = self.encoded(frame, self.name(dataset), self.at(dataset, root))
        self._write_sealed(content, blank, dataset, root)

    def encoded(self, frame: pl.DataFrame, name: str, path: Path) -> tuple[bytes, str]:
        """What a file at the path is to hold, and the blank seal in it."""
        names = [*self.columns, *(name for name in frame.columns if self.more and name not in self.columns)]
        ordered = in_key_order(frame.select(names), self.key).rechunk()
        self._check(ordered, path)
        buffer, blank = io.BytesIO(), versions.blank(name)
        ordered.write_parquet(buffer, compression="zstd", statistics=True, metadata={"seal": blank})
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
        self._check(frame, path)
        return frame

    def _check(self, frame: pl.DataFrame, path: Path) -> None:
        for name, dtype in self.columns.items():
            if name not in frame.columns:
                raise InputError(f"{path}: column {name}: not found; expected columns: {', '.join(self.columns)}")
            if frame.schema[name] != dtype:
                raise InputError(f"{path}: column {name}: found type {frame.schema[name]}, expected {dtype}")
            _no_missing(frame[name], path, nulls=name in self.nullable)
        if not self.more and len(frame.columns) != len(self.columns):
            unknown = [name for name in frame.columns if name not in self.columns]
            raise InputError(f"{path}: column {unknown[0]}: unknown; expected columns: {', '.join(self.columns)}")
        if self.not_empty and frame.is_empty():
            raise InputError(f"{path}: found no rows, expected at least one")
        for words, holds in self.holds.items():
            broken = frame.select((~holds).alias("broken"))["broken"].arg_true()
            if len(broken):
                raise InputError(f"{path}: row {broken[0]}: found {frame.row(broken[0])}, expected {words}")
        if self.key and has_repeats(frame, self.key):
            raise InputError(f"{path}: found a repeated key, expected {', '.join(self.key)} to identify each row")


def _no_missing(column: pl.Series, path: Path, *, nulls: bool) -> None:
    bad = pl.repeat(False, len(column), eager=True) if nulls else column.is_null()
    if column.dtype.is_float():
        bad = bad | (column.is_nan() | column.is_infinite()).fill_null(False)
    if bad.any():
        raise InputError(
            f"{path}: column {column.name}, row {bad.arg_true()[0]}: found {column[int(bad.arg_true()[0])]}, expected a value"
        )
