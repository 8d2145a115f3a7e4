"""The check on a GPU: what it says without one, its table, and what it takes for too far apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchmarks import gpu_check
from benchmarks.gpu_check import Taken, card, check, least_cosine, table, too_far_apart

FIGURES = {"ctr user_auc": 0.9, "ranking ndcg@10": 0.3}


def taken(**changes: float) -> Taken:
    return Taken(2.0, 300.0, 20.0, FIGURES | changes)


def test_without_a_gpu_it_says_so_and_runs_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpu_check, "ran_on", lambda *given: pytest.fail("it ran"))
    check(True, "cuda")
    assert capsys.readouterr().out == "gpu-check: PyTorch sees no GPU here: nothing was run\n"


@pytest.mark.parametrize(
    ("value", "far"), [(0.9, False), (0.909, False), (0.911, True), (0.889, True), (math.nan, True)]
)
def test_figures_are_too_far_apart_beyond_their_tolerance(value: float, far: bool) -> None:
    found = too_far_apart({"evaluate": taken()}, {"evaluate": taken(**{"ctr user_auc": value})})
    expected = f"evaluate, ctr user_auc: found {value:.4f} on the GPU, expected 0.9000 ± 0.01"
    assert found == ([expected] if far else [])


def test_each_stage_is_a_row_with_both_devices_and_the_card_above() -> None:
    head, _, names, _, *rows = table({"evaluate": taken()}, {"evaluate": taken()}, card("cpu"))
    assert "cpu instead of a GPU" in head
    figures = "ctr user_auc 0.9000, ranking ndcg@10 0.3000"
    assert rows == [f"| evaluate | 2.0 | 2.0 | 300 | 300 | 20 | {figures} | {figures} |"]
    assert names.count("|") == rows[0].count("|")


def test_the_least_cosine_is_that_of_the_row_that_turned_most() -> None:
    ours = np.array([[1, 0], [0, 0], [0, 2]], dtype=np.float32)
    theirs = np.array([[3, 0], [0, 0], [1, 1]], dtype=np.float32)
    assert least_cosine(ours, theirs) == pytest.approx(math.cos(math.pi / 4))
