"""Gradient-boosted trees on simple counts (`scikit-learn`; Friedman, Annals of Statistics 29(5), 2001).

Two classifiers on the features of `pair_features`. The one whose scores are preferences learns likes from items that were never rated,
drawn at random from the whole catalogue, some for each like. The one whose scores are judgements learns likes from dislikes of the same
user, one drawn for each like; where there are no dislikes in training, the first one judges too.

A like and what is drawn for it are both seen by what remains of the user's history without the two, so that neither what is missing nor how
much is left tells them apart. Users are seen by the counts of the other folds' users. Counts without the user alone would give likes away:
the other features tell which item it is, and its likes would be one fewer where this user likes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from pipeline.common.cached_njit import cached_njit
from pipeline.common.random_streams import stream
from pipeline.data.dataset import Dataset, Pairs
from pipeline.evaluation.baselines.grid import Fit, Grid
from pipeline.evaluation.baselines.pair_features import PairFeatures, overlaps
from pipeline.evaluation.protocols.scores import Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

# Rounds in which what was drawn, and is rated, is drawn again.
ROUNDS = 20
FOLDS = 5
# Likes that trees learn from, drawn at random: they have a few hundred leaves.
MOST_LIKES = 20_000


class Trees:
    def __init__(self, features: PairFeatures, preference: Forest, judgement: Forest | None) -> None:
        """
        Args:
            features: from the counts of all users.
            judgement: None where there is nothing to learn it from.
        """
        self.features, self.preference, self.judgement = features, preference, judgement

    @classmethod
    def fit(cls, data: Dataset, iterations: int, leaves: int, learning_rate: float, negatives: int, seed: int) -> Trees:
        """
        Args:
            negatives: unrated items that are drawn for each like.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier

        fold = stream(seed, "trees folds").permutation(data.users) % FOLDS
        drawn = [unrated_pairs(data, negatives, stream(seed, "trees unrated"))]
        if data.train_dislikes.nnz:
            drawn.append(disliked_pairs(data, stream(seed, "trees disliked")))
        trees = HistGradientBoostingClassifier(
            max_iter=iterations, max_leaf_nodes=leaves, learning_rate=learning_rate, early_stopping=False
        )
        fitted = [Forest(trees.fit(*each)) if len(each[1]) else None for each in learned_from(data, fold, drawn)]
        preference, judgement = fitted[0], fitted[-1] if len(fitted) > 1 else None
        assert preference is not None, "a user with a like did not rate every item"
        features = PairFeatures(*overlap_and_histories(data), np.ones(data.users, dtype=bool))
        return cls(features, preference, judgement)

    def score(self, users: NDArray[np.int64]) -> Scores:
        preference = np.empty((len(users), self.features.overlap.shape[0]), dtype=np.float32)
        for row, user in enumerate(users):
            preference[row] = self.preference.score(self.features.of_user(int(user)))
        return Scores(preference, Judged(self.features, self.judgement, users) if self.judgement else preference)


@dataclass(frozen=True)
class Judged:
    """Judgements of some users, (users, items), which are computed where they are asked for."""

    features: PairFeatures
    forest: Forest
    users: NDArray[np.int64]

    def __getitem__(self, cells: tuple[NDArray[np.int64], NDArray[np.int64]]) -> NDArray[np.float64]:
        rows, items = cells
        nothing = np.full(len(rows), -1)
        return self.forest.score(
            self.features.of_pairs(self.users[rows], items, (nothing,) * len(self.features.histories))
        )


class Forest:
    """The trees of a fitted classifier, all of them asked row by row: a fourth of the time of the classifier's own decision function."""

    def __init__(self, classifier: Any) -> None:
        """
        Args:
            classifier: a fitted `HistGradientBoostingClassifier` of two classes.
        """
        trees = [predictors[0].nodes for predictors in classifier._predictors]
        nodes = np.concatenate(trees)
        roots = np.r_[0, np.cumsum([len(tree) for tree in trees])][:-1]
        first = np.repeat(roots, [len(tree) for tree in trees])
        self.start = float(np.asarray(classifier._baseline_prediction).ravel()[0])
        self.roots = roots
        self.leaf, self.value = nodes["is_leaf"].astype(np.bool_), nodes["value"].copy()
        self.feature, self.threshold = nodes["feature_idx"].astype(np.int64), nodes["num_threshold"].copy()
        self.left, self.right = first + nodes["left"], first + nodes["right"]
        self.missing = np.where(nodes["missing_go_to_left"], self.left, self.right)

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """The log-odds, (rows,)."""
        scores = np.full(len(features), self.start)
        _compiled()(
            features, self.roots, self.leaf, self.value, self.feature, self.threshold, self.left, self.right,
            self.missing, scores,
        )  # fmt: skip
        return scores


@cache
def _compiled() -> Callable[..., None]:
    compiled: Callable[..., None] = cached_njit(nogil=True)(_add_trees)
    return compiled


def _add_trees(
    features: Any, roots: Any, leaf: Any, value: Any, feature: Any, threshold: Any, left: Any, right: Any, missing: Any,
    scores: Any,
) -> None:  # fmt: skip
    """Add the value of each tree to the scores of rows, (rows,)."""
    for row in range(len(features)):
        for root in roots:
            node = root
            while not leaf[node]:
                found = features[row, feature[node]]
                if np.isnan(found):
                    node = missing[node]
                elif found <= threshold[node]:
                    node = left[node]
                else:
                    node = right[node]
            scores[row] += value[node]


Triples = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.int64]"]


def unrated_pairs(data: Dataset, negatives: int, random: np.random.Generator) -> Triples:
    """Users, a like of theirs, and an item that they did not rate in training, ordered by user."""
    liked = _some(data.liked("train"), random)
    users, likes = np.repeat(liked.users, negatives), np.repeat(liked.items, negatives)
    rated = (data.train_likes + data.train_dislikes).tocsr()
    keys = np.sort(np.repeat(np.arange(data.users), np.diff(rated.indptr)) * data.items + rated.indices)
    drawn = random.integers(data.items, size=len(users))
    for _ in range(ROUNDS):
        wrong = np.flatnonzero(np.isin(users * data.items + drawn, keys))
        if not len(wrong):
            break
        drawn[wrong] = random.integers(data.items, size=len(wrong))
    kept = ~np.isin(users * data.items + drawn, keys)
    return users[kept], likes[kept], drawn[kept]


def disliked_pairs(data: Dataset, random: np.random.Generator) -> Triples:
    """Users, a like of theirs, and a dislike of theirs, ordered by user."""
    liked, dislikes = _some(data.liked("train"), random), data.train_dislikes
    count = np.diff(dislikes.indptr)[liked.users]
    users, likes, count = liked.users[count > 0], liked.items[count > 0], count[count > 0]
    drawn = dislikes.indices[dislikes.indptr[users] + (random.random(len(users)) * count).astype(np.int64)]
    return users, likes, drawn.astype(np.int64)


def _some(pairs: Pairs, random: np.random.Generator) -> Pairs:
    """At most `MOST_LIKES` of them, in their order."""
    if len(pairs) <= MOST_LIKES:
        return pairs
    kept = np.sort(random.choice(len(pairs), MOST_LIKES, replace=False))
    return Pairs(pairs.users[kept], pairs.items[kept])


def learned_from(
    data: Dataset, fold: NDArray[np.int64], drawn: Sequence[Triples]
) -> list[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Features and labels of likes and of what was drawn for them, side by side, each by the counts of the other folds' users.

    Args:
        fold: of each user, (users,).
        drawn: lists of users, likes and others; the folds' counts, which are large, are made once for all of them.
    """
    overlap, histories = overlap_and_histories(data)
    found: list[list[NDArray[np.float32]]] = [[] for _ in drawn]
    labels: list[list[NDArray[np.bool_]]] = [[] for _ in drawn]
    for number in range(FOLDS):
        features = PairFeatures(overlap, histories, fold != number)
        for place, triples in enumerate(drawn):
            mine = fold[triples[0]] == number
            user, like, other = (np.repeat(values[mine], 2) for values in triples)
            label = np.tile([True, False], mine.sum())
            without = [like]
            if len(histories) > 1:
                disliked = np.asarray(histories[1][user, other]).ravel() > 0
                without.append(np.where(disliked, other, -1))
            found[place].append(features.of_pairs(user, np.where(label, like, other), tuple(without)))
            labels[place].append(label)
    return [(np.concatenate(rows), np.concatenate(label)) for rows, label in zip(found, labels, strict=True)]


def overlap_and_histories(data: Dataset) -> tuple[csr_matrix, tuple[csr_matrix, ...]]:
    """What features are made of: overlaps of the items, likes and, where there are any, dislikes."""
    assert data.entities is not None, "trees read the graph"
    given = [data.train_likes, data.train_dislikes] if data.train_dislikes.nnz else [data.train_likes]
    return overlaps(data.entities), tuple(matrix.astype(np.float64) for matrix in given)


class TreesGrid(Grid):
    reads_graph: ClassVar[bool] = True

    iterations: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, description="Numbers of trees")
    leaves: list[Annotated[int, Field(ge=2)]] = Field(min_length=1, description="Maximum number of leaves of a tree")
    learning_rate: list[Annotated[float, Field(gt=0)]] = Field(min_length=1, description="Weight of each tree")
    negatives: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, description="Unrated items drawn for each like")
    max_pairs: int = Field(
        ge=1,
        description="Each pair of user and item costs some microseconds; with more pairs than this, trees are left out",
    )

    def settings(self, seed: int, threads: int) -> Mapping[str, Fit]:
        return {
            f"iterations {iterations}, leaves {leaves}, learning rate {rate:g}, negatives {negatives}": partial(
                Trees.fit, iterations=iterations, leaves=leaves, learning_rate=rate, negatives=negatives, seed=seed
            )
            for iterations, leaves, rate, negatives in product(
                self.iterations, self.leaves, self.learning_rate, self.negatives
            )
        }

    def left_out(self, data: Dataset) -> str | None:
        pairs = len(data.evaluated) * data.items
        return (
            f"{pairs} pairs of user and item, more than max_pairs {self.max_pairs}" if pairs > self.max_pairs else None
        )
