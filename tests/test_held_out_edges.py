"""Held out edges against PyTorch Geometric's split."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch_geometric import seed_everything
from torch_geometric.data import Data
from torch_geometric.transforms import RandomLinkSplit
from torch_geometric.utils import negative_sampling

from pipeline.held_out_edges import hold_out, other_pairs


def graph(items: int, share: float, seed: int) -> NDArray[np.int64]:
    """Both directions of each edge, (2, 2 * edges); at least two edges."""
    left, right = np.triu_indices(items, 1)
    kept = np.random.default_rng(seed).random(len(left)) < share
    kept[:2] = True
    once = np.stack([left[kept], right[kept]])
    return np.concatenate([once, once[::-1]], axis=1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(4, 25), st.floats(0, 1), st.integers(0, 10_000), st.integers(0, 2**31 - 1), st.floats(0, 1))
def test_the_split_is_pytorch_geometrics(items: int, share: float, seed: int, drawn: int, held: float) -> None:
    edges = graph(items, share, seed)
    count = min(max(1, int(held * edges.shape[1] / 2)), edges.shape[1] // 2 - 1)
    split = RandomLinkSplit(
        num_val=count, num_test=0, is_undirected=True, add_negative_train_samples=False, split_labels=True
    )
    seed_everything(drawn)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where there are fewer other pairs
        train, expected, _ = split(Data(x=torch.zeros(items, 1), edge_index=torch.from_numpy(edges)))
    next_draw = torch.rand(1)
    found = hold_out(edges, items, count, drawn)
    assert torch.equal(torch.rand(1), next_draw)
    np.testing.assert_array_equal(found.trained, train.edge_index.numpy())
    np.testing.assert_array_equal(found.edges, expected.pos_edge_label_index.numpy())
    others = expected.neg_edge_label_index.numpy() if "neg_edge_label_index" in expected else np.empty((2, 0))
    np.testing.assert_array_equal(found.others, others)


@pytest.mark.parametrize("count", [1, 5, 40, 500])
def test_other_pairs_are_negative_samples(count: int) -> None:
    edges = graph(30, 0.3, 0)
    random.seed(4)
    expected = negative_sampling(torch.from_numpy(edges), 30, num_neg_samples=count, method="sparse")
    found = other_pairs(edges, 30, count, random.Random(4))
    np.testing.assert_array_equal(found, expected.numpy())
    assert found.shape[1] == count
    there = {tuple(pair) for pair in edges.T.tolist()}
    pairs = {tuple(pair) for pair in found.T.tolist()}
    assert len(pairs) == count
    assert not pairs & there
    assert all(left != right for left, right in pairs)


def test_a_complete_graph_has_no_other_pairs() -> None:
    assert other_pairs(graph(5, 1.0, 0), 5, 3, random.Random(0)).shape == (2, 0)


def test_nothing_else_is_drawn_from() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)
    hold_out(graph(9, 0.4, 0), 9, 2, 3)
    assert random.random() == expected
