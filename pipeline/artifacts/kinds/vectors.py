"""Vectors for an index: a folder of two tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from pipeline.artifacts.kinds.artifact import HERE, Artifact, existing
from pipeline.artifacts.kinds.seal import check_seal, sealed
from pipeline.artifacts.kinds.table import Table
from pipeline.common.errors import InputError
from pipeline.common.files import temporary_folder, write_bytes


@dataclass(frozen=True)
class Vectors(Artifact):
    """A folder with two tables of vectors whose inner products are a model's scores, or with one line that says why there are none.

    A stage's outputs are the same for every model, and not every model has such vectors. Each table has an id and a
    ``vector``, a list of fixed size.
    """

    items: ClassVar[str] = "item_vectors.parquet"
    users: ClassVar[str] = "user_vectors.parquet"
    none: ClassVar[str] = "no-vectors.txt"

    def write(self, vectors: tuple[pl.DataFrame, pl.DataFrame] | str, dataset: str, root: Path = HERE) -> None:
        """
        Args:
            vectors: of items (`item_id`, `vector`) and of users (`user_id`, `vector`); or why there are none.
        """
        path = self._to_write(dataset, root)
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(path) as folder:
            made = folder / path.name
            if isinstance(vectors, str):
                write_bytes(made / self.none, f"{vectors}\n".encode())
            else:
                for table, frame in zip(self._tables(), vectors, strict=True):
                    content = table.encoded(frame, f"{self.name(dataset)}/{table.path}", path / table.path)
                    write_bytes(made / table.path, sealed(*content))
            if path.exists():
                # A folder cannot be moved over another: the old one is out of the way before the new one comes.
                path.rename(folder / "old")
            made.rename(path)

    def read(self, dataset: str, root: Path = HERE) -> tuple[pl.DataFrame, pl.DataFrame] | str:
        path = self._to_read(dataset, root)
        if (path / self.none).is_file():
            return (path / self.none).read_text(encoding="utf-8").strip()
        items, users = (self._table(table, dataset, path / table.path) for table in self._tables())
        found = [frame.schema["vector"] for frame in (items, users)]
        if found[0] != found[1] or found[0].inner != pl.Float32:  # type: ignore[attr-defined]
            raise InputError(
                f"{path}: found {found[0]} of items and {found[1]} of users, expected float32 vectors of one width; "
                "run `dvc repro`"
            )
        return items, users

    def _table(self, table: Table, dataset: str, path: Path) -> pl.DataFrame:
        content = existing(path).read_bytes()
        check_seal(content, f"{self.name(dataset)}/{table.path}", path)
        return table.decoded(content, path)

    def _tables(self) -> tuple[Table, Table]:
        finite = {"finite numbers": pl.col("vector").arr.eval(pl.element().is_finite()).arr.all()}
        items, users = (
            Table(name, {key: pl.String, "vector": pl.Array}, key=(key,), holds=finite)
            for name, key in ((self.items, "item_id"), (self.users, "user_id"))
        )
        return items, users
