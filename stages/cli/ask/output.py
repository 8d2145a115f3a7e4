"""What a verb answers, as a table to read or in a form that programs read, to the screen or a file."""

from __future__ import annotations

import io
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

from pipeline.common.errors import InputError, as_json, printable
from pipeline.common.files import FULL, write_users_file
from pipeline.parameters.params import read_parameters
from stages import PARAMS
from stages.guard import show

# A table that goes to a file or another program is not broken into lines.
UNBROKEN = 10_000
# Where DVC keeps what stages wrote, and would take anything else for a change of it; `added` has the tables of `crmman items`.
OF_STAGES = ("artifacts", "metrics", "plots", "added")
# How a text starts that a spreadsheet would compute; some know the wide forms as well.
FORMULA = "^[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"


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

    def give(self, form: str, output: Path | None, quote_formulas: bool) -> None:
        """Print it, or write it to a file, as `write_users_file` does.

        Args:
            quote_formulas: of CSV, texts that a spreadsheet would compute have a quote before them.

        Raises:
            InputError: Parquet without a file, a file that cannot be written, or one in a folder that DVC watches.
            OSError: its disk is full.
        """
        if form == "parquet" and output is None:
            raise InputError("--format parquet: found no --output, expected a file: Parquet cannot be printed")
        if output is not None:
            _refuse_what_dvc_watches(output)
        content = self._as(form, quote_formulas)
        if output is None:
            text = content.decode()
            # Another program gets what the data have.
            show(text, end="") if sys.stdout.isatty() or form != "csv" else sys.stdout.write(text)
            return
        try:
            write_users_file(output, content)
        except OSError as error:
            if error.errno in FULL:
                # The machine's, and not the user's mistake.
                raise OSError(error.errno, error.strerror, str(output)) from None
            raise InputError(f"--output {output}: cannot be written: {error.strerror}") from None

    def _as(self, form: str, quote_formulas: bool) -> bytes:
        if form == "table":
            return printable(self.text).encode()
        if form == "json":
            return f"{as_json(self.record)}\n".encode()
        if form == "csv":
            return (with_quoted_formulas(self.rows) if quote_formulas else self.rows).write_csv().encode()
        buffer = io.BytesIO()
        self.rows.write_parquet(buffer)
        return buffer.getvalue()


def _refuse_what_dvc_watches(output: Path) -> None:
    """Refuse folders of the stages, and the tables of a data set: their own would be written over, and any other be a change of them."""
    # Not `Path.resolve`, which raises an error of its own for links that go in a circle.
    written = Path(os.path.realpath(output))
    for folder in OF_STAGES:
        if Path(folder).resolve() in written.parents:
            raise InputError(
                f"--output {output}: found a path in {folder}/, which only stages write to; expected one elsewhere"
            )
    for name, entry in read_parameters(PARAMS).datasets.items():
        source = Path(os.path.realpath(entry.source.path))
        if source == written or source in written.parents:
            raise InputError(
                f"--output {output}: found a path in {entry.source.path}, where the tables of {name} are; expected one elsewhere"
            )


def with_quoted_formulas(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows whose texts a spreadsheet takes for texts: a quote comes before what it would compute, but not before a number."""
    return rows.with_columns(
        # A number is one with a sign as well.
        pl.when(text.str.contains(FORMULA) & text.cast(pl.Float64, strict=False).is_null())
        .then(pl.format("'{}", text))
        .otherwise(text)
        .alias(name)
        for name, text in ((name, pl.col(name)) for name, kind in rows.schema.items() if kind == pl.String)
    )


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
