"""The structural vectors that the GAT starts from: SDNE, or a neighbourhood embedding of karateclub in its place."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.sparse import linalg
from scipy.sparse.csgraph import connected_components

from pipeline.common.errors import InputError
from pipeline.common.random_streams import stream
from pipeline.common.vector_health import collapse_warning, effective_rank, link_auc, sampled_non_edges
from pipeline.structure.sdne.estimator import SDNE
from pipeline.structure.sdne.settings import SdneConfig
from pipeline.structure.settings import StructureConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

# Pairs on which the reconstruction AUC is measured: enough for a standard error below .002.
AUC_PAIRS = 50_000


@dataclass(frozen=True)
class Embedded:
    """
    Attributes:
        vectors: (M, width).
        history: one row per epoch, empty for karateclub's methods.
        figures: reconstruction AUC, effective rank, and others.
        warnings: what to look at before trusting the vectors.
    """

    vectors: NDArray[np.float32]
    history: list[dict[str, float]]
    figures: dict[str, float]
    warnings: list[str] = field(default_factory=list)


def embed_graph(
    adjacency: csr_matrix,
    config: StructureConfig,
    seed: int,
    device: torch.device | str = "cpu",
    *,
    progress: bool = False,
) -> Embedded:
    """Embed the item graph with the method that the settings name.

    Raises:
        InputError: an unknown option, or a method that fails on this graph.
    """
    edges, others = _auc_pairs(adjacency, seed)
    if config.method == "sdne":
        names = SdneConfig.model_fields
        model = SDNE(
            dimensions=config.dimensions,
            seed=seed,
            device=device,
            progress=progress,
            **{name: getattr(config, name) for name in names},
        )
        model.fit_adjacency(adjacency)
        vectors = model.get_embedding()
        if not np.isfinite(vectors).all():
            raise InputError(
                "init_sdne: found vectors that are not finite, expected finite ones; a lower learning_rate helps"
            )
        history = model.history
        auc = link_auc(model.reconstruct(adjacency, *edges), model.reconstruct(adjacency, *others))
    else:
        vectors, history = karateclub_embedding(adjacency, config, seed), []
        auc = link_auc(_inner_products(vectors, edges), _inner_products(vectors, others))
    figures = {"reconstruction_auc": auc, "effective_rank": effective_rank(vectors), "width": vectors.shape[1]}
    if history:
        figures["final_loss"] = history[-1]["loss"]
    return Embedded(vectors, history, figures, collapse_warning(vectors, f"init_sdne ({config.method})"))


def karateclub_embedding(adjacency: csr_matrix, config: StructureConfig, seed: int) -> NDArray[np.float32]:
    """Vectors by a karateclub class. karateclub is GPLv3: it is imported here only, when it is asked for.

    Raises:
        InputError: no such argument, the method fails on this graph, or karateclub is not installed.
    """
    import networkx as nx

    try:
        from karateclub.node_embedding import neighbourhood
    except ImportError as error:
        raise InputError(
            f"method: found {config.method}, but karateclub cannot be imported ({error}); expected sdne, or "
            "`pip install --no-deps karateclub==1.3.3` in this environment"
        ) from None
    kind = getattr(neighbourhood, config.method)
    arguments: dict[str, Any] = {"dimensions": config.dimensions, "seed": seed}
    accepted = inspect.signature(kind).parameters
    for name in config.karateclub_options:
        if name not in accepted:
            raise InputError(
                f"karateclub_options: found {name!r}, expected arguments of {config.method}: {', '.join(accepted)}"
            )
    # More than one worker makes word2vec's result depend on the scheduler.
    arguments |= {"workers": 1, "verbose": False}
    # LINE takes edges // mini_batch_size steps an epoch, which is none on a small graph.
    arguments |= {"mini_batch_size": max(2, min(128, adjacency.nnz // 2))}
    model = kind(**({name: value for name, value in arguments.items() if name in accepted} | config.karateclub_options))
    _check_diffusion(model, adjacency, config.method)
    graph = nx.from_scipy_sparse_array(adjacency)
    try:
        with _seeded_arpack(seed):
            model.fit(graph)
    except (
        ValueError,
        ArithmeticError,
        IndexError,
        TypeError,
        AttributeError,
        KeyError,
        RuntimeError,
        np.linalg.LinAlgError,
    ) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"method: {config.method} fails on this graph ({type(error).__name__}: {reason}); expected another method or other options"
        ) from None
    vectors = np.asarray(model.get_embedding(), dtype=np.float32)
    if not np.isfinite(vectors).all():
        raise InputError(
            f"method: {config.method} gives vectors that are not finite on this graph; expected another method or other options"
        )
    return vectors


def _check_diffusion(model: Any, adjacency: csr_matrix, method: str) -> None:
    """Diff2Vec spreads from every node until it has met ``diffusion_cover`` others, for ever where there are fewer."""
    cover = getattr(model, "diffusion_cover", 0)
    smallest = int(np.bincount(connected_components(adjacency, directed=False)[1]).min())
    if isinstance(cover, int | float) and cover > smallest:
        raise InputError(
            f"method: {method} needs diffusion_cover ({cover}) connected items around every item, found a component of {smallest}; "
            "expected another method, a lower diffusion_cover in karateclub_options, or a lower s_m"
        )


@contextmanager
def _seeded_arpack(seed: int) -> Iterator[None]:
    """Seed scipy's sparse eigensolvers within: they draw from a generator of their own, which karateclub knows nothing of."""
    solvers = {name: getattr(linalg, name) for name in ("eigsh", "svds")}
    try:
        for name, solver in solvers.items():
            if "rng" in inspect.signature(solver).parameters:
                setattr(linalg, name, partial(solver, rng=stream(seed, "arpack")))
        yield
    finally:
        for name, solver in solvers.items():
            setattr(linalg, name, solver)


def _auc_pairs(adjacency: csr_matrix, seed: int) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]:
    sources, targets = (part.astype(np.int64) for part in adjacency.nonzero())
    random = stream(seed, "reconstruction")
    if len(sources) > AUC_PAIRS:
        chosen = np.sort(random.choice(len(sources), AUC_PAIRS, replace=False))
        sources, targets = sources[chosen], targets[chosen]
    return (sources, targets), sampled_non_edges(adjacency, len(sources), random)


def _inner_products(
    vectors: NDArray[np.float32], pairs: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> NDArray[np.float32]:
    products: NDArray[np.float32] = np.einsum("nd,nd->n", vectors[pairs[0]], vectors[pairs[1]])
    return products
