"""Items that are like an item, whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.artifacts.graph import EDGES, GRAPH_CAUTIONS, RELATIONS
from pipeline.artifacts.kinds import together
from pipeline.artifacts.structure import STRUCTURE_VECTORS
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.common.errors import InputError
from pipeline.graph.matrices import incidence_around
from pipeline.parameters.params import read_parameters
from pipeline.recommend.similar import most_similar
from stages import PARAMS
from stages.cli.ask.catalogue import Catalogue, dataset_of, read_catalogue
from stages.cli.ask.output import Answer, table
from stages.shared.added import read_added

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT, STRUCTURE = "text", "structure"
NOTHING = {TEXT: "no text", STRUCTURE: "no edge in the item graph"}
NOT_THERE = {TEXT: "no texts", STRUCTURE: "no knowledge graph"}


@together()
def similar(dataset: str | None, item: str, by: str, count: int) -> Answer:
    """
    Args:
        item: title or id.
        by: text, structure or both, of which that is left out which the data set has none of.
    """
    parameters = read_parameters(PARAMS)
    dataset = dataset_of(parameters, dataset)
    catalogue = read_catalogue(parameters, dataset, read_added(dataset))
    titles = catalogue.titles
    (asked,) = catalogue.find(item)
    vectors = {kind: _vectors(catalogue, kind) for kind in (TEXT, STRUCTURE) if by in (kind, "both")}
    missing = [kind for kind, of_kind in vectors.items() if not of_kind.any()]
    if len(missing) == len(vectors):
        lacks, kinds = " and ".join(NOT_THERE[kind] for kind in missing), " or ".join(missing)
        raise InputError(f"--by {by}: {dataset} has {lacks}, so nothing can be similar by {kinds}")
    vectors = {kind: of_kind for kind, of_kind in vectors.items() if kind not in missing}
    for kind, rows_of_kind in vectors.items():
        if not rows_of_kind[asked].any():
            raise InputError(
                f"--by {by}: {titles.shown(asked)} has {NOTHING[kind]}, so nothing can be similar to it by {kind}"
            )
    found = most_similar(vectors, asked, count)
    cosines = {f"by_{kind}": values for kind, values in found.cosines.items()} if len(vectors) > 1 else {}
    shared = _shared(catalogue, asked)[found.items] if STRUCTURE in vectors else None
    rows = [
        {
            "rank": row + 1,
            "item_id": titles.ids[other],
            "title": titles.shown(other),
            "cosine": float(found.cosine[row]),
            **{name: float(values[row]) for name, values in cosines.items()},
            **({"shared_entities": int(shared[row])} if shared is not None else {}),
        }
        for row, other in enumerate(found.items.tolist())
    ]
    names = ["rank", "title", "cosine", *cosines, *(["shared_entities"] if shared is not None else [])]
    cells = [[f"{row[name]:.3f}" if isinstance(row[name], float) else str(row[name]) for name in names] for row in rows]
    headings = [name.replace("_", " ") for name in names]
    text = f"{catalogue.dataset}: like {titles.shown(asked)}, by {' and '.join(vectors)}\n\n"
    text += table(headings, cells, right=[name for name in headings if name != "title"])
    record = {
        "dataset": catalogue.dataset,
        "item": {"item_id": titles.ids[asked], "title": titles.shown(asked)},
        "by": by,
        "similar": rows,
    }
    schema = {"rank": pl.Int32, "item_id": pl.String, "title": pl.String, "cosine": pl.Float64}
    schema |= dict.fromkeys(cosines, pl.Float64) | ({"shared_entities": pl.Int32} if shared is not None else {})
    return Answer(text, record, pl.DataFrame(rows, schema=schema))


def _vectors(catalogue: Catalogue, kind: str) -> NDArray[np.float32]:
    """Text or structural vectors of all items, with a row of zeros where there is nothing to know."""
    vectors = (TEXT_VECTORS if kind == TEXT else STRUCTURE_VECTORS).read(catalogue.dataset)["vectors"]
    items = len(vectors)
    if catalogue.added is not None:
        vectors = np.concatenate([vectors, catalogue.added.vectors[kind]])
    if kind == TEXT:
        return vectors
    edges = EDGES.read(catalogue.dataset)
    joined = edges.select("source", "target").to_numpy().ravel()
    if catalogue.added is not None:
        joined = np.concatenate([joined, catalogue.added.edges["target"].to_numpy() + items])
    # The vector of an item without an edge says only that it has none: all such items would be alike.
    return np.where(np.isin(np.arange(len(vectors)), joined)[:, None], vectors, np.float32(0.0))


def _shared(catalogue: Catalogue, item: int) -> NDArray[np.int64]:
    """How many entities each item shares with one, (M,)."""
    relations = RELATIONS.read(catalogue.dataset)
    # They tell whether the edges are of these.
    GRAPH_CAUTIONS.read(catalogue.dataset)
    if catalogue.added is not None:
        first = len(catalogue.titles) - len(catalogue.added)
        more = catalogue.added.relations.with_columns(pl.col("item") + first)
        relations = pl.concat([relations, more])
    entities = int(relations["entity"].max() or 0) + 1  # type: ignore[arg-type]
    around = incidence_around(relations, len(catalogue.titles), entities)
    overlaps: NDArray[np.int64] = (around @ around[item].T).toarray().ravel().astype(np.int64)
    return overlaps
