"""The best twenty items for everybody, with their reasons, by all that they rated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.case import Bound, Case, Figures, Way
from benchmarks.data import VECTORS_ALONE
from benchmarks.trained_model import VECTORS, of_default_data, of_synthetic, read_model

# As params.yaml has them.
TOP, NAMED = 20, 3
ONE_BY_ONE, BY_VECTORS = "one user at a time", "one user at a time, by vectors"


def prepared(folder: Path) -> Any:
    """The model, everybody's ratings, and ids."""
    import numpy as np
    import polars as pl

    from pipeline.users.people import people_of

    trained = read_model(folder)
    model, data = trained.model, trained.data
    people = people_of(data, np.arange(data.users))
    user_ids, item_ids = (
        pl.Series([f"{kind}{number}" for number in range(count)])
        for kind, count in (("u", len(people)), ("i", data.items))
    )
    return model, people, user_ids, item_ids


def ours(ready: Any) -> Figures:
    from pipeline.recommend.recommend import Ids, recommendation_table, recommended

    model, people, user_ids, item_ids = ready
    table = recommendation_table(recommended(model, people, TOP, NAMED), Ids(user_ids, item_ids))
    return {
        "recommendations": len(table),
        "reasons": int(table["reasons"].list.len().sum()),
        "sum of scores": float(table["score"].cast(float).sum()),
    }


def one_by_one(ready: Any) -> Figures:
    from pipeline.users.people import preference_of

    model, people, *_ = ready
    return loop(model, people, (preference_of(model, [person])[0] for person in people))


def one_by_one_by_vectors(ready: Any) -> Figures:
    from benchmarks.trained_model import user_vectors
    from pipeline.recommend.vectors import item_vectors

    model, people, *_ = ready
    users, items = user_vectors(model, people), item_vectors(model)
    return loop(model, people, (items @ user for user in users))


def loop(model: Any, people: Any, scores: Iterable[Any]) -> Figures:
    """The best items of each user and their reasons, and of these the strongest by a sort; no table is made of them."""
    import numpy as np

    from pipeline.explain.contributions import contributions_of

    recommendations = told = 0
    total = 0.0
    for person, row in zip(people, scores, strict=True):
        unrated = np.setdiff1d(np.arange(len(row)), np.concatenate(person), assume_unique=True)
        items = unrated[np.argsort(-row[unrated], kind="stable")[:TOP]]
        found = contributions_of(model, person, items)
        recommendations += len(items)
        total += float(row[items].sum(dtype=float))
        told += int(np.count_nonzero(found.bias))
        for parts in (found.likes, found.dislikes):
            order = np.argsort(-np.abs(parts), axis=1, kind="stable")
            ordered = np.take_along_axis(parts, order, axis=1)
            both = ordered[:, :NAMED], ordered[:, NAMED:].sum(axis=1)
            told += sum(int(np.count_nonzero(some)) for some in both)
    return {"recommendations": recommendations, "reasons": told, "sum of scores": total}


def bound(folder: Path) -> Bound:
    """All scores, and the parts of those that are recommended."""
    import numpy as np

    (users, width), (items, _) = (np.load(folder / name, mmap_mode="r").shape for name in VECTORS)
    width -= 1
    rated = sum(len(person.likes) + len(person.dislikes) for person in prepared(folder)[1])
    # r_c W^O^T of the recommended and W^V r_j of the history in both views, and their products.
    told = 2.0 * width * (2 * users * TOP * width + rated * width + TOP * rated)
    return Bound(
        operations=2.0 * users * items * (width + 1) + told,
        moved=float(4 * (2 * users * items + (users + items) * (width + 1) + rated * width)),
        counted=f"{users:,} users x {items:,} items x width {width + 1}, a multiplication and an addition each; for the reasons "
        f"two views of {TOP} items for each user and {rated:,} rated items through a matrix, and the products of both; "
        "each score written and read once",
    )


def case(task: str, inputs: Callable[[Path], None], *, seconds: float, runs: int, measure: str = "seconds") -> Case:
    return Case(
        stage="recommend",
        task=task,
        ours=Way("ours", prepared, ours),
        alternatives=(
            Way(
                ONE_BY_ONE,
                prepared,
                one_by_one,
                note="`preference_of`, a sort of what is unrated and `contributions_of`, of one user after another",
            ),
            Way(
                BY_VECTORS,
                prepared,
                one_by_one_by_vectors,
                note="the same, but users' vectors are made at once and scores are products with them",
            ),
        ),
        inputs=inputs,
        aims={ONE_BY_ONE: 10} if measure == "seconds" else None,
        measure=measure,
        unit="MiB" if measure == "mebibytes" else "s",
        runs=runs,
        seconds=seconds,
        bound=bound if measure == "seconds" else None,
    )


LARGE = partial(of_synthetic, users=5_000, items=20_000, interactions=500_000)

CASES = (
    case(f"ml-100k, {VECTORS_ALONE}, top {TOP}", of_default_data, seconds=60, runs=3),
    case(f"5,000 users x 20,000 items, top {TOP}", LARGE, seconds=90, runs=1),
    case(f"5,000 users x 20,000 items, top {TOP}, memory", LARGE, seconds=90, runs=1, measure="mebibytes"),
)
