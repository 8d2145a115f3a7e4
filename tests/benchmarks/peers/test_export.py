from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from benchmarks.peers import results
from benchmarks.peers.export import COLUMNS, NAME, Exported, export
from benchmarks.peers.identifiers import UNKNOWN, in_our_columns, places
from benchmarks.peers.settings import FIGURES, FOLDER, MODELS
from benchmarks.peers.table import BEGIN, END, QUALITY, README, all_tables, between_markers, ours_of, short_table, table
from pipeline.artifacts.kinds import HERE

INTERACTIONS = pl.DataFrame(
    [
        (0, 0, True, "train"),
        (0, 1, True, "valid"),
        (0, 2, True, "test"),
        (0, 3, False, "train"),
        (1, 2, True, "train"),
        (1, 0, False, "valid"),
        (1, 1, True, "test"),
    ],
    schema={"user": pl.Int32, "item": pl.Int32, "like": pl.Boolean, "split": pl.String},
    orient="row",
)
ITEMS = pl.DataFrame({"item": [0, 1, 2, 3], "item_id": ["a", "b", "c", "d"]}, schema_overrides={"item": pl.Int32})
KG = pl.DataFrame(
    [("film x", "by", "someone"), ("film y", "by", "someone"), ("film x", "in", "a\tplace")],
    schema=["head", "relation", "tail"],
    orient="row",
)
# a and b share an entity, c has one of its own, d none that the graph knows; z is no item of the data set.
LINKS = pl.DataFrame(
    [("a", "film x"), ("b", "film x"), ("c", "film y"), ("d", "film q"), ("z", "someone")],
    schema=["item_id", "entity_id"],
    orient="row",
)


@pytest.fixture
def exported() -> Exported:
    return export(INTERACTIONS, ITEMS, KG, LINKS)


def read(folder: Path, end: str) -> pl.DataFrame:
    frame = pl.read_csv(folder / NAME / f"{NAME}.{end}", separator="\t", infer_schema=False)
    assert all(name.endswith(":token") for name in frame.columns)
    return frame.rename({name: name.removesuffix(":token") for name in frame.columns})


@pytest.mark.parametrize("split", ["train", "valid"])
def test_the_files_hold_the_likes_of_the_split_and_no_others(exported: Exported, tmp_path: Path, split: str) -> None:
    exported.write(tmp_path)
    expected = INTERACTIONS.filter((pl.col("split") == split) & pl.col("like")).select("user", "item").rows()
    found = [(int(user), int(item)) for user, item in read(tmp_path, f"{split}.inter").rows()]
    assert found == expected


def test_the_test_split_is_not_exported(exported: Exported, tmp_path: Path) -> None:
    exported.write(tmp_path)
    assert {path.name for path in (tmp_path / NAME).iterdir()} == {
        f"{NAME}.{end}" for end in ("train.inter", "valid.inter", "item", "kg", "link")
    }


def test_items_that_nobody_liked_in_training_are_known(exported: Exported, tmp_path: Path) -> None:
    exported.write(tmp_path)
    assert read(tmp_path, "item")["item_id"].to_list() == ["0", "1", "2", "3"]


def test_the_graph_is_the_same_up_to_names_and_no_name_breaks_a_line(exported: Exported, tmp_path: Path) -> None:
    exported.write(tmp_path)
    triples = read(tmp_path, "kg")
    assert triples.columns == COLUMNS["kg"]
    names: dict[str, str] = {}
    for row, (head, relation, tail) in zip(KG.rows(), triples.rows(), strict=True):
        for ours, token in zip(row, (head, relation, tail), strict=True):
            assert names.setdefault(ours, token) == token
    assert len(set(names.values())) == len(names)


def test_a_link_is_one_to_one_and_within_items_and_graph(exported: Exported) -> None:
    link = exported.link
    assert link["item_id"].to_list() == ["0", "2"]  # b's entity is a's, d's is not in the graph
    assert link["entity_id"].n_unique() == 2
    heads = exported.kg["head_id"].to_list()
    assert link["entity_id"].to_list() == [heads[0], heads[1]]


def test_an_item_takes_the_first_of_its_entities_that_is_free() -> None:
    links = pl.DataFrame(
        [("a", "film x"), ("b", "film x"), ("b", "film y")], schema=["item_id", "entity_id"], orient="row"
    )
    assert export(INTERACTIONS, ITEMS, KG, links).link["item_id"].to_list() == ["0", "1"]


def test_places_lead_from_our_indices_to_those_of_the_tokens() -> None:
    assert places(["[PAD]", "2", "0", "3"], 5).tolist() == [2, UNKNOWN, 1, 3, UNKNOWN]


def test_scores_come_back_in_our_columns_and_unknown_items_stand_below_all_others() -> None:
    scores = np.array([[99.0, 1.0, -3.0], [99.0, 1e9, 2e9]], dtype=np.float32)
    ours = in_our_columns(scores, np.array([2, UNKNOWN, 1]))
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours[:, [0, 2]], scores[:, [2, 1]])
    assert np.isfinite(ours).all()
    assert (ours[:, 1] < ours[:, [0, 2]].min(axis=1)).all()


def figures(value: float) -> dict[str, Any]:
    return {protocol: dict.fromkeys(names, value) for protocol, names in FIGURES.items()}


def result(value: float, **changes: Any) -> dict[str, Any]:
    cost = {"epochs": 12, "best_epoch": 2, "stopped_early": False, "cpu_seconds": 61.4, "peak_memory_mib": 512.2}
    return figures(value) | cost | changes


def test_the_table_marks_the_best_and_says_what_did_not_run() -> None:
    peers = {"BPR": result(0.25), "CKE": {"error": "ValueError: no"}, "KGAT": result(0.125, stopped_early=True)}
    lines = table(peers, {"ease": figures(0.5)}).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:5]]
    assert cells[0][:2] == ["system", "ctr auc"]
    assert [row[0] for row in cells[2:]] == ["ease", "BPR", "KGAT"]
    assert cells[2][1:3] == ["**.5000**"] * 2
    assert cells[2][-3:] == ["", "", ""]
    assert cells[3][1] == ".2500"
    assert cells[3][-3:] == ["2/12", "61", "512"]
    assert cells[4][-3] == "2/12+"
    assert {len(row) for row in cells} == {17}
    assert lines[-1] == "- CKE did not run: `ValueError: no`"


def test_a_result_takes_the_place_of_the_models_last_one(tmp_path: Path) -> None:
    for model, value in ((MODELS[1], 0.1), (MODELS[0], 0.2), (MODELS[1], 1 / 3)):
        results.add("toy", model, result(value), tmp_path)
    assert list(results.read("toy", tmp_path)) == [MODELS[0], MODELS[1]]
    assert results.read("toy", tmp_path)[MODELS[1]]["ctr"]["auc"] == 0.333333


def test_the_tables_replace_what_stood_between_the_markers(tmp_path: Path) -> None:
    results.add("toy", "BPR", result(0.25), tmp_path)
    content = all_tables(tmp_path, tmp_path)
    assert content.startswith("### toy\n\n| system |")
    assert "`metrics/toy.json` is not there" in content
    page = between_markers(f"above\n{BEGIN}\nold\n{END}\nbelow", content)
    assert page == f"above\n{BEGIN}\n\n{content}\n\n{END}\nbelow"


def test_the_short_table_says_which_training_the_budget_ended_and_leaves_out_what_did_not_run() -> None:
    peers = {"BPR": result(0.25), "CKE": {"error": "ValueError: no"}, "KGAT": result(0.125, stopped_early=True)}
    lines = short_table(peers, {"recommended": figures(0.5), "ease": figures(0.75)}).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["recommended", "BPR", "KGAT +"]
    assert lines[2].count("**.5000**") == 8


@pytest.mark.parametrize(("page", "rows"), [(README, table), (QUALITY, short_table)])
def test_the_pages_have_the_figures_of_the_results(page: Path, rows: Callable[..., str]) -> None:
    text = page.read_text(encoding="utf-8").replace("**", "")
    for path in sorted(FOLDER.glob("*.json")):
        peers = results.read(path.stem)
        for line in rows(peers, ours_of(path.stem, HERE)).replace("**", "").splitlines()[2:]:
            if line.split()[1] in peers:  # ours are those of the last `dvc repro`
                assert line in text, path.stem
