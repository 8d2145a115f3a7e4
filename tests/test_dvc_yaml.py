"""dvc.yaml says what each stage reads and writes; the code says it too. They must agree, or DVC caches what has changed."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest

from pipeline import artifacts
from pipeline.config import read_yaml
from stages.stage import Reads
from tests.imports import ROOT, closure

STAGES = (
    "check_tables",
    "fetch",
    "prepare",
    "embed_text",
    "build_graph",
    "init_sdne",
    "train_gat",
    "train_users",
    "evaluate",
)


@pytest.fixture(scope="module")
def stages() -> dict[str, Any]:
    return dict(read_yaml(ROOT / "dvc.yaml")["stages"])


def names(entries: list[Any] | None) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries or []]


def uses(stage: str, *methods: str) -> set[str]:
    """Paths of the artifacts on which a stage's module calls one of the methods."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / "stages" / f"{stage}.py").read_text())):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in methods
            and isinstance(node.value, ast.Attribute)
            and isinstance(node.value.value, ast.Name)
            and node.value.value.id == "artifacts"
        ):
            found.add(getattr(artifacts, node.value.attr).path.format(dataset="${key}"))
    return found


def test_the_pipeline_has_the_stages_in_the_order_in_which_data_flows(stages: dict[str, Any]) -> None:
    assert tuple(stages) == ("validate", *STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_its_module_for_every_data_set(stages: dict[str, Any], stage: str) -> None:
    assert stages[stage]["foreach"] == "${datasets}"
    assert stages[stage]["do"]["cmd"] == f"python -m stages.{stage} --dataset ${{key}}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_lists_exactly_the_parameters_it_reads(stages: dict[str, Any], stage: str) -> None:
    reads: Reads = importlib.import_module(f"stages.{stage}").READS
    prefixes = {"run": "", "dataset": "datasets.${key}.", "profile": f"profiles.${{item.profile}}.{stage}."}
    expected = {
        prefix + field
        for part, prefix in prefixes.items()
        if (model := getattr(reads, part)) is not None
        for field in model.model_fields
    }
    assert set(stages[stage]["do"].get("params", [])) == expected


@pytest.mark.parametrize("stage", ["validate", *STAGES])
def test_a_stage_lists_exactly_the_modules_it_can_reach(stages: dict[str, Any], stage: str) -> None:
    definition = stages[stage].get("do", stages[stage])
    listed = {path for path in names(definition["deps"]) if path.endswith(".py")}
    assert listed == closure(f"stages.{stage}")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_lists_exactly_the_artifacts_it_writes(stages: dict[str, Any], stage: str) -> None:
    definition = stages[stage]["do"]
    listed = [path for kind in ("outs", "metrics", "plots") for path in names(definition.get(kind))]
    assert len(listed) == len(set(listed))
    assert set(listed) == uses(stage, "write")


@pytest.mark.parametrize("stage", STAGES[2:])
def test_a_stage_lists_exactly_the_artifacts_it_reads(stages: dict[str, Any], stage: str) -> None:
    listed = {path for path in names(stages[stage]["do"]["deps"]) if not path.endswith(".py")}
    assert listed == uses(stage, "read", "about") - uses(stage, "write")


def test_parameters_and_then_tables_are_checked_before_a_data_set_is_fetched(stages: dict[str, Any]) -> None:
    assert stages["validate"]["outs"] == [artifacts.PARAMETERS_CHECKED.path]
    assert artifacts.PARAMETERS_CHECKED.path in stages["check_tables"]["do"]["deps"]
    assert artifacts.TABLES_CHECKED.path.format(dataset="${key}") in stages["fetch"]["do"]["deps"]
    assert "params.yaml" in stages["validate"]["deps"]
    for stage in ("check_tables", "fetch"):
        assert "${item.source.path}" in stages[stage]["do"]["deps"]


def test_figures_and_plots_are_committed_and_not_cached(stages: dict[str, Any]) -> None:
    for stage in STAGES:
        for kind in ("metrics", "plots"):
            for entry in stages[stage]["do"].get(kind, []):
                assert next(iter(entry.values()))["cache"] is False


def test_git_ignores_what_must_never_be_committed() -> None:
    ignored = Path(ROOT / ".gitignore").read_text().splitlines()
    assert {"/artifacts/", "/.checkpoints/", "/.venv/"} <= set(ignored)
