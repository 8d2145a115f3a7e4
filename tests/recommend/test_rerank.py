"""Lists against the definition: who comes next is looked for among all candidates, and each pair is compared by itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.recommend.rerank import AtMost, Diversity, reranked

ITEMS = 12


class Drawn(NamedTuple):
    """Candidates by falling score, and elements and vectors of all items."""

    candidates: list[int]
    scores: list[float]
    elements: list[list[str]]
    vectors: np.ndarray[Any, Any]

    def may_come(self, item: int, listed: list[int], count: int) -> bool:
        return all(sum(element in self.elements[other] for other in listed) < count for element in self.elements[item])

    def value(self, item: int, listed: list[int], share: float) -> float:
        scores = dict(zip(self.candidates, self.scores, strict=True))
        first, last = self.scores[0], self.scores[-1]
        relevance = (scores[item] - last) / (first - last) if first > last else 0.0
        return (1 - share) * relevance - share * max((self.cosine(item, other) for other in listed), default=0.0)

    def cosine(self, a: int, b: int) -> float:
        lengths = float(np.linalg.norm(self.vectors[a]) * np.linalg.norm(self.vectors[b]))
        return float(self.vectors[a] @ self.vectors[b]) / lengths if lengths else 0.0


@st.composite
def drawn_lists(draw: st.DrawFn) -> Drawn:
    candidates = draw(st.permutations(range(ITEMS)))[: draw(st.integers(0, ITEMS))]
    scores = draw(st.lists(st.integers(-3, 3), min_size=len(candidates), max_size=len(candidates)))
    elements = draw(st.lists(st.lists(st.sampled_from("abc"), max_size=3), min_size=ITEMS, max_size=ITEMS))
    # Zeros are items of which nothing is known.
    rows = st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.integers(0, 1))
    vectors = draw(st.lists(rows, min_size=ITEMS, max_size=ITEMS))
    return Drawn(candidates, sorted(map(float, scores), reverse=True), elements, np.array(vectors, dtype=np.float64))


@given(drawn_lists(), st.integers(1, ITEMS + 2), st.integers(0, 3), st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]))
@settings(deadline=None, max_examples=200, derandomize=True)
def test_every_item_is_the_best_of_those_that_may_come_next(drawn: Drawn, top: int, count: int, share: float) -> None:
    at_most = AtMost.of(count, pl.Series(drawn.elements, dtype=pl.List(pl.String))) if count else None
    diversity = Diversity(share, drawn.vectors) if share else None
    found = reranked(np.array(drawn.candidates, dtype=np.int32), np.array(drawn.scores), top, at_most, diversity)
    for place in range(top):
        listed = found[:place]
        left = [one for one in drawn.candidates if one not in listed and drawn.may_come(one, listed, count or ITEMS)]
        if not left:
            assert found[place:] == []
            break
        values = [drawn.value(one, listed, share) for one in left]
        if share:
            # What is equal by the definition need not be so by rounding.
            assert values[left.index(found[place])] >= max(values) - 1e-9
        else:
            assert found[place] == left[0]


def test_an_item_without_an_element_is_never_too_many_and_one_with_several_counts_for_each() -> None:
    elements = pl.Series([["a", "b"], ["b", "b"], [], None, ["a"], ["c", "a"], ["c"]])
    at_most = AtMost.of(1, elements)
    found = reranked(np.arange(7, dtype=np.int32), np.arange(7, 0, -1.0), 7, at_most, None)
    assert found == [0, 2, 3, 6]


def test_a_little_diversity_puts_another_kind_before_what_is_nearly_as_good_and_the_same() -> None:
    vectors = np.array([[1, 0], [1, 0.01], [0, 1]], dtype=np.float32)
    candidates, scores = np.arange(3, dtype=np.int32), np.array([10.0, 9.9, 9.0])
    assert reranked(candidates, scores, 2, None, Diversity(0.1, vectors)) == [0, 1]
    assert reranked(candidates, scores, 2, None, Diversity(0.6, vectors)) == [0, 2]
    # Scores of another scale are the same scores.
    assert reranked(candidates, scores * 1e6 - 5, 2, None, Diversity(0.6, vectors)) == [0, 2]


def test_nobody_is_left_and_nothing_is_listed() -> None:
    assert reranked(np.zeros(0, dtype=np.int32), np.zeros(0), 5, None, None) == []
