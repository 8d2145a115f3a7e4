"""The three figures by which a model in training is validated.

They stand apart from the registry, so that a new metric changes nothing that training depends on.
"""

from __future__ import annotations

from functools import partial

from pipeline.data.dataset import Dataset
from pipeline.evaluation.metrics.auc import user_auc
from pipeline.evaluation.metrics.kinds import ByPairs, ByRanks
from pipeline.evaluation.metrics.ndcg import ndcg
from pipeline.evaluation.protocols.scores import Scorer
from pipeline.evaluation.protocols.split import score_split

FIGURES = (
    ByPairs("ctr", "user_auc", user_auc),
    ByRanks("impression", "ndcg@10", partial(ndcg, k=10)),
    ByRanks("ranking", "ndcg@10", partial(ndcg, k=10)),
)


def validation_figures(scorer: Scorer, data: Dataset) -> dict[str, float]:
    """Means over the users of the validation split, by dotted names as ``ranking.ndcg@10``; NaN where no user has a value.

    Raises:
        InputError: the system gives a score that is not finite.
    """
    scored = score_split(scorer, data, "valid")
    return {f"{figure.protocol}.{figure.name}": figure.per_user(scored).mean for figure in FIGURES}
