"""Charts are made of the numbers that they are given, and coloured by the page's style sheet alone."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from subprocess import CalledProcessError
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.report import vega
from pipeline.report.charts import (
    BINS,
    counts_chart,
    learning_charts,
    map_chart,
    ratings_chart,
    shown_genres,
    slices_chart,
    threshold_charts,
)
from pipeline.report.labels import Labels
from pipeline.report.vega import COLOURS, GREY, Spec, library
from tests.report.world import report


def values_of(spec: Spec) -> list[dict[str, Any]]:
    """The rows that a chart was made of."""
    return next(list(source["values"]) for source in spec["data"] if "values" in source)


def test_ratings_are_counted_by_value_and_kind() -> None:
    rated = pl.DataFrame({"rating": [4.5, 3.0, 4.5], "like": [True, False, True]})
    assert values_of(ratings_chart(rated)) == [
        {"rating": "3", "kind": "dislike", "count": 1},
        {"rating": "4.5", "kind": "like", "count": 2},
    ]
    alone = pl.DataFrame({"rating": [None, None], "like": [True, False]}, schema_overrides={"rating": pl.Float32})
    assert values_of(ratings_chart(alone)) == [
        {"rating": "dislike", "kind": "dislike", "count": 1},
        {"rating": "like", "kind": "like", "count": 1},
    ]


def test_items_are_counted_in_bins_that_hold_them_all() -> None:
    counts = np.array([0, 1, 2, 3, 5, 6, 1000, 1001, 7000])
    assert values_of(counts_chart(counts, "items")) == [
        {"bin": "0", "ratings": "0", "count": 1},
        {"bin": "≤2", "ratings": "1 to 2", "count": 2},
        {"bin": "≤5", "ratings": "3 to 5", "count": 2},
        {"bin": "≤10", "ratings": "6 to 10", "count": 1},
        *({"bin": f"≤{end}", "ratings": f"{start + 1} to {end}", "count": 0} for start, end in pairwise(BINS[3:9])),
        {"bin": "≤1k", "ratings": "501 to 1,000", "count": 1},
        {"bin": ">1k", "ratings": "1,001 or more", "count": 2},
    ]
    assert values_of(counts_chart(np.array([30, 40]), "users")) == [{"bin": "≤50", "ratings": "21 to 50", "count": 2}]


def test_thresholds_are_drawn_up_to_where_hardly_an_item_has_an_edge() -> None:
    thresholds = pl.DataFrame(
        {"s_m": range(5), "edges": [90, 40, 9, 1, 0], "density": [0.9, 0.4, 0.09, 0.01, 0.0]}
        | {"isolated_items": [0, 5, 60, 96, 100]}
    )
    drawn = {s_m: [row["s_m"] for row in _rows(threshold_charts(thresholds, s_m, 100)["edges"])] for s_m in (1, 3)}
    assert drawn == {1: [0, 1, 2], 3: [0, 1, 2, 3]}
    charts = threshold_charts(thresholds, 1, 100)
    assert set(charts) == {"edges", "density", "isolated"}
    assert [row["isolated"] for row in _rows(charts["isolated"])] == [0.0, 0.05, 0.6]
    for chart in charts.values():
        assert "datum.s_m === 1" in json.dumps(chart)


def _rows(spec: Spec) -> list[dict[str, Any]]:
    """Of a chart with a band: that has a table of its own."""
    return next(source["values"] for source in spec["data"] if "s_m" in source.get("values", [{}])[0])


def test_the_most_frequent_genres_have_colours_of_their_own() -> None:
    genres = [f"g{number}" for number in range(10) for _ in range(20 - number)] + [""]
    labels = Labels(["t"] * len(genres), [""] * len(genres), genres, "genre")
    every = range(len(genres))
    assert shown_genres(labels, every) == {f"g{number}": COLOURS[number] for number in range(8)} | {"other": GREY}
    assert shown_genres(labels, range(30)) == {"g0": COLOURS[0], "g1": COLOURS[1]}
    assert shown_genres(Labels(["t"], [""], [""], None), [0]) == {}
    places = np.zeros((len(genres), 2))
    rows = values_of(map_chart(places, list(every), labels, np.arange(len(genres))))
    assert [row["genre"] for row in rows] == [
        genre if genre in {f"g{n}" for n in range(8)} else "other" for genre in genres
    ]
    plain = values_of(map_chart(places[:1], [0], Labels(["t"], [""], [""], None), np.array([3])))
    assert plain == [{"x": 0.0, "y": 0.0, "title": "t", "details": "", "ratings": 3}]


def test_learning_curves_mark_the_epoch_that_was_kept_and_losses_are_shares_of_the_first() -> None:
    curve = pl.DataFrame(
        {"epoch": [1, 2], "loss": [4.0, 1.0], "ctr_user_auc": [0.5, 0.6]}
        | {"impression_ndcg@10": [0.1, 0.2], "ranking_ndcg@10": [0.3, 0.4]}
    )
    charts = learning_charts({"plus": curve}, {"plus": 2}, {"plus": COLOURS[0]})
    assert values_of(charts["ctr_user_auc"]) == [
        {"epoch": 1, "variant": "plus", "value": 0.5, "kept": False},
        {"epoch": 2, "variant": "plus", "value": 0.6, "kept": True},
    ]
    assert [row["value"] for row in values_of(charts["loss"])] == [1.0, 0.25]
    assert set(charts) == {"ranking_ndcg@10", "ctr_user_auc", "impression_ndcg@10", "loss"}


def test_slices_are_drawn_of_the_systems_that_have_a_colour() -> None:
    slices = pl.DataFrame(
        [("cold", "plus", 0.2, 0.1, 0.3, 5), ("cold", "als", 0.1, 0.0, 0.2, 5)],
        schema=["slice", "system", "value", "low", "high", "users"],
        orient="row",
    )
    rows = values_of(slices_chart(slices, ["cold", "head"], "NDCG@10", {"plus": COLOURS[0]}))
    assert rows == [{"slice": "cold", "system": "plus", "value": 0.2, "low": 0.1, "high": 0.3, "users": 5}]


@pytest.mark.parametrize("name", report("plain").charts)
def test_every_colour_is_one_of_the_style_sheet_and_no_address_is_in_a_chart(name: str) -> None:
    chart = json.dumps(report("plain").charts[name])
    # black and transparent are the colours of what is not seen.
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b", chart)
    assert "http" not in chart
    assert "var(--c1)" in chart


def test_the_library_can_stand_in_a_script_element_and_defines_what_the_page_calls() -> None:
    assert "</script" not in library().lower()
    assert "window.vegaEmbed=" in library()


def test_a_library_that_cannot_be_made_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    vega._bundling.cache_clear()
    library.cache_clear()
    monkeypatch.setattr(vega, "BUNDLE", "raise SystemExit('no library')")
    try:
        with pytest.raises(CalledProcessError) as found:
            library()
        assert "no library" in found.value.stderr
    finally:
        vega._bundling.cache_clear()
        library.cache_clear()
