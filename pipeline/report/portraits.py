"""Real users as the report shows them: their recommendations, why, and what the test split says of them."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from pipeline.explain.sentence import Piece, pieces
from pipeline.report.labels import Labels


class Pick(NamedTuple):
    """A recommended item.

    Attributes:
        verdict: of the test split: "liked", "disliked", or empty where the user did not rate it.
    """

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
) -> list[Portrait]:
    """
    Args:
        recommendations: user, rank, item, score, bias.
        reasons: user, rank, cause, like, part: the contribution.
        interactions: user, item, like, split.
        users: user, user_id.

    Returns:
        from the shortest history to the longest.
    """
    names = dict(users.select("user", "user_id").iter_rows())
    contributions: dict[tuple[int, int], dict[bool, list[tuple[str, float]]]] = {}
    for user, rank, cause, like, part in reasons.select("user", "rank", "cause", "like", "part").iter_rows():
        contributions.setdefault((user, rank), {}).setdefault(like, []).append((labels.titles[cause], part))
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
            picks.append(Pick(labels.titles[item], labels.details[item], score, verdicts.get(item, ""), why))
        hidden = int(tested["like"].sum())
        found.append(Portrait(names[user], counts.get(True, 0), counts.get(False, 0), hidden, picks))
    return sorted(found, key=lambda portrait: portrait.likes + portrait.dislikes)
