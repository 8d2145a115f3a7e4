"""A split under every metric of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.common.blocks import MapBlocks, in_turn
from pipeline.data.dataset import Dataset
from pipeline.evaluation.metrics.registry import PER_USER
from pipeline.evaluation.protocols.scores import Scorer
from pipeline.evaluation.protocols.split import PerUser, ScoredSplit, score_split

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Evaluated:
    """What a system did on one split.

    Attributes:
        scored: its scores and ranks.
        per_user: (protocol, metric) to its values.
    """

    scored: ScoredSplit
    per_user: dict[tuple[str, str], PerUser]

    def value(self, name: str) -> float:
        """A figure by its dotted name, e.g. ``ranking.ndcg@10``: the mean over users."""
        protocol, metric = name.split(".")
        return self.per_user[protocol, metric].mean


def evaluate_split(
    scorer: Scorer,
    data: Dataset,
    split: str,
    parts: NDArray[np.int64] | None = None,
    map_blocks: MapBlocks = in_turn,
) -> Evaluated:
    """Score a split and compute every metric that has a value for each user; arguments and errors of `score_split`."""
    scored = score_split(scorer, data, split, parts, map_blocks)
    return Evaluated(scored, {(metric.protocol, metric.name): metric.per_user(scored) for metric in PER_USER})
