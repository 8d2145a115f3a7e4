"""dvc.yaml and ablations/dvc.yaml say what each stage reads and writes; the code says it too. They must agree, or DVC caches
what has changed.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts.code import CODE_NOTES, STAGE_CODE
from pipeline.artifacts.data import TABLES_CHECKED
from pipeline.artifacts.evaluation import BASELINES
from pipeline.artifacts.graph import EDGES
from pipeline.artifacts.kinds import Curve
from pipeline.artifacts.parameters import PARAMETERS_CHECKED
from pipeline.artifacts.structure import DERIVED_EDGES
from pipeline.common.config import read_yaml
from pipeline.common.source_code import PACKAGES
from pipeline.data.sources.files import DOWNLOADS
from pipeline.structure.settings import StructureEntry
from stages.stage import Reads
from tests.artifacts.every import EVERY
from tests.repository import ROOT

MAIN, ABLATIONS = "dvc.yaml", "ablations/dvc.yaml"
DATASETS, STRUCTURES = {"dataset": "${datasets}"}, {"dataset": "${datasets}", "structure": "${structures}"}
VARIANTS = {
    MAIN: {"dataset": "${datasets}", "variant": "${run_variants}"},
    ABLATIONS: {"dataset": "${datasets}", "variant": "${ablations}"},
}


@dataclass(frozen=True)
class Stage:
    """One stage of one of the files; ``module`` is that of stages/ which it runs."""

    file: str
    name: str
    module: str
    over: dict[str, str]

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"

    @property
    def definition(self) -> dict[str, Any]:
        entry: dict[str, Any] = FILES[self.file]["stages"][self.name]
        return dict(entry["do"]) if "foreach" in entry else entry

    @property
    def dataset(self) -> str:
        """How the file writes the data set's name."""
        return "${key}" if self.over == DATASETS else "${item.dataset}"

    @property
    def structures(self) -> list[str]:
        """Folders of the structural vectors that the stage works with."""
        if self.over == STRUCTURES:
            return ["structures/${item.structure}"]
        return ["structure", "structures/*"] if self.file == ABLATIONS else ["structure"]

    @property
    def group(self) -> str:
        return "ablations" if self.file == ABLATIONS else "variants"


PARAMETERS = read_yaml(ROOT / "params.yaml")
FILES = {file: read_yaml(ROOT / file) for file in (MAIN, ABLATIONS)}
VALIDATE = Stage(MAIN, "validate", "validate", {})
STAGES = [
    *(
        Stage(MAIN, name, name, DATASETS)
        for name in ("check_tables", "fetch", "prepare", "embed_text", "build_graph", "init_sdne", "train_gat")
    ),
    *(Stage(MAIN, name, name, VARIANTS[MAIN]) for name in ("train_users", "evaluate")),
    *(Stage(MAIN, name, name, DATASETS) for name in ("evaluate_baselines", "compare")),
    Stage(MAIN, "recommend", "recommend", VARIANTS[MAIN]),
    Stage(MAIN, "report", "report", DATASETS),
    *(Stage(ABLATIONS, name, name, STRUCTURES) for name in ("derive_graph", "init_sdne", "train_gat")),
    *(Stage(ABLATIONS, name, name, VARIANTS[ABLATIONS]) for name in ("train_users", "evaluate")),
    Stage(ABLATIONS, "compare", "compare_ablations", DATASETS),
]
every_stage = pytest.mark.parametrize("stage", STAGES, ids=str)


def names(entries: list[Any] | None) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries or []]


def template(node: ast.expr, local: dict[str, str]) -> str | None:
    """Path of the artifact that an expression stands for, what `of` fills in by a constant filled in; None: it is none."""
    if isinstance(node, ast.Name):
        return EVERY[node.id].path if node.id in EVERY else local.get(node.id)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "edges_of":
        return DERIVED_EDGES.path
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        inner = template(node.func.value, local)
        if inner is not None and node.func.attr == "of":
            given = {word.arg: word.value for word in node.keywords if word.arg is not None}
            return filled(inner, given)
    return None


def filled(path: str, given: dict[str, ast.expr]) -> str:
    for name, value in given.items():
        if isinstance(value, ast.Constant):
            path = path.replace(f"{{{name}}}", str(value.value))
    return path


def given_names(node: ast.expr) -> dict[str, ast.expr]:
    """Names that a call hands to a function of stages/, as a mapping: written there, or those of baselines."""
    if isinstance(node, ast.Dict):
        return {key.value: value for key, value in zip(node.keys, node.values, strict=True)}  # type: ignore[union-attr]
    if ast.unparse(node) == "BASELINES":
        return {name: ast.Constant(value) for name, value in BASELINES.items()}
    return {}


def touched(module: str, methods: tuple[str, ...], function: str | None = None) -> Iterator[str]:
    """Paths of the artifacts on which a module of stages/, or one function of it, calls one of the methods."""
    tree = ast.parse((ROOT / "stages" / f"{module}.py").read_text())
    imported = {
        alias.name: node.module.removeprefix("stages.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stages.")
        for alias in node.names
    }
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for part in functions:
        if function not in (None, part.name):
            continue
        local = {
            node.targets[0].id: path
            for node in ast.walk(part)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            if (path := template(node.value, {})) is not None
        }
        for call in ast.walk(part):
            if not isinstance(call, ast.Call):
                continue
            if isinstance(call.func, ast.Attribute) and call.func.attr in methods:
                path = template(call.func.value, local)
                if path is not None:
                    yield path
            if isinstance(call.func, ast.Name) and imported.get(call.func.id, "stage") != "stage":
                for path in touched(imported[call.func.id], methods, call.func.id):
                    yield filled(path, given_names(call.args[-1]))


def uses(stage: Stage, *methods: str) -> set[str]:
    """Such paths as the stage's file writes them; of what is read for many variants or structures the folder."""
    return {written for path in touched(stage.module, methods) for written in as_written(stage, path)}


def as_written(stage: Stage, path: str) -> set[str]:
    found = set()
    for structure in stage.structures:
        at = EDGES.path if (path, structure) == (DERIVED_EDGES.path, "structure") else path
        at = at.replace("{structure}", structure).replace("{group}", stage.group).replace("{dataset}", stage.dataset)
        if "variant" in stage.over:
            at = at.replace("{variant}", "${item.variant}")
        found.add(re.split(r"/\{variant\}|/\*", at)[0])
    return found


def inside(stage: Stage, path: str) -> set[str]:
    """What a path of the file stands for: a folder for every artifact that can be in it, so that none is there for nothing."""
    every = [artifact.path for artifact in EVERY.values()]
    written = {written for at in every for written in as_written(stage, at)}
    return {at for at in written if at.startswith(f"{path}/")} or {path}


def test_each_file_has_the_stages_in_the_order_in_which_data_flows() -> None:
    for file in FILES:
        expected = [stage.name for stage in [VALIDATE, *STAGES] if stage.file == file]
        assert list(FILES[file]["stages"]) == (["code", *expected] if file == MAIN else expected)


@every_stage
def test_a_stage_runs_its_module_for_everything_that_it_is_for(stage: Stage) -> None:
    entry = FILES[stage.file]["stages"][stage.name]
    if stage.over == DATASETS:
        assert entry["foreach"] == "${datasets}"
    else:
        assert entry["matrix"] == stage.over
    options = {"variant": " --variant ${item.variant}", "structure": " --structure ${item.structure}"}
    expected = f"./stage {stage.module} --dataset {stage.dataset}"
    expected += "".join(text for name, text in options.items() if name in stage.over)
    group = " --group ablations" if (stage.file, stage.module) == (ABLATIONS, "evaluate") else ""
    assert stage.definition["cmd"] == expected + group


@every_stage
def test_the_ablations_run_in_the_repositorys_root_by_the_same_parameters(stage: Stage) -> None:
    assert stage.definition.get("wdir") == (".." if stage.file == ABLATIONS else None)
    assert FILES[stage.file].get("vars") == (["../params.yaml"] if stage.file == ABLATIONS else None)


@every_stage
def test_a_stage_lists_exactly_the_parameters_it_reads(stage: Stage) -> None:
    reads: Reads = importlib.import_module(f"stages.{stage.module}").READS
    section = reads.section or stage.module
    models = ["variants.${item.variant}"]
    of_structure = []
    if stage.over == STRUCTURES and section in StructureEntry.model_fields:
        of_structure = ["structures.${item.structure}." + section]
    if stage.file == ABLATIONS:
        models = ["ablations.${item.variant}", *(f"variants.{name}" for name in PARAMETERS["variants"])]
    listed: dict[str, Callable[[list[str]], list[str]]] = {
        "run": lambda fields: fields,
        "dataset": lambda fields: [f"datasets.{stage.dataset}.{field}" for field in fields],
        # A section is a stage's own: DVC looks a whole one up as fast as a single setting.
        "stage": lambda fields: [section, f"datasets.{stage.dataset}.{section}", *of_structure],
        "variant": lambda fields: [*models, "datasets.${item.dataset}.train_users"],
        "structure": lambda fields: [f"structures.${{item.structure}}.{field}" for field in fields],
    }
    expected = [
        key
        for part, keys in listed.items()
        if (model := getattr(reads, part)) is not None
        for key in keys(list(model.model_fields))
    ]
    found = stage.definition.get("params", [])
    assert len(found) == len(set(found))
    assert set(found) == set(expected)


@pytest.mark.parametrize("stage", [VALIDATE, *STAGES], ids=str)
def test_a_stage_depends_on_its_own_code_and_on_no_module_beside(stage: Stage) -> None:
    listed = [path for path in names(stage.definition["deps"]) if path.startswith((CODE_NOTES, *PACKAGES))]
    assert listed == [STAGE_CODE.of(stage=stage.module).path]


def test_the_stage_that_reads_the_code_runs_when_any_of_it_changes() -> None:
    code = FILES[MAIN]["stages"]["code"]
    assert code["cmd"] == "./stage code"
    assert code["deps"] == list(PACKAGES)
    assert code["outs"] == [{CODE_NOTES: {"persist": True}}]


@every_stage
def test_a_stage_lists_exactly_the_artifacts_it_writes(stage: Stage) -> None:
    listed = [path for kind in ("outs", "metrics", "plots") for path in names(stage.definition.get(kind))]
    written = [inner for path in listed for inner in inside(stage, path)]
    assert len(written) == len(set(written))
    assert set(written) == uses(stage, "write")


@every_stage
def test_a_stage_lists_exactly_the_artifacts_it_reads(stage: Stage) -> None:
    # A source of the user's own, and checks that only have to come first.
    beside = {
        "${item.source.path}",
        PARAMETERS_CHECKED.path,
        as_written(stage, TABLES_CHECKED.path).pop(),
    }
    deps = [path for path in names(stage.definition["deps"]) if path not in beside]
    listed = [path for path in deps if not path.startswith(CODE_NOTES)]
    read = [inner for path in listed for inner in inside(stage, path)]
    assert len(read) == len(set(read))
    assert set(read) == uses(stage, "read", "about") - uses(stage, "write")


def test_parameters_and_then_tables_are_checked_before_a_data_set_is_fetched() -> None:
    check_tables, fetch = STAGES[:2]
    assert VALIDATE.definition["outs"] == [PARAMETERS_CHECKED.path]
    assert PARAMETERS_CHECKED.path in check_tables.definition["deps"]
    assert TABLES_CHECKED.path.format(dataset="${key}") in fetch.definition["deps"]
    assert "params.yaml" in VALIDATE.definition["deps"]
    for stage in (check_tables, fetch):
        assert "${item.source.path}" in stage.definition["deps"]


@every_stage
def test_figures_and_plots_are_committed_and_not_cached(stage: Stage) -> None:
    for kind in ("metrics", "plots"):
        for entry in stage.definition.get(kind, []):
            assert next(iter(entry.values()))["cache"] is False


@every_stage
def test_a_curve_is_drawn_by_columns_that_it_has(stage: Stage) -> None:
    curves = [curve for curve in EVERY.values() if isinstance(curve, Curve)]
    columns = {Path(curve.path.replace("{variant}", "${item.variant}")).name: curve.columns for curve in curves}
    for entry in stage.definition.get("plots", []):
        path, options = next(iter(entry.items()))
        if path.endswith(".tsv"):
            assert {options["x"], options["y"]} <= set(columns[Path(path).name])


def test_git_ignores_what_must_never_be_committed() -> None:
    ignored = Path(ROOT / ".gitignore").read_text().splitlines()
    assert {"/artifacts/", "/.checkpoints/", "/.venv/"} <= set(ignored)


def test_neither_git_nor_dvc_sees_what_is_downloaded() -> None:
    """DVC watches the folder for sources with a URL: what is fetched into it must not look like a change."""
    for name in (".gitignore", ".dvcignore"):
        lines = (ROOT / name).read_text().splitlines()
        assert lines.index(f"/{DOWNLOADS}/*") < lines.index(f"!/{DOWNLOADS}/README.md")
    assert (ROOT / DOWNLOADS / "README.md").is_file()
