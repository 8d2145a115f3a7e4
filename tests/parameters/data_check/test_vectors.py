"""`data check` finds files of vectors by what is in them, and says why others cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from pipeline.parameters.data_check.text import shown_check
from pipeline.parameters.data_check.vectors import FoundVectors
from tests.parameters.data_check.worlds import checked, write


def test_vectors_beside_the_tables_are_proposed(tmp_path: Path) -> None:
    folder = write(tmp_path / "d")
    pl.DataFrame({"item_id": [3, 4, 5], "vector": [[1.0, 2.0]] * 3}).write_parquet(folder / "audio.parquet")
    np.save(folder / "mine.npy", np.ones((10, 7)))
    # Parquet without vectors, and without ids of items.
    pl.DataFrame({"item_id": [3], "price": [1.0]}).write_parquet(folder / "prices.parquet")
    pl.DataFrame({"user_id": ["u1"], "vector": [[1.0]]}).write_parquet(folder / "people.parquet")
    (folder / "damaged.parquet").write_bytes(b"PAR1")
    (folder / "damaged.npy").write_bytes(b"\x93NUMPY")
    found = checked(folder)
    assert found.vectors == {"audio": FoundVectors(2, 3), "mine": FoundVectors(7, 10)}
    assert found.settings()["source"]["vectors"] == ["audio", "mine"]
    assert "audio, 2 wide, of 3 items; mine, 7 wide, of 10 items" in shown_check(found)
    assert not any("damaged" in finding.sentence() for finding in found.warnings)


def test_without_any_nothing_is_said(tmp_path: Path) -> None:
    found = checked(write(tmp_path / "d"))
    assert found.vectors == {}
    assert "vectors" not in found.settings()["source"]
    assert "vectors" not in shown_check(found)


def test_what_cannot_be_used_is_a_warning_and_the_data_set_goes_without(tmp_path: Path) -> None:
    folder = write(tmp_path / "d")
    pl.DataFrame({"item_id": [3, 4], "vector": [[1.0], [float("inf")]]}).write_parquet(folder / "loud.parquet")
    pl.DataFrame({"item_id": [3], "vector": [[1.0]]}).write_parquet(folder / "text.parquet")
    np.save(folder / "short.npy", np.ones((3, 7)))
    found = checked(folder)
    assert found.usable
    assert found.vectors == {}
    said = [finding.sentence() for finding in found.warnings]
    assert any("loud.parquet: row 1: found inf, expected only finite float32 numbers" in one for one in said)
    assert any(
        "text.parquet: found vectors called 'text', expected a letter of a-z, then letters" in one for one in said
    )
    assert any("short.npy: found 3 rows, expected one for each of the 10 items" in one for one in said)
