"""Kinds of artifacts: a table, tensors, numbers, a curve, a text, lines. The modules beside this one name each of them.

This is the only module that reads or writes them. Writing is atomic (a temporary name, then a move) and deterministic
(same content, same bytes: Parquet sorted by a unique key, safetensors with one metadata key, JSON with rounded
numbers). Reading checks everything again, since a damaged cache object comes back without a word: that columns, types and values are
what they should be, that the bytes are those that were written and of the artifact that is asked for, and that all that is read together
is made of the same items, users, ratings and vectors (`pipeline.artifacts.seal`). Figures (JSON), curves (TSV) and texts have no seal: DVC
draws and git keeps all that is in them, and no stage reads what another has written of them.

Artifacts of one data set live in ``artifacts/<dataset>/``, figures in ``metrics/`` and ``plots/``; every method takes the
data set's name and the workspace's root.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import polars as pl

from pipeline.artifacts.seal import AGAIN, Seal, blank_seal, check_seal, sealed
from pipeline.common.errors import InputError
from pipeline.common.files import temporary_folder, write_bytes
from pipeline.common.row_keys import has_repeats, in_key_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array = np.ndarray[Any, Any]
Columns = Mapping[str, type[pl.DataType] | pl.DataType]
HERE = Path()
# Where structural vectors are when nothing else is said, and where variants that are no ablations leave their evaluation.
DEFAULT_STRUCTURE = "structure"
DEFAULT_GROUP = "variants"
# Decimal places of what is drawn over epochs.
CURVE_DIGITS = 6


@dataclass(frozen=True)
class Artifact:
    """``{dataset}`` in the path stands for the data set's name, other names are filled in by `of`.

    Attributes:
        general: the path before any name was filled in; empty where none was.
        traced: what is made of it says of which version, and is refused beside another one.
    """

    path: str
    general: str = field(default="", kw_only=True)
    traced: bool = field(default=False, kw_only=True)

    def of(self, **names: str) -> Self:
        """The same artifact of one variant (``{variant}``), of one group of variants or one way to make structural vectors.

        Raises:
            InputError: a name leads elsewhere.
        """
        path = self.path
        for name, value in names.items():
            _refuse_leading_elsewhere(name, value)
            path = path.replace(f"{{{name}}}", value)
        return replace(self, path=path, general=self.general or self.path)

    def at(self, dataset: str, root: Path = HERE) -> Path:
        """Where it is.

        Raises:
            InputError: the name of the data set leads elsewhere.
        """
        _refuse_leading_elsewhere("dataset", dataset)
        return root / self.path.format(dataset=dataset, structure=DEFAULT_STRUCTURE, group=DEFAULT_GROUP)

    def name(self, dataset: str) -> str:
        """Which artifact it is, wherever the workspace lies."""
        return self.at(dataset).as_posix()

    def covers(self, other: Artifact) -> bool:
        """Whether the other one is this one with names filled in."""
        names = re.sub(r"\\\{\w+\\\}", ".+", re.escape(self.path))
        same = (other.general or other.path) == (self.general or self.path)
        return same and re.fullmatch(names, other.path) is not None

    def _to_write(self, dataset: str, root: Path) -> Path:
        """Where it is written, if it may be."""
        allowed = _allowed.get()
        assert allowed is None or any(each.covers(self) for each in allowed.writes), (
            f"stage {allowed.stage} writes {self.path} without declaring it"
        )
        return self.at(dataset, root)

    def _to_read(self, dataset: str, root: Path) -> Path:
        """Where it is read, if it may be: what a stage writes it may read as well."""
        allowed = _allowed.get()
        assert allowed is None or any(each.covers(self) for each in (*allowed.reads, *allowed.writes)), (
            f"stage {allowed.stage} reads {self.path} without declaring it"
        )
        return self.at(dataset, root)

    def _existing(self, dataset: str, root: Path) -> Path:
        return _found(self._to_read(dataset, root))

    def _content(self, dataset: str, root: Path) -> tuple[bytes, Path]:
        """What a sealed file holds, and where it is.

        Raises:
            InputError: it is missing, damaged, of another artifact, or made of other artifacts than what was read before.
        """
        path = self._existing(dataset, root)
        content = path.read_bytes()
        _trace(self.name(dataset), check_seal(content, self.name(dataset), path), path, self.traced)
        return content, path

    def _write_sealed(self, content: bytes, blank: str, dataset: str, root: Path) -> None:
        whole, name = sealed(content, blank), self.name(dataset)
        write_bytes(self._to_write(dataset, root), whole)
        known = _versions.get()
        if self.traced and known is not None:
            known[name] = check_seal(whole, name, self.at(dataset, root)).digits, name


def _refuse_leading_elsewhere(name: str, value: str) -> None:
    if value.startswith("/") or ".." in value.split("/"):
        raise InputError(f"{name}: found {value!r}, which leads elsewhere; expected a name of params.yaml")


def _found(path: Path) -> Path:
    if not path.is_file():
        raise InputError(
            f"{path}: artifact not found; `dvc repro` makes it, `dvc checkout dvc.yaml` brings a cached one back"
        )
    return path


# Names of traced artifacts to the digits of the version that all here is made of, and to the artifact that said so.
_versions: ContextVar[dict[str, tuple[str, str]] | None] = ContextVar("versions", default=None)


@contextmanager
def together() -> Iterator[None]:
    """Within it, what is read must be made of the same versions of traced artifacts, and what is written says of which."""
    before = _versions.set({})
    try:
        yield
    finally:
        _versions.reset(before)


def _trace(name: str, seal: Seal, path: Path, traced: bool) -> None:
    """
    Raises:
        InputError: it is made of another version of something than what was read before, or is another version of it.
    """
    known = _versions.get()
    if known is None:
        return
    for part, digits in (seal.made_of | ({name: seal.digits} if traced else {})).items():
        there, said_by = known.setdefault(part, (digits, name))
        if digits != there:
            old = said_by if part == name else path
            than = "is there now" if part in (name, said_by) else f"{said_by} is made of"
            raise InputError(f"{old}: made of another {part} than {than}; run `dvc repro`, which makes it anew")


def _blank(name: str) -> str:
    return blank_seal(name, {part: digits for part, (digits, _) in (_versions.get() or {}).items() if part != name})


@dataclass(frozen=True)
class _Allowed:
    stage: str
    reads: Sequence[Artifact]
    writes: Sequence[Artifact]


_allowed: ContextVar[_Allowed | None] = ContextVar("allowed", default=None)


def only(stage: str, reads: Sequence[Artifact], writes: Sequence[Artifact]) -> AbstractContextManager[None]:
    """Within it, to read or write another artifact is an AssertionError: a stage that does not declare what it touches."""
    return _allowing(_Allowed(stage, reads, writes))


@contextmanager
def _allowing(allowed: _Allowed | None) -> Iterator[None]:
    before = _allowed.set(allowed)
    try:
        yield
    finally:
        _allowed.reset(before)


@dataclass(frozen=True)
class Table(Artifact):
    """A Parquet table, one row per key.

    Attributes:
        columns: name to type; no nulls, no NaN, unless named in ``nullable``.
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
        buffer, blank = io.BytesIO(), _blank(name)
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
            raise InputError(f"{path}: not a readable Parquet file: {_flat(error)}") from None
        self._check(frame, path)
        return frame

    def _check(self, frame: pl.DataFrame, path: Path) -> None:
        for name, dtype in self.columns.items():
            if name not in frame.columns:
                raise InputError(f"{path}: column {name}: not found; expected columns: {', '.join(self.columns)}")
            if frame.schema[name] != dtype:
                raise InputError(f"{path}: column {name}: found type {frame.schema[name]}, expected {dtype}")
            if name not in self.nullable:
                _no_missing(frame[name], path)
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


def _no_missing(column: pl.Series, path: Path) -> None:
    bad = column.is_null()
    if column.dtype.is_float():
        bad = bad | column.is_nan() | column.is_infinite()
    if bad.any():
        raise InputError(
            f"{path}: column {column.name}, row {bad.arg_true()[0]}: found {column[int(bad.arg_true()[0])]}, expected a value"
        )


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
        content = _found(path).read_bytes()
        check_seal(content, f"{self.name(dataset)}/{table.path}", path)
        return table.decoded(content, path)

    def _tables(self) -> tuple[Table, Table]:
        finite = {"finite numbers": pl.col("vector").arr.eval(pl.element().is_finite()).arr.all()}
        items, users = (
            Table(name, {key: pl.String, "vector": pl.Array}, key=(key,), holds=finite)
            for name, key in ((self.items, "item_id"), (self.users, "user_id"))
        )
        return items, users


@dataclass(frozen=True)
class Tensors(Artifact):
    """A safetensors file of named float32 arrays.

    Attributes:
        dimensions: name to number of dimensions; ``None`` allows any names and shapes (a model's weights).
        told: what must be said about the arrays.
    """

    dimensions: Mapping[str, int] | None = None
    told: tuple[str, ...] = ()

    def write(
        self, arrays: Mapping[str, Array], dataset: str, root: Path = HERE, about: Mapping[str, Any] | None = None
    ) -> None:
        """``about`` and the seal are kept beside the arrays in one JSON string: with two metadata keys the byte order is random."""
        from safetensors.numpy import save

        kept = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
        self._check(kept, self.at(dataset, root))
        blank = _blank(self.name(dataset))
        # Names may have letters of any script, and the seal is looked for as it is.
        words = json.dumps({"about": about or {}, "seal": blank}, sort_keys=True, ensure_ascii=False)
        self._write_sealed(save(kept, metadata={"about": words}), blank, dataset, root)

    def read(self, dataset: str, root: Path = HERE) -> dict[str, NDArray[np.float32]]:
        """By name, in the order of the names: safetensors gives them in another one in each process."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        content, path = self._content(dataset, root)
        try:
            arrays = dict(sorted(load(content).items()))
        except (SafetensorError, ValueError, KeyError) as error:
            raise InputError(f"{path}: not a readable safetensors file: {_flat(error)}") from None
        self._check(arrays, path)
        return arrays

    def about(self, dataset: str, root: Path = HERE) -> dict[str, Any]:
        content, path = self._content(dataset, root)
        try:
            # A length in eight bytes, and a header of JSON.
            header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
            about = dict(json.loads(header["__metadata__"]["about"])["about"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not a readable safetensors file: {_flat(error)}") from None
        if missing := [name for name in self.told if name not in about]:
            raise InputError(f"{path}: found no {missing[0]}, as in a file of another version; {AGAIN}")
        return about

    def _check(self, arrays: Mapping[str, Array], path: Path) -> None:
        for name, dimensions in (self.dimensions or {}).items():
            if name not in arrays:
                raise InputError(f"{path}: tensor {name}: not found; expected: {', '.join(self.dimensions or {})}")
            if arrays[name].ndim != dimensions:
                raise InputError(f"{path}: tensor {name}: found {arrays[name].ndim} dimensions, expected {dimensions}")
        for name, array in arrays.items():
            if array.dtype != np.float32:
                raise InputError(f"{path}: tensor {name}: found type {array.dtype}, expected float32")
            if not np.isfinite(array).all():
                where = [int(position) for position in np.argwhere(~np.isfinite(array))[0]]
                raise InputError(
                    f"{path}: tensor {name}, position {where}: found {array[tuple(where)]}, expected a finite number"
                )


@dataclass(frozen=True)
class Numbers(Artifact):
    """A small nested JSON of numbers, rounded so that noise in the last digits is not a change."""

    digits: int = 6

    def write(self, content: Mapping[str, Any], dataset: str, root: Path = HERE) -> None:
        text = json.dumps(self._rounded(content, self.at(dataset, root)), indent=2, allow_nan=False)
        write_bytes(self._to_write(dataset, root), (text + "\n").encode())

    def read(self, dataset: str, root: Path = HERE) -> dict[str, Any]:
        path = self._existing(dataset, root)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(content, dict):
                raise TypeError(f"found {type(content).__name__}, expected an object")
            self._rounded(content, path)
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}: not a readable JSON file of numbers: {_flat(error)}") from None
        return content

    def rounded(self, number: float) -> float:
        """As it is written. Adding zero makes -0.0 a plain zero."""
        return round(float(number), self.digits) + 0.0

    def _rounded(self, content: Any, path: Path) -> Any:
        if isinstance(content, Mapping):
            return {str(key): self._rounded(value, path) for key, value in content.items()}
        if isinstance(content, bool | int | np.integer):
            return int(content)
        number = self.rounded(content)
        if not np.isfinite(number):
            raise InputError(f"{path}: found {number}, expected finite numbers only")
        return number


@dataclass(frozen=True)
class Curve(Artifact):
    """A TSV with one row per step (epoch, S_m), which `dvc plots` draws and no stage reads."""

    columns: tuple[str, ...] = ()

    def write(self, frame: pl.DataFrame, dataset: str, root: Path = HERE) -> None:
        text = frame.select(self.columns).write_csv(separator="\t", float_precision=CURVE_DIGITS)
        write_bytes(self._to_write(dataset, root), text.encode())


@dataclass(frozen=True)
class Text(Artifact):
    """A text file: an SVG plot, a note. No stage reads it."""

    def write(self, content: str, dataset: str = "", root: Path = HERE) -> None:
        write_bytes(self._to_write(dataset, root), content.encode())


@dataclass(frozen=True)
class Lines(Artifact):
    """Lines for a person to read, under a first one that counts and seals them: DVC warns of empty files."""

    def write(self, lines: Sequence[str], dataset: str, root: Path = HERE) -> None:
        # Names out of the data may hold line breaks of any kind.
        flat = [" ".join(line.split()) for line in lines]
        blank = _blank(self.name(dataset))
        text = "".join(f"{line}\n" for line in (f"{len(flat)} lines, {blank}", *flat))
        self._write_sealed(text.encode(), blank, dataset, root)

    def read(self, dataset: str, root: Path = HERE) -> list[str]:
        content, _ = self._content(dataset, root)
        return content.decode().splitlines()[1:]


def _flat(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
