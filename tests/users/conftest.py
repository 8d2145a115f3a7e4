"""What the tests of training train on, made once for each module."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pipeline.data.dataset import Dataset
from pipeline.structure.gat.network import TwoLayerGat
from pipeline.structure.gat.settings import GatConfig
from pipeline.structure.gat.training import train_gat
from pipeline.users.modalities.inputs import GatInputs, ItemInputs
from tests.users.knowing import known
from tests.users.training_world import ITEMS, STRUCTURE_WIDTH, dataset, interactions


@pytest.fixture(scope="module")
def inputs() -> ItemInputs:
    """Text that tells the two halves of the catalogue apart, a graph of the same communities, and entities by chance."""
    random = np.random.default_rng(2)
    half = np.arange(ITEMS) % 2
    text = np.where(half[:, None], 1.0, -1.0) * np.ones((ITEMS, 6)) + random.normal(0, 0.8, (ITEMS, 6))
    initial = random.normal(0, 1, (ITEMS, 5)).astype(np.float32)
    one, other = np.array([(a, b) for a in range(ITEMS) for b in range(a + 2, ITEMS, 2) if random.random() < 0.4]).T
    edges = np.stack([np.r_[one, other], np.r_[other, one]])
    gat_config = GatConfig(
        heads=2, hidden_width=4, output_width=STRUCTURE_WIDTH, dropout=0.0, negative_slope=0.2, learning_rate=0.01,
        held_out_edges=0.1, epochs=3, patience=3,
    )  # fmt: skip
    gat = train_gat(initial, edges, gat_config, seed=1)
    entities = csr_matrix((random.random((ITEMS, 12)) < 0.2).astype(np.float32))
    inputs_of_gat = GatInputs(initial, edges, gat.weights, partial(TwoLayerGat, config=gat_config))
    data = dataset(interactions())
    knowledge = known(data)
    return ItemInputs(
        ITEMS,
        text.astype(np.float32),
        gat.vectors,
        entities,
        inputs_of_gat,
        knowledge,
        data.train_counts,
        10.0,
        knowledge.around.weights,
        given={"audio": random.normal(2, 1, (ITEMS, 7)).astype(np.float32)},
    )


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset(interactions())
