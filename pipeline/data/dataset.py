"""The splits of one data set, as arrays and sparse matrices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.common.errors import InputError
from pipeline.data.splits import SPLITS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

SPLIT = pl.Enum(SPLITS)


@dataclass(frozen=True)
class Pairs:
    """User-item pairs, aligned arrays."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.users)


class Dataset:
    """Splits of one data set as arrays and sparse matrices, users x items."""

    def __init__(
        self,
        interactions: pl.DataFrame,
        unrated_candidates: pl.DataFrame,
        users: int,
        items: int,
        sampled_zeros: pl.DataFrame | None = None,
        entities: csr_matrix | None = None,
        evaluated: NDArray[np.int64] | None = None,
    ) -> None:
        """
        Args:
            interactions: user, item, like, rating, split.
            unrated_candidates: user, item, split.
            users: number of users.
            items: number of items.
            sampled_zeros: user, item, split; of data whose zeros somebody drew (`feedback: sampled`).
            entities: what is around each item in the knowledge graph, N_i, (items, entities), for systems that read it.
            evaluated: users of whom figures are, ascending; None: all.

        Raises:
            InputError: an index is out of range, which means that artifacts of different runs were mixed.
        """
        tables = {"interactions": interactions, "unrated_candidates": unrated_candidates}
        if sampled_zeros is not None:
            tables["sampled_zeros"] = sampled_zeros
        for table, frame in tables.items():
            for name, limit in (("user", users), ("item", items)):
                outside = frame.filter((pl.col(name) < 0) | (pl.col(name) >= limit))
                if len(outside):
                    raise InputError(
                        f"{table}: column {name}: found index {outside[name][0]}, expected 0 to {limit - 1}; run `dvc repro`"
                    )
        self.users, self.items, self.entities = users, items, entities
        self.evaluated = np.arange(users) if evaluated is None else evaluated
        # A name takes 16 bytes in each row, its place one.
        self._interactions, self._candidates = (
            interactions.cast({"split": SPLIT}),
            unrated_candidates.cast({"split": SPLIT}),
        )
        self._zeros = None if sampled_zeros is None else sampled_zeros.cast({"split": SPLIT})

    @property
    def sizes(self) -> str:
        """In words, with how many of its users figures are of."""
        drawn = len(self.evaluated)
        found = f"{self.users} users, {self.items} items"
        return found if drawn == self.users else f"{found}; figures are of {drawn} of these users, drawn by seed"

    def all_in_training(self) -> Dataset:
        """The same ratings, every one of them in the training split."""
        return Dataset(
            self._interactions.with_columns(split=pl.lit("train", dtype=SPLIT)),
            self._candidates,
            self.users,
            self.items,
            self._zeros,
            self.entities,
            self.evaluated,
        )

    def liked(self, split: str) -> Pairs:
        return self._pairs((pl.col("split") == split) & pl.col("like"))

    def disliked(self, split: str) -> Pairs:
        return self._pairs((pl.col("split") == split) & ~pl.col("like"))

    def against(self, split: str) -> Pairs:
        """What likes are told from in `impression`: dislikes, or the zeros of data whose zeros somebody drew."""
        if self._zeros is None or self._zeros.is_empty():
            return self.disliked(split)
        return _pairs_of(self._zeros, pl.col("split") == split)

    def of_evaluated(self, pairs: Pairs) -> Pairs:
        """Those of the users of whom figures are."""
        if len(self.evaluated) == self.users:
            return pairs
        asked = np.zeros(self.users, dtype=np.bool_)
        asked[self.evaluated] = True
        kept = asked[pairs.users]
        return Pairs(pairs.users[kept], pairs.items[kept])

    def judged(self, split: str) -> int:
        """Users of whom `impression` can say something: with a like in the split and what it is told from."""
        liked, against = (self.of_evaluated(pairs).users for pairs in (self.liked(split), self.against(split)))
        return len(np.intersect1d(liked, against))

    def rated(self, splits: tuple[str, ...]) -> Pairs:
        return self._pairs(pl.col("split").is_in(splits))

    def unrated(self, split: str) -> Pairs:
        """The sampled candidates of the `ctr` protocol, of the users of whom figures are."""
        return _pairs_of(self._candidates, pl.col("split") == split)

    @cached_property
    def train_likes(self) -> csr_matrix:
        return self.matrix(self.liked("train"))

    @cached_property
    def train_dislikes(self) -> csr_matrix:
        return self.matrix(self.disliked("train"))

    @cached_property
    def train_ratings(self) -> tuple[Pairs, NDArray[np.float64]]:
        """Rated pairs of the training split and their ratings; 1 and 0 for like and dislike where there are no ratings."""
        is_train = pl.col("split") == "train"
        ratings = self._interactions.select(
            pl.coalesce(pl.col("rating").cast(pl.Float64), pl.col("like").cast(pl.Float64)).filter(is_train)
        )
        return self._pairs(is_train), ratings.to_series().to_numpy()

    @cached_property
    def train_counts(self) -> NDArray[np.float64]:
        """Ratings of each item in the training split, (items,)."""
        counts: NDArray[np.float64] = np.asarray(
            (self.train_likes + self.train_dislikes).sum(axis=0), dtype=np.float64
        ).ravel()
        return counts

    def matrix(self, pairs: Pairs) -> csr_matrix:
        """1 for each pair, (users, items).

        Args:
            pairs: each once, in the order of the interactions: by user, then by item.
        """
        assert (pairs.users[1:] >= pairs.users[:-1]).all(), "pairs are by user"
        ones = np.ones(len(pairs), dtype=np.float32)
        starts = np.zeros(self.users + 1, dtype=np.int32)
        np.cumsum(np.bincount(pairs.users, minlength=self.users), out=starts[1:])
        # Here, since checks of the settings import this module and would wait for scipy.
        from scipy.sparse import csr_matrix

        return csr_matrix((ones, pairs.items.astype(np.int32), starts), shape=(self.users, self.items))

    def _pairs(self, condition: pl.Expr) -> Pairs:
        return _pairs_of(self._interactions, condition)


def _pairs_of(frame: pl.DataFrame, condition: pl.Expr) -> Pairs:
    """Of the rows for which it holds."""
    found = frame.select(pl.col("user", "item").filter(condition).cast(pl.Int64))
    return Pairs(found["user"].to_numpy(), found["item"].to_numpy())


def evaluated_of(users: pl.DataFrame) -> NDArray[np.int64] | None:
    """Of `prepare`'s users those of whom figures are, ascending; None: all.

    Args:
        users: with a column `evaluated` where some were drawn.
    """
    return users["evaluated"].arg_true().to_numpy().astype(np.int64) if "evaluated" in users.columns else None


def blocks(count: int, size: int) -> Iterator[NDArray[np.int64]]:
    """Indices 0..count-1 in blocks of at most ``size``."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))
