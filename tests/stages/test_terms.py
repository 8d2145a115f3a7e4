"""A variant with everything that counts and the graph tell, through the stages: trained, stored, read, evaluated and explained."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.artifacts.data import SOURCE_KG
from pipeline.artifacts.graph import ENTITIES
from pipeline.artifacts.recommend import RECOMMENDATIONS, SHOWCASE_MODEL, SHOWCASE_REASONS, VECTORS
from pipeline.artifacts.users import MODEL
from pipeline.explain.parts import PARTS
from stages.cli.app import main
from tests.stages.conftest import Finished
from tests.stages.test_recommend import stored_scores
from tests.stages.workspace import KEY, Workspace

VARIANT = "recommended"
SWITCHES: dict[str, Any] = {
    "terms": ["overlap", "together", "popularity"],
    "count_biases": True,
    "targets": "left_out",
    "epochs": 2,
}


@pytest.fixture(scope="module")
def knowing(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    copy = finished.workspace.copy(tmp_path_factory.mktemp("knowing") / "copy")
    copy.change_params(lambda values: values["variants"][VARIANT].update(SWITCHES))
    for stage in ("train_users", "evaluate", "recommend"):
        if stage == "recommend":
            trust_the_graph(copy)
        result = copy.run(f"{stage}.{VARIANT}")
        assert (result.code, result.err) == (0, ""), result
    return copy


def trust_the_graph(workspace: Workspace) -> None:
    """So much that some reasons come from it."""
    stored = MODEL.of(variant=VARIANT)
    arrays, about = stored.read(KEY, workspace.root), stored.about(KEY, workspace.root)
    arrays["scorer.terms.likes.overlap.weights.meet"] += 5.0
    stored.write(arrays, KEY, workspace.root, about=about)


def test_a_model_with_terms_is_stored_with_what_it_knows(knowing: Workspace) -> None:
    arrays = MODEL.of(variant=VARIANT).read(KEY, knowing.root)
    assert {"known.features", "known.likes.ratings", "known.around.relation"} <= arrays.keys()
    # What biases are made of goes with it: for items that are added later.
    assert any(name.startswith("biases.") for name in arrays)
    width = arrays["items"].shape[1]
    assert VECTORS.of(variant=VARIANT).read(KEY, knowing.root) == (
        f"no vectors: terms (overlap, popularity, together) give every pair of items a weight of its own, which vectors of {width} "
        "numbers would leave out of the score; instead of an index use the table of recommendations, or `crmman recommend`"
    )


def test_recommendations_have_the_scores_of_the_stored_model(knowing: Workspace) -> None:
    found = RECOMMENDATIONS.of(variant=VARIANT).read(KEY, knowing.root)
    matched = found.join(stored_scores(knowing.root, VARIANT), on=["user_id", "item_id"])
    assert len(matched) == len(found) > 0
    np.testing.assert_allclose(matched["score"], matched["expected"], atol=1e-4)


def test_an_explanation_adds_up_to_the_score(knowing: Workspace, monkeypatch, capsys) -> None:
    monkeypatch.chdir(knowing.root)
    found = RECOMMENDATIONS.of(variant=VARIANT).read(KEY, knowing.root).filter(rank=1)
    user, item, score = found.select("user_id", "item_id", "score").row(0)
    with pytest.raises(SystemExit) as end:
        main(["explain", "--user", user, "--variant", VARIANT, "--item", f"id:{item}", "--format", "json"])
    out, err = capsys.readouterr()
    assert (end.value.code or 0, err) == (0, "")
    told = json.loads(out)
    assert told["score"] == pytest.approx(score, abs=1e-4)
    assert sum(row["contribution"] for row in told["contributions"]) == pytest.approx(told["score"], abs=1e-4)
    names = {relation for (relation,) in SOURCE_KG.read(KEY, knowing.root).select("relation").unique().iter_rows()}
    entities = set(ENTITIES.read(KEY, knowing.root)["entity_id"])
    related = 0
    for row in told["contributions"]:
        if row["kind"] == "bias":
            continue
        assert sum(row.get(part, 0.0) for part in PARTS) == pytest.approx(row["contribution"], abs=1e-6)
        relations = row.get("relations", [])
        assert sum(one["contribution"] for one in relations) == pytest.approx(row.get("overlap", 0.0), abs=1e-6)
        assert {one["relation"].removeprefix("^") for one in relations} <= names
        assert {shared["entity"] for one in relations for shared in one["entities"]} <= entities
        related += len(relations)
    assert related


def test_an_explanation_shows_the_parts_of_what_it_shows(knowing: Workspace, monkeypatch, capsys) -> None:
    monkeypatch.chdir(knowing.root)
    user, item = RECOMMENDATIONS.of(variant=VARIANT).read(KEY, knowing.root).row(0)[0:3:2]
    asked = ["explain", "--user", user, "--variant", VARIANT, "--item", f"id:{item}"]
    texts = {}
    for form in ("table", "csv"):
        with pytest.raises(SystemExit) as end:
            main([*asked, "--parts", "100", "--format", form])
        texts[form], err = capsys.readouterr()
        assert (end.value.code or 0, err) == (0, "")
    lines = re.findall(r"^  Film number \d+ +([+-]?\d+\.\d+)(?:  (\S.*))?$", texts["table"], re.MULTILINE)
    assert any(re.search("(same|both) ", parts) for _, parts in lines)
    for whole, parts in lines:
        if parts:
            shown = [float(number) for number in re.findall(r" ([+-]\d+\.\d+)(?:, |$)", parts)]
            assert sum(shown) == pytest.approx(float(whole), abs=1e-9)
    rows = pl.read_csv(io.StringIO(texts["csv"]), schema_overrides=dict.fromkeys(PARTS, pl.Float64)).filter(
        pl.col("kind") != "bias"
    )
    summed = rows.select(pl.sum_horizontal(PARTS)).to_series()
    assert summed.to_list() == pytest.approx(rows["contribution"].to_list(), abs=1e-6)
    assert rows["relation"].is_not_null().any()
    assert (rows["relation"].is_null() == rows["entity"].is_null()).all()
    assert (rows["relation"].is_null() == rows["overlap"].is_null()).all()


def test_the_table_of_recommendations_says_what_a_reason_comes_from(knowing: Workspace) -> None:
    found = RECOMMENDATIONS.of(variant=VARIANT).read(KEY, knowing.root)
    reasons = found.explode("reasons")["reasons"].struct.unnest()
    named = reasons["item_id"].is_not_null()
    assert reasons.filter(named)["by"].is_in(PARTS).all()
    assert reasons.filter(~named)["by"].is_null().all()
    graph = reasons["by"].fill_null("") == "overlap"
    assert graph.any()
    assert (graph == reasons["relation"].is_not_null()).all()
    assert (graph == reasons["entity"].is_not_null()).all()
    shown = SHOWCASE_REASONS.of(variant=VARIANT).read(KEY, knowing.root)
    assert (shown["relation"].is_not_null() == (shown["by"].fill_null("") == "overlap")).all()
    assert shown["relation"].is_not_null().any()
    assert not SHOWCASE_MODEL.of(variant=VARIANT).about(KEY, knowing.root)["merged"]


@pytest.mark.parametrize("shown", ["3", "1000"])
def test_a_score_by_entities_adds_up_in_full_and_as_printed(
    knowing: Workspace, monkeypatch, capsys, shown: str
) -> None:
    monkeypatch.chdir(knowing.root)
    user, item = RECOMMENDATIONS.of(variant=VARIANT).read(KEY, knowing.root).row(0)[0:3:2]
    asked = ["explain", "--user", user, "--item", f"id:{item}", "--variant", VARIANT]
    texts = {}
    for form, options in (
        ("table", ["--entities", "--parts", shown]),
        ("csv", ["--entities"]),
        ("json", ["--entities"]),
        ("whole", ["--format", "json"]),
    ):
        with pytest.raises(SystemExit) as end:
            main([*asked, *options, *(["--format", form] if form in ("csv", "json") else [])])
        texts[form], err = capsys.readouterr()
        assert (end.value.code or 0, err) == (0, "")
    told, whole = json.loads(texts["json"]), json.loads(texts["whole"])
    groups = told["shared_in_the_graph"]
    assert groups
    assert told["score"] == whole["score"]
    assert sum(one["contribution"] for one in groups) + told["not_of_the_graph"] == pytest.approx(
        told["score"], abs=1e-6
    )
    # Each item's share of all groups is the part of the graph in its contribution.
    for row in whole["contributions"]:
        mine = [
            one["contribution"]
            for group in groups
            for one in group["items"]
            if (one["kind"], one["item_id"]) == (row["kind"], row.get("item_id"))
        ]
        assert sum(mine) == pytest.approx(row.get("overlap", 0.0), abs=1e-6)
    rows = pl.read_csv(io.StringIO(texts["csv"]))
    assert rows["contribution"].to_list() == pytest.approx(
        [*(one["contribution"] for one in groups), told["not_of_the_graph"]]
    )
    assert rows["relation"].null_count() == 1
    lines = re.findall(r"^(.*?) {2,}([+-]?\d+\.\d+)(?:  .*)?$", texts["table"], re.MULTILINE)
    inner = [float(number) for text, number in lines if text.startswith("  ")]
    outer = [float(number) for text, number in lines if not text.startswith("  ")]
    assert len(inner) == min(len(groups), int(shown) + 1)
    assert sum(inner) == pytest.approx(outer[0], abs=1e-9)
    assert outer[0] + outer[1] == pytest.approx(outer[2], abs=1e-9)


def test_a_model_that_reads_no_entities_says_so(knowing: Workspace, monkeypatch, capsys) -> None:
    monkeypatch.chdir(knowing.root)
    with pytest.raises(SystemExit):
        main(["explain", "--user", "u7", "--item", "i3", "--variant", "crmman", "--entities"])
    out, _ = capsys.readouterr()
    assert "crmman has no term `overlap`, so no part of the score comes from an entity." in out
