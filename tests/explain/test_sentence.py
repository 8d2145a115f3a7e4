"""Why an item is recommended, in one sentence: which items are named, and that all of it adds up."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.explain.sentence import NAMED_DISLIKES, NAMED_LIKES, Named, pieces, rounded, sentence, signed


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
    score = math.fsum(value for _, value in likes + dislikes) + bias
    assert sentence(pieces(named(likes), named(dislikes), bias, score)) == said


def named(contributions: list[tuple[str, float]]) -> list[Named]:
    return [Named(*one) for one in contributions]


def test_causes_stand_beside_the_numbers_of_items_alone() -> None:
    likes = [
        Named("A", 0.1, "similar"),
        Named("B", 0.4, "same author: C"),
        Named("D", 0.2),
        Named("E", 0.05, "similar"),
    ]
    assert sentence(pieces(likes, [Named("F", -0.2, "both by G")], 1.0, 1.55)) == (
        "because you liked B (+0.40, same author: C), D (+0.20) and 2 others (+0.15); "
        "in spite of your disliking F (-0.20, both by G); for anybody (+1.00)"
    )


def test_a_sentence_with_more_digits() -> None:
    assert sentence(pieces([Named("A", 0.0014)], [], 0.0, 0.0014, 4)) == "because you liked A (+0.0014)"


# As in the README's first row once: rounded one by one they add up to 4.75.
def test_numbers_add_up_as_they_are_printed() -> None:
    likes, dislikes, bias = named([("A", 0.687), ("B", 0.466)]), named([("C", 0.196)]), 3.387
    found = pieces(likes, dislikes, bias, 4.736)
    assert [piece.number for piece in found] == ["+0.69", "+0.47", "+0.19", "+3.39"]
    # Float32 knows a score to fewer digits than its contributions.
    assert [piece.number for piece in pieces(likes, [], 0.0, 1.1549999)] == ["+0.69", "+0.46"]
    assert [piece.number for piece in pieces(likes, [], 0.0, 1.1550001)] == ["+0.69", "+0.47"]


contributions = st.lists(st.tuples(st.text("ABCDE", max_size=3), st.floats(-2, 2)), max_size=8)


@given(contributions, contributions, st.floats(-2, 2), st.integers(1, 5))
def test_a_sentence_adds_up_to_the_score(
    likes: list[tuple[str, float]], dislikes: list[tuple[str, float]], bias: float, digits: int
) -> None:
    score = math.fsum(value for _, value in likes + dislikes) + bias
    found = pieces(named(likes), named(dislikes), bias, score, digits)
    assert len(found) <= NAMED_LIKES + NAMED_DISLIKES + 3
    numbers = re.findall(r"\(([+-]?\d+\.\d+)\)", sentence(found))
    assert numbers == [piece.number for piece in found]
    printed = [float(number) for number in numbers]
    assert round(sum(printed), digits) == float(f"{score:.{digits}f}")
    # Each says what it is of, to the last digit up or down.
    unit = 10.0**-digits
    for of_kind, count in ((likes, NAMED_LIKES), (dislikes, NAMED_DISLIKES)):
        if any(value for _, value in of_kind):
            sign = 1 if sum(value for _, value in of_kind) >= 0 else -1
            values = sorted((value for _, value in of_kind), key=lambda value, sign=sign: -sign * value)
            expected = values[:count] + ([sum(values[count:])] if values[count:] else [])
            mine, printed = printed[: len(expected)], printed[len(expected) :]
            assert all(abs(a - b) < unit * (1 + 1e-6) for a, b in zip(mine, expected, strict=True))
    assert len(printed) == bool(bias)
    assert all(abs(number - bias) < unit * (1 + 1e-6) for number in printed)


QUICK = settings(deadline=None, max_examples=200, derandomize=True)


@QUICK
@given(st.lists(st.floats(-50, 50), max_size=30), st.integers(0, 4))
def test_rounded_values_add_up_to_the_rounded_sum(values: list[float], digits: int) -> None:
    found = rounded(values, math.fsum(values), digits)
    unit = 10.0**-digits
    assert sum(round(value / unit) for value in found) == round(round(math.fsum(values), digits) / unit)
    assert all(abs(a - b) < unit * (1 + 1e-6) for a, b in zip(found, values, strict=True))
    assert rounded(found, math.fsum(found), digits) == found


def test_thirds_are_rounded_to_a_whole() -> None:
    assert sorted(rounded([1 / 3, 1 / 3, 1 / 3], 1.0, 2)) == [0.33, 0.33, 0.34]
    assert rounded([], 0.0, 2) == []


def test_signed() -> None:
    assert [signed(value, 2) for value in (0.314, -0.08, 0.001, -0.001, 0.0)] == [
        "+0.31",
        "-0.08",
        "0.00",
        "0.00",
        "0.00",
    ]
