"""Files of images of the items, in a folder or a zip beside the tables: which item has which, and what is in them.

The pixels are looked at later (`pipeline.image`); by a checksum of each file, so that no image is encoded anew where others have changed.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Self
from urllib.parse import unquote, urlsplit

import polars as pl

from pipeline.common.errors import InputError, shortened
from pipeline.data.sources.beside_tables import columns_named
from pipeline.data.sources.files import BOUNDED, UNREADABLE, UNWATCHED
from pipeline.data.sources.tidy import IMAGE_COLUMNS

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
# In bytes: what is larger is no image for a shop.
LARGEST = 100_000_000
NO_IMAGES = pl.DataFrame(schema=IMAGE_COLUMNS)


def images_in(folder: Path, place: str, template: str, items: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Which items have an image.

    Args:
        folder: of the tables.
        place: the folder or zip with the images below it; empty where that is the folder of the tables itself.
        template: how a file is called, columns of the items in braces.
        items: item_id and other columns.

    Returns:
        item_id, path and inside (empty but in a zip), sha256, of items that have one; and what was counted.

    Raises:
        InputError: no such folder or zip, one that DVC does not watch, a column that the items lack, or no image at all.
    """
    for column in columns_named(template):
        if column not in items.columns:
            known = shortened(", ".join(items.columns))
            raise InputError(
                f"source.image: column {column}: not found among the items' columns; expected some of: {known}"
            )
        kind = items.schema[column]
        if kind.is_nested() or kind == pl.Binary:
            raise InputError(f"source.image: column {column}: found type {kind}, expected texts or numbers")
    rows, without, unread = [], list[str](), list[str]()
    with ImageFiles(folder / place) as files:
        for item, name in zip(items["item_id"], names_of_files(template, items), strict=True):
            found = files.of(name)
            if found is None:
                without.append(shortened(f"{name or 'no name'} of item {item}"))
                continue
            try:
                rows.append((item, *files.where(found), hashlib.sha256(files.read(found)).hexdigest()))
            except InputError as error:
                unread.append(f"{found}: {error}")
    if not rows:
        raise InputError(f"{folder / place}: found none of the images, such as {[*without, *unread][0]}; expected some")
    if link := behind_a_link(folder, [row[1] for row in rows]):
        raise InputError(f"{link}: {UNWATCHED}")
    remarks = []
    if without:
        remarks.append(
            f"{folder / place}: {len(without):,} of {len(items):,} items have no image, such as {without[0]}"
        )
    if unread:
        remarks.append(f"{folder / place}: {len(unread):,} images cannot be read, such as {unread[0]}")
    return pl.DataFrame(rows, schema=IMAGE_COLUMNS, orient="row"), remarks


def behind_a_link(folder: Path, files: Iterable[str]) -> Path | None:
    """A link to a folder on the way to one of the files, if there is any."""
    for parent in sorted({Path(file).parent for file in files}):
        below = parent.relative_to(folder)
        for each in (below, *below.parents):
            if each != Path() and (folder / each).is_symlink():
                return folder / each
    return None


def names_of_files(template: str, items: pl.DataFrame) -> Iterator[str]:
    """Of each item; an empty one where a column has no value. Of an address the last part: a file that was fetched is called so."""
    columns = columns_named(template)
    texts = [items[name].cast(pl.String).to_list() for name in columns]
    for row in zip(*texts, strict=True):
        values = {name: (value or "").strip() for name, value in zip(columns, row, strict=True)}
        values = {name: _of_address(value) if "://" in value else value for name, value in values.items()}
        yield template.format_map(values) if all(values.values()) else ""


def _of_address(address: str) -> str:
    try:
        return PurePosixPath(unquote(urlsplit(address).path)).name
    except ValueError:
        return ""


class ImageFiles:
    """The files of a folder, or of a zip, by their names.

    Raises:
        InputError: it is neither.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._stack = path, ExitStack()
        self._zip: zipfile.ZipFile | None = None
        self._entries: dict[str, zipfile.ZipInfo] = {}
        if path.is_dir():
            return
        if not path.is_file():
            raise InputError(f"{path}: not found; expected a folder or a zip with images there")
        try:
            self._zip = self._stack.enter_context(zipfile.ZipFile(path))
        except UNREADABLE as error:
            raise InputError(
                f"{path}: not a readable zip: {' '.join(str(error).split())[:160]}; expected a folder or a zip"
            ) from None
        self._entries = {entry.filename: entry for entry in self._zip.infolist() if not entry.is_dir()}
        self._short = _by_short_names(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[str]:
        """All names."""
        if self._zip is not None:
            yield from self._entries
        else:
            yield from (path.name for path in sorted(self._path.iterdir()) if path.is_file())

    def of(self, name: str) -> str | None:
        """The file that is called so; None where there is none, and of a name that leads out of the folder."""
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts:
            return None
        if self._zip is not None:
            return name if name in self._entries else self._short.get(name)
        try:
            return name if (self._path / name).is_file() else None
        except OSError:
            # Longer than the name of a file can be, or in a folder that cannot be looked into.
            return None

    def where(self, name: str) -> tuple[str, str]:
        """The path of a file, or of the zip and the name in it."""
        return (str(self._path), name) if self._zip is not None else (str(self._path / name), "")

    def read(self, name: str) -> bytes:
        """
        Raises:
            InputError: it cannot be read; the line does not name it.
        """
        try:
            size = (self._path / name).stat().st_size if self._zip is None else self._entries[name].file_size
            if size > LARGEST:
                raise ValueError(f"found more than {LARGEST / 1e6:.0f} MB")
            if self._zip is None:
                return (self._path / name).read_bytes()
            if self._entries[name].compress_type not in BOUNDED:
                raise ValueError("packed in an unusual way")
            return self._zip.read(name)
        except UNREADABLE as error:
            raise InputError(" ".join(str(error).split())[:160]) from None


def _by_short_names(entries: Mapping[str, object]) -> dict[str, str]:
    """Files by their names without the folders of a zip, where only one is called so."""
    found: dict[str, list[str]] = {}
    for name in entries:
        found.setdefault(PurePosixPath(name).name, []).append(name)
    return {short: names[0] for short, names in found.items() if len(names) == 1}
