"""How much the heads and the item-to-item weights count beside each other, as validation prefers it (`find_shares`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.data.dataset import Dataset
from pipeline.evaluation.metrics.validation import figures_side_by_side
from pipeline.users.model import Model
from pipeline.users.settings import VariantConfig
from pipeline.users.trained import TrainedModel, Unmixed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Of item-to-item weights beside the heads.
CO_RATING_SHARES = (0.0, 2.0, 4.0, 16.0, 32.0, 64.0)
# Of `judge` beside `meet` in a ranking, and of the ranking beside `judge` in a judgement. They change different figures, so that they
# are tried side by side.
SHARES = ((0.0, 0.0), (0.1, 0.03), (0.2, 0.1), (0.3, 0.3), (0.6, 1.0), (1.0, 3.0))
# The figures that a share changes; the sum of them is what it is chosen by.
RANKED, JUDGED = ("ctr.user_auc", "ranking.ndcg@10"), ("impression.ndcg@10",)


def found_shares(model: Model, config: VariantConfig, data: Dataset) -> VariantConfig:
    """The settings with the shares that validation prefers; those that were set, where none is better.

    Where nothing is disliked `judge` asks what `like` asks, and beside it says how two users compare, which `like` does not: there
    they are not mixed.

    Args:
        model: of the best epoch.
        config: its settings.
    """
    if config.co_rating_l2:
        tried = [{"co_rating_share": share} for share in (config.co_rating_share, *CO_RATING_SHARES)]
        config = _preferred(model, config, data, tried, {"co_rating_share": RANKED})
    if "judge" in config.heads and data.train_dislikes.nnz:
        pairs = [(config.judge_share, config.ranking_share), *SHARES]
        tried = [{"judge_share": ranking, "ranking_share": judging} for ranking, judging in pairs]
        config = _preferred(model, config, data, tried, {"judge_share": RANKED, "ranking_share": JUDGED})
    return config


@dataclass
class _Last:
    """The block of users that was asked for last, and what their scores are mixed from."""

    users: NDArray[np.int64] | None = None
    unmixed: Unmixed | None = None


@dataclass(frozen=True)
class _BesideOthers(TrainedModel):
    """One of several models that differ in their shares alone: the rest of a block is made by the first that is asked for it."""

    last: _Last

    def unmixed(self, users: NDArray[np.int64]) -> Unmixed:
        if self.last.unmixed is None or self.last.users is not users:
            self.last.users, self.last.unmixed = users, super().unmixed(users)
        return self.last.unmixed


def _preferred(
    model: Model,
    config: VariantConfig,
    data: Dataset,
    tried: Sequence[Mapping[str, float]],
    chosen_by: Mapping[str, Sequence[str]],
) -> VariantConfig:
    """The settings with the best value of each share.

    Args:
        tried: values of the shares; of equals the first is taken.
        chosen_by: share to validation figures.
    """
    mixtures = [config.model_copy(update=shares) for shares in tried]
    weighed = [
        replace(
            model,
            co_rating_share=mixed.co_rating_share,
            judge_share=mixed.judge_share,
            ranking_share=mixed.ranking_share,
        )
        for mixed in mixtures
    ]
    last = _Last()
    found = figures_side_by_side([_BesideOthers(one, data, last) for one in weighed], data)
    best: dict[str, tuple[float, float]] = {}
    for shares, figures in zip(tried, found, strict=True):
        for name, of_share in chosen_by.items():
            value = sum(figures[figure] for figure in of_share)
            # A figure that cannot be made is NaN, and above nothing.
            if name not in best or value > best[name][0]:
                best[name] = value, shares[name]
    return config.model_copy(update={name: share for name, (_, share) in best.items()})
