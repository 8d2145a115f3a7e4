"""Small data sets with every kind of user, and scorers whose worth is known."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline.data.dataset import Dataset
from pipeline.data.splits import SPLITS
from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.evaluation.protocols.scores import Scorer
from pipeline.evaluation.systems.slices import Slices, by_item, item_slices

SCHEMA = {"user": pl.Int32, "item": pl.Int32, "like": pl.Boolean, "rating": pl.Float32, "split": pl.String}
Rows = list[dict[str, Any]]


def random_rows(users: int, items: int, density: float, seed: int) -> Rows:
    """Interactions in all splits; user 0 has no test rating, user 1 only test dislikes, user 2 only likes."""
    random = np.random.default_rng(seed)
    rows: Rows = []
    for user in range(users):
        for item in np.flatnonzero(random.random(items) < density):
            split = SPLITS[random.choice(3, p=[0.5, 0.25, 0.25])]
            rating = float(random.integers(1, 6))
            if user == 0 and split == "test":
                continue
            if user == 1 and split == "test":
                rating = 2.0
            if user == 2:
                rating = 5.0
            rows.append({"user": user, "item": int(item), "like": rating >= 4, "rating": rating, "split": split})
    return rows


def unrated_rows(rows: Rows, users: int, items: int, seed: int) -> Rows:
    """For each like of validation and test an item that the user never rated, as far as there are any."""
    random = np.random.default_rng(seed)
    drawn: Rows = []
    for user in range(users):
        rated = {row["item"] for row in rows if row["user"] == user}
        free = [int(item) for item in random.permutation([item for item in range(items) if item not in rated])]
        likes = [row["split"] for row in rows if row["user"] == user and row["like"] and row["split"] != "train"]
        drawn += [{"user": user, "item": item, "split": split} for item, split in zip(free, likes, strict=False)]
    return drawn


def dataset(rows: Rows, drawn: Rows, users: int, items: int) -> Dataset:
    interactions = pl.DataFrame(rows, schema=SCHEMA).sort("user", "item")
    schema = {"user": pl.Int32, "item": pl.Int32, "split": pl.String}
    candidates = pl.DataFrame(drawn, schema=schema).sort("user", "item")
    around = np.random.default_rng(items).random((items, 12)) < 0.2
    return Dataset(interactions, candidates, users, items, entities=csr_matrix(around.astype(np.float32)))


def random_dataset(users: int = 12, items: int = 40, density: float = 0.5, seed: int = 0) -> Dataset:
    rows = random_rows(users, items, density, seed)
    return dataset(rows, unrated_rows(rows, users, items, seed), users, items)


def planted_dataset(users: int = 40, items: int = 60, seed: int = 0) -> Dataset:
    """Two groups of users, each with its own half of the items: likes in it, dislikes outside."""
    random = np.random.default_rng(seed)
    rows: Rows = []
    for user in range(users):
        for item in range(items):
            mine = user % 2 == item % 2
            if random.random() < (0.6 if mine else 0.15):
                rating = 5.0 if mine else 1.0
                split = SPLITS[random.choice(3, p=[0.6, 0.2, 0.2])]
                rows.append({"user": user, "item": item, "like": mine, "rating": rating, "split": split})
    return dataset(rows, unrated_rows(rows, users, items, seed), users, items)


def poisoned(rows: Rows, splits: Collection[str]) -> Rows:
    """The same rows with likes and dislikes exchanged in some splits."""
    return [
        row | {"like": not row["like"], "rating": 6 - row["rating"] if row["rating"] != 3 else 4.0}
        if row["split"] in splits
        else row
        for row in rows
    ]


class Fixed:
    """Scores from a table."""

    def __init__(self, table: NDArray[np.float32]) -> None:
        self.table = np.asarray(table, dtype=np.float32)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.table[users]


def without_ties(users: int, items: int, seed: int) -> Fixed:
    """Each user's items in a random order."""
    random = np.random.default_rng(seed)
    return Fixed(np.stack([random.permutation(items) for _ in range(users)]).astype(np.float32) / items - 0.5)


def oracle(data: Dataset, split: str, sign: float = 1.0) -> Fixed:
    """Likes of a split first, or last."""
    return Fixed(sign * data.matrix(data.liked(split)).toarray())


def sliced_by_item(scorer: Scorer, data: Dataset, split: str) -> Slices:
    """The values of each slice of items."""
    slice_of = item_slices(data.train_likes.getnnz(axis=0))
    return by_item(evaluate_split(scorer, data, split, slice_of).scored.ranking, slice_of)
