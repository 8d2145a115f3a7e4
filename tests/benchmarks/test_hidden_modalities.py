"""A model whose modalities are hidden one by one: it falls, and not to where nothing is known of items."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.hidden_modalities import HEAD, OF_ALL, OF_COLD, figures, hidings, rows, table, without
from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines.popularity import Popularity
from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.users.item_encoder import ItemEncoder, stored_encoder
from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.model import Model
from pipeline.users.trained import TrainedModel
from tests.users.conftest import data, inputs  # noqa: F401
from tests.users.training_world import ITEMS, PLUS, train

LONG: dict[str, Any] = PLUS | {"epochs": 12, "learning_rate": 0.02, "modality_dropout": 0.2}


@pytest.fixture(scope="module")
def world(inputs: ItemInputs, data: Dataset) -> tuple[Model, ItemEncoder, Dataset]:  # noqa: F811
    """Without dislikes of enough people there would be no `impression` figure; likes follow what texts and structure tell."""
    trained = train(inputs, data, **LONG)
    config, frozen = trained.config, dataclasses.replace(inputs, gat=None)
    encoder = stored_encoder(trained.arrays, frozen, config.modalities, config.fusion, config.width)
    return Model.from_arrays(trained.arrays, config, ITEMS), encoder, data


def test_what_is_hidden() -> None:
    assert hidings(["text", "id"]) == {"(nothing)": [], "text": ["text"], "id": ["id"]}
    assert hidings(["text", "id", "image"]) == {
        "(nothing)": [],
        "text": ["text"],
        "id": ["id"],
        "image": ["image"],
        "all but text": ["id", "image"],
        "all but id": ["text", "image"],
        "all but image": ["text", "id"],
    }


def test_nothing_hidden_is_the_model_as_it_was_trained(world: tuple[Model, ItemEncoder, Dataset]) -> None:
    model, encoder, _ = world
    everything = np.ones(ITEMS, dtype=bool)
    for hidden, of_items in (([], everything), (["text", "id"], ~everything)):
        torch.testing.assert_close(without(model, encoder, hidden, of_items).items, model.items)
    some = np.arange(ITEMS) < 5
    found = without(model, encoder, ["text"], some).items
    parts = encoder.parts()
    torch.testing.assert_close(found[5:], model.items[5:])
    torch.testing.assert_close(found[:5], sum(parts[name][:5] for name in parts if name != "text"))


def test_figures_are_those_of_the_evaluation(world: tuple[Model, ItemEncoder, Dataset]) -> None:
    model, _, data = world  # noqa: F811
    of_all, of_cold = figures(TrainedModel(model, data), data)
    tested = evaluate_split(TrainedModel(model, data), data, "test")
    assert of_all == [tested.value(name) for name in OF_ALL]
    assert len(of_cold) == len(OF_COLD)


def test_hidden_modalities_cost_something_and_not_everything(world: tuple[Model, ItemEncoder, Dataset]) -> None:
    model, encoder, data = world  # noqa: F811
    found = dict(rows(model, encoder, data))
    assert list(found) == [*hidings([*encoder.modalities]), "(popularity)"]
    lines = table(found).splitlines()
    assert [line.split("|")[1].strip() for line in lines] == [HEAD[0], "---", *found]
    place = OF_ALL.index("impression.ndcg@5")
    whole, floor = found["(nothing)"][place], found["(popularity)"][place]
    assert floor == evaluate_split(Popularity.fit(data), data, "test").value("impression.ndcg@5")
    alone = [found[name][place] for name in encoder.modalities]
    # Each can be done without, and at least one of them is missed.
    assert min(alone) > floor + (whole - floor) / 2
    assert min(alone) < whole
    # With text alone items are told apart; without anything but entities, which are drawn at random here, much less.
    assert found["all but text"][place] > floor + (whole - floor) / 2
    assert found["all but entities"][place] < found["all but text"][place]
