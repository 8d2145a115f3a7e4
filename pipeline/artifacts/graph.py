"""What `build_graph` writes; without a graph all but the thresholds have no rows."""

from __future__ import annotations

import polars as pl

from pipeline.artifacts.kinds import Curve, Lines, Numbers, Table

# build_graph: each edge once, source < target, with the number of shared entities. Made of the items, and of no other table of the graph.
EDGES = Table(
    "artifacts/{dataset}/graph/edges.parquet",
    {"source": pl.Int32, "target": pl.Int32, "overlap": pl.Int32},
    key=("source", "target"),
    not_empty=False,
    holds={
        "0 <= source < target": (pl.col("source") >= 0) & (pl.col("source") < pl.col("target")),
        "an overlap of at least 1": pl.col("overlap") >= 1,
    },
    traced=True,
)
# Entities around each item, N_i: 0-based in the order of their names.
NEIGHBOURS = Table(
    "artifacts/{dataset}/graph/neighbours.parquet",
    {"item": pl.Int32, "entity": pl.Int32},
    key=("item", "entity"),
    not_empty=False,
    holds={"indices from 0": (pl.col("item") >= 0) & (pl.col("entity") >= 0)},
    traced=True,
)
# The same entities with the relations that lead to them; inverse where the item's entity is the tail of the triple.
RELATIONS = Table(
    "artifacts/{dataset}/graph/relations.parquet",
    {"item": pl.Int32, "relation": pl.String, "inverse": pl.Boolean, "entity": pl.Int32},
    key=("item", "relation", "inverse", "entity"),
    not_empty=False,
    holds={"indices from 0": (pl.col("item") >= 0) & (pl.col("entity") >= 0)},
    traced=True,
)
# What these entities are called in the source.
ENTITIES = Table(
    "artifacts/{dataset}/graph/entities.parquet",
    {"entity": pl.Int32, "entity_id": pl.String},
    key=("entity",),
    not_empty=False,
    holds={"numbers from 0 without a gap": pl.col("entity") == pl.int_range(pl.len())},
    traced=True,
)
# What each S_m makes of the graph; and the same to draw.
THRESHOLDS = Table(
    "artifacts/{dataset}/graph/thresholds.parquet",
    {"s_m": pl.Int64, "edges": pl.Int64, "density": pl.Float64, "isolated_items": pl.Int64},
    key=("s_m",),
)
THRESHOLDS_CURVE = Curve("plots/{dataset}/thresholds.tsv", tuple(THRESHOLDS.columns))
# Made of all of these, which edges alone are not: who reads edges beside another table of the graph reads it, to compare them.
GRAPH_CAUTIONS = Lines("artifacts/{dataset}/graph/cautions.txt")
GRAPH_FIGURES = Numbers("metrics/diagnostics/{dataset}/build_graph.json")
