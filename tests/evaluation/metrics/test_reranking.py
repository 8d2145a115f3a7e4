"""Re-ranking of each user's own test items, against plain Python over every order that ties leave open."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.metrics.reranking import reranked_f1, reranked_ndcg
from pipeline.evaluation.protocols.split import ScoredPairs
from tests.evaluation import orders

RANDOMLY = settings(deadline=None, max_examples=60, derandomize=True)
# A user's test items: scores that tie, liked or not; some users like all of them, some none.
LISTS = st.lists(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6), min_size=1, max_size=4)


def pairs(lists: list[list[tuple[int, bool]]]) -> ScoredPairs:
    """Users 10, 20, ...: their numbers are not their places. Likes come first, as in a scored split."""
    cells = [(10 * (user + 1), score, like) for user, own in enumerate(lists) for score, like in own]
    users, scores, labels = zip(*sorted(cells, key=lambda cell: not cell[2]), strict=True)
    return ScoredPairs(np.array(users), np.array(labels), np.array(scores, dtype=float))


@pytest.mark.parametrize("k", [1, 3, 5])
@RANDOMLY
@given(lists=LISTS)
def test_every_user_with_a_like_counts_and_ties_by_their_expectation(
    k: int, lists: list[list[tuple[int, bool]]]
) -> None:
    likers = (
        {}
        if all(like for own in lists for _, like in own)
        else {10 * (user + 1): own for user, own in enumerate(lists) if any(like for _, like in own)}
    )
    for fast, plain in ((reranked_ndcg, orders.ndcg), (reranked_f1, orders.f1)):
        found = fast(pairs(lists), k)
        assert found.users.tolist() == list(likers)
        expected = [orders.mean_over_orders(*zip(*own, strict=True), partial(plain, k=k)) for own in likers.values()]
        np.testing.assert_allclose(found.values, expected, rtol=1e-12)


def test_who_likes_everything_has_the_best_figure_that_they_can_have() -> None:
    scored = pairs([[(1, True), (2, True)], [(1, True)] * 8, [(2, False), (1, True)], [(3, False)]])
    assert reranked_ndcg(scored, 5).values.tolist() == pytest.approx([1.0, 1.0, 1 / np.log2(3)])
    # Two of two; five of eight; one of two items, one like.
    # Where nobody dislikes anything there is nothing to rank.
    assert len(reranked_ndcg(pairs([[(1, True), (2, True)], [(1, True)]]), 5).users) == 0
    assert reranked_f1(scored, 5).values.tolist() == pytest.approx([1.0, 10 / 13, 2 / 3])
