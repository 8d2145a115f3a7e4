"""MIND, the news of Microsoft: what was shown to people and which of it they clicked.

Tab-separated files without quotes and without a header: news.tsv (id, category, subcategory, title, abstract, address, entities of the
title, entities of the abstract, both as JSON) and behaviors.tsv (impression, user, time, what the user had clicked before, what was shown:
``N1-1`` was clicked, ``N2-0`` was not). They come as `MINDsmall_train` and `MINDsmall_dev`, and larger ones likewise.

- What was clicked, now or before, is a like; what was shown and not clicked is a dislike, or left out (`not_clicked`).
- A pair of user and news counts once: as clicked if it ever was.
- Of both folders `dev` is the test split: what its people had clicked before trains, and what they were shown then is tested.
- The graph is categories, and the entities that titles and abstracts mention, by their Wikidata ids, with labels as their names.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal

import polars as pl
from pydantic import Field

from pipeline.common.errors import InputError, quoted
from pipeline.data.elements import refuse_halves
from pipeline.data.feedback import Feedback
from pipeline.data.sources.files import DataFile, Files, FilesSource, refuse_endless_line
from pipeline.data.sources.item_triples import item_triples
from pipeline.data.sources.lines import read_lines
from pipeline.data.sources.tidy import RawTable, TidyTables, tidy

BEHAVIORS, NEWS = "behaviors.tsv", "news.tsv"
OF_BEHAVIORS = ("impression", "user_id", "time", "history", "shown")
OF_NEWS = ("item_id", "category", "subcategory", "title", "abstract")
# The last columns may be missing, and are empty where an abstract is.
FIELDS = range(6, 9)
TIME = "%m/%d/%Y %I:%M:%S %p"
SHOWN = r"^(\S+)-([01])$"
# Part of the folder's name to the part of the split.
PARTS = {"train": "train", "dev": "test"}
Parts = Literal["both", "train", "dev"]


class MindSource(FilesSource):
    type: Literal["mind"] = Field(description="MIND of any size: news that was shown, and whether it was clicked")
    parts: Parts = Field(
        default="both",
        description="Which of the folders ..._train and ..._dev to read: one of them, or both, with dev as the test split (`split: "
        "given`)",
    )
    not_clicked: Literal["dislike", "drop"] = Field(
        default="dislike", description="News that was shown but not clicked: disliked, or dropped"
    )

    def read(self) -> TidyTables:
        """Read and check the data set.

        Raises:
            InputError: files are missing, a line cannot be read, or a table does not pass the checks.
        """
        folders = self._folders(self.files())
        remarks: list[str] = []
        clicks = self._clicks(folders, remarks)
        news, entities = read_news([files.get(NEWS) for _, files in folders])
        frame = news.frame
        kg, links = item_triples(
            frame,
            "news",
            {"category": frame["category"], "subcategory": frame["subcategory"], "mentions": entities["entities"]},
            news.file,
        )
        labels = entities["labels"].explode().drop_nulls().struct.unnest().unique("head", maintain_order=True)
        told = labels.filter(pl.col("head").is_in(kg.frame["tail"].implode())).with_columns(relation=pl.lit("label"))
        kg = RawTable(pl.concat([kg.frame, told.select("head", "relation", "tail")]), kg.file)
        feedback: Feedback = "rated" if self.not_clicked == "dislike" else "liked"
        tables = tidy(clicks, news, kg, links, mend=True, feedback=feedback)
        tables.remarks[:0] = remarks
        return tables

    def _folders(self, files: Files) -> list[tuple[str, Files]]:
        """What the parts are called (`train`, `dev`, or nothing), and their files.

        Raises:
            InputError: there is none, or not the one that is asked for.
        """
        found: dict[str, list[DataFile]] = {}
        for file in files:
            if file.name in (BEHAVIORS, NEWS):
                found.setdefault(PurePosixPath(file.inside).parent.as_posix(), []).append(file)
        named = {
            part: Files(of_folder, self.path)
            for part in PARTS
            for folder, of_folder in found.items()
            if folder.lower().endswith(part) and any(file.name == BEHAVIORS for file in of_folder)
        }
        if self.parts != "both" and self.parts not in named:
            known = ", ".join(sorted(found)) or "nothing"
            raise InputError(
                f"source.parts: found {self.parts}, expected one of the parts in {self.path}, where there is {known}"
            )
        if named:
            return [(part, of_part) for part, of_part in named.items() if self.parts in ("both", part)]
        return [("", files)]

    def _clicks(self, folders: Sequence[tuple[str, Files]], remarks: list[str]) -> RawTable:
        """user_id, item_id, like, timestamp, and split where there are two folders; each pair of user and news once."""
        read = [(part, read_behaviors(files.get(BEHAVIORS))) for part, files in folders]
        several = len(read) > 1
        frames = [
            frame.with_columns(place=pl.when("before").then(0).otherwise(number), split=pl.lit("train"))
            for number, (_, (frame, _)) in enumerate(read)
        ]
        rated = pl.concat(frames)
        if self.not_clicked == "drop":
            rated = rated.filter("like")
        # Clicked before shown in vain, then what was first.
        key = ("user_id", "item_id")
        once = rated.sort("like", "place", "timestamp", descending=[True, False, False], maintain_order=True)
        once = once.unique(key, keep="first", maintain_order=True).sort("place", "timestamp", maintain_order=True)
        files = [file for _, (_, file) in read]
        if len(once) < len(rated):
            remarks.append(
                f"{files[0]}: {len(rated) - len(once)} of {len(rated)} clicks and impressions are of news that the same user had "
                "already: each pair counts once, as clicked if it ever was"
            )
        columns = ["user_id", "item_id", "like", "timestamp"]
        if several:
            parts = [PARTS[part] for part, _ in read]
            once = once.with_columns(split=pl.Series(parts).gather(once["place"]))
            columns.append("split")
        return RawTable(once.select(columns), files[0], first_row=0)


def read_behaviors(file: DataFile) -> tuple[pl.DataFrame, str]:
    """user_id, item_id, like, timestamp, before: a row for each news that was clicked before or shown; and the file.

    What was clicked before has the time of the user's first impression: it was no later.

    Raises:
        InputError: a line has other fields than it should.
    """
    content = file.content()
    refuse_endless_line(content, str(file))
    try:
        lines = pl.read_csv(
            io.BytesIO(content),
            separator="\t",
            quote_char=None,
            has_header=False,
            schema=dict.fromkeys(OF_BEHAVIORS, pl.String),
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        lines = _of_lines(file)
    time = lines["time"].str.strptime(pl.Datetime("us"), TIME, strict=False)
    lines = lines.with_columns(time=time.dt.epoch("us") / 1e6, row=pl.int_range(1, pl.len() + 1))
    for name, what in (("user_id", "an id"), ("time", "a time such as 11/11/2019 9:05:58 AM")):
        _refuse_missing(lines[name], lines, file, name, what)
    shown = lines.select("user_id", "time", "row", pl.col("shown").str.split(" ")).explode("shown")
    shown = shown.filter(pl.col("shown").fill_null("") != "")
    bad = shown.filter(~pl.col("shown").str.contains(SHOWN))
    if len(bad):
        found, row = bad["shown"][0], bad["row"][0]
        raise InputError(
            f"{file}: line {row}: found {quoted(found)}, expected news with the outcome, such as N1-1 (clicked) or N2-0; the "
            "published test set does not have it"
        )
    impressions = shown.select(
        "user_id",
        item_id=pl.col("shown").str.extract(SHOWN, 1),
        like=pl.col("shown").str.ends_with("1"),
        timestamp="time",
        before=pl.lit(value=False),
    )
    first = lines.with_columns(time=pl.col("time").min().over("user_id")).unique(
        ["user_id", "history"], maintain_order=True
    )
    history = first.select("user_id", timestamp="time", item_id=pl.col("history").str.split(" ")).explode("item_id")
    clicked = history.filter(pl.col("item_id").fill_null("") != "").select(
        "user_id", "item_id", "timestamp", like=pl.lit(value=True), before=pl.lit(value=True)
    )
    return pl.concat([clicked.select(impressions.columns), impressions]), str(file)


def _of_lines(file: DataFile) -> pl.DataFrame:
    """
    Raises:
        InputError: the first line that has another number of fields.
    """
    rows = [line.split("\t") for line in read_lines(file, "utf-8")]
    for number, fields in enumerate(rows, start=1):
        if len(fields) != len(OF_BEHAVIORS):
            raise InputError(f"{file}: line {number}: found {len(fields)} fields, expected {', '.join(OF_BEHAVIORS)}")
    return pl.DataFrame(rows, schema=dict.fromkeys(OF_BEHAVIORS, pl.String), orient="row")


def _refuse_missing(column: pl.Series, lines: pl.DataFrame, file: DataFile, name: str, expected: str) -> None:
    if column.has_nulls():
        row = int(column.is_null().arg_true()[0])
        raise InputError(f"{file}: column {name}, line {row + 1}: found no such value, expected {expected}")


def read_news(files: Sequence[DataFile]) -> tuple[RawTable, pl.DataFrame]:
    """News as item_id, category, subcategory, title, abstract, each once; and beside them what they mention: entities and their labels.

    Raises:
        InputError: a line has too few fields, or entities that are no JSON.
    """
    news, mentioned, lines = [], [], []
    known: set[str] = set()
    for file in files:
        for number, fields in _rows(file):
            if fields[0] in known:
                continue
            known.add(fields[0])
            found = [entity for text in fields[6:8] for entity in _entities(text, f"{file}: line {number}")]
            # A name of `Label` tells more than how the title has it.
            ids = list(dict.fromkeys(entity for entity, _ in found))
            news.append([field.strip() or None for field in fields[: len(OF_NEWS)]])
            mentioned.append((ids, [{"head": entity, "tail": label} for entity, label in found if label]))
            lines.append(number)
    frame = pl.DataFrame(news, schema=dict.fromkeys(OF_NEWS, pl.String), orient="row")
    label = pl.List(pl.Struct({"head": pl.String, "tail": pl.String}))
    entities = pl.DataFrame(mentioned, schema={"entities": pl.List(pl.String), "labels": label}, orient="row")
    return RawTable(frame, str(files[0]), 1, lines), entities


def _rows(file: DataFile) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(read_lines(file, "utf-8"), start=1):
        fields = line.split("\t")
        if len(fields) not in FIELDS or not fields[0].strip():
            raise InputError(
                f"{file}: line {number}: found {len(fields)} fields, expected id, category, subcategory, title, abstract, address and "
                "entities of the title and of the abstract"
            )
        yield number, [fields[0].strip(), *fields[1:], *[""] * (FIELDS[-1] - len(fields))]


def _entities(text: str, where: str) -> list[tuple[str, str]]:
    """Wikidata ids and labels in a column of them."""
    if not text.strip():
        return []
    try:
        found: Any = json.loads(text)
        refuse_halves(found)
        return [(str(entity["WikidataId"]), str(entity.get("Label") or "")) for entity in found if entity["WikidataId"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(
            f"{where}: found the entities {quoted(text)}, expected a JSON list of objects with a WikidataId"
        ) from None


def is_mind(files: Files) -> bool:
    """Whether a folder holds the two files, itself or in folders for its parts."""
    names = {file.name for file in files}
    return {BEHAVIORS, NEWS} <= names and any(
        re.match(r"[^\t]+\t[^\t]+\t\d+/\d+/\d{4} ", file.first_line().decode("utf-8", errors="replace"))
        for file in files
        if file.name == BEHAVIORS
    )
