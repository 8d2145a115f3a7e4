"""Texts that are dates and times."""

from __future__ import annotations

import polars as pl

ISO_TIME = (
    r"^\s*(?P<day>\d{4}-\d{2}-\d{2})(?:[T ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:\.\d+)?))?"
    r"\s*(?:Z|UTC|(?P<sign>[+-])(?P<oh>\d{2}):?(?P<om>\d{2})?)?)?\s*$"
)


def seconds_of(texts: pl.Series) -> pl.Series:
    """Seconds since 1970 of dates and times as ISO 8601 has them, in UTC where they say no other; null where one is none."""
    part = texts.str.extract_groups(ISO_TIME).struct.unnest()
    number = {name: part[name].cast(pl.Float64, strict=False) for name in ("hour", "minute", "second", "oh", "om")}
    day = part["day"].str.to_date("%Y-%m-%d", strict=False)
    known = {name: values.fill_null(0.0) for name, values in number.items()}
    offset = (known["oh"] * 60 + known["om"]) * 60 * part["sign"].replace_strict({"-": -1.0}, default=1.0)
    seconds = (known["hour"] * 60 + known["minute"]) * 60 + known["second"] - offset
    possible = (known["hour"] < 24) & (known["minute"] < 60) & (known["second"] < 61)
    return (day.dt.epoch("d") * 86400.0 + seconds).set(~possible, None)
