"""What `derive_graph`, `init_sdne` and `train_gat` write, of the structural vectors of the pipeline and of other ways to make them."""

from __future__ import annotations

from dataclasses import replace

from pipeline.artifacts.graph import EDGES
from pipeline.artifacts.kinds import DEFAULT_STRUCTURE, Curve, Numbers, Table, Tensors

# derive_graph: the item graph of another way to make structural vectors, `{structure}`; with the name "graph" it is EDGES
DERIVED_EDGES = replace(EDGES, path="artifacts/{dataset}/{structure}/edges.parquet")


def structure_names(structure: str | None) -> dict[str, str]:
    """Names for `of` of the structural vectors made as an entry of `structures` says; None: as the pipeline makes them."""
    return {"structure": f"structures/{structure}" if structure else DEFAULT_STRUCTURE}


def edges_of(structure: str | None) -> Table:
    """The item graph that such vectors are made from."""
    return DERIVED_EDGES.of(**structure_names(structure)) if structure else DERIVED_EDGES.of(structure="graph")


# init_sdne
INITIAL_VECTORS = Tensors("artifacts/{dataset}/{structure}/initial.safetensors", {"vectors": 2}, traced=True)
# What makes such a vector of an item that came later; empty where the method cannot. Told: the activation of its layers.
SDNE_ENCODER = Tensors("artifacts/{dataset}/encoders/{structure}.safetensors", told=("activation",))
INITIAL_CURVE = Curve(
    "plots/{dataset}/{structure}/init_sdne.tsv", ("epoch", "loss", "second_order", "first_order", "l2")
)
INITIAL_FIGURES = Numbers("metrics/diagnostics/{dataset}/{structure}/init_sdne.json")

# train_gat
STRUCTURE_VECTORS = Tensors("artifacts/{dataset}/{structure}/vectors.safetensors", {"vectors": 2}, traced=True)
GAT_WEIGHTS = Tensors("artifacts/{dataset}/{structure}/gat_weights.safetensors", traced=True)
GAT_CURVE = Curve("plots/{dataset}/{structure}/train_gat.tsv", ("epoch", "loss", "masked_edge_auc"))
GAT_FIGURES = Numbers("metrics/diagnostics/{dataset}/{structure}/train_gat.json")
