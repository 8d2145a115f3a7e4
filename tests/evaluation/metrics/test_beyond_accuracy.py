"""Novelty and Gini of what is recommended, against lists made one by one."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from pipeline.evaluation.baselines.popularity import Popularity
from pipeline.evaluation.metrics.beyond_accuracy import gini, novelty
from pipeline.evaluation.protocols import split as protocols
from pipeline.evaluation.protocols.split import score_split
from tests.evaluation.worlds import Fixed, planted_dataset, random_dataset, without_ties


def test_novelty_and_gini_are_those_of_each_users_list() -> None:
    data = random_dataset(12, 40, 0.3)
    scorer = without_ties(12, 40, 3)
    scored = score_split(scorer, data, "test")
    liked = data.train_likes.toarray().sum(axis=0)
    known = data.matrix(data.rated(("train", "valid"))).toarray() > 0
    bits, times = [], [0] * data.items
    for user in sorted(set(data.liked("test").users.tolist())):
        candidates = [item for item in range(data.items) if not known[user, item]]
        for item in sorted(candidates, key=lambda item: -scorer.table[user, item])[:10]:
            bits.append(log2(data.users / max(liked[item], 1)))
            times[item] += 1
    # Also of items that nobody likes, as if one did.
    assert sum(count for count, likes in zip(times, liked, strict=True) if not likes) > 0
    assert novelty(scored, data) == pytest.approx(sum(bits) / len(bits))
    # Half the mean difference of two items, over the mean.
    apart = sum(abs(one - other) for one in times for other in times) / data.items**2
    assert gini(scored, data) == pytest.approx(apart / 2 / (sum(times) / data.items))


def test_popular_items_for_all_are_little_new_and_uneven() -> None:
    data = planted_dataset()
    popular, random = (
        score_split(scorer, data, "test") for scorer in (Popularity.fit(data), without_ties(data.users, data.items, 0))
    )
    assert novelty(popular, data) < novelty(random, data)
    assert gini(popular, data) > gini(random, data)


def test_a_constant_score_shows_all_items_alike() -> None:
    data = planted_dataset(40, 60)
    scored = score_split(Fixed(np.zeros((40, 60))), data, "test")
    assert gini(scored, data) < 0.1
    # Expected counts of lists of ten.
    assert scored.recommended.sum() == pytest.approx(10 * len(np.unique(data.liked("test").users)))


def test_the_size_of_a_block_changes_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    data = planted_dataset()
    scorer = without_ties(data.users, data.items, 1)
    whole = score_split(scorer, data, "test")
    monkeypatch.setattr(protocols, "BLOCK_CELLS", 3 * data.items)
    parts = score_split(scorer, data, "test")
    assert parts.recommended.tolist() == whole.recommended.tolist()
    tied = Fixed(np.zeros((data.users, data.items)))
    lists = score_split(tied, data, "test").lists
    monkeypatch.undo()
    assert score_split(tied, data, "test").lists.tolist() == lists.tolist()
