"""People by their ratings, whoever they are, are scored as users of the data set are."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data.dataset import Dataset
from pipeline.data.splits import SPLITS
from pipeline.users.model import Model
from pipeline.users.people import Person, people_of, preference_of
from pipeline.users.trained import TrainedModel
from tests.evaluation.worlds import dataset, random_dataset, random_rows
from tests.users.test_trained import ITEMS, USERS, VARIANTS, arrays_of


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset(USERS, ITEMS)


@pytest.mark.parametrize("name", VARIANTS)
def test_people_with_the_training_histories_of_users_have_the_users_scores(name: str, data: Dataset) -> None:
    model = Model.from_arrays(arrays_of(VARIANTS[name], data), VARIANTS[name], data.items)
    users = np.array([7, 0, 2, 11])
    found = preference_of(model, people_of(data, users, ("train",)))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, TrainedModel(model, data).score(users).preference)


@pytest.mark.parametrize("splits", [SPLITS, ("train",), ("test", "valid")])
def test_people_are_made_of_the_ratings_of_the_splits_that_are_asked_for(splits: tuple[str, ...]) -> None:
    rows = random_rows(USERS, ITEMS, 0.3, 4)
    users = np.array([3, 1, 3, 8])
    found = people_of(dataset(rows, [], USERS, ITEMS), users, splits)
    for user, person in zip(users, found, strict=True):
        mine = [row for row in rows if row["user"] == user and row["split"] in splits]
        assert person.likes.tolist() == sorted(row["item"] for row in mine if row["like"])
        assert person.dislikes.tolist() == sorted(row["item"] for row in mine if not row["like"])
        assert person.likes.dtype == person.dislikes.dtype == np.int64


@pytest.mark.parametrize("name", VARIANTS)
def test_a_person_needs_no_rating_at_all(name: str, data: Dataset) -> None:
    model = Model.from_arrays(arrays_of(VARIANTS[name], data), VARIANTS[name], data.items)
    nobody = Person(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    alone, between = preference_of(model, [nobody]), preference_of(model, [*people_of(data, np.arange(3)), nobody])
    assert np.isfinite(alone).all()
    np.testing.assert_allclose(alone[0], between[3], atol=1e-5)
    assert preference_of(model, []).shape == (0, ITEMS)


def test_a_person_without_an_item_is_another_person() -> None:
    person = Person(np.array([4, 1, 9]), np.array([2, 7]))
    assert [part.tolist() for part in person.without(1)] == [[4, 9], [2, 7]]
    assert [part.tolist() for part in person.without(7)] == [[4, 1, 9], [2]]
    assert [part.tolist() for part in person.without(5)] == [[4, 1, 9], [2, 7]]
