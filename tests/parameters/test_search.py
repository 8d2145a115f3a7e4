"""What `crmman tune` searches."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.evaluation.baselines.registry import GRIDS, BaselineSettings
from pipeline.parameters.search import Choice, Range, space_of_grid, space_of_variant
from pipeline.users.settings import VariantConfig
from tests.dvc_files import PARAMETERS
from tests.users.test_settings import VARIANTS


def holds(one: Range | Choice, value: Any) -> bool:
    return value in one.values if isinstance(one, Choice) else one.low <= value <= one.high


@pytest.mark.parametrize("name", VARIANTS)
def test_the_default_of_every_variant_is_in_its_space(name: str) -> None:
    config = VariantConfig.model_validate(VARIANTS[name])
    space = space_of_variant(config)
    assert all(holds(one, getattr(config, setting)) for setting, one in space.items())
    odd = config.model_copy(update={"learning_rate": 0.5, "width": 100})
    space = space_of_variant(odd)
    assert space["learning_rate"] == Range(0.0005, 0.5, log=True)
    # An average needs vectors of equal width.
    assert space.get("width") == (None if config.fusion == "average" else Choice((32, 64, 128, 100)))


def test_what_data_have_no_use_for_is_not_searched() -> None:
    config = VariantConfig.model_validate(VARIANTS["recommended"])
    assert {"damping", "targets"} <= set(space_of_variant(config))
    without = config.for_data(items=50_000, dislikes=0, ratings_per_user=100.0, judged=0)
    assert "targets" not in space_of_variant(without)
    assert "damping" not in space_of_variant(config.model_copy(update={"damping": 0.0}))


def test_what_validation_in_training_cannot_tell_is_not_searched() -> None:
    """Item-to-item weights are fitted when training is done, and shares are found then."""
    config = VariantConfig.model_validate(VARIANTS["recommended"])
    assert config.co_rating_l2
    assert config.co_rating_graph
    assert config.find_shares
    later = {"co_rating_l2", "co_rating_graph", "co_rating_share", "judge_share", "ranking_share"}
    assert not later & set(space_of_variant(config))
    assert later & set(space_of_variant(config.model_copy(update={"find_shares": False}))) == {"judge_share"}


@pytest.mark.parametrize("name", GRIDS)
def test_the_space_of_a_baseline_has_its_whole_grid(name: str) -> None:
    grid = BaselineSettings.model_validate(PARAMETERS["baselines"]).grid(name)
    space = space_of_grid(grid)
    assert set(space) == {setting for setting, value in grid if isinstance(value, list)}
    for setting, one in space.items():
        assert all(holds(one, value) for value in getattr(grid, setting))
        assert isinstance(one, Range)
        for edge in (one.low, one.high):
            type(grid).model_validate(grid.model_dump() | {setting: [int(edge) if one.whole else edge]})
        assert one.whole == isinstance(getattr(grid, setting)[0], int)


def test_a_grid_of_one_value_is_searched_around_it() -> None:
    grid = GRIDS["als"].model_validate(
        {
            "factors": [64],
            "regularization": [5.0, 20.0],
            "alpha": [10.0],
            "iterations": 3,
            "dislike_weight": [0.25, -0.5],
        }
    )
    assert space_of_grid(grid) == {
        "factors": Range(16, 256, log=True, whole=True),
        "regularization": Range(2.5, 40.0, log=True),
        "alpha": Range(2.5, 40.0, log=True),
        "dislike_weight": Range(-0.5, 0.25),
    }
