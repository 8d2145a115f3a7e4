from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.baselines.item_mean import ItemMean
from tests.evaluation.worlds import Rows, dataset, random_rows

USERS, ITEMS = 12, 30


def slow(rows: Rows, damping: float, value: str) -> list[float]:
    training = [row for row in rows if row["split"] == "train"]
    overall = sum(float(row[value]) for row in training) / len(training)
    means = []
    for item in range(ITEMS):
        ratings = [float(row[value]) for row in training if row["item"] == item]
        weight = len(ratings) + damping
        means.append((sum(ratings) + damping * overall) / weight if weight else overall)
    return means


@pytest.mark.parametrize("damping", [0.0, 1.0, 5.0])
def test_a_mean_is_damped_by_ratings_of_the_global_mean(damping) -> None:
    # Item 4 is never rated in training, and so has the global mean.
    rows = [row for row in random_rows(USERS, ITEMS, 0.5, 0) if row["item"] != 4 or row["split"] != "train"]
    scores = ItemMean.fit(dataset(rows, [], USERS, ITEMS), damping).score(np.arange(USERS))
    assert scores.shape == (USERS, ITEMS)
    np.testing.assert_allclose(scores, [slow(rows, damping, "rating")] * USERS, rtol=1e-6)


def test_without_ratings_it_is_the_damped_share_of_likes() -> None:
    rows = [row | {"rating": None} for row in random_rows(USERS, ITEMS, 0.5, 0)]
    scores = ItemMean.fit(dataset(rows, [], USERS, ITEMS), 2.0).score(np.array([5]))
    np.testing.assert_allclose(scores[0], slow(rows, 2.0, "like"), rtol=1e-6)
