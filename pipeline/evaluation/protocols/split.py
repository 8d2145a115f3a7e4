"""One split under all protocols: what a system scored, and where it ranked it.

| protocol | candidates |
|---|---|
| ctr | likes of the split against as many sampled items the user never rated |
| impression | what the user rated in the split: likes against dislikes, or against the zeros that a publisher drew |
| reranking | the same, and users with likes alone count too: what is published for fixed test lists |
| ranking | the catalogue without what the user rated in earlier splits |

Published figures are comparable within a protocol only, so no figure goes without its name. Which figures there are is said by
`pipeline.evaluation.metrics.registry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data.dataset import Dataset, Pairs, blocks
from pipeline.evaluation.protocols.catalogue import FIRST, Catalogue
from pipeline.evaluation.protocols.ranks import Standing, standing
from pipeline.evaluation.protocols.scores import Scorer, not_finite, scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Cells of the users x items score matrix held at once, whatever the catalogue's size.
BLOCK_CELLS = 4_000_000
# Splits whose ratings a user is known by when a split is ranked; they are no candidates.
EARLIER = {"valid": ("train",), "test": ("train", "valid")}


@dataclass(frozen=True)
class ScoredPairs:
    """Pairs with a label and a score: a protocol with explicit candidates."""

    users: NDArray[np.int64]
    labels: NDArray[np.bool_]
    scores: NDArray[np.float64]

    @cached_property
    def standing(self) -> tuple[NDArray[np.int64], Standing]:
        """The users who have both kinds, ascending, and where their positives stand.

        Of users with one kind all positives first would be perfect whatever the score.
        """
        return self._standing_of(np.intersect1d(self.users[self.labels], self.users[~self.labels]))

    @cached_property
    def standing_of_likers(self) -> tuple[NDArray[np.int64], Standing]:
        """As `standing`, of the users who have a positive, whether or not they have anything else; of nobody where nobody has."""
        likers = self.users[self.labels]
        return self._standing_of(np.unique(likers if len(likers) < len(self.users) else likers[:0]))

    def _standing_of(self, users: NDArray[np.int64]) -> tuple[NDArray[np.int64], Standing]:
        if not len(users):
            none = np.empty(0, dtype=np.int64)
            return users, Standing(none, none, none, 0)
        kept = np.isin(self.users, users)
        place = np.searchsorted(users, self.users[kept])
        return users, standing(place, self.scores[kept], self.labels[kept])


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

    @cached_property
    def standing(self) -> tuple[NDArray[np.int64], Standing]:
        """The users who have a like, and where their likes stand."""
        users, place = np.unique(self.users, return_inverse=True)
        return users, Standing(place, self.above, self.tied, len(users))


@dataclass(frozen=True)
class ScoredSplit:
    """What a system did on one split.

    Attributes:
        ctr: scored candidates; impression likewise.
        ranking: the likes of the split, and where they stand.
        coverage: the share of all items that stand in the first ten of any user.
        recommended: in how many users' first ten each item is expected to stand, (items,).
        lists: a first ten of each user who has a like, by user, (users with a like, 10), as in `Places`.
    """

    ctr: ScoredPairs
    impression: ScoredPairs
    ranking: RankedLikes
    coverage: float
    recommended: NDArray[np.float64]
    lists: NDArray[np.int64]

    @property
    def reranking(self) -> ScoredPairs:
        """The pairs of `impression`, of which other users count."""
        return self.impression


def score_split(scorer: Scorer, data: Dataset, split: str, parts: NDArray[np.int64] | None = None) -> ScoredSplit:
    """Score a split under all protocols, in blocks of users.

    Args:
        split: `valid` or `test`.
        parts: each item's part of the catalogue, (items,), in which its likes are ranked too.

    Raises:
        InputError: the system gives a score that is not finite.
    """
    return score_side_by_side([scorer], data, split, parts)[0]


def score_side_by_side(
    scorers: Sequence[Scorer], data: Dataset, split: str, parts: NDArray[np.int64] | None = None
) -> list[ScoredSplit]:
    """`score_split` of each system; all are asked for a block of users before the next, so that they can share what they have of it."""
    gathered = [_Gathered(scorer, data, split, parts) for scorer in scorers]
    for users in blocks(data.users, max(BLOCK_CELLS // data.items, 1)):
        for one in gathered:
            one.take(users)
    return [one.scored() for one in gathered]


class _Gathered:
    """What a system scored of a split, block by block.

    What is kept of a block goes into arrays of the whole split, made before: small ones of each block, made between the large ones of
    scores, leave holes in memory that nothing fits in again.
    """

    def __init__(self, scorer: Scorer, data: Dataset, split: str, parts: NDArray[np.int64] | None) -> None:
        liked = data.liked(split)
        self._scorer = scorer
        self._asked = {
            "liked": (liked, "preference"),
            "unrated": (data.unrated(split), "preference"),
            "judged": (liked, "judgement"),
            "against": (data.against(split), "judgement"),
        }
        self._out = {name: np.empty(len(pairs)) for name, (pairs, _) in self._asked.items()}
        self._starts = {name: _by_user(pairs, data.users) for name, (pairs, _) in self._asked.items()}
        self._catalogue = Catalogue(data.matrix(data.rated(EARLIER[split])), parts)
        self._ranked = np.empty((6, len(liked)), dtype=np.int64)
        self._never_recommended, self._recommended = np.ones(data.items), np.zeros(data.items)
        self._lists = [np.empty((0, FIRST), dtype=np.int64)]

    def take(self, users: NDArray[np.int64]) -> None:
        """Score the next block of users.

        Raises:
            InputError: a score is not finite.
        """
        answers = scores_of(self._scorer, users)
        for name, (pairs, question) in self._asked.items():
            where = self._of(name, users)
            self._out[name][where] = getattr(answers, question)[pairs.users[where] - users[0], pairs.items[where]]
        where = self._of("liked", users)
        if where.start == where.stop:
            return
        liked = self._asked["liked"][0]
        # From best to worst, as a standing has them.
        order = where.start + np.lexsort((-self._out["liked"][where], liked.users[where]))
        user, item = liked.users[order], liked.items[order]
        places = self._catalogue.places(int(users[0]), answers.preference, user - users[0], item)
        self._ranked[:, where] = user, item, places.above, places.tied, places.part_above, places.part_tied
        self._never_recommended *= places.missed
        self._recommended += places.recommended
        self._lists.append(places.lists)

    def _of(self, name: str, users: NDArray[np.int64]) -> slice:
        """Where the pairs of a block of users are."""
        return slice(self._starts[name][users[0]], self._starts[name][users[-1] + 1])

    def scored(self) -> ScoredSplit:
        """All of it, when every block was taken.

        Raises:
            InputError: a judgement is not finite.
        """
        out, pairs = self._out, {name: pairs for name, (pairs, _) in self._asked.items()}
        if not np.isfinite(out["judged"]).all() or not np.isfinite(out["against"]).all():
            raise not_finite(self._scorer)
        return ScoredSplit(
            _labelled(pairs["liked"], out["liked"], pairs["unrated"], out["unrated"]),
            _labelled(pairs["liked"], out["judged"], pairs["against"], out["against"]),
            RankedLikes(*self._ranked),
            float(1 - self._never_recommended.mean()),
            self._recommended,
            np.concatenate(self._lists),
        )


def _by_user(pairs: Pairs, users: int) -> NDArray[np.int64]:
    """Where each user's pairs start, (users + 1,); pairs are sorted by user."""
    return np.searchsorted(pairs.users, np.arange(users + 1))


def _labelled(positives: Pairs, positive: NDArray[Any], negatives: Pairs, negative: NDArray[Any]) -> ScoredPairs:
    labels = np.r_[np.ones(len(positives), dtype=bool), np.zeros(len(negatives), dtype=bool)]
    return ScoredPairs(np.r_[positives.users, negatives.users], labels, np.r_[positive, negative])
