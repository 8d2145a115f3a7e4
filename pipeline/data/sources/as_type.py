"""Values of one table as the type that another table has for them."""

from __future__ import annotations

import polars as pl


def as_type(column: pl.Series, kind: pl.DataType) -> pl.Series:
    """The values in a type; null where one is none of it, or would be another value in it.

    Texts may be dates (2024-01-31), times (2024-01-31 10:30:00), and true or false, as CSV and JSON write them; no number is a date.
    """
    nothing = pl.Series(column.name, [None] * len(column), dtype=kind)
    try:
        if column.dtype == pl.String and kind == pl.Date:
            return column.str.to_date("%Y-%m-%d", strict=False)
        if column.dtype == pl.String and isinstance(kind, pl.Datetime):
            times = column.str.to_datetime(time_unit=kind.time_unit, time_zone=kind.time_zone, strict=False)
            return times.cast(kind)
        if column.dtype == pl.String and kind == pl.Boolean:
            return column.str.to_lowercase().replace_strict(
                ["true", "false"], [True, False], default=None, return_dtype=pl.Boolean
            )
        if column.dtype.is_numeric() and kind.is_temporal():
            return nothing
        found = column.cast(kind, strict=kind.is_nested())
    except pl.exceptions.PolarsError:
        return nothing
    if column.dtype.is_float() and kind.is_integer():
        return found.to_frame().select(pl.when(found.cast(column.dtype) == column).then(pl.col(column.name)))[
            column.name
        ]
    return found
