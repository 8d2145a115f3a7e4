"""Folders with small tables, right or wrong in one thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from pipeline.parameters.data_check.check import DataCheck, Wishes, check_folder
from stages.cli.data import DEFAULTS, SEED


def tables(users: int = 12, items: int = 10) -> dict[str, pl.DataFrame]:
    """Everybody rated every item but one or two; items of two genres and three makers."""
    rated = [(user, item) for user in range(users) for item in range(items) if (user + item) % 7]
    genre = ["comedy" if item % 2 else "horror" for item in range(items)]
    return {
        "interactions": pl.DataFrame(
            {
                "user_id": [f"u{user}" for user, _ in rated],
                "item_id": [item for _, item in rated],
                "rating": [1 + (3 * user + 2 * item) % 5 for user, item in rated],
            }
        ),
        "items": pl.DataFrame(
            {"item_id": range(items), "title": [f"Film {chr(97 + item) * 3}" for item in range(items)]}
        ),
        "kg": pl.DataFrame(
            [(f"m{item}", "genre", genre[item]) for item in range(items)]
            + [(f"m{item}", "maker", f"maker {item % 3}") for item in range(items)],
            schema=["head", "relation", "tail"],
            orient="row",
        ),
        "item_entities": pl.DataFrame({"item_id": range(items), "entity_id": [f"m{item}" for item in range(items)]}),
    }


def write(folder: Path, changed: dict[str, pl.DataFrame] | None = None, left_out: tuple[str, ...] = ()) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (tables() | (changed or {})).items():
        if name not in left_out:
            frame.write_csv(folder / f"{name}.csv")
    return folder


def checked(folder: Path, wishes: Wishes | None = None, **defaults: Any) -> DataCheck:
    return check_folder(folder, wishes or Wishes(), DEFAULTS | defaults, SEED)
