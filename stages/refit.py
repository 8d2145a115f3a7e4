"""Train a variant once more on all ratings, for as many epochs as validation chose; it recommends and is never evaluated."""

from __future__ import annotations

from functools import partial

from pipeline.artifacts.users import MODEL, REFIT
from pipeline.common.devices import torch_device
from pipeline.common.processes import Processes
from pipeline.common.settings import TrainingRun
from pipeline.users.training import UserTrainer
from stages import CHECKPOINTS
from stages.shared.data import read_data
from stages.shared.inputs import INPUTS, read_inputs
from stages.shared.models import trained_as
from stages.shared.on_torchrun import by_processes
from stages.shared.stage import Reads, Settings, Stage, run_variant_stage, say, warn
from stages.shared.training import TrainingBar, checkpoint_key, forget, the_same

STAGE = Stage(
    "refit",
    settings=Reads(run=TrainingRun),
    reads=(*INPUTS, MODEL),
    writes=(REFIT,),
)


def main(dataset: str, variant: str, settings: Settings) -> None:
    number, device = settings.engine().train_processes, settings.run(TrainingRun).device
    by_processes(number, f"[{dataset}] refit.{variant}", device, partial(refit, dataset, variant, settings))


def refit(dataset: str, variant: str, settings: Settings, processes: Processes) -> None:
    """What each of them does; the first alone says and writes something."""
    run, evaluated = settings.run(TrainingRun), MODEL.of(variant=variant)
    config, epochs = trained_as(dataset, evaluated)
    data = read_data(dataset)
    everything = data.all_in_training()
    inputs = read_inputs(dataset, config, everything)
    trainer = UserTrainer(inputs, everything, config, run.seed, torch_device(run.device), run.precision, processes)
    key = the_same(checkpoint_key(dataset, run, config, evaluated, processes=processes.number), processes)
    checkpoint = CHECKPOINTS / dataset / f"{variant}.refit" / f"{key}.pt"
    if checkpoint.is_file():
        say(dataset, "refit", f"{variant}: continuing from the last epoch of a run that was stopped")
    with TrainingBar(f"{variant}, all ratings", trainer, epochs) as bar:
        trainer.refit_epochs(epochs, checkpoint, bar.show_loss, lambda text: warn(dataset, "refit", [text]))
    if processes.place:
        return
    trained = trainer.refitted()
    about = {"variant": config.model_dump(), "best_epoch": epochs}
    REFIT.of(variant=variant).write(trained.arrays, dataset, about=about)
    forget(checkpoint)
    ratings, before = (of.train_likes.nnz + of.train_dislikes.nnz for of in (everything, data))
    say(
        dataset,
        "refit",
        f"{variant}: trained on all {ratings} ratings instead of {before}, for {epochs} of {config.epochs} epochs, as validation chose",
    )


if __name__ == "__main__":
    run_variant_stage(STAGE, main)
