"""Each user's own test items ranked, by users with a like among them: the published evaluation of re-ranking.

Everybody with a like counts, also those who like all of their test items and have the same figure whatever the order: lists for fixed test
splits are evaluated so (swapUniba/KARS_NeSy, DBbook). `impression` leaves these users out.
"""

from __future__ import annotations

import numpy as np

from pipeline.evaluation.metrics.ndcg import ndcg
from pipeline.evaluation.metrics.recall import expected_hits
from pipeline.evaluation.protocols.split import PerUser, ScoredPairs


def reranked_ndcg(pairs: ScoredPairs, k: int) -> PerUser:
    """NDCG@k with a gain of 1 for a like; the ideal list has min(k, likes) of them."""
    users, ranks = pairs.standing_of_likers
    return PerUser(users, ndcg(ranks, k))


def reranked_f1(pairs: ScoredPairs, k: int) -> PerUser:
    """F1@k: the harmonic mean of the precision and the recall of the first k, or of all where a user has fewer than k items.

    With h likes among them it is 2 h / (min(k, items) + likes), as ClayRS has it; with ties its expectation.
    """
    users, ranks = pairs.standing_of_likers
    items = np.bincount(np.searchsorted(users, pairs.users[np.isin(pairs.users, users)]), minlength=len(users))
    return PerUser(users, 2 * expected_hits(ranks, k) / (np.minimum(items, k) + ranks.relevant))
