"""How much has come to the tables of a data set since its models were trained, for `data check` and for `recommend`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.artifacts.data import SOURCE_INTERACTIONS, SOURCE_ITEMS
from pipeline.common.errors import InputError
from pipeline.data.changes import Changes, changes_between
from pipeline.parameters.params import DatasetEntry
from stages.guard import show

# Larger tables take longer to read again than a list for one person may: in bytes.
QUICKLY_READ = 20_000_000


def changes_of(dataset: str, entry: DatasetEntry) -> Changes | None:
    """None where there is no model yet, or where the tables can be used by other settings than those that they have."""
    if not SOURCE_INTERACTIONS.at(dataset).is_file():
        return None
    try:
        now = entry.source.read()
    except InputError:
        return None
    then = SOURCE_INTERACTIONS.read(dataset), SOURCE_ITEMS.read(dataset)
    return changes_between(now.interactions, now.items, *then)


def note_changes(dataset: str, entry: DatasetEntry) -> None:
    """A line on stderr if the tables have changed. They are read only where their files are newer than what was read of them, and small."""
    # What has a checksum is what it was.
    if getattr(entry.source, "sha256", None):
        return
    path, read = Path(entry.source.path), SOURCE_INTERACTIONS.at(dataset).stat().st_mtime
    newer, size = False, 0
    for one in _all_in(path):
        about = one.stat()
        newer, size = newer or about.st_mtime > read, size + about.st_size
    if not newer:
        return
    if size > QUICKLY_READ:
        show(
            f"note: {dataset}: {path} is newer than the models; `crmman data check {path}` says how much is new",
            error=True,
        )
        return
    came = changes_of(dataset, entry)
    if came is not None and came.any:
        show(f"note: {dataset}: {came.in_words()}", error=True)


def _all_in(path: Path) -> Iterator[Path]:
    """It, and what is in it if it is a folder: a table that is gone makes the folder newer."""
    if path.exists():
        yield path
        yield from (one for one in path.rglob("*") if one.exists())
