"""A data set and one of its trained models, as `dvc repro` left them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from pipeline.artifacts.data import ITEMS, SOURCE_ITEM_ENTITIES, SOURCE_KG, USERS
from pipeline.artifacts.users import MODEL
from pipeline.common.config import look_up, read_yaml
from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.graph.paths import KnowledgeGraph
from pipeline.recommend.titles import Titles
from pipeline.users.model import Model
from pipeline.users.people import Person, people_of
from stages import PARAMS
from stages.data import read_data
from stages.models import read_model


@dataclass(frozen=True)
class Catalogue:
    """The items of a data set.

    Attributes:
        dataset: its name.
        items: item, item_id, and what else is known of them.
        titles: of the items, by index.
        left_out: relations of the knowledge graph that do not count.
    """

    dataset: str
    items: pl.DataFrame
    titles: Titles
    left_out: Sequence[str]

    def find(self, *texts: str) -> list[int]:
        """The items that some texts mean, each once. What was found by less than a whole title is noted on stderr.

        Raises:
            InputError: one means no item, or more than one.
        """
        found = [self.titles.find(text) for text in texts]
        for text, item in zip(texts, found, strict=True):
            if not self.titles.names(text, item):
                print(
                    f"note: {text!r} is taken for {self.titles.shown(item)} id:{self.titles.ids[item]}", file=sys.stderr
                )
        return list(dict.fromkeys(found))

    def knowledge_graph(self) -> KnowledgeGraph:
        return KnowledgeGraph(
            SOURCE_KG.read(self.dataset),
            SOURCE_ITEM_ENTITIES.read(self.dataset),
            self.items,
            self.left_out,
            [self.titles.shown(item) for item in range(len(self.titles))],
        )


@dataclass(frozen=True)
class Trained:
    """
    Attributes:
        catalogue: of the data set.
        variant: name of the model.
        model: as it was trained.
        data: all ratings.
    """

    catalogue: Catalogue
    variant: str
    model: Model
    data: Dataset

    @cached_property
    def _users(self) -> list[str]:
        return USERS.read(self.catalogue.dataset)["user_id"].to_list()

    def person_of(self, user_id: str) -> Person:
        """A user by all of their ratings.

        Raises:
            InputError: there is no such user.
        """
        if user_id not in self._users:
            some = ", ".join(self._users[:3])
            raise InputError(
                f"user {user_id!r}: found no such user in {self.catalogue.dataset}, expected one of its {len(self._users)} "
                f"users with a like in training, such as {some}"
            )
        (person,) = people_of(self.data, np.array([self._users.index(user_id)]))
        return person


def read_catalogue(dataset: str | None) -> Catalogue:
    """
    Args:
        dataset: a key of `datasets` in params.yaml; None: the first.

    Raises:
        InputError: there is no such data set, or it has not been prepared.
    """
    return _catalogue(read_yaml(PARAMS), dataset)


def read_trained(dataset: str | None, variant: str | None) -> Trained:
    """
    Args:
        dataset: as in `read_catalogue`.
        variant: a key of `variants` or `ablations` in params.yaml; None: the last of `run_variants` that has been trained.

    Raises:
        InputError: there is no such data set or variant, or it has not been trained.
    """
    values = read_yaml(PARAMS)
    catalogue = _catalogue(values, dataset)
    dataset = catalogue.dataset
    variant = _variant(values, dataset, variant)
    data = read_data(dataset)
    # One person is scored in no time on a CPU.
    return Trained(catalogue, variant, read_model(dataset, variant, data.items), data)


def _catalogue(values: dict[str, Any], dataset: str | None) -> Catalogue:
    name = str(next(iter(look_up(values, ("datasets",), str(PARAMS))))) if dataset is None else dataset
    entry = look_up(values, ("datasets", name), str(PARAMS))
    items = ITEMS.read(name)
    return Catalogue(name, items, Titles.of(items), entry.get("leave_out_relations", []))


def _variant(values: dict[str, Any], dataset: str, variant: str | None) -> str:
    variants, run = (look_up(values, (key,), str(PARAMS)) for key in ("variants", "run_variants"))
    known = [*variants, *values.get("ablations", ())]
    trained = [name for name in known if MODEL.of(variant=name).at(dataset).is_file()]
    if not trained:
        raise InputError(f"{dataset}: found no trained model, expected one of {', '.join(run)}; run `dvc repro`")
    if variant is None:
        return str(next(name for name in [*reversed(run), *trained] if name in trained))
    if variant in trained:
        return variant
    what = "which has not been trained on it" if variant in known else "which params.yaml does not have"
    raise InputError(f"{dataset}: found the variant {variant!r}, {what}; expected one of: {', '.join(trained)}")
