"""Ratings that are none: what somebody wrote into the column where nobody rated, such as -1 or 99."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from pipeline.common.errors import InputError
from pipeline.data.sources.tidy import RawTable

NOT_RATED_MEANING = "Codes such as -1 that mean 'not rated': their rows are dropped"


def only_rated(interactions: RawTable, not_rated: Sequence[float]) -> tuple[RawTable, list[str]]:
    """The interactions without those whose rating is such a code, and a remark of how many they are.

    Args:
        interactions: under our names; what is no number stays, for `tidy` to name.

    Raises:
        InputError: there are likes and no ratings.
    """
    if not not_rated:
        return interactions, []
    frame, codes = interactions.frame, ", ".join(f"{code:g}" for code in not_rated)
    if "rating" not in frame.columns:
        if "like" in frame.columns:
            raise InputError(
                f"source.not_rated: found {codes}, but {interactions.file} has likes and no ratings; expected no such setting"
            )
        return interactions, []
    ratings = frame["rating"]
    if ratings.dtype.is_nested() or ratings.dtype.is_temporal():
        return interactions, []
    if isinstance(ratings.dtype, pl.Categorical | pl.Enum):
        ratings = ratings.cast(pl.String)
    # As they are stored, so that -0.1 is found as well.
    numbers = ratings.cast(pl.Float64, strict=False).cast(pl.Float32)
    rated = ~numbers.is_in(pl.Series(not_rated, dtype=pl.Float32).implode()).fill_null(False)
    lines = [interactions.line(index) for index in rated.arg_true()] if interactions.first_row else ()
    remark = (
        f"{interactions.file}: {int((~rated).sum())} of {len(frame)} interactions are left out, because their rating {codes} says that "
        "nobody rated (not_rated)"
    )
    return replace(interactions, frame=frame.filter(rated), lines=lines), [remark]
