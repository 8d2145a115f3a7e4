"""From tables and vectors to what the page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from pipeline.graph.paths import KnowledgeGraph
from pipeline.report.charts import (
    counts_chart,
    learning_charts,
    map_chart,
    ratings_chart,
    shown_genres,
    slices_chart,
    threshold_charts,
)
from pipeline.report.figures import best_baseline, metrics_of, protocol_tables
from pipeline.report.item_map import drawn_items, project
from pipeline.report.key_numbers import key_numbers, split_sentence
from pipeline.report.labels import labels_of
from pipeline.report.page.render import Report, browser_data
from pipeline.report.portraits import portraits_of
from pipeline.report.posters import posters_of
from pipeline.report.strengths import PANELS, SLICES_EXPLAINED, findings
from pipeline.report.vega import COLOURS, GREY, Spec
from pipeline.text.template import item_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Tables:
    """Tables of `pipeline.artifacts` by their names there, of one data set."""

    items: pl.DataFrame
    users: pl.DataFrame
    interactions: pl.DataFrame
    source_kg: pl.DataFrame
    source_item_entities: pl.DataFrame
    entities: pl.DataFrame
    thresholds: pl.DataFrame
    intervals: pl.DataFrame
    differences: pl.DataFrame
    slices: pl.DataFrame
    warnings: list[str]


@dataclass(frozen=True)
class Shown:
    """What `recommend` left of a variant for the report.

    Attributes:
        arrays: item vectors, and all that a page needs to compute the model where it can.
        about: `best_epoch`; `merged`, whether likes and dislikes are one history to it; `refused`, why it cannot run in a page,
            empty where it can; `exponents`, `weights` and `relations` of the `BrowserModel`.
        curve: epoch, loss and validation figures.
        recommendations: of some users; reasons likewise.
    """

    arrays: Mapping[str, NDArray[np.float32]]
    about: Mapping[str, Any]
    curve: pl.DataFrame
    recommendations: pl.DataFrame
    reasons: pl.DataFrame


def compose(
    dataset: str,
    tables: Tables,
    variants: Mapping[str, Shown],
    template: str | None,
    like_threshold: float | None,
    s_m: int,
    seed: int,
    thumbnails: Mapping[int, bytes] | None = None,
    posters_limit: float = 0.0,
) -> Report:
    """
    Args:
        variants: those that run, in order; the first one's items are drawn, and it recommends.
        template: of the items' text.
        like_threshold: the lowest rating that is a like, or None.
        seed: of the drawing.
        thumbnails: of items, as WebP; posters_limit: bytes of them that the page has at most.

    Raises:
        InputError: the template names a column that the items lack.
    """
    names = list(variants)
    shown = variants[names[0]]
    labels = labels_of(tables.items, template)
    graph = KnowledgeGraph(tables.source_kg, tables.source_item_entities, tables.items, titles=labels.titles)
    ratings = _counts(tables.interactions["item"], len(tables.items))
    drawn = drawn_items(ratings)
    places = project(shown.arrays["items"][drawn], seed)
    metrics = metrics_of(tables.intervals)
    baseline = best_baseline(metrics, names)
    variant_colours = _variant_colours(names)
    colours = variant_colours | ({baseline: GREY} if baseline else {})
    charts: dict[str, Spec] = {
        "ratings": ratings_chart(tables.interactions),
        "item_counts": counts_chart(ratings, "items"),
        "user_counts": counts_chart(_counts(tables.interactions["user"], len(tables.users)), "users"),
        "map": map_chart(places, drawn.tolist(), labels, ratings),
        **threshold_charts(tables.thresholds, s_m, len(tables.items)),
        **learning_charts(
            {name: variant.curve for name, variant in variants.items()},
            {name: int(variant.about["best_epoch"]) for name, variant in variants.items()},
            variant_colours,
        ),
    }
    panels = {name: panel for name, panel in PANELS.items() if not panel.of(tables.slices).is_empty()}
    for name, panel in panels.items():
        charts[name] = slices_chart(panel.of(tables.slices), panel.slices, panel.metric, colours)
    playable = next((name for name in names if not variants[name].about["refused"]), None)
    model = variants[playable] if playable else None
    portraits = portraits_of(
        shown.recommendations,
        shown.reasons,
        tables.interactions,
        tables.users,
        labels,
        graph.names(shown.reasons["entity"].drop_nulls().unique().to_list()),
        shown.about["merged"],
    )
    return Report(
        dataset=dataset,
        like_threshold=like_threshold,
        s_m=s_m,
        edges=int(tables.thresholds.filter(pl.col("s_m") == s_m)["edges"].sum()),
        key_numbers=key_numbers(
            tables.interactions,
            len(tables.users),
            tables.items,
            item_texts(tables.items, template),
            tables.source_kg,
            tables.source_item_entities,
        ),
        split=split_sentence(tables.interactions, tables.users),
        shown=names[0],
        charts=charts,
        variant_colours=variant_colours,
        colours=colours,
        genres=shown_genres(labels, drawn.tolist()),
        genre_column=labels.genre_column,
        drawn=len(drawn) if len(drawn) < len(tables.items) else 0,
        tables=protocol_tables(metrics, tables.intervals, tables.differences, names),
        slices_explained=SLICES_EXPLAINED,
        panels=[(name, f"{panel.title}: {panel.metric}") for name, panel in panels.items()],
        findings=findings(tables.slices, names[0], baseline),
        warnings=tables.warnings,
        portraits=portraits,
        playable=playable,
        refused={
            name: variant.about["refused"]
            for name, variant in variants.items()
            if _said(name, names, playable, variant)
        },
        model=browser_data(
            model.arrays, model.about, _entities(model, tables.entities, graph), labels.titles, labels.details, ratings
        )
        if model
        else {},
        posters=posters_of(
            thumbnails or {},
            [pick.item for portrait in portraits for pick in portrait.picks],
            ratings,
            posters_limit,
            playable=model is not None,
        ),
    )


def _entities(model: Shown, entities: pl.DataFrame, graph: KnowledgeGraph) -> list[str]:
    """What the entities are called that two items of a page's model can share, by column; ids where nothing else is known."""
    if "around.entity" not in model.arrays:
        return []
    ids = entities["entity_id"].gather(model.arrays["around.entity"].astype(np.int64)).to_list()
    names = graph.names(list(dict.fromkeys(ids)))
    return [names.get(entity, entity) for entity in ids]


def _said(name: str, names: Sequence[str], playable: str | None, variant: Shown) -> bool:
    """Whether to say why a variant does not run in the page: one that would have been taken before the one that does."""
    before = playable is None or names.index(name) < names.index(playable)
    return bool(variant.about["refused"]) and before


def _variant_colours(variants: Sequence[str]) -> dict[str, str]:
    """The variant that recommends has the first colour, those after it the next ones."""
    return {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(variants)}


def _counts(column: pl.Series, size: int) -> NDArray[np.int64]:
    return np.bincount(column.to_numpy(), minlength=size)
