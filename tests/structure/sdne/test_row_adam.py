"""Adam on rows against PyTorch's own for sparse gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.structure.sdne import row_adam
from pipeline.structure.sdne.row_adam import RowAdam


@pytest.mark.parametrize("size", [1, 3, 100])
def test_steps_are_those_of_sparse_adam(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_adam, "ROWS", size)
    random = np.random.default_rng(0)
    started = [torch.tensor(random.normal(size=shape)) for shape in ((9, 4), (9,))]
    theirs = [torch.nn.Parameter(table.clone()) for table in started]
    sparse = torch.optim.SparseAdam(theirs, lr=0.05)
    ours = [table.clone() for table in started]
    rows = RowAdam(ours, 0.05)
    for _ in range(30):
        met = torch.tensor(np.sort(random.choice(9, random.integers(1, 8), replace=False)))
        given = [torch.tensor(random.normal(size=(len(met), *table.shape[1:]))) for table in started]
        rows.step(met, given)
        for table, gradient in zip(theirs, given, strict=True):
            table.grad = torch.sparse_coo_tensor(met[None], gradient, table.shape, check_invariants=True)
        sparse.step()
    for mine, other, first in zip(ours, theirs, started, strict=True):
        assert (mine != first).any()
        np.testing.assert_allclose(mine.numpy(), other.detach().numpy(), rtol=1e-9, atol=1e-12)
