"""Somebody's own data, of a domain that the repository knows nothing of, by the steps that the README shows."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from tests.clone import Clone
from tests.in_process import run_module
from tests.recipes import PEOPLE, favourite, person, recipe_tables, write_recipes

ONE_MODEL = ("run_variants: [recommended, crmman]", "run_variants: [recommended]")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = Clone(tmp_path_factory.mktemp("own"))
    # Two models take twice as long and show nothing more.
    params = clone.folder / "params.yaml"
    text = params.read_text()
    assert ONE_MODEL[0] in text
    params.write_text(text.replace(*ONE_MODEL))
    clone.commit()
    write_recipes(clone.folder / "recipes")
    return clone


def crmman(project: Clone, *arguments: str) -> str:
    result = run_module("stages.cli", *arguments, folder=project.folder)
    assert result.code == 0, result.err
    return result.out


def test_from_a_folder_to_recommendations(project: Clone) -> None:
    shown = crmman(project, "data", "check", "recipes")
    assert shown.endswith("can be used\n")
    before = (project.folder / "params.yaml").read_text()
    added = crmman(project, "data", "add", "recipes", "recipes", "--profile", "fast")
    (command,) = [line.removeprefix("next: ") for line in added.splitlines() if line.startswith("next: ")]
    after = (project.folder / "params.yaml").read_text()
    start = after.index("  recipes:\n")
    new = after[start : start + len(after) - len(before)]
    assert before == after[:start] + after[start + len(new) :]
    assert new in added

    assert command.startswith("dvc repro compare@recipes")
    # Only what is new runs: the other data set would be fetched over the network. That DVC does run it: test_dvc_repro.py.
    commands = project.commands("compare@recipes")
    assert "./stage compare --dataset recipes" in commands
    assert "ml-100k" not in "".join(commands)
    for line in commands:
        project.run_here(line)
    metrics = json.loads((project.folder / "metrics/recipes.json").read_text())
    assert "recommended" in metrics

    # Those who like one cuisine get it: a quarter of all recipes, and more than half of what is recommended.
    tags = dict(recipe_tables()["items"].select(pl.col("item_id").cast(pl.String), "tags").iter_rows())
    for number in (0, PEOPLE - 1):
        rows = recommended(project, "--user", person(number), "-k", "5")
        assert len(rows) == 5
        assert sum(favourite(number) in tags[row["item_id"]] for row in rows) >= 3
        assert all(row["reason"] for row in rows)
    rows = recommended(project, "--like", "1000", "--like", "1001", "--dislike", "1002")
    assert len(rows) == 10
    assert not {row["item_id"] for row in rows} & {"1000", "1001", "1002"}


def recommended(project: Clone, *arguments: str) -> list[dict[str, Any]]:
    answer = json.loads(crmman(project, "recommend", "--dataset", "recipes", *arguments, "--format", "json"))
    return list(answer["recommendations"])
