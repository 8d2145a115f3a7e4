"""The best items that somebody has not rated, each with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from pipeline.artifacts.kinds import together
from pipeline.explain.breakdown import by_size, digits_for, why
from pipeline.explain.causes import main_causes_of
from pipeline.explain.contributions import Explainer
from pipeline.recommend.recommend import ForOne, recommended_to
from pipeline.users.people import Person
from stages.cli.ask.output import Answer, table
from stages.cli.ask.people import asked_for
from stages.cli.ask.rules import RuleOptions, asked_rules
from stages.cli.ask.trained import Trained, read_trained
from stages.cli.changes import note_changes

COLUMNS: dict[str, type[pl.DataType]] = {
    "rank": pl.Int32,
    "item_id": pl.String,
    "title": pl.String,
    "score": pl.Float64,
    "from_likes": pl.Float64,
    "from_dislikes": pl.Float64,
    "from_biases": pl.Float64,
    "reason": pl.String,
}


@together()
def recommend(
    dataset: str | None,
    variant: str | None,
    user: str | None,
    likes: Sequence[str],
    dislikes: Sequence[str],
    count: int,
    options: RuleOptions,
) -> Answer:
    trained = read_trained(dataset, variant)
    asked, by = asked_for(trained, user, likes, dislikes), asked_rules(trained, options)
    (found,) = recommended_to(trained.model, [asked.person], count, rules=by.rules)
    rows, digits = rows_for(trained, asked.person, found)
    by.note_shortfall(pl.repeat("", len(rows), eager=True), 1, count)
    note_changes(trained.catalogue.dataset, trained.entry)
    cells = [[str(row["rank"]), row["title"], f"{row['score']:.{digits}f}", row["reason"]] for row in rows]
    heading = f"{trained.name}: for {asked.who}\n{by.heading}\n"
    text = heading + table(["rank", "title", "score", "why"], cells, right=["rank", "score"])
    record = trained.record | {"person": asked.record} | by.record
    return Answer(text, record | {"recommendations": rows}, pl.DataFrame(rows, schema=COLUMNS))


def rows_for(trained: Trained, person: Person, recommended: ForOne) -> tuple[list[dict[str, Any]], int]:
    """What somebody is recommended, as rows of `COLUMNS`; and how many digits the numbers in their reasons have."""
    (chosen, found), titles = recommended, trained.catalogue.titles
    causes = main_causes_of(Explainer(trained.model), person, chosen, found)
    told = [by_size(found, person, row, causes) for row in range(len(chosen))]
    words = trained.told(one.cause for parts in told for one in parts if one.cause)
    digits = digits_for(np.concatenate([found.likes, found.dislikes], axis=1).ravel())
    rows = [
        {
            "rank": row + 1,
            "item_id": titles.ids[item],
            "title": titles.shown(item),
            "score": float(found.score[row]),
            "from_likes": float(found.likes[row].sum()),
            "from_dislikes": float(found.dislikes[row].sum()),
            "from_biases": float(found.bias[row]),
            "reason": why(told[row], float(found.score[row]), titles.short, digits, words.tell),
        }
        for row, item in enumerate(chosen)
    ]
    return rows, digits
