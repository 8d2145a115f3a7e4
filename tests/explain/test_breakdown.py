from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.explain.contributions import Contributions
from pipeline.explain.sentence import Part, as_printed, digits_for, lines_of, parts_of, reason, rounded, signed
from pipeline.users.people import Person

QUICK = settings(deadline=None, max_examples=200, derandomize=True)
VALUES = st.lists(st.floats(-50, 50), max_size=30)
NAMES = "ABCDEFGHIJ"


def some_parts(liked: list[float], disliked: list[float], biases: list[float] = ()) -> list[Part]:  # type: ignore[assignment]
    """Items 0, 1, ... are liked, those after them disliked."""
    count = len(liked)
    person = Person(np.arange(count), np.arange(count, count + len(disliked)))
    heads = dict(zip(("meet", "judge"), ([0.0, value] for value in biases), strict=False))
    found = Contributions(
        np.array([[0.0] * count, liked]),
        np.array([[0.0] * len(disliked), disliked]),
        {head: np.array(values) for head, values in heads.items()},
    )
    return parts_of(found, person, 1)


def test_parts_are_likes_dislikes_and_biases_each_by_size() -> None:
    parts = some_parts([0.1, -0.4, 0.2], [0.05, -0.3], [1.0, -2.0])
    assert parts == [
        Part("liked", -0.4, item=1),
        Part("liked", 0.2, item=2),
        Part("liked", 0.1, item=0),
        Part("disliked", -0.3, item=4),
        Part("disliked", 0.05, item=3),
        Part("bias", -2.0, head="judge"),
        Part("bias", 1.0, head="meet"),
    ]


@QUICK
@given(VALUES, VALUES, st.lists(st.floats(-5, 5), max_size=2), st.integers(1, 12), st.integers(0, 4))
def test_printed_lines_add_up_to_the_printed_score(
    liked: list[float], disliked: list[float], biases: list[float], shown: int, digits: int
) -> None:
    parts = some_parts(liked, disliked, biases)
    lines = lines_of(parts, shown, digits)
    every = [line for mine in lines.values() for line in mine]
    unit = 10.0**-digits
    total = math.fsum(part.value for part in parts)
    assert round(sum(line.value for line in every) / unit) == pytest.approx(total / unit, abs=0.5 + 1e-6)
    # All parts are on a line, each once, and a line says what its parts are but for one in the last digit.
    assert sorted((part for line in every for part in line.parts), key=parts.index) == parts
    for line in every:
        assert abs(line.value - math.fsum(part.value for part in line.parts)) <= unit * (1 + 1e-6)
        assert round(line.value, digits) == line.value
    for kind, mine in lines.items():
        count = sum(part.kind == kind for part in parts)
        assert [line.rest for line in mine] == [False] * min(count, len(mine) - (count > shown + 1)) + [True] * (
            count > shown + 1
        )
        assert len(mine) == (shown + 1 if count > shown else count)
        sizes = [abs(line.value) for line in mine if not line.rest]
        assert sizes == sorted(sizes, reverse=True)


def test_the_rest_is_what_is_smallest() -> None:
    lines = lines_of(some_parts([0.5, -0.01, 0.02, 0.3], []), 2, 2)["liked"]
    assert [(line.value, line.rest, len(line.parts)) for line in lines] == [
        (0.5, False, 1),
        (0.3, False, 1),
        (0.01, True, 2),
    ]


@QUICK
@given(VALUES, st.integers(0, 4))
def test_rounded_values_add_up_to_the_rounded_sum(values: list[float], digits: int) -> None:
    found = rounded(values, digits)
    unit = 10.0**-digits
    assert sum(round(value / unit) for value in found) == pytest.approx(math.fsum(values) / unit, abs=0.5 + 1e-6)
    assert all(abs(a - b) < unit * (1 + 1e-6) for a, b in zip(found, values, strict=True))


def test_thirds_are_rounded_to_a_whole() -> None:
    assert sorted(rounded([1 / 3, 1 / 3, 1 / 3], 2)) == [0.33, 0.33, 0.34]
    assert rounded([], 2) == []


def test_lines_are_in_the_order_of_what_they_show() -> None:
    # So many are just above a half that one just below it is rounded away from zero, and passes a larger one.
    lines = lines_of(some_parts([0.0148, -0.0147] + [0.0055] * 10, []), 12, 2)["liked"]
    assert [line.value for line in lines[:2]] == [-0.02, 0.01]


def test_parts_as_printed_are_those_of_their_lines() -> None:
    parts = some_parts([1 / 3, 1 / 3, 1 / 3, 0.01, 0.001], [])
    lines = lines_of(parts, 3, 2)
    printed = as_printed(parts, lines)
    assert sorted(part.value for part in printed)[-3:] == sorted(line.value for line in lines["liked"] if not line.rest)
    assert [part.value for part in printed[3:]] == [0.01, 0.001]
    assert [part.item for part in printed] == [part.item for part in parts]


@pytest.mark.parametrize(
    ("liked", "disliked", "biases", "said"),
    [
        ([0.31, 0.12], [-0.08], [], "because you liked A (+0.31), B (+0.12); in spite of disliking C (-0.08)"),
        ([0.12, 0.31, 0.2], [], [], "because you liked B (+0.31), C (+0.20)"),
        ([0.31], [0.2, -0.1], [], "because you liked A (+0.31) and disliked B (+0.20); in spite of disliking C (-0.10)"),
        ([-0.2], [0.3], [], "because you disliked B (+0.30); in spite of liking A (-0.20)"),
        ([0.4, -0.09], [-0.08], [], "because you liked A (+0.40)"),  # what is against is small beside what is for
        ([-0.2, 0.001], [], [1.5, 0.2], "because of everybody's ratings (+1.70); in spite of liking A (-0.20)"),
        ([0.004], [-0.004], [-1.0], ""),
        ([], [], [], ""),
    ],
)  # fmt: skip
def test_the_reason_in_one_line(liked: list[float], disliked: list[float], biases: list[float], said: str) -> None:
    assert reason(some_parts(liked, disliked, biases), NAMES.__getitem__) == said


def test_the_reason_with_more_digits() -> None:
    assert reason(some_parts([0.0014], []), NAMES.__getitem__, 4) == "because you liked A (+0.0014)"


@pytest.mark.parametrize(
    ("values", "digits"),
    [([], 2), ([0.0], 2), ([12.0, -0.001], 2), ([0.1], 2), ([0.099], 3), ([-0.0012], 4), ([1e-9], 6)],
)
def test_digits_leave_the_largest_number_two_that_count(values: list[float], digits: int) -> None:
    assert digits_for(values) == digits


def test_signed() -> None:
    assert [signed(value, 2) for value in (0.314, -0.08, 0.001, -0.001, 0.0)] == [
        "+0.31",
        "-0.08",
        "0.00",
        "0.00",
        "0.00",
    ]
