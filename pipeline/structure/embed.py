"""The structural vectors that the GAT starts from: SDNE, or a neighbourhood embedding of karateclub in its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.common.errors import InputError
from pipeline.common.random_streams import stream
from pipeline.common.settings import Precision
from pipeline.common.vector_health import collapse_warning, effective_rank, link_auc, sampled_non_edges
from pipeline.structure.karateclub_methods import karateclub_embedding
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
        encoder: what makes vectors of further items, as `SDNE.encoder_arrays`; empty for karateclub's methods, which can make none.
    """

    vectors: NDArray[np.float32]
    history: list[dict[str, float]]
    figures: dict[str, float]
    warnings: list[str] = field(default_factory=list)
    encoder: dict[str, NDArray[np.float32]] = field(default_factory=dict)


def embed_graph(
    adjacency: csr_matrix,
    config: StructureConfig,
    seed: int,
    device: torch.device | str = "cpu",
    precision: Precision = "float32",
    *,
    progress: bool = False,
) -> Embedded:
    """Embed the item graph with the method that the settings name; without an edge all vectors are zero.

    Raises:
        InputError: an unknown option, or a method that fails on this graph.
    """
    if not adjacency.nnz:
        vectors = np.zeros((adjacency.shape[0], config.dimensions), dtype=np.float32)
        return Embedded(vectors, [], {"width": config.dimensions})
    edges, others = _auc_pairs(adjacency, seed)
    encoder: dict[str, NDArray[np.float32]] = {}
    if config.method == "sdne":
        names = SdneConfig.model_fields
        model = SDNE(
            dimensions=config.dimensions,
            seed=seed,
            device=device,
            precision=precision,
            progress=progress,
            **{name: getattr(config, name) for name in names},
        )
        model.fit_adjacency(adjacency)
        vectors = model.get_embedding()
        if not np.isfinite(vectors).all():
            raise InputError(
                "init_sdne: found vectors that are not finite, expected finite ones; try a lower learning_rate"
            )
        history, encoder = model.history, model.encoder_arrays()
        auc = link_auc(model.reconstruct(adjacency, *edges), model.reconstruct(adjacency, *others))
    else:
        vectors, history = karateclub_embedding(adjacency, config, seed), []
        auc = link_auc(_inner_products(vectors, edges), _inner_products(vectors, others))
    figures = {"reconstruction_auc": auc, "effective_rank": effective_rank(vectors), "width": vectors.shape[1]}
    if history:
        figures["final_loss"] = history[-1]["loss"]
    return Embedded(vectors, history, figures, collapse_warning(vectors, f"init_sdne ({config.method})"), encoder)


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
