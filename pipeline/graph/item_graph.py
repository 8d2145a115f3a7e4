"""From the knowledge graph to the item graph (method 2).

N_i is the set of entities that share a triple with item i's entity, in either direction. Items i != j are joined when
|N_i ∩ N_j| > S_m: E = { {i, j} : |N_i ∩ N_j| > S_m }. The graph has no weights and no self loops; each edge is stored
once, source < target, with its overlap beside it for analysis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

from pipeline.common.blocks import MapBlocks, Shown
from pipeline.common.errors import InputError
from pipeline.common.side_by_side import local
from pipeline.common.sorted_unique import sorted_unique
from pipeline.graph.overlap_join import overlap_join, possible_pairs
from pipeline.graph.settings import ItemGraphConfig
from pipeline.graph.triples import LinkedTriples, triples_around

ISOLATED_WARNING = 0.3
DENSITY_WARNING = 0.1


@dataclass(frozen=True)
class ItemGraph:
    """
    Attributes:
        edges: source, target, overlap; source < target.
        thresholds: s_m, edges, density, isolated_items for every S_m from 0 to the largest overlap.
        neighbours: item, entity (0-based): N_i of every item.
        items: number of nodes, isolated ones included.
        around: the triples that it was made of.
    """

    edges: pl.DataFrame
    thresholds: pl.DataFrame
    neighbours: pl.DataFrame
    items: int
    around: LinkedTriples

    @property
    def density(self) -> float:
        return len(self.edges) / possible_pairs(self.items)

    @property
    def isolated_items(self) -> int:
        joined = sorted_unique(self.edges.select("source", "target").to_numpy())
        return self.items - len(joined)

    def warnings(self, s_m: int) -> list[str]:
        """What a user should look at before trusting the graph."""
        found = []
        if self.isolated_items > ISOLATED_WARNING * self.items:
            share = self.isolated_items / self.items
            found.append(
                f"s_m {s_m}: {share:.0%} of the items are isolated (more than {ISOLATED_WARNING:.0%}); a lower s_m joins more"
            )
        if self.density > DENSITY_WARNING:
            found.append(
                f"s_m {s_m}: {self.density:.1%} of all pairs are edges (more than {DENSITY_WARNING:.0%}); a higher s_m keeps fewer"
            )
        return found


def build_item_graph(
    kg: pl.DataFrame,
    item_entities: pl.DataFrame,
    items: pl.DataFrame,
    config: ItemGraphConfig,
    map_blocks: MapBlocks = local,
) -> ItemGraph:
    """The item graph and the table by which one chooses S_m.

    Args:
        kg: head, relation, tail.
        item_entities: item_id, entity_id; an item with several entities has the neighbours of all.
        items: item (0-based), item_id.
        map_blocks: who joins blocks of items. The result does not depend on it.

    Without a graph, a `kg` without triples, all items are isolated.

    Raises:
        InputError: an unknown relation, or no item with a neighbour.
    """
    around = triples_around(kg, item_entities, items, config.leave_out_relations)
    incidence = _incidence(around, len(items))
    if incidence.nnz == 0 and len(kg):
        raise InputError(
            "kg: found no triple about any linked item; do item_entities and kg use the same entity names?"
        )
    edges, thresholds = overlap_join(incidence, config.s_m, map_blocks=map_blocks, shown=Shown("item graph", "items"))
    rows, columns = incidence.nonzero()
    neighbours = pl.DataFrame({"item": rows.astype(np.int32), "entity": columns.astype(np.int32)})
    return ItemGraph(edges, thresholds, neighbours, len(items), around)


def refuse_without_edges(graph: ItemGraph, s_m: int) -> None:
    """Stop at a graph without an edge, once its table of thresholds is written: that is what shows a better S_m.

    Raises:
        InputError: the graph has no edge; the line names the largest overlap.
    """
    if len(graph.edges):
        return
    largest = int(graph.thresholds["s_m"].max())  # type: ignore[arg-type]
    if largest == 0:
        raise InputError(
            "kg: found no two items that share an entity, expected some: the item graph would have no edge"
        )
    raise InputError(
        f"s_m: found {s_m}, which leaves no edge: no two items share more than {largest} entities; expected less than {largest}"
    )


def neighbour_incidence(
    kg: pl.DataFrame, item_entities: pl.DataFrame, items: pl.DataFrame, leave_out_relations: Sequence[str] = ()
) -> csr_matrix:
    """Items x entities, 1 where the entity is in N_i.

    Raises:
        InputError: a relation to leave out does not occur.
    """
    return _incidence(triples_around(kg, item_entities, items, leave_out_relations), len(items))


def _incidence(around: LinkedTriples, items: int) -> csr_matrix:
    pairs = sorted_unique(around.rows * np.int64(max(len(around.other_names), 1)) + around.others)
    rows, entities = np.divmod(pairs, max(len(around.other_names), 1))
    # Entities that no item's triple names have no column.
    there = np.bincount(entities, minlength=1) > 0
    columns = (np.cumsum(there) - 1)[entities]
    return csr_matrix((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=(items, int(there.sum())))
