"""Lists of systems laid beside what is known of their items: only where systems are compared, so that none is evaluated again for it."""

from __future__ import annotations

from pipeline.artifacts.graph import NEIGHBOURS
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.evaluation.metrics.registry import GRAPH_DIVERSITY, TEXT_DIVERSITY
from pipeline.evaluation.systems.diversity import with_diversity
from pipeline.evaluation.systems.several import Systems
from pipeline.graph.matrices import incidence_of


def read_diversity(systems: Systems, dataset: str, items: int) -> Systems:
    """The systems with the diversity of lists, by the vectors that were made of texts and graph."""
    vectors = {
        TEXT_DIVERSITY: TEXT_VECTORS.read(dataset)["vectors"],
        GRAPH_DIVERSITY: incidence_of(NEIGHBOURS.read(dataset), items),
    }
    return with_diversity(systems, vectors, items)
