"""docs/parameters.md is made from the models; every setting has a meaning."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pipeline.common.ablation import Ablation
from pipeline.common.config import Config
from pipeline.data.sources import SOURCES
from pipeline.evaluation.baselines.registry import GRIDS
from pipeline.parameters.params import DatasetEntry, Parameters, StageSettings
from pipeline.structure.settings import StructureEntry
from pipeline.users.settings import VariantConfig
from stages.cli.parameter_reference import reference
from tests.repository import ROOT

SECTIONS = {f"{name}.": field.annotation for name, field in StageSettings.model_fields.items()}
# What a key starts with in the file, and the model of what follows.
MODELS: dict[str, Any] = {
    "": Parameters,
    "datasets.NAME.": DatasetEntry,
    "variants.NAME.": VariantConfig,
    "ablations.NAME.": Ablation,
    "structures.NAME.": StructureEntry,
    **SECTIONS,
    **{f"baselines.{name}.": grid for name, grid in GRIDS.items()},
}
# Keys that are sections of their own.
PARENTS = {
    "dataset_defaults",
    "datasets",
    "variants",
    "structures",
    "datasets.NAME.source",
    *StageSettings.model_fields,
    *GRIDS,
    *(f"baselines.{name}" for name in GRIDS),
}


def test_the_reference_is_what_the_models_say() -> None:
    assert (ROOT / "docs" / "parameters.md").read_text() == reference(), (
        "run `python -m stages.cli.parameter_reference > docs/parameters.md`"
    )


def test_the_reference_has_a_row_for_every_setting_and_no_other() -> None:
    keys = re.findall(r"^\| `([\w.-]+)` \|", reference(), re.MULTILINE)
    expected = {f"{prefix}{name}" for prefix, model in MODELS.items() for name in model.model_fields} - PARENTS
    expected |= {f"datasets.NAME.source.{name}" for source in SOURCES for name in source.model_fields}
    assert set(keys) == expected
    without_sources = [key for key in keys if ".source." not in key]
    assert len(without_sources) == len(set(without_sources))


@pytest.mark.parametrize("model", [*MODELS.values(), *SOURCES])
def test_every_setting_has_a_meaning(model: type[Config]) -> None:
    nameless = {name for name, field in model.model_fields.items() if not field.description}
    assert nameless <= PARENTS
