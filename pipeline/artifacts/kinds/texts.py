"""Texts: curves as TSV, pages and notes, and lines that are sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.artifacts.kinds import versions
from pipeline.artifacts.kinds.artifact import HERE, Artifact
from pipeline.common.files import write_bytes

# Decimal places of what is drawn over epochs.
CURVE_DIGITS = 6


@dataclass(frozen=True)
class Curve(Artifact):
    """A TSV with one row per step (epoch, S_m), which `dvc plots` draws and no stage reads."""

    columns: tuple[str, ...] = ()

    def write(self, frame: pl.DataFrame, dataset: str, root: Path = HERE) -> None:
        text = frame.select(self.columns).write_csv(separator="\t", float_precision=CURVE_DIGITS)
        write_bytes(self._to_write(dataset, root), text.encode())


@dataclass(frozen=True)
class Text(Artifact):
    """A text file: an SVG plot, a note. No stage reads it."""

    def write(self, content: str, dataset: str = "", root: Path = HERE) -> None:
        write_bytes(self._to_write(dataset, root), content.encode())


@dataclass(frozen=True)
class Lines(Artifact):
    """Lines for a person to read, under a first one that counts and seals them: DVC warns of empty files."""

    def write(self, lines: Sequence[str], dataset: str, root: Path = HERE) -> None:
        # Names out of the data may hold line breaks of any kind.
        flat = [" ".join(line.split()) for line in lines]
        blank = versions.blank(self.name(dataset))
        text = "".join(f"{line}\n" for line in (f"{len(flat)} lines, {blank}", *flat))
        self._write_sealed(text.encode(), blank, dataset, root)

    def read(self, dataset: str, root: Path = HERE) -> list[str]:
        content, _ = self._content(dataset, root)
        return content.decode().splitlines()[1:]
