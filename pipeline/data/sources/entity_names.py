"""What entities of a knowledge graph of bare ids are called: a table `entities` of entity_id and name, laid beside the triples.

A name becomes a triple (entity, label, name), as knowledge graphs that have names have them: `pipeline.graph.paths` finds them there.
"""

from __future__ import annotations

import polars as pl

from pipeline.common.errors import InputError
from pipeline.data.sources.tidy import KG, RawTable, read_ids, repeats, shown

LABEL = "label"
COLUMNS = ("entity_id", "name")


def with_names(kg: RawTable, links: RawTable, entities: RawTable) -> tuple[RawTable, list[str]]:
    """The graph with a triple for each name, and what a reader should know.

    Items go by their titles, so that their entities' names are left out: nothing that items share may come of a name. So is a name that is
    the id of an item's entity.

    Raises:
        InputError: a column is missing, an id or a name is, or an entity is there twice.
    """
    ids, names = (read_ids(entities, name) for name in COLUMNS)
    for name, column, expected in zip(COLUMNS, (ids, names), ("an id", "a name"), strict=True):
        if column.bad.any():
            row = int(column.bad.arg_true()[0])
            found = shown(entities.frame[name][row])
            raise InputError(f"{entities.file}: column {name}, {entities.row(row)}: found {found}, expected {expected}")
    table = pl.DataFrame({"head": ids.values, "tail": names.values})
    again = repeats(table, ("head",))
    if again.any():
        row = int(again.arg_true()[0])
        raise InputError(
            f"{entities.file}: {entities.row(row)}: found entity_id {table['head'][row]} a second time, expected it once"
        )
    if not set(KG) <= set(kg.frame.columns) or "entity_id" not in links.frame.columns:
        # Errors of their own.
        return kg, []
    triples = kg.frame.select(pl.col(KG).cast(pl.String))
    known = pl.concat([triples["head"], triples["tail"]]).unique()
    of_items = links.frame["entity_id"].cast(pl.String).unique()
    there = table.filter(pl.col("head").is_in(known.implode()))
    remarks = []
    if len(there) < len(table):
        remarks.append(
            f"{entities.file}: {len(table) - len(there)} of {len(table)} entities are not in {kg.file} and are left out"
        )
    named = there.filter(~pl.col("head").is_in(of_items.implode()) & ~pl.col("tail").is_in(of_items.implode()))
    labels = named.select("head", relation=pl.lit(LABEL), tail="tail")
    return RawTable(pl.concat([triples, labels]), kg.file, kg.first_row, kg.lines), remarks
