"""For every user the best items that they have not rated, with the reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from pipeline.common.top_columns import NONE, best_columns
from pipeline.data.dataset import blocks
from pipeline.explain.named_parts import KINDS, NO_ITEM, NamedParts, named_parts
from pipeline.users.people import Person, histories_of, preference_of
from pipeline.users.shares import co_rating_share
from pipeline.users.trained import TrainedModel

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from pipeline.explain.pulls import ViewsOfMany, Weighed

# Cells of the users x items score matrix held at once, whatever the number of users.
BLOCK_CELLS = 8_000_000
# Users whose reasons are worked out at once, among whom those with histories of similar length are brought together, and how many
# parts of scores they may have at most: fewer users where many items and reasons are asked for.
BLOCK_USERS, BLOCK_PARTS = 4096, 4_000_000


class Recommended(NamedTuple):
    """What some users are recommended.

    Attributes:
        users: indices, (users,).
        items: indices, best first, items of equal score in their own order; `NO_ITEM` after the last, (users, top).
        scores: by `preference`, (users, top).
        reasons: of these items.
        vectors: users as vectors whose inner products with the items' are the scores but for biases and EASE's weights,
            (users, width); None where candidates weigh histories themselves.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int32]
    scores: NDArray[np.float32]
    reasons: NamedParts
    vectors: NDArray[np.float32] | None


def recommended(model: TrainedModel, people: Sequence[Person], top: int, named: int) -> Iterator[Recommended]:
    """Recommendations for all users, some at a time, by all that they rated, which is left out of them.

    Memory does not grow with users times items.

    Args:
        people: the users, by index.
        top: items for each user, fewer where fewer are unrated.
        named: the strongest likes, and as many dislikes, that are named; the parts of the others are added up.
    """
    import torch

    from pipeline.explain.pulls import ViewsOfMany

    views = ViewsOfMany(model)
    best = _BestUnrated(views, top)
    size = min(BLOCK_USERS, max(BLOCK_PARTS // (top * (2 * named + 3)), 1))
    for block in blocks(len(people), size):
        some = people[block[0] : block[-1] + 1]
        with torch.inference_mode():
            weighed = views.weighed(*histories_of(some, model.device))
            users = views.users(weighed)
            items, scores = best.of(some, weighed, users)
            reasons = named_parts(views, weighed, items, named)
        yield Recommended(block, items, scores, reasons, None if users is None else users.float().cpu().numpy())


def best_unrated(scores: NDArray[np.float32], person: Person, top: int) -> NDArray[np.int64]:
    """The items with the highest scores among those that a person has not rated, best first, equal ones by their index.

    Args:
        scores: of all items, (M,).
    """
    unrated = np.setdiff1d(np.arange(len(scores)), np.concatenate(person), assume_unique=True)
    if len(unrated) > top:
        # Whatever ties with the last one stays, for the order of items to decide.
        worst = np.partition(scores[unrated], len(unrated) - top)[len(unrated) - top]
        unrated = unrated[scores[unrated] >= worst]
    return unrated[np.argsort(-scores[unrated], kind="stable")][:top]


class _BestUnrated:
    """As `best_unrated`, for many users: what they rated is crossed out of blocks of scores, which are all made in one place."""

    def __init__(self, views: ViewsOfMany, top: int) -> None:
        self._model, self._bias, self._top = views.model, views.bias, top
        # Made once: large arrays that come and go between small ones that stay make the heap grow.
        self._scores = self._model.items.new_empty(0, len(self._model.items))

    def of(
        self, people: Sequence[Person], weighed: Weighed, users: torch.Tensor | None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Items and their scores, (users, top).

        Args:
            users: their vectors; None where candidates weigh histories themselves.
        """
        count = len(self._model.items)
        # Such candidates take items x items for each block, however few its users are.
        rows = max(BLOCK_CELLS // count, count if users is None else 1)
        items = np.full((len(people), self._top), NO_ITEM, dtype=np.int32)
        best = np.zeros(items.shape, dtype=np.float32)
        for block in blocks(len(people), rows):
            first, last = int(block[0]), int(block[-1]) + 1
            rated = weighed.likes.of(first, last), weighed.dislikes.of(first, last)
            scores = (
                preference_of(self._model, people[first:last])
                if users is None
                else self._by_vectors(users[first:last], weighed, first, last)
            )
            for history in rated:
                scores[history.user.cpu().numpy(), history.items.cpu().numpy()] = -np.inf
            columns = best_columns(scores, self._top)
            row, place = (columns != NONE).nonzero()
            items[first:last] = columns
            best[first + row, place] = scores[row, columns[row, place]]
        return items, best

    def _by_vectors(self, users: torch.Tensor, weighed: Weighed, first: int, last: int) -> NDArray[np.float32]:
        """`preference` of all items for the users from ``first`` up to ``last``, in the place of the block before."""
        import torch

        from pipeline.users.histories import add_up

        if len(users) > len(self._scores):
            self._scores = self._scores.new_empty(len(users), self._scores.shape[1])
        scores = torch.addmm(self._bias, users, self._model.items.T, out=self._scores[: len(users)])
        for name, weights in (self._model.co_rating or {}).items():
            history = weighed.by_view[name][0].of(first, last)
            scores.add_(add_up(history, weights), alpha=co_rating_share(self._model, name))
        found: NDArray[np.float32] = scores.cpu().numpy()
        return found


def recommendation_table(found: Iterable[Recommended], user_ids: pl.Series, item_ids: pl.Series) -> pl.DataFrame:
    """The rows of RECOMMENDATIONS: ids are the source's own, and the parts of an item's reasons add up to its score.

    Args:
        found: of one block of users at least.
        user_ids: by index; item_ids likewise.
    """
    return pl.concat([_rows(one, user_ids, item_ids) for one in found])


def _rows(found: Recommended, user_ids: pl.Series, item_ids: pl.Series) -> pl.DataFrame:
    """Of one block; parts of zero are left out."""
    user, place = (found.items != NO_ITEM).nonzero()
    parts = found.reasons.parts[user, place]
    row, column = parts.nonzero()
    told = pl.DataFrame(
        {
            "row": row,
            "reasons": pl.DataFrame(
                {
                    "kind": pl.Series(KINDS).gather(found.reasons.kinds[column]),
                    "item_id": _ids(item_ids, found.reasons.items[user, place][row, column]),
                    "part": parts[row, column],
                }
            ).to_struct(),
        }
    )
    lists = told.group_by(pl.col("row").set_sorted(), maintain_order=True).agg("reasons")
    recommendations = pl.DataFrame(
        {
            "row": np.arange(len(user)),
            "user_id": user_ids.gather(found.users[user]),
            "rank": (place + 1).astype(np.int32),
            "item_id": item_ids.gather(found.items[user, place]),
            "score": found.scores[user, place],
        }
    )
    joined = recommendations.join(lists, on="row", how="left", maintain_order="left")
    return joined.select("user_id", "rank", "item_id", "score", pl.col("reasons").fill_null([]))


def _ids(item_ids: pl.Series, items: NDArray[np.int32]) -> pl.Series:
    """Null for `NO_ITEM`."""
    return item_ids.gather(pl.Series(items).replace(NO_ITEM, None))
