"""Whose recommendations are asked for: a user of the data set, or somebody the model has never seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.common.errors import InputError
from pipeline.users.people import Person
from stages.cli.ask.trained import Trained
from stages.guard import show


@dataclass(frozen=True)
class Asked:
    """
    Attributes:
        person: what they like and dislike.
        who: the same in words.
        record: the same for programs.
    """

    person: Person
    who: str
    record: dict[str, Any]


def asked_for(trained: Trained, user: str | None, likes: Sequence[str], dislikes: Sequence[str]) -> Asked:
    """
    Args:
        user: id of a user; or none, and what somebody else likes and dislikes: titles or ids.

    Raises:
        InputError: neither a user nor any like or dislike, or both; an unknown user or item; an item both liked and disliked.
    """
    if user is not None and (likes or dislikes):
        raise InputError("found --user and --like or --dislike, expected either a user, or likes and dislikes")
    if user is not None:
        person = trained.person_of(user)
        counts = ", ".join(
            f"{len(items)} {word if len(items) == 1 else f'{word}s'}"
            for word, items in zip(("like", "dislike"), person, strict=True)
        )
        record = {"user_id": user, "likes": len(person.likes), "dislikes": len(person.dislikes)}
        return Asked(person, f"user {user} ({counts})", record)
    if not likes and not dislikes:
        raise InputError("found no user, expected --user with an id, or --like and --dislike with titles")
    catalogue = trained.catalogue
    liked, disliked = catalogue.find(*likes), catalogue.find(*dislikes)
    both = [item for item in liked if item in disliked]
    if both:
        raise InputError(f"found {catalogue.titles.shown(both[0])!r} both liked and disliked, expected one of the two")
    views = trained.model.scorer.each_view()
    if disliked and "dislikes" not in views and "rated" not in views:
        show(
            f"note: {trained.variant} reads likes alone here: what is disliked is left out of the list and changes no score",
            error=True,
        )
    names = {
        verb: " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
        for verb, items in (("liked", liked), ("disliked", disliked))
        if (shown := [catalogue.titles.shown(item) for item in items])
    }
    record = {
        kind: [{"item_id": catalogue.titles.ids[item], "title": catalogue.titles.shown(item)} for item in items]
        for kind, items in (("likes", liked), ("dislikes", disliked))
    }
    person = Person(np.array(sorted(liked), dtype=np.int64), np.array(sorted(disliked), dtype=np.int64))
    joined = " and " if len(liked) == 1 else ", and "
    return Asked(person, "somebody who " + joined.join(f"{verb} {text}" for verb, text in names.items()), record)
