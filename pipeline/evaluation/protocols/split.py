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
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from pipeline.common.blocks import MapBlocks, Shown, in_turn
from pipeline.common.random_streams import stream
from pipeline.common.sorted_unique import sorted_unique
from pipeline.data.dataset import Dataset, Pairs, blocks
from pipeline.evaluation.protocols.catalogue import FIRST, Catalogue, Places, drawn
from pipeline.evaluation.protocols.ranks import Standing, standing
from pipeline.evaluation.protocols.scores import Scorer, not_finite, scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Cells of the users x items score matrix held at once, whatever the catalogue's size.
BLOCK_CELLS = 4_000_000
# Of a large catalogue so many users all the same: for each block of them all vectors of items are read. Of a million items 4 users at
# once take 30 ms each, 16 take 12.
MANY_ITEMS, FEWEST_USERS = 250_000, 16
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
        return self._standing_of(sorted_unique(likers if len(likers) < len(self.users) else likers[:0]))

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


def score_split(
    scorer: Scorer,
    data: Dataset,
    split: str,
    parts: NDArray[np.int64] | None = None,
    map_blocks: MapBlocks = in_turn,
) -> ScoredSplit:
    """Score a split under all protocols, in blocks of users.

    Args:
        split: `valid` or `test`.
        parts: each item's part of the catalogue, (items,), in which its likes are ranked too.
        map_blocks: who scores them. The result does not depend on it.

    Raises:
        InputError: the system gives a score that is not finite.
    """
    return score_side_by_side([scorer], data, split, parts, map_blocks)[0]


def score_side_by_side(
    scorers: Sequence[Scorer],
    data: Dataset,
    split: str,
    parts: NDArray[np.int64] | None = None,
    map_blocks: MapBlocks = in_turn,
    shown: bool = True,
) -> list[ScoredSplit]:
    """`score_split` of each system; all are asked for a block of users before the next, so that they can share what they have of it.

    Args:
        shown: in a bar.
    """
    asked = _Asked(data, split, parts)
    gathered = [_Gathered(scorer, asked, data) for scorer in scorers]
    cut = [data.evaluated[some] for some in blocks(len(data.evaluated), users_at_once(data.items))]
    bar = Shown(f"scores of {split}", "users") if shown else None
    scored = map_blocks(_scored, cut, scorers, asked, shown=bar)
    for users, found in zip(cut, scored, strict=True):
        for one, of_one in zip(gathered, found, strict=True):
            one.add(users, of_one)
    return [one.scored() for one in gathered]


def users_at_once(items: int) -> int:
    """Users whose scores of all items are held at once."""
    return max(BLOCK_CELLS // items, FEWEST_USERS if items > MANY_ITEMS else 1)


class _Asked:
    """What systems are asked about a split.

    Attributes:
        pairs: users and items, sorted by user, by name; questions: the field of `Scores` that has their answers.
        catalogue: in which likes are ranked, among what users did not rate before.
    """

    questions: ClassVar = {
        "liked": "preference",
        "unrated": "preference",
        "judged": "judgement",
        "against": "judgement",
    }

    def __init__(self, data: Dataset, split: str, parts: NDArray[np.int64] | None) -> None:
        liked, against = (data.of_evaluated(of(split)) for of in (data.liked, data.against))
        self.pairs = {"liked": liked, "unrated": data.unrated(split), "judged": liked, "against": against}
        self.catalogue = Catalogue(data.matrix(data.rated(EARLIER[split])), parts)
        self._starts = {name: _by_user(pairs, data.users) for name, pairs in self.pairs.items()}

    def of(self, name: str, users: NDArray[np.int64]) -> slice:
        """Where the pairs of a block of users are; of users between them there are none."""
        return slice(int(self._starts[name][users[0]]), int(self._starts[name][users[-1] + 1]))


class _Found(NamedTuple):
    """What a system scored of a block of users.

    Attributes:
        scores: of the pairs, by name.
        likes: user and item of each like, from a user's best to worst, (2, likes).
        places: of these; None where there are none.
        touched: the items that stand in anybody's first ten with any chance, which `missed` and `recommended` of `places` are of.
    """

    scores: dict[str, NDArray[np.float64]]
    likes: NDArray[np.int64]
    places: Places | None
    touched: NDArray[np.int64]


def _scored(users: NDArray[np.int64], scorers: Sequence[Scorer], asked: _Asked) -> list[_Found]:
    """What each system scores of a block of users.

    Raises:
        InputError: a score is not finite.
    """
    return [_scored_by(scorer, users, asked) for scorer in scorers]


def _scored_by(scorer: Scorer, users: NDArray[np.int64], asked: _Asked) -> _Found:
    answers = scores_of(scorer, users)
    scores = {}
    for name, pairs in asked.pairs.items():
        where = asked.of(name, users)
        cells = getattr(answers, asked.questions[name])[_places(users, pairs.users[where]), pairs.items[where]]
        scores[name] = np.asarray(cells, dtype=np.float64)
    where, liked = asked.of("liked", users), asked.pairs["liked"]
    # From best to worst, as a standing has them.
    order = where.start + np.lexsort((-scores["liked"], liked.users[where]))
    likes = np.stack([liked.users[order], liked.items[order]])
    if not len(order):
        return _Found(scores, likes, None, np.empty(0, dtype=np.int64))
    places = asked.catalogue.places(users, answers.preference, _places(users, likes[0]), likes[1])
    touched = np.flatnonzero((places.missed != 1) | (places.recommended != 0))
    kept = replace(places, missed=places.missed[touched], recommended=places.recommended[touched])
    return _Found(scores, likes, kept, touched)


class _Gathered:
    """What a system scored of a split, block by block.

    What is kept of a block goes into arrays of the whole split, made before: small ones of each block, made between the large ones of
    scores, leave holes in memory that nothing fits in again.
    """

    def __init__(self, scorer: Scorer, asked: _Asked, data: Dataset) -> None:
        self._scorer, self._asked = scorer, asked
        self._out = {name: np.empty(len(pairs)) for name, pairs in asked.pairs.items()}
        self._ranked = np.empty((6, len(asked.pairs["liked"])), dtype=np.int64)
        self._never_recommended, self._recommended = np.ones(data.items), np.zeros(data.items)
        self._lists = [np.empty((0, FIRST), dtype=np.int64)]
        # Of all blocks one after another: what is drawn does not depend on their size.
        self._random = stream(0, "first ten")

    def add(self, users: NDArray[np.int64], found: _Found) -> None:
        """The next block of users."""
        for name, values in found.scores.items():
            self._out[name][self._asked.of(name, users)] = values
        places = found.places
        if places is None:
            return
        ranked = *found.likes, places.above, places.tied, places.part_above, places.part_tied
        self._ranked[:, self._asked.of("liked", users)] = ranked
        self._never_recommended[found.touched] *= places.missed
        self._recommended[found.touched] += places.recommended
        self._lists.append(drawn(places, len(self._recommended), self._random))

    def scored(self) -> ScoredSplit:
        """All of it, when every block was added.

        Raises:
            InputError: a judgement is not finite.
        """
        out, pairs = self._out, self._asked.pairs
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


def _places(users: NDArray[np.int64], of: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of these users stands in a block, which is ascending."""
    return np.searchsorted(users, of)


def _by_user(pairs: Pairs, users: int) -> NDArray[np.int64]:
    """Where each user's pairs start, (users + 1,); pairs are sorted by user."""
    return np.searchsorted(pairs.users, np.arange(users + 1))


def _labelled(positives: Pairs, positive: NDArray[Any], negatives: Pairs, negative: NDArray[Any]) -> ScoredPairs:
    labels = np.r_[np.ones(len(positives), dtype=bool), np.zeros(len(negatives), dtype=bool)]
    return ScoredPairs(np.r_[positives.users, negatives.users], labels, np.r_[positive, negative])
