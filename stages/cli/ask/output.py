"""What a verb answers, as a table to read or in a form that programs read, to the screen or a file."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.common.errors import InputError, printable
from pipeline.common.files import write_users_file

# A table that goes to a file or another program is not broken into lines.
UNBROKEN = 10_000


@dataclass(frozen=True)
class Answer:
    """
    Attributes:
        text: for people.
        record: everything, for JSON.
        rows: for CSV and Parquet.
    """

    text: str
    record: dict[str, Any]
    rows: pl.DataFrame

    def give(self, form: str, output: Path | None) -> None:
        """Print it, or write it to a file, as `write_users_file` does.

        Raises:
            InputError: Parquet without a file, or a file that cannot be written.
        """
        if form == "parquet" and output is None:
            raise InputError("--format parquet: found no --output, expected a file: Parquet cannot be printed")
        content = self._as(form)
        if output is None:
            sys.stdout.write(content.decode())
            return
        try:
            write_users_file(output, content)
        except OSError as error:
            raise InputError(f"--output {output}: cannot be written: {error.strerror}") from None

    def _as(self, form: str) -> bytes:
        if form == "table":
            return printable(self.text).encode()
        if form == "json":
            return (json.dumps(self.record, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
        if form == "csv":
            return self.rows.write_csv().encode()
        buffer = io.BytesIO()
        self.rows.write_parquet(buffer)
        return buffer.getvalue()


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Aligned columns; the last one breaks where a terminal is too narrow for it.

    Args:
        headings: of the columns.
        rows: of cells.
        right: headings of columns that are aligned to the right: numbers.
    """
    laid_out = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, heading in enumerate(headings):
        last = place == len(headings) - 1
        laid_out.add_column(heading, justify="right" if heading in right else "left", no_wrap=not last)
    for row in rows:
        # As `Text`: brackets in a title are no markup.
        laid_out.add_row(*map(Text, row))
    buffer = io.StringIO()
    Console(file=buffer, width=_width(), color_system=None, emoji=False, highlight=False).print(laid_out)
    return "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())


def columns(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Lines of a text and a number each, the numbers one below the other."""
    width = max(cell_len(text) for text, _ in rows)
    digits = max(len(number) for _, number in rows)
    return [f"{text}{' ' * (width - cell_len(text))}  {number:>{digits}}" for text, number in rows]


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() or "COLUMNS" in os.environ else UNBROKEN
