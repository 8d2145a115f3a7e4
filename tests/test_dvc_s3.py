"""A data set that lies in S3, taken in and run by real DVC, and a remote there. The tests go in the order in which they stand here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.clone import Clone
from tests.in_process import run_module
from tests.recipes import write_recipes
from tests.s3 import SECRET, Bucket, s3_here
from tests.stages.workspace import assert_a_mistake_in_one_line

ADDRESS, GOAL = "s3://shop/recipes", "prepare@recipes"
# As `dvc remote add --local --default store s3://shop/runs` writes it.
STORE = "[core]\n    remote = store\n['remote \"store\"']\n    url = s3://shop/runs\n"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    folder = tmp_path_factory.mktemp("s3")
    with s3_here(folder) as bucket:
        bucket.put_folder(write_recipes(folder / "recipes"), "recipes")
        yield bucket


@pytest.fixture(scope="module")
def clone(bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = Clone(tmp_path_factory.mktemp("clone"))
    clone.commit()
    return clone


def repro(clone: Clone) -> set[str]:
    output = clone.run("dvc", "repro", GOAL, stages_here=True)
    assert SECRET not in output
    return {line.split("'")[1].partition("@")[0] for line in output.splitlines() if line.startswith("Running stage")}


def test_data_check_and_add_take_an_address(clone: Clone) -> None:
    checked = run_module("stages.cli", "data", "check", ADDRESS, folder=clone.folder)
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.startswith(f"{ADDRESS}: tables\n")
    added = run_module("stages.cli", "data", "add", "recipes", f"{ADDRESS}/", folder=clone.folder)
    assert added.code == 0, added.err
    source = YAML(typ="safe").load((clone.folder / "params.yaml").read_text())["datasets"]["recipes"]["source"]
    assert source == {"type": "tables", "path": ADDRESS}


def test_an_address_that_is_wrong_is_one_line(clone: Clone) -> None:
    missing = run_module("stages.cli", "data", "check", "s3://shop/recipe", folder=clone.folder)
    assert_a_mistake_in_one_line(missing, "s3://shop/recipe: found nothing there")
    secret = run_module("stages.cli", "data", "add", "others", f"s3://me:{SECRET}@shop/recipes", folder=clone.folder)
    assert_a_mistake_in_one_line(secret, "s3://***@shop/recipes: found no address of a store")
    assert SECRET not in secret.err + (clone.folder / "params.yaml").read_text()


def test_stages_run_from_it_and_again_when_an_object_has_changed(clone: Clone, bucket: Bucket) -> None:
    assert repro(clone) == {"validate", "check_tables", "fetch", "prepare"}
    ratings = bucket.files.cat("shop/recipes/interactions.csv")
    # Of the same size: what tells is what the store says of its content.
    bucket.put("recipes/interactions.csv", ratings.replace(b",5\n", b",4\n"))
    assert repro(clone) == {"check_tables", "fetch", "prepare"}


def test_an_object_that_is_gone_is_one_line_of_a_stage(clone: Clone, bucket: Bucket) -> None:
    items = bucket.files.cat("shop/recipes/interactions.csv")
    bucket.remove("recipes/interactions.csv")
    result = run_module("stages.check_tables", "--dataset", "recipes", folder=clone.folder)
    assert_a_mistake_in_one_line(result, "downloads/s3/shop/recipes: table interactions: found nothing")
    bucket.put("recipes/interactions.csv", items)


def test_a_remote_in_s3_has_the_run_for_another_clone_which_runs_nothing(
    clone: Clone, bucket: Bucket, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (clone.folder / ".dvc/config.local").write_text(STORE)
    assert "files pushed" in clone.run("dvc", "push", "--with-deps", GOAL)
    other = Clone(tmp_path_factory.mktemp("other"))
    for name in ("dvc.lock", "params.yaml"):
        shutil.copy(clone.folder / name, other.folder / name)
    other.commit()
    (other.folder / ".dvc/config.local").write_text(STORE)
    other.run("dvc", "pull", "--with-deps", GOAL)
    mine, theirs = (Path(each.folder, "artifacts/recipes/dataset/interactions.parquet") for each in (clone, other))
    assert mine.read_bytes() == theirs.read_bytes()
    assert repro(other) == set()
