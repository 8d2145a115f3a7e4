"""Inner products of vectors are scores, or there are none and it is said why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from numpy.typing import NDArray

from pipeline.explain.contributions import Explainer
from pipeline.recommend.vectors import item_vectors, with_ones
from pipeline.users.coordinates import why_no_vectors
from pipeline.users.model import Model
from pipeline.users.people import Person, histories_of, preference_of
from tests.explain.test_contributions import ITEMS, VARIANTS, WIDTH, model, people, person

WITHOUT = {
    name
    for name, variant in VARIANTS.items()
    if variant.co_rating_l2 or variant.attention == "candidate" or variant.terms
}
WITH = sorted(set(VARIANTS) - WITHOUT)


def user_vectors(of: Model, some: Sequence[Person]) -> NDArray[np.float32]:
    """As the stage `recommend` writes them."""
    explainer = Explainer(of)
    with torch.inference_mode():
        found = explainer.users(explainer.weighed(*histories_of(some, of.device)))
    assert found is not None
    return with_ones(found.float().numpy())


@pytest.mark.parametrize("name", WITH)
@given(somebody=people())
@settings(max_examples=25, deadline=None)
def test_inner_products_of_a_persons_vector_with_those_of_items_are_the_scores(name: str, somebody: Person) -> None:
    of = model(name)
    found = user_vectors(of, [somebody]) @ item_vectors(of).T
    np.testing.assert_allclose(found, preference_of(of, [somebody]), atol=1e-4)


@pytest.mark.parametrize("name", WITH)
def test_vectors_of_many_are_those_of_each_and_end_with_the_bias_and_a_one(name: str) -> None:
    of, many = model(name), [person([0, 1, 2], [5]), person([], []), person([3], [4, 5]), person([], [1])]
    found = user_vectors(of, many)
    assert found.shape == (4, WIDTH + 1)
    assert found.dtype == np.float32
    for somebody, row in zip(many, found, strict=True):
        np.testing.assert_allclose(user_vectors(of, [somebody])[0], row, atol=1e-5)
    assert (found[:, -1] == 1).all()
    assert not found[1, :-1].any()
    items = item_vectors(of)
    assert items.shape == (ITEMS, WIDTH + 1)
    assert items.dtype == np.float32
    np.testing.assert_array_equal(items[:, :-1], of.items.numpy())
    assert items[:, -1].any() == VARIANTS[name].biases


@pytest.mark.parametrize("name", VARIANTS)
def test_a_model_whose_score_is_no_inner_product_says_so_in_one_line(name: str) -> None:
    found = why_no_vectors(model(name))
    assert (found is not None) == (name in WITHOUT)
    if found is not None:
        assert found.startswith("no vectors: ")
        assert "\n" not in found
        assert ("co_rating_l2" in found) == (VARIANTS[name].co_rating_l2 > 0)
        assert ("terms" in found) == bool(VARIANTS[name].terms)
        assert all(term in found for term in VARIANTS[name].terms)
        assert found.endswith("instead of an index use the table of recommendations, or `crmman recommend`")
