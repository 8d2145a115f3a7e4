"""Training reads of the items what the variant's modalities need, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.artifacts.graph import EDGES, GRAPH_CAUTIONS, NEIGHBOURS
from pipeline.artifacts.kinds import Tensors
from pipeline.artifacts.structure import INITIAL_VECTORS, STRUCTURE_VECTORS
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.users.settings import VariantConfig
from stages.shared.inputs import read_inputs

ITEMS = 3
VECTORS = {"vectors": np.arange(6, dtype=np.float32).reshape(ITEMS, 2)}
# Nobody has rated anything: only counts and terms look at ratings.
DATA = Dataset(
    pl.DataFrame(
        schema={"user": pl.Int32, "item": pl.Int32, "like": pl.Boolean, "rating": pl.Float32, "split": pl.String}
    ),
    pl.DataFrame(schema={"user": pl.Int32, "item": pl.Int32, "split": pl.String}),
    users=1,
    items=ITEMS,
)
ENTITIES = pl.DataFrame({"item": [0, 2], "entity": [0, 1]}, schema=dict(NEIGHBOURS.columns))


def write_structure(*more: Tensors) -> None:
    """Vectors, and beside them what tells of which item graph they are."""
    EDGES.write(pl.DataFrame({"source": [0], "target": [1], "overlap": [2]}, schema=dict(EDGES.columns)), "d")
    GRAPH_CAUTIONS.write([], "d")
    for kind in (INITIAL_VECTORS, *more):
        kind.write(VECTORS, "d")


@pytest.mark.parametrize(
    ("settings", "needed", "write"),
    [
        ({"modalities": ["id"]}, set(), lambda: None),
        ({"modalities": ["text"]}, {"text"}, lambda: TEXT_VECTORS.write(VECTORS, "d")),
        ({"modalities": ["structure"]}, {"structure"}, lambda: write_structure(STRUCTURE_VECTORS)),
        ({"modalities": ["structure"], "structure": "initial"}, {"structure"}, lambda: write_structure()),
        ({"modalities": ["entities", "id"]}, {"entities"}, lambda: NEIGHBOURS.write(ENTITIES, "d")),
    ],
)
def test_a_modality_has_what_it_needs_read_and_no_more(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    needed: set[str],
    write: Callable[[], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    config = VariantConfig.model_validate(settings)
    if needed:
        with pytest.raises(InputError, match="artifact not found"):
            read_inputs("d", config, DATA)
    write()
    found = read_inputs("d", config, DATA)
    assert found.items == ITEMS
    assert {name for name in ("text", "structure", "entities", "gat") if getattr(found, name) is not None} == needed
