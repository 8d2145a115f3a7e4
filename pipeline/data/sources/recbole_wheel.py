"""MovieLens-100K with a Freebase knowledge graph, out of the `recbole` wheel on the package index.

The wheel is fetched by pip into `downloads/` and never installed. Its own ``ml-100k.link`` is wrong: it is keyed by
MovieLens-1M ids, so a film's KG facts would belong to another film. `ml_100k_item_entities.csv` beside this module is the
corrected table; it was made by matching title and year between the two MovieLens sets.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.common.config import Config
from pipeline.common.errors import InputError
from pipeline.common.files import temporary_folder
from pipeline.data.sources.atomic import atomic_table
from pipeline.data.sources.delimited import read_table
from pipeline.data.sources.files import DOWNLOADS, digest_of
from pipeline.data.sources.remote import here
from pipeline.data.sources.tidy import TidyTables, tidy

INSIDE = "recbole/dataset_example/ml-100k/ml-100k"


class RecboleWheelSource(Config):
    type: Literal["recbole-wheel"] = Field(description="MovieLens-100K from the recbole package")
    version: str = Field(pattern=r"^\d+(\.\d+)*$", description="Version of the recbole package")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Checksum of the wheel")
    path: str = Field(min_length=1, description="The corrected item-to-entity table; DVC watches it")

    def read(self) -> TidyTables:
        """Read the data set in the wheel, fetched first if need be.

        Raises:
            InputError: pip cannot fetch the wheel, its checksum differs, or a table does not pass the checks.
        """
        wheel = fetch_wheel(self.version, self.sha256)
        with zipfile.ZipFile(wheel) as archive:
            tables = {
                ending: atomic_table(_member(archive, ending), f"{wheel.name}:ml-100k{ending}")
                for ending in (".inter", ".item", ".kg")
            }
        links = here(self.path)
        if not links.is_file():
            raise InputError(f"{links}: file not found; expected the item-to-entity table of MovieLens-100K")
        return tidy(tables[".inter"], tables[".item"], tables[".kg"], read_table(links), feedback="rated")


def fetch_wheel(version: str, sha256: str, folder: Path = DOWNLOADS) -> Path:
    """The wheel as pip downloads it, from an earlier download if its checksum still holds.

    It is kept as ``FOLDER/FIRST 12 DIGITS OF THE CHECKSUM/NAME``; a download that fails leaves nothing.

    Raises:
        InputError: pip fails (its last line is quoted), or the checksum is another one.
    """
    place = folder / sha256[:12]
    for kept in sorted(place.glob("recbole-*.whl")):
        if digest_of(kept) == sha256:
            return kept
    try:
        place.mkdir(parents=True, exist_ok=True)
        with temporary_folder(beside=place) as temporary:
            wheel = _download(version, temporary)
            found = digest_of(wheel)
            if found != sha256:
                raise InputError(f"{wheel.name}: found sha256 {found}, expected {sha256}")
            return wheel.replace(place / wheel.name)
    except OSError as error:
        raise InputError(f"{place}: cannot be written: {error.strerror}") from None
    finally:
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _download(version: str, folder: Path) -> Path:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        str(folder),
        f"recbole=={version}",
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("recbole-*.whl"))
    if result.returncode or not wheels:
        lines = [line for line in result.stderr.splitlines() if line.strip() and "WARNING" not in line]
        raise InputError(
            f"recbole=={version}: pip could not fetch the wheel: {lines[-1] if lines else 'no reason given'}"
        )
    return wheels[0]


def _member(archive: zipfile.ZipFile, ending: str) -> bytes:
    name = f"{INSIDE}{ending}"
    try:
        return archive.read(name)
    except KeyError:
        raise InputError(f"{archive.filename}: {name}: not found in the wheel; expected MovieLens-100K there") from None
