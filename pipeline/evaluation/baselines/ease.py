"""EASE^R: the linear item-to-item model with a zero diagonal, in closed form (Steck, WWW 2019).

With X users x items and P = (X^T X + l2 I)^-1, the weights are B_ij = -P_ij / P_jj off the diagonal, and the scores X B. Where there
are fewer users than items, a matrix by users is inverted instead. With M = (X X^T + l2 I)^-1 and S = M X:

    X P = S,   P_jj = (1 - sum_u X_uj S_uj) / l2,   X B = X - S / diag(P)

With `graph` the items' surroundings in the knowledge graph are stacked under X, each entity weighted by its rarity
(`pipeline.graph.matrices.by_rarity`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import islice, product
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from pipeline.evaluation.baselines.dislikes import WeightedFit, WeightedGrid, weighted_history, weighted_name
from pipeline.evaluation.baselines.grid import Fit
from pipeline.evaluation.baselines.item_weights import inverse_of, item_weights, neighbour_weights, stacked

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pipeline.data.dataset import Dataset
    from pipeline.evaluation.protocols.scores import Scorer


def fit_ease(
    data: Dataset,
    l2: float,
    dislike_weight: float = 0.0,
    max_items: int | None = None,
    neighbours: int = 0,
    graph: float = 0.0,
) -> Scorer:
    """The same scores by weights of items or by users, whichever costs less; of very many items by their neighbours.

    Args:
        max_items: beyond this many items with a weight each has weights of its neighbours alone; None: never.
        neighbours: how many neighbours an item has then.
        dislike_weight: of a dislike in X, where a like has 1; 0 leaves dislikes out.
        graph: weight of the data set's `entities`, stacked under X; 0 leaves them out.
    """
    history, rated = _rated_history(data, dislike_weight)
    few = max_items is None or len(rated) <= max_items
    if few and not graph and history.shape[0] < len(rated):
        return EaseByUsers.fit(data, l2, dislike_weight)
    return Ease.fit(data, l2, dislike_weight, graph, max_items, neighbours)


def _rated_history(data: Dataset, dislike_weight: float) -> tuple[csr_matrix, NDArray[np.int64]]:
    """X over the items with a column that is not zero, users x rated, and those items, ascending."""
    history = weighted_history(data, dislike_weight)
    rated = np.flatnonzero(history.getnnz(axis=0))
    return history[:, rated], rated


class Ease:
    """Scores X_u B of the item weights B."""

    def __init__(
        self, weights: NDArray[np.float32] | csr_matrix, rated: NDArray[np.int64], history: csr_matrix, items: int
    ) -> None:
        """
        Args:
            weights: B over the rated items, (rated, rated).
            rated: items that have a column in X, or in what is stacked under it, that is not zero, ascending.
            history: X, users x rated.
            items: number of all items.
        """
        self.weights = weights
        self.rated = rated
        self.history = history
        self.items = items

    @classmethod
    def fit(
        cls,
        data: Dataset,
        l2: float,
        dislike_weight: float = 0.0,
        graph: float = 0.0,
        max_items: int | None = None,
        neighbours: int = 0,
    ) -> Ease:
        """Arguments as for `fit_ease`."""
        history = weighted_history(data, dislike_weight)
        rows = history
        if graph:
            # Settings are checked without SciPy, which this module would load.
            from pipeline.graph.matrices import by_rarity

            assert data.entities is not None, "EASE reads the graph"
            rows = stacked(history, by_rarity(data.entities)[0], graph)
        known = np.flatnonzero(rows.getnnz(axis=0))
        rows = rows[:, known]
        many = max_items is not None and len(known) > max_items
        weights = neighbour_weights(rows, l2, neighbours) if many else item_weights(rows, l2)
        return cls(weights, known, history[:, known].astype(np.float32), data.items)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        scores = np.zeros((len(users), self.items), dtype=np.float32)
        product = self.history[users] @ self.weights
        scores[:, self.rated] = product if isinstance(product, np.ndarray) else product.toarray()
        return scores


class EaseByUsers:
    """The scores of `Ease` for the users that it is fitted to, without the weights."""

    def __init__(self, scores: NDArray[np.float32]) -> None:
        """
        Args:
            scores: (users, items).
        """
        self.scores = scores

    @classmethod
    def fit(cls, data: Dataset, l2: float, dislike_weight: float = 0.0) -> EaseByUsers:
        """Arguments as for `fit_ease`."""
        history, rated = _rated_history(data, dislike_weight)
        inverse = inverse_of(history @ history.toarray().T, l2)
        # The inverse is symmetric: X^T M is the transpose of S.
        solved = (history.T.tocsr() @ inverse).T
        dense = history.toarray()
        diagonal = (1 - np.einsum("ui,ui->i", dense, solved)) / l2
        scores = np.zeros((data.users, data.items), dtype=np.float32)
        scores[:, rated] = dense - solved / diagonal
        return cls(scores)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.scores[users]


class EaseGrid(WeightedGrid):
    reads_graph = True

    l2: list[Annotated[float, Field(gt=0)]] = Field(min_length=1, description="Penalty on the squared weights")
    graph: list[Annotated[float, Field(ge=0)]] = Field(
        min_length=1,
        description="Weights of the graph's entities around items, which are stacked under the ratings; 0: none. The first is tried "
        "with every l2, the others only with the best of those",
    )
    max_items: int = Field(
        ge=1,
        description="EASE inverts an items x items matrix. With more than this many rated items, each item has weights only for its "
        "neighbours",
    )
    neighbours: int = Field(
        ge=1, description="The number of neighbours in that case: the items most often rated by the same users"
    )
    max_pairs: int = Field(
        ge=1,
        description="In that case, all pairs of items rated by the same user are counted. If there are more than this many over all "
        "users, EASE is left out; if more pairs share an entity, its graph is",
    )

    def fits(self, seed: int, threads: int) -> Mapping[str, WeightedFit]:
        return {_named(l2, graph): self._fit(l2, graph) for graph in self.graph for l2 in self.l2}

    def settings(self, seed: int, threads: int) -> Mapping[str, Fit]:
        return dict(islice(super().settings(seed, threads).items(), len(self.l2)))

    def settings_after(self, best: str, data: Dataset, seed: int, threads: int) -> Mapping[str, Fit]:
        assert data.entities is not None, "EASE reads the graph"
        weights = super().settings_after(best, data, seed, threads)
        if int((data.entities.getnnz(axis=0).astype(np.int64) ** 2).sum()) > self.max_pairs:
            return weights
        l2, weight = next(
            (l2, weight)
            for l2, graph, weight in product(self.l2, self.graph, self.dislike_weight)
            if weighted_name(_named(l2, graph), weight) == best
        )
        graphs = {
            weighted_name(_named(l2, graph), weight): partial(self._fit(l2, graph), dislike_weight=weight)
            for graph in self.graph
        }
        return {**weights, **graphs}

    def _fit(self, l2: float, graph: float) -> WeightedFit:
        return partial(fit_ease, l2=l2, graph=graph, max_items=self.max_items, neighbours=self.neighbours)

    def left_out(self, data: Dataset) -> str | None:
        rated = (data.train_likes + data.train_dislikes).tocsr()
        pairs = int((np.diff(rated.indptr).astype(np.int64) ** 2).sum())
        if (rated.getnnz(axis=0) > 0).sum() <= self.max_items or pairs <= self.max_pairs:
            return None
        return f"{pairs} pairs of items that a user rated, more than max_pairs {self.max_pairs}"


def _named(l2: float, graph: float) -> str:
    return f"l2 {l2:g}, graph {graph:g}"
