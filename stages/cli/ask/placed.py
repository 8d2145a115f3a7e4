"""Where an item stands among all that somebody has not rated, and the lines with which an explanation begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.recommend.titles import Titles
from pipeline.users.people import preference_of
from stages.cli.ask.people import Asked
from stages.cli.ask.trained import Trained


@dataclass(frozen=True)
class Placed:
    """
    Attributes:
        rank: of the item among those that the person has not rated, from 1.
        among: how many these are, the item included.
        rated: what the person said of the item, which is left out: "liked", "disliked" or nothing.
    """

    rank: int
    among: int
    rated: str | None


def placed(trained: Trained, asked: Asked, candidate: int, allowed: NDArray[np.bool_] | None = None) -> Placed:
    """
    Args:
        allowed: count these alone, (M,).
    """
    rated = next(
        (word for word, items in zip(("liked", "disliked"), asked.person, strict=True) if candidate in items), None
    )
    person = asked.person.without(candidate)
    scores = preference_of(trained.model, [person])[0]
    items = np.arange(len(scores)) if allowed is None else np.flatnonzero(allowed)
    unrated = np.setdiff1d(items, np.concatenate(person))
    return Placed(1 + int((scores[unrated] > scores[candidate]).sum()), len(unrated), rated)


def heading(trained: Trained, asked: Asked, candidate: int, place: Placed) -> list[str]:
    titles = trained.catalogue.titles
    lines = [
        f"{trained.name}: {titles.shown(candidate)} (id:{titles.ids[candidate]})",
        f"for {asked.who}",
    ]
    if place.rated:
        lines.append(
            f"They {place.rated} it: it is left out of their history here, so that it does not explain itself."
        )
        lines.append(f"Rank {place.rank:,} among it and the {place.among - 1:,} items that they have not rated.")
    else:
        lines.append(f"Rank {place.rank:,} of {place.among:,} items that they have not rated.")
    return lines


def named(item: int, titles: Titles) -> dict[str, Any]:
    """An item for programs."""
    return {"item_id": titles.ids[item], "title": titles.shown(item)}
