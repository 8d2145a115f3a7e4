"""The overlap join: which items share more than S_m entities.

Every way starts from the same sparse matrix of items and entities. Ours also finds the table of all thresholds, the others only
the edges of one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.case import Bound, Case, Figures, Way
from benchmarks.data import DATASET, copy_artifacts

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MATRIX = "incidence.npz"
# Cells of the product that a block of rows has, as many as 120 MB hold.
BLOCK_CELLS = 10_000_000


def of_default_data(folder: Path) -> None:
    """Items and entities of the default data set."""
    from scipy.sparse import save_npz

    from pipeline.artifacts.data import ITEMS
    from pipeline.artifacts.graph import NEIGHBOURS
    from pipeline.graph.matrices import incidence_of

    copy_artifacts(folder, NEIGHBOURS, ITEMS)
    save_npz(folder / MATRIX, incidence_of(NEIGHBOURS.read(DATASET), len(ITEMS.read(DATASET))))


def of_synthetic(folder: Path, items: int) -> None:
    """Items and entities of a made-up graph with hubs."""
    import polars as pl
    from scipy.sparse import save_npz

    from benchmarks.synthetic import generate
    from pipeline.graph.item_graph import neighbour_incidence

    tables = generate(users=1, items=items, interactions=1, seed=0)
    numbered = tables["items"].select("item_id").with_row_index("item").cast({"item": pl.Int32})
    save_npz(folder / MATRIX, neighbour_incidence(tables["kg"], tables["item_entities"], numbered))


def matrix(folder: Path) -> csr_matrix:
    from scipy.sparse import load_npz

    return load_npz(folder / MATRIX).tocsr().astype("int32")


def ours(loaded: csr_matrix, s_m: int, hubs: int | None = None) -> Figures:
    from pipeline.graph.overlap_join import overlap_join

    edges, _ = overlap_join(loaded, s_m, hubs=hubs)
    return {"edges": len(edges), "sum of overlaps": int(edges["overlap"].sum())}


def compiled(folder: Path) -> csr_matrix:
    """The matrix, after a join of its first rows: what numba keeps on disk has been loaded."""
    loaded = matrix(folder)
    ours(loaded[:100], 0)
    return loaded


def product(loaded: csr_matrix, s_m: int) -> Figures:
    from scipy.sparse import triu

    return _figures(triu(loaded @ loaded.T, 1).data, s_m)


def product_by_blocks(loaded: csr_matrix, s_m: int) -> Figures:
    """The product in blocks of rows, of which only what passes is kept."""
    import numpy as np

    kept = []
    size = max(BLOCK_CELLS // loaded.shape[0], 1)
    for start in range(0, loaded.shape[0], size):
        block = (loaded[start : start + size] @ loaded[start:].T).tocoo()
        kept.append(block.data[(block.col > block.row) & (block.data > s_m)])
    return _figures(np.concatenate(kept), s_m)


def sparse_dot(loaded: csr_matrix, s_m: int) -> Figures:
    from scipy.sparse import triu
    from sparse_dot_topn import sp_matmul_topn

    from pipeline.common.cores import cores_here

    count = loaded.shape[0]
    found = sp_matmul_topn(loaded, loaded.T.tocsr(), top_n=count, threshold=s_m, n_threads=cores_here())
    return _figures(triu(found, 1).data, s_m)


def pairs(folder: Path) -> Any:
    import polars as pl

    rows, columns = matrix(folder).nonzero()
    return pl.DataFrame({"item": rows, "entity": columns}).cast({"item": pl.Int32, "entity": pl.Int32})


def self_join(table: Any, s_m: int) -> Figures:
    import polars as pl

    lazy = table.lazy()
    counted = (
        lazy.join(lazy, on="entity")
        .filter(pl.col("item") < pl.col("item_right"))
        .group_by("item", "item_right")
        .agg(overlap=pl.len())
        .filter(pl.col("overlap") > s_m)
        .collect(engine="streaming")
    )
    return {"edges": len(counted), "sum of overlaps": int(counted["overlap"].sum())}


def sets(folder: Path) -> list[set[int]]:
    loaded = matrix(folder)
    return [set(loaded[row].indices.tolist()) for row in range(loaded.shape[0])]


def python_sets(of_items: list[set[int]], s_m: int) -> Figures:
    overlaps = [overlap for left, right in combinations(of_items, 2) if (overlap := len(left & right)) > s_m]
    return {"edges": len(overlaps), "sum of overlaps": sum(overlaps)}


def _figures(overlaps: Any, s_m: int) -> Figures:
    passed = overlaps[overlaps > s_m]
    return {"edges": len(passed), "sum of overlaps": int(passed.sum())}


def bound(folder: Path) -> Bound:
    """Full adders over bitmaps, and an addition for each pair that is met on a list, whose item is read from there."""
    import numpy as np

    from pipeline.graph.overlap_join import chosen_hubs

    loaded = matrix(folder)
    items = loaded.shape[0]
    degrees = np.bincount(loaded.indices)
    hubs = chosen_hubs(degrees, items, None)
    every = float((degrees * (degrees - 1) // 2).sum())
    walked = every - float((degrees[hubs] * (degrees[hubs] - 1) // 2).sum())
    # Half of the items come after an item, on average.
    words = float(degrees[hubs].sum()) * items / 2 / 64
    return Bound(
        operations=5 * words + walked,
        moved=8 * words + 4 * (walked + 2 * loaded.nnz),
        counted=f"{len(hubs)} hubs: a full adder (five operations) for each of {words:,.0f} words of 64 items, read once; {walked:,.0f} "
        f"pairs to walk on lists, of {every:,.0f} that share an entity: an addition each, and 4 bytes from the list; the matrix once. Left "
        "out: carries beyond the lowest bit, and the count of each sum",
    )


def case(
    task: str, s_m: int, inputs: Callable[[Path], None], *, seconds: float, runs: int, aim: float | None = None
) -> Case:
    whole, blocks = "scipy A @ Aᵀ, thresholded", "scipy A @ Aᵀ, by blocks of rows"
    return Case(
        stage="build_graph",
        task=f"{task}, S_m {s_m}",
        ours=Way("ours", compiled, partial(ours, s_m=s_m)),
        alternatives=(
            Way(whole, matrix, partial(product, s_m=s_m), note="the whole product in memory"),
            Way(blocks, matrix, partial(product_by_blocks, s_m=s_m), note="what this stage did before"),
            Way(
                "sparse_dot_topn",
                matrix,
                partial(sparse_dot, s_m=s_m),
                note="a threshold and no limit to the number of edges of an item, both cores",
            ),
            Way("polars self-join", pairs, partial(self_join, s_m=s_m), note="streaming engine, both cores"),
            Way("Python sets", sets, partial(python_sets, s_m=s_m), note="every pair of items"),
            Way(
                "ours without hubs",
                compiled,
                partial(ours, s_m=s_m, hubs=0),
                note="the same machine code walks every pair that shares an entity",
            ),
        ),
        inputs=inputs,
        aims={whole: aim, blocks: aim} if aim else None,
        runs=runs,
        seconds=seconds,
        bound=bound,
    )


CASES = (
    case("ml-100k", 6, of_default_data, seconds=60, runs=5),
    case("10,000 items with hubs", 6, partial(of_synthetic, items=10_000), seconds=120, runs=3),
    case("100,000 items with hubs", 8, partial(of_synthetic, items=100_000), seconds=120, runs=3, aim=10),
)
