"""What `recommend` writes, of each variant."""

from __future__ import annotations

import polars as pl

from pipeline.artifacts.kinds import Table, Tensors, Vectors

# recommend: of each variant; ids are the source's own
RECOMMENDATIONS = Table(
    "artifacts/{dataset}/recommendations/{variant}.parquet",
    {
        "user_id": pl.String,
        "rank": pl.Int32,
        "item_id": pl.String,
        "score": pl.Float32,
        # Parts that add up to the score; without an item where they are of several, or of the biases. By: what most of an item's
        # comes from, of a model that has more than item vectors; and if it is the graph, by which relation and entity.
        "reasons": pl.List(
            pl.Struct(
                {
                    "kind": pl.String,
                    "item_id": pl.String,
                    "part": pl.Float32,
                    "by": pl.String,
                    "relation": pl.String,
                    "entity": pl.String,
                }
            )
        ),
    },
    key=("user_id", "rank"),
    not_empty=False,
    holds={
        "ranks from 1": pl.col("rank") >= 1,
        "parts that are numbers": pl.col("reasons").list.eval(pl.element().struct.field("part").is_finite()).list.all(),
    },
)
VECTORS = Vectors("artifacts/{dataset}/vectors/{variant}")

# recommend: what the report shows of a variant
SHOWCASE_MODEL = Tensors(
    "artifacts/{dataset}/showcase/{variant}/model.safetensors",
    told=("best_epoch", "curve", "merged", "refused"),
    types=("float32", "float16"),
)
SHOWCASE_RECOMMENDATIONS = Table(
    "artifacts/{dataset}/showcase/{variant}/recommendations.parquet",
    {"user": pl.Int32, "rank": pl.Int32, "item": pl.Int32, "score": pl.Float64, "bias": pl.Float64},
    key=("user", "rank"),
    not_empty=False,
)
SHOWCASE_REASONS = Table(
    "artifacts/{dataset}/showcase/{variant}/reasons.parquet",
    {
        "user": pl.Int32,
        "rank": pl.Int32,
        "cause": pl.Int32,
        "like": pl.Boolean,
        "part": pl.Float64,
        "by": pl.String,
        "relation": pl.String,
        "entity": pl.String,
    },
    key=("user", "rank", "cause"),
    nullable=frozenset({"by", "relation", "entity"}),
    not_empty=False,
)
SHOWCASE = (SHOWCASE_MODEL, SHOWCASE_RECOMMENDATIONS, SHOWCASE_REASONS)
