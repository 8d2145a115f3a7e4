"""What `evaluate`, `evaluate_baselines`, `compare` and `compare_ablations` write."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.artifacts.kinds import Columns, Lines, Numbers, Table

# evaluate (of each variant) and evaluate_baselines (of each baseline): what a system did on the test split
_PER_USER_VALUE: Columns = {
    "system": pl.String,
    "protocol": pl.String,
    "metric": pl.String,
    "user": pl.Int32,
    "value": pl.Float64,
}
PER_USER = Table(
    "artifacts/{dataset}/evaluation/{group}/{variant}/per_user.parquet",
    _PER_USER_VALUE,
    key=("system", "protocol", "metric", "user"),
)
PAIRS = Table(
    "artifacts/{dataset}/evaluation/{group}/{variant}/pairs.parquet",
    {
        "system": pl.String,
        "protocol": pl.String,
        "user": pl.Int32,
        "item": pl.Int32,
        "like": pl.Boolean,
        "score": pl.Float64,
    },
    key=("system", "protocol", "user", "item"),
)
ITEM_SLICES = Table(
    "artifacts/{dataset}/evaluation/{group}/{variant}/item_slices.parquet",
    {"slice": pl.String, **_PER_USER_VALUE},
    key=("slice", "system", "protocol", "metric", "user"),
    not_empty=False,
)
FACTS = Table(
    "artifacts/{dataset}/evaluation/{group}/{variant}/facts.parquet",
    {"system": pl.String, "fact": pl.String, "value": pl.Float64},
    key=("system", "fact"),
)
LISTS = Table(
    "artifacts/{dataset}/evaluation/{group}/{variant}/lists.parquet",
    {"system": pl.String, "user": pl.Int32, "item": pl.Int32},
    key=("system", "user", "item"),
)
CAUTIONS = Lines("artifacts/{dataset}/evaluation/{group}/{variant}/cautions.txt")
# Of a baseline: why it was left out, in one line; and what was tried of it.
LEFT_OUT = Lines("artifacts/{dataset}/evaluation/baselines/{variant}/left_out.txt")
CHOSEN_BASELINES = Table(
    "artifacts/{dataset}/evaluation/baselines/{variant}/chosen.parquet",
    {
        "system": pl.String,
        "setting": pl.String,
        "chosen_by": pl.String,
        "validation": pl.Float64,
        "chosen": pl.Boolean,
    },
    key=("system", "setting"),
)

# compare: all systems side by side
_INTERVAL: Columns = {"low": pl.Float64, "high": pl.Float64, "users": pl.Int32}
METRICS = Numbers("metrics/{dataset}.json")
INTERVALS = Table(
    "artifacts/{dataset}/evaluation/intervals.parquet",
    {"system": pl.String, "protocol": pl.String, "metric": pl.String, "value": pl.Float64, **_INTERVAL},
    key=("system", "protocol", "metric"),
    nullable=frozenset({"low", "high"}),
)
DIFFERENCES = Table(
    "artifacts/{dataset}/evaluation/differences.parquet",
    {
        "system": pl.String,
        "protocol": pl.String,
        "metric": pl.String,
        "against": pl.String,
        "difference": pl.Float64,
        **_INTERVAL,
    },
    key=("system", "protocol", "metric", "against"),
)
SLICES = Table(
    "artifacts/{dataset}/evaluation/slices.parquet",
    {
        "slice_by": pl.String,
        "slice": pl.String,
        "system": pl.String,
        "protocol": pl.String,
        "metric": pl.String,
        "value": pl.Float64,
        **_INTERVAL,
    },
    key=("slice_by", "slice", "system", "protocol", "metric"),
)
WARNINGS = Lines("artifacts/{dataset}/evaluation/warnings.txt")

# compare_ablations: variants with one part changed beside them whole
ABLATION_METRICS = Numbers("metrics/ablations/{dataset}.json")
# `runs`: training runs of the side that has fewer.
ABLATION_DIFFERENCES = replace(
    DIFFERENCES,
    path="artifacts/{dataset}/evaluation/ablation_differences.parquet",
    columns={**DIFFERENCES.columns, "runs": pl.Int32},
)
ABLATION_SLICES = replace(SLICES, path="artifacts/{dataset}/evaluation/ablation_slices.parquet")
