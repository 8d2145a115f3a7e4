"""Items added to a data set beside its source, listed, and taken back. What becomes of them the stage `add_items` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.artifacts.added import (
    ADDED,
    ADDED_ITEM_ENTITIES,
    ADDED_ITEMS,
    ADDED_KG,
    ADDED_VECTORS,
    MORE_EDGES,
    MORE_ITEMS,
    read_added_items,
)
from pipeline.artifacts.data import INTERACTIONS, ITEMS
from pipeline.artifacts.kinds import HERE
from pipeline.artifacts.users import MODEL
from pipeline.common.errors import InputError, quoted, shortened
from pipeline.common.files import one_at_a_time, write_bytes
from pipeline.data.sources.delimited import names_for, read_table, renamed
from pipeline.data.sources.item_vectors import NO_VECTORS, lying_in, vectors_in
from pipeline.data.sources.tables import NAMES, optional_table
from pipeline.data.sources.tidy import NO_LINKS, NO_TRIPLES, RawTable, tidy_added
from pipeline.parameters.params import read_parameters
from pipeline.recommend.titles import Titles
from stages import PARAMS
from stages import add_items as stage
from stages.cli.ask.catalogue import dataset_of
from stages.guard import show
from stages.shared.models import trained_as
from stages.shared.stage import Settings

# Ratings of every item of training, from which on one without any is unlike all that models saw. With 4 added items were
# about as often as others among the first ten; with 21 a sixth as often.
MANY_RATINGS = 10


def add_items(dataset: str | None, folder: Path) -> None:
    """
    Raises:
        InputError: the folder's tables are missing or wrong, or an item is one of the data set's; nothing has changed then.
    """
    parameters = read_parameters(PARAMS)
    name = dataset_of(parameters, dataset)
    source = parameters.datasets[name].source
    raw = _read(folder, getattr(source, "rename", {}), getattr(source, "facts", []))
    known = ITEMS.read(name).drop("item")
    items, kg, links = tidy_added(raw["items"], raw.get("kg"), raw.get("item_entities"), dict(known.schema))
    beside, remarks = vectors_in(folder, lying_in(folder, getattr(source, "vectors", [])), items["item_id"])
    _refuse_known(raw["items"], items["item_id"], known["item_id"], name)
    with one_at_a_time(HERE):
        before = _tables(name, known)
        kept = pl.col("item_id").is_in(items["item_id"].implode()).not_()
        replaced = len(before[0]) - len(before[0].filter(kept))
        tables = (
            pl.concat([before[0].filter(kept), items]),
            pl.concat([before[1], kg]).unique(maintain_order=True),
            pl.concat([before[2].filter(kept), links]),
            _with_more_vectors(before[3].filter(kept), beside, folder),
        )
        _write(name, tables)
        added = MORE_ITEMS.read(name)
    for remark in remarks:
        show(f"  {remark}")
    titles = Titles.of(added)
    edges = MORE_EDGES.read(name).group_by("target").len()
    neighbours = dict(edges.iter_rows())
    for item in added["item_id"].is_in(items["item_id"].implode()).arg_true().to_list():
        show(f"  {titles.ids[item]}  {titles.shown(item)}: joined to {neighbours.get(item, 0):,} items of the graph")
    again = f", {replaced} of them replaced" if replaced else ""
    show(f"added {len(items)} {'item' if len(items) == 1 else 'items'} to {name}{again}: {len(added)} in all")
    _note_what_no_model_saw(name, parameters.run_variants)


def _note_what_no_model_saw(dataset: str, variants: Sequence[str]) -> None:
    """Models that read counts cannot know what an item without ratings is like, where each of training has many."""
    if not any(_reads_counts(dataset, variant) for variant in variants):
        return
    counts = np.bincount(
        INTERACTIONS.read(dataset).filter(split="train")["item"].to_numpy(), minlength=len(ITEMS.read(dataset))
    )
    if counts.min() >= MANY_RATINGS:
        show(
            f"note: every training item has at least {counts.min():,} ratings, and the models never saw one without: what is added may "
            "rank far lower or higher than it will after `dvc repro`",
            error=True,
        )


def _reads_counts(dataset: str, variant: str) -> bool:
    """Whether a model is there that does; one that cannot be read is said by the verbs that need it, and items are added all the same."""
    stored = MODEL.of(variant=variant)
    try:
        return stored.at(dataset).is_file() and trained_as(dataset, stored)[0].count_biases
    except InputError:
        return False


def list_items(dataset: str | None) -> None:
    name = dataset_of(read_parameters(PARAMS), dataset)
    known = ITEMS.read(name)
    items, *_ = _tables(name, known.drop("item"))
    if items.is_empty():
        show(f"{name}: nothing is added")
        return
    titles = Titles.of(items.with_row_index("item"))
    by_now = items["item_id"].is_in(known["item_id"].implode())
    for item, known_by_now in enumerate(by_now):
        show(f"{titles.ids[item]}  {titles.shown(item)}{'  (now in the data set)' if known_by_now else ''}")


def remove_items(dataset: str | None, ids: Sequence[str]) -> None:
    """
    Raises:
        InputError: one was not added; nothing has changed then.
    """
    name = dataset_of(read_parameters(PARAMS), dataset)
    with one_at_a_time(HERE):
        items, kg, links, vectors = _tables(name, ITEMS.read(name).drop("item"))
        there = items["item_id"].to_list()
        for one in ids:
            if one not in there:
                raise InputError(
                    f"{quoted(one)}: found no such item among those added to {name}, "
                    f"expected one of: {shortened(', '.join(there)) or 'none'}"
                )
        kept = ~pl.col("item_id").is_in(list(ids))
        _write(name, (items.filter(kept), kg, links.filter(kept), vectors.filter(kept)))
    show(f"removed {len(set(ids))} of {len(items)} added items")


def _read(folder: Path, rename: Mapping[str, str], facts: Sequence[str]) -> dict[str, RawTable]:
    """items, and of kg and item_entities those that are there."""
    if not folder.is_dir():
        raise InputError(
            f"{folder}: folder not found; expected one with items, and kg and item_entities if you have them"
        )
    found = {}
    for name in NAMES[1:]:
        file = optional_table(folder, name)
        if file is None:
            if name == "items":
                raise InputError(
                    f"{folder}: table items: found nothing, expected items.csv, items.parquet or another format"
                )
            continue
        if facts and name != "items":
            raise InputError(
                f"{file}: found this table, but the data set's graph is made from the columns {', '.join(facts)}; expected items only"
            )
        table = read_table(file)
        found[name] = renamed(table, {column: rename[way] for column, way in names_for(name, table, rename).items()})
    return found


def _refuse_known(table: RawTable, ids: pl.Series, known: pl.Series, dataset: str) -> None:
    places = ids.is_in(known.implode()).arg_true()
    if len(places):
        more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
        raise InputError(
            f"{table.file}: column item_id, {table.row(int(places[0]))}: found {quoted(ids[int(places[0])])}, which is an item of "
            f"{dataset} already{more}; expected new ones. Changes to a known item count after `dvc repro`"
        )


def _tables(dataset: str, known: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """What was added so far."""
    items = read_added_items(dataset, known)
    if not ADDED_ITEMS.at(dataset).is_file():
        return items, NO_TRIPLES, NO_LINKS, NO_VECTORS
    vectors = ADDED_VECTORS.read(dataset) if ADDED_VECTORS.at(dataset).is_file() else NO_VECTORS
    return items, ADDED_KG.read(dataset), ADDED_ITEM_ENTITIES.read(dataset), vectors


def _with_more_vectors(before: pl.DataFrame, more: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """
    Raises:
        InputError: a kind is of another width than before.
    """
    if before.is_empty():
        return more
    for name, kind in more.schema.items():
        if name in before.schema and before.schema[name] != kind:
            raise InputError(
                f"{folder}: vectors {name}: found {kind}, expected {before.schema[name]} as for the items that were added before"
            )
    return pl.concat([before, more], how="diagonal")


def _write(dataset: str, tables: Sequence[pl.DataFrame]) -> None:
    """The tables, and what the stage makes of them; if it cannot, all is as it was."""
    with _undone_by_errors(dataset):
        for kind, table in zip(ADDED, tables, strict=True):
            kind.write(table, dataset)
        with stage.STAGE.touching():
            stage.main(dataset, Settings(stage.STAGE, dataset))


@contextmanager
def _undone_by_errors(dataset: str) -> Iterator[None]:
    paths = [kind.at(dataset) for kind in ADDED]
    before = [path.read_bytes() if path.is_file() else None for path in paths]
    try:
        yield
    except BaseException:
        for path, content in zip(paths, before, strict=True):
            if content is None:
                path.unlink(missing_ok=True)
            else:
                write_bytes(path, content)
        raise
