"""The three figures by which a model in training is validated.

They stand apart from the registry, so that a new metric changes nothing that training depends on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pipeline.common.blocks import MapBlocks, in_turn
from pipeline.data.dataset import Dataset
from pipeline.evaluation.metrics.auc import user_auc
from pipeline.evaluation.metrics.kinds import ByPairs, ByRanks, PerUserMetric
from pipeline.evaluation.metrics.ndcg import ndcg
from pipeline.evaluation.protocols.scores import Scorer
from pipeline.evaluation.protocols.split import score_side_by_side

_METRICS: tuple[PerUserMetric, ...] = (
    ByPairs("ctr", "user_auc", user_auc),
    ByRanks("impression", "ndcg@10", partial(ndcg, k=10)),
    ByRanks("ranking", "ndcg@10", partial(ndcg, k=10)),
)
# By dotted names as ``ranking.ndcg@10``.
FIGURES = {f"{metric.protocol}.{metric.name}": metric for metric in _METRICS}


def validation_figures(scorer: Scorer, data: Dataset, map_blocks: MapBlocks = in_turn) -> dict[str, float]:
    """Means over the users of the validation split, by the names of `FIGURES`; NaN where no user has a value.

    Args:
        map_blocks: who scores users. The result does not depend on it.

    Raises:
        InputError: the system gives a score that is not finite.
    """
    return figures_side_by_side([scorer], data, map_blocks)[0]


def figures_side_by_side(
    scorers: Sequence[Scorer], data: Dataset, map_blocks: MapBlocks = in_turn
) -> list[dict[str, float]]:
    """`validation_figures` of each system; what they have in common is made once (`score_side_by_side`).

    Without a bar: those who ask show one of their own, of which this is a part.
    """
    return [
        {name: metric.per_user(scored).mean for name, metric in FIGURES.items()}
        for scored in score_side_by_side(scorers, data, "valid", map_blocks=map_blocks, shown=False)
    ]
