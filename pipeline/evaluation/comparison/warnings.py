"""Where a variant is beaten: lines of text for whoever reads the figures."""

from __future__ import annotations

from typing import Any

import polars as pl

from pipeline.evaluation.comparison.paired import excludes_zero

# The metric by which each protocol is read.
MAIN = (("ctr", "user_auc"), ("impression", "ndcg@5"), ("ranking", "ndcg@10"))


def beaten_warnings(comparisons: pl.DataFrame) -> list[str]:
    """For each variant and protocol the baselines above it, the farthest first: by how much, the interval, and whether it may be chance.

    Args:
        comparisons: from `paired.compare`, with every baseline.
    """
    found = []
    for system in comparisons["system"].unique(maintain_order=True):
        for protocol, metric in MAIN:
            above = comparisons.filter(
                (pl.col("system") == system)
                & (pl.col("protocol") == protocol)
                & (pl.col("metric") == metric)
                & (pl.col("difference") < 0)
            ).sort("difference", "against")
            if len(above):
                parts = [_above(row) for row in above.iter_rows(named=True)]
                found.append(f"{protocol} {metric}: above {system}: {', '.join(parts)}")
    return found


def _above(row: dict[str, Any]) -> str:
    doubt = "" if excludes_zero(row["low"], row["high"]) else ", may be chance"
    return f"{row['against']} by {-row['difference']:.4f} ({-row['high']:.4f} to {-row['low']:.4f}{doubt})"
