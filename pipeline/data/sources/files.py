"""Files of a published data set: in a folder, in a zip, or in a zip behind a URL with a checksum."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import lzma
import re
import struct
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import Field, model_validator

from pipeline.common.errors import InputError, shortened, without_secrets
from pipeline.common.files import replacing
from pipeline.common.memory import refuse_beyond_memory
from pipeline.data.sources.beside_tables import BesideTables
from pipeline.data.sources.remote import here

DOWNLOADS = Path("downloads")
CHUNK = 1 << 20
TIMEOUT_SECONDS = 60
PACKED = ".gz"
# A packed file may be of so many bytes whatever it takes there, and otherwise of so many times what it takes.
MUCH, LARGEST_RATIO = 100_000_000, 100
# Of a file that holds a table, for each of its bytes, while it is read: its text, its fields, and the tables made of them.
MEMORY_PER_BYTE = 5
# What a damaged zip may raise.
UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
# Ways to pack of which no more is unpacked than was asked for; bzip2 and LZMA make gigabytes of some hundred bytes at once.
BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LONGEST_HEADER = 10_000
# DVC follows links to files, and a link that is a data set's folder itself.
UNWATCHED = (
    "found a link to a folder, behind which DVC does not look: nothing would run again when files change there; expected the folder "
    "itself, or links to its files"
)
# In bytes: descriptions of items may be long.
LONGEST_LINE = 10_000_000


class FilesSource(BesideTables):
    """Where a data set's files are; base of the settings of the readers of published data sets."""

    type: str
    path: str = Field(
        min_length=1,
        description="A folder or zip with the files, or its address in a store (`s3://`); DVC watches it. With `url`: `downloads`, "
        "or a folder with your own files",
    )
    url: str | None = Field(
        default=None, pattern=r"^(https?|file)://\S+$", description="A zip that is downloaded once into `downloads/`"
    )
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", description="Checksum of the file at `url`")
    largest_ratio: int = Field(
        default=LARGEST_RATIO,
        ge=1,
        description="A file in a zip may unpack to at most this many times its packed size; files that unpack to less than 100 MB "
        "have no such limit",
    )

    @model_validator(mode="after")
    def _a_url_has_a_checksum(self) -> FilesSource:
        if self.url is not None and self.sha256 is None:
            raise ValueError("sha256: found nothing, expected the checksum of the file at url")
        if self.url is None and self.sha256 is not None:
            raise ValueError("url: found nothing, expected the address of the zip that sha256 belongs to")
        return self

    def files(self) -> Files:
        """The data set's files, downloaded first if need be.

        Raises:
            InputError: the path is no folder and no zip, or the download fails or has another checksum.
        """
        if self.url is None or self.sha256 is None:
            return Files([*self._listed(here(self.path))], self.path)
        archive = downloaded(self.url, self.sha256)
        return Files([*self._listed(archive)], str(archive))

    def own_file(self, name: str, key: str) -> DataFile:
        """A file that a setting names, in the folder that `path` names, or in the zip.

        Raises:
            InputError: there is no such file.
        """
        for file in self._listed(here(self.path)):
            if file.inside == name:
                return file
        raise InputError(f"source.{key}: found {name!r}, which {self.path} does not have; expected a file there")

    def _listed(self, path: Path) -> list[DataFile]:
        return [replace(file, largest_ratio=self.largest_ratio) for file in _listed(path)]


@dataclass(frozen=True)
class DataFile:
    """One file, by itself or inside a zip.

    Attributes:
        path: the file, or the zip that has it.
        inside: its place below the folder or in the zip.
        zipped: `path` is a zip.
        largest_ratio: see `FilesSource`.
    """

    path: Path
    inside: str
    zipped: bool = False
    largest_ratio: int = LARGEST_RATIO

    def __str__(self) -> str:
        return f"{self.path}:{self.inside}" if self.zipped else str(self.path)

    @property
    def name(self) -> str:
        return PurePosixPath(self.inside).name

    @property
    def depth(self) -> int:
        return len(PurePosixPath(self.inside).parts)

    def content(self) -> bytes:
        """
        Raises:
            InputError: it cannot be read; a damaged zip; a file behind a link to a folder.
        """
        self._check_watched()
        try:
            if not self.zipped:
                return content_of(self.path)
            with zipfile.ZipFile(self.path) as archive:
                self._check_size(archive.getinfo(self.inside))
                return archive.read(self.inside)
        except InputError:
            raise
        except UNREADABLE as error:
            raise InputError(f"{self}: cannot be read: {_flat(error)}") from None

    def first_line(self) -> bytes:
        """Of a file that may be large; what comes after `LONGEST_HEADER` bytes is left out, and nothing said where it cannot be read."""
        self._check_watched()
        try:
            with self._opened() as file:
                return file.readline(LONGEST_HEADER)
        except UNREADABLE:
            return b""

    def lines(self) -> Iterator[bytes]:
        """Line by line, for what is larger than what is made of it; unpacked where it ends in .gz.

        Raises:
            InputError: it cannot be read, lies behind a link to a folder, or a line is longer than `LONGEST_LINE`.
        """
        self._check_watched()
        number = 0
        try:
            with self._opened() as file:
                while line := file.readline(LONGEST_LINE + 1):
                    number += 1
                    if len(line) > LONGEST_LINE:
                        raise InputError(
                            f"{self}: line {number}: found more than {LONGEST_LINE:,} bytes, expected a line of a table"
                        )
                    yield line
        except InputError:
            raise
        except UNREADABLE as error:
            raise InputError(f"{self}: cannot be read: {_flat(error)}") from None

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes] | gzip.GzipFile]:
        with ExitStack() as stack:
            if self.zipped:
                archive = stack.enter_context(zipfile.ZipFile(self.path))
                if archive.getinfo(self.inside).compress_type not in BOUNDED:
                    raise ValueError("a zip packed in an unusual way: unpack it and set path to its folder")
                file: Any = stack.enter_context(archive.open(self.inside))
            else:
                file = stack.enter_context(self.path.open("rb"))
            yield stack.enter_context(gzip.open(file)) if self.name.endswith(PACKED) else file

    def _check_watched(self) -> None:
        if not self.zipped and self.depth > 1 and self.path.parent.is_symlink():
            raise InputError(f"{self.path.parent}: {UNWATCHED}")

    def _check_size(self, entry: zipfile.ZipInfo) -> None:
        """No more than the declared size is read, and tables shrink to a tenth or so: what shrinks to next to nothing is no table."""
        if entry.compress_type not in BOUNDED:
            raise InputError(
                f"{self}: found a zip packed in an unusual way (method {entry.compress_type}), expected the usual one (deflate): its size "
                "cannot be known before it is unpacked; unpack it and set path to its folder"
            )
        if entry.file_size > MUCH and entry.file_size > self.largest_ratio * entry.compress_size:
            raise InputError(
                f"{self}: found {entry.file_size / 1e6:.0f} MB in {entry.compress_size / 1e6:.1f} MB of the zip, expected at most "
                f"{self.largest_ratio} times as much; if that is right, unpack it and set path to its folder, or raise "
                "source.largest_ratio"
            )
        refuse_beyond_memory(str(self), MEMORY_PER_BYTE * entry.file_size)


class Files:
    """Files of a data set, found by their names whatever folder of the publisher's they lie in."""

    def __init__(self, files: Iterable[DataFile], where: str) -> None:
        self._files, self._where = list(files), where

    def __iter__(self) -> Iterator[DataFile]:
        return iter(self._files)

    def find(self, *names: str) -> DataFile | None:
        """The file with the first of the names that there is, upper and lower case alike; the one that lies least deep.

        Raises:
            InputError: several lie equally deep.
        """
        for name in names:
            found = [file for file in self._files if file.name.lower() == name.lower()]
            least = [file for file in found if file.depth == min(each.depth for each in found)]
            if len(least) > 1:
                what = " and ".join(sorted(file.inside for file in least))
                raise InputError(f"{self._where}: found {what}, expected one {name}; set path to its folder")
            if least:
                return least[0]
        return None

    def get(self, *names: str) -> DataFile:
        """As `find`.

        Raises:
            InputError: there is none.
        """
        file = self.find(*names)
        if file is None:
            raise InputError(f"{self._where}: found {self.named()}; expected {' or '.join(names)} there")
        return file

    def only(self, pattern: re.Pattern[str], kind: str) -> DataFile | None:
        """The file whose name is of a pattern, if there is one.

        Args:
            kind: what there is one of: a category, a genre.

        Raises:
            InputError: there are several.
        """
        found = [file for file in self._files if pattern.fullmatch(file.name)]
        if len(found) > 1:
            what = shortened(" and ".join(sorted(file.name for file in found)), 200)
            raise InputError(f"{self._where}: found {what}, expected one {kind}; set path to its folder")
        return found[0] if found else None

    def named(self) -> str:
        """Some of the names, for errors."""
        return ", ".join(sorted({each.name for each in self._files})[:12]) or "nothing"


def _listed(path: Path) -> list[DataFile]:
    """Files of a folder and of the folders in it, or of a zip; what starts with a dot or `__MACOSX` is not meant."""
    if path.is_dir():
        files = [file for pattern in ("*", "*/*") for file in sorted(path.glob(pattern)) if file.is_file()]
        listed = [DataFile(file, file.relative_to(path).as_posix()) for file in files]
    elif path.is_file():
        try:
            with zipfile.ZipFile(path) as archive:
                names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
            raise InputError(f"{path}: not a readable zip: {_flat(error)}; expected a folder or a zip") from None
        listed = [DataFile(path, name, zipped=True) for name in names]
    else:
        raise InputError(f"{path}: not found; expected a folder or a zip there")
    return [file for file in listed if not file.inside.startswith((".", "__MACOSX")) and not file.name.startswith(".")]


def downloaded(url: str, sha256: str, folder: Path | None = None) -> Path:
    """The file behind a URL, from an earlier download if its checksum still holds.

    It is kept as ``FOLDER/FIRST 12 DIGITS OF THE CHECKSUM/NAME``; a download that fails leaves nothing.

    Raises:
        InputError: it cannot be fetched, or its checksum is another one.
    """
    place = (folder or DOWNLOADS) / sha256[:12]
    try:
        name = PurePosixPath(unquote(urlsplit(url).path)).name
    except ValueError as error:
        raise InputError(
            f"{without_secrets(url)}: found no URL: {_flat(error)}; expected one such as https://host/file.zip"
        ) from None
    target = place / (name or "download")
    try:
        if target.is_file() and digest_of(target) == sha256:
            return target
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error.strerror}") from None
    try:
        with replacing(target) as file:
            found = _fetch(url, file)
            if found != sha256:
                raise InputError(f"{without_secrets(url)}: found sha256 {found}, expected {sha256}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise InputError(f"{without_secrets(url)}: cannot be downloaded: {_flat(reason)}") from None
    finally:
        if not any(place.iterdir()):
            place.rmdir()
    return target


def _fetch(url: str, file: BinaryIO) -> str:
    """Write what the URL gives into the file; its checksum."""
    digest = hashlib.sha256()
    request = _request(url)
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        while chunk := answer.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _request(url: str) -> urllib.request.Request:
    """User and password of a URL as a header: urllib takes them for a part of the host, and would quote them in its errors."""
    parts = urlsplit(url)
    who, at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=host)), headers={"User-Agent": "crmman"})
    if at:
        # Not where a redirection leads.
        key = base64.b64encode(unquote(who).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {key}")
    return request


def content_of(path: Path) -> bytes:
    """What a file holds that a table is made of, unpacked where it ends in .gz.

    Raises:
        InputError: this machine has not the memory for it, or it unpacks to far more than it takes, or not at all.
    """
    refuse_beyond_memory(str(path), MEMORY_PER_BYTE * path.stat().st_size)
    return _unpacked(path) if path.suffix == PACKED else path.read_bytes()


def _unpacked(path: Path) -> bytes:
    """As of a zip's file (`DataFile`), but that the size is known only while it is read."""
    parts, size, taken = [], 0, path.stat().st_size
    try:
        with gzip.open(path) as file:
            while part := file.read(CHUNK):
                parts.append(part)
                size += len(part)
                if size > max(MUCH, LARGEST_RATIO * taken):
                    raise InputError(
                        f"{path}: found more than {size / 1e6:.0f} MB in {taken / 1e6:.1f} MB, expected at most {LARGEST_RATIO} times as "
                        "much; if that is right, unpack it"
                    )
                refuse_beyond_memory(str(path), MEMORY_PER_BYTE * size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be unpacked: {_flat(error)}") from None
    return b"".join(parts)


def refuse_endless_line(content: bytes, file: str) -> None:
    """
    Raises:
        InputError: a line has more than `LONGEST_LINE` bytes: a file of something else, or a damaged one.
    """
    start = 0
    while len(content) - start > LONGEST_LINE:
        end = content.rfind(b"\n", start, start + LONGEST_LINE + 1)
        if end < 0:
            line = content.count(b"\n", 0, start) + 1
            raise InputError(f"{file}: line {line}: found more than {LONGEST_LINE:,} bytes, expected a line of a table")
        start = end + 1


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flat(error: object) -> str:
    return " ".join(without_secrets(str(error)).split())[:160]
