"""Train the two-layer graph attention network by link reconstruction and write the structural vectors (`pipeline.structure`)."""

from __future__ import annotations

import polars as pl

from pipeline.artifacts.structure import (
    DERIVED_EDGES,
    GAT_CURVE,
    GAT_FIGURES,
    GAT_WEIGHTS,
    INITIAL_VECTORS,
    STRUCTURE_VECTORS,
    edges_of,
    structure_names,
)
from pipeline.common.devices import torch_device
from pipeline.common.settings import TrainingRun
from pipeline.graph.matrices import edge_index
from pipeline.structure.gat.settings import GatConfig
from pipeline.structure.gat.training import train_gat
from stages.shared.stage import Reads, Settings, Stage, run_structure_stage, say, warn

STAGE = Stage(
    "train_gat",
    settings=Reads(run=TrainingRun, stage=GatConfig),
    reads=(INITIAL_VECTORS, DERIVED_EDGES),
    writes=(STRUCTURE_VECTORS, GAT_WEIGHTS, GAT_CURVE, GAT_FIGURES),
)


def main(dataset: str, structure: str | None, settings: Settings) -> None:
    run, config = settings.run(TrainingRun), settings.stage(GatConfig)
    names = structure_names(structure)
    initial = INITIAL_VECTORS.of(**names).read(dataset)["vectors"]
    edges = edge_index(edges_of(structure).read(dataset))
    trained = train_gat(initial, edges, config, run.seed, torch_device(run.device), run.precision, progress=True)
    STRUCTURE_VECTORS.of(**names).write({"vectors": trained.vectors}, dataset)
    about = config.model_dump()
    GAT_WEIGHTS.of(**names).write(trained.weights, dataset, about=about)
    GAT_CURVE.of(**names).write(pl.DataFrame(trained.history, schema=list(GAT_CURVE.columns)), dataset)
    GAT_FIGURES.of(**names).write(trained.figures, dataset)
    figures = trained.figures
    if not trained.history:
        say(dataset, "train_gat", "no item has an edge: all vectors are zero")
        return
    say(
        dataset,
        "train_gat",
        f"masked-edge AUC (SDNE saw these edges) {figures['masked_edge_auc']:.4f} in epoch {figures['best_epoch']} of {figures['epochs']}, "
        f"effective rank {figures['effective_rank']:.1f}",
    )
    warn(dataset, "train_gat", trained.warnings)


if __name__ == "__main__":
    run_structure_stage(STAGE, main)
