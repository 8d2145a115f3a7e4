"""SDNE's loss against plain loops, its scaling to the whole graph, and its interface."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.rows.init_sdne import dense_losses
from pipeline.common.random_streams import torch_seed
from pipeline.common.vector_health import link_auc, sampled_non_edges
from pipeline.structure.sdne import estimator, reconstruction_error
from pipeline.structure.sdne import network as sdne_network
from pipeline.structure.sdne.activations import Tanh
from pipeline.structure.sdne.estimator import SDNE
from pipeline.structure.sdne.network import Autoencoder, SparseAutoencoder, build_autoencoder, by_items
from pipeline.structure.sdne.whole_rows import WholeRows, whole_losses
from tests.graphs import matrix, two_communities

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does


def loop_losses(
    network: Autoencoder, adjacency: NDArray[np.float64], nodes: list[int], beta: float
) -> tuple[float, float, float]:
    """The three sums of the module's docstring, written out over the nodes of a batch."""
    codes, outputs = {}, {}
    for node in nodes:
        code = network.encoder(torch.tensor(adjacency[node]))
        codes[node] = code.tolist()
        outputs[node] = network.decoder(code).tolist()
    second = 0.0
    for node in nodes:
        for other in range(len(adjacency)):
            weight = beta if adjacency[node, other] == 1 else 1.0
            second += ((outputs[node][other] - adjacency[node, other]) * weight) ** 2
    first = 0.0
    for node in nodes:
        for other in nodes:
            if node < other and adjacency[node, other] == 1:
                first += sum((left - right) ** 2 for left, right in zip(codes[node], codes[other], strict=True))
    l2 = 0.0
    for half in network:
        for layer in half:
            if isinstance(layer, torch.nn.Linear):
                l2 += sum(value**2 for row in layer.weight.tolist() for value in row)
    return second, first, l2 / 2


def random_graph(nodes: int, seed: int) -> NDArray[np.float64]:
    upper = np.triu(np.random.default_rng(seed).random((nodes, nodes)) < 0.4, 1)
    return (upper + upper.T).astype(np.float64)


def networks(
    count: int, hidden: tuple[int, ...], activation: str, seed: int, dimensions: int = 3
) -> tuple[Autoencoder, SparseAutoencoder]:
    """A network in its two forms, in double precision."""
    torch.manual_seed(seed)
    network = build_autoencoder(count, hidden, dimensions, activation)
    for half in network:
        half.double()
    return network, by_items(network)


def dense_form(network: SparseAutoencoder) -> tuple[Any, Any]:
    """Encoder and decoder as functions of dense rows."""

    def encode(rows: torch.Tensor) -> torch.Tensor:
        codes: torch.Tensor = network.encoder(rows @ network.inputs + network.bias)
        return codes

    def decode(codes: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = network.activation(network.decoder(codes) @ network.outputs.T + network.output_bias)
        return rows

    return encode, decode


def gradient(parameter: torch.Tensor) -> NDArray[np.float64]:
    assert parameter.grad is not None
    return np.array(parameter.grad.numpy(), dtype=np.float64)


def gradients(network: Autoencoder | SparseAutoencoder) -> list[NDArray[np.float64]]:
    """Of all parameters, in the order and the form of those of a dense network; they are then taken away."""
    if isinstance(network, Autoencoder):
        parameters = network.parameters()
        found = [gradient(parameter) for parameter in parameters]
    else:
        parameters = [*network.by_item(), *network.between()]
        between = [gradient(parameter) for parameter in network.between()]
        found = [gradient(network.inputs).T, *between, gradient(network.outputs), gradient(network.output_bias)]
    for parameter in parameters:
        parameter.grad = None
    return found


GRAPHS = (
    st.integers(2, 8),
    st.integers(0, 1000),
    st.sampled_from([1.0, 5.0, 10.0]),
    st.sampled_from(["tanh", "sigmoid", "relu"]),
    st.sampled_from([(), (5,), (6, 4)]),
    st.data(),
)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(*GRAPHS)
def test_the_three_terms_are_those_of_plain_loops(
    nodes: int, seed: int, beta: float, activation: str, hidden: tuple[int, ...], data: st.DataObject
) -> None:
    adjacency = random_graph(nodes, seed)
    batch = data.draw(st.lists(st.integers(0, nodes - 1), min_size=1, unique=True))
    plain, network = networks(nodes, hidden, activation, seed)
    expected = loop_losses(plain, adjacency, batch, beta)
    rows = torch.tensor(adjacency[batch])
    for losses in (
        whole_losses(network, csr_matrix(adjacency), np.array(batch), beta),
        dense_losses(plain, rows, rows[:, batch], beta),
    ):
        np.testing.assert_allclose([float(term.detach()) for term in losses], expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(*GRAPHS)
def test_the_gradients_are_those_of_autograd_over_whole_rows_whatever_the_size_of_a_block(
    nodes: int, seed: int, beta: float, activation: str, hidden: tuple[int, ...], data: st.DataObject
) -> None:
    adjacency = random_graph(nodes, seed)
    batch = data.draw(st.lists(st.integers(0, nodes - 1), min_size=1, unique=True))
    cells = data.draw(st.sampled_from([1, 5, 12, 1000]))
    plain, network = networks(nodes, hidden, activation, seed)
    rows = torch.tensor(adjacency[batch])
    second, first, _ = dense_losses(plain, rows, rows[:, batch], beta)
    (3.0 * second + 0.5 * first).backward()
    expected = gradients(plain)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconstruction_error, "BLOCK_CELLS", cells)
        second, first, l2 = whole_losses(network, csr_matrix(adjacency), np.array(batch), beta)
    # The gradient of the L2 term is Adam's to add.
    assert not l2.requires_grad
    (3.0 * second + 0.5 * first).backward()
    for found, wanted in zip(gradients(network), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10)


def test_the_decoder_mirrors_the_encoder() -> None:
    network = build_autoencoder(9, (6, 4), 3, "tanh")
    shapes = [[tuple(layer.weight.shape) for layer in half if isinstance(layer, torch.nn.Linear)] for half in network]
    assert shapes == [[(6, 9), (4, 6), (3, 4)], [(4, 3), (6, 4), (9, 6)]]
    assert all(isinstance(layer, Tanh) for half in network for layer in list(half)[1::2])


def model(**changes: Any) -> SDNE:
    settings_: dict[str, Any] = {"dimensions": 4, "hidden_widths": (8,), "batch_size": 8, "epochs": 3, "seed": 5}
    return SDNE(**(settings_ | changes))


def test_the_reported_loss_is_per_node_over_the_whole_graph() -> None:
    adjacency = random_graph(10, 1)
    fitted = model(batch_size=10, epochs=1, alpha=0.5, beta=3.0, nu=0.2)
    fitted.fit_adjacency(csr_matrix(adjacency.astype(np.float32)))
    torch.manual_seed(torch_seed(5, "sdne"))
    network = build_autoencoder(10, (8,), 4, "tanh")
    for half in network:
        half.double()
    second, first, l2 = (term / 10 for term in loop_losses(network, adjacency, list(range(10)), 3.0))
    (row,) = fitted.history
    assert row["epoch"] == 1
    assert row["second_order"] == pytest.approx(second, rel=1e-5)
    assert row["first_order"] == pytest.approx(first, rel=1e-4)
    assert row["l2"] == pytest.approx(l2, rel=1e-5)
    assert row["loss"] == pytest.approx(second + 0.5 * first + 0.2 * l2, rel=1e-5)


def test_the_terms_mean_the_same_for_every_batch_size() -> None:
    # With a learning rate of nothing the weights stay, so that only the batches differ.
    adjacency = matrix(two_communities(size=30, inside=0.5, across=0.1), 60)
    reported = {}
    for batch in (60, 25):
        fitted = model(batch_size=batch, epochs=40, learning_rate=1e-30)
        fitted.fit_adjacency(adjacency)
        columns = ("second_order", "first_order", "l2")
        reported[batch] = np.array([[row[name] for name in columns] for row in fitted.history]).mean(axis=0)
    np.testing.assert_allclose(reported[25][[0, 2]], reported[60][[0, 2]], rtol=1e-5)
    np.testing.assert_allclose(reported[25][1], reported[60][1], rtol=0.08)


def test_the_first_order_term_is_exact_on_average_even_for_small_batches() -> None:
    # Every pair of the six nodes is in one of the batches of two with the same chance.
    adjacency = csr_matrix(random_graph(6, 4).astype(np.float32))
    means = []
    for batch, epochs in ((6, 1), (2, 600)):
        fitted = model(batch_size=batch, epochs=epochs, learning_rate=1e-30)
        fitted.fit_adjacency(adjacency)
        means.append(np.mean([row["first_order"] for row in fitted.history]))
    assert means[1] == pytest.approx(means[0], rel=0.08)


def spied_batches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The nodes of every batch that is learned from, as it comes."""
    met: list[tuple[int, ...]] = []
    original = WholeRows.losses

    def spy(scheme: WholeRows, adjacency: csr_matrix, batch: NDArray[np.int64]) -> Any:
        met.append(tuple(batch.tolist()))
        return original(scheme, adjacency, batch)

    monkeypatch.setattr(WholeRows, "losses", spy)
    return met


def test_batches_are_drawn_anew_in_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    met = spied_batches(monkeypatch)
    model(batch_size=9, epochs=3).fit_adjacency(csr_matrix(random_graph(9, 4).astype(np.float32)))
    assert len({*met}) == 3
    assert all(sorted(epoch) == list(range(9)) for epoch in met)


def first_gradient(alpha: float, beta: float, nu: float, adjacency: csr_matrix) -> NDArray[np.float64]:
    """The gradient that the first step of a full-batch run must follow, by autograd over the written loss."""
    count = adjacency.shape[0]
    torch.manual_seed(torch_seed(5, "sdne"))
    network = build_autoencoder(count, (8,), 4, "tanh")
    rows = torch.from_numpy(adjacency.toarray())
    codes = network.encoder(rows)
    weights = torch.where(rows == 1, beta, 1.0)
    second = ((network.decoder(codes) - rows) * weights).square().sum()
    first = sum(((codes[i] - codes[j]) ** 2).sum() for i in range(count) for j in range(i) if rows[i, j])
    l2 = sum(parameter.square().sum() for parameter in network.parameters() if parameter.dim() == 2) / 2
    loss = (second + alpha * first + nu * l2) / count
    return torch.autograd.grad(loss, network.parameters()[0])[0].double().numpy()


@pytest.mark.parametrize("weights", [(0.0, 1.0, 0.0), (50.0, 4.0, 0.0), (0.0, 1.0, 9.0)])
def test_a_step_descends_the_weighted_sum(weights: tuple[float, float, float], monkeypatch: pytest.MonkeyPatch) -> None:
    alpha, beta, nu = weights
    adjacency = csr_matrix(random_graph(12, 3).astype(np.float32))
    monkeypatch.setattr(
        "pipeline.structure.sdne.whole_rows.Adam", lambda groups, rate, fused: torch.optim.SGD(groups, lr=rate)
    )
    monkeypatch.setattr(estimator, "stream", lambda *_: np.random.default_rng(0))
    fitted = model(alpha=alpha, beta=beta, nu=nu, batch_size=12, epochs=1, learning_rate=1e-3)
    fitted.fit_adjacency(adjacency)
    torch.manual_seed(torch_seed(5, "sdne"))
    before = build_autoencoder(12, (8,), 4, "tanh").parameters()[0].detach().double().numpy()
    after = fitted._network.inputs.detach().double().numpy().T
    np.testing.assert_allclose(
        (before - after) / 1e-3, first_gradient(alpha, beta, nu, adjacency), atol=2e-3, rtol=1e-3
    )


def test_it_is_used_like_an_estimator_of_karateclub() -> None:
    graph = nx.karate_club_graph()
    fitted = model(epochs=2)
    fitted.fit(graph)
    vectors = fitted.get_embedding()
    assert vectors.shape == (34, 4)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()


def test_row_i_belongs_to_node_i_and_weights_and_self_loops_are_ignored() -> None:
    adjacency = random_graph(9, 2)
    edges = [(left, right) for left in range(9) for right in range(left) if adjacency[left, right]]
    graph = nx.Graph()
    graph.add_nodes_from([4, 8, 0, 2, 6, 1, 3, 5, 7])
    graph.add_weighted_edges_from([(left, right, 7.0) for left, right in edges])
    graph.add_edge(3, 3)
    by_graph, by_matrix = model(), model()
    by_graph.fit(graph)
    by_matrix.fit_adjacency(csr_matrix(adjacency.astype(np.float32)))
    np.testing.assert_array_equal(by_graph.get_embedding(), by_matrix.get_embedding())
    assert list(graph.edges(3)).count((3, 3)) == 1, "the caller's graph is left as it was"


def test_nodes_that_are_not_numbered_from_zero_are_refused() -> None:
    with pytest.raises(ValueError, match=r"numbers 0\.\.n-1"):
        model().fit(nx.relabel_nodes(nx.path_graph(4), {0: 9}))


def test_there_is_no_embedding_before_fitting() -> None:
    with pytest.raises(ValueError, match="fit the model"):
        model().get_embedding()


def test_the_embedding_is_the_code_of_each_row() -> None:
    adjacency = matrix(two_communities(size=6, isolated=1), 13)
    fitted = model(batch_size=5)
    fitted.fit_adjacency(adjacency)
    encode, _ = dense_form(fitted._network)
    with torch.no_grad():
        for node, vector in enumerate(fitted.get_embedding()):
            code = encode(torch.from_numpy(adjacency[[node]].toarray()))[0]
            np.testing.assert_allclose(vector, code.numpy(), atol=1e-6)


def test_two_fits_have_the_same_bytes_and_another_seed_has_others() -> None:
    adjacency = matrix(two_communities(), 33)
    fits = [model(seed=seed) for seed in (5, 5, 6)]
    for fitted in fits:
        torch.rand(3)
        fitted.fit_adjacency(adjacency)
    first, second, other = (fitted.get_embedding().tobytes() for fitted in fits)
    assert first == second != other
    assert fits[0].history == fits[1].history


def test_no_row_is_densified_and_batches_have_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    adjacency = matrix(two_communities(), 33)
    met = spied_batches(monkeypatch)
    for name in ("toarray", "todense"):
        monkeypatch.setattr(csr_matrix, name, None)
    fitted = model(batch_size=10, epochs=2)
    fitted.fit_adjacency(adjacency)
    fitted.reconstruct(adjacency, np.arange(33), np.arange(33))
    assert [len(batch) for batch in met] == [10, 10, 10, 3] * 2


def test_an_error_is_looked_at_by_blocks_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    original = Tanh.in_place

    def spy(activation: Tanh, values: torch.Tensor) -> torch.Tensor:
        sizes.append(values.numel())
        return original(activation, values)

    monkeypatch.setattr(Tanh, "in_place", spy)
    monkeypatch.setattr(reconstruction_error, "BLOCK_CELLS", 50)
    model(batch_size=10, epochs=1).fit_adjacency(matrix(two_communities(), 33))
    assert max(sizes) == 50
    assert sum(sizes) == 33 * 33


def test_the_reconstruction_of_pairs_is_that_of_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdne_network, "PAIRS", 4)
    adjacency = matrix(two_communities(), 33)
    fitted = model(batch_size=10)
    fitted.fit_adjacency(adjacency)
    encode, decode = dense_form(fitted._network)
    with torch.no_grad():
        whole = decode(encode(torch.from_numpy(adjacency.toarray()))).numpy()
    sources, targets = np.random.default_rng(0).integers(33, size=(2, 60))
    np.testing.assert_allclose(fitted.reconstruct(adjacency, sources, targets), whole[sources, targets], atol=1e-6)


def test_two_communities_are_reconstructed() -> None:
    adjacency = matrix(two_communities(size=20, inside=0.8, across=0.02), 42)
    fitted = model(epochs=60, learning_rate=0.01)
    fitted.fit_adjacency(adjacency)
    others = sampled_non_edges(adjacency, adjacency.nnz, np.random.default_rng(0))
    auc = link_auc(fitted.reconstruct(adjacency, *adjacency.nonzero()), fitted.reconstruct(adjacency, *others))
    assert auc > 0.9
    assert fitted.history[-1]["loss"] < fitted.history[0]["loss"] / 2
    assert [row["epoch"] for row in fitted.history] == list(range(1, 61))


def test_training_ends_when_five_passes_hardly_lower_the_loss() -> None:
    adjacency = matrix(two_communities(), 33)
    chosen: dict[str, Any] = {"dimensions": 4, "hidden_widths": [16], "learning_rate": 0.01, "epochs": 300, "seed": 1}
    patient, hasty = SDNE(**chosen), SDNE(**chosen, tolerance=0.05)
    patient.fit_adjacency(adjacency)
    hasty.fit_adjacency(adjacency)
    losses = [row["loss"] for row in hasty.history]
    assert len(patient.history) == 300 > len(losses)
    assert losses == [row["loss"] for row in patient.history[: len(losses)]]
    falls = [1 - after / before for before, after in zip(losses, losses[5:], strict=False)]
    assert falls[-1] < 0.05 <= min(falls[:-1])


def test_a_tolerance_is_first_looked_at_when_five_passes_can_be_compared() -> None:
    fitted = model(epochs=20, tolerance=0.99)
    fitted.fit_adjacency(csr_matrix(random_graph(9, 4).astype(np.float32)))
    assert len(fitted.history) == 1 + estimator.WINDOW
