from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.baselines.als import ImplicitAls
from pipeline.evaluation.metrics.evaluated import evaluate_split
from tests.evaluation.worlds import planted_dataset, random_dataset, without_ties


def fit(seed: int = 3) -> ImplicitAls:
    return ImplicitAls.fit(planted_dataset(), factors=2, regularization=0.1, alpha=2.0, iterations=5, seed=seed)


def test_the_same_seed_gives_the_same_factors_and_another_one_does_not() -> None:
    first, again, other = fit(), fit(), fit(seed=4)
    np.testing.assert_array_equal(first.user_factors, again.user_factors)
    np.testing.assert_array_equal(first.item_factors, again.item_factors)
    assert not np.array_equal(first.item_factors, other.item_factors)


def test_the_factors_do_not_depend_on_the_threads() -> None:
    one, three = (ImplicitAls.fit(planted_dataset(), 4, 0.1, 2.0, 5, 3, threads) for threads in (1, 3))
    np.testing.assert_array_equal(one.user_factors, three.user_factors)
    np.testing.assert_array_equal(one.item_factors, three.item_factors)


def test_a_score_is_the_product_of_the_factors_of_user_and_item() -> None:
    model = fit()
    scores = model.score(np.array([7, 2]))
    assert scores.shape == (2, 60)
    expected = sum(float(a) * float(b) for a, b in zip(model.user_factors[2], model.item_factors[5], strict=True))
    assert abs(scores[1, 5] - expected) < 1e-5


def test_it_finds_planted_groups_that_a_random_order_does_not() -> None:
    data = planted_dataset()
    found, random = (evaluate_split(scorer, data, "test") for scorer in (fit(), without_ties(40, 60, 0)))
    assert found.value("ctr.user_auc") > random.value("ctr.user_auc") + 0.2
    assert found.value("ranking.ndcg@10") > 2 * random.value("ranking.ndcg@10")


@pytest.mark.parametrize("weight", [-0.5, 0.0, 0.5])
def test_the_factors_are_at_the_minimum_of_the_weighted_squared_error(weight) -> None:
    """Each user's factors solve (V'C V + regularization I) x = V'C p for the items' factors V, near convergence."""
    data = random_dataset(40, 30, 0.5)
    regularization, alpha = 0.5, 5.0
    model = ImplicitAls.fit(
        data, factors=2, regularization=regularization, alpha=alpha, iterations=100, seed=0, dislike_weight=weight
    )
    items = model.item_factors.astype(np.float64)
    likes, dislikes = (matrix.toarray() for matrix in (data.train_likes, data.train_dislikes))
    for user in range(data.users):
        confidence = np.where(likes[user] > 0, alpha, 1.0)
        preference = likes[user].copy()
        if weight:
            confidence[dislikes[user] > 0] = alpha * abs(weight)
            preference[dislikes[user] > 0] = weight > 0
        left = (items * confidence[:, None]).T @ items + regularization * np.eye(2)
        solved = np.linalg.solve(left, (items * confidence[:, None]).T @ preference)
        np.testing.assert_allclose(model.user_factors[user], solved, atol=0.02)


def test_fitting_says_nothing(recwarn, capfd) -> None:
    fit()
    assert [str(warning.message) for warning in recwarn] == []
    assert capfd.readouterr() == ("", "")
