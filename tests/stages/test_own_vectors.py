"""A data set with vectors of its own: `data add` takes them in, the recommended model reads them, added items bring theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from pipeline.artifacts.added import MORE_VECTORS
from pipeline.artifacts.data import ITEMS, SOURCE_VECTORS
from pipeline.artifacts.users import MODEL
from stages.shared.added import read_added
from stages.shared.added_models import read_model_with
from stages.shared.data import read_data
from tests.in_process import run_module
from tests.stages.added import NAME, added
from tests.stages.test_items import like_the_first, write
from tests.stages.workspace import BEFORE_USERS, Workspace, assert_a_mistake_in_one_line, planted_tables

UNHEARD = 5


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("own")
    tables = planted_tables()
    write(root / NAME, **tables)
    ids = tables["items"]["item_id"]
    random = np.random.default_rng(0)
    heard = pl.DataFrame({"item_id": ids[UNHEARD:], "sound": random.normal(size=(len(ids) - UNHEARD, 4)).tolist()})
    heard.write_parquet(root / NAME / "audio.parquet")
    np.save(root / NAME / "mine.npy", random.normal(size=(len(ids), 3)))
    workspace, said, entry = added(root)
    assert entry["source"]["vectors"] == ["audio", "mine"]
    assert "vectors: [audio, mine]" in said
    for name, result in workspace.run_all(
        [*BEFORE_USERS, "train_users.recommended", "train_users.crmman"], NAME
    ).items():
        assert result.code == 0, (name, result.err)
        if name == "fetch":
            assert f"audio.parquet: {UNHEARD} of {len(ids)} items have no vector" in result.out
        if name == "train_users.recommended":
            assert "modalities" not in result.out
    return workspace


def test_the_recommended_model_is_made_of_them_and_the_method_as_written_is_not(planted: Workspace) -> None:
    model = MODEL.of(variant="recommended")
    assert model.about(NAME, planted.root)["variant"]["modalities"] == [
        "text", "structure", "id", "entities", "audio", "mine",
    ]  # fmt: skip
    arrays = model.read(NAME, planted.root)
    assert arrays["encoder.audio_projection"].shape[0] == 4
    assert arrays["encoder.mine_projection"].shape[0] == 3
    of_crmman = MODEL.of(variant="crmman")
    assert of_crmman.about(NAME, planted.root)["variant"]["modalities"] == ["text", "structure"]
    assert SOURCE_VECTORS.read(NAME, planted.root).columns == ["item_id", "audio", "mine"]


def test_a_variant_may_name_one_of_them_and_hears_of_one_that_is_not_there(planted: Workspace, tmp_path: Path) -> None:
    copy = planted.copy(tmp_path / "copy")
    copy.change_params(lambda values: values["variants"]["recommended"].update(modalities=["audio", "gone", "id"]))
    result = copy.run("train_users.recommended", NAME)
    assert result.code == 0, result.err
    assert "no vectors gone: modalities audio + id instead of audio + gone + id" in result.out
    about = MODEL.of(variant="recommended").about(NAME, copy.root)["variant"]
    assert about["modalities"] == ["audio", "id"]


def test_an_added_item_brings_its_own_or_has_none(planted: Workspace, tmp_path: Path) -> None:
    copy = planted.copy(tmp_path / "copy")
    folder = write(tmp_path / "new", **like_the_first("n1", "n2"))
    sound = SOURCE_VECTORS.read(NAME, copy.root).filter(item_id="i7").select("item_id", "audio")
    sound.with_columns(item_id=pl.lit("n2")).write_parquet(tmp_path / "new" / "audio.parquet")
    ask = lambda *arguments: run_module("stages.cli", *arguments, "--dataset", NAME, folder=copy.root)  # noqa: E731
    result = ask("items", "add", folder)
    assert result.code == 0, result.err
    assert "audio.parquet: 1 of 2 items have no vector" in result.out
    found = MORE_VECTORS.read(NAME, copy.root)
    assert found["given.audio"].tolist() == [[0.0] * 4, sound["audio"][0].to_list()]
    assert "given.mine" not in found
    assert ask("recommend", "--user", "u1", "-k", "70").code == 0
    # Another one beside them; and then one of another width.
    write(tmp_path / "third", **like_the_first("n3"))
    assert ask("items", "add", str(tmp_path / "third")).code == 0
    assert MORE_VECTORS.read(NAME, copy.root)["given.audio"].any(axis=1).tolist() == [False, True, False]
    write(tmp_path / "fourth", **like_the_first("n4"))
    pl.DataFrame({"item_id": ["n4"], "sound": [[1.0]]}).write_parquet(tmp_path / "fourth" / "audio.parquet")
    assert_a_mistake_in_one_line(
        ask("items", "add", str(tmp_path / "fourth")), "vectors audio: found", "as for the items that were added before"
    )
    assert ask("items", "remove", "n2").code == 0
    assert "given.audio" not in MORE_VECTORS.read(NAME, copy.root)
    assert_a_mistake_in_one_line(
        ask("items", "add", str(tmp_path / "fourth")), "column audio: found", "as the items of added now have"
    )
    assert ask("items", "list").out.startswith("n1  Brand new n1\nn3")


def test_an_added_copy_of_an_item_has_the_vector_of_the_one_that_was_there(
    planted: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = planted.copy(tmp_path / "copy")
    copy.change_params(lambda values: values["variants"]["recommended"].update(modalities=["audio", "mine"]))
    assert copy.run("train_users.recommended", NAME).code == 0
    folder = write(tmp_path / "new", **like_the_first("n1", "n2"))
    mine = SOURCE_VECTORS.read(NAME, copy.root).filter(item_id="i7").with_columns(item_id=pl.lit("n1"))
    for name in ("audio", "mine"):
        mine.select("item_id", name).write_parquet(tmp_path / "new" / f"{name}.parquet")
    assert run_module("stages.cli", "items", "add", folder, "--dataset", NAME, folder=copy.root).code == 0
    monkeypatch.chdir(copy.root)
    items = read_model_with(read_added(NAME), NAME, "recommended", read_data(NAME)).items
    place = ITEMS.read(NAME)["item_id"].to_list().index("i7")
    torch.testing.assert_close(items[-2], items[place])
    assert items[place].any()
    assert not items[-1].any()


def test_a_mistake_in_them_stops_before_any_output_is_replaced(planted: Workspace, tmp_path: Path) -> None:
    copy = planted.copy(tmp_path / "copy")
    np.save(copy.root / NAME / "mine.npy", np.full((60, 3), np.nan))
    before = copy.files()
    assert_a_mistake_in_one_line(
        copy.run("check_tables", NAME),
        "mine.npy: row 0: found nan (and 59 more rows), expected only finite float32 numbers",
    )
    assert copy.files() == before
    (copy.root / NAME / "mine.npy").unlink()
    assert_a_mistake_in_one_line(
        copy.run("check_tables", NAME), "source.vectors: added: found neither, expected one of"
    )
