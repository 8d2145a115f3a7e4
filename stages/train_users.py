"""Train item projection, the two views and the click score; pick the epoch by validation."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path

import polars as pl

from pipeline import artifacts
from pipeline.dataset import Dataset
from pipeline.gat import GatConfig, build_gat
from pipeline.item_graph import edge_index
from pipeline.plots import learning_curve_plot
from pipeline.run_settings import RunConfig, torch_device
from pipeline.training import GatInputs, ItemInputs, TrainingConfig, UserTrainer
from stages.stage import Reads, Settings, run_stage, say

READS = Reads(run=RunConfig, profile=TrainingConfig)
CHECKPOINTS = Path(".checkpoints")
INPUTS = (
    artifacts.ITEMS,
    artifacts.USERS,
    artifacts.INTERACTIONS,
    artifacts.UNRATED_CANDIDATES,
    artifacts.TEXT_VECTORS,
    artifacts.STRUCTURE_VECTORS,
    artifacts.INITIAL_VECTORS,
    artifacts.GAT_WEIGHTS,
    artifacts.EDGES,
)


def main(dataset: str, settings: Settings) -> None:
    run, config = settings.run(RunConfig), settings.profile(TrainingConfig)
    items, users = artifacts.ITEMS.read(dataset), artifacts.USERS.read(dataset)
    data = Dataset(
        artifacts.INTERACTIONS.read(dataset), artifacts.UNRATED_CANDIDATES.read(dataset), len(users), len(items)
    )
    trainer = UserTrainer(read_inputs(dataset, config), data, config, run.seed, torch_device(run.device))
    checkpoint = CHECKPOINTS / dataset / f"train_users-{checkpoint_key(dataset, run, config)}.pt"
    if checkpoint.is_file():
        say(dataset, "train_users", "going on from the last epoch of a run that was stopped")
    trained = trainer.run(checkpoint, partial(show_epoch, dataset))
    about = {"heads": config.heads, "fusion": config.fusion, "best_epoch": trained.best_epoch}
    artifacts.MODEL.write(trained.arrays, dataset, about=about)
    curve = pl.DataFrame(trained.history)
    artifacts.USERS_CURVE.write(curve, dataset)
    artifacts.USERS_CURVE_PLOT.write(learning_curve_plot(curve, trained.best_epoch), dataset)
    # Of runs that were stopped and never taken up again, too: with other settings they are of no use.
    for left in checkpoint.parent.glob("train_users-*"):
        left.unlink(missing_ok=True)
    best = trained.history[trained.best_epoch - 1]
    weights = trained.arrays["click.weights"]
    say(
        dataset,
        "train_users",
        f"epoch {trained.best_epoch} of {len(trained.history)}, validation ranking NDCG@10 {best['ranking_ndcg@10']:.4f}, "
        f"ctr user AUC {best['ctr_user_auc']:.4f}; weight of likes {weights[0]:.3f}, of dislikes {weights[1]:.3f}",
    )


def read_inputs(dataset: str, config: TrainingConfig) -> ItemInputs:
    """What items are known by, with the GAT's own inputs if it goes on training."""
    text = artifacts.TEXT_VECTORS.read(dataset)["vectors"]
    structure = artifacts.STRUCTURE_VECTORS.read(dataset)["vectors"]
    if not config.finetune_gat:
        return ItemInputs(text, structure)
    gat = GatInputs(
        artifacts.INITIAL_VECTORS.read(dataset)["vectors"],
        edge_index(artifacts.EDGES.read(dataset)),
        artifacts.GAT_WEIGHTS.read(dataset),
        partial(build_gat, config=GatConfig.model_validate(artifacts.GAT_WEIGHTS.about(dataset))),
    )
    return ItemInputs(text, structure, gat)


def checkpoint_key(dataset: str, run: RunConfig, config: TrainingConfig) -> str:
    """Changes with the settings, the inputs and the code, so that a checkpoint is only ever met by the run that left it."""
    digest = hashlib.sha256(json.dumps([run.model_dump(), config.model_dump()], sort_keys=True).encode())
    code = Path(artifacts.__file__).parent
    for path in [*sorted(code.rglob("*.py")), *(artifact.at(dataset) for artifact in INPUTS)]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def show_epoch(dataset: str, row: dict[str, float]) -> None:
    shown = ", ".join(f"{name} {value:.4f}" for name, value in row.items() if name != "epoch")
    say(dataset, "train_users", f"epoch {row['epoch']:.0f}: {shown}")


if __name__ == "__main__":
    run_stage("train_users", READS, main)
