"""Who works on blocks: this machine, or the workers of a Ray cluster, by the settings `engine` and `ray_address`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.common.blocks import MapBlocks
from pipeline.common.settings import EngineConfig
from pipeline.common.side_by_side import here
from stages.shared.on_ray import cluster
from stages.shared.stage import Settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import torch


def engine(
    settings: Settings, dataset: str, name: str, device: torch.device | str = "cpu"
) -> AbstractContextManager[MapBlocks]:
    """Of a stage.

    Args:
        name: of the stage, and what it is run for.
        device: that blocks compute on.

    Raises:
        InputError: an engine that is not installed.
        MachineError: a cluster that is not there, or does not do what it should.
    """
    return engine_of(settings.engine(), f"[{dataset}] {name}", here(device), gpu=str(device).startswith("cuda"))


@contextmanager
def engine_of(config: EngineConfig, name: str, local: MapBlocks, *, gpu: bool = False) -> Iterator[MapBlocks]:
    """
    Args:
        name: of the work, for messages.
        local: who works where the engine is this machine.
        gpu: each block needs one.
    """
    if config.engine == "local":
        yield local
        return
    with cluster(config.ray_address, name, gpu=gpu) as map_blocks:
        yield map_blocks
