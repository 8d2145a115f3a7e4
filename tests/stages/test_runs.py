"""Every stage through its command line, on a small data set with planted tastes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.artifacts import data as data_artifacts
from pipeline.artifacts import evaluation as evaluation_artifacts
from pipeline.artifacts.added import ADDED
from pipeline.artifacts.graph import EDGES, ENTITIES, GRAPH_CAUTIONS, GRAPH_FIGURES, NEIGHBOURS, RELATIONS, THRESHOLDS
from pipeline.artifacts.kinds import Artifact, Curve, Text, Vectors
from pipeline.artifacts.kinds.seal import check_seal
from pipeline.artifacts.recommend import RECOMMENDATIONS, VECTORS
from pipeline.artifacts.report import CURVE_PLOT, THRESHOLDS_PLOT
from pipeline.artifacts.structure import (
    DERIVED_EDGES,
    GAT_CURVE,
    GAT_FIGURES,
    GAT_WEIGHTS,
    INITIAL_CURVE,
    INITIAL_FIGURES,
    INITIAL_VECTORS,
    STRUCTURE_VECTORS,
    edges_of,
    structure_names,
)
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.artifacts.users import MODEL, REFIT, USERS_CURVE
from pipeline.common.config import read_yaml
from pipeline.users.found_shares import CO_RATING_SHARES, SHARES
from pipeline.users.modalities.names import MADE
from tests.artifacts.every import EVERY
from tests.artifacts.forged import rename
from tests.stages.conftest import Finished
from tests.stages.workspace import (
    ABLATION,
    ALL_RUNS,
    EPOCHS,
    ITEMS,
    KEY,
    REFITTED,
    RUNS,
    STRUCTURE,
    USERS,
    VARIANTS,
    assert_a_mistake_in_one_line,
    planted_tables,
)

BASELINES = ["als", "biased-mf", "ease", "item-knn", "item-mean", "popularity", "trees"]


def drawn(curve: Curve, root: Path) -> pl.DataFrame:
    return pl.read_csv(curve.at(KEY, root), separator="\t")


def every_artifact() -> list[Artifact]:
    """Each artifact as often as the small workspace has it: by variant, by group of variants, by way to make vectors."""
    found: list[Artifact] = []
    for artifact in EVERY.values():
        if artifact in ADDED:
            # Nobody has added anything.
            continue
        copies = [artifact]
        if "{structure}" in artifact.path:
            copies = [artifact.of(**structure_names(STRUCTURE))]
            # Of the graph itself the pipeline has its own place.
            copies += [artifact] if artifact is not DERIVED_EDGES else []
        if "{group}" in artifact.path:
            copies = [artifact.of(group="variants", variant=name) for name in VARIANTS]
            copies += [artifact.of(group="ablations", variant=ABLATION)]
            if artifact is not evaluation_artifacts.CAUTIONS:
                copies += [artifact.of(group="baselines", variant=name) for name in BASELINES]
        elif "/baselines/" in artifact.path:
            copies = [artifact.of(variant=name) for name in BASELINES]
        elif "{variant}" in artifact.path:
            # Ablations are for comparison: nothing is recommended by them or shown of them.
            if artifact is REFIT:
                found.append(artifact.of(variant=REFITTED))
                continue
            for_use = artifact in (RECOMMENDATIONS, VECTORS, CURVE_PLOT) or "/showcase/" in artifact.path
            copies = [artifact.of(variant=name) for name in (VARIANTS if for_use else (*VARIANTS, ABLATION))]
        found += copies
    return found


@pytest.mark.parametrize("name", ALL_RUNS)
def test_a_stage_ends_well_and_says_what_it_took(finished: Finished, name: str) -> None:
    result = finished.results[name]
    assert result.code == 0, result.err
    assert re.fullmatch(rf"\[{KEY}\] {re.escape(name)}: done in \d+\.\d s", result.out.splitlines()[-1])
    assert float((finished.workspace.root / ".timings" / f"{KEY}.{name}").read_text()) > 0


def test_every_artifact_is_there_and_passes_its_checks(finished: Finished) -> None:
    root = finished.workspace.root
    expected = every_artifact()
    assert len(expected) > 50
    for artifact in expected:
        if not isinstance(artifact, Curve | Text):
            artifact.read(KEY, root)  # type: ignore[attr-defined]
    files = {
        str(artifact.at(KEY) / name)
        for artifact in expected
        for name in ((artifact.items, artifact.users) if isinstance(artifact, Vectors) else ("",))
    }
    assert set(finished.files) == files


def test_stages_run_again_leave_the_same_bytes(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    # train_users is run again where it is killed and resumed (test_resume.py), structures in test_dvc_repro.py.
    names = ["validate", *(name for name in RUNS if not name.startswith("train_users"))]
    names += [f"derive_graph.{STRUCTURE}", f"evaluate.{ABLATION}", "compare_ablations"]
    assert {name: result.code for name, result in copy.run_all(names).items()} == dict.fromkeys(names, 0)
    assert copy.files() == finished.files


def test_what_is_no_longer_run_leaves_the_folders_that_a_stage_reads_as_a_whole(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    folders = {
        "evaluation/variants": VARIANTS[0],
        "evaluation/baselines": BASELINES[0],
        "evaluation/ablations": ABLATION,
        "showcase": VARIANTS[0],
    }
    for folder, name in folders.items():
        there = copy.root / "artifacts" / KEY / folder
        shutil.copytree(there / name, there / "renamed")
    said = "".join(result.out for result in copy.run_all(("compare", "compare_ablations", "report")).values())
    for folder in folders:
        assert f"removed artifacts/{KEY}/{folder}/renamed: renamed is no longer run" in said
    assert copy.files() == finished.files


def test_fetch_stores_the_tables_of_the_source(finished: Finished) -> None:
    root, tables = finished.workspace.root, planted_tables()
    found = data_artifacts.SOURCE_INTERACTIONS.read(KEY, root).select(
        "user_id", "item_id", pl.col("rating").cast(pl.Int64)
    )
    assert found.equals(tables["interactions"].sort("user_id", "item_id"))
    assert data_artifacts.SOURCE_ITEMS.read(KEY, root).equals(tables["items"].sort("item_id"))
    assert data_artifacts.SOURCE_KG.read(KEY, root).equals(tables["kg"].sort("head", "relation", "tail"))
    assert data_artifacts.SOURCE_ITEM_ENTITIES.read(KEY, root).equals(tables["item_entities"].sort("item_id"))


def test_prepare_gives_each_rating_a_split_and_each_like_its_meaning(finished: Finished) -> None:
    root = finished.workspace.root
    items, users = data_artifacts.ITEMS.read(KEY, root), data_artifacts.USERS.read(KEY, root)
    assert items["item_id"].to_list() == sorted(f"i{item}" for item in range(ITEMS))
    assert len(users) == USERS
    found = data_artifacts.INTERACTIONS.read(KEY, root)
    named = found.join(items, on="item").join(users, on="user").select("user_id", "item_id", "like", "split")
    expected = planted_tables()["interactions"].with_columns(like=pl.col("rating") >= 4)
    assert named.drop("split").sort("user_id", "item_id").equals(expected.drop("rating").sort("user_id", "item_id"))
    shares = [named.filter(pl.col("split") == part).height / len(named) for part in ("train", "valid", "test")]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.001)


def test_items_and_surroundings_say_of_nothing_that_may_change_without_them(finished: Finished) -> None:
    """Else other ratings or links would run `embed_text` again, another s_m the baselines, and another relation SDNE and the GAT."""

    def made_of(artifact: Artifact) -> set[str]:
        path = artifact.at(KEY, finished.workspace.root)
        return set(check_seal(path.read_bytes(), artifact.name(KEY), path).made_of)

    assert made_of(data_artifacts.ITEMS) == set()
    assert made_of(TEXT_VECTORS) == {data_artifacts.ITEMS.name(KEY)}
    assert made_of(data_artifacts.SOURCE_ITEM_ENTITIES) == set()
    graph = {
        each.name(KEY) for each in (data_artifacts.SOURCE_KG, data_artifacts.SOURCE_ITEM_ENTITIES, data_artifacts.ITEMS)
    }
    assert made_of(NEIGHBOURS) == graph
    assert made_of(EDGES) == {data_artifacts.ITEMS.name(KEY)}
    assert made_of(GRAPH_CAUTIONS) == graph | {each.name(KEY) for each in (NEIGHBOURS, RELATIONS, ENTITIES, EDGES)}


def test_other_tables_of_the_graph_with_the_same_edges_leave_what_is_trained_on_edges_as_it_is(
    finished: Finished, tmp_path
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_table("kg", lambda kg: kg.with_columns(relation=pl.col("relation") + " (sic)"))
    assert all(copy.run(stage).code == 0 for stage in ("fetch", "build_graph"))
    before, after = finished.workspace.files(), copy.files()
    changed = {Path(name).name for name in after if after[name] != before[name]}
    assert changed == {"kg.parquet", "relations.parquet", "neighbours.parquet", "entities.parquet"} | {
        "thresholds.parquet",
        "cautions.txt",
    }
    # What `init_sdne` and `train_gat` read is the same, so that DVC does not run them; and what they made is not refused.
    for stage in ("init_sdne", "train_gat", "train_users.crmman"):
        assert copy.run(stage).code == 0
    assert all(digest == before[name] for name, digest in copy.files().items() if "/structure/" in name)
    # Edges of other tables than those beside them are.
    assert all(copy.run(stage).code == 0 for stage in (f"derive_graph.{STRUCTURE}", "train_users.recommended"))
    cautions = GRAPH_CAUTIONS.at(KEY, copy.root)
    cautions.write_bytes(GRAPH_CAUTIONS.at(KEY, finished.workspace.root).read_bytes())
    for stage in ("train_users.crmman", "refit.recommended", "compare"):
        assert_a_mistake_in_one_line(copy.run(stage), "made from another ", "; run `dvc repro`")


def test_embed_text_gives_a_vector_to_each_item(finished: Finished) -> None:
    vectors = TEXT_VECTORS.read(KEY, finished.workspace.root)["vectors"]
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
    ids = data_artifacts.ITEMS.read(KEY, root)["item_id"].to_list()
    shared = {
        (i, j): len(around.get(entity.get(ids[i], ""), set()) & around.get(entity.get(ids[j], ""), set()))
        for i in range(ITEMS)
        for j in range(i + 1, ITEMS)
    }
    expected = [(i, j, overlap) for (i, j), overlap in shared.items() if overlap > 1]
    assert EDGES.read(KEY, root).rows() == expected
    figures = GRAPH_FIGURES.read(KEY, root)
    assert figures["edges"] == len(expected)
    thresholds = THRESHOLDS.read(KEY, root)
    for s_m, edges in thresholds.select("s_m", "edges").iter_rows():
        assert edges == sum(overlap > s_m for overlap in shared.values())
    assert thresholds["s_m"].to_list() == list(range(max(shared.values()) + 1))
    for plot in (THRESHOLDS_PLOT, *(CURVE_PLOT.of(variant=variant) for variant in VARIANTS)):
        assert plot.at(KEY, root).read_text().lstrip().startswith("<?xml")


def test_structure_stages_give_vectors_curves_and_figures(finished: Finished) -> None:
    root = finished.workspace.root
    for structure in (None, STRUCTURE):
        names = structure_names(structure)
        assert INITIAL_VECTORS.of(**names).read(KEY, root)["vectors"].shape == (ITEMS, 64)
        assert drawn(INITIAL_CURVE.of(**names), root)["epoch"].to_list() == [1, 2, 3]
        assert INITIAL_FIGURES.of(**names).read(KEY, root)["effective_rank"] > 1
        assert STRUCTURE_VECTORS.of(**names).read(KEY, root)["vectors"].shape == (ITEMS, 64)
        assert drawn(GAT_CURVE.of(**names), root)["epoch"].to_list() == [1, 2, 3]
        assert 0 <= GAT_FIGURES.of(**names).read(KEY, root)["masked_edge_auc"] <= 1
        assert GAT_WEIGHTS.of(**names).about(KEY, root)["heads"] == 4


def test_a_rewired_graph_keeps_the_number_of_edges_of_every_item_and_gives_other_vectors(finished: Finished) -> None:
    root = finished.workspace.root
    edges, rewired = EDGES.read(KEY, root), edges_of(STRUCTURE).read(KEY, root)
    degrees = [
        pl.concat([frame["source"], frame["target"]]).value_counts().sort("source") for frame in (edges, rewired)
    ]
    assert degrees[0].equals(degrees[1])
    assert not edges.select("source", "target").equals(rewired.select("source", "target"))
    for artifact in (INITIAL_VECTORS, STRUCTURE_VECTORS):
        own, other = artifact.at(KEY), artifact.of(**structure_names(STRUCTURE)).at(KEY)
        assert finished.files[str(own)] != finished.files[str(other)]


def test_what_a_structure_changes_goes_over_the_settings_for_its_own_vectors_alone(
    finished: Finished, tmp_path
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values["structures"][STRUCTURE].update(edges="same", init_sdne={"dimensions": 8}))
    for name in (f"derive_graph.{STRUCTURE}", f"init_sdne.{STRUCTURE}", "init_sdne"):
        assert copy.run(name).code == 0
    assert edges_of(STRUCTURE).read(KEY, copy.root).equals(EDGES.read(KEY, copy.root))
    vectors = INITIAL_VECTORS.of(**structure_names(STRUCTURE)).read(KEY, copy.root)["vectors"]
    assert vectors.shape == (ITEMS, 8)
    assert copy.files()[str(INITIAL_VECTORS.at(KEY))] == finished.files[str(INITIAL_VECTORS.at(KEY))]


def test_the_settings_for_large_catalogues_change_how_structural_vectors_are_made(
    finished: Finished, tmp_path: Path
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")

    def sample(values: dict[str, Any]) -> None:
        values["init_sdne"]["sampled_columns"] = 20

    copy.change_params(sample)
    written = []
    for _ in range(2):
        for name in ("init_sdne", "train_gat"):
            assert copy.run(name).code == 0
        written.append(copy.files())
    assert written[0] == written[1]
    names = structure_names(None)
    for artifact in (INITIAL_VECTORS, STRUCTURE_VECTORS):
        path = str(artifact.of(**names).at(KEY))
        assert written[0][path] != finished.files[path]
    assert STRUCTURE_VECTORS.of(**names).read(KEY, copy.root)["vectors"].shape == (ITEMS, 64)
    assert drawn(GAT_CURVE.of(**names), copy.root)["epoch"].to_list() == [1, 2, 3]


@pytest.mark.parametrize("variant", [*VARIANTS, ABLATION])
def test_train_users_keeps_the_epoch_with_the_best_validation_figures(finished: Finished, variant: str) -> None:
    root, model = finished.workspace.root, MODEL.of(variant=variant)
    curve, about = drawn(USERS_CURVE.of(variant=variant), root), model.about(KEY, root)
    assert curve.equals(pl.DataFrame(dict(about["curve"])))
    assert curve["epoch"].to_list() == list(range(1, EPOCHS + 1))
    by = [name.replace(".", "_") for name in about["variant"]["early_stopping_by"]]
    assert len(by) == (1 if variant == "crmman" else 3)
    figures = curve.select(pl.sum_horizontal(by)).to_series()
    # The curve is rounded: figures equal in it may differ in the run.
    assert figures[about["best_epoch"] - 1] == pytest.approx(figures.max(), abs=1e-5)
    assert model.read(KEY, root)["items"].shape == (ITEMS, 128)
    printed = re.findall(r"epoch (\d+): loss", finished.results[f"train_users.{variant}"].out)
    assert printed == [str(epoch) for epoch in range(1, EPOCHS + 1)]
    assert not [path for path in (root / ".checkpoints").rglob("*") if path.is_file()]


@pytest.mark.parametrize("variant", [*VARIANTS, ABLATION])
def test_a_model_keeps_its_variants_settings_with_what_the_data_set_changes(finished: Finished, variant: str) -> None:
    values = read_yaml(finished.workspace.root / "params.yaml")
    changes = values["datasets"][KEY]["train_users"]
    about = MODEL.of(variant=variant).about(KEY, finished.workspace.root)
    settings = values["variants"].get(variant) or values["variants"]["recommended"] | {"structure_source": STRUCTURE}
    # The shares of the heads, and of item-to-item weights, are those that validation prefers.
    shares = {name: about["variant"][name] for name in ("judge_share", "ranking_share", "co_rating_share")}
    # It has no vectors of its own.
    modalities = {"modalities": [name for name in settings["modalities"] if name in MADE]}
    assert about["variant"] == settings | changes | shares | modalities
    tried = {name: [settings[name]] for name in shares}
    if settings["find_shares"]:
        tried["judge_share"] += [one for one, _ in SHARES]
        tried["ranking_share"] += [one for _, one in SHARES]
        tried["co_rating_share"] += CO_RATING_SHARES if about["variant"]["co_rating_l2"] else ()
    assert all(shares[name] in tried[name] for name in shares)
    assert about["variant"]["epochs"] == EPOCHS != settings["epochs"]


def test_compare_prints_the_figures_that_it_stores(finished: Finished) -> None:
    metrics = evaluation_artifacts.METRICS.read(KEY, finished.workspace.root)
    assert list(metrics) == [*VARIANTS, *BASELINES]
    out = finished.results["compare"].out
    assert f"{KEY}, test split: {USERS} users, {ITEMS} items" in out
    assert_figures_are_printed(metrics, out)


def test_compare_ablations_lays_them_beside_the_whole_model(finished: Finished) -> None:
    root = finished.workspace.root
    metrics = evaluation_artifacts.ABLATION_METRICS.read(KEY, root)
    assert list(metrics) == [*VARIANTS, ABLATION]
    assert all(metrics[name] == evaluation_artifacts.METRICS.read(KEY, root)[name] for name in VARIANTS)
    assert_figures_are_printed(metrics, finished.results["compare_ablations"].out)
    pairs = evaluation_artifacts.ABLATION_DIFFERENCES.read(KEY, root).select("system", "against").unique().rows()
    # With the variant that it is of, and with no other.
    assert pairs == [(ABLATION, "recommended")]
    assert set(evaluation_artifacts.ABLATION_SLICES.read(KEY, root)["system"]) == set(metrics)


def test_an_ablation_that_the_data_leave_the_whole_model_is_named_as_such(finished: Finished, tmp_path: Path) -> None:
    assert "the same model as" not in finished.results["compare_ablations"].out
    copy = finished.workspace.copy(tmp_path / "copy")
    evaluated = copy.root / "artifacts" / KEY / "evaluation"
    for path in (evaluated / "variants" / "recommended").glob("*.parquet"):
        table = pl.read_parquet(path).with_columns(system=pl.lit(ABLATION))
        target = evaluated / "ablations" / ABLATION / path.name
        rename(target, target.relative_to(copy.root).as_posix(), table)
    result = copy.run("compare_ablations")
    assert f"\nthe same model as recommended on these data: {ABLATION}\n" in result.out, result.err


def assert_figures_are_printed(metrics: dict[str, dict[str, dict[str, float]]], out: str) -> None:
    for protocols in metrics.values():
        assert list(protocols) == ["ctr", "impression", "reranking", "ranking"]
        for value in (value for figures in protocols.values() for value in figures.values()):
            assert f"{value:.4f}".replace("0.", ".", 1) in out


def test_a_baseline_that_is_left_out_says_so_and_is_not_compared(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values["baselines"]["ease"].update(max_items=1, max_pairs=1))
    result = copy.run("evaluate_baselines.ease")
    why = "pairs of items that a user rated, more than max_pairs 1"
    assert re.search(rf"ease is left out: \d+ {why}", result.out)
    assert why in evaluation_artifacts.LEFT_OUT.of(variant="ease").read(KEY, copy.root)[0]
    result = copy.run("compare")
    assert result.code == 0, result.err
    assert re.search(rf"ease is left out: \d+ {why}", result.out)
    assert list(evaluation_artifacts.METRICS.read(KEY, copy.root)) == [
        *VARIANTS,
        *(name for name in BASELINES if name != "ease"),
    ]


def test_every_variant_is_compared_with_every_baseline(finished: Finished) -> None:
    root = finished.workspace.root
    differences = evaluation_artifacts.DIFFERENCES.read(KEY, root)
    pairs = differences.select("system", "against").unique().rows()
    assert sorted(pairs) == sorted((variant, baseline) for variant in VARIANTS for baseline in BASELINES)
    figures = {
        (s, p, m): v for s, p, m, v in evaluation_artifacts.INTERVALS.read(KEY, root).select(pl.nth(0, 1, 2, 3)).rows()
    }
    for system, protocol, metric, against, difference in differences.select(pl.nth(0, 1, 2, 3, 4)).rows():
        apart = figures[system, protocol, metric] - figures[against, protocol, metric]
        assert difference == pytest.approx(apart, abs=1e-6)
    assert set(evaluation_artifacts.SLICES.read(KEY, root)["system"]) == {*VARIANTS, *BASELINES}


def test_warnings_are_those_of_the_graph_of_each_variant_and_of_the_comparison(finished: Finished, tmp_path) -> None:
    root = finished.workspace.root
    warnings = evaluation_artifacts.WARNINGS.read(KEY, root)
    assert warnings == re.findall(r"compare: warning: (.*)", finished.results["compare"].err)
    copy = finished.workspace.copy(tmp_path / "copy")
    GRAPH_CAUTIONS.write(["of the graph"], KEY, copy.root)
    for variant in VARIANTS:
        evaluation_artifacts.CAUTIONS.of(group="variants", variant=variant).write([f"of {variant}"], KEY, copy.root)
    evaluation_artifacts.CAUTIONS.of(group="ablations", variant=ABLATION).write(["of an ablation"], KEY, copy.root)
    assert copy.run("compare").code == 0
    found = evaluation_artifacts.WARNINGS.read(KEY, copy.root)
    assert found[: 1 + len(VARIANTS)] == ["of the graph", *(f"of {variant}" for variant in VARIANTS)]
    assert found[1 + len(VARIANTS) :] == [line for line in warnings if " above " in line]


def test_a_variant_that_is_no_longer_run_is_not_compared_though_its_evaluation_lies_there(
    finished: Finished, tmp_path
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values.update(run_variants=["recommended"]))
    result = copy.run("compare")
    assert result.code == 0
    assert list(evaluation_artifacts.METRICS.read(KEY, copy.root)) == ["recommended", *BASELINES]
    assert "\ncrmman " not in result.out
    for artifact in (evaluation_artifacts.INTERVALS, evaluation_artifacts.DIFFERENCES, evaluation_artifacts.SLICES):
        assert "crmman" not in artifact.read(KEY, copy.root)["system"]


def test_the_model_finds_the_planted_tastes(finished: Finished) -> None:
    metrics = evaluation_artifacts.METRICS.read(KEY, finished.workspace.root)
    for variant in VARIANTS:
        assert metrics[variant]["ranking"]["ndcg@10"] > metrics["popularity"]["ranking"]["ndcg@10"] + 0.1
        assert metrics[variant]["impression"]["user_auc"] > 0.6


def test_the_summary_shows_the_stored_table_and_what_each_stage_took(finished: Finished) -> None:
    result = finished.workspace.run("cli.summary")
    assert result.code == 0
    table = finished.results["compare"].out.split("items\n\n")[1].split("\n\n[")[0]
    assert table.strip() in result.out
    for warning in evaluation_artifacts.WARNINGS.read(KEY, finished.workspace.root):
        assert f"\nwarning: {warning}\n" in result.out
    took = result.out.splitlines()[-1]
    assert re.findall(r"([\w.-]+) \d+\.\d(?=[,;])", took) == list(RUNS)
    seconds = [float(text) for text in re.findall(r" (\d+\.\d)(?=[,;])", took)]
    assert float(took.split("total ")[1]) == pytest.approx(sum(seconds), abs=0.1 * len(seconds))
    assert finished.workspace.files() == finished.files


def test_help_shows_what_a_stage_does(fresh) -> None:
    purposes = {
        "validate": "Check the whole of params.yaml",
        "check_tables": "Read the data set's tables and check",
        "fetch": "Get the data set from its source",
        "prepare": "Make likes and dislikes, dense indices",
        "embed_text": "Encode every item's text",
        "embed_image": "Encode the image of every item",
        "build_graph": "Build the item graph from the knowledge graph",
        "init_sdne": "Train the initial structural vectors",
        "train_gat": "Train the two-layer graph attention network",
        "add_items": "structural vectors of items that were added after training",
        "derive_graph": "Make the item graph for another way to make structural vectors",
        "train_users": "Train one variant of the users' model",
        "evaluate": "Evaluate one variant of the model on the test split",
        "evaluate_baselines": "Fit a baseline, choose its setting",
        "compare": "Compare all systems",
        "compare_ablations": "Compare ablations with the variants",
        "recommend": "Recommend unrated items to every user",
        "report": "Write one HTML file about a data set",
        "cli.summary": "Show how long a run took, stage by stage",
    }
    for stage, purpose in purposes.items():
        code, out, err = fresh.call(stage, "--help")
        assert code == 0, err
        words = " ".join(out.split())
        assert purpose in words
        assert f"For example: python -m stages.{stage}{' --dataset ml-100k' if '--dataset' in words else ''}" in words
        assert ("--dataset" in out) == (stage not in ("validate", "cli.summary"))
        assert ("--variant" in out) == (stage in ("train_users", "evaluate", "recommend"))
        assert ("--structure" in out) == (stage in ("derive_graph", "init_sdne", "train_gat"))
    assert fresh.files() == {}
