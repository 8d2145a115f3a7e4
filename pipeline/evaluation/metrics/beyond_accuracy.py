"""What recommendations are like beside being right: how little known the items are, and how evenly the catalogue is shown."""

from __future__ import annotations

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.evaluation.protocols.split import ScoredSplit


def novelty(scored: ScoredSplit, data: Dataset) -> float:
    """Mean self-information of what is recommended, in bits: log2(users / likes in training).

    Castells, Vargas, Wang, DDR 2011; Zhou et al., PNAS 107(10), 2010. An item without a like counts as one with one.
    """
    likes = np.maximum(data.train_likes.getnnz(axis=0), 1)
    return float(np.average(np.log2(data.users / likes), weights=scored.recommended))


def gini(scored: ScoredSplit, _: Dataset) -> float:
    """Gini coefficient of how often each item is recommended: 0 where all are equally often, towards 1 where few are all that is shown."""
    times = np.sort(scored.recommended)
    places = np.arange(1, len(times) + 1)
    return float(((2 * places - len(times) - 1) * times).sum() / (len(times) * times.sum()))
