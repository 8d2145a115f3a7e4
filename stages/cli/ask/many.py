"""Lists for all people of a file of ratings: those whom the data set knows, and those whom the model has never seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from pipeline.artifacts.data import INTERACTIONS, SOURCE_INTERACTIONS, SOURCE_ITEMS, USERS
from pipeline.artifacts.graph import ENTITIES
from pipeline.artifacts.kinds import together
from pipeline.artifacts.recommend import RECOMMENDATIONS
from pipeline.common.row_keys import in_key_order
from pipeline.data.changes import changes_by
from pipeline.data.dataset import Pairs, blocks
from pipeline.data.more_ratings import MoreRatings, added_to, in_words, of_known_items, read_more_ratings
from pipeline.data.prepare import with_likes
from pipeline.explain.causes import relation_names
from pipeline.recommend.recommend import Ids, recommendation_table, recommended, recommended_to
from pipeline.recommend.rules import Rules
from pipeline.users.people import Person, people_in
from stages.cli.ask.output import Answer, table
from stages.cli.ask.recommend import COLUMNS, rows_for
from stages.cli.ask.rules import AskedRules, RuleOptions, asked_rules
from stages.cli.ask.trained import Trained, read_trained
from stages.guard import show

# People whose whole explanations are there at once; what the Parquet file tells takes far less (`recommended`).
BLOCK = 64


class People(NamedTuple):
    """
    Attributes:
        ids: of the users, as the file has them.
        people: by all that is known of them.
    """

    ids: list[str]
    people: list[Person]


@together()
def recommend_to_many(
    dataset: str | None,
    variant: str | None,
    path: Path,
    count: int,
    options: RuleOptions,
    *,
    nested: bool,
    refuse_unknown: bool,
) -> Answer:
    """
    Args:
        path: the file.
        nested: rows as RECOMMENDATIONS has them, each with a list of reasons, which is quick for many people; otherwise those of
            `recommend` for one person.
        refuse_unknown: a row about an unknown item is a mistake; otherwise it is left out, and what was left out is noted: a job that runs
            every night meets items that came in the day, and people wait for their lists.

    Raises:
        InputError: as `read_more_ratings` and `of_known_items`.
    """
    trained = read_trained(dataset, variant, many=True)
    by = asked_rules(trained, options)
    found = _people(trained, path, refuse_unknown)
    answer = (
        Answer("", {}, _as_stage(trained, found, count, by.rules))
        if nested
        else _as_verb(trained, found, path, count, by)
    )
    by.note_shortfall(answer.rows["user_id"], len(found.ids), count)
    return answer


def _people(trained: Trained, path: Path, refuse_unknown: bool) -> People:
    entry, source = trained.entry, trained.entry.source
    more = read_more_ratings(
        path,
        entry,
        getattr(source, "rename", {}),
        getattr(source, "not_rated", ()),
        rows_are_likes=getattr(source, "rows_are_likes", False),
    )
    rows, unknown = of_known_items(more, trained.catalogue.items, refuse=refuse_unknown)
    for remark in more.remarks:
        show(f"note: {remark}", error=True)
    if unknown.rows:
        show(f"note: {more.file}: {in_words(unknown, len(more.rows))}; left out", error=True)
    users = USERS.read(trained.catalogue.dataset)
    known = INTERACTIONS.read(trained.catalogue.dataset).join(users, on="user").select("user_id", "item", "like")
    whole = added_to(known, rows)
    numbers = pl.DataFrame({"user_id": more.users}).with_row_index("user")
    whole = whole.join(numbers, on="user_id")
    likes, dislikes = (
        Pairs(side["user"].to_numpy().astype(np.int64), side["item"].to_numpy().astype(np.int64))
        for side in (whole.filter("like"), whole.filter(~pl.col("like")))
    )
    people = people_in(likes, dislikes, len(more.users), len(trained.catalogue.items))
    then = with_likes(SOURCE_INTERACTIONS.read(trained.catalogue.dataset), entry.like_threshold)
    show(f"{more.file}: {_counted(more, users['user_id'], then['user_id'])}", error=True)
    came = changes_by(more.rows, then, SOURCE_ITEMS.read(trained.catalogue.dataset))
    show(f"{trained.catalogue.dataset}: {came.in_words()}", error=True)
    return _with_something_to_go_by(trained, People(more.users, people))


def _counted(more: MoreRatings, trained_on: pl.Series, known: pl.Series) -> str:
    """
    Args:
        trained_on: users of training.
        known: the same, and those whom settings leave out of it, in any number.
    """
    people = pl.Series(more.users)
    others = people.filter(~people.is_in(trained_on.implode()))
    left_out = int(others.is_in(known.unique().implode()).sum())
    why = f", {left_out:,} of them left out by settings of the data set" if left_out else ""
    return f"{len(more.rows):,} ratings of {len(more.users):,} people, {len(others):,} of whom the models were not trained on{why}"


def _with_something_to_go_by(trained: Trained, found: People) -> People:
    """Somebody without any item gets what holds for anybody, if the model has that."""
    empty = [place for place, person in enumerate(found.people) if not len(person.likes) and not len(person.dislikes)]
    if not empty:
        return found
    says = "1 of them has" if len(empty) == 1 else f"{len(empty):,} of them have"
    if len(trained.model.scorer.item_bias):
        show(f"note: {says} no item that the model knows: recommendations are those for anybody", error=True)
        return found
    show(
        f"note: {says} no item that the model knows, so {trained.variant} has nothing to go by: no list",
        error=True,
    )
    kept = sorted({*range(len(found.ids))} - {*empty})
    return found._replace(ids=[found.ids[place] for place in kept], people=[found.people[place] for place in kept])


def _as_stage(trained: Trained, found: People, count: int, rules: Rules) -> pl.DataFrame:
    if not found.ids:
        return pl.DataFrame(schema=RECOMMENDATIONS.columns)
    ids = Ids(
        pl.Series(found.ids),
        pl.Series(trained.catalogue.titles.ids),
        pl.Series(relation_names(trained.model), dtype=pl.String),
        ENTITIES.read(trained.catalogue.dataset)["entity_id"],
    )
    rows = recommendation_table(recommended(trained.model, found.people, count, trained.nightly.reasons, rules), ids)
    return in_key_order(rows.cast(pl.Schema(RECOMMENDATIONS.columns)), RECOMMENDATIONS.key)


def _as_verb(trained: Trained, found: People, path: Path, count: int, by: AskedRules) -> Answer:
    told: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    cells: list[list[str]] = []
    for user, person, mine, digits in _told(trained, found, count, by.rules):
        counts = {"likes": len(person.likes), "dislikes": len(person.dislikes)}
        told.append({"user_id": user} | counts | {"recommendations": mine})
        rows += [{"user_id": user} | row for row in mine]
        cells += [[user, str(row["rank"]), row["title"], f"{row['score']:.{digits}f}", row["reason"]] for row in mine]
    heading = f"{trained.name}: for the people of {path}\n{by.heading}\n"
    text = heading + table(["user", "rank", "title", "score", "why"], cells, right=["rank", "score"])
    record = trained.record | {"histories": str(path), "people": told} | by.record
    return Answer(text, record, pl.DataFrame(rows, schema={"user_id": pl.String, **COLUMNS}))


def _told(
    trained: Trained, found: People, count: int, rules: Rules
) -> Iterator[tuple[str, Person, Sequence[dict[str, Any]], int]]:
    for block in blocks(len(found.ids), BLOCK):
        people = found.people[block[0] : block[-1] + 1]
        lists = recommended_to(trained.model, people, count, rules=rules)
        for place, person, one in zip(block, people, lists, strict=True):
            mine, digits = rows_for(trained, person, one)
            yield found.ids[place], person, mine, digits
