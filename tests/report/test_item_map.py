from __future__ import annotations

import numpy as np
import pytest

from pipeline.report import item_map
from pipeline.report.item_map import drawn_items, project


def groups(each: int = 25, width: int = 12) -> np.ndarray:
    """Three directions with noise, of different lengths."""
    random = np.random.default_rng(0)
    centres = np.repeat(np.eye(width)[:3], each, axis=0)
    return (centres + 0.1 * random.normal(size=centres.shape)) * random.uniform(0.5, 5, (len(centres), 1))


def test_items_of_one_direction_are_neighbours_in_the_plane() -> None:
    places = project(groups(), 42)
    assert places.shape == (75, 2)
    assert np.abs(places).max(axis=0) == pytest.approx([1.0, 1.0])
    distances = np.linalg.norm(places[:, None] - places[None], axis=2) + np.diag(np.full(75, np.inf))
    assert (np.repeat(np.arange(3), 25)[distances.argmin(axis=1)] == np.repeat(np.arange(3), 25)).all()


def test_the_same_seed_draws_the_same() -> None:
    assert project(groups(), 1).tobytes() == project(groups(), 1).tobytes()


@pytest.mark.parametrize("count", [1, 2, 5, item_map.TSNE_FROM])
def test_few_items_and_items_without_a_vector_have_a_place(count: int) -> None:
    vectors = groups()[:count].copy()
    vectors[0] = 0.0
    places = project(vectors, 42)
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()


def test_items_that_are_all_the_same_have_a_place() -> None:
    assert np.isfinite(project(np.ones((30, 4)), 42)).all()


def test_the_most_rated_items_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_map, "DRAWN_AT_MOST", 3)
    assert drawn_items(np.array([1, 9, 4, 4, 0, 4])).tolist() == [1, 2, 3]
    assert drawn_items(np.array([5, 5])).tolist() == [0, 1]
