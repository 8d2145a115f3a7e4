"""Vectors that items have by their ids, as rows in the order of some items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rows_of_items(ids: pl.Series, table: pl.DataFrame) -> dict[str, NDArray[np.float32]]:
    """
    Args:
        ids: of the items.
        table: item_id, and columns of float32 vectors, as SOURCE_VECTORS.

    Returns:
        Of each column (items, width), rows of zeros where an item has none.
    """
    joined = ids.to_frame("item_id").join(table, on="item_id", how="left", maintain_order="left")
    found = {}
    for name, kind in table.drop("item_id").schema.items():
        there = joined[name].is_not_null().to_numpy()
        rows = np.zeros((len(ids), kind.size), dtype=np.float32)  # type: ignore[attr-defined]
        rows[there] = joined[name].drop_nulls().to_numpy()
        found[name] = rows
    return found
