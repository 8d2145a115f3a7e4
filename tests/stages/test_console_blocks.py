"""What the README and the pages show of `crmman`: the commands run, and what they print has the shape that is shown."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest

from pipeline.artifacts.kinds.seal import SEAL
from tests.artifacts.forged import rename
from tests.docs.console import Typed, at, shape
from tests.in_process import run_module
from tests.recipes import write_recipes
from tests.repository import ROOT
from tests.stages.conftest import Finished
from tests.stages.workspace import KEY, Workspace

# Titles that the pages ask for, and the user whose recommendations they show.
TITLES = ("Toy Story (1995)", "Alien (1979)", "Speed (1994)", "Braveheart (1995)", "Sabrina (1995)", "Sabrina (1954)")
USER = {"ml-100k": "42", "recipes": "Jörg Müller 0"}


def as_shown(workspace: Workspace, dataset: str) -> Workspace:
    """A finished workspace whose data set, items and a user have the names that the pages use."""
    root = workspace.root
    params = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(params.replace(f"{KEY}:", f"{dataset}:"))
    for folder in ("artifacts", "metrics", "plots"):
        for path in [*(root / folder).glob(KEY), *(root / folder).glob(f"{KEY}.json")]:
            path.rename(path.with_name(path.name.replace(KEY, dataset)))
    names = dict(enumerate(TITLES))
    for path in (root / "artifacts" / dataset).rglob("*.parquet"):
        table = pl.read_parquet(path)
        # Ids are numbers there, as those of MovieLens are.
        if "title" in table.columns:
            number = pl.col("item_id").str.strip_prefix("i").cast(pl.Int64)
            table = table.with_columns(title=number.replace_strict(names, default=pl.col("title")))
        if "user_id" in table.columns:
            table = table.with_columns(pl.col("user_id").replace("u7", USER[dataset]))
        if "genre" in table.columns and dataset == "ml-100k":
            table = _with_columns_of_films(table)
        if "item_id" in table.columns:
            table = table.with_columns(pl.col("item_id").str.strip_prefix("i"))
        if "reasons" in table.columns:
            plain = pl.element().struct.with_fields(item_id=pl.field("item_id").str.strip_prefix("i"))
            table = table.with_columns(pl.col("reasons").list.eval(plain))
        rename(path, path.relative_to(root).as_posix(), table)
    for path in (path for folder in ("artifacts", "plots") for path in (root / folder).rglob("*.*")):
        if path.suffix != ".parquet" and SEAL.search(path.read_bytes()):
            rename(path, path.relative_to(root).as_posix())
    return workspace


def _with_columns_of_films(items: pl.DataFrame) -> pl.DataFrame:
    """With those that RecBole's MovieLens has."""
    years = pl.format("{}", 1985 + pl.col("item_id").str.strip_prefix("i").cast(pl.Int64) % 15)
    return items.select(
        pl.all().exclude("title", "genre"),
        movie_title="title",
        release_year=years,
        **{"class": pl.format("{} Film", pl.col("genre").str.to_titlecase())},
    )


@pytest.fixture(scope="module")
def places(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where the blocks run: a trained model with films, one with recipes, and a folder of tables with mistakes."""
    root = tmp_path_factory.mktemp("places")
    films = as_shown(finished.workspace.copy(root / "films"), "ml-100k").root
    recipes = as_shown(finished.workspace.copy(root / "recipes"), "recipes").root
    write_recipes(recipes / "recipes")
    mistakes = root / "mistakes"
    folder = write_recipes(mistakes / "recipes")
    (folder / "item_entities.parquet").rename(folder / "links.parquet")
    ratings = pl.read_csv(folder / "interactions.csv", infer_schema=False).with_row_index()
    wrong = pl.when(pl.col("index").is_in([8, 20])).then(pl.lit("good")).otherwise("rating")
    ratings.with_columns(rating=wrong).drop("index").write_csv(folder / "interactions.csv")
    return {"films": films, "recipes": recipes, "recipes with mistakes": mistakes}


def printed(one: Typed, folder: Path) -> str:
    """What a command prints, errors included."""
    program, *arguments = shlex.split(one.command)
    if program == "python":
        done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=True)
        return done.stdout
    assert program == "crmman"
    with patch.dict(os.environ, COLUMNS="120"):
        result = run_module("stages.cli", *arguments, folder=folder)
    return result.out + result.err


@pytest.mark.parametrize("place", ["films", "recipes with mistakes"])
def test_what_the_pages_show_is_what_is_printed(place: str, places: dict[str, Path]) -> None:
    blocks = at(place)
    assert blocks
    for one in blocks:
        assert shape(printed(one, places[place])) == shape(one.output), one


def test_a_new_data_set_goes_the_way_that_the_page_shows(places: dict[str, Path]) -> None:
    check, add, ask = at("recipes")
    for one in (check, ask):
        assert shape(printed(one, places["recipes"])) == shape(one.output), one
    # It is to be added where it is not yet: beside the repository's own data set.
    params = places["recipes"] / "params.yaml"
    params.write_text((ROOT / "params.yaml").read_text())
    assert shape(printed(add, places["recipes"])) == shape(add.output)
