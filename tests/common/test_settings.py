from __future__ import annotations

from pipeline.common.config import validated
from pipeline.common.settings import RunConfig, TrainingRun


def test_a_run_has_a_seed_and_a_device() -> None:
    assert validated(RunConfig, {"seed": 0, "device": "cpu"}, "").model_dump() == {"seed": 0, "device": "cpu"}


def test_training_has_a_precision_too() -> None:
    asked = {"seed": 0, "device": "cpu", "precision": "bfloat16"}
    assert validated(TrainingRun, asked, "").model_dump() == asked
