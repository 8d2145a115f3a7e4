from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from pipeline.common.devices import GPU_BLOCKS, cells_at_once, placed, torch_device
from pipeline.common.errors import InputError
from tests.repository import ROOT


def test_cpu_is_the_cpu_and_auto_is_a_gpu_where_there_is_one() -> None:
    assert torch_device("cpu").type == "cpu"
    assert torch_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_cuda_without_a_gpu_is_a_mistake_in_one_line() -> None:
    if torch.cuda.is_available():
        assert torch_device("cuda").type == "cuda"
        return
    with pytest.raises(InputError, match=r"^device: found cuda, .*no CUDA device here; expected cpu or auto$"):
        torch_device("cuda")


def test_an_array_is_placed_on_the_cpu_without_a_copy_and_elsewhere_with_one() -> None:
    values = np.arange(3)
    assert placed(values, "cpu").data_ptr() == values.ctypes.data
    assert placed(values, torch.device("meta")).device.type == "meta"


def test_blocks_are_larger_where_each_has_to_be_asked_for() -> None:
    assert cells_at_once(10, torch.device("cpu")) == 10
    assert cells_at_once(10, torch.device("cuda")) == 10 * GPU_BLOCKS


def test_every_operation_is_deterministic_and_the_compiler_is_not_loaded_for_it() -> None:
    code = (
        "import sys, torch; from pipeline.common.devices import torch_device; torch_device('cpu'); "
        "print(torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(), "
        "'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["True", "True", "False"]
