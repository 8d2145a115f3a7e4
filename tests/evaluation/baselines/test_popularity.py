from __future__ import annotations

import numpy as np

from pipeline.evaluation.baselines.popularity import Popularity
from tests.evaluation.worlds import dataset, poisoned, random_rows


def test_an_item_scores_by_its_training_likes_for_every_user() -> None:
    rows = random_rows(12, 30, 0.5, 0)
    counts = [0] * 30
    for row in rows:
        counts[row["item"]] += row["like"] and row["split"] == "train"
    scores = Popularity.fit(dataset(rows, [], 12, 30)).score(np.array([3, 0, 7]))
    np.testing.assert_array_equal(scores, [counts] * 3)
    assert len(set(counts)) > 3


def test_other_splits_do_not_count() -> None:
    rows = random_rows(12, 30, 0.5, 0)
    users = np.arange(12)
    clean, other = (
        Popularity.fit(dataset(part, [], 12, 30)).score(users) for part in (rows, poisoned(rows, {"valid", "test"}))
    )
    np.testing.assert_array_equal(clean, other)
