"""Two scores beside each other: every part of both, by hand."""

from __future__ import annotations

import numpy as np

from pipeline.explain.compared import compared
from pipeline.explain.contributions import Contributions


def test_parts_are_those_of_both_scores_and_add_up_to_them() -> None:
    def told(scale: float) -> Contributions:
        parts_of_likes = {
            "vectors": scale * np.array([[1.0, 2.0], [3.0, 4.0]]),
            "co_rating": np.array([[0.5, 0.0], [1.0, 1.0]]),
        }
        parts_of_dislikes = {"vectors": scale * np.array([[-1.0], [2.0]]), "co_rating": np.array([[0.0], [0.25]])}
        return Contributions(
            sum(parts_of_likes.values()),
            sum(parts_of_dislikes.values()),
            {"meet": np.array([0.1, 0.2])},
            parts_of_likes,  # type: ignore[arg-type]
            parts_of_dislikes,  # type: ignore[arg-type]
        )

    one, other = told(1.0), told(10.0)
    found = compared(one, 1, other, 0)
    assert [tuple(part) for part in found] == [
        ("like", "vectors", 7.0, 30.0),
        ("like", "co_rating", 2.0, 0.5),
        ("dislike", "vectors", 2.0, -10.0),
        ("dislike", "co_rating", 0.25, 0.0),
        ("bias", "meet", 0.2, 0.1),
    ]
    assert [part.difference for part in found[:2]] == [-23.0, 1.5]
    assert sum(part.value for part in found) == one.score[1]
    assert sum(part.other for part in found) == other.score[0]
