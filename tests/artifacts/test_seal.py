"""Damage to an artifact, and another artifact in its place, are found when it is read."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.artifacts.kinds import Artifact, Lines, Table, Tensors, Vectors, together
from pipeline.artifacts.kinds.seal import SEAL, blank_seal, check_seal, sealed
from pipeline.common.errors import InputError

NAMES = pl.DataFrame({"item": [0, 1, 2], "title": ["a", "b", "sha256:" + "1" * 64 + " of <x>"]})
TABLE = Table("out/{dataset}/{variant}/table.parquet", {"item": pl.Int64, "title": pl.String}, key=("item",))
EMPTY = Table("out/{dataset}/{variant}/empty.parquet", {"item": pl.Int64}, key=("item",), not_empty=False)
TENSORS = Tensors("out/{dataset}/{variant}/tensors.safetensors")
LINES = Lines("out/{dataset}/{variant}/lines.txt")
VECTORS = Vectors("out/{dataset}/{variant}/vectors")
MATRIX = np.arange(6, dtype=np.float32).reshape(3, 2)
IDS = [pl.DataFrame({f"{kind}_id": ["a", "b", "c"], "vector": MATRIX}) for kind in ("item", "user")]

WRITES: dict[str, tuple[Artifact, Callable[[Artifact, str, Path], None]]] = {
    "table": (TABLE, lambda each, dataset, root: each.write(NAMES, dataset, root)),  # type: ignore[attr-defined]
    "empty": (EMPTY, lambda each, dataset, root: each.write(NAMES.head(0), dataset, root)),  # type: ignore[attr-defined]
    "tensors": (TENSORS, lambda each, dataset, root: each.write({"a": MATRIX}, dataset, root, about={"x": [1]})),  # type: ignore[attr-defined]
    "lines": (LINES, lambda each, dataset, root: each.write(["one", "two"], dataset, root)),  # type: ignore[attr-defined]
    "vectors": (VECTORS, lambda each, dataset, root: each.write(tuple(IDS), dataset, root)),  # type: ignore[attr-defined]
}


def refusal(artifact: Artifact, dataset: str, root: Path) -> str:
    with pytest.raises(InputError) as error:
        artifact.read(dataset, root)  # type: ignore[attr-defined]
    assert "\n" not in str(error.value)
    return str(error.value)


def files_of(artifact: Artifact, dataset: str, root: Path) -> list[Path]:
    path = artifact.at(dataset, root)
    return sorted(path.iterdir()) if path.is_dir() else [path]


@pytest.mark.parametrize("kind", WRITES)
def test_a_byte_that_changes_is_found_wherever_it_is(tmp_path: Path, kind: str) -> None:
    artifact, write = WRITES[kind][0].of(variant="v"), WRITES[kind][1]
    write(artifact, "d", tmp_path)
    for path in files_of(artifact, "d", tmp_path):
        content = path.read_bytes()
        for place in range(0, len(content), 7):
            flipped = bytearray(content)
            flipped[place] ^= 1 << (place % 8)
            path.write_bytes(flipped)
            message = refusal(artifact, "d", tmp_path)
            assert message.startswith(f"{path}: found "), message
            assert message.endswith("; remove this file, and run `make check-cache` and then `dvc repro`")
        path.write_bytes(content)
    artifact.read("d", tmp_path)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", WRITES)
def test_a_file_that_was_cut_or_added_to_is_found(tmp_path: Path, kind: str) -> None:
    artifact, write = WRITES[kind][0].of(variant="v"), WRITES[kind][1]
    write(artifact, "d", tmp_path)
    for path in files_of(artifact, "d", tmp_path):
        content = path.read_bytes()
        others = [content[:length] for length in range(0, len(content), 29)]
        for other in (*others, content + b"\0", content + content, bytes(len(content))):
            path.write_bytes(other)
            assert refusal(artifact, "d", tmp_path).startswith(f"{path}: found ")
        path.write_bytes(content)


@pytest.mark.parametrize("kind", WRITES)
def test_the_file_of_another_data_set_or_variant_is_refused(tmp_path: Path, kind: str) -> None:
    artifact, write = WRITES[kind]
    mine = artifact.of(variant="v")
    for variant, dataset in (("v", "other"), ("w", "d"), ("vv", "d"), ("v", "dd")):
        write(mine, "d", tmp_path)
        other = artifact.of(variant=variant)
        write(other, dataset, tmp_path)
        shutil.rmtree(mine.at("d", tmp_path)) if kind == "vectors" else None
        (shutil.copytree if kind == "vectors" else shutil.copy)(other.at(dataset, tmp_path), mine.at("d", tmp_path))
        message = refusal(mine, "d", tmp_path)
        assert f"found out/{dataset}/{variant}/" in message
        assert "expected out/d/v/" in message


@pytest.mark.parametrize("kind", WRITES)
def test_a_workspace_may_lie_anywhere_and_its_bytes_are_the_same(tmp_path: Path, kind: str) -> None:
    artifact, write = WRITES[kind][0].of(variant="v"), WRITES[kind][1]
    for root in (tmp_path / "a", tmp_path / "b"):
        write(artifact, "d", root)
    for one, two in zip(*(files_of(artifact, "d", tmp_path / root) for root in "ab"), strict=True):
        assert one.read_bytes() == two.read_bytes()
    shutil.move(tmp_path / "a", tmp_path / "c")
    artifact.read("d", tmp_path / "c")  # type: ignore[attr-defined]


def test_tensors_about_are_checked_as_well(tmp_path: Path) -> None:
    tensors = TENSORS.of(variant="v")
    tensors.write({"a": MATRIX}, "d", tmp_path, about={"x": 1})
    path = tensors.at("d", tmp_path)
    path.write_bytes(path.read_bytes().replace(b'\\"x\\": 1', b'\\"x\\": 2'))
    with pytest.raises(InputError, match="found other bytes than were written"):
        tensors.about("d", tmp_path)


def test_an_artifact_of_another_version_says_so(tmp_path: Path) -> None:
    table = TABLE.of(variant="v")
    path = table.at("d", tmp_path)
    path.parent.mkdir(parents=True)
    NAMES.write_parquet(path)
    # One that a title has is no seal.
    assert refusal(table, "d", tmp_path).startswith(f"{path}: found ")
    NAMES.head(2).write_parquet(path)
    assert refusal(table, "d", tmp_path).startswith(f"{path}: found no checksum, as in a file of another version; ")


def test_a_seal_has_the_digits_of_the_file_with_zeros_in_their_place() -> None:
    blank = blank_seal("a/b.txt", {"c/e.txt": "0" * 16, "c/d.txt": "1" * 16})
    content = f"before {blank} after".encode()
    whole = sealed(content, blank)
    found = SEAL.search(whole)
    assert found is not None
    assert found[1].decode() == hashlib.sha256(content).hexdigest()
    seal = check_seal(whole, "a/b.txt", Path("x"))
    assert seal == (found[1].decode()[:16], {"c/d.txt": "1" * 16, "c/e.txt": "0" * 16})
    assert len(whole) == len(content)


THINGS = Table("out/{dataset}/things.parquet", {"item": pl.Int64}, key=("item",), traced=True)
MADE = Tensors("out/{dataset}/made.safetensors", traced=True)
NOTES = Lines("out/{dataset}/notes.txt")


def make(root: Path, things: list[int], *, notes: bool = True) -> None:
    """Things, what is made of them, and notes of both."""
    with together():
        THINGS.write(pl.DataFrame({"item": things}), "d", root)
    with together():
        THINGS.read("d", root)
        MADE.write({"a": MATRIX * len(things)}, "d", root)
    with together():
        MADE.read("d", root)
        NOTES.write(["a"], "d", root) if notes else None


def stale(*artifacts: Artifact, root: Path) -> str:
    with together():
        for artifact in artifacts[:-1]:
            artifact.read("d", root)  # type: ignore[attr-defined]
        with pytest.raises(InputError) as error:
            artifacts[-1].read("d", root)  # type: ignore[attr-defined]
    return str(error.value).replace(f"{root}/", "")


def test_what_is_made_of_older_things_is_refused_in_whichever_order_it_is_read(tmp_path: Path) -> None:
    make(tmp_path, [1, 2])
    old = MADE.at("d", tmp_path).read_bytes()
    make(tmp_path, [1, 2, 3], notes=False)
    new = MADE.at("d", tmp_path).read_bytes()
    MADE.at("d", tmp_path).write_bytes(old)
    again = "; run `dvc repro`, which makes it again"
    message = f"out/d/made.safetensors: made from another version of out/d/things.parquet than the one there now{again}"
    assert stale(THINGS, MADE, root=tmp_path) == message
    assert stale(MADE, THINGS, root=tmp_path) == message
    with together():
        THINGS.read("d", tmp_path)
        with pytest.raises(InputError, match="than the one there now"):
            MADE.about("d", tmp_path)
    # The notes were not read beside the things themselves.
    MADE.at("d", tmp_path).write_bytes(new)
    message = f"out/d/notes.txt: made from another version of out/d/things.parquet than the one there now{again}"
    assert stale(THINGS, NOTES, root=tmp_path) == message
    assert stale(MADE, NOTES, root=tmp_path).startswith("out/d/notes.txt: made from another version of out/d/")


def test_two_that_are_made_of_different_things_are_refused_without_the_things(tmp_path: Path) -> None:
    make(tmp_path, [1, 2])
    other = Lines("out/{dataset}/other.txt")
    with together():
        THINGS.write(pl.DataFrame({"item": [5]}), "d", tmp_path)
        other.write(["b"], "d", tmp_path)
    assert stale(NOTES, other, root=tmp_path) == (
        "out/d/other.txt: made from another version of out/d/things.parquet than out/d/notes.txt; "
        "run `dvc repro`, which makes it again"
    )


def test_what_fits_is_read_and_things_of_other_data_sets_do_not_count(tmp_path: Path) -> None:
    make(tmp_path, [1, 2])
    with together():
        THINGS.write(pl.DataFrame({"item": [7]}), "e", tmp_path)
        for artifact in (NOTES, MADE, THINGS):
            artifact.read("d", tmp_path)
    # The same things again are the same bytes, and so is all that is made of them.
    before = [path.read_bytes() for path in sorted((tmp_path / "out/d").iterdir())]
    make(tmp_path, [1, 2])
    assert before == [path.read_bytes() for path in sorted((tmp_path / "out/d").iterdir())]


def test_a_data_set_may_have_a_name_of_any_script(tmp_path: Path) -> None:
    for write, artifact in ((WRITES[kind][1], WRITES[kind][0].of(variant="é")) for kind in WRITES):
        write(artifact, "日本-café", tmp_path)
        artifact.read("日本-café", tmp_path)  # type: ignore[attr-defined]


def test_outside_of_a_stage_nothing_is_compared(tmp_path: Path) -> None:
    make(tmp_path, [1, 2])
    THINGS.write(pl.DataFrame({"item": [7]}), "d", tmp_path)
    for artifact in (THINGS, MADE, NOTES):
        artifact.read("d", tmp_path)
