"""The charts of the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from pipeline.report.labels import Labels
from pipeline.report.vega import ACCENT, COLOURS, GOOD, GREY, INK, Spec, drawn

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEIGHT = 170
OTHER = "other"
# Upper ends of the bins in which items and users are counted by their ratings.
BINS = (0, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
MOSTLY_ISOLATED = 0.95
FIGURES = {
    "ranking_ndcg@10": "ranking, NDCG@10",
    "ctr_user_auc": "ctr, AUC per user",
    "impression_ndcg@10": "impression, NDCG@10",
}


def ratings_chart(interactions: pl.DataFrame) -> Spec:
    """How often each rating was given, or likes and dislikes where there are no ratings.

    Args:
        interactions: rating, like.
    """
    rated = interactions["rating"].null_count() == 0
    name = pl.col("rating") if rated else pl.when("like").then(pl.lit("like")).otherwise(pl.lit("dislike"))
    counts = interactions.group_by(name.alias("rating"), "like").len().sort("rating")
    rows = [
        {"rating": f"{rating:g}" if rated else rating, "kind": "like" if like else "dislike", "count": count}
        for rating, like, count in counts.iter_rows()
    ]
    return drawn(
        rows,
        HEIGHT,
        "Ratings by their value",
        mark={"type": "bar", "cornerRadiusEnd": 2},
        encoding={
            "x": _names("rating"),
            "y": _counts("count"),
            "color": _colours("kind", {"like": ACCENT, "dislike": COLOURS[1]}),
            "tooltip": [{"field": "rating"}, {"field": "kind"}, {"field": "count", "format": ","}],
        },
    )


def counts_chart(counts: NDArray[np.int64], what: str) -> Spec:
    """How many items, or users, have how many ratings.

    Args:
        counts: ratings of each, (M,) or (users,).
        what: "items" or "users".
    """
    bins = np.searchsorted(BINS, counts, side="left")
    found = np.bincount(bins)
    first = int(np.flatnonzero(found)[0])
    starts, ends = [0, *(end + 1 for end in BINS)], [*BINS, None]
    rows = [
        {"bin": _at_most(starts[place], ends[place]), "ratings": _from_to(starts[place], ends[place]), "count": count}
        for place, count in enumerate(found.tolist())
    ][first:]
    return drawn(
        rows,
        HEIGHT,
        f"{what.capitalize()} by their number of ratings",
        mark={"type": "bar", "cornerRadiusEnd": 2, "color": ACCENT},
        encoding={
            "x": _names("bin"),
            "y": _counts("count"),
            "tooltip": [{"field": "ratings"}, {"field": "count", "title": what, "format": ","}],
        },
    )


def _at_most(start: int, end: int | None) -> str:
    """A bin's name short enough to stand under its bar."""
    return f">{_short(start - 1)}" if end is None else f"≤{_short(end)}" if start < end else str(end)


def _short(number: int) -> str:
    return f"{number // 1000}k" if number >= 1000 else str(number)


def _from_to(start: int, end: int | None) -> str:
    return f"{start:,} or more" if end is None else f"{start:,} to {end:,}" if start < end else f"{end:,}"


def threshold_charts(thresholds: pl.DataFrame, s_m: int, items: int) -> dict[str, Spec]:
    """Edges, density and isolated items over S_m, the chosen one marked; green where a graph is usually good. None without an edge.

    Args:
        thresholds: s_m, edges, density, isolated_items.
    """
    shown = thresholds.filter(pl.col("edges") > 0)
    if shown.is_empty():
        return {}
    shown = shown.with_columns(isolated=pl.col("isolated_items") / items)
    # Where hardly an item has an edge nothing is to be chosen.
    shown = shown.filter((pl.col("isolated") < MOSTLY_ISOLATED) | (pl.col("s_m") <= s_m))
    rows = shown.select("s_m", "edges", "density", "isolated").rows(named=True)
    panels: dict[str, tuple[str, str, bool, tuple[float, float] | None]] = {
        "edges": ("edges", "~s", True, None),
        "density": ("share of pairs that are edges", "~%", True, (0.01, 0.1)),
        "isolated": ("share of isolated items", "~%", False, (0.0, 0.3)),
    }
    return {name: _over_thresholds(rows, s_m, name, *panel) for name, panel in panels.items()}


def _over_thresholds(
    rows: list[Spec], s_m: int, name: str, title: str, form: str, log: bool, band: tuple[float, float] | None
) -> Spec:
    scale: Spec = {"type": "log"} if log else {"domain": [0, 1]}
    x: Spec = {"field": "s_m", "type": "quantitative", "title": "S_m", "axis": {"tickMinStep": 1, "format": "d"}}
    ticks: Spec = {"values": _powers_of_ten([row[name] for row in rows])} if log else {"tickCount": 4}
    y: Spec = {"field": name, "type": "quantitative", "title": None, "scale": scale, "axis": {"format": form} | ticks}
    tooltip = [
        {"field": "s_m", "title": "S_m"},
        {"field": "edges", "format": ","},
        {"field": "density", "format": ".2%"},
        {"field": "isolated", "title": "isolated items", "format": ".1%"},
    ]
    layers: list[Spec] = [
        {"mark": {"type": "line", "color": ACCENT, "strokeWidth": 2}, "encoding": {"x": x, "y": y}},
        {
            "mark": {"type": "circle", "color": ACCENT, "size": 26, "opacity": 1},
            "encoding": {"x": x, "y": y, "tooltip": tooltip},
        },
        {
            "transform": [{"filter": f"datum.s_m === {s_m}"}],
            "mark": {"type": "point", "color": INK, "size": 110, "strokeWidth": 2},
            "encoding": {"x": x, "y": y, "tooltip": tooltip},
        },
    ]
    if band:
        layers.insert(
            0,
            {
                "data": {"values": [{"low": band[0], "high": band[1]}]},
                "mark": {"type": "rect", "color": GOOD, "opacity": 0.14},
                "encoding": {"y": {"field": "low", "type": "quantitative", "scale": scale}, "y2": {"field": "high"}},
            },
        )
    return drawn(rows, HEIGHT, f"{title} over S_m; chosen: {s_m}", layer=layers)


def shown_genres(labels: Labels, items: Sequence[int]) -> dict[str, str]:
    """The genres that have a colour of their own, the most frequent first, to it; then `OTHER`, if there are others.

    Args:
        items: those that are drawn.
    """
    counts = Counter(labels.genres[item] for item in items if labels.genres[item])
    order = sorted(counts, key=lambda genre: (-counts[genre], genre))
    colours = dict(zip(order, COLOURS, strict=False))
    others = any(labels.genres[item] not in colours for item in items)
    return colours | ({OTHER: GREY} if others and colours else {})


def map_chart(
    places: NDArray[np.float64], drawn_items: Sequence[int], labels: Labels, ratings: NDArray[np.int64]
) -> Spec:
    """Items in the plane, by genre, as large as they are known.

    Args:
        places: (drawn, 2).
        drawn_items: their indices.
        ratings: of each item, (M,).
    """
    colours = shown_genres(labels, drawn_items)
    rows = [
        {"x": x, "y": y, "title": labels.titles[item], "details": labels.details[item], "ratings": int(ratings[item])}
        | ({"genre": labels.genres[item] if labels.genres[item] in colours else OTHER} if colours else {})
        for (x, y), item in zip(places.tolist(), drawn_items, strict=True)
    ]
    axis: Spec = {"type": "quantitative", "axis": None, "scale": {"domain": [-1.05, 1.05], "nice": False}}
    encoding: Spec = {
        "x": {"field": "x", **axis},
        "y": {"field": "y", **axis},
        "size": {
            "field": "ratings",
            "type": "quantitative",
            "legend": None,
            "scale": {"type": "sqrt", "range": [10, 190]},
        },
        "color": _colours("genre", colours) if colours else {"value": ACCENT},
        "opacity": {"condition": {"test": "shown === '' || datum.genre === shown", "value": 0.8}, "value": 0.06},
        "tooltip": [
            {"field": "title", "type": "nominal"},
            {"field": "details", "type": "nominal"},
            {"field": "ratings", "type": "quantitative", "format": ","},
        ],
    }
    return drawn(
        rows,
        "container",
        "Items in the plane; those close together have similar vectors",
        mark={"type": "circle", "stroke": "var(--paper)", "strokeWidth": 0.5},
        encoding=encoding,
        params=[{"name": "shown", "value": ""}],
    )


def learning_charts(
    curves: Mapping[str, pl.DataFrame], best: Mapping[str, int], colours: Mapping[str, str]
) -> dict[str, Spec]:
    """Validation figures and the loss of each variant by epoch, the epoch that was kept marked.

    Args:
        curves: variant to epoch, loss and validation figures.
        best: variant to the epoch that was kept.
        colours: variant to its colour.
    """
    found = {}
    for column, title in FIGURES.items():
        rows = [
            {"epoch": epoch, "variant": variant, "value": value, "kept": epoch == best[variant]}
            for variant, curve in curves.items()
            for epoch, value in curve.select("epoch", column).iter_rows()
        ]
        found[column] = _by_epoch(rows, title, ".3f", colours)
    rows = [
        {"epoch": epoch, "variant": variant, "value": loss / curve["loss"][0], "kept": epoch == best[variant]}
        for variant, curve in curves.items()
        for epoch, loss in curve.select("epoch", "loss").iter_rows()
    ]
    return found | {"loss": _by_epoch(rows, "loss, as a share of the first", ".0%", colours)}


def _by_epoch(rows: list[Spec], title: str, form: str, colours: Mapping[str, str]) -> Spec:
    encoding: Spec = {
        "x": {"field": "epoch", "type": "quantitative", "axis": {"tickMinStep": 1, "format": "d", "tickCount": 6}},
        "y": {
            "field": "value",
            "type": "quantitative",
            "title": None,
            "scale": {"zero": False},
            "axis": {"tickCount": 4, "format": form},
        },
        "color": _colours("variant", colours),
        "tooltip": [
            {"field": "variant"},
            {"field": "epoch"},
            {"field": "value", "title": title, "format": form.replace("0", "1")},
        ],
    }
    layers: list[Spec] = [
        {"mark": {"type": "line", "strokeWidth": 2}},
        # Under the mouse, and not seen.
        {"mark": {"type": "circle", "size": 120, "opacity": 0}},
        {"transform": [{"filter": "datum.kept"}], "mark": {"type": "circle", "size": 70, "opacity": 1}},
    ]
    return drawn(rows, HEIGHT, f"{title} by epoch", layer=layers, encoding=encoding)


def slices_chart(slices: pl.DataFrame, names: Sequence[str], metric: str, colours: Mapping[str, str]) -> Spec:
    """A figure of some systems by slice, with its interval.

    Args:
        slices: slice, system, value, low, high, users: of one way to slice and one metric.
        names: of the slices, in order.
        colours: system to its colour, in order.
    """
    rows = slices.filter(pl.col("system").is_in(list(colours))).rows(named=True)
    x: Spec = {"field": "slice", "type": "nominal", "sort": list(names), "title": None, "axis": {"labelAngle": 0}}
    systems = list(colours)
    encoding: Spec = {
        "x": x,
        "xOffset": {"field": "system", "type": "nominal", "sort": systems, "scale": {"paddingOuter": 1.2}},
        "color": _colours("system", colours),
        "tooltip": [
            {"field": "system"},
            {"field": "slice"},
            {"field": "value", "title": metric, "format": ".3f"},
            {"field": "low", "title": "from", "format": ".3f"},
            {"field": "high", "title": "to", "format": ".3f"},
            {"field": "users", "format": ","},
        ],
    }
    scale: Spec = {"title": None, "axis": {"tickCount": 4, "format": ".1f"}}
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.45},
            "encoding": {"y": {"field": "low", "type": "quantitative", **scale}, "y2": {"field": "high"}},
        },
        {
            "mark": {"type": "circle", "size": 64, "opacity": 1},
            "encoding": {"y": {"field": "value", "type": "quantitative", **scale}},
        },
    ]
    return drawn(rows, HEIGHT, f"{metric} by slice", layer=layers, encoding=encoding)


def _powers_of_ten(values: Sequence[float]) -> list[float]:
    """Those that `values` lie between."""
    low, high = np.floor(np.log10(min(values))), np.ceil(np.log10(max(values)))
    return [10.0**power for power in range(int(low), int(high) + 1)]


def _names(field: str) -> Spec:
    return {
        "field": field,
        "type": "nominal",
        "sort": None,
        "title": None,
        "axis": {"labelAngle": 0, "labelOverlap": "greedy"},
        "scale": {"paddingInner": 0.25, "paddingOuter": 0.2},
    }


def _counts(field: str) -> Spec:
    return {"field": field, "type": "quantitative", "title": None, "axis": {"tickCount": 4, "format": ",d"}}


def _colours(field: str, colours: Mapping[str, str]) -> Spec:
    scale: Any = {"domain": list(colours), "range": list(colours.values())}
    return {"field": field, "type": "nominal", "scale": scale, "legend": None}
