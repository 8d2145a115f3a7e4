"""Graph attention by mini-batches against the full batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from torch_geometric.nn import GAE

from pipeline.common.errors import InputError
from pipeline.structure.gat import batches as gat_batches
from pipeline.structure.gat.batches import batch_loss, encode_by_blocks, encode_sampled, train_gat_by_batches
from pipeline.structure.gat.gat import TrainedGat, build_gat, train_gat
from pipeline.structure.gat.neighbour_sampling import Neighbours
from tests.graphs import directed, two_communities
from tests.structure.gat.test_gat import config

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does

World = tuple[NDArray[np.float32], pl.DataFrame]


@pytest.fixture(scope="module")
def world() -> World:
    """Random vectors over two communities and an isolated node: nothing but the edges tells the groups apart."""
    edges = two_communities(size=12, inside=0.7, across=0.02)
    return np.random.default_rng(0).normal(size=(25, 8)).astype(np.float32), edges


def encoder_of(world: World) -> tuple[Any, torch.Tensor, Neighbours, torch.Tensor]:
    """An encoder without dropout, in a GAE, P, the neighbours, and p'' of the full batch."""
    torch.manual_seed(1)
    # Large vectors, so that the loss is far from that of vectors that say nothing.
    model = GAE(build_gat(8, config(dropout=0.0)))
    features, edges = 4 * torch.from_numpy(world[0]), directed(world[1])
    encoder = model.encoder
    return model, features, Neighbours(edges, 25), encoder(features, torch.from_numpy(edges))


def trained(world: World, seed: int = 3, **changes: Any) -> TrainedGat:
    chosen = {"batch_edges": 32, "sampled_neighbours": 4} | changes
    return train_gat_by_batches(world[0], directed(world[1]), config(**chosen), seed)


@pytest.mark.parametrize("nodes", [[3], [24], [20, 2, 11], list(range(25))[::-1]])
def test_with_all_neighbours_the_vectors_are_those_of_the_full_batch(world: World, nodes: list[int]) -> None:
    model, features, neighbours, expected = encoder_of(world)
    found = encode_sampled(model.encoder, features, neighbours, np.array(nodes), 0, np.random.default_rng(0))
    torch.testing.assert_close(found, expected[nodes], atol=1e-6, rtol=1e-5)
    as_many = encode_sampled(model.encoder, features, neighbours, np.array(nodes), 25, np.random.default_rng(0))
    assert torch.equal(found, as_many)
    fewer = encode_sampled(model.encoder, features, neighbours, np.array(nodes), 2, np.random.default_rng(0))
    assert torch.allclose(found, fewer) == (nodes == [24]), "the isolated item has no others to leave out"


@pytest.mark.parametrize("block_edges", [1, 30, 100, 10_000])
def test_encoding_by_blocks_is_exact(world: World, block_edges: int) -> None:
    model, features, neighbours, expected = encoder_of(world)
    torch.testing.assert_close(
        encode_by_blocks(model.encoder, features, neighbours, block_edges), expected, atol=1e-6, rtol=1e-5
    )


def test_the_loss_of_a_batch_of_all_edges_is_gaes(world: World) -> None:
    model, features, neighbours, codes = encoder_of(world)
    edges = directed(world[1])
    found = [
        float(batch_loss(model, features, neighbours, edges, 0, np.random.default_rng(s)).detach()) for s in range(300)
    ]
    left, right = np.indices((25, 25))
    others = (left != right) & ~neighbours.joined(left.ravel(), right.ravel()).reshape(25, 25)
    with torch.no_grad():
        expected = float(model.recon_loss(codes, torch.from_numpy(edges), torch.from_numpy(np.stack(others.nonzero()))))
    assert np.std(found) > 0, "other pairs are drawn for each batch"
    assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) / len(found) ** 0.5)


def test_the_gradient_of_a_batch_is_that_of_the_full_batch_over_the_same_pairs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, features, neighbours, codes = encoder_of(world)
    met: list[tuple[torch.Tensor, ...]] = []
    original = GAE.recon_loss

    def spy(self: GAE, *arguments: torch.Tensor) -> torch.Tensor:
        met.append(arguments)
        loss: torch.Tensor = original(self, *arguments)
        return loss

    monkeypatch.setattr(GAE, "recon_loss", spy)
    edges = directed(world[1])[:, 5:15]
    loss = batch_loss(model, features, neighbours, edges, 0, np.random.default_rng(0))
    found = torch.autograd.grad(loss, list(model.parameters()))
    (vectors, positive, negative) = met[0]
    # Which items the places stand for, by their vectors.
    items = torch.cdist(vectors.detach(), codes.detach()).argmin(dim=1)
    np.testing.assert_array_equal(items[positive].numpy(), edges)
    assert negative.shape == (2, 10)
    assert not neighbours.joined(*items[negative].numpy()).any()
    assert (items[negative][0] != items[negative][1]).all()
    expected = torch.autograd.grad(original(model, codes, items[positive], items[negative]), list(model.parameters()))
    for left, right in zip(found, expected, strict=True):
        torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-4)


def test_a_nearly_complete_graph_has_batches_without_other_pairs() -> None:
    edges = two_communities(size=4, isolated=0, inside=1.0, across=1.0)[:-1]
    vectors = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
    result = train_gat_by_batches(vectors, directed(edges), config(batch_edges=2, epochs=3), 1)
    assert all(np.isfinite(row["loss"]) for row in result.history)


def test_an_epoch_meets_every_edge_once_and_batches_are_drawn_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[NDArray[np.int64]] = []
    original = gat_batches.batch_loss

    def spy(model: Any, features: Any, neighbours: Any, edges: NDArray[np.int64], *rest: Any) -> torch.Tensor:
        met.append(edges)
        return original(model, features, neighbours, edges, *rest)

    monkeypatch.setattr(gat_batches, "batch_loss", spy)
    trained(world, epochs=2)
    count = len(world[1]) - int(0.2 * len(world[1]))
    steps = -(-count // 32)
    epochs = [np.concatenate(met[:steps], axis=1), np.concatenate(met[steps:], axis=1)]
    for edges in epochs:
        assert edges.shape == (2, count)
        assert len({frozenset(edge) for edge in edges.T.tolist()}) == count
        assert {frozenset(edge) for edge in edges.T.tolist()} <= {frozenset(edge) for edge in world[1].rows()}
    assert not np.array_equal(*epochs)


def test_two_runs_have_the_same_bytes_whatever_was_drawn_before(world: World) -> None:
    first = trained(world, epochs=3)
    torch.rand(3)
    second = trained(world, epochs=3)
    assert first.vectors.tobytes() == second.vectors.tobytes()
    assert first.history == second.history
    assert trained(world, seed=4, epochs=3).vectors.tobytes() != first.vectors.tobytes()


def test_it_learns_two_communities_as_the_full_batch_does(world: World) -> None:
    full = train_gat(world[0], directed(world[1]), config(epochs=60, patience=60), 3)
    result = trained(world, epochs=20)
    assert result.figures["held_out_auc"] > full.figures["held_out_auc"] - 0.05
    assert result.history[-1]["loss"] < result.history[0]["loss"] - 0.1


def test_the_vectors_are_those_of_the_best_epoch_over_all_edges(world: World) -> None:
    result = trained(world, epochs=12)
    best = int(result.figures["best_epoch"])
    assert max(row["held_out_auc"] for row in result.history) == result.history[best - 1]["held_out_auc"]
    encoder = build_gat(8, config())
    encoder.load_state_dict({name: torch.from_numpy(array) for name, array in result.weights.items()})
    with torch.no_grad():
        expected = encoder.eval()(torch.from_numpy(world[0]), torch.from_numpy(directed(world[1])))
    np.testing.assert_allclose(result.vectors, expected.numpy(), atol=1e-5)


def test_a_loss_that_is_not_finite_is_an_error(world: World) -> None:
    with pytest.raises(InputError, match=r"^train_gat: found a loss of nan in epoch 1; expected a finite one"):
        train_gat_by_batches(np.full((25, 8), np.nan, dtype=np.float32), directed(world[1]), config(batch_edges=32), 1)
