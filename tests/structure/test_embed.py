"""The choice of an embedding: SDNE, or every neighbourhood embedding that karateclub has."""

from __future__ import annotations

import inspect
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from karateclub.node_embedding import neighbourhood
from pydantic import ValidationError
from scipy.sparse import csr_matrix, linalg

from pipeline.common.errors import InputError
from pipeline.common.vector_health import effective_rank
from pipeline.structure import embed as structure
from pipeline.structure.embed import Embedded, embed_graph
from pipeline.structure.karateclub_methods import karateclub_embedding
from pipeline.structure.sdne.estimator import SDNE
from pipeline.structure.settings import KARATECLUB_METHODS, StructureConfig
from tests.graphs import matrix, two_communities

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does

METHODS = sorted(name for name, kind in vars(neighbourhood).items() if inspect.isclass(kind))
# Widths that are not `dimensions`: karateclub's own, one block per power, scale or boosting round.
WIDTHS = {"BoostNE": 17 * 4, "GLEE": 5, "GraRep": 5 * 4, "NMFADMM": 2 * 4, "Walklets": 4 * 4}
# Enough for a graph of thirty nodes; the rest of the options keep karateclub's defaults.
QUICK: dict[str, dict[str, int | float | str]] = {
    "DeepWalk": {"walk_length": 20},
    "Node2Vec": {"walk_length": 20, "walk_number": 2},
    "Walklets": {"walk_length": 20},
    "NMFADMM": {"iterations": 20},
}


def config(method: str, **changes: Any) -> StructureConfig:
    values: dict[str, Any] = {
        "method": method,
        "dimensions": 4,
        "hidden_widths": [8],
        "activation": "tanh",
        "alpha": 0.01,
        "beta": 10.0,
        "nu": 1e-4,
        "learning_rate": 0.01,
        "batch_size": 64,
        "epochs": 5,
        "tolerance": 0.0,
        "sampled_columns": 0,
        "karateclub_options": QUICK.get(method, {}),
    }
    return StructureConfig.model_validate(values | changes)


@pytest.fixture(scope="module")
def graph() -> csr_matrix:
    """Two components and three isolated nodes."""
    adjacency = matrix(two_communities(size=13), 29)
    assert nx.number_connected_components(nx.from_scipy_sparse_array(adjacency)) == 5
    return adjacency


def test_the_methods_that_may_be_named_are_those_that_karateclub_has() -> None:
    assert list(KARATECLUB_METHODS) == METHODS


@pytest.mark.parametrize("method", [name for name in METHODS if name != "Diff2Vec"])
def test_every_karateclub_embedding_works_with_components_and_isolated_nodes(graph: csr_matrix, method: str) -> None:
    first = karateclub_embedding(graph, config(method), seed=3)
    assert first.dtype == np.float32
    assert first.shape == (29, WIDTHS.get(method, 4))
    assert np.isfinite(first).all()
    np.random.default_rng().random(7)
    assert karateclub_embedding(graph, config(method), seed=3).tobytes() == first.tobytes()


def test_diff2vec_is_refused_where_it_would_never_end(graph: csr_matrix) -> None:
    with pytest.raises(
        InputError,
        match=r"^method: Diff2Vec needs diffusion_cover \(80\) connected items around every item, found a component of 1; .* s_m$",
    ):
        karateclub_embedding(graph, config("Diff2Vec"), seed=3)


def test_diff2vec_works_where_every_component_is_large_enough() -> None:
    adjacency = matrix(two_communities(size=13, isolated=0), 26)
    smaller = config("Diff2Vec", karateclub_options={"diffusion_cover": 13, "diffusion_number": 2})
    first = karateclub_embedding(adjacency, smaller, seed=3)
    assert first.shape == (26, 4)
    assert first.tobytes() == karateclub_embedding(adjacency, smaller, seed=3).tobytes()
    with pytest.raises(InputError, match=r"diffusion_cover \(14\) .* a component of 13"):
        karateclub_embedding(adjacency, config("Diff2Vec", karateclub_options={"diffusion_cover": 14}), seed=3)


@pytest.mark.parametrize("method", ["FirstOrderLINE", "SecondOrderLINE"])
def test_line_learns_even_a_graph_smaller_than_its_batch(graph: csr_matrix, method: str) -> None:
    untrained = karateclub_embedding(graph, config(method, karateclub_options={"epochs": 0}), seed=3)
    trained = karateclub_embedding(graph, config(method), seed=3)
    assert np.abs(trained - untrained).max() > 0.05


@pytest.mark.parametrize("method", ["LaplacianEigenmaps", "HOPE", "DeepWalk"])
def test_another_seed_gives_another_embedding(graph: csr_matrix, method: str) -> None:
    vectors = [karateclub_embedding(graph, config(method), seed) for seed in (3, 4)]
    assert vectors[0].tobytes() != vectors[1].tobytes()


def test_the_options_reach_the_class(graph: csr_matrix) -> None:
    powers = config("GraRep", karateclub_options={"order": 2})
    assert karateclub_embedding(graph, powers, seed=3).shape == (29, 2 * 4)


def test_scipys_solvers_are_themselves_again_afterwards(graph: csr_matrix) -> None:
    before = linalg.eigsh, linalg.svds
    karateclub_embedding(graph, config("GLEE"), seed=3)
    with pytest.raises(InputError):
        karateclub_embedding(graph, config("GLEE", dimensions=40), seed=3)
    assert (linalg.eigsh, linalg.svds) == before


def test_an_unknown_method_names_those_that_exist() -> None:
    with pytest.raises(
        ValidationError, match=r"method: found 'Deepwalk', expected sdne or one of: .*DeepWalk, .*Walklets"
    ):
        config("Deepwalk")


def test_an_unknown_option_names_those_that_exist(graph: csr_matrix) -> None:
    with pytest.raises(
        InputError, match=r"^karateclub_options: found 'walks', expected arguments of DeepWalk: walk_number, "
    ):
        embed_graph(graph, config("DeepWalk", karateclub_options={"walks": 3}), seed=3)


@pytest.mark.parametrize("method", ["GLEE", "GraRep", "HOPE", "LaplacianEigenmaps", "NetMF"])
def test_more_dimensions_than_a_method_can_give_are_one_line(graph: csr_matrix, method: str) -> None:
    with pytest.raises(
        InputError, match=rf"^method: {method} fails on this graph \(.*\); expected another method"
    ) as error:
        embed_graph(graph, config(method, dimensions=64), seed=3)
    assert "\n" not in str(error.value)


def test_an_option_of_the_wrong_type_is_one_line(graph: csr_matrix) -> None:
    with pytest.raises(InputError, match=r"^method: DeepWalk fails on this graph \(TypeError: "):
        embed_graph(graph, config("DeepWalk", karateclub_options={"walk_length": "long"}), seed=3)


def test_sdne_gets_its_settings_and_reports_its_course(graph: csr_matrix) -> None:
    embedded = embed_graph(graph, config("sdne"), seed=3)
    direct = SDNE(4, (8,), "tanh", 0.01, 10.0, 1e-4, 0.01, 64, 5, 0.0, 3)
    direct.fit_adjacency(graph)
    np.testing.assert_array_equal(embedded.vectors, direct.get_embedding())
    assert embedded.history == direct.history
    assert embedded.figures["final_loss"] == direct.history[-1]["loss"]
    assert embedded.figures["width"] == 4
    assert embedded.figures["effective_rank"] == effective_rank(embedded.vectors)


def test_the_auc_tells_communities_from_chance(graph: csr_matrix) -> None:
    trained = embed_graph(graph, config("sdne", epochs=100, batch_size=8), seed=3)
    assert trained.figures["reconstruction_auc"] > 0.85
    assert embed_graph(graph, config("HOPE"), seed=3).figures["reconstruction_auc"] > 0.8


def test_karateclubs_methods_have_no_course(graph: csr_matrix) -> None:
    embedded = embed_graph(graph, config("RandNE"), seed=3)
    assert embedded.history == []
    assert set(embedded.figures) == {"reconstruction_auc", "effective_rank", "width"}


def with_activation(activation: str) -> Embedded:
    six_groups = nx.random_partition_graph([10] * 6, 0.7, 0.03, seed=1)
    adjacency = csr_matrix(nx.to_scipy_sparse_array(six_groups, dtype=np.float32, weight=None))
    chosen = config("sdne", activation=activation, dimensions=8, hidden_widths=[32], epochs=20, batch_size=16)
    return embed_graph(adjacency, chosen, seed=3)


def test_the_collapse_of_sigmoid_is_a_warning_and_tanh_has_none() -> None:
    (warning,) = with_activation("sigmoid").warnings
    assert warning.startswith("init_sdne (sdne): effective rank 1.")
    assert with_activation("tanh").warnings == []


def test_a_learning_rate_that_blows_up_is_one_line(graph: csr_matrix) -> None:
    with pytest.raises(InputError, match=r"^init_sdne: found vectors that are not finite.* learning_rate"):
        embed_graph(graph, config("sdne", activation="relu", beta=1e20, learning_rate=1.0), seed=3)


def test_line_says_nothing_on_its_own(graph: csr_matrix, capfd: pytest.CaptureFixture[str]) -> None:
    karateclub_embedding(graph, config("FirstOrderLINE"), seed=3)
    assert capfd.readouterr() == ("", "")


def test_vectors_that_are_not_finite_are_one_line(graph: csr_matrix) -> None:
    with pytest.raises(InputError, match=r"^method: FirstOrderLINE gives vectors that are not finite on this graph"):
        embed_graph(graph, config("FirstOrderLINE", karateclub_options={"learning_rate": 1e300}), seed=3)


def test_the_auc_is_measured_on_a_sample_of_the_edges_of_a_large_graph(
    graph: csr_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(structure, "AUC_PAIRS", 40)
    edges, others = structure._auc_pairs(graph, 3)
    assert len(edges[0]) == len(others[0]) == 40
    assert len({*zip(*map(list, edges), strict=True)}) == 40
    assert all(graph[left, right] for left, right in zip(*edges, strict=True))
    assert not np.array_equal(edges[0], structure._auc_pairs(graph, 4)[0][0])


def test_word2vec_has_one_worker_unless_more_are_asked_for(graph: csr_matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = []
    original = neighbourhood.DeepWalk.fit

    def spy(model: Any, graph: nx.Graph) -> None:
        workers.append(model.workers)
        original(model, graph)

    monkeypatch.setattr(neighbourhood.DeepWalk, "fit", spy)
    karateclub_embedding(graph, config("DeepWalk"), seed=3)
    karateclub_embedding(graph, config("DeepWalk", karateclub_options={"workers": 2, "walk_length": 5}), seed=3)
    assert workers == [1, 2]


@pytest.mark.parametrize("name", ["seed", "dimensions"])
def test_settings_that_have_a_place_of_their_own_are_no_options(name: str) -> None:
    with pytest.raises(ValidationError, match=rf"karateclub_options: found '{name}', expected .*`{name}`"):
        config("DeepWalk", karateclub_options={name: 3})


def test_an_option_can_be_a_list(graph: csr_matrix) -> None:
    plain = karateclub_embedding(graph, config("RandNE"), seed=3)
    weighted = karateclub_embedding(graph, config("RandNE", karateclub_options={"alphas": [0.1, 2.0]}), seed=3)
    assert not np.allclose(plain, weighted)
