"""The splits of a data set, as the stages after `prepare` read them."""

from __future__ import annotations

from pipeline.artifacts.data import INTERACTIONS, ITEMS, UNRATED_CANDIDATES, USERS
from pipeline.data.dataset import Dataset

DATA = (ITEMS, USERS, INTERACTIONS, UNRATED_CANDIDATES)


def read_data(dataset: str) -> Dataset:
    """The data set with its interactions and sampled candidates."""
    items, users = ITEMS.read(dataset), USERS.read(dataset)
    return Dataset(INTERACTIONS.read(dataset), UNRATED_CANDIDATES.read(dataset), len(users), len(items))
