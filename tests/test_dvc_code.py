"""What code each stage is made of, as dvc.yaml lists it, and so what a change of the project may run again."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import grimp
import pytest

from pipeline.artifacts.data import TABLES_CHECKED
from pipeline.artifacts.parameters import PARAMETERS_CHECKED
from tests.dvc_files import ABLATIONS, PACKAGES, STAGES, VALIDATE, Entry, as_written, declared, plainly
from tests.repository import ROOT

ALL = [VALIDATE, *STAGES]
GRAPH = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
TRAINING = {"init_sdne", "train_gat", "train_users", "refit"}


def file_of(module: str) -> str:
    path = Path(*module.split("."))
    return str(path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py"))


def only_words(file: str) -> bool:
    """Whether a package's module has a docstring at most: nothing that could be another one for a stage."""
    body = ast.parse((ROOT / file).read_text()).body
    return file.endswith("__init__.py") and all(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body
    )


@cache
def needed(module: str) -> frozenset[str]:
    """Files of all modules that importing one can reach, packages' own modules and what lies beside them for a page included."""
    found: set[str] = set()
    waiting = [f"stages.{module}"]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += GRAPH.find_modules_directly_imported_by(name)
            waiting += [name.rpartition(".")[0]] if "." in name else []
    files = {file for file in map(file_of, found) if not only_words(file)}
    pages = {
        path for file in files for path in (ROOT / file).parent.iterdir() if path.suffix in (".html", ".css", ".js")
    }
    return frozenset(files | {str(path.relative_to(ROOT)) for path in pages})


def lies_in(file: str, listed: str) -> bool:
    return file == listed or file.startswith(f"{listed}/")


@pytest.mark.parametrize("stage", ALL, ids=str)
def test_a_stage_lists_the_code_that_it_is_made_of_and_none_that_it_does_without(stage: Entry) -> None:
    for file in needed(stage.module):
        assert any(lies_in(file, listed) for listed in stage.code), f"{file} is not listed"
    for listed in stage.code:
        assert any(lies_in(file, listed) for file in needed(stage.module)), f"{listed} is not needed"
        assert not any(lies_in(listed, other) for other in stage.code if other != listed), f"{listed} is listed twice"
    assert all((ROOT / listed).exists() for listed in stage.code)


def test_imports_are_followed_to_packages_and_pages_and_not_where_they_are_for_types_alone() -> None:
    assert {
        "stages/derive_graph.py",
        "stages/shared/stage.py",
        "stages/__init__.py",
        "pipeline/graph/rewiring.py",
    } <= needed("derive_graph")
    assert "pipeline/report/page/page.css" in needed("report")
    assert "pipeline/structure/gat/layer.py" in needed("train_gat")
    assert not any(lies_in(file, "pipeline/users") for file in needed("train_gat"))


def concerned(files: Iterable[str], keys: Iterable[str]) -> set[str]:
    """Stages that list one of the files, or one of the settings: `ablations:` before those of the other file."""
    found = set()
    for stage in ALL:
        listed = [key.replace("${item.baseline}", "ease") for key in stage.params]
        code = any(lies_in(file, path) for file in files for path in stage.code)
        if code or set(listed) & set(keys):
            found.add(called(stage))
    return found


def called(stage: Entry) -> str:
    return f"ablations:{stage.name}" if stage.file == ABLATIONS else stage.name


def following(started: set[str]) -> set[str]:
    """Stages that run if those change all that they write; what says that something was checked is the same whenever it is."""
    found = set(started)
    while True:
        changed = [
            path
            for stage in ALL
            if called(stage) in found
            for path in stage.outs
            if path not in (PARAMETERS_CHECKED.path, as_written(stage, TABLES_CHECKED.path).pop())
        ]
        plain = [plainly(path) for path in changed]
        more = {
            called(stage)
            for stage in ALL
            for dep in stage.deps
            for path in plain
            if lies_in(path, at := plainly(dep)) or lies_in(at, path)
        }
        if more <= found:
            return found - started
        found |= more


COMPARED = {"compare", "ablations:compare", "report"}
EVALUATED = {"evaluate", "ablations:evaluate", "evaluate_baselines"}


@pytest.mark.parametrize(
    ("files", "keys", "runs"),
    [
        pytest.param(["pipeline/report/plots.py"], [], {"report"}, id="a plot's colour"),
        pytest.param(["pipeline/report/page/page.css"], [], {"report"}, id="the report's CSS"),
        pytest.param(
            ["pipeline/evaluation/metrics/registry.py", "pipeline/evaluation/metrics/novelty.py"],
            [],
            {"validate", *EVALUATED, *COMPARED},
            id="a new metric",
        ),
        pytest.param(["pipeline/explain/sentence.py"], [], {"report"}, id="the wording of a reason"),
        pytest.param(
            ["pipeline/recommend/recommend.py", "pipeline/artifacts/recommend.py"],
            [],
            {"recommend", "report"},
            id="a column of the recommendations",
        ),
        pytest.param([], ["baselines.ease"], {"evaluate_baselines"}, id="a baseline's grid"),
        pytest.param(
            ["pipeline/data/sources/movielens.py"],
            [],
            {"validate", "check_tables", "fetch", "add_items"},
            id="a reader",
        ),
        pytest.param(
            ["stages/cli/app.py", "stages/cli/ask/recommend.py", "stages/cli/data.py"], [], set(), id="the CLI"
        ),
        pytest.param(["pipeline/graph/overlap_join.py"], [], {"build_graph"}, id="overlap_join"),
        pytest.param(
            ["pipeline/structure/gat/layer.py"],
            [],
            {
                "train_gat",
                "add_items",
                "train_users",
                "refit",
                "recommend",
                "ablations:train_gat",
                "ablations:train_users",
            },
            id="the GAT's layer",
        ),
    ],
)
def test_a_change_runs_what_it_concerns(files: list[str], keys: list[str], runs: set[str]) -> None:
    started = concerned(files, keys)
    assert started == runs
    if not started & {*TRAINING, "build_graph", "fetch", "ablations:train_gat"}:
        assert not {name.removeprefix("ablations:") for name in following(started)} & TRAINING
    for file in files:
        assert (ROOT / file).exists() or file.endswith("novelty.py")


def test_what_follows_is_found() -> None:
    assert following({"report"}) == set()
    assert following({"recommend"}) == {"report"}
    # Evaluation is not among it.
    assert following({"refit"}) == {"recommend", "report"}
    assert following({"evaluate_baselines"}) == {"compare", "report"}
    assert {"train_gat", "train_users", "refit", "ablations:train_users", "report"} <= following({"build_graph"})


def test_every_stage_declares_what_it_touches() -> None:
    assert [declared(stage).name for stage in ALL] == [stage.module for stage in ALL]
