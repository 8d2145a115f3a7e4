"""Metrics of one list by plain Python, and their mean over all orders that a tie leaves open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise, permutations
from math import log2

Metric = Callable[[list[bool]], float]


def ndcg(relevance: list[bool], k: int) -> float:
    gained = sum(1 / log2(place + 1) for place, is_relevant in enumerate(relevance, 1) if is_relevant and place <= k)
    return gained / sum(1 / log2(place + 1) for place in range(1, min(k, sum(relevance)) + 1))


def recall(relevance: list[bool], k: int) -> float:
    return sum(relevance[:k]) / sum(relevance)


def f1(relevance: list[bool], k: int) -> float:
    first = relevance[:k]
    precision, found = sum(first) / len(first), recall(relevance, k)
    return 2 * precision * found / (precision + found) if precision else 0.0


def hit(relevance: list[bool], k: int) -> float:
    return float(any(relevance[:k]))


def reciprocal_rank(relevance: list[bool]) -> float:
    return 1 / (relevance.index(True) + 1)


def mean_over_orders(scores: Sequence[float], relevant: Sequence[bool], metric: Metric) -> float:
    """The metric's mean over every order of the list in which scores never rise."""
    values = [
        metric([relevant[position] for position in order])
        for order in permutations(range(len(scores)))
        if all(scores[here] >= scores[after] for here, after in pairwise(order))
    ]
    return sum(values) / len(values)


def ranked(scores: Sequence[float], relevant: Sequence[bool]) -> list[bool]:
    """Relevance from best to worst, of a list without ties."""
    assert len(set(scores)) == len(scores)
    return [relevant[position] for position in sorted(range(len(scores)), key=lambda position: -scores[position])]
