"""Every stage through its command line, on a small data set with planted tastes."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

from pipeline import artifacts
from tests.stages.conftest import Finished
from tests.stages.workspace import ITEMS, KEY, STAGES, USERS, planted_tables

ARTIFACTS = {name: value for name, value in vars(artifacts).items() if isinstance(value, artifacts._Artifact)}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_ends_well_and_says_what_it_took(finished: Finished, stage: str) -> None:
    result = finished.results[stage]
    assert result.code == 0, result.err
    assert re.fullmatch(rf"\[{KEY}\] {stage}: done in \d+\.\d s", result.out.splitlines()[-1])
    assert float((finished.workspace.root / ".timings" / f"{KEY}.{stage}").read_text()) > 0


def test_every_artifact_is_there_and_passes_its_checks(finished: Finished) -> None:
    root = finished.workspace.root
    assert len(ARTIFACTS) > 20
    for artifact in ARTIFACTS.values():
        artifact.read(KEY, root)
    expected = {str(artifact.at(KEY)) for artifact in ARTIFACTS.values()}
    assert set(finished.files) == expected


def test_stages_run_again_leave_the_same_bytes(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    # train_users is run again where it is killed and resumed: test_resume.py.
    stages = ["validate", *(stage for stage in STAGES if stage != "train_users")]
    assert {stage: result.code for stage, result in copy.run_all(stages).items()} == dict.fromkeys(stages, 0)
    assert copy.files() == finished.files


def test_fetch_stores_the_tables_of_the_source(finished: Finished) -> None:
    root, tables = finished.workspace.root, planted_tables()
    found = artifacts.SOURCE_INTERACTIONS.read(KEY, root).select("user_id", "item_id", pl.col("rating").cast(pl.Int64))
    assert found.equals(tables["interactions"].sort("user_id", "item_id"))
    assert artifacts.SOURCE_ITEMS.read(KEY, root).equals(tables["items"].sort("item_id"))
    assert artifacts.SOURCE_KG.read(KEY, root).equals(tables["kg"].sort("head", "relation", "tail"))
    assert artifacts.SOURCE_ITEM_ENTITIES.read(KEY, root).equals(tables["item_entities"].sort("item_id"))


def test_prepare_gives_each_rating_a_split_and_each_like_its_meaning(finished: Finished) -> None:
    root = finished.workspace.root
    items, users = artifacts.ITEMS.read(KEY, root), artifacts.USERS.read(KEY, root)
    assert items["item_id"].to_list() == sorted(f"i{item}" for item in range(ITEMS))
    assert len(users) == USERS
    found = artifacts.INTERACTIONS.read(KEY, root)
    named = found.join(items, on="item").join(users, on="user").select("user_id", "item_id", "like", "split")
    expected = planted_tables()["interactions"].with_columns(like=pl.col("rating") >= 4)
    assert named.drop("split").sort("user_id", "item_id").equals(expected.drop("rating").sort("user_id", "item_id"))
    shares = [named.filter(pl.col("split") == part).height / len(named) for part in ("train", "valid", "test")]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.001)


def test_embed_text_gives_a_vector_to_each_item(finished: Finished) -> None:
    vectors = artifacts.TEXT_VECTORS.read(KEY, finished.workspace.root)["vectors"]
    assert vectors.shape == (ITEMS, 384)
    assert len(np.unique(vectors, axis=0)) == ITEMS
    assert "'Film number 0, a comedy'" in finished.results["embed_text"].out


def test_build_graph_joins_items_that_share_more_than_s_m_entities(finished: Finished) -> None:
    root, tables = finished.workspace.root, planted_tables()
    entity = dict(tables["item_entities"].rows())
    around: dict[str, set[str]] = {}
    for head, _, tail in tables["kg"].rows():
        around.setdefault(head, set()).add(tail)
        around.setdefault(tail, set()).add(head)
    ids = artifacts.ITEMS.read(KEY, root)["item_id"].to_list()
    shared = {
        (i, j): len(around.get(entity.get(ids[i], ""), set()) & around.get(entity.get(ids[j], ""), set()))
        for i in range(ITEMS)
        for j in range(i + 1, ITEMS)
    }
    expected = [(i, j, overlap) for (i, j), overlap in shared.items() if overlap > 1]
    assert artifacts.EDGES.read(KEY, root).rows() == expected
    figures = artifacts.GRAPH_FIGURES.read(KEY, root)
    assert figures["edges"] == len(expected)
    thresholds = artifacts.THRESHOLDS.read(KEY, root)
    for s_m, edges in thresholds.select("s_m", "edges").iter_rows():
        assert edges == sum(overlap > s_m for overlap in shared.values())
    assert thresholds["s_m"].to_list() == list(range(max(shared.values()) + 1))
    assert artifacts.THRESHOLDS_PLOT.read(KEY, root).lstrip().startswith("<?xml")


def test_structure_stages_give_vectors_curves_and_figures(finished: Finished) -> None:
    root = finished.workspace.root
    assert artifacts.INITIAL_VECTORS.read(KEY, root)["vectors"].shape == (ITEMS, 64)
    assert artifacts.INITIAL_CURVE.read(KEY, root)["epoch"].to_list() == [1, 2, 3]
    assert artifacts.INITIAL_FIGURES.read(KEY, root)["effective_rank"] > 1
    assert artifacts.STRUCTURE_VECTORS.read(KEY, root)["vectors"].shape == (ITEMS, 64)
    assert artifacts.GAT_CURVE.read(KEY, root)["epoch"].to_list() == [1, 2, 3]
    assert 0 <= artifacts.GAT_FIGURES.read(KEY, root)["held_out_auc"] <= 1
    assert artifacts.GAT_WEIGHTS.about(KEY, root)["heads"] == 4


def test_train_users_keeps_the_epoch_with_the_best_validation_figure(finished: Finished) -> None:
    root = finished.workspace.root
    curve, about = artifacts.USERS_CURVE.read(KEY, root), artifacts.MODEL.about(KEY, root)
    assert curve["epoch"].to_list() == list(range(1, 41))
    # The curve is rounded: figures equal in it may differ in the run.
    assert curve["ranking_ndcg@10"][about["best_epoch"] - 1] == curve["ranking_ndcg@10"].max()
    assert artifacts.MODEL.read(KEY, root)["items"].shape == (ITEMS, 128)
    printed = re.findall(r"epoch (\d+): loss", finished.results["train_users"].out)
    assert printed == [str(epoch) for epoch in range(1, 41)]
    assert not list((root / ".checkpoints").rglob("*.*"))


def test_evaluate_prints_the_figures_that_it_stores(finished: Finished) -> None:
    metrics = artifacts.METRICS.read(KEY, finished.workspace.root)
    assert list(metrics) == ["crmman", "popularity", "item-mean", "item-knn", "ease", "signed-ease", "als", "biased-mf"]
    out = finished.results["evaluate"].out
    assert f"{KEY}, test split: {USERS} users, {ITEMS} items" in out
    for protocols in metrics.values():
        assert list(protocols) == ["ctr", "impression", "ranking"]
        for value in (value for figures in protocols.values() for value in figures.values()):
            assert f"{value:.4f}".replace("0.", ".", 1) in out


def test_the_model_finds_the_planted_tastes(finished: Finished) -> None:
    metrics = artifacts.METRICS.read(KEY, finished.workspace.root)
    assert metrics["crmman"]["ranking"]["ndcg@10"] > metrics["popularity"]["ranking"]["ndcg@10"] + 0.1
    assert metrics["crmman"]["impression"]["user_auc"] > 0.6


def test_the_summary_shows_the_stored_table_and_what_each_stage_took(finished: Finished) -> None:
    result = finished.workspace.run("summary")
    assert result.code == 0
    table = finished.results["evaluate"].out.split("items\n\n")[1].split("\n\n[")[0]
    assert table.strip() in result.out
    assert all(re.search(rf"{stage} \d+\.\d", result.out.splitlines()[-1]) for stage in STAGES)
    assert finished.workspace.files() == finished.files


def test_help_shows_what_a_stage_does(fresh) -> None:
    purposes = {
        "validate": "Check the whole of params.yaml",
        "check_tables": "Read the data set's tables and try",
        "fetch": "Get the data set from its source",
        "prepare": "Likes and dislikes, filters",
        "embed_text": "Encode every item's text",
        "build_graph": "From the knowledge graph to the item graph",
        "init_sdne": "Initial structural vectors",
        "train_gat": "Train the two-layer graph attention network",
        "train_users": "Train item projection, the two views",
        "evaluate": "Evaluate the model and the baselines",
        "summary": "What a run took, stage by stage",
    }
    running = {stage: fresh.start(stage, "--help") for stage in purposes}
    for stage, purpose in purposes.items():
        out, err = running[stage].communicate()
        assert running[stage].returncode == 0, err
        assert purpose in " ".join(out.split())
        assert ("--dataset" in out) == (stage in STAGES)
    assert fresh.files() == {}
