"""Train one variant of the users' model: item vectors, views and heads; validation chooses the epoch (`pipeline.users`)."""

from __future__ import annotations

from functools import partial

import polars as pl

from pipeline.artifacts.kinds import CURVE_DIGITS
from pipeline.artifacts.users import MODEL, USERS_CURVE
from pipeline.common.devices import torch_device
from pipeline.common.processes import Processes
from pipeline.common.settings import TrainingRun
from pipeline.users.settings import VariantConfig
from pipeline.users.training import UserTrainer
from stages import CHECKPOINTS
from stages.shared.data import read_data
from stages.shared.inputs import INPUTS, known_of_items, read_inputs
from stages.shared.on_torchrun import by_processes
from stages.shared.stage import Reads, Settings, Stage, run_variant_stage, say, warn
from stages.shared.training import TrainingBar, checkpoint_key, forget, the_same

STAGE = Stage(
    "train_users",
    settings=Reads(run=TrainingRun, variant=VariantConfig),
    reads=INPUTS,
    writes=(MODEL, USERS_CURVE),
)


def main(dataset: str, variant: str, settings: Settings) -> None:
    number, device = settings.engine().train_processes, settings.run(TrainingRun).device
    by_processes(number, f"[{dataset}] train_users.{variant}", device, partial(train, dataset, variant, settings))


def train(dataset: str, variant: str, settings: Settings, processes: Processes) -> None:
    """What each of them does; the first alone says and writes something."""
    run, asked = settings.run(TrainingRun), settings.variant(VariantConfig, variant)
    data = read_data(dataset)
    ratings, dislikes = data.train_likes.nnz + data.train_dislikes.nnz, data.train_dislikes.nnz
    known = known_of_items(dataset, asked)
    config = asked.for_data(data.items, dislikes, ratings / data.users, data.judged("valid"), **known._asdict())
    taken = asked.with_given(known.given)
    if config != taken:
        found = f"{data.items} items, {ratings / data.users:.1f} ratings per user and {dislikes} dislikes in training"
        lacking = " and ".join(known.lacking(asked))
        found += f", {lacking}" if lacking else ""
        say(dataset, "train_users", f"{variant}: for {found}: {shown_changes(taken, config)}")
    # Not kept by a name: vectors that came in are as large as what the model makes of them.
    trainer = UserTrainer(
        read_inputs(dataset, config, data), data, config, run.seed, torch_device(run.device), run.precision, processes
    )
    key = the_same(checkpoint_key(dataset, run, config, processes=processes.number), processes)
    checkpoint = CHECKPOINTS / dataset / variant / f"{key}.pt"
    if checkpoint.is_file():
        say(dataset, "train_users", f"{variant}: continuing from the last epoch of a run that was stopped")
    with TrainingBar(variant, trainer, config.epochs, lambda row: show_epoch(dataset, row)) as bar:
        trainer.run_epochs(checkpoint, bar.show_row, bar.show_loss, lambda text: warn(dataset, "train_users", [text]))
    if processes.place:
        return
    trained = trainer.trained()
    curve = pl.DataFrame(trained.history)
    # In pairs, since the keys of `about` are sorted.
    rounded = [(name, [round(value, CURVE_DIGITS) for value in curve[name]]) for name in curve.columns]
    about = {"variant": trained.config.model_dump(), "best_epoch": trained.best_epoch, "curve": rounded}
    MODEL.of(variant=variant).write(trained.arrays, dataset, about=about)
    USERS_CURVE.of(variant=variant).write(curve, dataset)
    forget(checkpoint)
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
    return ", ".join(f"{name} {_shown(after[name])} instead of {_shown(before[name])}" for name in changes)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " + ".join(value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown_weights(weights: list[list[float]], config: VariantConfig) -> str:
    return ", ".join(
        f"{head} {' '.join(f'{weight:.2f}' for weight in row)}" for head, row in zip(config.heads, weights, strict=True)
    )


def show_epoch(dataset: str, row: dict[str, float]) -> None:
    shown = ", ".join(f"{name} {value:.4f}" for name, value in row.items() if name != "epoch")
    say(dataset, "train_users", f"epoch {row['epoch']:.0f}: {shown}")


if __name__ == "__main__":
    run_variant_stage(STAGE, main)
