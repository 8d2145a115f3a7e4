"""Recall@k."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.protocols.ranks import Standing, sums

if TYPE_CHECKING:
    from numpy.typing import NDArray


def recall(ranks: Standing, k: int) -> NDArray[np.float64]:
    """Recall@k, (users,): the share of a user's relevant items that stand in the first k."""
    return expected_hits(ranks, k) / ranks.relevant


def expected_hits(ranks: Standing, k: int) -> NDArray[np.float64]:
    """How many of a user's relevant items stand in the first k, (users,); with ties the expectation of that."""
    return sums(ranks, _chance_within(ranks, k))


def _chance_within(ranks: Standing, k: int) -> NDArray[np.float64]:
    return np.asarray(np.clip((k - ranks.above) / ranks.tied, 0.0, 1.0), dtype=np.float64)
