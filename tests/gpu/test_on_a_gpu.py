"""What each stage computes on a GPU beside what it computes on the CPU; only where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.common.devices import torch_device
from tests.gpu.works import WORKS

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU here")

# What is learned in a few steps, and not each weight: where a loss does not ask for a weight its gradient is rounding alone, of
# which Adam makes a step, on each device another one.
COMPARED = ("vectors", "loss", "auc", "preference", "judgement")
# Sums are in another order there: some units of the seventh digit, which a few steps of Adam make more of.
TOLERANCE = 1e-2


@pytest.mark.parametrize("name", WORKS)
def test_a_stage_computes_on_a_gpu_what_it_does_on_the_cpu(name: str) -> None:
    expected = WORKS[name]("cpu")
    found = WORKS[name](torch_device("cuda"))
    assert list(found) == list(expected)
    for key in COMPARED:
        if key in found:
            np.testing.assert_allclose(found[key], expected[key], rtol=TOLERANCE, atol=TOLERANCE, err_msg=key)
