"""SDNE by sampled columns: the whole loss on average, the whole loss where every column is drawn, and nothing M wide."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline import sdne_sampled
from pipeline.sdne import SDNE, _dense_rows, sdne_losses
from pipeline.sdne_network import Autoencoder, build_autoencoder
from pipeline.sdne_sampled import SparseAutoencoder, by_items, sampled_losses
from pipeline.vector_health import link_auc, sampled_non_edges
from tests.graphs import matrix, two_communities
from tests.test_sdne import random_graph

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does


def networks(count: int, hidden: tuple[int, ...], activation: str, seed: int) -> tuple[Autoencoder, SparseAutoencoder]:
    torch.manual_seed(seed)
    network = build_autoencoder(count, hidden, 3, activation)
    for half in network:
        half.double()
    return network, by_items(network)


def gradients(network: SparseAutoencoder) -> list[NDArray[np.float64]]:
    """Of all parameters, in the order of those of the dense network."""

    def dense(parameter: torch.nn.Parameter) -> NDArray[np.float64]:
        assert parameter.grad is not None
        grad = parameter.grad.to_dense() if parameter.grad.is_sparse else parameter.grad
        return np.asarray(grad.numpy())

    last = dense(network.outputs)
    between = [dense(parameter) for parameter in network.others()]
    return [dense(network.inputs).T, *between, last[:, :-1], last[:, -1]]


def dense_gradients(network: Autoencoder) -> list[NDArray[np.float64]]:
    return [parameter.grad.numpy() for parameter in network.parameters() if parameter.grad is not None]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.integers(2, 8),
    st.integers(0, 1000),
    st.sampled_from([1.0, 10.0]),
    st.sampled_from(["tanh", "sigmoid", "relu"]),
    st.sampled_from([(), (5,), (6, 4)]),
    st.data(),
)
def test_with_every_column_drawn_the_losses_and_gradients_are_the_whole_ones(
    nodes: int, seed: int, beta: float, activation: str, hidden: tuple[int, ...], data: st.DataObject
) -> None:
    adjacency = csr_matrix(random_graph(nodes, seed))
    batch = np.array(data.draw(st.lists(st.integers(0, nodes - 1), min_size=1, unique=True)))
    whole, sampled = networks(nodes, hidden, activation, seed)
    rows = torch.from_numpy(adjacency[batch].toarray())
    expected = sdne_losses(whole, rows, rows[:, batch], beta)
    found = sampled_losses(sampled, adjacency, batch, np.arange(nodes), beta)
    np.testing.assert_allclose(
        [float(term.detach()) for term in found], [float(term.detach()) for term in expected], rtol=1e-9, atol=1e-12
    )
    # The layers between are the same ones in both.
    torch.stack([*expected]).sum().backward()
    wanted = [gradient.copy() for gradient in dense_gradients(whole)]
    for parameter in whole.parameters():
        parameter.grad = None
    torch.stack([*found]).sum().backward()
    for left, right in zip(gradients(sampled), wanted, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_mean_over_all_draws_is_the_whole_loss(size: int) -> None:
    adjacency, batch = csr_matrix(random_graph(6, 2)), np.array([4, 0, 3])
    whole, sampled = networks(6, (5,), "tanh", 1)
    rows = torch.from_numpy(adjacency[batch].toarray())
    expected = sdne_losses(whole, rows, rows[:, batch], 5.0)
    draws = [
        [float(term.detach()) for term in sampled_losses(sampled, adjacency, batch, np.array(columns), 5.0)]
        for columns in itertools.combinations(range(6), size)
    ]
    np.testing.assert_allclose(np.mean(draws, axis=0), [float(term.detach()) for term in expected], rtol=1e-9)
    assert np.ptp(np.array(draws)[:, 0]) > 0.01, "draws differ"


def model(**changes: Any) -> SDNE:
    settings_: dict[str, Any] = {
        "dimensions": 4,
        "hidden_widths": (8,),
        "batch_size": 8,
        "epochs": 3,
        "seed": 5,
        "sampled_columns": 7,
    }
    return SDNE(**(settings_ | changes))


def test_columns_are_drawn_anew_and_each_is_as_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[NDArray[np.int64]] = []
    original = sdne_sampled.sampled_losses

    def spy(network: Any, adjacency: Any, batch: Any, columns: NDArray[np.int64], beta: float) -> Any:
        met.append(columns)
        return original(network, adjacency, batch, columns, beta)

    monkeypatch.setattr(sdne_sampled, "sampled_losses", spy)
    model(batch_size=3, epochs=100).fit_adjacency(csr_matrix(random_graph(12, 4).astype(np.float32)))
    assert len(met) == 400
    assert all(len(np.unique(columns)) == 7 for columns in met)
    counts = np.bincount(np.concatenate(met), minlength=12)
    # 400 draws with chance 7/12: 233 and a standard deviation of 10.
    assert (abs(counts - 400 * 7 / 12) < 40).all()


def test_more_columns_than_items_are_all_of_them() -> None:
    adjacency = csr_matrix(random_graph(9, 2).astype(np.float32))
    reported = []
    for columns in (0, 9, 500):
        fitted = model(sampled_columns=columns, epochs=1, batch_size=9)
        fitted.fit_adjacency(adjacency)
        reported.append([row["loss"] for row in fitted.history])
    np.testing.assert_allclose(reported[1], reported[0], rtol=1e-5)
    assert reported[1] == reported[2]


def test_a_step_moves_the_items_that_it_meets_and_no_others() -> None:
    edges = two_communities(size=10, isolated=0)
    adjacency = matrix(edges, 20)
    fitted = model(batch_size=20, epochs=1, sampled_columns=1)
    fitted.fit_adjacency(adjacency)
    scheme = fitted._scheme
    assert isinstance(scheme, sdne_sampled.SampledColumns)
    before = [parameter.detach().clone() for parameter in scheme.network.by_item()]
    batch = np.array([2])
    columns = np.array([15])
    scheme.step(torch.stack([*sampled_losses(scheme.network, adjacency, batch, columns, 3.0)]).sum())
    for old, new in zip(before, scheme.network.by_item(), strict=True):
        moved = set(np.flatnonzero((old != new).any(dim=1).numpy()).tolist())
        assert moved == {15, *adjacency[[2]].indices.tolist()}


def test_the_codes_and_reconstructions_are_those_of_dense_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdne_sampled, "PAIRS", 4)
    adjacency = matrix(two_communities(), 33)
    fitted = model(batch_size=10)
    fitted.fit_adjacency(adjacency)
    network = fitted._scheme.network
    assert isinstance(network, SparseAutoencoder)
    with torch.no_grad():
        rows = _dense_rows(adjacency, np.arange(33))
        codes = network.encoder(rows @ network.inputs + network.bias)
        whole = network.activation(network.decoder(codes) @ network.outputs[:, :-1].T + network.outputs[:, -1])
    np.testing.assert_allclose(fitted.get_embedding(), codes.numpy(), atol=1e-6)
    sources, targets = np.random.default_rng(0).integers(33, size=(2, 60))
    np.testing.assert_allclose(
        fitted.reconstruct(adjacency, sources, targets), whole.numpy()[sources, targets], atol=1e-6
    )


def test_two_fits_have_the_same_bytes_and_another_seed_has_others() -> None:
    adjacency = matrix(two_communities(), 33)
    fits = [model(seed=seed) for seed in (5, 5, 6)]
    for fitted in fits:
        torch.rand(3)
        fitted.fit_adjacency(adjacency)
    first, second, other = (fitted.get_embedding().tobytes() for fitted in fits)
    assert first == second != other
    assert fits[0].history == fits[1].history


def test_no_row_is_densified(monkeypatch: pytest.MonkeyPatch) -> None:
    adjacency = matrix(two_communities(), 33)
    for name in ("toarray", "todense"):
        monkeypatch.setattr(csr_matrix, name, None)
    fitted = model(epochs=1)
    fitted.fit_adjacency(adjacency)
    assert fitted.reconstruct(adjacency, np.arange(33), np.arange(33)).shape == (33,)


def test_a_graph_without_edges_is_no_obstacle() -> None:
    fitted = model(epochs=1)
    fitted.fit_adjacency(csr_matrix((5, 5), dtype=np.float32))
    assert np.isfinite(fitted.get_embedding()).all()


def test_a_sample_reconstructs_nearly_as_well_as_the_whole() -> None:
    adjacency = matrix(two_communities(size=20, inside=0.8, across=0.02), 42)
    others = sampled_non_edges(adjacency, adjacency.nnz, np.random.default_rng(0))
    aucs = []
    for columns in (0, 12):
        fitted = model(epochs=60, learning_rate=0.01, sampled_columns=columns)
        fitted.fit_adjacency(adjacency)
        aucs.append(
            link_auc(fitted.reconstruct(adjacency, *adjacency.nonzero()), fitted.reconstruct(adjacency, *others))
        )
    assert aucs[0] > 0.9
    assert aucs[1] > aucs[0] - 0.03
