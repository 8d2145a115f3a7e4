"""SDNE by sampled columns: the whole loss on average, the whole loss where every column is drawn, and nothing M wide."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.rows.init_sdne import dense_losses
from pipeline.common import optimisers
from pipeline.common.vector_health import link_auc, sampled_non_edges
from pipeline.structure.sdne import network as sdne_network
from pipeline.structure.sdne import sampled_columns
from pipeline.structure.sdne.estimator import SDNE
from pipeline.structure.sdne.sampled_columns import SampledColumns, sampled_losses
from tests.graphs import matrix, two_communities
from tests.structure.sdne.test_estimator import GRAPHS, dense_form, gradients, networks, random_graph

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does


def values(terms: Iterable[torch.Tensor]) -> list[float]:
    return [float(term.detach()) for term in terms]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(*GRAPHS)
def test_with_every_column_drawn_the_losses_and_gradients_are_the_whole_ones(
    nodes: int, seed: int, beta: float, activation: str, hidden: tuple[int, ...], data: st.DataObject
) -> None:
    adjacency = csr_matrix(random_graph(nodes, seed))
    batch = np.array(data.draw(st.lists(st.integers(0, nodes - 1), min_size=1, unique=True)))
    whole, sampled = networks(nodes, hidden, activation, seed)
    rows = torch.from_numpy(adjacency[batch].toarray())
    expected = dense_losses(whole, rows, rows[:, batch], beta)
    found = sampled_losses(sampled, adjacency, batch, np.arange(nodes), beta)
    np.testing.assert_allclose(values(found), values(expected), rtol=1e-9, atol=1e-12)
    # The layers between are the same ones in both.
    torch.stack([*expected]).sum().backward()
    wanted = gradients(whole)
    torch.stack([*found]).sum().backward()
    for left, right in zip(gradients(sampled), wanted, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-8, atol=1e-10)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(*GRAPHS)
def test_losses_and_gradients_are_those_of_autograd_over_the_drawn_and_the_edges(
    nodes: int, seed: int, beta: float, activation: str, hidden: tuple[int, ...], data: st.DataObject
) -> None:
    adjacency = csr_matrix(random_graph(nodes, seed))
    batch = np.array(data.draw(st.lists(st.integers(0, nodes - 1), min_size=1, unique=True)))
    columns = np.array(sorted(data.draw(st.lists(st.integers(0, nodes - 1), min_size=1, unique=True))))
    whole, sampled = networks(nodes, hidden, activation, seed)
    rows = torch.from_numpy(adjacency[batch].toarray())
    codes = whole.encoder(rows)
    error = (whole.decoder(codes) - rows).square()
    zeros, factor = (1 - rows)[:, columns], nodes / len(columns)
    second = beta**2 * (error * rows).sum() + factor * (error[:, columns] * zeros).sum()
    first = dense_losses(whole, rows, rows[:, batch], beta).first_order
    entering, *between, leaving = [parameter for parameter in whole.parameters() if parameter.dim() == 2]
    of_drawn = factor * (entering[:, columns].square().sum() + leaving[columns].square().sum())
    l2 = (of_drawn + sum(parameter.square().sum() for parameter in between)) / 2
    found = sampled_losses(sampled, adjacency, batch, columns, beta)
    np.testing.assert_allclose(values(found), values((second, first, l2)), rtol=1e-9, atol=1e-12)
    (second + 0.5 * first + 0.1 * l2).backward()
    wanted = gradients(whole)
    (found.second_order + 0.5 * found.first_order + 0.1 * found.l2).backward()
    for left, right in zip(gradients(sampled), wanted, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_mean_over_all_draws_is_the_whole_loss(size: int) -> None:
    adjacency, batch = csr_matrix(random_graph(6, 2)), np.array([4, 0, 3])
    whole, sampled = networks(6, (5,), "tanh", 1)
    rows = torch.from_numpy(adjacency[batch].toarray())
    expected = dense_losses(whole, rows, rows[:, batch], 5.0)
    draws = [
        values(sampled_losses(sampled, adjacency, batch, np.array(columns), 5.0))
        for columns in itertools.combinations(range(6), size)
    ]
    np.testing.assert_allclose(np.mean(draws, axis=0), values(expected), rtol=1e-9)
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
    original = sampled_columns.sampled_losses

    def spy(network: Any, adjacency: Any, batch: Any, columns: NDArray[np.int64], *rest: Any) -> Any:
        met.append(columns)
        return original(network, adjacency, batch, columns, *rest)

    monkeypatch.setattr(sampled_columns, "sampled_losses", spy)
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


class Drawn:
    """A generator that draws what it is told."""

    def __init__(self, *columns: int) -> None:
        self.columns = np.array(columns)

    def choice(self, *_: Any, **__: Any) -> NDArray[np.int64]:
        return self.columns


def test_steps_are_those_of_adam_over_all_items() -> None:
    adjacency = matrix(two_communities(size=10, isolated=0), 20)
    torch.manual_seed(0)
    network = sdne_network.build_autoencoder(20, (8,), 4, "tanh")
    plain = copy.deepcopy(network)
    scheme = SampledColumns(network, 3.0, 0.01, "cpu", 1, Drawn(15))  # type: ignore[arg-type]
    optimiser = torch.optim.Adam(plain.parameters(), lr=0.01)
    for node in (2, 11, 2):
        scheme.step(torch.stack([*scheme.losses(adjacency, np.array([node]))]).sum())
        row = torch.from_numpy(adjacency[[node]].toarray())
        error = (plain.decoder(plain.encoder(row)) - row).square()
        second = 9 * (error * row).sum() + 20 * (error * (1 - row))[:, [15]].sum()
        entering, *between, leaving = [parameter for parameter in plain.parameters() if parameter.dim() == 2]
        squares = 20 * (entering[:, [15]].square().sum() + leaving[[15]].square().sum())
        optimiser.zero_grad()
        (second + (squares + sum(weight.square().sum() for weight in between)) / 2).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    tables = [plain.encoder[0].weight.T, plain.decoder[-2].weight, plain.decoder[-2].bias]
    for mine, theirs in zip(scheme.network.by_item(), tables, strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_the_codes_and_reconstructions_are_those_of_dense_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdne_network, "PAIRS", 4)
    adjacency = matrix(two_communities(), 33)
    fitted = model(batch_size=10)
    fitted.fit_adjacency(adjacency)
    encode, decode = dense_form(fitted._network)
    with torch.no_grad():
        codes = encode(torch.from_numpy(adjacency.toarray()))
        whole = decode(codes)
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


@settings(max_examples=20, deadline=None, derandomize=True)
@given(*GRAPHS)
def test_by_the_rows_met_losses_and_slopes_are_the_same_and_the_slopes_of_matrices_sparse(
    nodes: int, seed: int, beta: float, activation: str, hidden: tuple[int, ...], data: st.DataObject
) -> None:
    adjacency = csr_matrix(random_graph(nodes, seed))
    batch = np.array(data.draw(st.lists(st.integers(0, nodes - 1), min_size=1, unique=True)))
    columns = np.array(sorted(data.draw(st.lists(st.integers(0, nodes - 1), min_size=1, unique=True))))
    _, dense = networks(nodes, hidden, activation, seed)
    sparse = copy.deepcopy(dense)
    expected = sampled_losses(dense, adjacency, batch, columns, beta)
    found = sampled_losses(sparse, adjacency, batch, columns, beta, by_rows=True)
    assert values(found) == values(expected)
    torch.stack([*expected]).sum().backward()
    torch.stack([*found]).sum().backward()
    assert sparse.inputs.grad is not None
    assert sparse.outputs.grad is not None
    met = np.union1d(adjacency[batch].indices, columns)
    assert sparse.outputs.grad.coalesce().indices()[0].tolist() == met.tolist()
    both = zip(sparse.by_item() + sparse.between(), dense.by_item() + dense.between(), strict=True)
    for mine, theirs in both:
        assert mine.grad is not None
        slope = mine.grad.to_dense() if mine.grad.is_sparse else mine.grad
        np.testing.assert_allclose(slope, theirs.grad, rtol=1e-12)


def test_large_matrices_move_by_adam_where_a_step_meets_them_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    adjacency = matrix(two_communities(size=10, isolated=0), 20)
    torch.manual_seed(0)
    network = sdne_network.build_autoencoder(20, (8,), 4, "tanh")
    dense = SampledColumns(copy.deepcopy(network), 3.0, 0.01, "cpu", 1, Drawn(15))  # type: ignore[arg-type]
    monkeypatch.setattr(optimisers, "ROWS_MET_VALUES", 0)
    sparse = SampledColumns(network, 3.0, 0.01, "cpu", 1, Drawn(15))  # type: ignore[arg-type]
    for scheme in (dense, sparse):
        scheme.step(torch.stack([*scheme.losses(adjacency, np.array([2]))]).sum())
    # At first moments are zero, and what has no slope stands still in either way.
    for mine, theirs in zip(sparse.network.by_item(), dense.network.by_item(), strict=True):
        np.testing.assert_allclose(mine.detach(), theirs.detach(), rtol=1e-5, atol=1e-7)
    before = [table.detach().clone() for table in (sparse.network.inputs, sparse.network.outputs)]
    sparse.step(torch.stack([*sparse.losses(adjacency, np.array([11]))]).sum())
    met = np.union1d(adjacency[11].indices, [15])
    others = np.setdiff1d(np.arange(20), met)
    for was, table in zip(before, (sparse.network.inputs, sparse.network.outputs), strict=True):
        assert torch.equal(was[others], table.detach()[others])
        assert (was[met] != table.detach()[met]).any(dim=1).all()


def test_by_the_rows_met_a_graph_is_reconstructed_nearly_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    adjacency = matrix(two_communities(size=20, inside=0.8, across=0.02), 42)
    others = sampled_non_edges(adjacency, adjacency.nnz, np.random.default_rng(0))
    aucs = []
    for threshold in (10**9, 0):
        monkeypatch.setattr(optimisers, "ROWS_MET_VALUES", threshold)
        fitted = model(epochs=60, learning_rate=0.01, sampled_columns=12)
        fitted.fit_adjacency(adjacency)
        aucs.append(
            link_auc(fitted.reconstruct(adjacency, *adjacency.nonzero()), fitted.reconstruct(adjacency, *others))
        )
    assert min(aucs) > 0.9
    assert aucs[1] > aucs[0] - 0.03
