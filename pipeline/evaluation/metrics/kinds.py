"""What kinds of metrics there are: each says of which protocol it is, its name, and how it is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.evaluation.protocols.ranks import Standing
from pipeline.evaluation.protocols.split import PerUser, RankedLikes, ScoredPairs, ScoredSplit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class OverUsers:
    """A figure over all pairs of a split as a function of how often each user counts, for the bootstrap.

    Attributes:
        users: number of users.
        of: how often each sample draws each user, (samples, users), to the figure of each sample, (samples,).
    """

    users: int
    of: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    @property
    def value(self) -> float:
        """The figure itself: every user counts once."""
        return float(self.of(np.ones((1, self.users)))[0])


@dataclass(frozen=True)
class ByRanks:
    """A value for each user by where the user's positives stand: (users,) of a `Standing`."""

    protocol: str
    name: str
    function: Callable[[Standing], NDArray[np.float64]]

    def per_user(self, scored: ScoredSplit) -> PerUser:
        ranked: ScoredPairs | RankedLikes = getattr(scored, self.protocol)
        users, ranks = ranked.standing
        return PerUser(users, self.function(ranks))


@dataclass(frozen=True)
class ByPairs:
    """A value for each user by the user's scored pairs; of any protocol but `ranking`."""

    protocol: str
    name: str
    function: Callable[[ScoredPairs], PerUser]

    def per_user(self, scored: ScoredSplit) -> PerUser:
        pairs: ScoredPairs = getattr(scored, self.protocol)
        return self.function(pairs)


@dataclass(frozen=True)
class Pooled:
    """One figure over all pairs of a split, of `ctr` or `impression`.

    Attributes:
        function: of the pairs and of the threshold that validation chose.
        needs_threshold: there is none where no threshold was chosen.
        tested: whether systems are compared by it.
    """

    protocol: str
    name: str
    function: Callable[[ScoredPairs, float | None], OverUsers]
    needs_threshold: bool = False
    tested: bool = True


@dataclass(frozen=True)
class OfCatalogue:
    """One number for the whole split, without an interval."""

    protocol: str
    name: str
    function: Callable[[ScoredSplit, Dataset], float]


@dataclass(frozen=True)
class OfLists:
    """One number by vectors of the listed items, which is made where systems are compared: systems are evaluated without these vectors."""

    protocol: str
    name: str


PerUserMetric = ByRanks | ByPairs
Metric = ByRanks | ByPairs | Pooled | OfCatalogue | OfLists
