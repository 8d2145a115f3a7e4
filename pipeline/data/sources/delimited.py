"""Reading one table from a file, with errors that name file, line and column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from pipeline.common.errors import InputError, shortened
from pipeline.common.errors import quoted as quoted_text
from pipeline.data.sources.files import PACKED, content_of, refuse_endless_line
from pipeline.data.sources.json_lines import read_json_lines
from pipeline.data.sources.parquet import read_parquet, read_parts
from pipeline.data.sources.tidy import RawTable

RENAME_MEANING = "Maps column names in the files to names that the pipeline knows; `TABLE.COLUMN`, such as `items.id`, for one table only"
SEPARATORS = {".csv": ",", ".tsv": "\t"}
# Where one of the first three is there, the others beside it are not read.
PLAIN = (".parquet", *SEPARATORS)
UNPACKED = (*PLAIN, ".jsonl")
ENDINGS = (*UNPACKED, *(f"{ending}{PACKED}" for ending in (*SEPARATORS, ".jsonl")))
# In front of a header, as Excel writes and reads it.
SAYS_SEPARATOR = re.compile(r'"?sep=.?"?[;,\t|]*', re.IGNORECASE)
# What else stands between fields, the first that a header has.
MARKS = ("\t", ";", "|", ",")


def read_delimited(content: bytes, file: str, separator: str, *, quoted: bool | None) -> RawTable:
    """A delimited text table with a header line, every column a string; empty fields are missing values.

    Args:
        quoted: fields may be wrapped in double quotes (CSV), or a quote is a character like any other (RecBole's files). None: the one or
            the other, as the quotes have it (TSV: some programs quote, and published files hold titles with quotes that are none).

    Raises:
        InputError: not UTF-8, no header, a column twice, a line with another number of fields than the header, or quotes that do not
            work out.
    """
    refuse_endless_line(content, file)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{file}: line {line}: not UTF-8 text; expected the file in UTF-8") from None
    if "\r\r\n" in text:
        line = text.split("\r\r\n", 1)[0].count("\n") + 1
        raise InputError(
            f"{file}: line {line}: found the line ending \\r\\r\\n, expected \\n or \\r\\n; a program that writes CSV should open the file "
            "without translating line ends (Python: newline='')"
        )
    text = text.rstrip("\r\n")
    if not text.strip():
        raise InputError(f"{file}: found an empty file, expected a header line")
    _refuse_another_separator(text, file, separator)
    if quoted is None:
        quoted = _is_quoted(text, separator)
        if not quoted:
            return _of_unquoted(text, file, separator)
    lines = _check_fields(_quoted(text, file, separator) if quoted else _plain(text, separator), file)
    try:
        frame = pl.read_csv(text.encode(), separator=separator, quote_char='"' if quoted else None, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        if not quoted:
            raise InputError(f"{file}: not a readable table: {' '.join(str(error).split())[:160]}") from None
        frame = pl.DataFrame()
    if quoted and len(frame) != len(lines):
        # Quotes in the middle of a field, which are none, confuse polars.
        frame = _frame_of(_quoted(text, file, separator))
    is_by_line = not lines or lines[-1] == len(lines) + 1
    return RawTable(frame, file, first_row=2, lines=[] if is_by_line else lines)


def _is_quoted(text: str, separator: str) -> bool:
    """Whether every quote with which a field begins ends one, without rows between the two.

    A text may have several lines, which have no separator then: a line that has one is a row, and its quotes are those of titles.
    """
    if not text.startswith('"') and f'{separator}"' not in text and '\n"' not in text:
        return False
    rows = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    try:
        header = next(rows)
        return all(
            len(fields) == len(header)
            and not any("\n" in field and (separator in field or len(header) == 1) for field in fields)
            for fields in rows
        )
    except csv.Error:
        return False


def _of_unquoted(text: str, file: str, separator: str) -> RawTable:
    """A table in which quotes are characters like any other.

    Raises:
        InputError: as `read_delimited`.
    """
    header, line_end, rows = text.partition("\n")
    names = header.removesuffix("\r").split(separator)
    if all(len(name) > 1 and name[0] == name[-1] == '"' for name in names):
        text = separator.join(name[1:-1] for name in names) + line_end + rows
    try:
        return read_delimited(text.encode(), file, separator, quoted=False)
    except InputError as error:
        if '"' not in text:
            raise
        raise InputError(f"{error}; quotes are read as plain characters, because not all of them are closed") from None


def _frame_of(rows: Iterator[tuple[int, list[str]]]) -> pl.DataFrame:
    _, header = next(rows)
    values = [[field or None for field in fields] for _, fields in rows]
    return pl.DataFrame(values, schema=dict.fromkeys(header, pl.String), orient="row")


def _refuse_another_separator(text: str, file: str, separator: str) -> None:
    """By the header, which has no texts: rows may have the expected one in their values.

    Raises:
        InputError: the header is one field with another separator in it, or a line that says the separator to a spreadsheet.
    """
    header = text.split("\n", 1)[0].removesuffix("\r")
    if SAYS_SEPARATOR.fullmatch(header):
        raise InputError(
            f"{file}: line 1: found {quoted_text(header)}, which is for spreadsheets only, expected the header"
        )
    if separator in header:
        return
    for mark in MARKS:
        if mark in header:
            raise InputError(f"{file}: line 1: the fields look separated by {mark!r}, expected {separator!r}")


def _plain(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    # Not splitlines(): it also splits at characters that may stand in a title.
    for number, line in enumerate(text.split("\n"), start=1):
        yield number, line.removesuffix("\r").split(separator)


def _quoted(text: str, file: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    start = 1
    try:
        for fields in rows:
            yield start, fields or [""]
            start = rows.line_num + 1
    except csv.Error as error:
        raise InputError(f"{file}: line {start}: not a readable table: {error}") from None


def _check_fields(rows: Iterator[tuple[int, list[str]]], file: str) -> list[int]:
    """The line that each row starts on."""
    _, header = next(rows)
    for name in header:
        if header.count(name) > 1:
            raise InputError(f"{file}: line 1: found column {shortened(name)} twice, expected it once")
    lines, wrong = [], []
    for number, fields in rows:
        if len(fields) != len(header):
            wrong.append((number, len(fields)))
        lines.append(number)
    if wrong:
        number, count = wrong[0]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise InputError(f"{file}: line {number}: found {count} fields, expected {len(header)} as in the header{more}")
    return lines


def ending_of(name: str) -> str:
    """Which of `ENDINGS` a file's name has; an empty text where it is none."""
    return next((ending for ending in ENDINGS if name.endswith(ending)), "")


def read_table(path: Path) -> RawTable:
    """A table from a file, by its ending, or from a folder of parts that ends in .parquet.

    Raises:
        InputError: it cannot be read as what its ending says.
    """
    ending = ending_of(path.name)
    if path.is_dir():
        if ending != ".parquet":
            raise InputError(f"{path}: found a folder, expected a file; parts are read where they are Parquet")
        return read_parts(path)
    return read_table_of(content_of(path) if ending else b"", str(path), ending.removesuffix(PACKED) or path.suffix)


def read_table_of(content: bytes, file: str, ending: str) -> RawTable:
    """As `read_table`, of a file's content, which may come out of a zip.

    Raises:
        InputError: the content is not what the ending says.
    """
    if ending == ".parquet":
        return read_parquet(content, file)
    if ending == ".jsonl":
        return read_json_lines(content, file)
    if ending not in SEPARATORS:
        raise InputError(f"{file}: found the ending {ending!r}, expected one of {', '.join(UNPACKED)}")
    return read_delimited(content, file, SEPARATORS[ending], quoted=True if ending == ".csv" else None)


def renamed(table: RawTable, columns: Mapping[str, str]) -> RawTable:
    """The table with its columns under our names.

    Raises:
        InputError: two columns would get the same name.
    """
    names = {old: new for old, new in columns.items() if old in table.frame.columns}
    result = [names.get(name, name) for name in table.frame.columns]
    for name in result:
        if result.count(name) > 1:
            raise InputError(f"{table.file}: column {name}: found twice after renaming, expected once")
    return replace(table, frame=table.frame.rename(names))


def all_renamed(
    tables: Mapping[str, RawTable], columns: Mapping[str, str], *, known: bool = True
) -> dict[str, RawTable]:
    """The tables of a source with their columns under our names.

    Args:
        tables: by name, which may stand before a column's: ``items.id`` is the column ``id`` of the items alone.
        known: a name that no table has is a mistake.

    Raises:
        InputError: a name to rename is in none of the tables, or two columns of one would get the same name.
    """
    of_tables = {name: names_for(name, table, columns) for name, table in tables.items()}
    used = {given for names in of_tables.values() for given in names.values()}
    for name in columns if known else ():
        if name not in used:
            found = {column for table in tables.values() for column in table.frame.columns}
            raise InputError(
                f"source.rename: found {quoted_text(name)}, expected some of the files' columns: {shortened(', '.join(sorted(found)))}"
            )
    try:
        return {
            name: renamed(table, {column: columns[given] for column, given in of_tables[name].items()})
            for name, table in tables.items()
        }
    except InputError as error:
        raise InputError(f"{error}; items.id, for example, renames the column id of the items only") from None


def names_for(name: str, table: RawTable, columns: Mapping[str, str]) -> dict[str, str]:
    """The table's columns that are to be renamed, each with what names it: itself, or before that with the table's name."""
    given = {column: (f"{name}.{column}", column) for column in table.frame.columns}
    return {
        column: next(way for way in ways if way in columns)
        for column, ways in given.items()
        if any(way in columns for way in ways)
    }
