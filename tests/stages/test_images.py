"""A data set with images: `data add` takes them in, the recommended model is made of them, the report shows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from transformers import ViTModel

from pipeline.artifacts.data import ITEMS, SOURCE_IMAGES
from pipeline.artifacts.image import IMAGE_VECTORS, THUMBNAILS
from pipeline.artifacts.users import MODEL
from pipeline.image.hub_encoder import HubEncoder
from pipeline.image.reading import decoded
from tests.image.images import file_of, noise
from tests.image.test_hub_encoder import VIT, saved
from tests.in_process import run_module
from tests.stages.added import NAME, added
from tests.stages.test_items import like_the_first, write
from tests.stages.workspace import RUNS, Workspace, assert_a_mistake_in_one_line, planted_tables

# Of an item without one, a damaged one, and two that are equal.
WITHOUT, DAMAGED, TWINS = "i3", "i5", ("i8", "i9")
SIDE = [name for name in RUNS if not name.startswith(("evaluate_baselines", "refit"))]
BASELINE = "evaluate_baselines.popularity"


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("pictured")
    tables = planted_tables()
    write(root / NAME, **tables)
    (root / NAME / "posters").mkdir()
    for number, item in enumerate(tables["items"]["item_id"]):
        if item != WITHOUT:
            content = b"no image" if item == DAMAGED else file_of(noise(8 if item in TWINS else number), "PNG")
            (root / NAME / "posters" / f"{item}.png").write_bytes(content)
    saved(root / "vit", ViTModel(VIT))
    workspace, said, entry = added(root)
    assert entry["source"] == {"type": "tables", "path": NAME, "images": "posters", "image": "{item_id}.png"}
    assert "1 warning" in said

    def small(values: dict) -> None:
        values["datasets"][NAME]["embed_image"] = {"encoder": "vit", "batch_images": 7}
        values["run_variants"], values["run_baselines"] = ["recommended"], ["popularity"]

    workspace.change_params(small)
    runs = [name for name in (*SIDE, BASELINE) if "crmman" not in name]
    runs.sort(key=[*RUNS].index)
    for name in runs:
        result = workspace.run(name, NAME)
        assert result.code == 0, (name, result.err)
        if name == "fetch":
            assert f"posters: 1 of 60 items have no image, such as {WITHOUT}.png of item {WITHOUT}" in result.out
        if name == "embed_image":
            assert "58 of 60 items have an image that can be read, 58 different ones; vectors 8 wide" in result.out
            assert result.err == (
                f"[{NAME}] embed_image: warning: 1 images cannot be read, such as {NAME}/posters/{DAMAGED}.png: "
                "not a readable image\n"
            )
        if name == "report":
            assert "58 of 58 images" in result.out
    return workspace


def test_each_item_has_the_vector_of_its_image(pictured: Workspace) -> None:
    vectors = IMAGE_VECTORS.read(NAME, pictured.root)["vectors"]
    ids = ITEMS.read(NAME, pictured.root)["item_id"].to_list()
    encoder = HubEncoder(str(pictured.root / "vit"), "cpu")
    for place, item in enumerate(ids):
        if item in (WITHOUT, DAMAGED):
            assert not vectors[place].any()
            continue
        image = decoded((pictured.root / NAME / "posters" / f"{item}.png").read_bytes(), 1e6)
        np.testing.assert_allclose(vectors[place], encoder.encode([image])[0], atol=1e-5)
    one, other = (vectors[ids.index(item)] for item in TWINS)
    assert (one == other).all()
    small = THUMBNAILS.read(NAME, pictured.root)
    assert len(small) == 58
    assert decoded(small["webp"][0], 1e6).height <= 90


def test_the_same_images_give_the_same_bytes(pictured: Workspace, tmp_path: Path) -> None:
    before = pictured.files()
    copy = pictured.copy(tmp_path / "copy")
    assert copy.run("embed_image", NAME).code == 0
    assert copy.files() == before


def test_the_recommended_model_is_made_of_them(pictured: Workspace) -> None:
    model = MODEL.of(variant="recommended")
    assert model.about(NAME, pictured.root)["variant"]["modalities"][-1] == "image"
    assert model.read(NAME, pictured.root)["encoder.image_projection"].shape[0] == 8


def test_the_report_shows_them(pictured: Workspace) -> None:
    page = (pictured.root / "artifacts" / NAME / "report.html").read_text()
    assert page.count("data:image/webp;base64,") >= 58
    assert 'alt="Film number' in page


def test_what_is_not_what_was_found_is_one_line(pictured: Workspace, tmp_path: Path) -> None:
    copy = pictured.copy(tmp_path / "copy")
    before = copy.files()
    (copy.root / NAME / "posters" / "i0.png").write_bytes(file_of(noise(99), "PNG"))
    assert_a_mistake_in_one_line(
        copy.run("embed_image", NAME), "posters/i0.png: found another image than `fetch` did; run `dvc repro`"
    )
    (copy.root / NAME / "posters" / "i0.png").unlink()
    assert_a_mistake_in_one_line(copy.run("embed_image", NAME), "posters/i0.png: cannot be read: ")
    assert copy.files() == before
    assert copy.run("fetch", NAME).code == 0
    assert len(SOURCE_IMAGES.read(NAME, copy.root)) == 58


def test_an_added_item_is_known_by_all_but_its_image(pictured: Workspace, tmp_path: Path) -> None:
    copy = pictured.copy(tmp_path / "copy")
    folder = write(tmp_path / "new", **like_the_first("n1"))
    assert run_module("stages.cli", "items", "add", folder, "--dataset", NAME, folder=copy.root).code == 0
    answer = run_module("stages.cli", "recommend", "--dataset", NAME, "--user", "u1", "-k", "70", folder=copy.root)
    assert answer.code == 0, answer.err
    assert "Brand new n1" in answer.out


def test_without_images_there_are_vectors_without_numbers(pictured: Workspace, tmp_path: Path) -> None:
    copy = pictured.copy(tmp_path / "copy")

    def without(values: dict) -> None:
        values["datasets"][NAME]["source"] = {"type": "tables", "path": NAME}

    copy.change_params(without)
    for name in ("fetch", "embed_image", "train_users.recommended"):
        result = copy.run(name, NAME)
        assert result.code == 0, result.err
    assert IMAGE_VECTORS.read(NAME, copy.root)["vectors"].shape == (60, 0)
    assert THUMBNAILS.read(NAME, copy.root).is_empty()
    assert "image" not in MODEL.of(variant="recommended").about(NAME, copy.root)["variant"]["modalities"]
    assert pl.read_parquet(SOURCE_IMAGES.at(NAME, copy.root)).is_empty()
