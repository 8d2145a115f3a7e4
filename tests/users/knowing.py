"""Small data sets with what is known of their items, and that knowledge by loops over ratings and triples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from pipeline.data.dataset import Dataset
from pipeline.users.knowledge import Knowledge

# item, relation, inverse, entity.
Rows = Iterable[tuple[int, str, bool, int]]
Pair = tuple[str, int]


def relations(rows: Rows) -> pl.DataFrame:
    schema = {"item": pl.Int32, "relation": pl.String, "inverse": pl.Boolean, "entity": pl.Int32}
    return pl.DataFrame(sorted(set(rows)), schema=schema, orient="row")


def random_relations(items: int, seed: int = 0, names: Sequence[str] = ("by", "of", "in")) -> pl.DataFrame:
    """Each item but the last has a few; the last has none."""
    random = np.random.default_rng(seed)
    rows = [
        (item, str(random.choice(names)), bool(random.random() < 0.3), int(random.integers(0, 6)))
        for item in range(items - 1)
        for _ in range(random.integers(1, 7))
    ]
    return relations(rows)


def known(data: Dataset, seed: int = 0) -> Knowledge:
    return Knowledge.of(data, random_relations(data.items, seed))


def slow_surroundings(around: pl.DataFrame, items: int) -> list[dict[Pair, float]]:
    """F, a row for each item: (relation, entity) to weight; relations keep their own names, however many they are."""
    having: dict[Pair, set[int]] = {}
    for item, relation, inverse, entity in around.rows():
        having.setdefault(("^" * inverse + relation, entity), set()).add(item)
    found: list[dict[Pair, float]] = [{} for _ in range(items)]
    for pair, mine in having.items():
        if 2 <= len(mine) < items:
            for item in mine:
                found[item][pair] = math.log(items / len(mine))
    for row in found:
        length = math.sqrt(sum(weight**2 for weight in row.values()))
        row.update({pair: weight / length for pair, weight in row.items()})
    return found


def slow_overlap(one: dict[Pair, float], other: dict[Pair, float]) -> float:
    return sum(weight * other.get(pair, 0.0) for pair, weight in one.items())


def slow_mean_around(rows: list[dict[Pair, float]], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """The means, and the sums of the weights."""
    means, degrees = [], []
    for item, row in enumerate(rows):
        weights = [0.0 if other == item else slow_overlap(row, rows[other]) for other in range(len(rows))]
        degrees.append(sum(weights))
        told = sum(weight * value for weight, value in zip(weights, values, strict=True))
        means.append(told / degrees[-1] if degrees[-1] > 1e-6 else 0.0)
    return means, degrees


def slow_raw_features(likes: float, dislikes: float, around: tuple[float, float, float], overall: float) -> list[float]:
    """Of one item. around: mean of the others' likes, of their dislikes, and the degree."""
    rate = (likes + 5 * overall) / (likes + dislikes + 5)
    mean_likes, mean_dislikes, degree = around
    counts = (likes, dislikes, mean_likes, mean_dislikes, mean_likes * degree, degree)
    return [*(math.log(1 + count) for count in counts), math.log(rate / (1 - rate))]


def rated_sets(data: Dataset, view: str) -> list[set[int]]:
    """Of each user, in training."""
    likes, dislikes = (
        [set(np.flatnonzero(row).tolist()) for row in matrix.toarray()]
        for matrix in (data.train_likes, data.train_dislikes)
    )
    either = [a | b for a, b in zip(likes, dislikes, strict=True)]
    return {"likes": likes, "dislikes": dislikes, "rated": either}[view]
