"""How much the heads count beside each other in a ranking and in a judgement, as validation prefers it (`find_shares`)."""

from __future__ import annotations

from dataclasses import replace

from pipeline.data.dataset import Dataset
from pipeline.evaluation.metrics.validation import validation_figures
from pipeline.users.model import Model
from pipeline.users.settings import VariantConfig
from pipeline.users.trained import TrainedModel

# Weights of `judge` beside `meet` in a ranking, and of the ranking beside `judge` in a judgement, that validation chooses among.
# They change different figures, so that they are tried side by side.
SHARES = ((0.0, 0.0), (0.1, 0.03), (0.2, 0.1), (0.3, 0.3), (0.6, 1.0), (1.0, 3.0))


def finds_shares(config: VariantConfig, data: Dataset) -> bool:
    """Whether there is something to find.

    Where nothing is disliked `judge` asks what `like` asks, and beside it says how two users compare, which `like` does not: there
    they are not mixed.
    """
    return config.find_shares and "judge" in config.heads and data.train_dislikes.nnz > 0


def found_shares(model: Model, config: VariantConfig, data: Dataset) -> VariantConfig:
    """The settings with the weights of `SHARES` that validation prefers; those that were set, where none is better.

    Args:
        model: of the best epoch.
        config: its settings.
    """
    best: dict[str, tuple[float, float]] = {}
    for judge_share, ranking_share in [(config.judge_share, config.ranking_share), *SHARES]:
        mixed = replace(model, judge_share=judge_share, ranking_share=ranking_share)
        figures = validation_figures(TrainedModel(mixed, data), data)
        for name, share, value in (
            ("judge_share", judge_share, figures["ctr.user_auc"] + figures["ranking.ndcg@10"]),
            ("ranking_share", ranking_share, figures["impression.ndcg@10"]),
        ):
            # A figure that cannot be made is NaN, and above nothing.
            if name not in best or value > best[name][0]:
                best[name] = value, share
    return config.model_copy(update={name: share for name, (_, share) in best.items()})
