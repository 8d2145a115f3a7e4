"""One of the trained models of a data set, as `dvc repro` left them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from pipeline.artifacts.data import USERS
from pipeline.artifacts.users import MODEL, REFIT
from pipeline.common.devices import torch_device
from pipeline.common.errors import InputError, quoted
from pipeline.data.dataset import Dataset
from pipeline.explain.breakdown import Contribution
from pipeline.explain.parts import Cause
from pipeline.explain.words import in_words
from pipeline.parameters.params import DatasetEntry, Parameters, read_parameters
from pipeline.recommend.settings import RecommendConfig
from pipeline.users.model import Model
from pipeline.users.people import Person, people_of
from stages import PARAMS
from stages.cli.ask.catalogue import Catalogue, Entity, dataset_of, read_catalogue
from stages.guard import show
from stages.shared.added import read_added
from stages.shared.added_models import read_model_with
from stages.shared.data import read_data
from stages.shared.models import trained_as


class Told(NamedTuple):
    """
    Attributes:
        entities: by their numbers.
        tell: what most of a contribution comes from, in words.
    """

    entities: Mapping[int, Entity]
    tell: Callable[[Contribution], str]


@dataclass(frozen=True)
class Trained:
    """
    Attributes:
        catalogue: of the data set.
        variant: name of the model.
        model: as it was trained.
        refit: whether that was on all ratings, and not on the training split alone.
        data: all ratings.
        nightly: how the stage `recommend` recommends.
        entry: of the data set in params.yaml.
    """

    catalogue: Catalogue
    variant: str
    model: Model
    refit: bool
    data: Dataset
    nightly: RecommendConfig
    entry: DatasetEntry

    @property
    def name(self) -> str:
        """Which model answers, in words."""
        return f"{self.catalogue.dataset}, {self.variant}{', trained on all ratings' if self.refit else ''}"

    @property
    def record(self) -> dict[str, Any]:
        """The same for programs."""
        return {"dataset": self.catalogue.dataset, "variant": self.variant, "refit": self.refit}

    @cached_property
    def _users(self) -> list[str]:
        return USERS.read(self.catalogue.dataset)["user_id"].to_list()

    def told(self, causes: Iterable[Cause]) -> Told:
        """
        Args:
            causes: of all contributions that will be asked about.
        """
        entities = self.catalogue.entities({entity for cause in causes for entity in cause.entities})
        merged = "rated" in self.model.scorer.views

        def tell(one: Contribution) -> str:
            if one.cause is None or one.kind not in ("like", "dislike"):
                return ""
            return in_words(one.cause, one.kind, merged, lambda entity: entities[entity].shown)

        return Told(entities, tell)

    def person_of(self, user_id: str) -> Person:
        """A user by all of their ratings.

        Raises:
            InputError: there is no such user.
        """
        if user_id not in self._users:
            some = ", ".join(self._users[:3])
            raise InputError(
                f"user {quoted(user_id)}: found no such user in {self.catalogue.dataset}, expected one of its {len(self._users)} "
                f"users with a like in training, such as {some}"
            )
        (person,) = people_of(self.data, np.array([self._users.index(user_id)]))
        return person


def read_trained(dataset: str | None, variant: str | None, *, many: bool = False) -> Trained:
    """
    Args:
        dataset: as in `dataset_of`.
        variant: a variant or an ablation; None: the first of `run_variants` that has been trained.
        many: for many people, whom a GPU scores sooner where there is one.

    Raises:
        InputError: there is no such data set or variant, or it has not been trained.
    """
    parameters = read_parameters(PARAMS)
    dataset = dataset_of(parameters, dataset)
    data = read_data(dataset)
    variant = _variant(parameters, dataset, variant)
    refit = parameters.answers(dataset, variant)
    stored = REFIT if refit else MODEL
    added = read_added(dataset)
    if added is not None and not added.fit(trained_as(dataset, stored.of(variant=variant))[0]):
        show(
            f"note: {variant} makes structural vectors in another way, and does not know the {len(added)} added items",
            error=True,
        )
        added = None
    catalogue = read_catalogue(parameters, dataset, added)
    # One person is scored in no time on a CPU.
    device = torch_device(parameters.device) if many else "cpu"
    model = read_model_with(added, dataset, variant, data, device, stored)
    nightly, entry = parameters.recommend_of(dataset), parameters.datasets[dataset]
    return Trained(catalogue, variant, model, refit, data, nightly, entry)


def _variant(parameters: Parameters, dataset: str, variant: str | None) -> str:
    run, known = parameters.run_variants, [*parameters.variants, *parameters.ablations]
    trained = [name for name in known if MODEL.of(variant=name).at(dataset).is_file()]
    if not trained:
        raise InputError(f"{dataset}: found no trained model, expected one of {', '.join(run)}; run `dvc repro`")
    if variant is None:
        return str(next(name for name in [*run, *trained] if name in trained))
    if variant in trained:
        return variant
    what = "which has not been trained on it" if variant in known else "which params.yaml does not have"
    raise InputError(f"{dataset}: found the variant {quoted(variant)}, {what}; expected one of: {', '.join(trained)}")
