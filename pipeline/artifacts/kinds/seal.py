"""What an artifact says of itself, so that damage, and another artifact of the same shape, are found when it is read.

A seal is a text inside the file, ``sha256:DIGITS of <NAME> made of <NAME DIGITS, ...>``. The first digits are of the whole file, with
zeros in their place: a byte that changes anywhere is found, in what polars and safetensors skip as well. The name is the artifact's path
in its workspace, and so says the data set, the variant, and the way structural vectors were made. What follows are the traced artifacts
that it was made of, with the first of their digits: a stage that reads it beside another version of one of them finds out.

What is traced is all that some stage reads beside what was made of it. Settings are not: they would make every stage after it run again
where something changed and the output did not; which settings, inputs and code a file was made from is DVC's knowledge, and a stage asks
it whether a file is the one that its stage wrote last (`noted`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.common.errors import InputError

BLANK = b"0" * 64
# DVC trusts its cache, and would bring a damaged copy back even after the stage has run again.
AGAIN = "remove this file, and run `make check-cache` and then `dvc repro`"
SEAL = re.compile(rb"sha256:([0-9a-f]{64}) of <([^<>]*)>(?: made of <([^<>]*)>)?")
# Of an artifact's digits, in the seals of what is made of it.
SHORT = 16


class Seal(NamedTuple):
    """
    Attributes:
        digits: of the content, so many as others say.
        made_of: names of the traced artifacts to their digits.
    """

    digits: str
    made_of: dict[str, str]


def blank_seal(name: str, made_of: Mapping[str, str] | None = None) -> str:
    """What is to stand in a file, once, for `sealed` to fill in."""
    parts = ", ".join(f"{part} {digits}" for part, digits in sorted((made_of or {}).items()))
    return f"sha256:{BLANK.decode()} of <{name}>{f' made of <{parts}>' if parts else ''}"


def sealed(content: bytes, blank: str) -> bytes:
    """The content with its digits in place of the zeros of its blank seal, and as many bytes."""
    place = content.index(blank.encode()) + len("sha256:")
    return content[:place] + hashlib.sha256(content).hexdigest().encode() + content[place + len(BLANK) :]


def check_seal(content: bytes, name: str, path: Path) -> Seal:
    """The seal of a file that is whole.

    Args:
        name: of the artifact that is expected.
        path: where the content was read.

    Raises:
        InputError: there is no seal, it is of another content, or of another artifact.
    """
    found = None
    # Text of users may look like one; the seal is the one that fits.
    for found in SEAL.finditer(content):
        if _digits(content, found) == found[1]:
            break
    else:
        what = "found other bytes than were written" if found else "found no checksum, as in a file of another version"
        raise InputError(f"{path}: {what}; {AGAIN}")
    if found[2] != name.encode():
        raise InputError(f"{path}: found {found[2].decode(errors='replace')}, expected {name}; {AGAIN}")
    parts = [part.rsplit(" ", 1) for part in (found[3] or b"").decode().split(", ") if part]
    return Seal(found[1][:SHORT].decode(), dict(parts))


def _digits(content: bytes, found: re.Match[bytes]) -> bytes:
    view, digest = memoryview(content), hashlib.sha256()
    for part in (view[: found.start(1)], BLANK, view[found.end(1) :]):
        digest.update(part)
    return digest.hexdigest().encode()
