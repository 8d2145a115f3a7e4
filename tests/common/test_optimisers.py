from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from pipeline.common.optimisers import Adam, AdamW, RowAdam
from tests.repository import ROOT


@pytest.mark.parametrize("fused", [True, None])
@pytest.mark.parametrize(("ours", "theirs"), [(Adam, torch.optim.Adam), (AdamW, torch.optim.AdamW)])
def test_steps_are_those_of_pytorch_to_the_byte_also_after_a_state_was_taken_up(
    ours: type[torch.optim.Optimizer], theirs: type[torch.optim.Optimizer], fused: bool | None
) -> None:
    def trained(kind: Any) -> list[torch.Tensor]:
        random = torch.Generator().manual_seed(1)
        weights = [torch.nn.Parameter(torch.randn(5, 3, generator=random)) for _ in range(2)]
        groups = [{"params": weights[:1], "weight_decay": 0.5}, {"params": weights[1:]}]
        optimiser = kind(groups, 0.1, betas=(0.9, 0.99), fused=fused)
        for step in range(6):
            optimiser.zero_grad()
            sum((weight * torch.randn(5, 3, generator=random)).sum().square() for weight in weights).backward()
            optimiser.step()
            if step == 2:
                optimiser, kept = kind(groups, 0.1, betas=(0.9, 0.99), fused=fused), optimiser.state_dict()
                optimiser.load_state_dict(kept)
        return weights

    for mine, other in zip(trained(ours), trained(theirs), strict=True):
        assert torch.equal(mine, other)


def test_steps_on_the_rows_met_are_those_of_pytorch_also_after_a_state_was_taken_up() -> None:
    def trained(kind: Any) -> torch.nn.Parameter:
        random = torch.Generator().manual_seed(1)
        table = torch.nn.Parameter(torch.randn(9, 3, generator=random))
        optimiser = kind([table], 0.1, (0.9, 0.99))
        for step in range(6):
            optimiser.zero_grad()
            rows = torch.randperm(9, generator=random)[:4]
            torch.nn.functional.embedding(rows, table, sparse=True).square().sum().backward()
            optimiser.step()
            if step == 2:
                optimiser, kept = kind([table], 0.1, (0.9, 0.99)), optimiser.state_dict()
                optimiser.load_state_dict(kept)
        return table

    torch.testing.assert_close(trained(RowAdam), trained(torch.optim.SparseAdam))


def test_a_slope_of_all_rows_is_refused() -> None:
    table = torch.nn.Parameter(torch.ones(2, 2))
    table.sum().backward()  # type: ignore[no-untyped-call]
    with pytest.raises(ValueError, match="found a slope of all rows"):
        RowAdam([table], 0.1).step()


def test_the_compiler_is_not_loaded_for_them() -> None:
    code = (
        "import sys, torch; from pipeline.common.optimisers import AdamW; weight = torch.nn.Parameter(torch.ones(2)); "
        "optimiser = AdamW([weight]); optimiser.zero_grad(); weight.sum().backward(); optimiser.step(); "
        "optimiser.load_state_dict(optimiser.state_dict()); from pipeline.common.optimisers import RowAdam; "
        "table = torch.nn.Parameter(torch.ones(2, 1)); optimiser = RowAdam([table], 0.1); optimiser.zero_grad(); "
        "torch.nn.functional.embedding(torch.tensor([0]), table, sparse=True).sum().backward(); optimiser.step(); "
        "optimiser.load_state_dict(optimiser.state_dict()); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"
