from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.baselines.item_knn import ItemKnn
from tests.evaluation.worlds import random_dataset


@pytest.mark.parametrize("neighbours", [1, 4, 29])
def test_an_item_keeps_the_cosines_of_its_nearest_neighbours(neighbours) -> None:
    data = random_dataset(60, 30, 0.4)
    likes = data.train_likes.toarray().astype(np.float64)
    norms = np.linalg.norm(likes, axis=0)
    kept = ItemKnn.fit(data, neighbours).similarity.toarray()
    for item in range(data.items):
        cosine = {o: likes[:, item] @ likes[:, o] / (norms[item] * norms[o]) for o in range(data.items) if o != item}
        others = {int(other): kept[item, other] for other in np.flatnonzero(kept[item]) if other != item}
        # Which of several equally near items is kept is left open; how near the kept ones are is not.
        nearest = [value for value in sorted(cosine.values(), reverse=True)[:neighbours] if value > 0]
        assert sorted(others.values(), reverse=True) == pytest.approx(nearest, rel=1e-6)
        assert others == pytest.approx({other: cosine[other] for other in others}, rel=1e-6)


def test_a_candidate_scores_by_those_of_its_own_neighbours_that_the_user_liked() -> None:
    data = random_dataset(60, 30, 0.4)
    model = ItemKnn.fit(data, 4)
    similarity, likes = model.similarity.toarray(), data.train_likes.toarray()
    assert not np.array_equal(similarity, similarity.T)
    users = np.array([31, 0, 7])
    expected = [
        [sum(similarity[item, liked] for liked in np.flatnonzero(likes[user])) for item in range(data.items)]
        for user in users
    ]
    np.testing.assert_allclose(model.score(users), expected, rtol=1e-5)


def test_fitting_says_nothing(recwarn, capfd) -> None:
    ItemKnn.fit(random_dataset(20, 15, 0.4), 3)
    assert [str(warning.message) for warning in recwarn] == []
    assert capfd.readouterr() == ("", "")
