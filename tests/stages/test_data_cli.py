"""`crmman data check` and `crmman data add` as somebody runs them, in a folder with params.yaml and in one without."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from pipeline.common import files
from pipeline.common.config import read_yaml
from pipeline.parameters import edit
from stages.cli.data import DEFAULTS, SEED
from tests.in_process import Result, run_module
from tests.recipes import recipe_tables, write_recipes
from tests.stages.locks import is_held, looking_first
from tests.stages.workspace import ROOT, assert_a_mistake_in_one_line


def run(folder: Path, *arguments: str, module: str = "stages.cli") -> Result:
    return run_module(module, *arguments, folder=folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The repository's params.yaml, what it names, and a folder with recipes."""
    (tmp_path / "ablations").mkdir()
    for name in ("params.yaml", "ablations/params.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    named = tmp_path / "pipeline/data/sources/ml_100k_item_entities.csv"
    named.parent.mkdir(parents=True)
    named.touch()
    write_recipes(tmp_path / "my recipes")
    return tmp_path


def test_a_folder_is_checked_where_there_are_no_parameters(tmp_path: Path) -> None:
    write_recipes(tmp_path / "recipes")
    result = run(tmp_path, "data", "check", "recipes")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("recipes: tables\n")
    assert result.out.endswith("can be used\n")
    as_json = run(tmp_path, "data", "check", "recipes", "--format", "json", "--like-threshold", "3")
    content = json.loads(as_json.out)
    assert content["likes"] == int((recipe_tables()["interactions"]["rating"] >= 3).sum())


def test_two_that_add_at_once_are_both_in_params_yaml(project: Path, monkeypatch) -> None:
    held: list[bool] = []
    for module, name in ((edit, "with_dataset"), (files, "write_users_file")):
        monkeypatch.setattr(module, name, looking_first(getattr(module, name), lambda: held.append(is_held(project))))
    assert run(project, "data", "add", "recipes", "my recipes", "--profile", "fast").code == 0
    # The first look at the parameters writes nothing.
    assert held == [False, True, True]
    assert not is_held(project)


def test_what_cannot_be_used_is_exit_code_2_and_all_of_it_printed(project: Path) -> None:
    path = project / "my recipes" / "interactions.csv"
    path.write_text(path.read_text().replace(",5\n", ",five\n"))
    (project / "my recipes" / "kg.tsv").unlink()
    result = run(project, "data", "check", "my recipes")
    assert result.code == 2
    assert "found 'five', expected a number" in result.out
    assert "table kg: found nothing" in result.out
    assert result.out.endswith("cannot be used: 2 errors\n")
    as_json = run(project, "data", "check", "my recipes", "--format", "json")
    assert as_json.code == 2
    assert [error["count"] > 1 for error in json.loads(as_json.out)["errors"]] == [False, True]


def test_a_data_set_is_added_and_the_parameters_are_valid(project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    result = run(project, "data", "add", "recipes", "my recipes", "--profile", "fast")
    assert (result.code, result.err) == (0, "")
    assert "\nnext: dvc repro compare@recipes" in result.out
    after = (project / "params.yaml").read_bytes()
    start = after.index(b"  recipes:\n")
    end = after.index(b"\n# Models of the users")
    assert after[:start] + after[end:] == before
    assert after[start:end].decode() in result.out
    assert b'path: "my recipes"\n' in after[start:end]
    assert run(project, module="stages.validate").code == 0
    assert sorted(path.name for path in project.iterdir() if path.is_file()) == ["params.yaml"]
    assert_a_mistake_in_one_line(
        run(project, "data", "add", "recipes", "my recipes"), "datasets.recipes: found a name that is already in use"
    )
    # The stages take what the check has said yes to.
    checked = run(project, "--dataset", "recipes", module="stages.check_tables")
    assert checked.code == 0, checked.err


def test_what_the_advice_says_is_taken_into_the_parameters(project: Path) -> None:
    folder, tables = project / "my recipes", recipe_tables()
    rated = tables["interactions"].rename({"item_id": "recipe_id"}).with_row_index("id")
    rated = rated.with_columns(rating=pl.when(pl.col("id") % 5 == 0).then(-1).otherwise("rating"))
    rated.write_csv(folder / "interactions.csv")
    tables["items"].rename({"item_id": "id"}).write_csv(folder / "items.csv")
    advised = ("--rename", "items.id=item_id", "--rename", "recipe_id=item_id", "--not-rated", "-1")
    result = run(project, "data", "add", "recipes", "my recipes", *advised)
    assert (result.code, result.err) == (0, "")
    source = read_yaml(project / "params.yaml")["datasets"]["recipes"]["source"]
    assert source["rename"] == {"items.id": "item_id", "recipe_id": "item_id"}
    assert source["not_rated"] == [-1]
    fetched = run(project, "--dataset", "recipes", module="stages.fetch")
    assert fetched.code == 0, fetched.err
    left_out = int((rated["rating"] == -1).sum())
    assert (
        f"{left_out} of {len(rated)} interactions are left out, because their rating -1 says"
        in fetched.out + fetched.err
    )
    stored = pl.read_parquet(project / "artifacts/recipes/source/interactions.parquet")
    assert len(stored) == len(rated) - left_out
    assert_a_mistake_in_one_line(
        run(project, "data", "check", "my recipes", "--not-rated", "nan"), "--not-rated: found nan, expected a number"
    )


def test_the_check_that_add_advises_has_its_options_and_finds_what_it_counted(project: Path) -> None:
    pl.read_csv(project / "my recipes/interactions.csv").rename({"user_id": "who"}).write_csv(
        project / "my recipes/interactions.csv"
    )
    asked = ("--rename", "who=user_id", "--like-threshold", "1", "--min-user-interactions", "2", "--facts", "tags")
    for name in ("kg", "item_entities"):
        (file,) = (project / "my recipes").glob(f"{name}.*")
        file.unlink()
    result = run(project, "data", "add", "recipes", "my recipes", *asked, "--profile", "fast")
    assert result.code == 0, result.err
    (count, advised) = re.findall(r"^(\d+) warnings?: run `(.*)` to see them$", result.out, re.MULTILINE)[0]
    command, *words = shlex.split(advised)
    assert (command, words[:3]) == ("crmman", ["data", "check", "my recipes"])
    checked = run(project, *words)
    assert (checked.code, checked.out.count("warning: ")) == (0, int(count))
    failed = run(project, "data", "add", "others", "my recipes", "--rename", "who=user_id", "--like-threshold", "9")
    assert "crmman data check 'my recipes' --like-threshold 9.0 --rename who=user_id`" in failed.err


@pytest.mark.parametrize(("limit", "large"), [(0, True), (10_000, False)])
def test_a_large_catalogue_gets_the_profile_for_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, limit: int, large: bool
) -> None:
    monkeypatch.setattr("pipeline.users.settings.LARGE_CATALOGUE", limit)
    result = run(project, "data", "add", "recipes", "my recipes")
    assert (result.code, "200 items: using the profile large" in result.out) == (0, large)
    entry = (project / "params.yaml").read_text().split("  recipes:\n")[1].split("\n# Models")[0]
    assert ("init_sdne:\n      sampled_columns: 2000\n" in entry) == large


@pytest.mark.parametrize("number", ["inf", "-inf", "nan"])
def test_a_threshold_that_is_no_number_is_one_line(project: Path, number: str) -> None:
    for form in ("text", "json"):
        result = run(project, "data", "check", "my recipes", "--like-threshold", number, "--format", form)
        assert_a_mistake_in_one_line(result, f"--like-threshold: found {number}, expected a number")


def test_mistakes_are_one_line_and_leave_the_parameters_as_they_are(project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    mistakes = {
        ("ml-100k", "my recipes"): "datasets.ml-100k: found a name that is already in use",
        ("my recipes", "my recipes"): "datasets: found the name 'my recipes', expected letters, digits, '-' and '_'",
        ("", "my recipes"): "datasets: found the name ''",
        ("recipes", "nowhere"): "nowhere: folder not found",
        (
            "recipes",
            "my recipes",
            "--profile",
            "slow",
        ): "--profile: found 'slow', expected one of: large, fast",
        ("recipes", "my recipes", "--like-threshold", "9"): "like_threshold: found 9, which no rating reaches",
        ("recipes", "my recipes", "--rename", "stars"): "--rename: found 'stars', expected THEIRS=OURS",
        ("recipes", "my recipes", "--s-m", "99"): "item graph: s_m 99: found 0 of the 2 edges",
    }
    for arguments, message in mistakes.items():
        result = run(project, "data", "add", *arguments)
        assert_a_mistake_in_one_line(result, message)
        assert result.out == ""
        assert (project / "params.yaml").read_bytes() == before
    (project / "params.yaml").write_text("seed: 1\n")
    assert_a_mistake_in_one_line(run(project, "data", "add", "recipes", "my recipes"), "params.yaml: ")
    (project / "params.yaml").unlink()
    assert_a_mistake_in_one_line(run(project, "data", "add", "recipes", "my recipes"), "params.yaml: file not found")


def test_help_has_an_example_and_loads_nothing_heavy(tmp_path: Path) -> None:
    assert (run(tmp_path, "data").code, "check" in run(tmp_path, "data").out) == (0, True)
    for verb in ("check", "add"):
        result = run(tmp_path, "data", verb, "--help")
        assert result.code == 0
        assert f"crmman data {verb} recipes" in result.out
    heavy = "{'torch', 'polars', 'numpy', 'scipy', 'ruamel.yaml', 'pydantic'}"
    probe = f"import sys, stages.cli.data; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_without_parameters_the_check_goes_by_those_of_the_repository() -> None:
    values = read_yaml(ROOT / "params.yaml")
    assert {name: values["dataset_defaults"][name] for name in DEFAULTS} == DEFAULTS
    assert values["seed"] == SEED
