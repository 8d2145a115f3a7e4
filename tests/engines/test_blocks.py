"""Blocks are cut by the data, and what comes of them is the same wherever, whenever and in whatever company they are worked on."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.blocks import Shown, in_turn
from pipeline.common.side_by_side import here, local, side_by_side
from tests.engines.works import BLOCKS, WORKS, small_blocks
from tests.repository import ROOT

every_work = pytest.mark.parametrize("name", WORKS)


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    with small_blocks():
        yield


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, bytes]]:
    """What comes of a work done in turn, once for all tests."""
    folder, made = tmp_path_factory.mktemp("encoder"), {}

    def of(name: str) -> tuple[Path, bytes]:
        if name not in made:
            made[name] = WORKS[name](folder, in_turn)
        return folder, made[name]

    return of


@every_work
@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_blocks_done_elsewhere_in_any_order_give_the_same_bytes(expected, name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    cut: list[int] = []

    def elsewhere(work: Callable[..., Any], blocks: Sequence[Any], *shared: Any, shown: Shown | None = None) -> Any:
        cut.append(len(blocks))
        sent, done = pickle.dumps((work, shared)), {}
        for number in random.permutation(len(blocks)):
            of_worker, of_all = pickle.loads(sent)
            # Some workers meet several blocks, and some of them twice.
            for _ in range(random.integers(1, 3)):
                done[number] = of_worker(pickle.loads(pickle.dumps(blocks[number])), *of_all)
        return iter([pickle.loads(pickle.dumps(done[number])) for number in range(len(blocks))])

    folder, bytes_in_turn = expected(name)
    assert WORKS[name](folder, elsewhere) == bytes_in_turn
    assert min(cut) >= BLOCKS


@every_work
def test_any_number_of_cores_cuts_the_same_blocks_and_gives_the_same_bytes(
    expected, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, bytes_in_turn = expected(name)
    seen: list[list[bytes]] = []
    for cores in (1, 2, 7):
        monkeypatch.setattr("pipeline.common.side_by_side.cores_here", lambda cores=cores: cores)
        cut: list[bytes] = []

        def spy(work: Any, blocks: Any, *shared: Any, shown: Any = None, cut: list[bytes] = cut) -> Any:
            cut += [pickle.dumps(block) for block in blocks]
            return local(work, blocks, *shared, shown=shown)

        assert WORKS[name](folder, spy) == bytes_in_turn
        seen.append(cut)
    assert seen[0] == seen[1] == seen[2]


def test_blocks_meet_at_once_and_come_back_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.common.side_by_side.cores_here", lambda: 3)
    meeting = threading.Barrier(3, timeout=60)

    def work(block: str, more: str) -> str:
        meeting.wait()
        return block + more

    assert list(local(work, ["a", "b", "c"], "!")) == ["a!", "b!", "c!"]


def test_no_more_blocks_are_begun_than_are_soon_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.common.side_by_side.cores_here", lambda: 2)
    begun: list[str] = []
    found = local(begun.append, [str(number) for number in range(100)])
    next(found)
    assert len(begun) <= 4
    found.close()
    assert len(begun) <= 4


def test_blocks_of_a_block_are_done_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or threads that wait for one another would wait for ever."""
    import torch

    monkeypatch.setattr("pipeline.common.side_by_side.cores_here", lambda: 2)

    def inner(block: str) -> int:
        return threading.get_ident()

    def outer(block: str) -> bool:
        threads = {*local(inner, ["a", "b", "c"]), *side_by_side(inner, ["a", "b"], torch.device("cpu"))}
        return threads == {threading.get_ident()}

    assert list(local(outer, ["a", "b", "c", "d"])) == [True] * 4


def test_an_error_of_a_block_comes_out_when_it_is_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.common.side_by_side.cores_here", lambda: 2)

    def work(block: str) -> str:
        if block == "b":
            raise ValueError(block)
        return block

    found = local(work, ["a", "b", "c"])
    assert next(found) == "a"
    with pytest.raises(ValueError, match="b"):
        next(found)


def test_a_gpu_has_one_block_at_a_time() -> None:
    assert here("cpu") is local
    assert here("cuda") is in_turn


def test_no_other_module_knows_ray() -> None:
    knows = [
        str(path.relative_to(ROOT))
        for folder in ("pipeline", "stages")
        for path in (ROOT / folder).rglob("*.py")
        if any(line.strip().startswith(("import ray", "from ray")) for line in path.read_text().splitlines())
    ]
    assert knows == ["stages/shared/on_ray.py"]
