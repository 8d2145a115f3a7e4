"""A made-up data set of any size, with degrees like those of the real ones: `python -m benchmarks.synthetic --folder FOLDER`.

It writes the four tables that `source: {type: tables}` reads, the same for the same sizes and seed.

- **Interactions** are drawn by how active the user and how popular the item is, both (r + n/25)^-1.25 at rank r of n:
  MovieLens-1M to within a third at ranks 1 to 2,000. Ratings, 1 to 5, are what the item is worth, how mild the user is, and chance.
- **The graph.** The entity of rank r is a fact of a share min(0.9, 1.2 r^-0.85) of the items: MovieLens-100K's Freebase, with hubs that
  most of the films have. From rank 1,000 on the shares are scaled so that an item has as many rare facts at any size: 40 facts
  in all. A tenth of the items have no entity.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer
from numpy.typing import NDArray

from pipeline.common.errors import InputError
from pipeline.common.sorted_unique import sorted_unique
from stages.guard import guarded

EXPONENT = 1.25
OFFSET = 25
HUB_SHARE = 0.9
SHARE, SHARE_EXPONENT = 1.2, 0.85
# Ranks up to here have their shares at any size; the rest are this many facts of an item together, out of 20 entities to an item.
HEAD = 1000
RARE_FACTS = 20
ENTITIES_PER_ITEM = 20
LINKED_SHARE = 0.9
RELATIONS = {5: "language", 30: "genre", HEAD: "subject"}
RARE_RELATION = "person"
SYLLABLES = ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu")
WORDS = 1000


def generate(users: int, items: int, interactions: int, seed: int, titled: float = 1.0) -> dict[str, pl.DataFrame]:
    """The four tables by name.

    Args:
        interactions: that many are drawn; the few that are drawn twice are one.
        titled: the share of the items, the first, that have a title.

    Raises:
        InputError: a size is not positive, or the share none.
    """
    if not 0 <= titled <= 1:
        raise InputError(f"titled: found {titled:g}, expected a share from 0 to 1")
    for name, size in {"users": users, "items": items, "interactions": interactions}.items():
        if size < 1:
            raise InputError(f"{name}: found {size}, expected at least 1")
    random = np.random.default_rng(seed)
    return {
        "interactions": _interactions(users, items, interactions, random),
        "items": _items(items, random, titled),
        "kg": _facts(items, random),
        "item_entities": _links(items, random),
    }


def by_rank(count: int) -> NDArray[np.float64]:
    """Shares of all interactions, by rank."""
    weights = (np.arange(1, count + 1) + count / OFFSET) ** -EXPONENT
    return np.asarray(weights / weights.sum())


def fact_shares(items: int) -> NDArray[np.float64]:
    """The share of the items that has each entity, by rank."""
    ranks = np.arange(1, HEAD + ENTITIES_PER_ITEM * items + 1)
    shares = np.minimum(SHARE * ranks**-SHARE_EXPONENT, HUB_SHARE)
    shares[HEAD:] *= RARE_FACTS / shares[HEAD:].sum()
    return np.asarray(shares)


def _interactions(users: int, items: int, count: int, random: np.random.Generator) -> pl.DataFrame:
    # Ranks are shuffled, so that a number says nothing.
    user = random.permutation(users)[random.choice(users, count, p=by_rank(users))]
    item = random.permutation(items)[random.choice(items, count, p=by_rank(items))]
    pairs = sorted_unique(user * np.int64(items) + item)
    user, item = pairs // items, pairs % items
    worth, mildness = random.normal(0, 0.5, items), random.normal(0, 0.4, users)
    rating = 3.6 + worth[item] + mildness[user] + random.normal(0, 0.9, len(pairs))
    return pl.DataFrame(
        {"user_id": user, "item_id": item, "rating": np.clip(np.rint(rating), 1, 5).astype(np.float32)}
    ).with_columns(user_id=_named("u", "user_id"), item_id=_named("i", "item_id"))


def _items(items: int, random: np.random.Generator, titled: float) -> pl.DataFrame:
    words = np.array(["".join(SYLLABLES[int(digit)] for digit in f"{number:03}") for number in range(WORDS)])
    drawn = words[random.choice(WORDS, (items, 4), p=by_rank(WORDS))]
    # Numbers say nothing of an item, so neither does which of them have one.
    titles = [" ".join(row).capitalize() if number < titled * items else "" for number, row in enumerate(drawn)]
    return pl.DataFrame({"item_id": np.arange(items), "title": titles}).with_columns(item_id=_named("i", "item_id"))


def _facts(items: int, random: np.random.Generator) -> pl.DataFrame:
    # With so many draws of an item on average, -log(1 - share), this share of the items is drawn at least once.
    draws = random.poisson(-np.log1p(-fact_shares(items)) * items)
    tail = np.repeat(np.arange(len(draws)), draws)
    pairs = sorted_unique(random.integers(items, size=len(tail)) * np.int64(len(draws)) + tail)
    head, tail = pairs // len(draws), pairs % len(draws)
    relation = pl.lit(RARE_RELATION)
    for below, name in reversed(RELATIONS.items()):
        relation = pl.when(pl.col("tail") < below).then(pl.lit(name)).otherwise(relation)
    return pl.DataFrame({"head": head, "tail": tail}).select(
        _named("film", "head"), relation.alias("relation"), _named("fact", "tail")
    )


def _links(items: int, random: np.random.Generator) -> pl.DataFrame:
    linked = np.flatnonzero(random.random(items) < LINKED_SHARE)
    return pl.DataFrame({"item_id": linked}).select(
        _named("i", "item_id"), _named("film", "item_id").alias("entity_id")
    )


def _named(kind: str, column: str) -> pl.Expr:
    return pl.format(f"{kind}{{}}", pl.col(column)).alias(column)


def write(tables: dict[str, pl.DataFrame], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")


def command(
    folder: Annotated[Path, typer.Option(help="Folder for the four tables.")],
    users: Annotated[int, typer.Option(help="Number of users.")] = 6_000,
    items: Annotated[int, typer.Option(help="Number of items.")] = 4_000,
    interactions: Annotated[int, typer.Option(help="Number of interactions.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Random seed; the same seed gives the same data set.")] = 0,
    titled: Annotated[float, typer.Option(help="Share of items that have a title.")] = 1.0,
) -> None:
    """Make a synthetic data set."""
    guarded(lambda: write(generate(users, items, interactions, seed, titled), folder))


if __name__ == "__main__":
    typer.run(command)
