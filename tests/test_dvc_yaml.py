"""dvc.yaml and ablations/dvc.yaml list what the stages' modules declare: what DVC is not told of, it would cache when it has changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.artifacts.data import TABLES_CHECKED
from pipeline.artifacts.kinds import Curve
from pipeline.artifacts.parameters import PARAMETERS_CHECKED
from pipeline.common.ablation import FILE
from pipeline.common.config import read_yaml
from pipeline.common.settings import EngineConfig
from pipeline.data.sources.files import DOWNLOADS
from pipeline.recommend.settings import RULES_FOLDER
from pipeline.structure.settings import StructureEntry
from stages.cli import summary
from tests.artifacts.every import EVERY
from tests.dvc_files import (
    ABLATIONS,
    BASELINES,
    DATASETS,
    FILES,
    MAIN,
    PARAMETERS,
    REFITS,
    STAGES,
    STRUCTURES,
    VALIDATE,
    Entry,
    as_written,
    declared,
    inside,
    paths,
    plainly,
)
from tests.repository import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()

every_stage = pytest.mark.parametrize("stage", STAGES, ids=str)


def test_each_file_has_the_stages_in_the_order_in_which_data_flows() -> None:
    for file in FILES:
        expected = [stage.name for stage in [VALIDATE, *STAGES] if stage.file == file]
        assert list(FILES[file]["stages"]) == expected


@every_stage
def test_a_stage_runs_its_module_for_everything_that_it_is_for(stage: Entry) -> None:
    entry = FILES[stage.file]["stages"][stage.name]
    if stage.over in (DATASETS, REFITS):
        assert entry["foreach"] == stage.over["dataset"]
    else:
        assert entry["matrix"] == stage.over
    options = {name: f" --{name} {stage.item(name)}" for name in ("variant", "baseline", "structure")}
    expected = f"./stage {stage.module} --dataset {stage.dataset}"
    expected += "".join(text for name, text in options.items() if name in stage.over)
    group = " --group ablations" if (stage.file, stage.module) == (ABLATIONS, "evaluate") else ""
    assert stage.definition["cmd"] == expected + group


def test_the_summary_of_a_run_has_every_stage_in_its_order() -> None:
    timed = [stage for stage in STAGES if stage.file != ABLATIONS]
    assert list(summary.STAGES) == [stage.name for stage in timed]
    assert list(summary.VARIANT_STAGES) == [stage.name for stage in timed if "variant" in stage.over]
    assert [stage.name for stage in timed if stage.over == BASELINES] == [summary.BASELINE_STAGE]


@every_stage
def test_the_ablations_run_in_the_repositorys_root_by_the_same_parameters(stage: Entry) -> None:
    assert stage.definition.get("wdir") == (".." if stage.file == ABLATIONS else None)
    assert FILES[stage.file].get("vars") == (["../params.yaml"] if stage.file == ABLATIONS else None)


@every_stage
def test_a_stage_lists_exactly_the_parameters_it_reads(stage: Entry) -> None:
    reads = declared(stage).settings
    section = reads.section or stage.module
    models = ["variants.${item.variant}"]
    of_structure = []
    # A baseline's grid is its own, and what chooses is that of all.
    whole = ["baselines.chosen_by", "baselines.${item.baseline}"] if stage.over == BASELINES else [section]
    if stage.over == STRUCTURES and section in StructureEntry.model_fields:
        of_structure = ["structures.${item.structure}." + section]
    if stage.file == ABLATIONS:
        models = ["ablations.${item.variant}", *(f"variants.{name}" for name in PARAMETERS["variants"])]
    listed: dict[str, Callable[[list[str]], list[str]]] = {
        "run": lambda fields: fields,
        "dataset": lambda fields: [f"datasets.{stage.dataset}.{field}" for field in fields],
        # A section is a stage's own: DVC looks a whole one up as fast as a single setting.
        "stage": lambda fields: [*whole, f"datasets.{stage.dataset}.{section}", *of_structure],
        "variant": lambda fields: [*models, "datasets.${item.dataset}.train_users"],
        "structure": lambda fields: [f"structures.${{item.structure}}.{field}" for field in fields],
    }
    expected = [
        key
        for part, keys in listed.items()
        if (model := getattr(reads, part)) is not None
        for key in keys(list(model.model_fields))
    ]
    found = stage.params
    assert len(found) == len(set(found))
    assert set(found) == set(expected)


@every_stage
def test_who_computes_is_no_parameter_so_that_another_engine_runs_nothing_again(stage: Entry) -> None:
    assert not set(stage.params) & set(EngineConfig.model_fields)


@every_stage
def test_a_stage_lists_exactly_the_artifacts_it_writes(stage: Entry) -> None:
    written = [inner for path in stage.outs for inner in inside(stage, path)]
    assert len(written) == len(set(written))
    assert set(written) == paths(stage, declared(stage).writes)


@every_stage
def test_a_stage_lists_exactly_the_artifacts_it_reads(stage: Entry) -> None:
    # What users have of their own, and checks that only have to come first.
    beside = {
        "${item.source.path}",
        RULES_FOLDER,
        PARAMETERS_CHECKED.path,
        as_written(stage, TABLES_CHECKED.path).pop(),
    }
    read = [inner for path in stage.deps if path not in (*beside, *stage.code) for inner in inside(stage, path)]
    assert len(read) == len(set(read))
    assert set(read) == paths(stage, declared(stage).reads)


def test_parameters_and_then_tables_are_checked_before_a_data_set_is_fetched() -> None:
    check_tables, fetch = STAGES[:2]
    assert VALIDATE.definition["outs"] == [PARAMETERS_CHECKED.path]
    assert PARAMETERS_CHECKED.path in check_tables.definition["deps"]
    assert TABLES_CHECKED.path.format(dataset="${key}") in fetch.definition["deps"]
    assert {"params.yaml", str(FILE)} <= set(VALIDATE.definition["deps"])
    for stage in (check_tables, fetch):
        assert "${item.source.path}" in stage.definition["deps"]


@every_stage
def test_figures_and_plots_are_committed_and_not_cached(stage: Entry) -> None:
    for kind in ("metrics", "plots"):
        for entry in stage.definition.get(kind, []):
            assert next(iter(entry.values()))["cache"] is False


@every_stage
def test_a_curve_is_drawn_by_columns_that_it_has(stage: Entry) -> None:
    curves = [curve for curve in EVERY.values() if isinstance(curve, Curve)]
    columns = {Path(curve.path.replace("{variant}", "${item.variant}")).name: curve.columns for curve in curves}
    for entry in stage.definition.get("plots", []):
        path, options = next(iter(entry.items()))
        if path.endswith(".tsv"):
            assert {options["x"], options["y"]} <= set(columns[Path(path).name])


def test_git_ignores_what_must_never_be_committed() -> None:
    ignored = Path(ROOT / ".gitignore").read_text().splitlines()
    assert {"/artifacts/", "/.checkpoints/", "/.venv"} <= set(ignored)


def test_neither_git_nor_dvc_sees_what_is_downloaded() -> None:
    """DVC watches the folder for sources with a URL: what is fetched into it must not look like a change."""
    for name in (".gitignore", ".dvcignore"):
        lines = (ROOT / name).read_text().splitlines()
        assert lines.index(f"/{DOWNLOADS}/*") < lines.index(f"!/{DOWNLOADS}/README.md")
    assert (ROOT / DOWNLOADS / "README.md").is_file()


def test_the_lock_has_stages_of_today_alone() -> None:
    """DVC reads and writes all of it at each stage, and keeps what no stage is called any more: 14 such took a quarter of its time."""
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        stages = {stage.name for stage in repo.index.stages if stage.path_in_repo == MAIN}
    assert set(read_yaml(ROOT / "dvc.lock")["stages"]) <= stages


def test_make_repro_runs_side_by_side_what_neither_waits_for_nor_touches_the_other() -> None:
    before, *both = [
        re.search(rf"^{name} := (.+)$", MAKEFILE, re.MULTILINE)[1].split()  # type: ignore[index]
        for name in ("BEFORE_BOTH", "OF_MODELS", "OF_BASELINES")
    ]
    stages = {
        each.name: {kind: [plainly(path) for path in getattr(each, kind)] for kind in ("deps", "outs")}
        for each in [VALIDATE, *STAGES]
        if each.file == MAIN
    }

    def meet(some: list[str], others: list[str]) -> bool:
        return any(Path(a).is_relative_to(b) or Path(b).is_relative_to(a) for a in some for b in others)

    def of_all(names: list[str], kind: str) -> list[str]:
        return [path for name in names for path in stages[name][kind]]

    for mine, theirs in (both, both[::-1]):
        assert not meet(of_all(mine, "outs"), of_all(theirs, "deps") + of_all(theirs, "outs"))
    # Each finds what it needs: DVC looks at no other stage. Before both comes what all stages before them need, and nothing of theirs.
    done = set(before)
    while more := {one for one in stages for name in done if meet(stages[one]["outs"], stages[name]["deps"])} - done:
        done |= more
    for names in both:
        made = set(done)
        assert not made & set(names)
        for name in names:
            needed = {one for one in stages if meet(stages[one]["outs"], stages[name]["deps"])}
            assert needed - {name} <= made, name
            made.add(name)
