"""What `derive_graph`, `init_sdne` and `train_gat` write, of the structural vectors of the pipeline and of other ways to make them."""

from __future__ import annotations

from dataclasses import replace

from pipeline.artifacts.graph import EDGES
from pipeline.artifacts.kinds import DEFAULT_SOURCE, Curve, Numbers, Table, Tensors

# derive_graph: the item graph of another way to make structural vectors, `{source}`; with the source "graph" it is EDGES
SOURCE_EDGES = replace(EDGES, path="artifacts/{dataset}/{source}/edges.parquet")


def source_names(source: str | None) -> dict[str, str]:
    """Names for `of` of the structural vectors made as an entry of `structures` says; None: as the pipeline makes them."""
    return {"source": f"structures/{source}" if source else DEFAULT_SOURCE}


def edges_of(source: str | None) -> Table:
    """The item graph that such vectors are made from."""
    return SOURCE_EDGES.of(**source_names(source)) if source else SOURCE_EDGES.of(source="graph")


# init_sdne
INITIAL_VECTORS = Tensors("artifacts/{dataset}/{source}/initial.safetensors", {"vectors": 2})
INITIAL_CURVE = Curve("plots/{dataset}/{source}/init_sdne.tsv", ("epoch", "loss", "second_order", "first_order", "l2"))
INITIAL_FIGURES = Numbers("metrics/diagnostics/{dataset}/{source}/init_sdne.json")

# train_gat
STRUCTURE_VECTORS = Tensors("artifacts/{dataset}/{source}/vectors.safetensors", {"vectors": 2})
GAT_WEIGHTS = Tensors("artifacts/{dataset}/{source}/gat_weights.safetensors")
GAT_CURVE = Curve("plots/{dataset}/{source}/train_gat.tsv", ("epoch", "loss", "held_out_auc"))
GAT_FIGURES = Numbers("metrics/diagnostics/{dataset}/{source}/train_gat.json")
