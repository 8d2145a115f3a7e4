"""Files that lie in a store (``s3://``, ``gs://``, ``hdfs://``): a copy of them on this machine, as new as the store's.

fsspec reads the store, by the package that the extra of its name installs, and finds credentials where that package does: none are in
``params.yaml``. DVC watches the same address, by the same package.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.common.errors import InputError, quoted, without_secrets
from pipeline.common.files import TEMPORARY, replacing, write_bytes

# A copy has the same place below as the original in its store: of s3://shop/tables/kg.csv it is downloads/s3/shop/tables/kg.csv.
COPIES = Path("downloads")
# The same tree again, with what the store says of the version that a file is a copy of.
VERSIONS = ".versions"
CHUNK = 1 << 20
# What the stores say of a file that another version of it would not have.
OF_VERSION = ("ETag", "etag", "generation", "LastModified", "mtime", "size")
# A folder's files, those in folders there, and what tells of a folder of parts that it is no table; no reader looks deeper.
DEPTH = 3


@dataclass(frozen=True)
class Store:
    """
    Attributes:
        install: what installs its file system and DVC's.
        access: where that looks for credentials and for the store itself.
    """

    install: str
    access: str


STORES = {
    "s3": Store(
        "pip install '.[s3]'",
        "AWS_PROFILE and ~/.aws, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; AWS_ENDPOINT_URL if it is not Amazon's",
    ),
    "gs": Store("pip install '.[gs]'", "GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login"),
    "hdfs": Store("pip install dvc-hdfs, plus Java and Hadoop", "HADOOP_HOME, JAVA_HOME and CLASSPATH"),
}


def is_remote(path: str) -> bool:
    """Whether it is an address, and no path on this machine."""
    return "://" in path


def written(path: str) -> str:
    """A path or an address as `params.yaml` has it."""
    return path.rstrip("/") if is_remote(path) else Path(path).as_posix()


def here(path: str) -> Path:
    """Where a source's file or folder can be read: a path is that itself; of an address a copy, which is brought up to date.

    Only what has changed in the store since the last copy is fetched, and what is no longer there is removed.

    Raises:
        InputError: no address of a store, nothing there, no way to it, no room for it, or it changed while it was copied.
    """
    if not is_remote(path):
        return Path(path)
    scheme, _, address = path.partition("://")
    parts = address.strip("/").split("/")
    if scheme not in STORES or any(mark in address for mark in "@?#") or not _are_names(parts):
        raise InputError(
            f"{without_secrets(path)}: found no address of a store, expected {', '.join(f'{name}://' for name in STORES)} and names of "
            "folders, without user, password or anything behind a ?"
        )
    store = STORES[scheme]
    try:
        return _copied(path, Path(scheme, *parts))
    except InputError:
        raise
    except ImportError:
        raise InputError(f"{path}: what reads {scheme}:// is not installed; install it: {store.install}") from None
    except Exception as error:
        # This machine's own errors name a file, and each store's package has others of its own.
        if isinstance(error, OSError) and error.filename is not None:
            raise
        said = " ".join(without_secrets(str(error)).split())[:200]
        raise InputError(f"{path}: cannot be read: {said}; access is set by {store.access}") from None


def _copied(path: str, place: Path) -> Path:
    """
    Args:
        place: of the copy, below `COPIES`.
    """
    from fsspec.core import url_to_fs

    files, root = url_to_fs(path, skip_instance_cache=True, use_listings_cache=False)
    there = _listed(files, root)
    if not there:
        raise InputError(
            f"{path}: found nothing there, expected a file, or a folder with files; is the name of the bucket right?"
        )
    places = {name: place / _inside(path, root, name) for name in there}
    _clear(COPIES / place, {COPIES / each for each in places.values()})
    old = [name for name in there if not _is_as_new(places[name], there[name])]
    _refuse_beyond_disk(path, sum(there[name]["size"] for name in old))
    for name in old:
        copy = COPIES / places[name]
        copy.parent.mkdir(parents=True, exist_ok=True)
        with files.open(name, "rb") as original, replacing(copy) as file:
            shutil.copyfileobj(original, file, CHUNK)
        write_bytes(_version_file(places[name]), _version(there[name]))
    if old and {name: _version(info) for name, info in _listed(files, root).items()} != {
        name: _version(info) for name, info in there.items()
    }:
        raise InputError(f"{path}: found files that changed while they were copied; run again when nobody writes there")
    return COPIES / place


def _listed(files: Any, root: str) -> dict[str, Mapping[str, Any]]:
    """What the store says of each file below a place, or of the one that is there."""
    found = files.find(root, maxdepth=DEPTH, detail=True)
    # A folder may be an object of its own, which ends in a slash.
    return {name: info for name, info in sorted(found.items()) if info["type"] == "file" and not name.endswith("/")}


def _inside(path: str, root: str, name: str) -> str:
    """Where a file lies below the address; empty where it is the address.

    Raises:
        InputError: a store may call it what no file can be called, or what would lead out of the folder.
    """
    inside = name.removeprefix(root.rstrip("/")).removeprefix("/")
    if inside and not _are_names(inside.split("/")):
        raise InputError(f"{path}: found the name {quoted(name)}, expected one that a file can have")
    return inside


def _are_names(parts: Iterable[str]) -> bool:
    return all(part not in ("", ".", "..") and "\0" not in part for part in parts)


def _version(info: Mapping[str, Any]) -> bytes:
    return "".join(f"{key}: {info[key]}\n" for key in OF_VERSION if key in info).encode()


def _version_file(place: Path) -> Path:
    return COPIES / VERSIONS / place.with_name(f"{place.name}.txt")


def _is_as_new(place: Path, info: Mapping[str, Any]) -> bool:
    copy, version = COPIES / place, _version_file(place)
    return (
        copy.is_file()
        and copy.stat().st_size == info["size"]
        and version.is_file()
        and version.read_bytes() == _version(info)
    )


def _clear(place: Path, kept: set[Path]) -> None:
    """Remove copies of what is not in the store any more, and folders that are empty then."""
    for path in (*sorted(place.rglob("*"), reverse=True), *([place] if place.exists() else [])):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in kept and not path.match(TEMPORARY):
            path.unlink()


def _refuse_beyond_disk(path: str, needed: int) -> None:
    COPIES.mkdir(exist_ok=True)
    free = shutil.disk_usage(COPIES).free
    if needed > free:
        raise InputError(
            f"{path}: found {needed / 1e9:.1f} GB to copy, expected at most the {free / 1e9:.1f} GB that are free here; make room, or let "
            f"{COPIES} be a link to a larger disk"
        )
