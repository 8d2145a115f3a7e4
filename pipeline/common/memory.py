"""What a machine can hold, so that what is too large is refused before it is read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pipeline.common.errors import InputError

# Where Linux says what a container may take, in cgroups of both versions.
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_of_machine() -> int | None:
    """Bytes that this process can have at most; None where the system does not tell."""
    found = []
    with suppress(ValueError, OSError, AttributeError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in LIMITS:
        # "max" where there is none.
        with suppress(ValueError, OSError):
            found.append(int(path.read_text()))
    return min((number for number in found if number > 0), default=None)


def refuse_beyond_memory(file: str, needed: int) -> None:
    """
    Args:
        needed: bytes, by a rough estimate.

    Raises:
        InputError: the machine does not have them.
    """
    there = memory_of_machine()
    if there is not None and needed > there:
        raise InputError(
            f"{file}: found a table that takes some {needed / 1e9:.1f} GB to read, expected at most the {there / 1e9:.1f} GB of memory "
            "of this machine; run it on a larger one, or leave rows out"
        )
