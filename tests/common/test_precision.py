"""What is computed in fewer digits where a run allows it, and what never is."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.common.precision import in_full, products, widened
from pipeline.structure.gat import layer, link_reconstruction
from pipeline.structure.gat.training import train_gat
from pipeline.structure.sdne.estimator import SDNE
from pipeline.users.training import UserTrainer
from tests.gpu.works import FORMS, NODES, STILL, item_inputs
from tests.graphs import directed, matrix, two_communities
from tests.structure.gat.test_training import config as gat_config
from tests.users.training_world import USERS, config, dataset, interactions

ONES = torch.ones(2, 2)


def test_products_are_narrow_inside_and_what_is_in_full_is_not() -> None:
    seen: list[torch.dtype] = []

    @in_full
    def product(left: torch.Tensor, *, right: torch.Tensor) -> torch.Tensor:
        seen.append(left.dtype)
        return left @ right

    with products("bfloat16", "cpu"):
        narrow = ONES @ ONES
        assert product(narrow, right=ONES).dtype == torch.float32
    assert narrow.dtype == torch.bfloat16
    assert widened(narrow).dtype == torch.float32
    assert seen == [torch.float32]
    with products("float32", "cpu"):
        assert (ONES @ ONES).dtype == torch.float32
    double = ONES.double()
    assert widened(double) is double


def loss_and_gradients(form: dict[str, Any], precision: Any) -> tuple[float, dict[str, torch.Tensor]]:
    variant, given = config(**form | STILL), item_inputs()
    inputs = given if variant.finetune_gat else dataclasses.replace(given, gat=None)
    trainer = UserTrainer(inputs, dataset(interactions()), variant, 7, "cpu", precision)
    loss = trainer.loss(np.arange(USERS), np.random.default_rng(0), torch.Generator().manual_seed(0))
    assert loss is not None
    torch.autograd.backward(loss)
    named = [*trainer.items.named_parameters(), *trainer.scorer.named_parameters()]
    return float(loss.detach()), {name: one.grad for name, one in named if one.grad is not None}


@pytest.mark.parametrize("form", FORMS)
def test_a_step_in_bfloat16_is_nearly_that_of_float32(form: str) -> None:
    loss, gradients = loss_and_gradients(FORMS[form], "float32")
    narrow, found = loss_and_gradients(FORMS[form], "bfloat16")
    assert narrow != loss
    assert narrow == pytest.approx(loss, rel=0.02)
    for name, gradient in gradients.items():
        assert found[name].dtype == torch.float32
        assert float((found[name] - gradient).norm()) <= 0.1 * float(gradient.norm()) + 1e-3, name


@pytest.mark.parametrize("sampled", [0, 10])
def test_sdne_in_bfloat16_ends_near_where_it_does_in_float32(sampled: int) -> None:
    losses = []
    for precision in ("float32", "bfloat16"):
        model = SDNE(5, (8,), epochs=5, batch_size=16, sampled_columns=sampled, precision=precision)  # type: ignore[arg-type]
        model.fit_adjacency(matrix(two_communities(), NODES))
        losses.append(model.history[-1]["loss"])
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.parametrize("generic", [False, True], ids=["machine code", "GATConv"])
def test_the_gat_in_bfloat16_starts_with_the_loss_of_float32(generic: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if generic:
        monkeypatch.setattr(layer, "DTYPES", ())
        monkeypatch.setattr(link_reconstruction, "DTYPES", ())
    initial = np.random.default_rng(0).normal(size=(NODES, 6)).astype(np.float32)
    losses = [
        train_gat(initial, directed(two_communities()), gat_config(epochs=1, patience=1), 1, "cpu", one).history[0][
            "loss"
        ]
        for one in ("float32", "bfloat16")
    ]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
