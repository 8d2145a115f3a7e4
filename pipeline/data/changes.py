"""How much has come since a model was trained, and whether that is so much that it should be trained again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

# From these shares on a rerun is due, as a rule of thumb: what is new is recommended without one, but nothing is learned from it.
DUE = {"users": 0.1, "items": 0.05, "ratings": 0.1}


@dataclass(frozen=True)
class Changes:
    """
    Attributes:
        users, items, ratings: that the model was trained with, or could have been.
        new_users, new_items, new_ratings: those that came since; a rating that is another now is a new one.
        gone: ratings that are no more there.
    """

    users: int
    items: int
    ratings: int
    new_users: int
    new_items: int
    new_ratings: int
    gone: int = 0

    @property
    def any(self) -> bool:
        return bool(self.new_users or self.new_items or self.new_ratings or self.gone)

    @property
    def due(self) -> list[str]:
        """What there is so much of that a rerun is due."""
        found = [
            f"{self._share(name):.0%} more {name}"
            for name, least in DUE.items()
            if getattr(self, f"new_{name}") and self._share(name) >= least
        ]
        gone = self.gone / max(self.ratings, 1)
        return [*found, *([f"{gone:.0%} of the ratings gone"] if gone >= DUE["ratings"] else [])]

    def in_words(self) -> str:
        """One line."""
        parts = [f"{getattr(self, f'new_{name}'):,} new {name} ({self._share(name):.1%})" for name in DUE]
        gone = f", {self.gone:,} ratings gone" if self.gone else ""
        due = f"a rerun is due ({', '.join(self.due)}): `dvc repro`" if self.due else "no rerun is due"
        return f"{', '.join(parts)}{gone} since the models were trained; {due}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"rerun_due": self.due}

    def _share(self, name: str) -> float:
        return float(getattr(self, f"new_{name}") / max(getattr(self, name), 1))


def changes_between(
    interactions: pl.DataFrame, items: pl.DataFrame, then: pl.DataFrame, items_then: pl.DataFrame
) -> Changes:
    """Of a source's tables and what they were.

    Args:
        interactions: user_id, item_id, rating, like, as `tidy` gives them; then likewise.
        items: item_id; items_then likewise.
    """
    columns = ["user_id", "item_id", "rating", "like"]
    rows, before = interactions.select(columns), then.select(columns)
    return Changes(
        before["user_id"].n_unique(),
        len(items_then),
        len(before),
        len(_new(rows["user_id"], before["user_id"])),
        len(_new(items["item_id"], items_then["item_id"])),
        len(rows.join(before, on=columns, how="anti", nulls_equal=True)),
        len(before.join(rows, on=columns[:2], how="anti")),
    )


def changes_by(rows: pl.DataFrame, known: pl.DataFrame, items: pl.DataFrame) -> Changes:
    """Of ratings in a file of their own.

    Args:
        rows: user_id, item_id, like.
        known: the same, of the source's table: whom and what settings leave out of training came no later.
        items: item_id, of the source.
    """
    return Changes(
        known["user_id"].n_unique(),
        len(items),
        len(known),
        len(_new(rows["user_id"], known["user_id"])),
        len(_new(rows["item_id"], items["item_id"])),
        len(rows.join(known, on=["user_id", "item_id", "like"], how="anti")),
    )


def _new(now: pl.Series, then: pl.Series) -> pl.Series:
    found = now.unique()
    return found.filter(~found.is_in(then.unique().implode()))
