"""The item graph that another way to make structural vectors starts from: the same, or rewired at random (`pipeline.graph`)."""

from __future__ import annotations

from pipeline.artifacts.graph import EDGES
from pipeline.artifacts.structure import DERIVED_EDGES, edges_of
from pipeline.common.random_streams import stream
from pipeline.common.settings import SeedConfig
from pipeline.graph.rewiring import rewired
from pipeline.graph.settings import RewiringConfig
from stages.shared.stage import Reads, Settings, Stage, run_structure_stage, say

STAGE = Stage(
    "derive_graph",
    settings=Reads(run=SeedConfig, structure=RewiringConfig),
    reads=(EDGES,),
    writes=(DERIVED_EDGES,),
)


def main(dataset: str, structure: str | None, settings: Settings) -> None:
    run, config = settings.run(SeedConfig), settings.structure(RewiringConfig)
    edges = EDGES.read(dataset)
    if config.rewire:
        edges = rewired(edges, stream(run.seed, "rewiring"))
    edges_of(structure).write(edges, dataset)
    say(dataset, "derive_graph", f"{structure}: {len(edges)} edges{', rewired' if config.rewire else ''}")


if __name__ == "__main__":
    run_structure_stage(STAGE, main)
