"""Train the initial structural vectors of the items: by SDNE, or by an embedding of karateclub instead (`pipeline.structure`)."""

from __future__ import annotations

import polars as pl

from pipeline.artifacts.data import ITEMS
from pipeline.artifacts.structure import (
    DERIVED_EDGES,
    INITIAL_CURVE,
    INITIAL_FIGURES,
    INITIAL_VECTORS,
    SDNE_ENCODER,
    edges_of,
    structure_names,
)
from pipeline.common.devices import torch_device
from pipeline.common.settings import TrainingRun
from pipeline.graph.matrices import adjacency
from pipeline.structure.embed import embed_graph
from pipeline.structure.settings import StructureConfig
from stages.shared.stage import Reads, Settings, Stage, run_structure_stage, say, warn

STAGE = Stage(
    "init_sdne",
    settings=Reads(run=TrainingRun, stage=StructureConfig),
    reads=(ITEMS, DERIVED_EDGES),
    writes=(INITIAL_VECTORS, SDNE_ENCODER, INITIAL_CURVE, INITIAL_FIGURES),
)


def main(dataset: str, structure: str | None, settings: Settings) -> None:
    run, config = settings.run(TrainingRun), settings.stage(StructureConfig)
    names = structure_names(structure)
    edges = edges_of(structure).read(dataset)
    if edges.is_empty():
        say(dataset, "init_sdne", "no item has an edge: all vectors are zero")
    graph = adjacency(edges, len(ITEMS.read(dataset)))
    embedded = embed_graph(graph, config, run.seed, torch_device(run.device), run.precision, progress=True)
    INITIAL_VECTORS.of(**names).write({"vectors": embedded.vectors}, dataset)
    SDNE_ENCODER.of(**names).write(embedded.encoder, dataset, about={"activation": config.activation})
    # karateclub's methods have no epochs: their curve is a header without rows.
    curve = pl.DataFrame(embedded.history, schema=list(INITIAL_CURVE.columns))
    INITIAL_CURVE.of(**names).write(curve, dataset)
    INITIAL_FIGURES.of(**names).write(embedded.figures, dataset)
    shown = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in embedded.figures.items())
    say(dataset, "init_sdne", f"{config.method}: {shown}")
    warn(dataset, "init_sdne", embedded.warnings)


if __name__ == "__main__":
    run_structure_stage(STAGE, main)
