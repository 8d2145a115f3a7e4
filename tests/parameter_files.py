"""Both files of parameters as one mapping, to read and to change in a test's own folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.common.ablation import FILE, SECTIONS, read_all
from tests.repository import ROOT

# What makes the recommended model one of vectors alone, whose views are sums: it has vectors of users, and runs in a page.
VECTORS_ALONE: dict[str, Any] = {"co_rating_l2": 0.0, "terms": [], "count_biases": False, "targets": "all"}


def copy_to(folder: Path) -> None:
    """The repository's own."""
    for file in (Path("params.yaml"), FILE):
        (folder / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, folder / file)


@contextmanager
def edited(folder: Path) -> Iterator[dict[str, Any]]:
    """The content of both files, written back as it is at the end."""
    params = folder / "params.yaml"
    values = read_all(params)
    yield values
    for path, own in ((params, False), (folder / FILE, True)):
        with path.open("w") as file:
            YAML(typ="safe").dump({key: value for key, value in values.items() if (key in SECTIONS) == own}, file)
