"""What a reader should be told before trusting the figures, as lines of text; no line, no caution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.common.random_streams import stream
from pipeline.common.vector_health import effective_rank
from pipeline.data.dataset import Dataset
from pipeline.evaluation.protocols import split
from pipeline.evaluation.protocols.ranks import tie_groups
from pipeline.evaluation.protocols.scores import Scorer, scores_of
from pipeline.evaluation.protocols.split import EARLIER

if TYPE_CHECKING:
    from numpy.typing import NDArray

POPULARITY_LIMIT = 0.92
POPULARITY_USERS = 500
# Of more than 100,000 items fewer users tell as much, but not less than so many: each costs two sorts of all items.
POPULARITY_CELLS, POPULARITY_FEWEST = 50_000_000, 50
COLLAPSE_DIRECTIONS = 3.0
COLLAPSE_SHARE = 0.05


def popularity_likeness(scorer: Scorer, data: Dataset, ranked: str, seed: int) -> float:
    """How much a system ranks like popularity for everybody: mean over users of Spearman's correlation, -1 to 1.

    The correlation of a user's scores with the items' training likes is over the user's candidates of the `ranking`
    protocol, ties by average ranks. At most `POPULARITY_USERS` users are drawn, of a large catalogue fewer. Where one side is
    constant, nothing is ranked, which counts as 0.

    Args:
        ranked: the split, `valid` or `test`; what users rated before it are no candidates.
    """
    users = np.arange(data.users)
    most = min(POPULARITY_USERS, max(POPULARITY_CELLS // data.items, POPULARITY_FEWEST))
    if data.users > most:
        users = np.sort(stream(seed, "popularity likeness").choice(users, size=most, replace=False))
    earlier = data.matrix(data.rated(EARLIER[ranked]))
    likes = data.train_likes.getnnz(axis=0)
    size = split.users_at_once(data.items)
    found = []
    for start in range(0, len(users), size):
        block = users[start : start + size]
        scores = scores_of(scorer, block).preference
        candidates = np.ones(scores.shape, dtype=bool)
        candidates[earlier[block].nonzero()] = False
        found += [_spearman(row[kept], likes[kept]) for row, kept in zip(scores, candidates, strict=True)]
    return float(np.mean(found))


def popularity_warning(system: str, likeness: float) -> list[str]:
    """A warning when a system is hardly more than popularity, whatever it costs.

    Args:
        likeness: from `popularity_likeness`.
    """
    if likeness < POPULARITY_LIMIT:
        return []
    return [
        f"{system}: ranks like popularity for everybody: mean rank correlation with the items' likes {likeness:.3f} "
        f"(at or above {POPULARITY_LIMIT:g}); what it knows of a user hardly counts"
    ]


def collapse_warnings(embeddings: Mapping[str, NDArray[np.floating[Any]]]) -> list[str]:
    """Embeddings that use next to none of their directions.

    An effective rank below 3 is no more than a plane; below a twentieth of what is possible, 95% of the directions
    lie idle. Of a width that hardly exceeds 3 a half is asked instead. Where all vectors are zero nothing is known to embed.

    Args:
        embeddings: name to vectors, (items, width).
    """
    found = []
    for name, vectors in embeddings.items():
        if not vectors.any():
            continue
        possible = min(vectors.shape)
        limit = min(max(COLLAPSE_DIRECTIONS, COLLAPSE_SHARE * possible), possible / 2)
        rank = effective_rank(vectors)
        if rank < limit:
            found.append(
                f"{name}: effective rank {rank:.2f} of {possible} (below {limit:g}): the vectors have collapsed, items look alike"
            )
    return found


def _spearman(left: NDArray[Any], right: NDArray[Any]) -> float:
    """Pearson's correlation of average ranks; 0 where a side is constant."""
    first, second = _centred_ranks(left), _centred_ranks(right)
    spread = float(np.sqrt(np.dot(first, first) * np.dot(second, second)))
    return float(np.dot(first, second)) / spread if spread > 0 else 0.0


def _centred_ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Average ranks less their mean. `scipy.stats` has them too, and takes longer to load than a model to evaluate."""
    order = np.argsort(values, kind="stable")
    groups = tie_groups(values[order])
    sizes = np.diff(np.r_[groups, len(values)])
    ranks = np.empty(len(values))
    # The mean of average ranks is that of their places, ties or not.
    ranks[order] = np.repeat(groups + (sizes - 1) / 2, sizes) - (len(values) - 1) / 2
    return ranks
