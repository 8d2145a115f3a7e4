"""The figure of the table of `diversity`, by hand and against the evaluation's own."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.diversity import TOP, ndcg_of
from pipeline.evaluation.metrics.ndcg import ndcg
from pipeline.evaluation.protocols.ranks import standing


def test_ndcg_of_lists_is_by_hand_and_as_in_the_evaluation() -> None:
    lists = np.stack([np.arange(TOP), np.arange(TOP)])
    second, tenth = 1 / np.log2(3), 1 / np.log2(TOP + 1)
    assert ndcg_of(lists[:1], [{1}]) == pytest.approx(second)
    assert ndcg_of(lists, [{1, 50}, {TOP - 1}]) == pytest.approx((second / (1 + second) + tenth) / 2)
    scores = np.random.default_rng(0).normal(size=30)
    best, likes = np.argsort(-scores)[:TOP], {3, 7, 20}
    users, labels = np.zeros(30, dtype=np.int64), np.isin(np.arange(30), list(likes))
    assert ndcg_of(best[None], [likes]) == pytest.approx(ndcg(standing(users, scores, labels), TOP)[0])
