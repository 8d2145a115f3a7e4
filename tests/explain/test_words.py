"""What a contribution comes from, in words."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.common.relation_names import ANY_OTHER
from pipeline.explain.parts import PARTS, Cause
from pipeline.explain.words import LABELS, in_words

NAMES = ["Stephen King", "Horror", "Maine"]


@pytest.mark.parametrize(
    ("relation", "entities", "said"),
    [
        ("http://dbpedia.org/ontology/author", (0,), "same author: Stephen King"),
        ("film.film.directed_by", (0,), "both directed by Stephen King"),
        ("film.film.genre", (1, 2, 0), "same genre: Horror and 2 more"),
        ("^film.writer.film", (0,), "both film of writer Stephen King"),
        ("^http://dbpedia.org/ontology/author", (0,), "both author of Stephen King"),
        (ANY_OTHER, (2,), "both with Maine"),
        ("0", (2,), "same relation 0: Maine"),
    ],
)
@pytest.mark.parametrize("value", [0.2, -0.2])
@pytest.mark.parametrize("kind", ["like", "dislike"])
def test_what_two_items_share_is_true_whatever_it_adds(
    relation: str, entities: tuple[int, ...], said: str, value: float, kind: Any
) -> None:
    assert in_words(Cause("overlap", value, relation, entities), kind, False, NAMES.__getitem__) == said


def test_what_is_learned_has_words_where_it_speaks_for_an_item_by_a_like() -> None:
    def words(part: Any, value: float, kind: Any, merged: bool = False) -> str:
        return in_words(Cause(part, value), kind, merged, NAMES.__getitem__)

    assert words("vectors", 0.1, "like") == "similar"
    assert words("together", 0.1, "like") == words("co_rating", 0.1, "like") == "often liked together"
    assert words("together", 0.1, "like", True) == "often rated together"
    assert {words(part, -0.1, "like") for part in PARTS} == {words(part, 0.1, "dislike") for part in PARTS} == {""}
    assert words("popularity", 0.1, "like") == ""
    assert LABELS.keys() == set(PARTS)
