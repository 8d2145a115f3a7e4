"""For every user the best items that they have not rated, with the reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from pipeline.dataset import blocks
from pipeline.model import BY_VECTORS_FROM, TrainedModel
from pipeline.people import Person, preference_of
from pipeline.reasons import Reasons, reasons
from pipeline.vectors import item_vectors, user_vectors, why_no_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array = np.ndarray[Any, Any]
# Cells of the users x items score matrix held at once, whatever the number of users.
BLOCK_CELLS = 2_000_000
# What a part of a score comes from: an item of the history, all of its other items together, or the item biases.
KINDS = ("like", "dislike", "other likes", "other dislikes", "bias")
NO_ITEM = -1
TYPES: dict[str, type[np.generic]] = {
    "user": np.int32,
    "rank": np.int32,
    "kind": np.int8,
    "item": np.int32,
    "score": np.float32,
    "part": np.float32,
}


class Recommended(NamedTuple):
    """
    Attributes:
        user: index.
        person: all that the user rated.
        items: indices, best first; items of equal score in their own order.
        scores: by `preference`.
        reasons: of these items.
    """

    user: int
    person: Person
    items: NDArray[np.int64]
    scores: NDArray[np.float32]
    reasons: Reasons


def recommended(model: TrainedModel, people: Sequence[Person], top: int) -> Iterator[Recommended]:
    """Recommendations for each user by all that they rated, which is left out of them.

    Scores are made for some users at a time, so that memory does not grow with users times items.

    Args:
        people: the users, by index.
        top: items for each user, fewer where fewer are unrated.
    """
    vectors = _vectors(model, people)
    for users in blocks(len(people), max(BLOCK_CELLS // len(model.items), 1)):
        scores = (
            preference_of(model, people[users[0] : users[-1] + 1])
            if vectors is None
            else vectors[1][users] @ vectors[0].T
        )
        for user, row in zip(users.tolist(), scores, strict=True):
            items = best_unrated(row, people[user], top)
            yield Recommended(user, people[user], items, row[items], reasons(model, people[user], items))


def _vectors(model: TrainedModel, people: Sequence[Person]) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Of items and people, where the catalogue is so large that scores are made of them; see `pipeline.user_coordinates`."""
    if len(model.items) < BY_VECTORS_FROM or why_no_vectors(model) is not None:
        return None
    return item_vectors(model), user_vectors(model, people)


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


def recommendation_table(
    found: Iterable[Recommended], user_ids: pl.Series, item_ids: pl.Series, named: int
) -> pl.DataFrame:
    """The rows of RECOMMENDATIONS: ids are the source's own, and the parts of an item's reasons add up to its score.

    Args:
        user_ids: by index; item_ids likewise.
        named: the strongest likes, and as many dislikes, that are named; the parts of the others are added up.
    """
    rows: list[dict[str, Array]] = []
    parts: list[dict[str, Array]] = []
    for one in found:
        rank = np.arange(1, len(one.items) + 1)
        row = {"user": np.full(len(rank), one.user), "rank": rank, "item": one.items, "score": one.scores}
        rows.append(_narrow(row))
        parts.append(_narrow(_strongest(one, named)))
    recommendations = _stacked(rows, ("user", "rank", "item", "score"))
    told = _stacked(parts, ("user", "rank", "kind", "item", "part"))
    reasons_of = told.select(
        "user",
        "rank",
        reasons=pl.struct(
            kind=pl.Series(KINDS).gather(told["kind"]),
            item_id=item_ids.gather(told["item"].replace(NO_ITEM, None)),
            part="part",
        ),
    )
    lists = reasons_of.group_by("user", "rank", maintain_order=True).agg("reasons")
    joined = recommendations.join(lists, on=["user", "rank"], how="left", maintain_order="left")
    return joined.select(
        user_id=user_ids.gather(joined["user"]),
        rank="rank",
        item_id=item_ids.gather(joined["item"]),
        score="score",
        reasons=pl.col("reasons").fill_null([]),
    )


def _strongest(one: Recommended, named: int) -> dict[str, Array]:
    """Parts of one user's scores in the order of KINDS, the strongest likes and dislikes first; parts of zero are left out."""
    named_parts, others = [], []
    for kind, items, parts in (
        (0, one.person.likes, one.reasons.likes_part),
        (1, one.person.dislikes, one.reasons.dislikes_part),
    ):
        order = np.argsort(-np.abs(parts), axis=1, kind="stable")
        ordered = np.take_along_axis(parts, order, axis=1)
        named_parts.append((kind, items[order[:, :named]], ordered[:, :named]))
        others.append(ordered[:, named:].sum(axis=1, keepdims=True))
    rest = np.concatenate([*others, one.reasons.bias[:, None]], axis=1)
    part = np.concatenate([*(parts for _, _, parts in named_parts), rest], axis=1).astype(np.float32)
    item = np.concatenate([*(items for _, items, _ in named_parts), np.full(rest.shape, NO_ITEM)], axis=1)
    kinds = np.concatenate([*(np.full(items.shape[1], kind) for kind, items, _ in named_parts), [2, 3, 4]])
    place, column = part.nonzero()
    return {
        "user": np.full(len(place), one.user),
        "rank": place + 1,
        "kind": kinds[column],
        "item": item[place, column],
        "part": part[place, column],
    }


def _narrow(columns: dict[str, Array]) -> dict[str, Array]:
    """In types that are wide enough: these are kept for all users until the last is done."""
    return {name: values.astype(TYPES[name]) for name, values in columns.items()}


def _stacked(parts: list[dict[str, Array]], names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {name: np.concatenate([np.zeros(0, dtype=TYPES[name]), *(part[name] for part in parts)]) for name in names}
    )
