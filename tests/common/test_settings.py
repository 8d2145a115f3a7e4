from __future__ import annotations

from pipeline.common.config import validated
from pipeline.common.settings import RunConfig


def test_a_run_has_a_seed_and_a_device() -> None:
    assert validated(RunConfig, {"seed": 0, "device": "cpu"}, "").model_dump() == {"seed": 0, "device": "cpu"}
