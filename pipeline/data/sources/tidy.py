"""The four tidy tables that every source gives, and the checks that all of them pass.

| table | columns |
|---|---|
| interactions | user_id, item_id, and rating or like, optionally timestamp and split |
| items | item_id and any text columns |
| kg | head, relation, tail |
| item_entities | item_id, entity_id |

The last two have no rows where nothing is known of the items but what `items` says.

A source hands over frames as it read them, each with the file it came from and how its rows are counted there; the
checks here name both when something is wrong. Ids become strings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from pipeline.common.errors import InputError, quoted, shortened
from pipeline.common.row_keys import has_repeats
from pipeline.data.dates import seconds_of
from pipeline.data.feedback import Feedback
from pipeline.data.sources.as_type import as_type
from pipeline.data.splits import SPLITS

NO_TRIPLES = pl.DataFrame(schema=dict.fromkeys(("head", "relation", "tail"), pl.String))
NO_LINKS = pl.DataFrame(schema=dict.fromkeys(("item_id", "entity_id"), pl.String))
# Null is the type of a column without a single value.
IMAGE_COLUMNS = dict.fromkeys(("item_id", "path", "inside", "sha256"), pl.String)
TEXT_TYPES = (pl.String, pl.Null)
GRAPH = ("kg", "item_entities")
GRAPH_MEANING = "false: there is no knowledge graph, and its tables are not read"
KG, LINKS = ("head", "relation", "tail"), ("item_id", "entity_id")


@dataclass(frozen=True)
class RawTable:
    """A frame as read, and where.

    Attributes:
        first_row: what the file's own counting calls the frame's first row.
        lines: the line that each row starts on, where rows of several lines make it differ from that counting.
    """

    frame: pl.DataFrame
    file: str
    first_row: int = 0
    lines: Sequence[int] = ()

    def row(self, index: int) -> str:
        if self.first_row == 0:
            return f"row {index}"
        return f"line {self.line(index)}"

    def line(self, index: int) -> int:
        return self.lines[index] if self.lines else index + self.first_row


@dataclass(frozen=True)
class TidyTables:
    """Checked tables with columns of the types that `pipeline.artifacts.data` stores, and remarks a reader should see.

    Attributes:
        feedback: what the zeros are, where the reader knows its data set; None where it reads anybody's tables.
        vectors: that lie beside the tables: item_id, and a column of float32 vectors for each kind, null where an item has none.
        images: likewise: of items that have one, the path of its file, or of a zip and the name inside, and its sha256.
    """

    interactions: pl.DataFrame
    items: pl.DataFrame
    kg: pl.DataFrame
    item_entities: pl.DataFrame
    remarks: list[str] = field(default_factory=list)
    feedback: Feedback | None = None
    vectors: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"item_id": pl.String}))
    images: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=IMAGE_COLUMNS))


def tidy(
    interactions: RawTable,
    items: RawTable,
    kg: RawTable | None,
    item_entities: RawTable | None,
    *,
    links_may_name_unknown_items: bool = False,
    mend: bool = False,
    least_known: float = 0.5,
    feedback: Feedback | None = None,
) -> TidyTables:
    """Check the four tables and bring them to their stored types.

    Args:
        kg, item_entities: both, or None where there is no graph.
        links_may_name_unknown_items: leave such links out and say how many, instead of refusing the table. RecBole's
            link files cover every item that its publisher knew, not only those of the data set.
        mend: what is repeated or about unknown items is no mistake but counted in a remark, for published data sets, which
            their user did not write: of repeated items and links the first counts, of repeated interactions the latest (by
            `timestamp`, else by place in the file); interactions and links of unknown items are left out.
        least_known: with `mend`, so large a share of the interactions must be with known items, or a file is not whole.
        feedback: what the zeros are, if the reader knows.

    Raises:
        InputError: missing column, wrong type, missing value, NaN, repeated row, unknown item, empty table.
    """
    remarks: list[str] = []
    if mend:
        items = _first_of_each(items, ("item_id",), "items", remarks)
    if mend and item_entities is not None:
        item_entities = _first_of_each(item_entities, LINKS, "links", remarks)
    tidy_items = _items(items)
    known = set(tidy_items["item_id"])
    tidy_interactions = _interactions(interactions)
    if mend:
        tidy_interactions = _mended(tidy_interactions, known, interactions, items, least_known, remarks)
    else:
        _no_repeats(tidy_interactions, ("user_id", "item_id"), interactions)
        _no_unknown_items(tidy_interactions, known, interactions, items)
    if kg is None or item_entities is None:
        no_kg, no_links = (pl.DataFrame(schema=dict.fromkeys(names, pl.String)) for names in (KG, LINKS))
        return TidyTables(tidy_interactions, tidy_items, no_kg, no_links, remarks, feedback)
    tidy_kg = _ids(kg, KG)
    _not_empty(tidy_kg, kg)
    distinct = tidy_kg.unique(maintain_order=True) if has_repeats(tidy_kg, tidy_kg.columns) else tidy_kg
    if len(distinct) < len(tidy_kg):
        remarks.append(
            f"{kg.file}: {len(tidy_kg) - len(distinct)} repeated triples count once (a graph is a set of triples)"
        )
    links = _ids(item_entities, LINKS)
    _not_empty(links, item_entities)
    _no_repeats(links, LINKS, item_entities)
    if links_may_name_unknown_items or mend:
        kept = links.filter(pl.col("item_id").is_in(list(known)))
        if len(kept) < len(links):
            remarks.append(
                f"{item_entities.file}: {len(links) - len(kept)} links of items that are not in the data set are left out"
            )
        links = kept
        if links.is_empty():
            raise InputError(f"{item_entities.file}: found no link of the items in {items.file}, expected at least one")
    else:
        _no_unknown_items(links, known, item_entities, items)
    return TidyTables(tidy_interactions, tidy_items, distinct, links, remarks, feedback)


def tidy_added(
    items: RawTable, kg: RawTable | None, item_entities: RawTable | None, columns: Mapping[str, pl.DataType]
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Items to be added to a data set, with their triples and links, checked as its own are.

    Args:
        kg: None: there are none; item_entities likewise.
        columns: of the items of the data set: those added have these and no others, null where they have none.

    Raises:
        InputError: as `tidy`; or a column whose values are not of the data set's type.
    """
    of_items = _items(items)
    links = _ids(item_entities, ("item_id", "entity_id")) if item_entities else NO_LINKS
    if item_entities:
        _no_repeats(links, ("item_id", "entity_id"), item_entities)
        _no_unknown_items(links, set(of_items["item_id"]), item_entities, items)
    triples = _ids(kg, ("head", "relation", "tail")).unique(maintain_order=True) if kg else NO_TRIPLES
    typed = [
        _as_type(items, of_items[name], kind)
        if name in of_items.columns
        else pl.Series(name, [None], dtype=kind).new_from_index(0, len(of_items))
        for name, kind in columns.items()
    ]
    return pl.DataFrame(typed), triples, links


def _as_type(table: RawTable, column: pl.Series, kind: pl.DataType) -> pl.Series:
    """
    Raises:
        InputError: a value is not of the type.
    """
    if column.dtype == kind:
        return column
    found = as_type(column, kind)
    lost = found.is_null() & column.is_not_null()
    if lost.any():
        index = _first(lost)
        value = shown(column.to_list()[index])
        raise InputError(
            f"{table.file}: column {column.name}, {table.row(index)}: found {value}, expected {kind} as in the items of the data set"
        )
    return found


def distinct_interactions(table: RawTable, remarks: list[str]) -> pl.DataFrame:
    """Interactions that come without items: of repeated ones the latest counts, where the table says when they were.

    Raises:
        InputError: as `tidy`.
    """
    frame, key = _interactions(table), ("user_id", "item_id")
    if not has_repeats(frame, key):
        return frame
    if frame["timestamp"].has_nulls():
        _no_repeats(frame, key, table)
    latest = frame.sort("timestamp", maintain_order=True).unique(key, keep="last", maintain_order=True)
    remarks.append(f"{table.file}: {len(frame) - len(latest)} repeated interactions: the latest of each counts")
    return latest


def _interactions(table: RawTable) -> pl.DataFrame:
    frame = _ids(table, ("user_id", "item_id"))
    _not_empty(frame, table)
    value = rating_or_like(table)
    columns = {
        "rating": _whole(table, "rating", read_numbers(table, "rating"))
        if value == "rating"
        else pl.Series([None], dtype=pl.Float32),
        "like": _whole(table, "like", read_likes(table)) if value == "like" else pl.Series([None], dtype=pl.Boolean),
        "timestamp": _whole(table, "timestamp", read_numbers(table, "timestamp"))
        if "timestamp" in table.frame.columns
        else pl.Series([None], dtype=pl.Float64),
        "split": _whole(table, "split", read_splits(table))
        if "split" in table.frame.columns
        else pl.Series([None], dtype=pl.String),
    }
    frame = frame.with_columns(
        [
            (series if len(series) == len(frame) else series.new_from_index(0, len(frame))).alias(name)
            for name, series in columns.items()
        ]
    )
    return frame


def _first_of_each(table: RawTable, key: tuple[str, ...], what: str, remarks: list[str]) -> RawTable:
    """The table without rows whose key was there before."""
    if any(name not in table.frame.columns for name in key):
        return table
    repeated = ~table.frame.select(pl.struct(key).is_first_distinct()).to_series()
    if not repeated.any():
        return table
    remarks.append(f"{table.file}: {int(repeated.sum())} repeated {what}: the first of each counts")
    lines = [table.line(index) for index in (~repeated).arg_true()] if table.first_row else ()
    return replace(table, frame=table.frame.filter(~repeated), lines=lines)


def _mended(
    frame: pl.DataFrame, known: set[str], table: RawTable, items: RawTable, least_known: float, remarks: list[str]
) -> pl.DataFrame:
    """Interactions with known items, the latest of each pair of user and item."""
    is_known = frame["item_id"].is_in(list(known))
    kept = frame if is_known.all() else frame.filter(is_known)
    if len(kept) < len(frame):
        lacking = f"{len(frame) - len(kept)} of {len(frame)} interactions with items that {items.file} lacks"
        if kept.is_empty() or len(kept) < least_known * len(frame):
            raise InputError(f"{table.file}: found {lacking}, expected most of its items there")
        remarks.append(f"{table.file}: {lacking} are left out")
    key = ("user_id", "item_id")
    if _repeated(kept, table, key):
        latest = kept.sort("timestamp", maintain_order=True).unique(key, keep="last", maintain_order=True)
        which = "the last of each in the file" if kept["timestamp"].has_nulls() else "the latest of each"
        remarks.append(f"{table.file}: {len(kept) - len(latest)} repeated interactions: {which} counts")
        return latest
    return kept


def _items(table: RawTable) -> pl.DataFrame:
    frame = _ids(table, ("item_id",))
    _not_empty(frame, table)
    _no_repeats(frame, ("item_id",), table)
    no_reserved_column(table)
    return table.frame.with_columns(frame["item_id"])


def items_of(interactions: RawTable) -> RawTable:
    """The items of a data set that describes none: those that somebody rated."""
    if "item_id" not in interactions.frame.columns:
        return interactions
    return RawTable(
        interactions.frame.select(pl.col("item_id").drop_nulls().unique(maintain_order=True)), interactions.file
    )


@dataclass(frozen=True)
class ReadColumn:
    """
    Attributes:
        values: as they are stored; of no meaning where ``bad``.
        bad: what could not be read.
        expected: what should have been there.
    """

    values: pl.Series
    bad: pl.Series
    expected: str


def read_ids(table: RawTable, name: str) -> ReadColumn:
    """A column as strings: ids may be numbers or texts in a file, and must be there in every row.

    Raises:
        InputError: the column is missing or of another type.
    """
    column = _column(table, name)
    if not (column.dtype.is_integer() or column.dtype in TEXT_TYPES):
        raise InputError(f"{table.file}: column {name}: found type {column.dtype}, expected integers or strings")
    text = column.cast(pl.String)
    return ReadColumn(text, text.is_null() | (text.str.strip_chars() == ""), "an id")


def read_numbers(table: RawTable, name: str) -> ReadColumn:
    """A column of ratings or timestamps.

    Raises:
        InputError: the column is missing or of another type.
    """
    column = _column(table, name)
    if column.dtype in (pl.Date, pl.Datetime) and name == "timestamp":
        column = column.cast(pl.Datetime("us")).dt.epoch("us") / 1e6
    if not (column.dtype.is_numeric() or column.dtype in TEXT_TYPES):
        raise InputError(f"{table.file}: column {name}: found type {column.dtype}, expected numbers")
    numbers = column.cast(pl.Float64, strict=False)
    expected = "a number"
    if name == "timestamp" and column.dtype == pl.String and numbers.null_count() == len(column):
        numbers, expected = (
            seconds_of(column),
            "seconds since 1970, or a date such as 2019-05-01 or 2019-05-01T12:30:00Z",
        )
    numbers = numbers.cast(pl.Float64 if name == "timestamp" else pl.Float32)
    return ReadColumn(numbers, numbers.is_null() | numbers.is_nan() | numbers.is_infinite(), expected)


def read_likes(table: RawTable) -> ReadColumn:
    """The column ``like`` as booleans.

    Raises:
        InputError: the column is missing or of another type.
    """
    column, expected = _column(table, "like"), "0, 1, true or false"
    if column.dtype == pl.Boolean and not column.has_nulls():
        return ReadColumn(column, pl.repeat(False, len(column), eager=True), expected)
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean or column.dtype in TEXT_TYPES):
        raise InputError(f"{table.file}: column like: found type {column.dtype}, expected {expected}")
    numbers = column.cast(pl.Float64, strict=False)
    if column.dtype == pl.String:
        words = column.str.to_lowercase()
        numbers = numbers.fill_null(
            words.replace_strict({"true": 1.0, "false": 0.0}, default=None, return_dtype=pl.Float64)
        )
    return ReadColumn(numbers == 1.0, numbers.is_null() | ~numbers.is_in([0.0, 1.0]), expected)


def read_splits(table: RawTable) -> ReadColumn:
    """The column ``split``: which part of a published split an interaction is in.

    Raises:
        InputError: the column is missing or of another type.
    """
    column = _column(table, "split")
    expected = f"{', '.join(SPLITS[:-1])} or {SPLITS[-1]}"
    if column.dtype not in TEXT_TYPES:
        raise InputError(f"{table.file}: column split: found type {column.dtype}, expected {expected}")
    text = column.cast(pl.String)
    return ReadColumn(text, ~text.is_in(SPLITS).fill_null(False), expected)


def rating_or_like(table: RawTable) -> str:
    """Which of the two columns the interactions have.

    Raises:
        InputError: both, or neither.
    """
    values = [name for name in ("rating", "like") if name in table.frame.columns]
    if len(values) != 1:
        found = "both" if values else "neither"
        raise InputError(f"{table.file}: columns rating, like: found {found}, expected exactly one of them")
    return values[0]


def no_reserved_column(items: RawTable) -> None:
    """``item`` is the name of the dense index that later stages add.

    Raises:
        InputError: the items have such a column.
    """
    if "item" in items.frame.columns:
        raise InputError(f"{items.file}: column item: the name is reserved for the dense index; rename the column")


def repeats(frame: pl.DataFrame, key: Sequence[str]) -> pl.Series:
    """Rows whose key an earlier row has."""
    return ~frame.select(pl.struct(key).is_first_distinct().alias("first"))["first"]


def shown(value: object) -> str:
    """A value of a table, as messages have it."""
    return "no value" if value is None else quoted(value)


def _column(table: RawTable, name: str) -> pl.Series:
    if name not in table.frame.columns:
        found = shortened(", ".join(table.frame.columns)) or "none"
        raise InputError(f"{table.file}: column {name}: not found; the file has: {found}")
    column = table.frame[name]
    # What a program stores as categories is text to everybody else.
    return column.cast(pl.String) if column.dtype in (pl.Categorical, pl.Enum) else column


def _whole(table: RawTable, name: str, column: ReadColumn) -> pl.Series:
    if column.bad.any():
        index = _first(column.bad)
        value = table.frame[name][index]
        found = "no value" if column.expected == "an id" else shown(value)
        raise InputError(f"{table.file}: column {name}, {table.row(index)}: found {found}, expected {column.expected}")
    return column.values


def _ids(table: RawTable, names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame([_whole(table, name, read_ids(table, name)) for name in names])


def _not_empty(frame: pl.DataFrame, table: RawTable) -> None:
    if frame.is_empty():
        raise InputError(f"{table.file}: found no rows, expected at least one")


def _repeated(frame: pl.DataFrame, table: RawTable, key: Sequence[str]) -> bool:
    """Whether a key of ``frame`` is there twice; looked up in the table as read where that has numbers, which cost less than texts."""
    numbers = len(table.frame) == len(frame) and all(table.frame[name].dtype.is_integer() for name in key)
    return has_repeats(table.frame if numbers else frame, key)


def _no_repeats(frame: pl.DataFrame, key: Sequence[str], table: RawTable) -> None:
    if _repeated(frame, table, key):
        index = _first(repeats(frame, key))
        values = ", ".join(f"{name} {shortened(str(frame[name][index]))}" for name in key)
        raise InputError(f"{table.file}: {table.row(index)}: found {values} a second time, expected it once")


def _no_unknown_items(frame: pl.DataFrame, known: set[str], table: RawTable, items: RawTable) -> None:
    unknown = ~frame["item_id"].is_in(list(known))
    if unknown.any():
        index = _first(unknown)
        item = frame["item_id"][index]
        without = " (without the spaces around it, it is one)" if item.strip() in known else ""
        where = f"{table.file}: column item_id, {table.row(index)}"
        raise InputError(f"{where}: found item {quoted(item)}, expected one of the items in {items.file}{without}")


def _first(mask: pl.Series) -> int:
    return int(mask.arg_true()[0])
