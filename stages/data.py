"""The splits of a data set, as the stages after `prepare` read them."""

from __future__ import annotations

from pipeline.artifacts import all as artifacts
from pipeline.data.dataset import Dataset


def read_data(dataset: str) -> Dataset:
    """The data set with its interactions and sampled candidates."""
    items, users = artifacts.ITEMS.read(dataset), artifacts.USERS.read(dataset)
    return Dataset(
        artifacts.INTERACTIONS.read(dataset), artifacts.UNRATED_CANDIDATES.read(dataset), len(users), len(items)
    )
