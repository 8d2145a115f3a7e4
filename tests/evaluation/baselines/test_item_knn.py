from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines.item_knn import ItemKnn
from tests.evaluation.worlds import random_dataset


def weighted(data: Dataset, weight: float) -> np.ndarray:
    matrix: np.ndarray = data.train_likes.toarray().astype(np.float64) + weight * data.train_dislikes.toarray()
    return matrix


@pytest.mark.parametrize("weight", [-0.5, 0.0, 0.5])
@pytest.mark.parametrize("neighbours", [1, 4, 29])
def test_an_item_keeps_the_cosines_of_its_nearest_neighbours(neighbours, weight) -> None:
    data = random_dataset(60, 30, 0.4)
    history = weighted(data, weight)
    norms = np.linalg.norm(history, axis=0)
    kept = ItemKnn.fit(data, neighbours, weight).similarity.toarray()
    for item in range(data.items):
        cosine = {
            o: history[:, item] @ history[:, o] / (norms[item] * norms[o]) for o in range(data.items) if o != item
        }
        others = {int(other): kept[item, other] for other in np.flatnonzero(kept[item]) if other != item}
        # Which of several equally near items is kept is left open; how near the kept ones are is not.
        nearest = sorted((value for value in cosine.values() if abs(value) > 1e-12), reverse=True)[:neighbours]
        assert sorted(others.values(), reverse=True) == pytest.approx(nearest, rel=1e-6)
        assert others == pytest.approx({other: cosine[other] for other in others}, rel=1e-6)


@pytest.mark.parametrize("weight", [-0.5, 0.0, 0.5])
def test_a_candidate_scores_by_those_of_its_own_neighbours_that_the_user_rated(weight) -> None:
    data = random_dataset(60, 30, 0.4)
    model = ItemKnn.fit(data, 4, weight)
    similarity, history = model.similarity.toarray(), weighted(data, weight)
    assert not np.array_equal(similarity, similarity.T)
    users = np.array([31, 0, 7])
    expected = [
        [
            sum(similarity[item, other] * history[user, other] for other in range(data.items))
            for item in range(data.items)
        ]
        for user in users
    ]
    np.testing.assert_allclose(model.score(users), expected, rtol=1e-5, atol=1e-6)


def test_fitting_says_nothing(recwarn, capfd) -> None:
    ItemKnn.fit(random_dataset(20, 15, 0.4), 3)
    assert [str(warning.message) for warning in recwarn] == []
    assert capfd.readouterr() == ("", "")
