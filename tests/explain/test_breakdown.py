from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.explain.breakdown import Contribution, as_printed, by_size, digits_for, lines_of, why
from pipeline.explain.contributions import Contributions
from pipeline.users.people import Person

QUICK = settings(deadline=None, max_examples=200, derandomize=True)
VALUES = st.lists(st.floats(-50, 50), max_size=30)
NAMES = "ABCDEFGHIJ"


def some_parts(liked: list[float], disliked: list[float], biases: list[float] = ()) -> list[Contribution]:  # type: ignore[assignment]
    """Items 0, 1, ... are liked, those after them disliked."""
    count = len(liked)
    person = Person(np.arange(count), np.arange(count, count + len(disliked)))
    heads = dict(zip(("meet", "judge"), ([0.0, value] for value in biases), strict=False))
    found = Contributions(
        np.array([[0.0] * count, liked]),
        np.array([[0.0] * len(disliked), disliked]),
        {head: np.array(values) for head, values in heads.items()},
        {},
        {},
    )
    return by_size(found, person, 1)


def test_parts_are_likes_dislikes_and_biases_each_by_size() -> None:
    parts = some_parts([0.1, -0.4, 0.2], [0.05, -0.3], [1.0, -2.0])
    assert parts == [
        Contribution("like", -0.4, item=1),
        Contribution("like", 0.2, item=2),
        Contribution("like", 0.1, item=0),
        Contribution("dislike", -0.3, item=4),
        Contribution("dislike", 0.05, item=3),
        Contribution("bias", -2.0, head="judge"),
        Contribution("bias", 1.0, head="meet"),
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
    assert sorted((part for line in every for part in line.contributions), key=parts.index) == parts
    for line in every:
        assert abs(line.value - math.fsum(part.value for part in line.contributions)) <= unit * (1 + 1e-6)
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
    lines = lines_of(some_parts([0.5, -0.01, 0.02, 0.3], []), 2, 2)["like"]
    assert [(line.value, line.rest, len(line.contributions)) for line in lines] == [
        (0.5, False, 1),
        (0.3, False, 1),
        (0.01, True, 2),
    ]


def test_lines_are_in_the_order_of_what_they_show() -> None:
    # So many are just above a half that one just below it is rounded away from zero, and passes a larger one.
    lines = lines_of(some_parts([0.0148, -0.0147] + [0.0055] * 10, []), 12, 2)["like"]
    assert [line.value for line in lines[:2]] == [-0.02, 0.01]


@QUICK
@given(VALUES, VALUES, st.lists(st.floats(-5, 5), max_size=2), st.integers(1, 12), st.integers(0, 4))
def test_contributions_as_printed_add_up_to_every_line(
    liked: list[float], disliked: list[float], biases: list[float], shown: int, digits: int
) -> None:
    parts = some_parts(liked, disliked, biases)
    lines = lines_of(parts, shown, digits)
    printed = {(one.kind, one.item, one.head): one.value for one in as_printed(lines)}
    assert printed.keys() == {(part.kind, part.item, part.head) for part in parts}
    for line in (line for mine in lines.values() for line in mine):
        values = [printed[one.kind, one.item, one.head] for one in line.contributions]
        assert math.fsum(values) == pytest.approx(line.value, abs=1e-9)
        # But for one, those on a line of several are what they were.
        assert values[:-1] == [one.value for one in line.contributions[:-1]]


def test_the_sentence_has_what_the_lines_print_and_adds_up_to_their_sum() -> None:
    lines = lines_of(some_parts([1 / 3, 1 / 3, 1 / 3, 0.01, 0.001], [-0.2, 0.05], [1.5, -0.3]), 3, 2)
    score = 1 + 0.011 - 0.15 + 1.2
    assert why(as_printed(lines), score, NAMES.__getitem__, 2) == (
        "because you liked A (+0.34), B (+0.33) and 3 others (+0.34); in spite of your disliking F (-0.20) and 1 other (+0.05); "
        "for anybody (+1.20)"
    )
    assert sum(line.value for mine in lines.values() for line in mine) == pytest.approx(0.34 + 0.33 + 0.34 - 0.15 + 1.2)


@pytest.mark.parametrize(
    ("values", "digits"),
    [([], 2), ([0.0], 2), ([12.0, -0.001], 2), ([0.1], 2), ([0.099], 3), ([-0.0012], 4), ([1e-9], 6)],
)
def test_digits_leave_the_largest_number_two_that_count(values: list[float], digits: int) -> None:
    assert digits_for(values) == digits
