"""What `check_tables`, `fetch` and `prepare` write: four tidy tables, whatever their source; then dense indices and splits."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.artifacts.kinds import Table, Text

# check_tables
TABLES_CHECKED = Text("artifacts/{dataset}/tables.checked")

# fetch: the four tidy tables, whatever their source; ids are strings. Without a graph the last two have no rows.
SOURCE_INTERACTIONS = Table(
    "artifacts/{dataset}/source/interactions.parquet",
    {
        "user_id": pl.String,
        "item_id": pl.String,
        "rating": pl.Float32,
        "like": pl.Boolean,
        "timestamp": pl.Float64,
        "split": pl.String,
    },
    key=("user_id", "item_id"),
    nullable=frozenset({"rating", "like", "timestamp", "split"}),
)
SOURCE_ITEMS = Table("artifacts/{dataset}/source/items.parquet", {"item_id": pl.String}, key=("item_id",), more=True)
SOURCE_KG = Table(
    "artifacts/{dataset}/source/kg.parquet",
    {"head": pl.String, "relation": pl.String, "tail": pl.String},
    key=("head", "relation", "tail"),
    not_empty=False,
    traced=True,
)
SOURCE_ITEM_ENTITIES = Table(
    "artifacts/{dataset}/source/item_entities.parquet",
    {"item_id": pl.String, "entity_id": pl.String},
    key=("item_id", "entity_id"),
    not_empty=False,
    traced=True,
)
# Of items that have an image: where its file lies, in a zip or not, and what is in it.
SOURCE_IMAGES = Table(
    "artifacts/{dataset}/source/images.parquet",
    {"item_id": pl.String, "path": pl.String, "inside": pl.String, "sha256": pl.String},
    key=("item_id",),
    not_empty=False,
)
# Of items that have any: a column of float32 vectors for each of `source.vectors`, null where an item has none.
SOURCE_VECTORS = Table(
    "artifacts/{dataset}/source/vectors.parquet",
    {"item_id": pl.String},
    key=("item_id",),
    more=True,
    not_empty=False,
    traced=True,
)

# prepare: dense indices (item, user: 0-based), splits, sampled candidates
ITEMS = Table(
    "artifacts/{dataset}/dataset/items.parquet",
    {"item": pl.Int32, "item_id": pl.String},
    key=("item",),
    more=True,
    traced=True,
)
# With a column `evaluated` where figures are of some users alone (`evaluated_users`).
USERS = Table(
    "artifacts/{dataset}/dataset/users.parquet",
    {"user": pl.Int32, "user_id": pl.String},
    key=("user",),
    more=True,
    traced=True,
)
INTERACTIONS = Table(
    "artifacts/{dataset}/dataset/interactions.parquet",
    {"user": pl.Int32, "item": pl.Int32, "like": pl.Boolean, "rating": pl.Float32, "split": pl.String},
    key=("user", "item"),
    nullable=frozenset({"rating"}),
    holds={
        "split train, valid or test": pl.col("split").is_in(["train", "valid", "test"]),
        "indices from 0": (pl.col("user") >= 0) & (pl.col("item") >= 0),
    },
    traced=True,
)
UNRATED_CANDIDATES = Table(
    "artifacts/{dataset}/dataset/unrated_candidates.parquet",
    {"user": pl.Int32, "item": pl.Int32, "split": pl.String},
    key=("user", "item"),
    holds={
        "split valid or test": pl.col("split").is_in(["valid", "test"]),
        "indices from 0": (pl.col("user") >= 0) & (pl.col("item") >= 0),
    },
    traced=True,
)
# What `feedback: sampled` takes out of the interactions: zeros that somebody drew; there are none otherwise.
SAMPLED_ZEROS = replace(UNRATED_CANDIDATES, path="artifacts/{dataset}/dataset/sampled_zeros.parquet", not_empty=False)
