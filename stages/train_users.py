"""Train one variant of the user model: item vectors, two views, heads; pick the epoch by validation (`pipeline.users`)."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path

import polars as pl

import pipeline
from pipeline.artifacts.data import INTERACTIONS, ITEMS, SAMPLED_ZEROS, UNRATED_CANDIDATES, USERS
from pipeline.artifacts.graph import NEIGHBOURS, RELATIONS
from pipeline.artifacts.structure import (
    DERIVED_EDGES,
    GAT_WEIGHTS,
    INITIAL_VECTORS,
    STRUCTURE_VECTORS,
    edges_of,
    structure_names,
)
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.artifacts.users import MODEL, USERS_CURVE
from pipeline.common.config import validated
from pipeline.common.devices import torch_device
from pipeline.common.settings import RunConfig
from pipeline.data.dataset import Dataset
from pipeline.graph.matrices import edge_index, incidence_of
from pipeline.structure.gat.settings import GatConfig
from pipeline.users.knowledge import Knowledge
from pipeline.users.modalities.inputs import GatInputs, ItemInputs
from pipeline.users.modalities.registry import MODALITIES
from pipeline.users.names import READ_BY
from pipeline.users.settings import VariantConfig
from pipeline.users.training import UserTrainer
from stages.shared.data import DATA, read_data
from stages.shared.stage import CHECKPOINTS, Reads, Settings, Stage, run_variant_stage, say

STAGE = Stage(
    "train_users",
    settings=Reads(run=RunConfig, variant=VariantConfig),
    reads=(*DATA, TEXT_VECTORS, NEIGHBOURS, RELATIONS, DERIVED_EDGES, INITIAL_VECTORS, STRUCTURE_VECTORS, GAT_WEIGHTS),
    writes=(MODEL, USERS_CURVE),
)


def main(dataset: str, variant: str, settings: Settings) -> None:
    run, asked = settings.run(RunConfig), settings.variant(VariantConfig, variant)
    data = read_data(dataset)
    ratings, dislikes = data.train_likes.nnz + data.train_dislikes.nnz, data.train_dislikes.nnz
    config = asked.for_data(data.items, dislikes, ratings / data.users, len(data.against("valid")))
    if config != asked:
        found = f"{data.items} items, {ratings / data.users:.1f} ratings a user and {dislikes} dislikes in training"
        say(dataset, "train_users", f"{variant}: for {found}: {shown_changes(asked, config)}")
    inputs = read_inputs(dataset, config, data)
    trainer = UserTrainer(inputs, data, config, run.seed, torch_device(run.device))
    checkpoint = CHECKPOINTS / dataset / variant / f"{checkpoint_key(dataset, run, config)}.pt"
    if checkpoint.is_file():
        say(dataset, "train_users", f"{variant}: going on from the last epoch of a run that was stopped")
    trained = trainer.run(checkpoint, partial(show_epoch, dataset))
    about = {"variant": config.model_dump(), "best_epoch": trained.best_epoch}
    MODEL.of(variant=variant).write(trained.arrays, dataset, about=about)
    curve = pl.DataFrame(trained.history)
    USERS_CURVE.of(variant=variant).write(curve, dataset)
    # Of runs that were stopped and never taken up again, too: with other settings they are of no use.
    for left in checkpoint.parent.glob("*"):
        left.unlink(missing_ok=True)
    best = trained.best
    say(
        dataset,
        "train_users",
        f"{variant}: epoch {trained.best_epoch} of {trainer.epoch}, validation ranking NDCG@10 {best['ranking_ndcg@10']:.4f}, "
        f"ctr user AUC {best['ctr_user_auc']:.4f}, impression NDCG@10 {best['impression_ndcg@10']:.4f}; "
        f"weights of the views {shown_weights(trained.arrays['scorer.weights'].tolist(), config)}",
    )


def shown_changes(asked: VariantConfig, config: VariantConfig) -> str:
    before, after = asked.model_dump(), config.model_dump()
    changes = [name for name in before if before[name] != after[name]]
    return ", ".join(f"{name} {_shown(after[name])} in place of {_shown(before[name])}" for name in changes)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " + ".join(value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown_weights(weights: list[list[float]], config: VariantConfig) -> str:
    return ", ".join(
        f"{head} {' '.join(f'{weight:.2f}' for weight in row)}" for head, row in zip(config.heads, weights, strict=True)
    )


def read_inputs(dataset: str, config: VariantConfig, data: Dataset) -> ItemInputs:
    """What the variant's modalities need of items, with the GAT's own inputs if it goes on training."""
    needs = {need for name in config.modalities for need in MODALITIES[name].needs}
    names = structure_names(config.structure_source or None)
    structural = (STRUCTURE_VECTORS if config.structure == "gat" else INITIAL_VECTORS).of(**names)
    knowledge = Knowledge.of(data, RELATIONS.read(dataset), READ_BY[config.views]) if config.knows else None
    return ItemInputs(
        data.items,
        TEXT_VECTORS.read(dataset)["vectors"] if "text" in needs else None,
        structural.read(dataset)["vectors"] if "structure" in needs else None,
        incidence_of(NEIGHBOURS.read(dataset), data.items) if "entities" in needs else None,
        gat_inputs(dataset, config) if config.finetune_gat else None,
        knowledge,
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


def checkpoint_key(dataset: str, run: RunConfig, config: VariantConfig) -> str:
    """Changes with the settings, the inputs and the code, so that a checkpoint is only ever met by the run that left it."""
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
    )
    digest = hashlib.sha256(json.dumps([run.model_dump(), config.model_dump()], sort_keys=True).encode())
    code = Path(pipeline.__file__).parent
    for path in [*sorted(code.rglob("*.py")), *(artifact.at(dataset) for artifact in inputs)]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def show_epoch(dataset: str, row: dict[str, float]) -> None:
    shown = ", ".join(f"{name} {value:.4f}" for name, value in row.items() if name != "epoch")
    say(dataset, "train_users", f"epoch {row['epoch']:.0f}: {shown}")


if __name__ == "__main__":
    run_variant_stage(STAGE, main)
