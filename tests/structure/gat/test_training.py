"""Graph attention against the written equations, and its training by link reconstruction."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch_geometric.nn import GAE

from pipeline.common.errors import InputError
from pipeline.common.vector_health import effective_rank, link_auc, sampled_non_edges
from pipeline.structure.gat.network import TwoLayerGat
from pipeline.structure.gat.settings import GatConfig
from pipeline.structure.gat.training import TrainedGat, masked_edge_auc, train_gat
from tests.graphs import directed, matrix, two_communities

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does


def config(**changes: Any) -> GatConfig:
    values: dict[str, Any] = {
        "heads": 2,
        "hidden_width": 4,
        "output_width": 3,
        "dropout": 0.1,
        "negative_slope": 0.2,
        "learning_rate": 0.02,
        "held_out_edges": 0.2,
        "epochs": 30,
        "patience": 30,
    }
    return GatConfig.model_validate(values | changes)


def elu(value: float) -> float:
    return value if value > 0 else math.exp(value) - 1


def attention_layer(
    vectors: list[list[float]],
    neighbours: list[list[int]],
    heads: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    slope: float,
) -> list[list[list[float]]]:
    """For each head and node i: sum_j alpha_ij W p_j, with alpha_ij = softmax_j(LeakyReLU(a^T [W p_i || W p_j])).

    Args:
        neighbours: j of every i, i itself included.
        heads: W (out, in) and a (2 out) of every head.
    """
    result = []
    for projection, a in heads:
        projected = [
            [sum(weight * value for weight, value in zip(row, vector, strict=True)) for row in projection.tolist()]
            for vector in vectors
        ]
        rows = []
        for node, others in enumerate(neighbours):
            logits = []
            for other in others:
                logit = sum(x * y for x, y in zip(a.tolist(), projected[node] + projected[other], strict=True))
                logits.append(logit if logit > 0 else slope * logit)
            total = sum(math.exp(logit) for logit in logits)
            row = [0.0] * len(projected[0])
            for logit, other in zip(logits, others, strict=True):
                for position, value in enumerate(projected[other]):
                    row[position] += math.exp(logit) / total * value
            rows.append(row)
        result.append(rows)
    return result


def heads_of(layer: Any, heads: int) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    weights = np.split(layer.lin.weight.detach().numpy(), heads)
    own, others = layer.att_dst.detach().numpy()[0], layer.att_src.detach().numpy()[0]
    return [(weights[head], np.r_[own[head], others[head]]) for head in range(heads)]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(1, 3), st.integers(0, 1000), st.sampled_from([0.0, 0.2, 0.7]))
def test_both_layers_are_the_written_equations(heads: int, seed: int, slope: float) -> None:
    edges = pl.DataFrame({"source": [0, 0, 1, 2], "target": [1, 2, 2, 3]})
    neighbours = [[0, 1, 2], [1, 0, 2], [2, 0, 1, 3], [3, 2], [4]]
    torch.manual_seed(seed)
    gat = TwoLayerGat(6, config(heads=heads, negative_slope=slope)).double().eval()
    vectors = torch.randn(5, 6, dtype=torch.float64)
    first = attention_layer(vectors.tolist(), neighbours, heads_of(gat.first, heads), slope)
    concatenated = [[elu(value) for head in first for value in head[node]] for node in range(5)]
    second = attention_layer(concatenated, neighbours, heads_of(gat.second, heads), slope)
    expected = [[elu(sum(head[node][d] for head in second) / heads) for d in range(3)] for node in range(5)]
    with torch.no_grad():
        np.testing.assert_allclose(gat(vectors, torch.from_numpy(directed(edges))).numpy(), expected, atol=1e-12)


def test_there_are_no_parameters_but_w_and_a() -> None:
    shapes = {name: tuple(value.shape) for name, value in TwoLayerGat(6, config()).named_parameters()}
    assert shapes == {
        "first.att_src": (1, 2, 4),
        "first.att_dst": (1, 2, 4),
        "first.lin.weight": (8, 6),
        "second.att_src": (1, 2, 3),
        "second.att_dst": (1, 2, 3),
        "second.lin.weight": (6, 8),
    }


def test_dropout_acts_on_both_layers_inputs_in_training_only() -> None:
    edges = torch.from_numpy(directed(two_communities(size=4)))
    gat = TwoLayerGat(6, config(dropout=0.5))
    vectors = torch.ones(8, 6)
    assert not torch.equal(gat.train()(vectors, edges), gat(vectors, edges))
    assert torch.equal(gat.eval()(vectors, edges), gat(vectors, edges))
    met: dict[str, torch.Tensor] = {}
    for name, layer in (("first", gat.first), ("second", gat.second)):
        layer.register_forward_pre_hook(lambda _, arguments, name=name: met.update({name: arguments[0]}))
    gat.train()(vectors, edges)
    for name in ("first", "second"):
        zeros = (met[name] == 0).double().mean()
        assert 0.2 < zeros < 0.8, f"half of what enters the {name} layer should be dropped"


def test_edges_that_are_given_anew_are_the_ones_that_count() -> None:
    first, second = (torch.from_numpy(directed(two_communities(size=4, seed=seed))) for seed in (0, 1))
    gat = TwoLayerGat(6, config()).eval()
    vectors = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
    found = [gat(vectors, edges) for edges in (first, first, second, first)]
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[3])
    fresh = TwoLayerGat(6, config()).eval()
    fresh.load_state_dict(gat.state_dict())
    assert torch.equal(found[2], fresh(vectors, second))
    assert not torch.equal(found[0], found[2])


@pytest.fixture(scope="module")
def world() -> tuple[NDArray[np.float32], pl.DataFrame]:
    """Random vectors over two communities and an isolated node: nothing but the edges tells the groups apart."""
    edges = two_communities(size=12, inside=0.7, across=0.02)
    return np.random.default_rng(0).normal(size=(25, 8)).astype(np.float32), edges


def trained(world: tuple[NDArray[np.float32], pl.DataFrame], seed: int = 3, **changes: Any) -> TrainedGat:
    return train_gat(world[0], directed(world[1]), config(**changes), seed)


def test_two_runs_have_the_same_bytes_whatever_was_drawn_before(
    world: tuple[NDArray[np.float32], pl.DataFrame],
) -> None:
    first = trained(world, epochs=4)
    torch.rand(3)
    np.random.default_rng().random(3)
    random.random()
    second = trained(world, epochs=4)
    assert first.vectors.tobytes() == second.vectors.tobytes()
    assert {name: array.tobytes() for name, array in first.weights.items()} == {
        name: array.tobytes() for name, array in second.weights.items()
    }
    assert first.history == second.history
    assert trained(world, seed=4, epochs=4).vectors.tobytes() != first.vectors.tobytes()


def test_it_learns_two_communities(world: tuple[NDArray[np.float32], pl.DataFrame]) -> None:
    result = trained(world, epochs=60, patience=60)
    assert result.vectors.shape == (25, 3)
    assert result.vectors.dtype == np.float32
    assert result.history[-1]["loss"] < result.history[0]["loss"] - 0.1
    adjacency = matrix(world[1], 25)
    others = sampled_non_edges(adjacency, adjacency.nnz, np.random.default_rng(0))
    scores = [
        np.einsum("nd,nd->n", result.vectors[pairs[0]], result.vectors[pairs[1]])
        for pairs in (adjacency.nonzero(), others)
    ]
    assert link_auc(*scores) > 0.85
    assert result.figures["masked_edge_auc"] > 0.7
    assert result.figures["effective_rank"] == effective_rank(result.vectors)


def test_the_vectors_are_those_of_the_best_epoch_over_all_edges(
    world: tuple[NDArray[np.float32], pl.DataFrame],
) -> None:
    result = trained(world, epochs=25)
    aucs = [row["masked_edge_auc"] for row in result.history]
    best = int(result.figures["best_epoch"])
    assert 1 <= best < 25, "this world has its best epoch before the last one"
    assert aucs[best - 1] == max(aucs) == result.figures["masked_edge_auc"]
    assert max(aucs[: best - 1], default=0) < max(aucs)
    stopped_there = trained(world, epochs=best)
    for name, array in stopped_there.weights.items():
        np.testing.assert_array_equal(result.weights[name], array)
    gat = TwoLayerGat(8, config())
    gat.load_state_dict({name: torch.from_numpy(array) for name, array in result.weights.items()})
    with torch.no_grad():
        encoded = gat.eval()(torch.from_numpy(world[0]), torch.from_numpy(directed(world[1])))
    np.testing.assert_array_equal(result.vectors, encoded.numpy())


def test_training_stops_when_patience_is_spent(world: tuple[NDArray[np.float32], pl.DataFrame]) -> None:
    full = trained(world, epochs=40, patience=40).history
    result = trained(world, epochs=40, patience=3)
    best = int(result.figures["best_epoch"])
    assert len(result.history) == result.figures["epochs"] == best + 3 < 40
    assert [row["epoch"] for row in result.history] == list(range(1, best + 4))
    assert result.history == full[: best + 3]


def test_held_out_edges_are_not_in_the_graph_that_is_trained_on(
    world: tuple[NDArray[np.float32], pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, set[tuple[int, int]]] = {}
    encode = GAE.encode

    def pairs(index: torch.Tensor) -> set[tuple[int, int]]:
        return {(left, right) for left, right in index.T.tolist()}

    def spy_encode(self: GAE, vectors: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        seen.setdefault("trained", pairs(index))
        return encode(self, vectors, index)

    def spy_auc(model: GAE, codes: torch.Tensor, edges: torch.Tensor, others: torch.Tensor) -> float:
        seen["held out"], seen["others"] = pairs(edges), pairs(others)
        return masked_edge_auc(model, codes, edges, others)

    monkeypatch.setattr(GAE, "encode", spy_encode)
    monkeypatch.setattr("pipeline.structure.gat.training.masked_edge_auc", spy_auc)
    trained(world, epochs=1)
    everything = pairs(torch.from_numpy(directed(world[1])))
    both_ways = seen["held out"] | {(right, left) for left, right in seen["held out"]}
    assert len(seen["held out"]) == int(0.2 * len(world[1]))
    assert not both_ways & seen["trained"]
    assert both_ways | seen["trained"] == everything
    assert not seen["others"] & everything


def test_the_masked_edges_auc_is_that_of_pytorch_geometric() -> None:
    # Few numbers, so that some pairs are tied.
    codes = torch.randint(-2, 3, (30, 4), generator=torch.Generator().manual_seed(0)).float()
    edges, others = (
        torch.randint(30, (2, count), generator=torch.Generator().manual_seed(count)) for count in (40, 70)
    )
    model = GAE(torch.nn.Identity())
    assert masked_edge_auc(model, codes, edges, others) == pytest.approx(
        float(model.test(codes, edges, others)[0]), abs=1e-12
    )


def test_a_graph_with_one_edge_is_an_error() -> None:
    edges = pl.DataFrame({"source": [0], "target": [1]})
    with pytest.raises(InputError, match=r"^item graph: found 1 edges, expected at least 2 .* lower s_m"):
        train_gat(np.ones((4, 3), dtype=np.float32), directed(edges), config(), 1)


def test_without_an_edge_nothing_is_trained() -> None:
    edges = pl.DataFrame(schema={"source": pl.Int32, "target": pl.Int32})
    found = train_gat(np.ones((4, 3), dtype=np.float32), directed(edges), config(output_width=5), 1)
    assert found.vectors.shape == (4, 5)
    assert not found.vectors.any()
    assert (found.weights, found.history) == ({}, [])


@pytest.mark.parametrize("count", [2, 49])
def test_at_least_one_edge_is_held_out(count: int) -> None:
    edges = pl.DataFrame({"source": [0] * count, "target": range(1, count + 1)})
    vectors = np.random.default_rng(0).normal(size=(count + 1, 3)).astype(np.float32)
    result = train_gat(vectors, directed(edges), config(held_out_edges=0.001, epochs=1), 1)
    assert 0 <= result.figures["masked_edge_auc"] <= 1


def test_a_complete_graph_is_an_error() -> None:
    edges = two_communities(size=3, inside=1.0, across=1.0)
    with pytest.raises(InputError, match=r"^item graph: found an edge between every two items"):
        train_gat(np.ones((6, 3), dtype=np.float32), directed(edges), config(), 1)


def test_a_loss_that_is_not_finite_is_an_error(world: tuple[NDArray[np.float32], pl.DataFrame]) -> None:
    with pytest.raises(InputError, match=r"^train_gat: found a loss of nan in epoch 1; expected a finite number"):
        train_gat(np.full((25, 8), np.nan, dtype=np.float32), directed(world[1]), config(), 1)


def test_collapsed_vectors_are_warned_of(world: tuple[NDArray[np.float32], pl.DataFrame]) -> None:
    (warning,) = trained(world, output_width=1, epochs=1).warnings
    assert warning.startswith("train_gat: effective rank 1.00")
    assert trained(world, output_width=16, heads=4, epochs=1).warnings == []


def test_every_epoch_draws_negatives_of_its_own_and_is_judged_without_dropout(
    world: tuple[NDArray[np.float32], pl.DataFrame],
) -> None:
    # With a learning rate of nothing the weights stay: the loss moves with the draws, the held-out figure does not.
    history = trained(world, epochs=3, learning_rate=1e-30, dropout=0.5).history
    assert len({row["loss"] for row in history}) == 3
    assert len({row["masked_edge_auc"] for row in history}) == 1
    still = trained(world, epochs=3, learning_rate=1e-30, dropout=0.0).history
    assert len({row["loss"] for row in still}) == 3
