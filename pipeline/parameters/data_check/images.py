"""Images of the items beside the tables: files called by the items' ids, or by names in a column; and which of them are damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.common.errors import InputError, quoted, shortened
from pipeline.data.sources.beside_tables import columns_named
from pipeline.data.sources.files import UNWATCHED
from pipeline.data.sources.item_images import ENDINGS, ImageFiles, behind_a_link, names_of_files
from pipeline.image.reading import UnreadableImageError, decoded
from pipeline.parameters.data_check.findings import Finding

# Of the items, or of the files, so many must be found by a way to call them.
LEAST = 0.1
# Of a column with names of images, so many of the values that there are.
MOST_VALUES = 0.5
NAME_OF_IMAGE = rf"(?i)({'|'.join(ENDINGS)})\s*$".replace(".", r"\.")
# So many images are opened, in equal steps through all; the pixels of each, at most, and enough of a JPEG to know it.
OPENED, MAX_PIXELS, SMALL = 1_000, 50e6, 64


@dataclass(frozen=True)
class FoundImages:
    """
    Attributes:
        place: the folder or zip, as `source.images` has it.
        template: how the files are called, as `source.image` has it.
        items: that have one.
        opened: how many of the images were looked into.
        damaged: how many of these cannot be read.
    """

    place: str
    template: str
    items: int
    opened: int
    damaged: int


def found_images(folder: Path, items: pl.DataFrame) -> tuple[FoundImages | None, list[Finding]]:
    """Where the images are and how they are called, if there are any; and what is wrong with them.

    Args:
        items: item_id and other columns.
    """
    if not folder.is_dir():
        return None, []
    named = [name for name in items.columns if _names_images(items[name])]
    best: tuple[int, str, str] | None = None
    for place in _places(folder):
        with ImageFiles(folder / place) as files:
            there = [name for name in files if name.lower().endswith(ENDINGS)]
            if not there:
                continue
            endings = sorted({Path(name).suffix for name in there})
            for template in (*(f"{{{name}}}" for name in named), *(f"{{item_id}}{ending}" for ending in endings)):
                count = sum(1 for name in names_of_files(template, items) if files.of(name))
                if count >= LEAST * min(len(items), len(there)) and count > (best[0] if best else 0):
                    best = count, place, template
    if best is None:
        return None, [_nowhere(items[name]) for name in named]
    count, place, template = best
    if link := _link_to(folder, place, template, items):
        return None, [Finding(UNWATCHED, "the data set goes without images until then", str(link))]
    opened, damaged = _looked_into(folder / place, template, items)
    warnings = []
    if damaged:
        name, why = damaged[0]
        warnings.append(
            Finding(
                f"found {len(damaged):,} of {opened:,} images that cannot be read, the first is {quoted(name)}: {shortened(why)}",
                "their items are known by everything else; save the images again if you can",
                str(folder / place),
            )
        )
    lost = sorted(path for path in (folder / place).rglob("*") if path.is_symlink() and not path.exists())
    if lost:
        warnings.append(
            Finding(
                f"found {len(lost):,} links that lead nowhere", "remove them: `dvc repro` stops at one", str(lost[0])
            )
        )
    return FoundImages(place, template, count, opened, len(damaged)), warnings


def _places(folder: Path) -> Iterator[str]:
    """The folder itself, the folders in it, and zips that can be read."""
    yield ""
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and (path.is_dir() or path.suffix.lower() == ".zip"):
            try:
                with ImageFiles(path):
                    pass
            except InputError:
                continue
            yield path.name


def _names_images(column: pl.Series) -> bool:
    if column.dtype != pl.String or not _can_be_named(column.name):
        return False
    values = column.drop_nulls()
    values = values.filter(values.str.strip_chars() != "").str.replace(r"[?#].*$", "")
    return len(values) > 0 and int(values.str.contains(NAME_OF_IMAGE).sum()) >= MOST_VALUES * len(values)


def _can_be_named(column: str) -> bool:
    try:
        return columns_named(f"{{{column}}}") == [column]
    except ValueError:
        return False


def _nowhere(column: pl.Series) -> Finding:
    value = column.drop_nulls()[0]
    what, put = (
        ("addresses", "fetch them into a folder here") if "://" in value else ("names", "put them into a folder here")
    )
    return Finding(
        f"items: column {column.name}: found {what} of images, such as {quoted(value)}, and no folder or zip here that has them",
        f"{put} to have items known by them",
    )


def _link_to(folder: Path, place: str, template: str, items: pl.DataFrame) -> Path | None:
    with ImageFiles(folder / place) as files:
        return behind_a_link(
            folder, (files.where(name)[0] for name in names_of_files(template, items) if files.of(name))
        )


def _looked_into(path: Path, template: str, items: pl.DataFrame) -> tuple[int, list[tuple[str, str]]]:
    """How many images were opened, and those that cannot be read, with the reason."""
    damaged = []
    with ImageFiles(path) as files:
        names = [found for name in names_of_files(template, items) if (found := files.of(name)) is not None]
        places = np.linspace(0, len(names) - 1, min(OPENED, len(names))).astype(int).tolist()
        for place in places:
            try:
                decoded(files.read(names[place]), MAX_PIXELS, SMALL)
            except (InputError, UnreadableImageError) as error:
                damaged.append((names[place], str(error)))
    return len(places), damaged
