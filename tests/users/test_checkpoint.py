"""A checkpoint comes back as it was written, or is found to be damaged and removed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.users.checkpoint import DIGEST, read_checkpoint, write_checkpoint
from tests.common.test_files import files_of_at_most

STATE = {"weights": {"one": torch.arange(6.0).reshape(2, 3)}, "history": [{"epoch": 1, "loss": 0.25}], "best": -np.inf}


def test_a_state_comes_back_as_it_was_in_folders_that_were_not_there(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / "state.pt"
    write_checkpoint(path, STATE)
    found = read_checkpoint(path, "cpu")
    assert found is not None
    assert torch.equal(found["weights"]["one"], STATE["weights"]["one"])  # type: ignore[index]
    assert found | {"weights": None} == STATE | {"weights": None}
    write_checkpoint(path, {"epoch": 2})
    assert read_checkpoint(path, "cpu") == {"epoch": 2}
    assert list(path.parent.iterdir()) == [path]


def test_damage_anywhere_is_found_and_the_file_removed(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    write_checkpoint(path, STATE)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    flipped = []
    for place in [0, DIGEST - 1, DIGEST, len(whole) - 1, *random.integers(len(whole), size=60).tolist()]:
        one = bytearray(whole)
        one[place] ^= 1 << int(random.integers(8))
        flipped.append(bytes(one))
    cut = [whole[:length] for length in (0, 1, DIGEST - 1, DIGEST, len(whole) - 1)]
    for content in [*flipped, *cut, whole + b"\0", whole[DIGEST:]]:
        path.write_bytes(content)
        assert read_checkpoint(path, "cpu") is None
        assert not path.exists()


def test_what_is_no_state_though_its_checksum_is_right_is_damaged_too(tmp_path: Path) -> None:
    """Of an object that would run code when it is read."""
    path = tmp_path / "state.pt"
    write_checkpoint(path, {"path": Path("somewhere")})
    assert read_checkpoint(path, "cpu") is None
    assert not path.exists()


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    write_checkpoint(path, {"epoch": 1})
    with files_of_at_most(1000), pytest.raises(OSError, match="File too large"):
        write_checkpoint(path, {"weights": torch.zeros(10_000)})
    assert read_checkpoint(path, "cpu") == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]
