"""People as the model knows them: what they like and dislike, and nothing else.

A user has no parameter of their own, so that somebody the model has never seen is scored at once, without training.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from pipeline.common.devices import placed
from pipeline.data.dataset import Dataset, Pairs
from pipeline.data.splits import SPLITS
from pipeline.users.histories import Histories
from pipeline.users.model import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Person(NamedTuple):
    """
    Attributes:
        likes: item indices, each once.
        dislikes: likewise, none of them among the likes.
    """

    likes: NDArray[np.int64]
    dislikes: NDArray[np.int64]

    def without(self, item: int) -> Person:
        return Person(self.likes[self.likes != item], self.dislikes[self.dislikes != item])


def people_of(data: Dataset, users: NDArray[np.int64], splits: Sequence[str] = SPLITS) -> list[Person]:
    """Users of a data set by their ratings of some splits; all of them where recommendations are for use, not for a test."""
    likes, dislikes = (
        _by_user([of(split) for split in splits], data.users, data.items) for of in (data.liked, data.disliked)
    )
    return [Person(likes[user], dislikes[user]) for user in users.tolist()]


def people_in(likes: Pairs, dislikes: Pairs, users: int, items: int) -> list[Person]:
    """People by a table of what they rated.

    Args:
        likes: whose users are numbered from 0; dislikes likewise.
        users: how many there are.
        items: M.
    """
    sides = (_by_user([side], users, items) for side in (likes, dislikes))
    return [Person(*person) for person in zip(*sides, strict=True)]


def _by_user(pairs: Sequence[Pairs], users: int, count: int) -> list[NDArray[np.int64]]:
    """Each user's items in their order. One sort of whole numbers, where a sparse matrix would have a library loaded."""
    keys = np.concatenate([np.zeros(0, dtype=np.int64), *(some.users * count + some.items for some in pairs)])
    keys.sort()
    starts = np.searchsorted(keys, np.arange(users + 1) * count)
    items = keys % count
    return [items[first:last] for first, last in pairwise(starts.tolist())]


def preference_of(model: Model, people: Sequence[Person], *, leave_one_out: bool = False) -> NDArray[np.float32]:
    """Scores of every item for some people by what they will like, as `TrainedModel.score` gives them for users.

    Args:
        leave_one_out: of an item that they rated by their histories without it.

    Returns:
        (people, M).
    """
    with torch.inference_mode():
        likes, dislikes = histories_of(people, model.device)
        scores = model.scorer(model.items, likes, dislikes, leave_one_out=leave_one_out)
        found: NDArray[np.float32] = model.preference(scores, model.co_rated(likes, dislikes)).float().cpu().numpy()
    return found


def histories_of(people: Sequence[Person], device: torch.device | str) -> tuple[Histories, Histories]:
    """Likes and dislikes of some people."""
    return ragged([person.likes for person in people], device), ragged([person.dislikes for person in people], device)


def ragged(sets: Sequence[NDArray[np.int64]], device: torch.device | str) -> Histories:
    """Sets of items, one for each person."""
    lengths = np.array([len(items) for items in sets], dtype=np.int64)
    items = np.concatenate([np.zeros(0, dtype=np.int64), *sets])
    user = np.repeat(np.arange(len(sets)), lengths)
    return Histories(placed(items, device), placed(user, device), lengths)
