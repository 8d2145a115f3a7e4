"""Reading a table from JSON lines: one object a line, its keys the columns."""

from __future__ import annotations

import io
import json

import polars as pl

from pipeline.common.errors import InputError, quoted, shortened
from pipeline.data.elements import refuse_halves
from pipeline.data.sources.files import refuse_endless_line
from pipeline.data.sources.tidy import RawTable

BOM = b"\xef\xbb\xbf"
EXPECTED = 'expected an object in each line, such as {"item_id": 7, "title": "Heat"}'
# A half of a character: polars makes the same text of any of them.
HALF = r"\\u[dD][89a-fA-F]"
# Lines that are looked through at once.
CHUNK = 100_000


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
        raise InputError(
            f"{file}: the lines do not make a table: {what}; expected values of one type for each key"
        ) from None
    _refuse_what_polars_takes_without_a_word(lines, frame.columns, file)
    filled = [number for number, line in enumerate(lines, start=1) if line.strip()]
    return RawTable(frame, file, first_row=1, lines=filled if len(filled) < len(lines) else ())


def _refuse_first_that_is_none(lines: list[bytes], file: str) -> None:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            _refuse(line, f"{file}: line {number}")


def _refuse_what_polars_takes_without_a_word(lines: list[bytes], keys: list[str], file: str) -> None:
    """Of a key that is there twice it takes the first value."""
    twice = [f'"{pl.escape_regex(json.dumps(key, ensure_ascii=False)[1:-1])}"\\s*:' for key in keys]
    for start in range(0, len(lines), CHUNK):
        text = pl.Series(lines[start : start + CHUNK], dtype=pl.Binary).cast(pl.String, strict=False)
        odd = text.str.contains(HALF)
        for pattern in twice:
            # Within an object of the line it may be there as well.
            odd |= text.str.count_matches(pattern) > 1
        for place in odd.fill_null(True).arg_true().to_list():
            _refuse(lines[start + place], f"{file}: line {start + place + 1}")


def _refuse(line: bytes, where: str) -> None:
    """
    Raises:
        InputError: it is no object with each key once and whole characters.
    """
    try:
        value = json.loads(line, parse_constant=_not_json, object_pairs_hook=_each_key_once)
        refuse_halves(value)
    except UnicodeDecodeError:
        raise InputError(f"{where}: not UTF-8 text; expected the file in UTF-8") from None
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise InputError(f"{where}: found {half}, which is half of a character; expected both of its halves") from None
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON: {shortened(str(error))}; {EXPECTED}") from None
    if not isinstance(value, dict):
        raise InputError(f"{where}: found {shortened(json.dumps(value), 40)}, {EXPECTED}")


def _each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        name = next(name for name in names if names.count(name) > 1)
        raise InputError(f"found the key {quoted(name)} twice, expected it once")
    return found


def _not_json(name: str) -> float:
    raise ValueError(f"found {name}, expected null where there is no number")
