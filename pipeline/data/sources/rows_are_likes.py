"""Interactions without a rating or a like: what somebody bought, played or clicked, a row for each time."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.common.errors import InputError
from pipeline.data.sources.tidy import RawTable

ROWS_ARE_LIKES_MEANING = (
    "There is no column rating or like: each row, such as a purchase or a click, is a like; repeated pairs count once"
)
KEY = ("user_id", "item_id")


def with_each_row_a_like(interactions: RawTable) -> tuple[RawTable, list[str]]:
    """The interactions with a column `like`, the latest of each pair of user and item, and a remark of how many were there before.

    Args:
        interactions: under our names; what has no ids stays, for `tidy` to name.

    Raises:
        InputError: there are ratings or likes.
    """
    frame = interactions.frame
    for name in ("rating", "like"):
        if name in frame.columns:
            raise InputError(
                f"source.rows_are_likes: found true, but {interactions.file} has a column {name}; expected false"
            )
    frame = frame.with_columns(like=pl.lit(value=True))
    if not set(KEY) <= set(frame.columns):
        return replace(interactions, frame=frame), []
    kept = frame.select(pl.struct(KEY).is_last_distinct() | pl.any_horizontal(pl.col(KEY).is_null())).to_series()
    if kept.all():
        return replace(interactions, frame=frame), []
    lines = [interactions.line(index) for index in kept.arg_true()] if interactions.first_row else ()
    again = f"{int((~kept).sum())} of {len(frame)} rows have a pair that a later row repeats"
    remark = f"{interactions.file}: {again}: each pair counts once"
    return replace(interactions, frame=frame.filter(kept), lines=lines), [remark]
