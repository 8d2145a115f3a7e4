"""The splits of a data set, as the stages after `prepare` read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.artifacts.data import INTERACTIONS, ITEMS, SAMPLED_ZEROS, UNRATED_CANDIDATES, USERS
from pipeline.data.dataset import Dataset, evaluated_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

DATA = (ITEMS, USERS, INTERACTIONS, UNRATED_CANDIDATES, SAMPLED_ZEROS)


def read_data(dataset: str, entities: csr_matrix | None = None) -> Dataset:
    """The data set with its interactions, its sampled candidates, and zeros that somebody drew.

    Args:
        entities: of its items, for systems that read them.
    """
    items, users = ITEMS.read(dataset), USERS.read(dataset)
    return Dataset(
        INTERACTIONS.read(dataset),
        UNRATED_CANDIDATES.read(dataset),
        len(users),
        len(items),
        SAMPLED_ZEROS.read(dataset),
        entities,
        evaluated_of(users),
    )
