"""Why an item is recommended, in one sentence: which items are named, and that all of it adds up."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.explain.sentence import NAMED_DISLIKES, NAMED_LIKES, pieces, sentence, signed


@pytest.mark.parametrize(
    ("likes", "dislikes", "bias", "said"),
    [
        (
            [("A", 0.1), ("B", 0.4), ("C", -0.1), ("D", 0.2)],
            [("E", -0.2), ("F", -0.3), ("G", 0.1)],
            1.5,
            "because you liked B (+0.40), D (+0.20) and 2 others (0.00); "
            "in spite of your disliking F (-0.30) and 2 others (-0.10); for anybody (+1.50)",
        ),
        (
            [("A", -0.5), ("B", 0.1), ("C", -0.2)],
            [("D", 0.3), ("E", 0.1)],
            0.0,
            "in spite of your liking A (-0.50), C (-0.20) and 1 other (+0.10); because you disliked D (+0.30) and 1 other (+0.10)",
        ),
        # Equal ones in the order of the history.
        ([("A", 0.2), ("B", 0.2), ("C", 0.2)], [], 0.0, "because you liked A (+0.20), B (+0.20) and 1 other (+0.20)"),
        # A model that does not look at dislikes has nothing to say of them.
        ([("A", 0.2)], [("B", 0.0), ("C", 0.0)], 0.0, "because you liked A (+0.20)"),
        ([], [], -0.3, "for anybody (-0.30)"),
        ([], [], 0.0, ""),
    ],
)
def test_the_strongest_are_named_and_the_rest_is_added_up(
    likes: list[tuple[str, float]], dislikes: list[tuple[str, float]], bias: float, said: str
) -> None:
    assert sentence(pieces(likes, dislikes, bias)) == said


def test_a_sentence_with_more_digits() -> None:
    assert sentence(pieces([("A", 0.0014)], [], 0.0, 4)) == "because you liked A (+0.0014)"


contributions = st.lists(st.tuples(st.text("ABCDE", max_size=3), st.floats(-2, 2)), max_size=8)


@given(contributions, contributions, st.floats(-2, 2))
def test_a_sentence_adds_up_to_the_score(
    likes: list[tuple[str, float]], dislikes: list[tuple[str, float]], bias: float
) -> None:
    found = pieces(likes, dislikes, bias)
    score = math.fsum(value for _, value in likes + dislikes) + bias
    assert sum(piece.value for piece in found) == pytest.approx(score, abs=1e-9)
    assert len(found) <= NAMED_LIKES + NAMED_DISLIKES + 3
    printed = [float(number) for number in re.findall(r"\(([+-]?\d+\.\d+)\)", sentence(found))]
    assert printed == pytest.approx([piece.value for piece in found], abs=0.005001)


def test_signed() -> None:
    assert [signed(value, 2) for value in (0.314, -0.08, 0.001, -0.001, 0.0)] == [
        "+0.31",
        "-0.08",
        "0.00",
        "0.00",
        "0.00",
    ]
