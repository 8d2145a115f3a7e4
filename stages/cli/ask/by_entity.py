"""A score by what an item shares in the graph with what somebody rated: the sum of `explain`, in other groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from pipeline.artifacts.kinds import together
from pipeline.explain.breakdown import digits_for
from pipeline.explain.contributions import Explainer, contributions_of
from pipeline.explain.entities import Shared, by_entity
from pipeline.explain.parts import Cause
from pipeline.explain.sentence import rounded, signed
from pipeline.explain.words import shared_by
from pipeline.users.people import Person
from stages.cli.ask.output import Answer, columns
from stages.cli.ask.people import asked_for
from stages.cli.ask.placed import heading, named, placed
from stages.cli.ask.trained import Told, Trained, read_trained

COLUMNS = {
    "relation": pl.String,
    "entity": pl.String,
    "entity_name": pl.String,
    "contribution": pl.Float64,
    "likes": pl.Int32,
    "dislikes": pl.Int32,
}
# Items that are named on a line.
ITEMS = 2


@together()
def explain_by_entity(
    dataset: str | None,
    variant: str | None,
    user: str | None,
    likes: Sequence[str],
    dislikes: Sequence[str],
    item: str,
    shown: int,
) -> Answer:
    """
    Args:
        item: title or id.
        shown: entities that have a line of their own.
    """
    trained = read_trained(dataset, variant)
    asked = asked_for(trained, user, likes, dislikes)
    (candidate,) = trained.catalogue.find(item)
    place = placed(trained, asked, candidate)
    person, explainer = asked.person.without(candidate), Explainer(trained.model)
    found = contributions_of(trained.model, person, np.array([candidate]))
    groups, score = by_entity(explainer, person, candidate, found), float(found.score[0])
    told = trained.told(Cause("overlap", one.value, one.relation, (one.entity,)) for one in groups.shared)
    nothing = None
    if not groups.shared:
        reads = "overlap" in explainer.parts
        nothing = (
            "It shares nothing in the graph with what they have rated."
            if reads
            else f"{trained.variant} has no term `overlap`, so no part of the score comes from an entity."
        )
    text = [*heading(trained, asked, candidate, place), *([nothing] if nothing else []), ""]
    text += _lines(groups.shared, groups.rest, score, shown, trained, told, person)
    rows = [_row(one, told, person) for one in groups.shared]
    rows.append(dict.fromkeys(COLUMNS) | {"contribution": groups.rest})
    record = {
        **trained.record,
        "person": asked.record,
        "item": named(candidate, trained.catalogue.titles),
        "left_out_of_its_own_explanation": place.rated,
        "rank": place.rank,
        "of_unrated": place.among,
        "score": score,
        "shared_in_the_graph": [_record(one, trained, told, person) for one in groups.shared],
        "not_of_the_graph": groups.rest,
    }
    return Answer("\n".join(text) + "\n", record, pl.DataFrame(rows, schema=COLUMNS))


def _lines(
    shared: Sequence[Shared], rest: float, score: float, shown: int, trained: Trained, told: Told, person: Person
) -> list[str]:
    # "and 1 more" takes a line as well as the one itself.
    cut = len(shared) if len(shared) == shown + 1 else shown
    others = shared[cut:]
    values = [one.value for one in shared[:cut]] + ([sum(one.value for one in others)] if others else [])
    digits = digits_for([*values, rest]) + 1
    *printed, of_rest = rounded([*values, rest], score, digits)
    rows = [(f"in the graph ({_counted(len(shared), 'entity', 'entities')})", signed(sum(printed), digits))]
    beside = [""]
    for one, value in zip(shared, printed[:cut], strict=False):
        rows.append((f"  {shared_by(one.relation)}{told.entities[one.entity].shown}", signed(value, digits)))
        beside.append(_items(one, trained, person))
    if others:
        rows.append((f"  … and {len(others)} more", signed(printed[-1], digits)))
        beside.append("")
    rows += [("outside the graph", signed(of_rest, digits)), ("score", signed(score, digits))]
    return [f"{line}  {more}".rstrip() for line, more in zip(columns(rows), [*beside, "", ""], strict=True)]


def _items(one: Shared, trained: Trained, person: Person) -> str:
    """Whose they share it with, what adds most first."""
    titles = [
        trained.catalogue.titles.short(item) + (" (disliked)" if item in person.dislikes else "")
        for item in list(one.by_item)[:ITEMS]
    ]
    more = len(one.by_item) - ITEMS
    return ", ".join(titles) + (f" and {more} more" if more > 0 else "")


def _counted(count: int, word: str, words: str) -> str:
    return f"{count:,} {word if count == 1 else words}"


def _row(one: Shared, told: Told, person: Person) -> dict[str, Any]:
    entity = told.entities[one.entity]
    disliked = sum(item in person.dislikes for item in one.by_item)
    return {
        "relation": one.relation,
        "entity": entity.entity,
        "entity_name": entity.name,
        "contribution": one.value,
        "likes": len(one.by_item) - disliked,
        "dislikes": disliked,
    }


def _record(one: Shared, trained: Trained, told: Told, person: Person) -> dict[str, Any]:
    entity = told.entities[one.entity]
    return {
        "relation": one.relation,
        "entity": entity.entity,
        "entity_name": entity.name,
        "contribution": one.value,
        "items": [
            {
                "kind": "dislike" if item in person.dislikes else "like",
                **named(item, trained.catalogue.titles),
                "contribution": value,
            }
            for item, value in one.by_item.items()
        ],
    }
