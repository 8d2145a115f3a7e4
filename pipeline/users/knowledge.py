"""What the graph and the training split say of each item before anything is learned: what is around it, and how often it was rated.

    F_ce = idf_e / |idf_c|,  e over (relation, entity) pairs around item c that another item has too;  idf_e = log(M / items around e)

so that F_j · F_c is the overlap of two items, the cosine of their IDF-weighted surroundings. Items that were rated by few are known
by those around them:

    m_c = sum_{j != c} (F_j · F_c) n_j / sum_{j != c} F_j · F_c

A candidate's counts never include the rating that is to be predicted: whoever rated c is scored by n_c - 1. The items' features exist
three times for that: as they are, without one like, and without one dislike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix, diags

from pipeline.common.errors import InputError
from pipeline.common.relation_names import ANY_OTHER, INVERSE
from pipeline.data.dataset import Dataset
from pipeline.graph.matrices import by_rarity, scaled_by_rarity
from pipeline.users.names import ALL_VIEWS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of the overall like-rate, in an item's: one like among three ratings says little.
RATE_DAMPING = 5.0
# Relations beyond the most frequent share a weight.
RELATIONS_AT_MOST = 32
# Items that are most often rated together with an item; the rest say next to nothing.
TOGETHER_AT_MOST = 500


@dataclass(frozen=True)
class Surroundings:
    """
    Attributes:
        weights: F, (M, pairs of relation and entity), rows of length 1 or empty.
        relation: of each column, as a place in the names, (columns,).
        entity: of each column, by its number in RELATIONS, (columns,).
        names: of the relations; an inverse one has "^" before it.
    """

    weights: csr_matrix
    relation: NDArray[np.int64]
    entity: NDArray[np.int64]
    names: tuple[str, ...]

    @classmethod
    def of(cls, around: pl.DataFrame, items: int) -> Surroundings:
        """
        Args:
            around: item, relation, inverse, entity, of `relations_around`.
            items: M.
        """
        relation, inverse = around["relation"].to_numpy().astype(str), around["inverse"].to_numpy()
        _, first, code = np.unique(
            np.where(inverse, np.char.add(relation, "^-1"), relation), return_index=True, return_inverse=True
        )
        frequent = np.argsort(-np.bincount(code), kind="stable")
        names = [f"{INVERSE if inverse[row] else ''}{relation[row]}" for row in first[frequent]]
        place = np.minimum(np.argsort(frequent), RELATIONS_AT_MOST - 1)
        if len(names) > RELATIONS_AT_MOST:
            names = [*names[: RELATIONS_AT_MOST - 1], ANY_OTHER]
        entity = around["entity"].to_numpy().astype(np.int64)
        entities = entity.max(initial=0) + 1
        keys, columns = np.unique(place[code] * entities + entity, return_inverse=True)
        incidence = csr_matrix((np.ones(len(columns)), (around["item"].to_numpy(), columns)), shape=(items, len(keys)))
        incidence.data[:] = 1.0
        weights, shared = by_rarity(incidence)
        return cls(weights, keys[shared] // entities, keys[shared] % entities, tuple(names))

    @cached_property
    def own(self) -> NDArray[np.float32]:
        """What an item shares with itself by each relation, (M, relations)."""
        columns = csr_matrix(
            (np.ones(len(self.relation), dtype=np.float32), (np.arange(len(self.relation)), self.relation)),
            shape=(len(self.relation), len(self.names)),
        )
        found: NDArray[np.float32] = np.asarray(
            (self.weights.multiply(self.weights) @ columns).todense(), dtype=np.float32
        )
        return found

    def mean_around(
        self, values: NDArray[np.float64], added: csr_matrix | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean of the other items' values weighted by their overlap, and the sum of these weights; each (M,).

        Args:
            values: of the items, (M,).
            added: rows F of items that came after training, as `rows_of` gives them: of these, (added,).
        """
        weights = self.weights.astype(np.float64)
        asked = weights if added is None else added.astype(np.float64)
        total, degree = asked @ (weights.T @ values), asked @ np.asarray(weights.sum(axis=0)).ravel()
        if added is None:
            own = np.asarray(weights.multiply(weights).sum(axis=1)).ravel()
            total, degree = total - own * values, np.maximum(degree - own, 0.0)
        return np.where(degree > 1e-6, total / np.maximum(degree, 1e-6), 0.0), degree

    def rows_of(self, around: pl.DataFrame, items: int) -> csr_matrix:
        """F of items that came after training, by the pairs of relation and entity that are known and how rare they are: (items, columns).

        Args:
            around: item (from 0), relation, inverse, entity, by the same numbers of entities.
            items: how many there are.
        """
        place = {name: number for number, name in enumerate(self.names)}
        other = place.get(ANY_OTHER, -1)
        names = around.select(pl.when("inverse").then(pl.lit(INVERSE)).otherwise(pl.lit("")) + pl.col("relation"))
        relation = np.array([place.get(name, other) for name in names.to_series()], dtype=np.int64)
        entity = around["entity"].to_numpy().astype(np.int64)
        entities = max(self.entity.max(initial=0), entity.max(initial=0)) + 1
        keys = self.relation * entities + self.entity
        asked = relation * entities + entity
        column = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        known = (relation >= 0) & (len(keys) > 0)
        known[known] = keys[column[known]] == asked[known]
        where = around["item"].to_numpy()[known], column[known]
        there = csr_matrix((np.ones(len(where[0])), where), shape=(items, len(keys)))
        there.data[:] = 1.0
        count = self.weights.shape[0]
        return scaled_by_rarity(there, np.log(count / np.maximum(self.weights.getnnz(axis=0), 1)))


@dataclass(frozen=True)
class Features:
    """Of items, standardised by the spread that `whole` has; each (M, features).

    Attributes:
        whole: by all ratings of the training split.
        without_like: one like fewer; without_dislike likewise.
    """

    whole: NDArray[np.float32]
    without_like: NDArray[np.float32]
    without_dislike: NDArray[np.float32]


def count_features(
    likes: NDArray[np.float64],
    dislikes: NDArray[np.float64],
    around: Surroundings,
    added: csr_matrix | None = None,
) -> Features:
    """log(1 + n) of likes and of dislikes; of the items around: log(1 + m) of both, log(1 + m · degree) of likes, log(1 + degree);
    and the like-rate's log-odds.

    What is around an item does not depend on its own counts. One rating fewer changes neither the mean and the spread by which all
    features are standardised nor the overall like-rate.

    Args:
        likes: of each item in the training split, (M,); dislikes likewise.
        added: rows F of items that came after training, which nobody has rated: of these, standardised by the same means and spreads.
    """
    overall = float(np.clip(likes.sum() / max(likes.sum() + dislikes.sum(), 1.0), 0.01, 0.99))

    def means(rows: csr_matrix | None) -> tuple[NDArray[np.float64], ...]:
        mean_likes, degree = around.mean_around(likes, rows)
        return mean_likes, around.mean_around(dislikes, rows)[0], mean_likes * degree, degree

    def features(
        liked: NDArray[np.float64], disliked: NDArray[np.float64], of_others: tuple[NDArray[np.float64], ...]
    ) -> NDArray[np.float64]:
        rate = (liked + RATE_DAMPING * overall) / (liked + disliked + RATE_DAMPING)
        counts = (liked, disliked, *of_others)
        return np.stack([*(np.log1p(np.maximum(count, 0.0)) for count in counts), np.log(rate / (1 - rate))], axis=1)

    of_others = means(None)
    whole = features(likes, dislikes, of_others)
    mean, spread = whole.mean(axis=0), whole.std(axis=0)
    spread = np.where(spread > 1e-6, spread, np.inf)
    if added is None:
        without_like = features(np.maximum(likes - 1, 0), dislikes, of_others)
        found = (whole, without_like, features(likes, np.maximum(dislikes - 1, 0), of_others))
    else:
        none = np.zeros(added.shape[0])
        found = (features(none, none, means(added)),) * 3
    return Features(*(((one - mean) / spread).astype(np.float32) for one in found))


@dataclass(frozen=True)
class Together:
    """How often two items were rated together, of one kind of rating.

    Attributes:
        counts: C_jc / sqrt(n_j), (M, M), j != c; of each candidate c those with the largest cosines.
        there: 1 / sqrt(n_j) at the same places.
        ratings: n, (M,).
    """

    counts: csr_matrix
    there: csr_matrix
    ratings: NDArray[np.float32]

    @classmethod
    def of(cls, rated: csr_matrix) -> Together:
        """
        Args:
            rated: users x items, ones.
        """
        ratings = np.asarray(rated.sum(axis=0), dtype=np.float64).ravel()
        counts = (rated.T.astype(np.float64) @ rated).tocsr()
        counts.setdiag(0)
        counts.eliminate_zeros()
        inverse = diags(np.where(ratings > 0, ratings, 1.0) ** -0.5)
        # Row c of the symmetric matrix: the candidate; its strongest entries are kept.
        by_candidate = _strongest((counts @ inverse).tocsr(), TOGETHER_AT_MOST)
        kept = by_candidate.T.tocsr()
        kept.sort_indices()
        there = kept.copy()
        there.data = np.repeat(np.where(ratings > 0, ratings, 1.0) ** -0.5, np.diff(kept.indptr))
        return cls(kept.astype(np.float32), there.astype(np.float32), ratings.astype(np.float32))


def _strongest(matrix: csr_matrix, most: int) -> csr_matrix:
    """The largest entries of each row; of equal ones the first."""
    lengths = np.diff(matrix.indptr)
    if lengths.max(initial=0) <= most:
        return matrix
    row = np.repeat(np.arange(matrix.shape[0]), lengths)
    order = np.lexsort((matrix.indices, -matrix.data, row))
    place = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], lengths)
    kept = order[place < most]
    return csr_matrix((matrix.data[kept], (row[kept], matrix.indices[kept])), shape=matrix.shape)


@dataclass(frozen=True)
class Knowledge:
    """
    Attributes:
        around: of the graph.
        features: by counts.
        together: view to how often items were rated together in it.
    """

    around: Surroundings
    features: Features
    together: dict[str, Together]

    @classmethod
    def of(cls, data: Dataset, relations: pl.DataFrame, views: Sequence[str] = ALL_VIEWS) -> Knowledge:
        """
        Args:
            data: whose training split is counted.
            relations: of `relations_around`.
            views: which there are.
        """
        around = Surroundings.of(relations, data.items)
        likes, dislikes = data.train_likes, data.train_dislikes
        liked, disliked = (np.asarray(one.sum(axis=0), dtype=np.float64).ravel() for one in (likes, dislikes))
        by_view = {"likes": likes, "dislikes": dislikes, "rated": likes + dislikes}
        return cls(
            around, count_features(liked, disliked, around), {name: Together.of(one) for name, one in by_view.items()}
        )


def knowledge_arrays(knowledge: Knowledge) -> dict[str, NDArray[np.float32]]:
    """What `knowledge_from` reads back, as a model stores it; whole numbers below 2^24 are exact in float32."""
    around = knowledge.around
    found = _entries("around", around.weights)
    found["known.around.relation"] = around.relation.astype(np.float32)
    found["known.around.entity"] = around.entity.astype(np.float32)
    # A model's file has no other place for text that goes wherever its tensors go: the bytes of a JSON list.
    found["known.around.names"] = np.frombuffer(json.dumps(around.names).encode(), dtype=np.uint8).astype(np.float32)
    found["known.features"] = knowledge.features.whole
    for view, together in knowledge.together.items():
        found |= _entries(f"{view}.counts", together.counts)
        found[f"known.{view}.ratings"] = together.ratings
    return found


def knowledge_from(
    arrays: Mapping[str, NDArray[np.float32]], items: int, views: Sequence[str] = ALL_VIEWS
) -> Knowledge:
    """Of a stored model: features by all ratings alone, since only training leaves ratings out.

    Args:
        items: M.
        views: that the model has.

    Raises:
        InputError: it lacks a part of it.
    """
    try:
        relation, entity = (arrays[f"known.around.{name}"].astype(np.int64) for name in ("relation", "entity"))
        weights = _matrix(arrays, "around", (items, len(relation)))
        names = tuple(json.loads(arrays["known.around.names"].astype(np.uint8).tobytes()))
        whole = arrays["known.features"]
        together = {}
        for view in views:
            counts = _matrix(arrays, f"{view}.counts", (items, items))
            together[view] = Together(counts, counts, arrays[f"known.{view}.ratings"])
    except KeyError as missing:
        raise InputError(
            f"users/model: found no tensor {missing.args[0]}, expected those of a model with terms; run `dvc repro`"
        ) from None
    around = Surroundings(weights, relation, entity, names)
    return Knowledge(around, Features(whole, whole, whole), together)


def _entries(name: str, matrix: csr_matrix) -> dict[str, NDArray[np.float32]]:
    found = matrix.tocoo()
    return {
        f"known.{name}.row": found.row.astype(np.float32),
        f"known.{name}.column": found.col.astype(np.float32),
        f"known.{name}.value": found.data.astype(np.float32),
    }


def _matrix(arrays: Mapping[str, NDArray[np.float32]], name: str, shape: tuple[int, int]) -> csr_matrix:
    row, column, value = (arrays[f"known.{name}.{part}"] for part in ("row", "column", "value"))
    return csr_matrix((value, (row.astype(np.int64), column.astype(np.int64))), shape=shape)
