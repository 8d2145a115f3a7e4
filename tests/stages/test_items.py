"""`crmman items`: items that came after training are recommended and explained at once, by verbs and by the nightly stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.artifacts.added import ADDED, ADDED_ITEMS, MORE, MORE_EDGES, MORE_ITEMS, MORE_VECTORS
from pipeline.artifacts.data import INTERACTIONS
from pipeline.artifacts.data import ITEMS as ITEMS_TABLE
from pipeline.artifacts.graph import EDGES
from pipeline.artifacts.recommend import RECOMMENDATIONS, SHOWCASE_MODEL
from pipeline.artifacts.structure import INITIAL_VECTORS, STRUCTURE_VECTORS
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.artifacts.users import MODEL
from stages.cli.added import add
from tests.artifacts.forged import forget_versions
from tests.in_process import run_module
from tests.stages.conftest import Ask, Finished
from tests.stages.locks import is_held, looking_first
from tests.stages.test_ask import USER, ratings
from tests.stages.workspace import (
    ABLATION,
    ITEMS,
    KEY,
    VARIANTS,
    Workspace,
    assert_a_mistake_in_one_line,
    planted_tables,
)

# As a film of the planted data set: by the first one's genre, director and actors.
LIKE = "i0"


@pytest.fixture
def copy(finished: Finished, tmp_path: Path) -> Workspace:
    return finished.workspace.copy(tmp_path / "copy")


def write(folder: Path, **tables: pl.DataFrame) -> str:
    folder.mkdir(exist_ok=True)
    for name, frame in tables.items():
        frame.write_csv(folder / f"{name}.csv")
    return str(folder)


def like_the_first(*ids: str) -> dict[str, pl.DataFrame]:
    """Films that have all around them that the first one has."""
    kg = planted_tables()["kg"]
    mine = kg.filter((pl.col("head") == "m0") | (pl.col("tail") == "m0"))
    triples = [mine.select(pl.col(name).replace({"m0": f"film of {one}"}) for name in mine.columns) for one in ids]
    return {
        "items": pl.DataFrame(
            {"item_id": ids, "title": [f"Brand new {one}" for one in ids], "genre": ["comedy"] * len(ids)}
        ),
        "kg": pl.concat(triples),
        "item_entities": pl.DataFrame({"item_id": ids, "entity_id": [f"film of {one}" for one in ids]}),
    }


def told(result: Any) -> dict[str, Any]:
    assert result.code == 0, result.err
    found: dict[str, Any] = json.loads(result.out)
    return found


def bytes_of(root: Path, kinds: Any) -> dict[str, bytes | None]:
    return {kind.path: (kind.at(KEY, root).read_bytes() if kind.at(KEY, root).is_file() else None) for kind in kinds}


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_item_that_came_today_is_recommended_explained_and_similar_at_once(
    copy: Workspace, ask: Ask, tmp_path: Path, variant: str
) -> None:
    result = ask("items", "add", write(tmp_path / "new", **like_the_first("n1")), workspace=copy)
    assert result.code == 0, result.err
    assert f"added 1 item to {KEY}: 1 in all" in result.out
    assert "Brand new n1: joined to" in result.out
    ask_here = lambda *arguments: told(ask(*arguments, "--variant", variant, "--format", "json", workspace=copy))  # noqa: E731
    everything = ask_here("recommend", "--user", USER, "-k", "100")["recommendations"]
    likes, dislikes = ratings(copy.root)
    assert len(everything) == ITEMS + 1 - len(likes) - len(dislikes)
    (mine,) = (row for row in everything if row["item_id"] == "n1")
    assert mine["title"] == "Brand new n1"
    found = ask_here("explain", "--user", USER, "--item", "Brand new n1")
    assert found["rank"] == mine["rank"]
    assert found["score"] == pytest.approx(mine["score"], abs=1e-5)
    assert sum(one["contribution"] for one in found["contributions"]) == pytest.approx(found["score"], abs=1e-6)
    # What the triples that came with it have in common with the history.
    assert any(path["shared"] for path in found["paths"])
    near = told(ask("similar", "--item", "n1", "-k", "60", "--format", "json", workspace=copy))["similar"]
    (of_the_first,) = (row for row in near if row["item_id"] == LIKE)
    assert of_the_first["shared_entities"] == 4
    assert of_the_first["by_structure"] > 0.9
    # It is liked as any other, and known items keep their scores.
    liked = ask_here("recommend", "--like", "id:n1", "-k", "1")
    assert liked["person"]["likes"] == [{"item_id": "n1", "title": "Brand new n1"}]
    before = told(ask("recommend", "--user", USER, "-k", "100", "--variant", variant, "--format", "json"))
    scores = {row["item_id"]: row["score"] for row in before["recommendations"]}
    assert {row["item_id"]: row["score"] for row in everything if row["item_id"] != "n1"} == pytest.approx(
        scores, abs=1e-5
    )


def test_a_copy_of_an_item_has_its_text_vector_and_but_for_the_edge_between_them_its_place(
    copy: Workspace, ask: Ask, tmp_path: Path
) -> None:
    tables = like_the_first("n1")
    tables["items"] = tables["items"].with_columns(title=pl.lit("Film number 0"))
    assert ask("items", "add", write(tmp_path / "new", **tables), workspace=copy).code == 0
    root = copy.root
    vectors, edges = MORE_VECTORS.read(KEY, root), EDGES.read(KEY, root)
    np.testing.assert_allclose(vectors["text"][0], TEXT_VECTORS.read(KEY, root)["vectors"][0], atol=1e-5)
    mine = MORE_EDGES.read(KEY, root)
    known = {(one if other == 0 else other): overlap for one, other, overlap in edges.rows() if 0 in (one, other)}
    assert {source: overlap for source, _, overlap in mine.rows()} == known | {0: 4}
    assert vectors["initial"].shape == (1, INITIAL_VECTORS.read(KEY, root)["vectors"].shape[1])
    assert vectors["structure"].shape == (1, STRUCTURE_VECTORS.read(KEY, root)["vectors"].shape[1])


def test_an_item_without_anything_around_it_is_placed_as_those_of_training_are(
    copy: Workspace, ask: Ask, tmp_path: Path
) -> None:
    """The last item of the planted data set has no entity."""
    items = pl.DataFrame(
        {"item_id": ["alone"], "title": [f"Film number {ITEMS - 1}"], "genre": [planted_tables()["items"]["genre"][-1]]}
    )
    assert ask("items", "add", write(tmp_path / "new", items=items), workspace=copy).code == 0
    found = MORE_VECTORS.read(KEY, copy.root)
    place = ITEMS_TABLE.read(KEY, copy.root)["item_id"].to_list().index(f"i{ITEMS - 1}")
    for name, kind in (("text", TEXT_VECTORS), ("initial", INITIAL_VECTORS), ("structure", STRUCTURE_VECTORS)):
        np.testing.assert_allclose(found[name][0], kind.read(KEY, copy.root)["vectors"][place], atol=1e-5)
    result = ask("explain", "--user", USER, "--item", "id:alone", workspace=copy)
    assert result.code == 0
    assert "has no entity for Film number" in result.out


def test_one_after_the_other_is_the_same_as_all_at_once_and_what_is_taken_back_is_gone(
    copy: Workspace, ask: Ask, tmp_path: Path
) -> None:
    nothing = bytes_of(copy.root, MORE)
    assert ask("items", "list", workspace=copy).out == f"{KEY}: nothing is added\n"
    assert ask("items", "add", write(tmp_path / "both", **like_the_first("n1", "n2")), workspace=copy).code == 0
    at_once = bytes_of(copy.root, (*ADDED, *MORE))
    assert ask("items", "remove", "n2", workspace=copy).out.endswith("removed 1 of 2 added items\n")
    assert ask("items", "add", write(tmp_path / "second", **like_the_first("n2")), workspace=copy).code == 0
    assert bytes_of(copy.root, (*ADDED, *MORE)) == at_once
    assert ask("items", "list", workspace=copy).out == "n1  Brand new n1\nn2  Brand new n2\n"
    again = ask("items", "add", str(tmp_path / "second"), workspace=copy)
    assert f"added 1 item to {KEY}, 1 of them replaced: 2 in all" in again.out
    assert bytes_of(copy.root, (*ADDED, *MORE)) == at_once
    assert ask("items", "remove", "n1", "n2", workspace=copy).code == 0
    left = MORE_ITEMS.read(KEY, copy.root)
    assert left.is_empty()
    assert (
        len(told(ask("recommend", "--user", USER, "-k", "100", "--format", "json", workspace=copy))["recommendations"])
        < ITEMS
    )
    assert nothing.keys() == bytes_of(copy.root, MORE).keys()
    assert_a_mistake_in_one_line(
        ask("items", "remove", "n1", workspace=copy), "'n1': found no such item among those added", "none"
    )


def test_two_at_once_are_one_after_the_other(copy: Workspace, ask: Ask, tmp_path: Path, monkeypatch) -> None:
    """Else one would write over what the other has added, and both say that they did."""
    held: list[bool] = []
    for name in ("_tables", "_write"):
        monkeypatch.setattr(add, name, looking_first(getattr(add, name), lambda: held.append(is_held(copy.root))))
    assert ask("items", "add", write(tmp_path / "new", **like_the_first("n1")), workspace=copy).code == 0
    assert ask("items", "remove", "n1", workspace=copy).code == 0
    assert held == [True] * 4
    assert not is_held(copy.root)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_nightly_stage_recommends_them_and_the_report_shows_the_evaluated_model(
    copy: Workspace, ask: Ask, tmp_path: Path, variant: str
) -> None:
    shown = SHOWCASE_MODEL.of(variant=variant)
    before = shown.read(KEY, copy.root)
    assert (
        ask(
            "items", "add", write(tmp_path / "new", **like_the_first(*(f"n{one}" for one in range(30)))), workspace=copy
        ).code
        == 0
    )
    result = copy.run(f"recommend.{variant}")
    assert result.code == 0, result.err
    table = RECOMMENDATIONS.of(variant=variant).read(KEY, copy.root)
    of_added = table.filter(pl.col("item_id").str.starts_with("n"))
    assert len(of_added) > 10
    assert f"{len(of_added)} of them are among the 30 items that were added after training" in result.out
    user = of_added["user_id"][0]
    asked = told(ask("recommend", "--user", user, "-k", "20", "--variant", variant, "--format", "json", workspace=copy))
    mine = table.filter(pl.col("user_id") == user).sort("rank")
    assert [row["item_id"] for row in asked["recommendations"]] == mine["item_id"].to_list()
    assert mine["score"].to_list() == pytest.approx([row["score"] for row in asked["recommendations"]], abs=1e-4)
    after = shown.read(KEY, copy.root)
    assert {name: array.shape for name, array in after.items()} == {name: array.shape for name, array in before.items()}


def test_once_they_are_in_the_data_set_they_are_no_added_ones(copy: Workspace, ask: Ask, tmp_path: Path) -> None:
    assert ask("items", "add", write(tmp_path / "new", **like_the_first("n1", "n2")), workspace=copy).code == 0
    for name in ("items", "kg", "item_entities"):
        more = pl.read_csv(tmp_path / "new" / f"{name}.csv", infer_schema=False)
        keep = pl.col("item_id") == "n1" if "item_id" in more.columns else pl.lit(True)
        copy.change_table(
            name, lambda frame, more=more, keep=keep: pl.concat([frame, more.filter(keep).select(frame.columns)])
        )
    for run in ("fetch", "prepare", "embed_text", "build_graph", "init_sdne", "train_gat"):
        assert copy.run(run).code == 0
    result = copy.run("add_items")
    assert result.code == 0, result.err
    assert "1 of 2 added items are now in the data set" in result.out
    assert MORE_ITEMS.read(KEY, copy.root)["item_id"].to_list() == ["n2"]
    assert ask("items", "list", workspace=copy).out == "n1  Brand new n1  (now in the data set)\nn2  Brand new n2\n"
    assert_a_mistake_in_one_line(
        ask("items", "add", str(tmp_path / "new"), workspace=copy),
        "line 2: found 'n1', which is an item of small already; expected new ones",
    )


def test_what_was_made_of_another_graph_is_refused_and_made_anew(copy: Workspace, ask: Ask, tmp_path: Path) -> None:
    assert ask("items", "add", write(tmp_path / "new", **like_the_first("n1")), workspace=copy).code == 0
    copy.change_params(lambda values: values["datasets"][KEY].update(s_m=2))
    for run in ("build_graph", "init_sdne", "train_gat"):
        assert copy.run(run).code == 0
    assert_a_mistake_in_one_line(ask("similar", "--item", "n1", workspace=copy), "made from another", "run `dvc repro`")
    assert copy.run("add_items").code == 0
    assert ask("similar", "--item", "n1", workspace=copy).code == 0


def test_where_nothing_was_added_nothing_is_outdated(copy: Workspace, ask: Ask) -> None:
    """`dvc repro compare` does not run what adds items."""
    copy.change_params(lambda values: values["datasets"][KEY].update(s_m=2))
    for run in ("build_graph", "init_sdne", "train_gat"):
        assert copy.run(run).code == 0
    assert ask("similar", "--item", "i1", workspace=copy).code == 0


def test_structural_vectors_of_an_ablation_know_none_of_them(copy: Workspace, ask: Ask, tmp_path: Path) -> None:
    assert ask("items", "add", write(tmp_path / "new", **like_the_first("n1")), workspace=copy).code == 0
    result = ask("recommend", "--user", USER, "-k", "100", "--variant", ABLATION, workspace=copy)
    assert result.code == 0
    assert "does not know the 1 added items" in result.err
    assert "Brand new" not in result.out


def without(tables: dict[str, pl.DataFrame], *names: str) -> dict[str, pl.DataFrame]:
    return {name: frame for name, frame in tables.items() if name not in names}


ONE = like_the_first("n1")
MISTAKES: dict[str, tuple[dict[str, pl.DataFrame], str]] = {
    "a known item": (ONE | {"items": ONE["items"].with_columns(item_id=pl.lit("i5"))}, "expected one of the items in"),
    "known": (
        {"items": ONE["items"].with_columns(item_id=pl.lit("i5"))},
        "line 2: found 'i5', which is an item of small already",
    ),
    "no items": (without(ONE, "items"), "table items: found nothing"),
    "no id": ({"items": ONE["items"].rename({"item_id": "id"})}, "column item_id: not found"),
    "no such link": (
        ONE | {"item_entities": pl.DataFrame({"item_id": ["n2"], "entity_id": ["x"]})},
        "found item 'n2', expected one of the items in",
    ),
    "twice": ({"items": pl.concat([ONE["items"], ONE["items"]])}, "found item_id n1 a second time"),
    "no triple": (ONE | {"kg": ONE["kg"].rename({"head": "from"})}, "column head: not found"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_changes_nothing(copy: Workspace, ask: Ask, tmp_path: Path, name: str) -> None:
    tables, words = MISTAKES[name]
    assert ask("items", "add", write(tmp_path / "first", **like_the_first("n9")), workspace=copy).code == 0
    before = bytes_of(copy.root, (*ADDED, *MORE))
    assert_a_mistake_in_one_line(ask("items", "add", write(tmp_path / "new", **tables), workspace=copy), words)
    assert bytes_of(copy.root, (*ADDED, *MORE)) == before


def test_where_the_stage_cannot_do_its_work_all_is_as_it_was(copy: Workspace, ask: Ask, tmp_path: Path) -> None:
    (copy.root / "artifacts" / KEY / "encoders" / "structure.safetensors").unlink()
    result = ask("items", "add", write(tmp_path / "new", **like_the_first("n1")), workspace=copy)
    assert_a_mistake_in_one_line(result, "encoders/structure.safetensors: artifact not found; `dvc repro` makes it")
    assert not ADDED_ITEMS.at(KEY, copy.root).exists()
    assert ask("items", "add", str(tmp_path / "nowhere"), workspace=copy).err.startswith("error: ")


def test_a_column_has_the_type_that_the_data_set_has(copy: Workspace, ask: Ask, tmp_path: Path) -> None:
    known = ITEMS_TABLE.read(KEY, copy.root)
    assert known.schema["title"] == pl.String
    # Others are left out, and those that are missing are empty; a text needs what the template names, though.
    items = pl.DataFrame({"item_id": ["n1"], "title": [1984], "shelf": ["A"]})
    assert ask("items", "add", write(tmp_path / "new", items=items), workspace=copy).code == 0
    assert MORE_ITEMS.read(KEY, copy.root).drop("item").rows() == [("n1", "1984", None)]


def test_a_graph_of_columns_takes_items_alone(copy: Workspace, ask: Ask, tmp_path: Path) -> None:
    def facts(values: dict[str, Any]) -> None:
        values["datasets"][KEY]["source"]["facts"] = ["genre"]
        values["datasets"][KEY]["s_m"] = 0

    for name in ("kg", "item_entities"):
        (copy.root / "tables" / f"{name}.csv").unlink()
    copy.change_params(facts)
    runs = [
        "fetch",
        "prepare",
        "embed_text",
        "embed_image",
        "build_graph",
        "init_sdne",
        "train_gat",
        "add_items",
        "train_users.recommended",
    ]
    for run in runs:
        result = copy.run(run)
        assert result.code == 0, result.err
    assert ask("items", "add", write(tmp_path / "new", items=ONE["items"]), workspace=copy).code == 0
    comedies = (planted_tables()["items"]["genre"] == "comedy").sum()
    assert len(MORE_EDGES.read(KEY, copy.root)) == comedies
    found = told(ask("explain", "--user", USER, "--item", "n1", "--format", "json", workspace=copy))
    assert {entity["entity"] for path in found["paths"] for entity in path["shared"]} <= {"comedy"}
    result = ask("items", "add", write(tmp_path / "more", **ONE), workspace=copy)
    assert_a_mistake_in_one_line(
        result, "found this table, but the data set's graph is made from the columns genre; expected items only"
    )


def test_a_model_that_an_older_version_stored_says_what_to_do(copy: Workspace, ask: Ask, tmp_path: Path) -> None:
    variant, root = VARIANTS[0], copy.root
    stored = MODEL.of(variant=variant)
    arrays, about = stored.read(KEY, root), stored.about(KEY, root)
    about["variant"] |= {"count_biases": True, "biases": True}
    arrays |= {f"scorer.item_bias.{head}": np.zeros(ITEMS, dtype=np.float32) for head in about["variant"]["heads"]}
    stored.write(
        {name: array for name, array in arrays.items() if not name.startswith("biases.")}, KEY, root, about=about
    )
    forget_versions(copy.root)
    assert ask("items", "add", write(tmp_path / "new", **like_the_first("n1")), workspace=copy).code == 0
    assert_a_mistake_in_one_line(
        ask("recommend", "--user", USER, "--variant", variant, workspace=copy),
        "it was trained before items could be added; run `dvc repro`",
    )


def test_every_verb_says_how_it_is_used(copy: Workspace) -> None:
    for verb in ("add", "list", "remove"):
        result = run_module("stages.cli", "items", verb, "--help", folder=copy.root)
        assert result.code == 0
        assert f"crmman items {verb}" in result.out
    assert "add" in run_module("stages.cli", "items", folder=copy.root).out


def test_where_every_item_has_many_ratings_it_is_said_that_none_is_like_no_other(
    copy: Workspace, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rated = INTERACTIONS.read(KEY, copy.root).filter(split="train").group_by("item").len()["len"]
    assert len(rated) == ITEMS
    tables = write(tmp_path / "new", **like_the_first("n1"))
    # These models do not read counts.
    monkeypatch.setattr(add, "MANY_RATINGS", rated.min())
    assert ask("items", "add", tables, workspace=copy).err == ""
    config, epoch = add.trained_as(KEY, MODEL.of(variant="recommended"))
    monkeypatch.setattr(add, "trained_as", lambda *_: (config.model_copy(update={"count_biases": True}), epoch))
    said = ask("items", "add", tables, workspace=copy).err
    assert said.startswith(
        f"note: every training item has at least {rated.min()} ratings, and the models never saw one without"
    )
    monkeypatch.setattr(add, "MANY_RATINGS", rated.min() + 1)
    assert ask("items", "add", tables, workspace=copy).err == ""


def test_items_are_added_where_a_model_cannot_be_read(copy: Workspace, ask: Ask, tmp_path: Path) -> None:
    path = MODEL.of(variant="recommended").at(KEY, copy.root)
    path.unlink()
    path.write_bytes(b"no model")
    result = ask("items", "add", write(tmp_path / "new", **like_the_first("n1")), workspace=copy)
    assert (result.code, result.err) == (0, "")
