"""Of which versions of traced artifacts all is made that is read and written together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from pipeline.artifacts.kinds.seal import Seal, blank_seal
from pipeline.common.errors import InputError

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


def check(name: str, seal: Seal, path: Path, traced: bool) -> None:
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
            than = "the one there now" if part in (name, said_by) else said_by
            raise InputError(
                f"{old}: made from another version of {part} than {than}; run `dvc repro`, which makes it again"
            )


def note(name: str, seal: Seal) -> None:
    """What was written is the version that goes with the rest."""
    known = _versions.get()
    if known is not None:
        known[name] = seal.digits, name


def blank(name: str) -> str:
    return blank_seal(name, {part: digits for part, (digits, _) in (_versions.get() or {}).items() if part != name})
