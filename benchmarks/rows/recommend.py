"""The best twenty items for everybody, with their reasons, by all that they rated."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.case import Bound, Case, Figures, Way
from benchmarks.trained_model import VARIANT, VECTORS, of_default_data, of_synthetic, read_model

# As params.yaml has them.
TOP, NAMED = 20, 3
ONE_BY_ONE = "one user at a time"


def prepared(folder: Path) -> Any:
    """The model, everybody's ratings, and ids."""
    import numpy as np
    import polars as pl

    from pipeline.people import people_of

    model = read_model(folder)
    people = people_of(model.data, np.arange(model.data.users))
    user_ids, item_ids = (
        pl.Series([f"{kind}{number}" for number in range(count)])
        for kind, count in (("u", len(people)), ("i", model.data.items))
    )
    return model, people, user_ids, item_ids


def ours(ready: Any) -> Figures:
    from pipeline.recommend import recommendation_table, recommended

    model, people, user_ids, item_ids = ready
    return figures([recommendation_table(recommended(model, people, TOP), user_ids, item_ids, NAMED)])


def one_by_one(ready: Any) -> Figures:
    from pipeline.recommend import recommendation_table, recommended

    model, people, user_ids, item_ids = ready
    return figures(
        [
            recommendation_table(recommended(model, [person], TOP), user_ids[user : user + 1], item_ids, NAMED)
            for user, person in enumerate(people)
        ]
    )


def figures(tables: list[Any]) -> Figures:
    """How many recommendations there are, and what their scores add up to."""
    return {
        "recommendations": sum(len(table) for table in tables),
        "sum of scores": sum(float(table["score"].cast(float).sum()) for table in tables),
    }


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
                note="the same functions, as `crmman recommend` calls them for one user",
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
    case(f"ml-100k, {VARIANT}, top {TOP}", of_default_data, seconds=60, runs=3),
    case(f"5,000 users x 20,000 items, top {TOP}", LARGE, seconds=120, runs=1),
    case(f"5,000 users x 20,000 items, top {TOP}, memory", LARGE, seconds=120, runs=1, measure="mebibytes"),
)
