"""Real users as the report shows them: their recommendations, why, and what the test split says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from pipeline.explain.parts import Cause
from pipeline.explain.sentence import Named, Piece, pieces
from pipeline.explain.words import in_words
from pipeline.report.labels import Labels


class Pick(NamedTuple):
    """A recommended item.

    Attributes:
        item: its number.
        verdict: of the test split: "liked", "disliked", or empty where the user did not rate it.
    """

    item: int
    title: str
    details: str
    score: float
    verdict: str
    why: list[Piece]


class Portrait(NamedTuple):
    """A user.

    Attributes:
        likes: how many in training; dislikes likewise.
        hidden: likes in the test split.
    """

    user_id: str
    likes: int
    dislikes: int
    hidden: int
    picks: list[Pick]


def portraits_of(
    recommendations: pl.DataFrame,
    reasons: pl.DataFrame,
    interactions: pl.DataFrame,
    users: pl.DataFrame,
    labels: Labels,
    entity_names: Mapping[str, str],
    merged: bool,
) -> list[Portrait]:
    """
    Args:
        recommendations: user, rank, item, score, bias.
        reasons: user, rank, cause, like, part: the contribution; by, relation, entity.
        interactions: user, item, like, split.
        users: user, user_id.
        entity_names: of entities that have one.
        merged: whether likes and dislikes are one history to the model.

    Returns:
        from the shortest history to the longest.
    """
    names = dict(users.select("user", "user_id").iter_rows())
    contributions: dict[tuple[int, int], dict[bool, list[Named]]] = {}
    columns = ("user", "rank", "cause", "like", "part", "by", "relation", "entity")
    for user, rank, cause, like, part, by, relation, entity in reasons.select(columns).iter_rows():
        words = ""
        if by is not None:
            main = Cause(by, part, relation, () if entity is None else (0,))
            words = in_words(
                main, "like" if like else "dislike", merged, [entity_names.get(entity, entity)].__getitem__
            )
        contributions.setdefault((user, rank), {}).setdefault(like, []).append(Named(labels.titles[cause], part, words))
    found = []
    for (user,), shown in recommendations.partition_by("user", as_dict=True, maintain_order=True).items():
        rated = interactions.filter(pl.col("user") == user)
        counts = dict(rated.filter(pl.col("split") == "train")["like"].value_counts().iter_rows())
        tested = rated.filter(pl.col("split") == "test").select("item", "like")
        verdicts = {item: "liked" if like else "disliked" for item, like in tested.iter_rows()}
        picks = []
        for rank, item, score, bias in shown.sort("rank").select("rank", "item", "score", "bias").iter_rows():
            causes = contributions.get((user, rank), {})
            why = pieces(causes.get(True, []), causes.get(False, []), bias, score)
            picks.append(Pick(item, labels.titles[item], labels.details[item], score, verdicts.get(item, ""), why))
        hidden = int(tested["like"].sum())
        found.append(Portrait(names[user], counts.get(True, 0), counts.get(False, 0), hidden, picks))
    return sorted(found, key=lambda portrait: portrait.likes + portrait.dislikes)
