"""Some real users, what they are recommended and why; drawn over the length of histories, so that nobody picks the good ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from pipeline.artifacts.recommend import SHOWCASE_REASONS, SHOWCASE_RECOMMENDATIONS
from pipeline.common.sorted_unique import sorted_unique
from pipeline.data.dataset import Dataset
from pipeline.evaluation.protocols.split import EARLIER
from pipeline.explain.causes import main_causes_of
from pipeline.explain.contributions import Explainer
from pipeline.explain.parts import Cause
from pipeline.recommend.recommend import recommended_to
from pipeline.users.model import Model
from pipeline.users.people import people_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

PEOPLE, ITEMS_EACH = 12, 4


class Showcase(NamedTuple):
    """
    Attributes:
        recommendations: user, rank (from 1), item, score, bias: what the score says to anybody.
        reasons: user, rank, cause (an item of the history), like, part: its contribution to the score; by, relation, entity: what most
            of it comes from, as in RECOMMENDATIONS.
    """

    recommendations: pl.DataFrame
    reasons: pl.DataFrame


def chosen_people(data: Dataset) -> NDArray[np.int64]:
    """At most `PEOPLE` users, from the shortest history to the longest in equal steps, among those with a like in the test split."""
    tested = sorted_unique(data.of_evaluated(data.liked("test")).users)
    ratings = (data.train_likes + data.train_dislikes).getnnz(axis=1)[tested]
    ordered = tested[np.lexsort((tested, ratings))]
    places = np.linspace(0, len(ordered) - 1, min(PEOPLE, len(ordered)))
    return ordered[np.rint(places).astype(np.int64)]


def showcase_of(model: Model, data: Dataset, users: NDArray[np.int64], entity_ids: pl.Series) -> Showcase:
    """What each user would be shown by the training split alone, so that the test split can tell how good it is.

    As in the protocol `ranking`, items that were rated in training or validation are no candidates.

    Args:
        entity_ids: of ENTITIES.
    """
    explainer = Explainer(model)
    earlier = data.matrix(data.rated(EARLIER["test"]))
    people = people_of(data, users, ("train",))
    known = [earlier[user].indices.astype(np.int64) for user in users]
    shown, causes = [], []
    for user, person, (best, found) in zip(
        users.tolist(), people, recommended_to(model, people, ITEMS_EACH, known), strict=True
    ):
        main = main_causes_of(explainer, person, best, found)
        for place, item in enumerate(best.tolist()):
            shown.append((user, place + 1, item, found.score[place], found.bias[place]))
            for like, items, values, causing in (
                (True, person.likes, found.likes[place], main.likes[place]),
                (False, person.dislikes, found.dislikes[place], main.dislikes[place]),
            ):
                causes += [
                    (user, place + 1, cause, like, value, *_told(by, entity_ids))
                    for cause, value, by in zip(items.tolist(), values, causing or [None] * len(items), strict=True)
                ]
    return Showcase(
        pl.DataFrame(
            shown,
            schema=SHOWCASE_RECOMMENDATIONS.columns,
            orient="row",
        ),
        pl.DataFrame(
            causes,
            schema=SHOWCASE_REASONS.columns,
            orient="row",
        ),
    )


def _told(cause: Cause | None, entity_ids: pl.Series) -> tuple[str | None, str | None, str | None]:
    if cause is None:
        return None, None, None
    return cause.part, cause.relation, entity_ids[cause.entities[0]] if cause.entities else None
