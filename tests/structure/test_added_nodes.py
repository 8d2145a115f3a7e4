"""Nodes that neither SDNE nor the GAT was trained on: a copy of one that was there gets the very vector of it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from pipeline.structure.gat.added_nodes import vectors_of_added
from pipeline.structure.gat.training import train_gat
from pipeline.structure.sdne.estimator import SDNE
from pipeline.structure.sdne.further_rows import codes_of
from tests.graphs import directed, matrix, two_communities
from tests.structure.gat.test_training import config

NODES = 33
# One of each community, one whose neighbours another has, and one without any.
COPIED = [0, 4, 20, NODES - 1]


@pytest.mark.parametrize(
    ("activation", "hidden", "sampled"),
    [*product(["tanh", "sigmoid", "relu"], [(8,), (8, 6)], [0]), ("tanh", (8,), 10)],
)
def test_a_row_that_was_there_gets_its_code(activation: str, hidden: tuple[int, ...], sampled: int) -> None:
    adjacency = matrix(two_communities(), NODES)
    model = SDNE(dimensions=5, hidden_widths=hidden, activation=activation, epochs=3, sampled_columns=sampled)
    model.fit_adjacency(adjacency)
    codes = codes_of(adjacency[COPIED], model.encoder_arrays(), activation)
    np.testing.assert_allclose(codes, model.get_embedding()[COPIED], atol=1e-6)
    assert np.abs(codes[0] - codes[2]).max() > 1e-3


def test_a_copy_attends_to_the_same_nodes_and_the_others_do_not_look_at_it() -> None:
    edges = directed(two_communities())
    initial = np.random.default_rng(0).normal(size=(NODES, 6)).astype(np.float32)
    trained = train_gat(initial, edges, config(epochs=3, patience=3), seed=1)
    source, target = edges
    more = np.array([(one, NODES + copy) for copy, item in enumerate(COPIED) for one in source[target == item]]).T
    both = np.concatenate([initial, initial[COPIED]])
    found = vectors_of_added(both, np.concatenate([edges, more], axis=1), trained.weights, config(), len(COPIED))
    np.testing.assert_allclose(found, trained.vectors[COPIED], atol=1e-6)
    # Whatever else is added.
    alone = vectors_of_added(
        both[: NODES + 1], np.concatenate([edges, more[:, more[1] == NODES]], axis=1), trained.weights, config(), 1
    )
    np.testing.assert_allclose(alone, found[:1], atol=1e-6)
