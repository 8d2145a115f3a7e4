"""What is shared by stages that train users: what a variant reads of items, checkpoints that only their own run meets, and the bar."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

import pipeline
from pipeline.artifacts.data import INTERACTIONS, ITEMS, SAMPLED_ZEROS, UNRATED_CANDIDATES, USERS
from pipeline.artifacts.graph import NEIGHBOURS, RELATIONS
from pipeline.artifacts.kinds import Artifact
from pipeline.artifacts.structure import (
    DERIVED_EDGES,
    GAT_WEIGHTS,
    INITIAL_VECTORS,
    STRUCTURE_VECTORS,
    edges_of,
    structure_names,
)
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.common.config import validated
from pipeline.common.files import TEMPORARY
from pipeline.common.settings import RunConfig
from pipeline.data.dataset import Dataset
from pipeline.graph.matrices import edge_index, incidence_of
from pipeline.structure.gat.settings import GatConfig
from pipeline.users.knowledge import Knowledge, Surroundings
from pipeline.users.modalities.inputs import GatInputs, ItemInputs
from pipeline.users.modalities.registry import MODALITIES
from pipeline.users.names import READ_BY
from pipeline.users.settings import VariantConfig
from pipeline.users.training import UserTrainer
from stages.shared.data import DATA

# Of every variant; which of them one reads is a matter of its settings.
INPUTS = (*DATA, TEXT_VECTORS, NEIGHBOURS, RELATIONS, DERIVED_EDGES, INITIAL_VECTORS, STRUCTURE_VECTORS, GAT_WEIGHTS)


def known_of_items(dataset: str, config: VariantConfig) -> dict[str, bool]:
    """Whether there are texts and a graph of the items, for `for_data`; texts that the variant does not ask for are not looked at."""
    asked = "text" in config.modalities
    return {
        "texts": bool(TEXT_VECTORS.read(dataset)["vectors"].any()) if asked else True,
        "graph": not NEIGHBOURS.read(dataset).is_empty(),
    }


def read_inputs(dataset: str, config: VariantConfig, data: Dataset) -> ItemInputs:
    """What the variant's modalities need of items, with the GAT's own inputs if it goes on training."""
    needs = {need for name in config.modalities for need in MODALITIES[name].needs}
    names = structure_names(config.structure_source or None)
    structural = (STRUCTURE_VECTORS if config.structure == "gat" else INITIAL_VECTORS).of(**names)
    knowledge = Knowledge.of(data, RELATIONS.read(dataset), READ_BY[config.views]) if config.knows else None
    around = None
    if config.co_rating_l2 and config.co_rating_graph:
        around = knowledge.around if knowledge else Surroundings.of(RELATIONS.read(dataset), data.items)
    return ItemInputs(
        data.items,
        TEXT_VECTORS.read(dataset)["vectors"] if "text" in needs else None,
        structural.read(dataset)["vectors"] if "structure" in needs else None,
        incidence_of(NEIGHBOURS.read(dataset), data.items) if "entities" in needs else None,
        gat_inputs(dataset, config) if config.finetune_gat else None,
        knowledge,
        data.train_counts if config.damping else None,
        config.damping,
        around.weights if around else None,
    )


def gat_inputs(dataset: str, config: VariantConfig) -> GatInputs:
    # PyTorch Geometric takes longer to load than PyTorch, and no other variant needs it.
    from pipeline.structure.gat.network import TwoLayerGat

    names = structure_names(config.structure_source or None)
    weights = GAT_WEIGHTS.of(**names)
    return GatInputs(
        INITIAL_VECTORS.of(**names).read(dataset)["vectors"],
        edge_index(edges_of(config.structure_source or None).read(dataset)),
        weights.read(dataset),
        partial(TwoLayerGat, config=validated(GatConfig, weights.about(dataset), f"{weights.at(dataset)}: ")),
    )


def checkpoint_key(dataset: str, run: RunConfig, config: VariantConfig, *also: Artifact) -> str:
    """Changes with the settings, the inputs and the code, so that a checkpoint is only ever met by the run that left it.

    Args:
        also: what is read beside what every training reads.
    """
    names = structure_names(config.structure_source or None)
    inputs = (
        ITEMS,
        USERS,
        INTERACTIONS,
        UNRATED_CANDIDATES,
        SAMPLED_ZEROS,
        TEXT_VECTORS,
        NEIGHBOURS,
        RELATIONS,
        edges_of(config.structure_source or None),
        STRUCTURE_VECTORS.of(**names),
        INITIAL_VECTORS.of(**names),
        GAT_WEIGHTS.of(**names),
        *also,
    )
    return key_of(dataset, [run.model_dump(), config.model_dump()], inputs)


def key_of(dataset: str, settings: Any, inputs: Sequence[Artifact]) -> str:
    """Changes with settings, artifacts and the code."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    code = Path(pipeline.__file__).parent
    for path in [*sorted(code.rglob("*.py")), *(artifact.at(dataset) for artifact in inputs)]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def forget(checkpoint: Path) -> None:
    """Remove it, and what lies beside it: of runs that were stopped and never taken up again, which other settings made useless."""
    for left in checkpoint.parent.glob("*"):
        # Another run of the variant may be writing.
        if not left.match(TEMPORARY):
            left.unlink(missing_ok=True)


class TrainingBar:
    """Epochs, the loss of the last one, and the last validation figures by their protocols: on stderr, if that is a terminal.

    Args:
        trainer: whose epochs are shown; one that goes on from a checkpoint starts with those that it has.
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
        self._bar = tqdm(total=epochs, unit="epoch", desc=name, disable=None)

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
