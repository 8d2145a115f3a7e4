"""Why an item is not in somebody's list: a rule, a rating of theirs, or a score that is too low, and what makes it so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from pipeline.artifacts.kinds import together
from pipeline.explain.breakdown import BIASES, by_size, digits_for
from pipeline.explain.compared import Compared, compared
from pipeline.explain.contributions import contributions_of
from pipeline.explain.sentence import rounded, signed
from pipeline.explain.words import LABELS
from pipeline.recommend.recommend import ForOne, recommended_to
from pipeline.recommend.rerank import Diversity
from pipeline.recommend.rules import Rules
from stages.cli.ask.output import Answer, table
from stages.cli.ask.people import Asked, asked_for
from stages.cli.ask.placed import Placed, heading, named, placed
from stages.cli.ask.rules import AskedRules, RuleOptions, asked_rules
from stages.cli.ask.trained import Trained, read_trained

COLUMNS = {
    "kind": pl.String,
    "part": pl.String,
    "contribution": pl.Float64,
    "contribution_of_last": pl.Float64,
    "difference": pl.Float64,
}


class Reason(NamedTuple):
    """
    Attributes:
        code: listed, rated, rule (of which items may be in a list), at_most, diversity or score.
        words: a sentence.
    """

    code: str
    words: str


@together()
def why_not(
    dataset: str | None,
    variant: str | None,
    user: str | None,
    likes: Sequence[str],
    dislikes: Sequence[str],
    item: str,
    count: int,
    shown: int,
    options: RuleOptions,
) -> Answer:
    """
    Args:
        item: title or id.
        count: items of the list.
        shown: contributions against the item that are named.
    """
    trained = read_trained(dataset, variant)
    titles = trained.catalogue.titles
    asked, by = asked_for(trained, user, likes, dislikes), asked_rules(trained, options)
    (candidate,) = trained.catalogue.find(item)
    place = placed(trained, asked, candidate)
    (chosen,) = recommended_to(trained.model, [asked.person], count, rules=by.rules)
    found = contributions_of(trained.model, asked.person.without(candidate), np.array([candidate]))
    score = float(found.score[0])
    against = [
        one for one in by_size(found, asked.person.without(candidate), 0) if one.item is not None and one.value < 0
    ]
    against = sorted(against, key=lambda one: one.value)[:shown]
    digits = digits_for([score, *(one.value for one in against)])
    reasons = _reasons(trained, by.rules, place, chosen, candidate, score, count, digits)
    listed = reasons[0].code == "listed"
    last = len(chosen.items) - 1
    beside = compared(found, 0, chosen.contributions, last) if last >= 0 and not listed else []
    text = [*heading(trained, asked, candidate, place), *_by(trained, asked, candidate, by), ""]
    text += [one.words for one in reasons]
    # What would be printed as zero says nothing.
    names = ", ".join(
        f"{titles.short(one.item)} ({signed(one.value, digits)}, {one.kind}d)"
        for one in against
        if one.item is not None and round(one.value, digits)
    )
    if names and not listed:
        text += ["", f"What speaks against it most: {names}."]
    elif not listed:
        text += ["", "Nothing that they have rated speaks against it."]
    if beside:
        text += ["", _beside(beside, titles.short(candidate), titles.short(int(chosen.items[last])), last + 1, digits)]
    record = {
        **trained.record,
        "person": asked.record,
        **by.record,
        "item": named(candidate, titles),
        "reasons": [one._asdict() for one in reasons],
        "rank": place.rank,
        "of_unrated": place.among,
        "score": score,
        "list": [
            {"rank": row + 1, **named(int(one), titles), "score": float(chosen.contributions.score[row])}
            for row, one in enumerate(chosen.items)
        ],
        "against": [
            {"kind": one.kind, **named(one.item, titles), "contribution": one.value}
            for one in against
            if one.item is not None
        ],
        "beside_the_last": [_row(one) for one in beside],
    }
    return Answer(
        "\n".join(text).rstrip("\n") + "\n", record, pl.DataFrame([_row(one) for one in beside], schema=COLUMNS)
    )


def _by(trained: Trained, asked: Asked, candidate: int, by: AskedRules) -> list[str]:
    """By which rules, and where the item stands among what they leave."""
    if not by.heading:
        return []
    allowed = by.rules.allowed
    if allowed is None or not allowed[candidate]:
        return [by.heading.rstrip()]
    place = placed(trained, asked, candidate, allowed)
    return [
        by.heading.rstrip(),
        f"Rank {place.rank:,} of the {place.among:,} that the rules allow and they have not rated.",
    ]


def _reasons(
    trained: Trained, rules: Rules, place: Placed, chosen: ForOne, candidate: int, score: float, count: int, digits: int
) -> list[Reason]:
    """Each that would do, the first that a list goes by first."""
    titles, listed = trained.catalogue.titles, chosen.items.tolist()
    if candidate in listed:
        at = listed.index(candidate) + 1
        return [Reason("listed", f"It is in the list, at place {at} of {len(listed)}: `--item` explains its score.")]
    found = []
    if place.rated and not rules.seen:
        found.append(Reason("rated", f"They {place.rated} it, and rated items are left out (--seen keeps them)."))
    for setting, mask in rules.allow.items():
        if not mask[candidate]:
            others = int((~mask).sum()) - 1
            more = f", and {others:,} other item{'s' * (others > 1)}" if others else ""
            found.append(Reason("rule", f"The rule `{setting}` leaves it out{more}."))
    if found:
        return found
    scores = chosen.contributions.score
    # What is as good comes in the order of the catalogue.
    enough = len(listed) < count or score > float(scores.min())
    if rules.at_most is not None and enough:
        of_item = set(rules.at_most.of_item(candidate))
        same = [one for one in listed if of_item & set(rules.at_most.of_item(one))]
        full = any(
            sum(element in rules.at_most.of_item(one) for one in listed) >= rules.at_most.count for element in of_item
        )
        if full:
            names = ", ".join(titles.short(one) for one in same)
            found.append(
                Reason("at_most", f"The list already has as many of its kind as the rule `at_most` allows: {names}.")
            )
    if rules.diversity and enough and not found:
        diversity = Diversity(rules.diversity, trained.model.items.float().cpu().numpy())
        near = diversity.units(listed) @ diversity.units([candidate])[0]
        most = int(near.argmax())
        found.append(
            Reason(
                "diversity",
                "Its score is high enough, but the rule `diversity` puts others before it. In the list it is most like "
                f"{titles.short(listed[most])} (cosine {float(near[most]):.2f}).",
            )
        )
    if not found:
        least = int(scores.argmin())
        # Of what is printed: the table below has the same difference.
        above = round(float(scores[least]), digits) - round(score, digits)
        found.append(
            Reason(
                "score",
                f"Its score is too low: the lowest in the list, {titles.short(listed[least])}, has {above:.{digits}f} more.",
            )
        )
    return found


def _beside(parts: Sequence[Compared], item: str, last: str, length: int, digits: int) -> str:
    """Each part of both scores; as they are printed they add up, and so do their differences."""
    by_words: dict[str, tuple[float, float]] = {}
    for one in parts:
        words = _words(one)
        value, other = by_words.get(words, (0.0, 0.0))
        by_words[words] = value + one.value, other + one.other
    scores = [sum(pair[side] for pair in by_words.values()) for side in (0, 1)]
    mine, theirs = (rounded([pair[side] for pair in by_words.values()], scores[side], digits) for side in (0, 1))
    # Of a part that adds nothing to either there is nothing to see.
    rows = [row for row in zip(by_words, mine, theirs, strict=True) if row[1] or row[2]]
    rows.sort(key=lambda row: row[1] - row[2])
    rows.append(("score", sum(mine), sum(theirs)))
    cells = [
        [words, signed(value, digits), signed(other, digits), signed(value - other, digits)]
        for words, value, other in rows
    ]
    headings = [f"versus {last}, the last of {length}", "it", "the last", "difference"]
    return table(headings, cells, right=headings[1:])


def _words(one: Compared) -> str:
    if one.kind == "bias":
        return BIASES[one.part]
    return f"they {one.kind}d: {LABELS[one.part]}"


def _row(one: Compared) -> dict[str, Any]:
    return dict(zip(COLUMNS, (one.kind, one.part, one.value, one.other, one.difference), strict=True))
