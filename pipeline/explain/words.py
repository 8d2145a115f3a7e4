"""What a contribution comes from, in words: "same author: Stephen King", "often liked together", "similar".

`report/page/taste.js` says the main cause in the same words, and a test in a browser compares them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pipeline.common.relation_names import ANY_OTHER, INVERSE
from pipeline.explain.parts import Cause
from pipeline.graph.paths import spoken

# Where a relation's last word is one of these, its entity follows it: "directed by Stanley Kubrick".
PREPOSITIONS = ("by", "of", "in", "for", "from", "to", "at", "on", "with", "about")
# Of a part of which there is nothing plainer to say.
LABELS = {
    "vectors": "item vectors",
    "co_rating": "rated together",
    "together": "rated together",
    "popularity": "popularity of both",
    "overlap": "in the graph",
}


def in_words(cause: Cause, kind: Literal["like", "dislike"], merged: bool, name: Callable[[int], str]) -> str:
    """Empty where there is nothing that a person could check: item vectors that speak against an item, or for it by a dislike.

    Args:
        cause: of a contribution.
        kind: of the item of the history.
        merged: whether likes and dislikes are one history to the model.
        name: of an entity.
    """
    if cause.relation is not None:
        return shared_by(cause.relation) + _listed([name(entity) for entity in cause.entities])
    if kind == "like" and cause.value > 0:
        if cause.part in ("co_rating", "together"):
            return f"often {'rated' if merged else 'liked'} together"
        if cause.part == "vectors":
            return "similar"
    return ""


def shared_by(relation: str) -> str:
    """What stands before an entity that two items share by a relation.

    >>> shared_by("http://dbpedia.org/ontology/author"), shared_by("film.film.directed_by"), shared_by("^film.actor.film")
    ('same author: ', 'both directed by ', 'both film of actor ')
    >>> shared_by("")
    'same : '
    """
    if relation == ANY_OTHER:
        return "both with "
    said = spoken(relation)
    if relation.startswith(INVERSE) or said.split(" ")[-1] in PREPOSITIONS:
        return f"both {said} "
    return f"same {said}: "


def _listed(names: list[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
