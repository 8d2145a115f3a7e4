"""What is shared by stages that train users: checkpoints that only their own run meets, and the bar."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

import pipeline
from pipeline.artifacts.data import INTERACTIONS, ITEMS, SAMPLED_ZEROS, SOURCE_VECTORS, UNRATED_CANDIDATES, USERS
from pipeline.artifacts.graph import NEIGHBOURS, RELATIONS
from pipeline.artifacts.image import IMAGE_VECTORS
from pipeline.artifacts.kinds import Artifact
from pipeline.artifacts.structure import (
    GAT_WEIGHTS,
    INITIAL_VECTORS,
    STRUCTURE_VECTORS,
    edges_of,
    structure_names,
)
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.common.errors import MachineError
from pipeline.common.files import TEMPORARY
from pipeline.common.processes import Processes
from pipeline.common.settings import TrainingRun
from pipeline.users.settings import VariantConfig
from pipeline.users.training import UserTrainer


def checkpoint_key(dataset: str, run: TrainingRun, config: VariantConfig, *also: Artifact, processes: int = 1) -> str:
    """Changes with the settings, the inputs and the code, so that a checkpoint is only ever met by the run that left it.

    Args:
        also: what is read beside what every training reads.
        processes: that train together; another number rounds otherwise.
    """
    names = structure_names(config.structure_source or None)
    inputs = (
        ITEMS,
        USERS,
        INTERACTIONS,
        UNRATED_CANDIDATES,
        SAMPLED_ZEROS,
        SOURCE_VECTORS,
        IMAGE_VECTORS,
        TEXT_VECTORS,
        NEIGHBOURS,
        RELATIONS,
        edges_of(config.structure_source or None),
        STRUCTURE_VECTORS.of(**names),
        INITIAL_VECTORS.of(**names),
        GAT_WEIGHTS.of(**names),
        *also,
    )
    return key_of(dataset, [run.model_dump(), config.model_dump(), processes], inputs)


def key_of(dataset: str, settings: Any, inputs: Sequence[Artifact]) -> str:
    """Changes with settings, artifacts and the code."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    code = Path(pipeline.__file__).parent
    for path in [*sorted(code.rglob("*.py")), *(artifact.at(dataset) for artifact in inputs)]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def the_same(key: str, processes: Processes) -> str:
    """
    Raises:
        MachineError: another process than the first one has another key.
    """
    if processes.of_first(lambda: key) != key:
        raise MachineError(
            f"process {processes.place + 1} of {processes.number} on {socket.gethostname()} has other settings, artifacts or code than the "
            "first one; expected the same on each machine"
        )
    return key


def forget(checkpoint: Path) -> None:
    """Remove it, and what lies beside it: of runs that were stopped and never taken up again, which other settings made useless."""
    for left in checkpoint.parent.glob("*"):
        # Another run of the variant may be writing.
        if not left.match(TEMPORARY):
            left.unlink(missing_ok=True)


class TrainingBar:
    """Epochs, the loss of the last one, and the last validation figures by their protocols: on stderr, if that is a terminal.

    Args:
        trainer: whose epochs are shown, in the first of its processes; one that goes on from a checkpoint starts with those that it has.
        epochs: how many there are at most.
        print_row: prints a row of the history, above the bar.
    """

    def __init__(
        self,
        name: str,
        trainer: UserTrainer,
        epochs: int,
        print_row: Callable[[dict[str, float]], None] = lambda row: None,
    ) -> None:
        self._trainer, self._print_row = trainer, print_row
        self._shown: dict[str, str] = {}
        number, place = trainer.processes.number, trainer.processes.place
        if number > 1:
            name = f"{name}, {number} processes"
        self._bar = tqdm(total=epochs, unit="epoch", desc=name, disable=True if place else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show_row(self, row: dict[str, float]) -> None:
        self._shown |= {name.split("_")[0]: f"{value:.4f}" for name, value in row.items() if name != "epoch"}
        with self._bar.external_write_mode():
            self._print_row(row)

    def show_loss(self, loss: float) -> None:
        self._shown["loss"] = f"{loss:.4f}"
        self._bar.set_postfix(self._shown, refresh=False)
        self._bar.update(self._trainer.epoch - self._bar.n)
