"""Files with an object in each line, as JSON or as Python writes it; larger than what is made of them, and so read line by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import polars as pl

from pipeline.common.errors import InputError, shortened
from pipeline.data.elements import json_or_python
from pipeline.data.sources.files import DataFile

# Rows that are held as Python's objects before they become a part of a table.
ROWS = 50_000


def objects_in(file: DataFile) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number of each line that is not blank, and what it holds.

    Raises:
        InputError: a line is neither a JSON object nor a Python one.
    """
    there = False
    for number, line in enumerate(file.lines(), start=1):
        if not line.strip():
            continue
        try:
            value = _value(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise InputError(f"{file}: line {number}: not UTF-8 text; expected the file in UTF-8") from None
        except ValueError as error:
            raise InputError(
                f"{file}: line {number}: found neither JSON nor a Python dict: {shortened(str(error))}; expected an object in each line"
            ) from None
        there = True
        yield number, value
    if not there:
        raise InputError(f"{file}: found an empty file, expected an object in each line")


def _value(line: str) -> dict[str, Any]:
    """
    Raises:
        ValueError: the line holds no object.
    """
    value = json_or_python(line)
    if not isinstance(value, dict):
        raise ValueError(f"found {type(value).__name__}")
    return value


def frame_of(rows: Iterable[tuple[Any, ...]], schema: Mapping[str, Any]) -> pl.DataFrame:
    """A table of rows that come one by one, of which few are held as Python's objects at once."""
    found, parts = iter(rows), [pl.DataFrame(schema=dict(schema))]
    while part := list(islice(found, ROWS)):
        parts.append(pl.DataFrame(part, schema=dict(schema), orient="row"))
    return pl.concat(parts)


def needed(value: Mapping[str, Any], key: str, kinds: tuple[type, ...], where: str) -> Any:
    """What an object holds under a key.

    Raises:
        InputError: nothing, or something of another kind.
    """
    found = value.get(key)
    if not isinstance(found, kinds) or found == "":
        expected = "a number" if float in kinds else "a text"
        raise InputError(f"{where}: key {key}: found {shortened(repr(found), 40)}, expected {expected}")
    return found
