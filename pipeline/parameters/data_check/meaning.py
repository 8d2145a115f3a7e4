"""What the numbers in somebody's column `rating` mean: a scale with or without codes for no rating, or counts."""

from __future__ import annotations

import itertools

import polars as pl

from pipeline.parameters.data_check.suggestions import Threshold, shortest

# A code stands so many of the scale's widest steps away from it, and has such a share of the ratings.
STEPS_AWAY, FEWEST_HIGH, FEWEST_OTHERS = 3, 0.01, 0.05
# Two negative numbers below a scale of others may both be codes (not seen, not rated); three are a part of the scale.
MOST_NEGATIVE = 2
# However few there are; a number that nobody uses as a code may be a slip.
LOWEST_USUAL = -2
# Counts: more different ones than a scale of ten has, and the highest many times what is usual.
FEWEST_COUNTS, HIGHEST_OF_A_SCALE, TAIL = 10, 10, 5
# Of counts that are mostly 1.
FEWEST_SMALL_COUNTS = 6


def codes_for_no_rating(ratings: pl.Series) -> list[float]:
    """Values that are no ratings but say that there is none: -1 below a scale from 0 or 1, 99 far above one, 0 apart from one.

    Args:
        ratings: as they are stored, none missing.
    """
    table = ratings.value_counts().sort(ratings.name)
    shares = {float(value): count / len(ratings) for value, count in table.iter_rows()}
    negative = [value for value in shares if value < 0]
    scale = [value for value in shares if value >= 0]
    found = []
    if len(negative) <= MOST_NEGATIVE and len(scale) > 1:
        # -1 beside 0 and 1 is a dislike: the scale has to reach further up than a code lies below.
        found = [
            value
            for value in negative
            if value.is_integer()
            and (scale[-1] > 2 * abs(value) or abs(value) > scale[-1])
            # A slip of the hand is no code.
            and (value >= LOWEST_USUAL or _of_nines(value) or shares[value] >= FEWEST_OTHERS)
        ]
    scale = [value for value in shares if value not in found]
    for value, others in ((scale[0], scale[1:]), (scale[-1], scale[:-1])):
        if len(others) > 1 and _of_nines(value) and shares[value] >= FEWEST_HIGH:
            away = min(abs(value - other) for other in others)
            if away >= STEPS_AWAY * _widest_step(others):
                found.append(value)
    scale = [value for value in shares if value not in found]
    if scale[0] == 0 and len(scale) > 2 and shares[0] >= FEWEST_OTHERS and scale[1] > _widest_step(scale[1:]):
        found.append(0.0)
    return sorted(found)


def _of_nines(value: float) -> bool:
    return value.is_integer() and set(f"{abs(value):.0f}") == {"9"}


def _widest_step(values: list[float]) -> float:
    return max(after - before for before, after in itertools.pairwise(values))


def are_counts(ratings: pl.Series) -> bool:
    """Whether ratings look like counts (plays, clicks, hours): many different ones, none below 0, a few far above what is usual.

    Args:
        ratings: as they are stored, none missing, without codes for no rating.
    """
    table = ratings.value_counts().sort(ratings.name)
    values, counts = table[ratings.name], table["count"]
    positive = ratings.filter(ratings > 0).cast(pl.Float64)
    if values[0] < 0 or positive.is_empty():
        return False
    usual, high = float(positive.median()), float(positive.quantile(0.98))  # type: ignore[arg-type]
    if len(values) >= FEWEST_COUNTS and high > HIGHEST_OF_A_SCALE and high >= TAIL * usual:
        return True
    # Mostly 1, and the more the rarer: nobody gives stars like this.
    first = counts.filter(values > 0).head(FEWEST_SMALL_COUNTS - 1)
    whole = bool((values == values.round()).all())
    falling = bool((first.diff().drop_nulls() < 0).all())
    return whole and len(values) >= FEWEST_SMALL_COUNTS and usual == 1 and falling


def like_of_counts(ratings: pl.Series) -> Threshold:
    """Every count is a like: from 1 on, or from the lowest above 0 where they are no whole numbers (hours)."""
    positive = ratings.filter(ratings > 0)
    whole = bool((positive == positive.round()).all())
    return Threshold(1.0 if whole else shortest(float(positive.min())), "a count; each row is a like")  # type: ignore[arg-type]
