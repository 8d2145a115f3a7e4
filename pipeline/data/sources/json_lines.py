"""Reading a table from JSON lines: one object a line, its keys the columns."""

from __future__ import annotations

import io
import json

import polars as pl

from pipeline.common.errors import InputError, shortened
from pipeline.data.sources.files import refuse_endless_line
from pipeline.data.sources.tidy import RawTable

BOM = b"\xef\xbb\xbf"


def read_json_lines(content: bytes, file: str) -> RawTable:
    """Every key that some line has is a column; a line without it has no value there.

    Raises:
        InputError: a line is no JSON object, or a key has values that no one type can hold.
    """
    refuse_endless_line(content, file)
    content = content.removeprefix(BOM)
    lines = content.rstrip().split(b"\n")
    if not any(line.strip() for line in lines):
        raise InputError(f"{file}: found an empty file, expected an object in each line")
    try:
        frame = pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        _refuse_first_that_is_none(lines, file)
        what = shortened(" ".join(str(error).split()))
        raise InputError(f"{file}: the lines make no table: {what}; expected values of one type for each key") from None
    filled = [number for number, line in enumerate(lines, start=1) if line.strip()]
    return RawTable(frame, file, first_row=1, lines=filled if len(filled) < len(lines) else ())


def _refuse_first_that_is_none(lines: list[bytes], file: str) -> None:
    expected = 'expected an object in each line, such as {"item_id": 7, "title": "Heat"}'
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_not_json)
        except UnicodeDecodeError:
            raise InputError(f"{file}: line {number}: not UTF-8 text; expected the file in UTF-8") from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file}: line {number}: not JSON: {shortened(str(error))}; {expected}") from None
        if not isinstance(value, dict):
            raise InputError(f"{file}: line {number}: found {shortened(json.dumps(value), 40)}, {expected}")


def _not_json(name: str) -> float:
    raise ValueError(f"found {name}, expected null where there is no number")
