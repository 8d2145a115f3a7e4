"""Steps on the rows that are met alone, where there are too many learned vectors to move all of them in each step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.common import optimisers
from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines.popularity import Popularity
from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.users import training
from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.model import Model
from pipeline.users.trained import TrainedModel
from pipeline.users.training import UserTrainer
from tests.users.training_world import ITEMS, PLUS, StoppedError, config, loss_of, same, train, trainer_of

SAMPLED = PLUS | {"catalogue_sample": 10, "damping": 2.0}
SOME = np.array([3, 4, 11])


@pytest.fixture
def by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimisers, "ROWS_MET_VALUES", 0)


def learned(trainer: UserTrainer) -> dict[str, nn.Parameter]:
    return {name: value for name, value in trainer.items.named_parameters() if name.endswith(("own", "entity"))}


def test_vectors_and_slopes_are_those_of_all_rows(inputs: ItemInputs, data: Dataset) -> None:
    whole, some = (trainer_of(inputs, data, **SAMPLED).items for _ in range(2))
    some.learn_by_rows()
    weights = torch.linspace(-1, 1, len(SOME) * some.width).reshape(len(SOME), -1)
    for encoder in (whole, some):
        (encoder.fuse(encoder.parts(SOME)) * weights).sum().backward()  # type: ignore[no-untyped-call]
    assert len(some.tables()) == 2
    for of_all, of_some in zip(whole.tables(), some.tables(), strict=True):
        assert of_all.grad is not None
        assert of_some.grad is not None
        assert of_some.grad.is_sparse
        torch.testing.assert_close(of_some.grad.to_dense(), of_all.grad)
        met = of_some.grad.coalesce().indices()
        assert 0 < met.numel() < len(of_all)
    torch.testing.assert_close(some.fuse(some.parts(SOME)), whole.fuse(whole.parts(SOME)))


@pytest.mark.usefixtures("by_rows")
def test_a_step_moves_what_it_meets_by_adam_and_nothing_else(inputs: ItemInputs, data: Dataset) -> None:
    trainer = trainer_of(inputs, data, **SAMPLED)
    assert trainer.of_tables is not None
    before = {name: value.detach().clone() for name, value in learned(trainer).items()}
    moments = {name: (torch.zeros_like(value), torch.zeros_like(value)) for name, value in before.items()}
    trainer._set_learning_rate(0.5, 2)
    rate = trainer.of_tables.param_groups[0]["lr"]
    assert rate == trainer.optimiser.param_groups[0]["lr"]
    for step, users in enumerate((range(5), range(5, 9), range(5)), start=1):
        for optimiser in trainer._optimisers():
            optimiser.zero_grad()
        loss_of(trainer, users).backward()  # type: ignore[no-untyped-call]
        slopes = {name: value.grad for name, value in learned(trainer).items()}
        for name, slope in slopes.items():
            assert slope is not None
            # One row after another, as Adam has it.
            slope = slope.coalesce()
            for row, of_row in zip(slope.indices()[0].tolist(), slope.values(), strict=True):
                first, second = (moment[row] for moment in moments[name])
                first.mul_(0.9).add_(0.1 * of_row)
                second.mul_(0.99).add_(0.01 * of_row**2)
                size = rate * (1 - 0.99**step) ** 0.5 / (1 - 0.9**step)
                before[name][row] -= size * first / (second.sqrt() + 1e-8)
        for optimiser in trainer._optimisers():
            optimiser.step()
        for name, value in learned(trainer).items():
            torch.testing.assert_close(value.detach(), before[name], rtol=1e-4, atol=1e-6)


def test_vectors_of_all_items_are_made_some_at_a_time(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(inputs, data, **SAMPLED)
    whole = trainer._item_vectors()
    monkeypatch.setattr(training, "ITEMS_AT_ONCE", 7)
    torch.testing.assert_close(trainer._item_vectors(), whole)


@pytest.mark.usefixtures("by_rows")
def test_planted_tastes_are_learned(inputs: ItemInputs, data: Dataset) -> None:
    long = SAMPLED | {"epochs": 12, "learning_rate": 0.02, "judge_share": 2.0}
    trained = train(inputs, data, **long)
    model = TrainedModel(Model.from_arrays(trained.arrays, config(**long), ITEMS), data)
    found, popular = evaluate_split(model, data, "test"), evaluate_split(Popularity.fit(data), data, "test")
    assert found.value("impression.user_auc") > popular.value("impression.user_auc") + 0.2
    assert found.value("ranking.ndcg@10") > popular.value("ranking.ndcg@10") + 0.03


@pytest.mark.usefixtures("by_rows")
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    def stop(row: dict[str, float]) -> None:
        if row["epoch"] == 3:
            raise StoppedError

    whole = train(inputs, data, **SAMPLED)
    with pytest.raises(StoppedError):
        trainer_of(inputs, data, **SAMPLED).run(tmp_path / "state.pt", stop)
    assert same(whole, trainer_of(inputs, data, **SAMPLED).run(tmp_path / "state.pt"))


def test_it_is_for_many_vectors_of_which_a_step_meets_some(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trainer_of(inputs, data, **SAMPLED).of_tables is None
    monkeypatch.setattr(optimisers, "ROWS_MET_VALUES", 0)
    for not_for in ({"catalogue_sample": 0}, {"weight_decay": 0.1}, {"modalities": ["text", "structure"]}):
        trainer = trainer_of(inputs, data, **SAMPLED | not_for)
        assert trainer.of_tables is None
        assert not any(vectors.by_rows for vectors in trainer.items.modalities.values())
