"""Reading the text files of published data sets: no quotes, odd separators and encodings, often no header.

Tables of numbers and ids go through polars as they are, which is fast and takes little memory. Where polars does not take
the file, or leaves a field empty, it is read again line by line, which names the first mistake or gives the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl

from pipeline.common.errors import InputError, quoted
from pipeline.data.sources.files import DataFile, refuse_endless_line
from pipeline.data.sources.tidy import RawTable

Encoding = Literal["utf-8", "latin-1", "either"]
Kind = type[pl.Int64] | type[pl.Float32] | type[pl.String]
WORDS: dict[Kind, str] = {pl.Int64: "a whole number", pl.Float32: "a number", pl.String: "a value"}
INT64 = range(-(2**63), 2**63)


def read_lines(file: DataFile, encoding: Encoding) -> list[str]:
    """The file's lines without their ends; blank ones at the end do not count.

    Args:
        encoding: `either` is UTF-8 where the bytes are UTF-8, else Latin-1.

    Raises:
        InputError: not UTF-8, where nothing else is allowed; or an empty file.
    """
    content = file.content()
    refuse_endless_line(content, str(file))
    # Not splitlines(): it also splits at characters that may stand in a title.
    lines = [line.removesuffix("\r") for line in _text(content, str(file), encoding).split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise InputError(f"{file}: found an empty file, expected lines of text")
    return lines


def _text(content: bytes, file: str, encoding: Encoding) -> str:
    if encoding == "latin-1":
        return content.decode("latin-1")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if encoding == "either":
            return content.decode("latin-1")
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{file}: line {line}: not UTF-8 text; expected the file in UTF-8") from None


def read_columns(
    file: DataFile, separator: str, columns: Mapping[str, Kind], header: Sequence[str] | None = None
) -> RawTable:
    """A table of unquoted fields, every one of them with a value.

    Args:
        separator: one character, or one character twice (MovieLens' ``::``).
        columns: our names and the types, in the file's order if it has no header.
        header: what the file's header calls them, in the order of `columns`; it may have more columns.

    Raises:
        InputError: a column is missing, or a line has too few or too many fields or one of another type.
    """
    content = file.content()
    refuse_endless_line(content, str(file))
    places, width = _places(content, str(file), separator, list(columns), header)
    frame = _at_once(content, separator, places, columns, width, skip=header is not None)
    if frame is None:
        frame = _line_by_line(content, str(file), separator, places, columns, width, skip=header is not None)
    return RawTable(frame, str(file), first_row=1 if header is None else 2)


def _places(
    content: bytes, file: str, separator: str, names: list[str], header: Sequence[str] | None
) -> tuple[dict[str, int], int]:
    """Which field each column is, and how many fields a line has."""
    if not content.strip():
        raise InputError(f"{file}: found an empty file, expected {'lines of fields' if header is None else 'a header'}")
    if header is None:
        return {name: index for index, name in enumerate(names)}, len(names)
    first = _text(content.split(b"\n", 1)[0], file, "either").strip("\r").split(separator)
    for name in header:
        if first.count(name) != 1:
            found = ", ".join(first)[:160]
            raise InputError(f"{file}: line 1: found {found}, expected a header with {', '.join(header)}")
    return {name: first.index(theirs) for name, theirs in zip(names, header, strict=True)}, len(first)


def _at_once(
    content: bytes, separator: str, places: Mapping[str, int], columns: Mapping[str, Kind], width: int, *, skip: bool
) -> pl.DataFrame | None:
    """The frame by polars' own reader; None where that does not take the file, or finds an empty field.

    polars separates at one character only: with ``::`` every second field is an empty one, which a type that takes
    nothing else holds to be empty.
    """
    step = len(separator)
    schema: dict[str, type[pl.DataType]] = {}
    for place in range(width):
        if place and step == 2:
            schema[f"column_{len(schema) + 1}"] = pl.Boolean
        schema[f"column_{len(schema) + 1}"] = pl.String
    theirs = {f"column_{place * step + 1}": name for name, place in places.items()}
    for column, name in theirs.items():
        schema[column] = columns[name]
    gaps = [column for column, dtype in schema.items() if dtype == pl.Boolean]
    wanted = [column for column in schema if column in theirs or column in gaps]
    try:
        frame = pl.read_csv(
            content,
            has_header=False,
            schema=schema,
            columns=wanted,
            separator=separator[0],
            quote_char=None,
            skip_lines=int(skip),
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    if any(frame[column].null_count() != len(frame) for column in gaps):
        return None
    frame = frame.select(list(theirs)).rename(theirs).select(list(columns))
    return None if any(column.has_nulls() for column in frame) else frame


def _line_by_line(
    content: bytes,
    file: str,
    separator: str,
    places: Mapping[str, int],
    columns: Mapping[str, Kind],
    width: int,
    *,
    skip: bool,
) -> pl.DataFrame:
    lines = _text(content, file, "utf-8").rstrip("\r\n").split("\n")
    values: dict[str, list[object]] = {name: [] for name in columns}
    for number, line in enumerate(lines, start=1):
        if skip and number == 1:
            continue
        fields = line.removesuffix("\r").split(separator)
        if len(fields) != width:
            raise InputError(f"{file}: line {number}: found {len(fields)} fields, expected {width}")
        for name, kind in columns.items():
            values[name].append(_value(fields[places[name]], kind, f"{file}: column {name}, line {number}"))
    return pl.DataFrame(values, schema=dict(columns))


def _value(text: str, kind: Kind, where: str) -> object:
    value: object = text if text.strip() else None
    if value is not None and kind is not pl.String:
        try:
            value = int(text) if kind is pl.Int64 else float(text)
        except ValueError:
            value = None
        if isinstance(value, int) and value not in INT64:
            value = None
    if value is None:
        raise InputError(f"{where}: found {quoted(text)}, expected {WORDS[kind]}")
    return value
