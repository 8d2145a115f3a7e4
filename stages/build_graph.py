"""Build the item graph from the knowledge graph, by the overlap threshold S_m (`pipeline.graph`)."""

from __future__ import annotations

from pipeline.artifacts.data import ITEMS, SOURCE_ITEM_ENTITIES, SOURCE_KG
from pipeline.artifacts.graph import (
    EDGES,
    ENTITIES,
    GRAPH_CAUTIONS,
    GRAPH_FIGURES,
    NEIGHBOURS,
    RELATIONS,
    THRESHOLDS,
    THRESHOLDS_CURVE,
)
from pipeline.artifacts.kinds import together
from pipeline.common.settings import SeedConfig
from pipeline.graph.item_graph import build_item_graph, refuse_without_edges
from pipeline.graph.link_check import link_warnings
from pipeline.graph.relations import relations_around
from pipeline.graph.settings import ItemGraphConfig
from stages.shared.engine import engine
from stages.shared.stage import Reads, Settings, Stage, run_stage, say, warn

STAGE = Stage(
    "build_graph",
    settings=Reads(run=SeedConfig, dataset=ItemGraphConfig),
    reads=(SOURCE_KG, SOURCE_ITEM_ENTITIES, ITEMS),
    writes=(THRESHOLDS, THRESHOLDS_CURVE, EDGES, NEIGHBOURS, RELATIONS, ENTITIES, GRAPH_CAUTIONS, GRAPH_FIGURES),
)


def main(dataset: str, settings: Settings) -> None:
    run, config = settings.run(SeedConfig), settings.dataset(ItemGraphConfig)
    kg, links = SOURCE_KG.read(dataset), SOURCE_ITEM_ENTITIES.read(dataset)
    items = ITEMS.read(dataset)
    with engine(settings, dataset, "build_graph") as map_blocks:
        graph = build_item_graph(kg, links, items, config, map_blocks)
    THRESHOLDS.write(graph.thresholds, dataset)
    THRESHOLDS_CURVE.write(graph.thresholds, dataset)
    if len(kg):
        refuse_without_edges(graph, config.s_m)
    NEIGHBOURS.write(graph.neighbours, dataset)
    around = relations_around(graph.around)
    RELATIONS.write(around.relations, dataset)
    ENTITIES.write(around.entities, dataset)
    cautions = link_warnings(kg, links, items, run.seed)
    with together():
        # It says of items alone: what is trained on the same edges is not to run again where other tables of the graph changed.
        ITEMS.read(dataset)
        EDGES.write(graph.edges, dataset)
    # These say of both, for whoever reads edges beside other tables. Last: what is written after them would change with s_m.
    EDGES.read(dataset)
    GRAPH_CAUTIONS.write(cautions, dataset)
    figures = {"edges": len(graph.edges), "density": graph.density, "isolated_items": graph.isolated_items}
    GRAPH_FIGURES.write(figures, dataset)
    if kg.is_empty():
        say(dataset, "build_graph", "there is no knowledge graph: no item has an edge")
        return
    say(
        dataset,
        "build_graph",
        f"s_m {config.s_m}: {len(graph.edges)} edges, density {graph.density:.2%}, {graph.isolated_items} of {graph.items} items isolated",
    )
    warn(dataset, "build_graph", graph.warnings(config.s_m) + cautions)


if __name__ == "__main__":
    run_stage(STAGE, main)
