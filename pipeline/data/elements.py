"""What a column of items holds, whatever its type: numbers, or lists of values. Text may be the one or the other.

| column | values |
|---|---|
| lists; JSON or Python lists in text | the elements; of objects with a `name` the names |
| text with `|` or `;` in it | the parts |
| text with `,` in it | the parts, where they repeat more than the texts do ("Drama, Comedy", and not "King, Stephen") |
| any other | as it is |
"""

from __future__ import annotations

import json
import math
from ast import literal_eval
from collections.abc import Sequence
from typing import Any

import polars as pl

# Parts between commas are values where there are at most so many for each text.
PARTS_PER_TEXT = 0.75


def elements_of(column: pl.Series, like: pl.Series | None = None) -> pl.Series | None:
    """A list of texts for each row; an empty one, or null, where there is no value.

    Args:
        like: another column of the kind, which tells what parts the values of a text; the column itself, if not given.

    Returns:
        None where the column holds neither texts, numbers, dates nor lists of these.
    """
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if isinstance(column.dtype, pl.List):
        return trimmed(pl.Series([_names(row) for row in column.to_list()], dtype=pl.List(pl.String)))
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object, pl.Duration):
        return None
    numbers = numbers_of(column)
    if numbers is not None:
        return trimmed(one_each(as_texts(numbers)))
    texts = column.cast(pl.String).str.strip_chars()
    lists = _written_lists(texts)
    if lists is not None:
        return trimmed(lists)
    separator = _separator(texts if like is None else like.cast(pl.String))
    return trimmed(one_each(texts) if separator is None else texts.str.split(separator))


def as_texts(numbers: pl.Series) -> pl.Series:
    """Null for what is no finite number."""
    return pl.Series(
        [None if one is None or not math.isfinite(one) else f"{one:.15g}" for one in numbers], dtype=pl.String
    )


def one_each(values: pl.Series) -> pl.Series:
    return values.reshape((-1, 1)).arr.to_list()


def trimmed(values: pl.Series) -> pl.Series:
    trimmed = pl.element().str.strip_chars()
    return values.list.eval(trimmed.filter(trimmed.is_not_null() & (trimmed != "")))


def numbers_of(column: pl.Series) -> pl.Series | None:
    """The column as numbers; None where it is one of anything else."""
    if column.dtype.is_numeric():
        return column.cast(pl.Float64)
    if column.dtype != pl.String:
        return None
    texts = column.str.strip_chars()
    texts = texts.set(texts == "", None)
    numbers = texts.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == texts.null_count() < len(texts) else None


def _written_lists(texts: pl.Series) -> pl.Series | None:
    """The lists that texts are the JSON or the Python of; None where one of them is none."""
    there = texts.drop_nulls().filter(texts.drop_nulls() != "")
    if there.is_empty() or not there.str.starts_with("[").all():
        return None
    found = []
    for text in texts:
        try:
            found.append(_names(_list_in(text)) if text else [])
        # Names of a list in lists without end.
        except (ValueError, RecursionError):
            return None
    return pl.Series(found, dtype=pl.List(pl.String))


def _list_in(text: str) -> list[Any]:
    """
    Raises:
        ValueError: the text is no list.
    """
    found = json_or_python(text)
    if not isinstance(found, list):
        raise ValueError(text)
    return found


def json_or_python(text: str) -> Any:
    """What a text says in JSON, or in Python: lists, objects, texts, numbers.

    Raises:
        ValueError: it is neither, or has a half of a character.
    """
    try:
        found = json.loads(text)
    # Or lists in lists without end.
    except (ValueError, RecursionError):
        try:
            found = literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise ValueError(str(error)) from None
    if "\\" in text:
        refuse_halves(found)
    return found


def refuse_halves(found: Any) -> None:
    """
    Raises:
        ValueError: a text in it has a half of a character (a lone surrogate), which cannot be written anywhere.
    """
    if isinstance(found, str):
        found.encode()
    elif isinstance(found, dict):
        refuse_halves([*found, *found.values()])
    elif isinstance(found, list | tuple | set):
        for each in found:
            refuse_halves(each)


def _names(values: Sequence[Any] | None) -> list[str | None]:
    """The elements of a list, lists in it unfolded, as texts; of an object its name."""
    found: list[str | None] = []
    for value in values or ():
        if isinstance(value, list | tuple):
            found += _names(value)
        elif isinstance(value, dict):
            found.append(None if value.get("name") is None else str(value["name"]))
        elif value is not None:
            found.append(str(value))
    return found


def _separator(texts: pl.Series) -> str | None:
    """What parts the values of a text; None: nothing does."""
    for separator in ("|", ";"):
        if texts.str.contains(separator, literal=True).any():
            return separator
    parts = texts.str.split(",").explode().str.strip_chars().n_unique()
    return "," if parts <= PARTS_PER_TEXT * texts.n_unique() else None
