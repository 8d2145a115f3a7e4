"""Parts side by side are what they are one after another, in their order."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from pipeline.common.side_by_side import side_by_side

CPU = torch.device("cpu")


@pytest.fixture
def three_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As many cores, and PyTorch with as many threads."""
    monkeypatch.setattr("pipeline.common.side_by_side.cores_here", lambda: 3)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_parts_meet_at_once_each_on_one_thread_and_come_back_in_their_order(three_cores: None) -> None:
    meeting = threading.Barrier(3, timeout=30)

    def work(part: int) -> tuple[int, int]:
        meeting.wait()
        return part, torch.get_num_threads()

    assert side_by_side(work, [5, 3, 4], CPU) == [(5, 1), (3, 1), (4, 1)]
    assert torch.get_num_threads() == 3


def test_a_single_part_and_a_single_core_are_on_one_thread_too(
    three_cores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def threads(part: int) -> int:
        return torch.get_num_threads()

    assert side_by_side(threads, [5], CPU) == [1]
    monkeypatch.setattr("pipeline.common.side_by_side.cores_here", lambda: 1)
    assert side_by_side(threads, [5, 3], CPU) == [1, 1]
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("parts", [[1], [1, 2]])
def test_no_gradients_are_kept_and_inference_stays_inference(three_cores: None, parts: list[int]) -> None:
    weight = torch.ones(2, requires_grad=True)

    def modes(part: int) -> tuple[bool, bool]:
        return (weight * part).requires_grad, torch.is_inference_mode_enabled()

    assert set(side_by_side(modes, parts, CPU)) == {(False, False)}
    with torch.inference_mode():
        assert set(side_by_side(modes, parts, CPU)) == {(False, True)}


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_a_part_comes_out_and_the_threads_are_as_they_were(three_cores: None, threads: int) -> None:
    torch.set_num_threads(threads)

    def fail(part: int) -> None:
        raise ValueError(f"part {part}")

    with pytest.raises(ValueError, match="part 7"):
        side_by_side(fail, [7, 8], CPU)
    assert torch.get_num_threads() == threads


def test_another_device_gets_one_part_after_another(three_cores: None) -> None:
    found = side_by_side(lambda part: threading.current_thread(), [1, 2, 3], torch.device("meta"))
    assert set(found) == {threading.current_thread()}
