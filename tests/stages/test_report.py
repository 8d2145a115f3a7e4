"""The report of the small workspace, whose models were trained: what it shows is what the other stages left."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from pipeline.artifacts import data as data_artifacts
from pipeline.artifacts.evaluation import INTERVALS, METRICS, WARNINGS
from pipeline.artifacts.graph import GRAPH_FIGURES
from pipeline.artifacts.recommend import SHOWCASE_MODEL
from pipeline.artifacts.report import REPORT
from pipeline.artifacts.users import MODEL
from tests.artifacts.forged import forget_versions
from tests.stages.conftest import Finished
from tests.stages.workspace import GENRES, ITEMS, KEY, USERS, VARIANTS, assert_a_mistake_in_one_line


@pytest.fixture(scope="module")
def page(finished: Finished) -> str:
    return REPORT.at(KEY, finished.workspace.root).read_text(encoding="utf-8")


def embedded(page: str) -> dict[str, dict[str, object]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def test_it_says_where_it_is_and_which_model_runs_in_it(finished: Finished, page: str) -> None:
    size = f"{len(page.encode()) / 1e6:.1f} MB"
    line = f"[{KEY}] report: {REPORT.at(KEY)}: {size}; recommended runs in it"
    assert line in finished.results["report"].out.splitlines()
    assert (
        "crmman, shown in the report: 12 users; not in a page: its views use attention"
        in finished.results["recommend.crmman"].out
    )
    assert "<strong>recommended</strong> runs in this page" in page


def test_figures_and_counts_are_those_of_the_artifacts(finished: Finished, page: str) -> None:
    root = finished.workspace.root
    for protocols in METRICS.read(KEY, root).values():
        for figures in protocols.values():
            for value in figures.values():
                assert f"{value:.4f}".replace("0.", ".", 1) in page
    assert f"<dt>users</dt><dd>{USERS}</dd>" in page
    assert f"<dt>items</dt><dd>{ITEMS}</dd>" in page
    edges = GRAPH_FIGURES.read(KEY, root)["edges"]
    assert f"(ringed): {edges} edges" in page
    for warning in WARNINGS.read(KEY, root):
        assert warning in page


def test_genres_and_titles_are_those_of_the_items(finished: Finished, page: str) -> None:
    assert sorted(re.findall(r'data-genre="(\w+)"', page)) == sorted(GENRES)
    items = data_artifacts.ITEMS.read(KEY, finished.workspace.root)
    assert embedded(page)["model"]["titles"] == items["title"].to_list()
    assert set(embedded(page)["model"]["details"]) == set(GENRES)  # type: ignore[call-overload]


def test_the_model_in_the_page_has_the_item_vectors_of_the_trained_one(finished: Finished) -> None:
    root = finished.workspace.root
    for variant in VARIANTS:
        shown = SHOWCASE_MODEL.of(variant=variant)
        trained = MODEL.of(variant=variant)
        assert np.array_equal(shown.read(KEY, root)["items"], trained.read(KEY, root)["items"])
        assert shown.about(KEY, root)["best_epoch"] == trained.about(KEY, root)["best_epoch"]
        assert shown.about(KEY, root)["curve"] == trained.about(KEY, root)["curve"]


def test_items_without_titles_and_genres_have_a_report_too(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    items = data_artifacts.ITEMS.read(KEY, copy.root).select("item", "item_id")
    data_artifacts.ITEMS.write(items, KEY, copy.root)
    forget_versions(copy.root)
    copy.change_params(lambda values: values["datasets"][KEY].update(text_template=None))
    result = copy.run("report")
    assert result.code == 0, result.err
    found = REPORT.at(KEY, copy.root).read_text(encoding="utf-8")
    assert embedded(found)["model"]["titles"] == items["item_id"].to_list()
    assert "data-genre" not in re.sub(r"<script.*?</script>", "", found, flags=re.DOTALL)
    assert "No column of the items has just a few different values" in found


def test_a_variant_that_was_not_shown_is_named(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values.update(run_variants=["recommended", "random-graph"]))
    before = copy.files()
    missing = SHOWCASE_MODEL.of(variant="random-graph").at(KEY)
    assert_a_mistake_in_one_line(copy.run("report"), f"{missing}: artifact not found")
    assert copy.files() == before


def test_a_variant_that_was_not_compared_is_named(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values.update(run_variants=[VARIANTS[0]]))
    assert copy.run("compare").code == 0
    copy.change_params(lambda values: values.update(run_variants=list(VARIANTS)))
    before = copy.files()
    assert_a_mistake_in_one_line(copy.run("report"), f"{INTERVALS.at(KEY)}: found no figures of '{VARIANTS[1]}'")
    assert copy.files() == before
