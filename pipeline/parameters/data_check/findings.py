"""Everything that is wrong with the four tables, not only what a stage would stop at first.

The rules are those of `pipeline.data.sources.tidy`; here every row that breaks one is counted, and what to do is said beside it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from pipeline.common.errors import InputError, quoted, shortened
from pipeline.data.sources.tidy import (
    GRAPH,
    RawTable,
    ReadColumn,
    TidyTables,
    no_reserved_column,
    rating_or_like,
    read_ids,
    read_likes,
    read_numbers,
    read_splits,
    repeats,
    shown,
    tidy,
)
from pipeline.parameters.data_check.column_names import ID_COLUMNS, near
from pipeline.parameters.data_check.meaning import codes_for_no_rating

KEYS = {"interactions": ("user_id", "item_id"), "items": ("item_id",), "item_entities": ("item_id", "entity_id")}
# Ratings of another scale than the rest are at most such a share at either end, and so many times the width of the rest away.
FEW, FAR = 0.05, 3
# Fewer items than this may well be rated once each.
FEWEST_ROWS = 20


@dataclass(frozen=True)
class Finding:
    """One kind of problem in one place.

    Attributes:
        problem: what was found, and what was expected.
        advice: what to do about it.
        file, column: where; empty where it is about none.
        row: the first row that has it, as the file counts (`line 3`, `row 2`).
        count: how many rows have it; 0 where it is not about rows.
    """

    problem: str
    advice: str = ""
    file: str = ""
    column: str = ""
    row: str = ""
    count: int = 0

    def sentence(self) -> str:
        place = ", ".join(part for part in (f"column {self.column}" if self.column else "", self.row) if part)
        more = f" (and {self.count - 1} more {'row' if self.count == 2 else 'rows'})" if self.count > 1 else ""
        return ": ".join(part for part in (self.file, place, f"{self.problem}{more}") if part)


@dataclass(frozen=True)
class Examined:
    """
    Attributes:
        tables: what is left without the rows that are wrong; None where a whole column or table is.
    """

    errors: list[Finding]
    warnings: list[Finding]
    tables: TidyTables | None


def examine(
    raw: Mapping[str, RawTable],
    renamed: Mapping[str, Mapping[str, str]],
    *,
    links_may_name_unknown_items: bool = False,
    graph: bool = True,
) -> Examined:
    """All that is wrong with the tables that could be read.

    Args:
        raw: by name: interactions, items, kg, item_entities; those that could not be read are missing.
        renamed: of each table, our names that a renaming gave, each with the name it was given for (`id` or `items.id`).
        links_may_name_unknown_items: see `tidy`.
        graph: whether there is one to be read.
    """
    checks = {name: _TableCheck(name, table, raw) for name, table in raw.items()}
    for check in checks.values():
        check.columns()
    items = checks.get("items")
    if items is not None and "item_id" in items.read:
        for name in ("interactions", "item_entities"):
            if name in checks and not (name == "item_entities" and links_may_name_unknown_items):
                checks[name].unknown_items(items)
    if "interactions" in checks:
        checks["interactions"].row_numbers(renamed)
    errors = [finding for check in checks.values() for finding in check.errors]
    warnings = [finding for check in checks.values() for finding in check.warnings]
    needed = set(ID_COLUMNS) - (set() if graph else set(GRAPH))
    whole = needed <= set(checks) and not any(check.unusable for check in checks.values())
    tables = None
    if whole:
        left = {name: check.without_bad_rows() for name, check in checks.items()}
        try:
            tables = tidy(
                left["interactions"],
                left["items"],
                *map(left.get, GRAPH),
                links_may_name_unknown_items=links_may_name_unknown_items,
            )
        except InputError as error:
            # Without its wrong rows a table may be empty, which says nothing that is not said already.
            if not errors:
                errors.append(Finding(str(error)))
    return Examined(errors, warnings, tables)


def of_remark(remark: str) -> Finding:
    file, _, problem = remark.partition(": ")
    return Finding(problem, file=file)


class _TableCheck:
    """One table: its columns as they are stored, and the rows in which something is wrong."""

    def __init__(self, name: str, table: RawTable, raw: Mapping[str, RawTable]) -> None:
        self.name, self.table, self.raw = name, table, raw
        self.errors: list[Finding] = []
        self.warnings: list[Finding] = []
        self.read: dict[str, ReadColumn] = {}
        self.unusable = False
        self.bad = pl.repeat(False, len(table.frame), eager=True)

    def columns(self) -> None:
        """Every column that the pipeline reads, and rows that repeat a key."""
        for name in ID_COLUMNS[self.name]:
            self._read(name, read_ids)
        if self.name == "interactions":
            try:
                value = rating_or_like(self.table)
            except InputError as error:
                self._unusable(error, "rating, like", ("rating", "like"))
            else:
                self._read(value, read_numbers if value == "rating" else lambda table, _: read_likes(table))
                self._of_another_scale()
            if "timestamp" in self.table.frame.columns:
                self._read("timestamp", read_numbers)
            if "split" in self.table.frame.columns:
                self._read("split", lambda table, _: read_splits(table))
        if self.name == "items":
            try:
                no_reserved_column(self.table)
            except InputError as error:
                self._unusable(error, "item")
        if not self.unusable and self.table.frame.is_empty():
            self.unusable = True
            self.errors.append(Finding("found no rows, expected at least one", file=self.table.file))
        self._rows_in_a_text()
        key = KEYS.get(self.name)
        if key and all(name in self.read for name in key):
            self._repeated(key)

    def unknown_items(self, items: _TableCheck) -> None:
        """Rows about items that the items' table lacks."""
        if "item_id" not in self.read:
            return
        known = items.read["item_id"].values.drop_nulls().unique()
        ids, bad = self.read["item_id"].values, self.read["item_id"].bad
        unknown = ~ids.is_in(known.implode()) & ~bad
        if not unknown.any():
            return
        alike = _alike(ids.filter(unknown).unique()).is_in(_alike(known).implode()).mean()
        advice = (
            "the ids are written differently there (spaces, capitals, leading zeros or '.0'): write them the same way"
            if isinstance(alike, float) and alike > 0.5
            else f"add the items to {items.table.file}, or remove these rows"
        )
        if unknown.all():
            advice += "; no row is about a known item: are both keyed by the same ids?"
        self._mark(unknown, "item_id", f"expected one of the items in {items.table.file}", advice, "item ")

    def without_bad_rows(self) -> RawTable:
        good = ~self.bad
        lines = self.table.lines
        kept = [lines[index] for index in good.arg_true()] if lines else ()
        return replace(self.table, frame=self.table.frame.filter(good), lines=kept)

    def _read(self, name: str, how) -> None:  # type: ignore[no-untyped-def]
        try:
            column: ReadColumn = how(self.table, name)
        except InputError as error:
            self._unusable(error, name, (name,) if name not in self.table.frame.columns else ())
            return
        self.read[name] = column
        if column.bad.any():
            self._mark(column.bad, name, f"expected {column.expected}", self._remedy(name, column))
        if column.expected == "an id":
            self._untrimmed(name, column)
            self._decomposed(name, column)

    def _remedy(self, name: str, column: ReadColumn) -> str:
        if name == "split":
            return "write one of them, or rename the column if it is something else"
        if name == "like":
            return self._remedy_of_likes(column)
        if column.expected == "an id":
            return "fill it in, or remove these rows"
        texts = self.table.frame[name].filter(column.bad).cast(pl.String, strict=False).drop_nulls()
        if len(texts) and texts.str.contains(r"^\s*-?\d+,\d+\s*$").all():
            return "write decimals with a point, not a comma"
        if name == "timestamp":
            return "write all of them as seconds since 1970 or as such dates, or leave the column out (only a temporal split reads it)"
        return "correct it, or remove these rows"

    def _remedy_of_likes(self, column: ReadColumn) -> str:
        numbers = self.table.frame["like"].filter(column.bad).cast(pl.Float64, strict=False)
        if not numbers.has_nulls() and "rating" not in self.table.frame.columns:
            renaming = _quoted(self._renaming("like", "rating"))
            return f"if they are numbers and the high ones are likes, --rename {renaming}; otherwise write 0 or 1"
        return "fill it in, or remove these rows"

    def _untrimmed(self, name: str, column: ReadColumn) -> None:
        spaced = (column.values != column.values.str.strip_chars()).fill_null(False) & ~column.bad
        if spaced.any():
            index = int(spaced.arg_true()[0])
            self.warnings.append(
                Finding(
                    f"found {quoted(column.values[index])} with spaces around it, which makes it another id",
                    "if they mean nothing, remove them here and in the other tables",
                    self.table.file,
                    name,
                    self.table.row(index),
                    int(spaced.sum()),
                )
            )

    def _decomposed(self, name: str, column: ReadColumn) -> None:
        """Two ways to write one letter make two ids that look the same."""
        apart = (column.values != column.values.str.normalize("NFC")).fill_null(False) & ~column.bad
        if apart.any():
            index = int(apart.arg_true()[0])
            self.warnings.append(
                Finding(
                    f"found {quoted(column.values[index])} with accents as characters of their own (Unicode NFD), which makes it another "
                    "id than the same letters in one piece (NFC)",
                    "write ids in one form in all tables",
                    self.table.file,
                    name,
                    self.table.row(index),
                    int(apart.sum()),
                )
            )

    def _rows_in_a_text(self) -> None:
        """Rows of a CSV that went into a text, since it begins with a quote that is none and a later one ends with another.

        Each of the lines has as many commas as the rows have, and begins with a number where those do.
        """
        frame = self.table.frame
        if not self.table.file.endswith((".csv", ".csv.gz")) or frame.width < 2:
            return
        last, commas = frame.columns[-1], frame.width - 1
        if frame.schema[last] != pl.String:
            return
        rest = pl.col(last).str.split("\n").list.slice(1)
        is_row = pl.element().str.count_matches(",") == commas
        if frame[frame.columns[0]].drop_nulls().str.contains(r"^\d+$").mean() == 1:
            is_row &= pl.element().str.contains(r"^\d+,")
        several = frame.with_row_index("place").filter(pl.col(last).str.contains("\n", literal=True))
        several = several.filter(rest.list.eval(is_row).list.all())
        if several.is_empty():
            return
        index, lines = int(several["place"][0]), several[last][0].count("\n") + 1
        self.warnings.append(
            Finding(
                f"found a text of {lines} lines, which but for the first look like rows: does it begin with a quote that is a part of it?",
                "write such a text in quotes, and the quotes in it twice",
                self.table.file,
                last,
                self.table.row(index),
                len(several),
            )
        )

    def _of_another_scale(self) -> None:
        """A few ratings far from all others: a slip of the hand, or what somebody writes where there is no rating."""
        column = self.read.get("rating")
        if column is None:
            return
        ratings = column.values.filter(~column.bad).cast(pl.Float64)
        # What is no rating is said by its count.
        codes = codes_for_no_rating(ratings) if len(ratings) else []
        scale = usual_scale(ratings.filter(~ratings.is_in(codes)) if codes else ratings)
        if scale is None:
            return
        low, high = scale
        far = ((column.values < low) | (column.values > high)).fill_null(False) & ~column.bad
        far &= ~column.values.is_in(codes).fill_null(False)
        index = int(far.arg_true()[0])
        self.warnings.append(
            Finding(
                f"found {column.values[index]:g}, far from the scale of the others, {low:g} to {high:g}",
                "correct it, or remove these rows",
                self.table.file,
                "rating",
                self.table.row(index),
                int(far.sum()),
            )
        )

    def _repeated(self, key: Sequence[str]) -> None:
        columns = {name: self.read[name] for name in key}
        missing = pl.Series([False]).new_from_index(0, len(self.table.frame))
        for column in columns.values():
            missing = missing | column.bad
        frame = pl.DataFrame([column.values.alias(name) for name, column in columns.items()])
        again = repeats(frame, key) & ~missing
        if not again.any():
            return
        index = int(again.arg_true()[0])
        values = ", ".join(f"{name} {shortened(str(frame[name][index]))}" for name in key)
        what = {"interactions": "the last rating", "items": "one row for each item"}.get(self.name, "one of them")
        self._add(again, "", f"found {values} a second time, expected it once", f"keep {what}", index)

    def _mark(self, bad: pl.Series, name: str, expected: str, advice: str, what: str = "") -> None:
        index = int(bad.arg_true()[0])
        found = shown(self.table.frame[name][index])
        if not what and expected == "expected an id":
            found = "no value"
        self._add(bad, name, f"found {what}{found}, {expected}", advice, index)

    def _add(self, bad: pl.Series, column: str, problem: str, advice: str, index: int) -> None:
        self.bad = self.bad | bad
        self.errors.append(Finding(problem, advice, self.table.file, column, self.table.row(index), int(bad.sum())))

    def _unusable(self, error: InputError, column: str, missing: Sequence[str] = ()) -> None:
        """A column, and so the table, that cannot be read at all."""
        self.unusable = True
        text = str(error).removeprefix(f"{self.table.file}: ")
        text = text.removeprefix(f"columns {column}: ").removeprefix(f"column {column}: ")
        self.errors.append(Finding(text, self._instead(missing), self.table.file, column))

    def _instead(self, missing: Sequence[str]) -> str:
        columns = self.table.frame.columns
        if not missing:
            return ""
        if len(columns) == 1 and missing[0] in columns[0].split():
            return "the fields look separated by spaces: save the file with commas as .csv, or with tabs as .tsv"
        if all(name in columns for name in missing):
            by = {name: f"--rename {_quoted(self._renaming(name, f'no_{name}'))}" for name in missing}
            return f"to go by the ratings, {by['like']}; to go by the likes, {by['rating']}"
        probably = [(near(name, self.name, self.raw), name) for name in missing]
        found = [f"--rename {_quoted(self._renaming(theirs, ours))}" for theirs, ours in probably if theirs is not None]
        if not found and "like" in missing:
            return "if each row is a like (bought, played, clicked), add a column like with 1 in every row"
        return f"if that is it, {' or '.join(found)}" if found else ""

    def _renaming(self, theirs: str, ours: str) -> str:
        """THEIRS=OURS, with the table's name before it where it would rename a column of another table that is something else."""
        for name, other in self.raw.items():
            if name != self.name and theirs in other.frame.columns:
                named = ours in other.frame.columns or ours not in ID_COLUMNS[name]
                if named or near(ours, name, self.raw) != theirs:
                    return f"{self.name}.{theirs}={ours}"
        return f"{theirs}={ours}"

    def row_numbers(self, renamed: Mapping[str, Mapping[str, str]]) -> None:
        """An item in each row, and each in one alone: that is what numbers of rows look like.

        Args:
            renamed: see `examine`.
        """
        frame = self.table.frame
        if "item_id" not in self.read or len(frame) < FEWEST_ROWS or frame["item_id"].n_unique() < len(frame):
            return
        without = replace(self.table, frame=frame.drop("item_id"))
        other = near("item_id", self.name, {**self.raw, self.name: without})
        advice = "is there another column that says which item was rated?"
        if other is not None:
            theirs = renamed.get(self.name, {}).get("item_id")
            taken = [f"{self.name}.{other}=item_id"]
            if theirs is None:
                taken.append(f"{self.name}.item_id=row_number")
            taken += [
                f"{name}.{theirs}=item_id"
                for name, names in renamed.items()
                if name != self.name and theirs is not None and names.get("item_id") == theirs
            ]
            options = " ".join(f"--rename {_quoted(pair)}" for pair in taken)
            instead = f" instead of --rename {_quoted(f'{theirs}=item_id')}" if theirs else ""
            advice = f"if {quoted(other)} is the item, {options}{instead}"
        self.warnings.append(
            Finding(
                f"found every item exactly once, {len(frame):,} items in as many rows: are these row numbers?",
                advice,
                self.table.file,
                "item_id",
            )
        )


def usual_scale(ratings: pl.Series) -> tuple[float, float] | None:
    """The lowest and the highest of nearly all ratings, where a `FEW` others are `FAR` from them; None where none are."""
    counts = ratings.drop_nulls().value_counts().sort(ratings.name)
    values, below = (
        counts[ratings.name].to_list(),
        (counts["count"].cum_sum() / max(counts["count"].sum(), 1)).to_list(),
    )
    if len(values) < 2:
        return None
    low = next(place for place, share in enumerate(below) if share > FEW)
    high = next(place for place, share in enumerate(below) if share >= 1 - FEW)
    # From the middle outwards, as long as the next rating is near enough.
    while True:
        near = FAR * (values[high] - values[low] or max(abs(values[low]), 1.0))
        if low and values[low] - values[low - 1] <= near:
            low -= 1
        elif high < len(values) - 1 and values[high + 1] - values[high] <= near:
            high += 1
        else:
            break
    return None if high - low + 1 == len(values) else (values[low], values[high])


def _quoted(text: str) -> str:
    return shlex.quote(text)


def _alike(ids: pl.Series) -> pl.Series:
    return ids.str.strip_chars().str.to_lowercase().str.replace(r"\.0$", "").str.strip_chars_start("0")


def of_links(tables: TidyTables, links_file: str, kg_file: str) -> tuple[list[Finding], list[Finding]]:
    """Links to entities that no triple is about, as errors and as warnings."""
    entities = pl.concat([tables.kg["head"], tables.kg["tail"]]).unique()
    linked = tables.item_entities["entity_id"]
    unknown = ~linked.is_in(entities.implode())
    if not unknown.any():
        return [], []
    first = linked.filter(unknown)[0]
    if unknown.all():
        found = Finding(
            f"found no entity that {kg_file} knows, the first is {quoted(first)}; expected heads or tails of its triples",
            f"use the same entity names in both tables; there are such as {quoted(entities.sort()[0])} in {kg_file}",
            links_file,
            "entity_id",
        )
        return [found], []
    found = Finding(
        f"found {quoted(first)}, which no triple of {kg_file} is about: such an item has no neighbours",
        "fine for a few; do both tables use the same entity names?",
        links_file,
        "entity_id",
        count=int(unknown.sum()),
    )
    return [], [found]
