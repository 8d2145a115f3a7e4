"""Evaluate one variant of the model on the test split, under all protocols (`pipeline.evaluation`)."""

from __future__ import annotations

from pipeline.artifacts.evaluation import CAUTIONS
from pipeline.artifacts.users import MODEL
from pipeline.common.devices import torch_device
from pipeline.common.settings import RunConfig
from pipeline.evaluation.systems.cautions import collapse_warnings, popularity_likeness, popularity_warning
from pipeline.evaluation.systems.system import evaluate_system
from pipeline.users.trained import TrainedModel
from stages.shared.data import DATA, read_data
from stages.shared.engine import engine
from stages.shared.models import read_model
from stages.shared.stage import Reads, Settings, Stage, run_variant_stage, say, warn
from stages.shared.tables import TABLES, write_tables

STAGE = Stage(
    "evaluate",
    settings=Reads(run=RunConfig),
    reads=(*DATA, MODEL),
    writes=(*TABLES, CAUTIONS),
)


def main(dataset: str, variant: str, settings: Settings) -> None:
    run = settings.run(RunConfig)
    data = read_data(dataset)
    model = read_model(dataset, variant, data.items, torch_device(run.device))
    trained = TrainedModel(model, data)
    with engine(settings, dataset, f"evaluate.{variant}", model.device) as map_blocks:
        tables = evaluate_system(variant, trained, data, map_blocks=map_blocks)
    names = {"group": settings.group, "variant": variant}
    write_tables(tables, dataset, names)
    cautions = popularity_warning(variant, popularity_likeness(trained, data, "test", run.seed))
    cautions += collapse_warnings({f"{variant}, item vectors": model.items.cpu().numpy()})
    CAUTIONS.of(**names).write(cautions, dataset)
    say(dataset, "evaluate", f"{variant} evaluated on the test split")
    warn(dataset, "evaluate", cautions)


if __name__ == "__main__":
    run_variant_stage(STAGE, main)
