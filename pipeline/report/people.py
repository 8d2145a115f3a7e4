"""Some real users, what they are recommended and why; drawn over the length of histories, so that nobody picks the good ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from pipeline.data.dataset import Dataset
from pipeline.evaluation.protocols.split import EARLIER
from pipeline.explain.reasons import reasons
from pipeline.users.people import people_of, preference_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.users.trained import TrainedModel

PEOPLE, ITEMS_EACH = 12, 4


class Recommended(NamedTuple):
    """
    Attributes:
        recommendations: user, rank (from 1), item, score, bias: what the score says to anybody.
        reasons: user, rank, cause (an item of the history), like, part: what it adds to the score.
    """

    recommendations: pl.DataFrame
    reasons: pl.DataFrame


def chosen_people(data: Dataset) -> NDArray[np.int64]:
    """At most `PEOPLE` users, from the shortest history to the longest in equal steps, among those with a like in the test split."""
    tested = np.unique(data.liked("test").users)
    ratings = (data.train_likes + data.train_dislikes).getnnz(axis=1)[tested]
    ordered = tested[np.lexsort((tested, ratings))]
    places = np.linspace(0, len(ordered) - 1, min(PEOPLE, len(ordered)))
    return ordered[np.rint(places).astype(np.int64)]


def recommended(model: TrainedModel, data: Dataset, users: NDArray[np.int64]) -> Recommended:
    """What each user would be shown by the training split alone, so that the test split can tell how good it is.

    As in the protocol `ranking`, items that were rated in training or validation are no candidates.
    """
    earlier = data.matrix(data.rated(EARLIER["test"]))
    people = people_of(data, users, ("train",))
    scores = preference_of(model, people)
    shown, causes = [], []
    for user, person, row in zip(users.tolist(), people, scores, strict=True):
        candidates = np.setdiff1d(np.arange(data.items), earlier[user].indices)
        best = candidates[np.lexsort((candidates, -row[candidates]))][:ITEMS_EACH]
        found = reasons(model, person, best)
        for place, item in enumerate(best.tolist()):
            shown.append((user, place + 1, item, found.score[place], found.bias[place]))
            for like, items, parts in (
                (True, person.likes, found.likes_part[place]),
                (False, person.dislikes, found.dislikes_part[place]),
            ):
                causes += [
                    (user, place + 1, cause, like, part) for cause, part in zip(items.tolist(), parts, strict=True)
                ]
    return Recommended(
        pl.DataFrame(
            shown,
            schema={"user": pl.Int32, "rank": pl.Int32, "item": pl.Int32, "score": pl.Float64, "bias": pl.Float64},
            orient="row",
        ),
        pl.DataFrame(
            causes,
            schema={"user": pl.Int32, "rank": pl.Int32, "cause": pl.Int32, "like": pl.Boolean, "part": pl.Float64},
            orient="row",
        ),
    )
