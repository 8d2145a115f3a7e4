"""docs/parameters.md is made from the models; every setting has a meaning."""

from __future__ import annotations

import pytest

from pipeline.config import Config
from pipeline.params import DatasetEntry, Parameters, Profile
from pipeline.sources.atomic import AtomicSource
from pipeline.sources.recbole_wheel import RecboleWheelSource
from pipeline.sources.tables import TablesSource
from stages.parameter_reference import reference
from tests.imports import ROOT

SECTIONS = [field.annotation for field in Profile.model_fields.values()]
MODELS = [Parameters, DatasetEntry, AtomicSource, RecboleWheelSource, TablesSource, *SECTIONS]


def test_the_reference_is_what_the_models_say() -> None:
    assert (ROOT / "docs" / "parameters.md").read_text() == reference(), (
        "run `python -m stages.parameter_reference > docs/parameters.md`"
    )


@pytest.mark.parametrize("model", MODELS)
def test_every_setting_has_a_meaning(model: type[Config]) -> None:
    assert not [name for name, field in model.model_fields.items() if not field.description]
