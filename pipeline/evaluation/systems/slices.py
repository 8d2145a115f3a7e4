"""Values by slices: for which items and which users a system works.

Slices of items, by their likes in training:

| slice | items |
|---|---|
| cold | at most `COLD_LIKES` likes |
| head | of the others the most liked ones, as many as it takes to hold half of all likes; equals of the last one too |
| tail | the rest |

In each slice the slice's items are ranked among themselves (protocol `ranking-within`: candidates are its items without
what the user rated in earlier splits), and in the whole catalogue (protocol `ranking`: of the user's likes in the slice,
the share that stands in the first hundred). The two answer different questions: a system that never shows a cold item
can still tell the good cold items from the bad ones.

Slices of users are tertiles of the ratings in training and of the share of dislikes among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.evaluation.metrics.ndcg import ndcg
from pipeline.evaluation.metrics.recall import recall
from pipeline.evaluation.protocols.ranks import Standing
from pipeline.evaluation.protocols.split import PerUser, RankedLikes

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLD_LIKES = 5
POPULARITY, HISTORY, DISLIKES = "item popularity", "history length", "dislike share"
ITEM_SLICES = ("cold", "tail", "head")
USER_SLICES = {HISTORY: ("short", "middle", "long"), DISLIKES: ("few", "some", "many")}
WITHIN, CATALOGUE = "ranking-within", "ranking"
ITEM_METRICS = ((WITHIN, "ndcg@10"), (WITHIN, "recall@20"), (CATALOGUE, "recall@100"))
USER_METRICS = (("ctr", "user_auc"), ("impression", "ndcg@5"), ("ranking", "ndcg@10"))

# (slice_by, slice, protocol, metric) to its values.
Slices = dict[tuple[str, str, str, str], PerUser]


def item_slices(likes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each item's slice as a position in `ITEM_SLICES`, (items,).

    Args:
        likes: training likes of each item, (items,).
    """
    counts = np.sort(likes)[::-1]
    held = np.cumsum(counts)
    last_of_head = counts[np.searchsorted(2 * held, held[-1])]
    return np.where(likes <= COLD_LIKES, 0, np.where(likes >= last_of_head, 2, 1))


def by_item(likes: RankedLikes, slice_of: NDArray[np.int64]) -> Slices:
    """Values of the users who have a like of the split in the slice; a slice that nobody likes is left out.

    Args:
        likes: of a split that was evaluated with these slices as parts of the catalogue.
        slice_of: from `item_slices`, (items,).
    """
    found: Slices = {}
    for number in np.unique(slice_of[likes.items]).tolist():
        inside = slice_of[likes.items] == number
        users, place = np.unique(likes.users[inside], return_inverse=True)
        among = Standing(place, likes.part_above[inside], likes.part_tied[inside], len(users))
        anywhere = Standing(place, likes.above[inside], likes.tied[inside], len(users))
        values = (ndcg(among, 10), recall(among, 20), recall(anywhere, 100))
        for (protocol, metric), value in zip(ITEM_METRICS, values, strict=True):
            found[POPULARITY, ITEM_SLICES[number], protocol, metric] = PerUser(users, value)
    return found


def user_slices(data: Dataset) -> dict[str, NDArray[np.int64]]:
    """For each way to slice users the slice of each, a position in its `USER_SLICES`, (users,).

    A third ends where a third of the users has at most this value; equal users share a slice, so that with many equal
    ones a slice may be large and another one empty.
    """
    likes, dislikes = data.train_likes.getnnz(axis=1), data.train_dislikes.getnnz(axis=1)
    ratings = likes + dislikes
    return {HISTORY: _thirds(ratings), DISLIKES: _thirds(dislikes / np.maximum(ratings, 1))}


def _thirds(values: NDArray[np.number[Any]]) -> NDArray[np.int64]:
    ends = np.quantile(values, (1 / 3, 2 / 3), method="inverted_cdf")
    return np.searchsorted(ends, values, side="left").astype(np.int64)


def by_user(per_user: Mapping[tuple[str, str], PerUser], data: Dataset) -> Slices:
    """The values of `USER_METRICS` parted by the slices of users; a way to slice that parts nobody is left out.

    Args:
        per_user: (protocol, metric) to values, as in `Evaluated.per_user`.
    """
    found: Slices = {}
    for slice_by, of_user in user_slices(data).items():
        if len(np.unique(of_user)) == 1:
            continue
        for number, name in enumerate(USER_SLICES[slice_by]):
            for protocol, metric in USER_METRICS:
                values = per_user.get((protocol, metric))
                if values is None:
                    continue
                inside = of_user[values.users] == number
                if inside.any():
                    found[slice_by, name, protocol, metric] = PerUser(values.users[inside], values.values[inside])
    return found
