"""The three protocols: which candidates a system ranks, and by which metrics it is read.

| protocol | candidates | metrics |
|---|---|---|
| ctr | likes of the split against as many sampled items the user never rated | auc, user_auc, accuracy, f1 |
| impression | what the user rated in the split: likes against dislikes | auc, user_auc, mrr, ndcg@5, ndcg@10 |
| ranking | the catalogue without what the user rated in earlier splits | ndcg@5, ndcg@10, recall@10, recall@20, hit@10, coverage@10 |

Published figures are comparable within a protocol only, so no figure goes without its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset, Pairs, blocks
from pipeline.evaluation.metrics import ndcg as metrics
from pipeline.evaluation.protocols.catalogue import Catalogue
from pipeline.evaluation.protocols.ranks import Standing, standing

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Cells of the users x items score matrix held at once, whatever the catalogue's size.
BLOCK_CELLS = 4_000_000
# Splits whose ratings a user is known by when a split is ranked; they are no candidates.
EARLIER = {"valid": ("train",), "test": ("train", "valid")}


IMPRESSION_METRICS: dict[str, Callable[[Standing], NDArray[np.float64]]] = {
    "mrr": metrics.reciprocal_rank,
    "ndcg@5": partial(metrics.ndcg, k=5),
    "ndcg@10": partial(metrics.ndcg, k=10),
}


class CellByCell(Protocol):
    """A table of scores, (users, items), of which cells are asked for, and which need not be there as a whole."""

    def __getitem__(self, cells: tuple[NDArray[np.int64], NDArray[np.int64]], /) -> Any:
        """The scores at these rows and columns, (cells,)."""
        ...


class Scores(NamedTuple):
    """Scores of all items for some users by the question that a protocol asks, each (users, items), finite.

    Attributes:
        preference: which of all items the user will like; `ctr` and `ranking` go by it.
        judgement: which of the rated items the user likes; `impression` goes by it, and asks for what the user rated alone.
    """

    preference: NDArray[np.float32]
    judgement: NDArray[np.float32] | CellByCell


class Scorer(Protocol):
    """Anything that scores all items for some users, from the training split alone."""

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32] | Scores:
        """(users, items), finite; one score for all protocols, or `Scores`."""
        ...


def scores_of(scorer: Scorer, users: NDArray[np.int64]) -> Scores:
    """A system's scores for some users.

    Raises:
        InputError: one of them is not finite.
    """
    found = scorer.score(users)
    scores = found if isinstance(found, Scores) else Scores(found, found)
    for values in {id(values): values for values in scores if isinstance(values, np.ndarray)}.values():
        # The sum is finite only where each of them is, and costs no table of answers; a sum of large numbers may overflow.
        if not np.isfinite(values.sum()) and not np.isfinite(values).all():
            raise not_finite(scorer)
    return scores


def not_finite(scorer: Scorer) -> InputError:
    """What is said of a system whose scores are no numbers."""
    return InputError(
        f"{type(scorer).__name__}: found scores that are not finite, expected numbers; is a learning rate too high?"
    )


@dataclass(frozen=True)
class ScoredPairs:
    """Pairs with a label and a score: a protocol with explicit candidates."""

    users: NDArray[np.int64]
    labels: NDArray[np.bool_]
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class PerUser:
    """Values of one metric for the users that have one."""

    users: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def mean(self) -> float:
        return float(self.values.mean()) if len(self.values) else float("nan")


@dataclass(frozen=True)
class RankedLikes:
    """Where the likes of a split stand in the protocol `ranking`, by user, and a user's from best to worst.

    Attributes:
        users: of each like, (likes,); items likewise.
        above: candidates with a higher score.
        tied: candidates with the same score, the item itself included.
        part_above: as above, among the candidates of the item's part of the catalogue.
        part_tied: likewise.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    above: NDArray[np.int64]
    tied: NDArray[np.int64]
    part_above: NDArray[np.int64]
    part_tied: NDArray[np.int64]

    def standing(self) -> tuple[NDArray[np.int64], Standing]:
        """The users who have a like, and where their likes stand."""
        users, place = np.unique(self.users, return_inverse=True)
        return users, Standing(place, self.above, self.tied, len(users))


@dataclass(frozen=True)
class Evaluated:
    """What a system did on one split.

    Attributes:
        ctr: scored candidates; impression likewise.
        per_user: (protocol, metric) to its values.
        coverage: coverage@10, the share of all items that stand in the first ten of any user.
        likes: of the split, and where they stand.
    """

    ctr: ScoredPairs
    impression: ScoredPairs
    per_user: dict[tuple[str, str], PerUser]
    coverage: float
    likes: RankedLikes

    def value(self, name: str) -> float:
        """A figure by its dotted name, e.g. ``ranking.ndcg@10``: the mean over users."""
        protocol, metric = name.split(".")
        return self.per_user[protocol, metric].mean


def evaluate_split(scorer: Scorer, data: Dataset, split: str, parts: NDArray[np.int64] | None = None) -> Evaluated:
    """Score a split under all three protocols, in blocks of users.

    What is kept of a block goes into arrays of the whole split, made before: small ones of each block, made between the large ones of
    scores, leave holes in memory that nothing fits in again.

    Args:
        split: `valid` or `test`.
        parts: each item's part of the catalogue, (items,), in which its likes are ranked too.

    Raises:
        InputError: the system gives a score that is not finite.
    """
    liked, disliked, unrated = data.liked(split), data.disliked(split), data.unrated(split)
    asked = {
        "liked": (liked, "preference"),
        "unrated": (unrated, "preference"),
        "judged": (liked, "judgement"),
        "disliked": (disliked, "judgement"),
    }
    out = {name: np.empty(len(pairs)) for name, (pairs, _) in asked.items()}
    starts = {name: _by_user(pairs, data.users) for name, (pairs, _) in asked.items()}
    catalogue = Catalogue(data.matrix(data.rated(EARLIER[split])), parts)
    ranked = np.empty((6, len(liked)), dtype=np.int64)
    never_recommended = np.ones(data.items)
    for users in blocks(data.users, max(BLOCK_CELLS // data.items, 1)):
        answers = scores_of(scorer, users)
        for name, (pairs, question) in asked.items():
            where = slice(starts[name][users[0]], starts[name][users[-1] + 1])
            out[name][where] = getattr(answers, question)[pairs.users[where] - users[0], pairs.items[where]]
        where = slice(starts["liked"][users[0]], starts["liked"][users[-1] + 1])
        if where.start == where.stop:
            continue
        # From best to worst, as a standing has them.
        order = where.start + np.lexsort((-out["liked"][where], liked.users[where]))
        user, item = liked.users[order], liked.items[order]
        places = catalogue.places(int(users[0]), answers.preference, user - users[0], item)
        ranked[:, where] = user, item, places.above, places.tied, places.part_above, places.part_tied
        never_recommended *= places.missed
    if not np.isfinite(out["judged"]).all() or not np.isfinite(out["disliked"]).all():
        raise not_finite(scorer)
    likes = RankedLikes(*ranked)
    ctr = _labelled(liked, out["liked"], unrated, out["unrated"])
    impression = _labelled(liked, out["judged"], disliked, out["disliked"])
    per_user = _ctr_metrics(ctr) | _impression_metrics(impression) | _ranking_metrics(*likes.standing())
    return Evaluated(ctr, impression, per_user, float(1 - never_recommended.mean()), likes)


def _by_user(pairs: Pairs, users: int) -> NDArray[np.int64]:
    """Where each user's pairs start, (users + 1,); pairs are sorted by user."""
    return np.searchsorted(pairs.users, np.arange(users + 1))


def _labelled(positives: Pairs, positive: NDArray[Any], negatives: Pairs, negative: NDArray[Any]) -> ScoredPairs:
    labels = np.r_[np.ones(len(positives), dtype=bool), np.zeros(len(negatives), dtype=bool)]
    return ScoredPairs(np.r_[positives.users, negatives.users], labels, np.r_[positive, negative])


def _ctr_metrics(pairs: ScoredPairs) -> dict[tuple[str, str], PerUser]:
    return {("ctr", "user_auc"): PerUser(*metrics.auc_per_user(pairs.users, pairs.scores, pairs.labels))}


def _impression_metrics(pairs: ScoredPairs) -> dict[tuple[str, str], PerUser]:
    found = {("impression", "user_auc"): PerUser(*metrics.auc_per_user(pairs.users, pairs.scores, pairs.labels))}
    both = found["impression", "user_auc"].users
    # Only users with both kinds are ranked: all likes first would be perfect whatever the score.
    kept = np.isin(pairs.users, both)
    user, labels, scores = np.searchsorted(both, pairs.users[kept]), pairs.labels[kept], pairs.scores[kept]
    if not len(user):
        return found | {("impression", name): PerUser(both, np.empty(0)) for name in IMPRESSION_METRICS}
    ranks = standing(user, scores, labels)
    return found | {("impression", name): PerUser(both, metric(ranks)) for name, metric in IMPRESSION_METRICS.items()}


def _ranking_metrics(users: NDArray[np.int64], ranks: Standing) -> dict[tuple[str, str], PerUser]:
    values = {
        "ndcg@5": metrics.ndcg(ranks, 5),
        "ndcg@10": metrics.ndcg(ranks, 10),
        "recall@10": metrics.recall(ranks, 10),
        "recall@20": metrics.recall(ranks, 20),
        "hit@10": metrics.hit(ranks, 10),
    }
    return {("ranking", name): PerUser(users, value) for name, value in values.items()}
