"""Reading one table from a file, with errors that name file, line and column."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from pipeline.errors import InputError
from pipeline.sources.tidy import RawTable


def read_delimited(content: bytes, file: str, separator: str, *, quoted: bool) -> RawTable:
    """A delimited text table with a header line, every column a string; empty fields are missing values.

    Args:
        quoted: fields may be wrapped in double quotes (CSV), or a quote is a character like any other (RecBole's files).

    Raises:
        InputError: not UTF-8, no header, or a line with another number of fields than the header.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{file}: line {line}: not UTF-8 text; expected the file in UTF-8") from None
    if not text.strip():
        raise InputError(f"{file}: found an empty file, expected a header line")
    if not quoted:
        _check_field_counts(text, file, separator)
    try:
        frame = pl.read_csv(text.encode(), separator=separator, quote_char='"' if quoted else None, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{file}: not a readable table: {' '.join(str(error).split())[:160]}") from None
    return RawTable(frame, file, first_row=2)


def _check_field_counts(text: str, file: str, separator: str) -> None:
    lines = text.splitlines()
    expected = lines[0].count(separator) + 1
    for number, line in enumerate(lines[1:], start=2):
        if line and line.count(separator) + 1 != expected:
            raise InputError(
                f"{file}: line {number}: found {line.count(separator) + 1} fields, expected {expected} as in the header"
            )


def read_table(path: Path) -> RawTable:
    """A table from a Parquet, CSV or TSV file, by its ending.

    Raises:
        InputError: the file cannot be read as what its ending says.
    """
    if path.suffix == ".parquet":
        try:
            return RawTable(pl.read_parquet(path.read_bytes()), str(path))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"{path}: not a readable Parquet file: {' '.join(str(error).split())[:160]}") from None
    separator = {".csv": ",", ".tsv": "\t"}[path.suffix]
    return read_delimited(path.read_bytes(), str(path), separator, quoted=True)


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
    return RawTable(table.frame.rename(names), table.file, table.first_row)
