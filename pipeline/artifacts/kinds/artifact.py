"""What all artifacts have: a path with names to fill in, whether a stage may touch it, and a seal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from pipeline.artifacts.kinds import noted, versions
from pipeline.artifacts.kinds.seal import check_seal, sealed
from pipeline.common.errors import InputError
from pipeline.common.files import write_bytes

HERE = Path()
# Where structural vectors are when nothing else is said, and where variants that are no ablations leave their evaluation.
DEFAULT_STRUCTURE = "structure"
DEFAULT_GROUP = "variants"


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
        return existing(self._to_read(dataset, root))

    def _content(self, dataset: str, root: Path) -> tuple[bytes, Path]:
        """What a sealed file holds, and where it is.

        Raises:
            InputError: it is missing, damaged, of another artifact, made of other artifacts than what was read before, or
                another version than was noted.
        """
        path = self._existing(dataset, root)
        content = path.read_bytes()
        versions.check(self.name(dataset), check_seal(content, self.name(dataset), path), path, self.traced)
        noted.check(self.name(dataset), content, path)
        return content, path

    def _write_sealed(self, content: bytes, blank: str, dataset: str, root: Path) -> None:
        whole, name = sealed(content, blank), self.name(dataset)
        write_bytes(self._to_write(dataset, root), whole)
        noted.forget(name)
        if self.traced:
            versions.note(name, check_seal(whole, name, self.at(dataset, root)))


def _refuse_leading_elsewhere(name: str, value: str) -> None:
    if value.startswith("/") or ".." in value.split("/"):
        raise InputError(f"{name}: found {value!r}, which leads elsewhere; expected a name of params.yaml")


def existing(path: Path) -> Path:
    if not path.is_file():
        raise InputError(
            f"{path}: artifact not found; `dvc repro` makes it, `dvc checkout dvc.yaml` brings a cached one back"
        )
    return path


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


def flat(error: BaseException) -> str:
    """What an error says, for a line."""
    return " ".join(str(error).split())[:200]
