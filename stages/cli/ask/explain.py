"""Why an item gets its score for somebody: the exact sum, and the paths in the knowledge graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from pipeline.artifacts.kinds import together
from pipeline.explain.breakdown import BIASES, Contribution, Line, as_printed, by_size, digits_for, lines_of, why
from pipeline.explain.causes import all_causes_of, main_causes_of
from pipeline.explain.contributions import Explainer, Kind, contributions_of
from pipeline.explain.parts import PARTS, Cause
from pipeline.explain.sentence import rounded, signed
from pipeline.explain.words import LABELS
from pipeline.graph.paths import KnowledgeGraph, Path, SharedEntity, spoken
from pipeline.recommend.titles import Titles
from stages.cli.ask.output import Answer, columns
from stages.cli.ask.people import asked_for
from stages.cli.ask.placed import heading, named, placed
from stages.cli.ask.trained import Told, read_trained

COLUMNS: dict[str, type[pl.DataType]] = {
    "kind": pl.String,
    "item_id": pl.String,
    "title": pl.String,
    "head": pl.String,
    "contribution": pl.Float64,
    # What the contribution is the sum of, by the parts that the model has; and of the overlap what adds most.
    **dict.fromkeys(PARTS, pl.Float64),
    "relation": pl.String,
    "entity": pl.String,
    "entity_name": pl.String,
}
# Of each item of a history all that its contribution comes from; empty where the model has but one part.
Causing = Mapping[int, Sequence[Cause]]
# Parts of a contribution that are shown beside it.
SHOWN_PARTS = 3
# Relations that have a line, the one with the rarest entity first, and entities that are named on it.
RELATIONS, ENTITIES = 5, 3


@together()
def explain(
    dataset: str | None,
    variant: str | None,
    user: str | None,
    likes: Sequence[str],
    dislikes: Sequence[str],
    item: str,
    shown: int,
    paths: int,
) -> Answer:
    """
    Args:
        item: title or id.
        shown: contributions of each kind that have a line of their own.
        paths: of so many items with the largest contributions, the paths in the knowledge graph.
    """
    trained = read_trained(dataset, variant)
    catalogue = trained.catalogue
    asked = asked_for(trained, user, likes, dislikes)
    (candidate,) = catalogue.find(item)
    place = placed(trained, asked, candidate)
    person = asked.person.without(candidate)
    found, explainer = contributions_of(trained.model, person, np.array([candidate])), Explainer(trained.model)
    causes = all_causes_of(explainer, person, candidate, found) if len(explainer.parts) > 1 else {}
    main = main_causes_of(explainer, person, np.array([candidate]), found)
    contributions, score = by_size(found, person, 0, main), float(found.score[0])
    told = trained.told(cause for mine in causes.values() for cause in mine)
    strongest = sorted((one for one in contributions if one.item is not None), key=lambda one: -one.value)[:paths]
    graph = catalogue.knowledge_graph()
    met = graph.paths(candidate, [one.item for one in strongest if one.item is not None])
    text = "\n".join(
        [
            *heading(trained, asked, candidate, place),
            *_sum(contributions, shown, catalogue.titles, causes, told),
            *_paths(graph, met, strongest, candidate, catalogue.titles),
        ]
    )
    rows = [_row(one, catalogue.titles, causes, told) for one in contributions]
    record = {
        **trained.record,
        "person": asked.record,
        "item": named(candidate, catalogue.titles),
        "left_out_of_its_own_explanation": place.rated,
        "rank": place.rank,
        "of_unrated": place.among,
        "score": score,
        "contributions": [_record(one, catalogue.titles, causes, told) for one in contributions],
        "paths": [_path_record(path, catalogue.titles) for path in met],
    }
    return Answer(f"{text}\n", record, pl.DataFrame(rows, schema=COLUMNS))


def _sum(contributions: Sequence[Contribution], shown: int, titles: Titles, causes: Causing, told: Told) -> list[str]:
    """Why, in one line, and all contributions under it."""
    digits = digits_for([one.value for one in contributions]) + 1
    lines = lines_of(contributions, shown, digits)
    rows: list[tuple[str, str]] = []
    parts: list[str] = []
    total = 0.0
    for kind, mine in lines.items():
        subtotal = sum(line.value for line in mine)
        total += subtotal
        rows.append((_kind(kind, sum(len(line.contributions) for line in mine)), signed(subtotal, digits)))
        rows += [(f"  {_line(line, titles)}", signed(line.value, digits)) for line in mine]
        parts += ["", *(_parts(line, causes, told, digits) for line in mine)]
    reason = why(as_printed(lines), total, titles.short, digits, told.tell)
    printed = columns([*rows, ("score", signed(total, digits))])
    return [
        *([reason] if reason else []),
        "",
        *(f"{line}  {part}".rstrip() for line, part in zip(printed, [*parts, ""], strict=True)),
    ]


def _parts(line: Line, causes: Causing, told: Told, digits: int) -> str:
    """What a line's contribution is the sum of, the largest first; as they are printed they add up to it."""
    (one, *others) = line.contributions
    mine = [] if others or one.item is None else causes.get(one.item, [])
    by_words: dict[str, float] = {}
    for cause in mine:
        words = told.tell(replace(one, cause=cause)) or LABELS[cause.part]
        by_words[words] = by_words.get(words, 0.0) + cause.value
    found = sorted(by_words.items(), key=lambda pair: -abs(pair[1]))
    rest = found[SHOWN_PARTS:]
    if len(rest) > 1:
        found[SHOWN_PARTS:] = [(f"{len(rest)} others", sum(value for _, value in rest))]
    values = rounded([value for _, value in found], line.value, digits)
    return ", ".join(
        f"{words} {signed(value, digits)}" for (words, _), value in zip(found, values, strict=True) if value
    )


def _kind(kind: Kind, count: int) -> str:
    if kind == "bias":
        return "the item itself, for any user"
    return f"they {kind}d ({count} {'item' if count == 1 else 'items'})"


def _line(line: Line, titles: Titles) -> str:
    if line.rest:
        return f"… and {len(line.contributions)} more"
    (one,) = line.contributions
    return titles.shown(one.item) if one.item is not None else f"{BIASES[str(one.head)]} (item bias of {one.head})"


def _paths(
    graph: KnowledgeGraph, met: Sequence[Path], strongest: Sequence[Contribution], candidate: int, titles: Titles
) -> list[str]:
    if not met or not graph.is_there:
        return []
    if not graph.knows(candidate):
        return ["", f"The knowledge graph has no entity for {titles.shown(candidate)}."]
    lines = ["", f"In the knowledge graph, {titles.shown(candidate)} and"]
    for path, one in zip(met, strongest, strict=True):
        found = []
        if path.direct:
            found.append(f"joined directly ({', '.join(map(spoken, path.direct))})")
        if graph.knows(path.other):
            found.append(f"{len(path.shared)} shared {'entity' if len(path.shared) == 1 else 'entities'}")
        else:
            found.append("no entity for it")
        lines.append(f"  {titles.shown(path.other)}, which they {one.kind}d: {', '.join(found)}")
        groups = [(", ".join(map(spoken, how)), shared) for how, shared in path.by_relation().items()]
        for how, shared in groups[:RELATIONS]:
            some = ", ".join(map(_entity, shared[:ENTITIES]))
            more = f" and {len(shared) - ENTITIES} more" if len(shared) > ENTITIES else ""
            lines.append(f"    {how}: {some}{more}")
        if groups[RELATIONS:]:
            more = "; ".join(how for how, _ in groups[RELATIONS:])
            lines.append(f"    … and {sum(len(shared) for _, shared in groups[RELATIONS:])} more: {more}")
    return lines


def _entity(entity: SharedEntity) -> str:
    return f"{entity.name or entity.entity} (of {entity.items:,} items)"


def _row(one: Contribution, titles: Titles, causes: Causing, told: Told) -> dict[str, Any]:
    whose = named(one.item, titles) if one.item is not None else {"item_id": None, "title": None}
    mine = causes.get(one.item, []) if one.item is not None else []
    parts = {part: [cause.value for cause in mine if cause.part == part] for part in PARTS}
    graph = next((cause for cause in mine if cause.relation is not None), None)
    entity = told.entities[graph.entities[0]] if graph else None
    return {
        "kind": one.kind,
        **whose,
        "head": one.head,
        "contribution": one.value,
        **{part: sum(values) if values else None for part, values in parts.items()},
        "relation": graph and graph.relation,
        "entity": entity and entity.entity,
        "entity_name": entity and entity.name,
    }


def _record(one: Contribution, titles: Titles, causes: Causing, told: Told) -> dict[str, Any]:
    """With all relations, where a row has one."""
    names = ("kind", "item_id", "title", "head", "contribution", *PARTS)
    row = _row(one, titles, causes, told)
    record = {name: row[name] for name in names if row[name] is not None}
    mine = causes.get(one.item, []) if one.item is not None else []
    shared = [
        {
            "relation": cause.relation,
            "contribution": cause.value,
            "entities": [told.entities[entity]._asdict() for entity in cause.entities],
        }
        for cause in mine
        if cause.relation is not None
    ]
    return record | ({"relations": shared} if shared else {})


def _path_record(path: Path, titles: Titles) -> dict[str, Any]:
    return {
        "with": named(path.other, titles),
        "direct": list(path.direct),
        "shared": [
            {
                "entity": entity.entity,
                "name": entity.name,
                "relations": list(entity.relations),
                "other_relations": list(entity.other_relations),
                "items": entity.items,
            }
            for entity in path.shared
        ],
    }
