"""A sampled catalogue: chances to be drawn, sums that are right on average, and places in the sample."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.users.histories import Histories
from pipeline.users.losses import NEVER
from pipeline.users.sampled_catalogue import POPULARITY_EXPONENT, SampledCatalogue, chances, sample_catalogue


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=60), st.integers(1, 70))
def test_chances_add_up_to_the_size_and_are_in_proportion_below_one(ratings: list[int], size: int) -> None:
    counts = np.array(ratings)
    found = chances(counts, size)
    assert found.sum() == pytest.approx(min(size, len(ratings)))
    assert (found > 0).all()
    assert (found <= 1).all()
    weights = (counts + 1.0) ** POPULARITY_EXPONENT
    ratio = found / weights
    # One factor for all, but those who would have more than 1 by it.
    assert np.allclose(found, np.minimum(1, ratio.max() * weights))


def test_the_estimated_sum_is_right_on_average() -> None:
    scores, chance = np.array([0.3, -1.0, 2.0, 0.5]), np.array([0.5, 0.2, 0.9, 1.0])
    mean = 0.0
    for drawn in itertools.product([False, True], repeat=4):
        # Chosen draws: below the chance where an item is to be drawn, above it elsewhere.
        given_draws = np.where(drawn, 0.0, np.nextafter(1.0, 2))
        probability = np.prod(np.where(drawn, chance, 1 - chance))
        sample = sample_catalogue(chance, np.array([1]), Scripted(given_draws))
        assert set(np.flatnonzero(drawn)) | {1} == set(sample.items.tolist())
        mean += probability * float(np.exp(scores[sample.items] + sample.log_weights.astype(np.float64)).sum())
    assert mean == pytest.approx(np.exp(scores).sum(), rel=1e-6)


class Scripted(np.random.Generator):
    """Draws that a test has chosen."""

    def __init__(self, draws: np.ndarray) -> None:
        super().__init__(np.random.PCG64(0))
        self.draws = draws

    def random(self, size: int) -> np.ndarray:  # type: ignore[override]
        assert size == len(self.draws)
        return self.draws


def test_what_is_needed_is_there_and_counts_in_no_sum_unless_drawn() -> None:
    chance = np.full(50, 0.3)
    needed = np.array([7, 3, 7, 40])
    sample = sample_catalogue(chance, needed, np.random.default_rng(1))
    assert sample.items.tolist() == sorted(set(sample.items.tolist()))
    assert {3, 7, 40} <= set(sample.items.tolist())
    drawn = np.flatnonzero(np.random.default_rng(1).random(50) < 0.3)
    for item, weight in zip(sample.items.tolist(), sample.log_weights.tolist(), strict=True):
        assert weight == pytest.approx(-np.log(0.3) if item in drawn else NEVER)


def test_places_are_those_of_the_same_items() -> None:
    sample = SampledCatalogue(np.array([2, 5, 9]), np.zeros(3, dtype=np.float32))
    history = Histories(torch.tensor([9, 2, 5]), torch.tensor([0, 1, 1]), np.array([1, 2]))
    found = sample.places(history)
    assert found.items.tolist() == [2, 0, 1]
    assert found.user.tolist() == [0, 1, 1]
    assert found.lengths.tolist() == [1, 2]
