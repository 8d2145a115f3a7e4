"""Make the item graph for another way to make structural vectors: the same, rewired, or by rarity (`pipeline.graph`)."""

from __future__ import annotations

from pipeline.artifacts.data import ITEMS
from pipeline.artifacts.graph import EDGES, GRAPH_CAUTIONS, NEIGHBOURS
from pipeline.artifacts.structure import DERIVED_EDGES, edges_of
from pipeline.common.random_streams import stream
from pipeline.common.settings import SeedConfig
from pipeline.graph.matrices import incidence_of
from pipeline.graph.rarity import nearest_by_rarity
from pipeline.graph.rewiring import rewired
from pipeline.graph.settings import DerivedGraphConfig
from stages.shared.stage import Reads, Settings, Stage, run_structure_stage, say

STAGE = Stage(
    "derive_graph",
    settings=Reads(run=SeedConfig, structure=DerivedGraphConfig),
    reads=(ITEMS, EDGES, NEIGHBOURS, GRAPH_CAUTIONS),
    writes=(DERIVED_EDGES,),
)


def main(dataset: str, structure: str | None, settings: Settings) -> None:
    run, config = settings.run(SeedConfig), settings.structure(DerivedGraphConfig)
    edges = EDGES.read(dataset)
    # Without a graph there is nothing to derive another one from.
    match config.edges if len(edges) else "none":
        case "rewired":
            edges = rewired(edges, stream(run.seed, "rewiring"))
        case "by_rarity":
            neighbours = NEIGHBOURS.read(dataset)
            # They tell whether these are of the same graph.
            GRAPH_CAUTIONS.read(dataset)
            edges = nearest_by_rarity(incidence_of(neighbours, len(ITEMS.read(dataset))), len(edges))
    edges_of(structure).write(edges, dataset)
    say(dataset, "derive_graph", f"{structure}: {len(edges)} edges, {config.edges}")


if __name__ == "__main__":
    run_structure_stage(STAGE, main)
