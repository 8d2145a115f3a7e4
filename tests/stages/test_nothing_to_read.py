"""Data without texts, without a graph, without dislikes: `data add` says so in one note, and every stage runs as it is added."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.artifacts.graph import EDGES, NEIGHBOURS
from pipeline.artifacts.structure import INITIAL_VECTORS, STRUCTURE_VECTORS
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.artifacts.users import MODEL
from pipeline.common.config import read_yaml
from tests.in_process import run_module
from tests.stages.added import NAME, Added, added
from tests.stages.workspace import ABLATION_RUNS, BEFORE_USERS, RUNS, VARIANTS, planted_tables

DEFAULT = read_yaml(Path("params.yaml"))["variants"]


def lean(root: Path, *, texts: bool, graph: bool, dislikes: bool) -> Added:
    """The planted data set without some of it."""
    tables = planted_tables()
    if not dislikes:
        likes = tables["interactions"].filter(pl.col("rating") >= 4)
        tables["interactions"] = likes.select("user_id", "item_id", like=pl.lit(1))
    if not dislikes and not texts:
        # The least that there can be: who, and what.
        tables["interactions"] = tables["interactions"].drop("like")
    if not texts:
        del tables["items"]
    if not graph:
        del tables["kg"], tables["item_entities"]
    (root / NAME).mkdir()
    for name, frame in tables.items():
        frame.write_csv(root / NAME / f"{name}.csv")
    return added(root)


SAID = {
    "texts": ("no texts", "text"),
    "graph": ("no knowledge graph", "structure, entities"),
    "dislikes": ("no dislikes", "the view of dislikes"),
}
BY_NOTHING = "has no texts and no knowledge graph, so nothing can be similar by text or structure"
# Those that read texts or the graph, beside the simplest.
OF_ABLATIONS = [name for name in ABLATION_RUNS if not name.startswith("compare")]
BASELINES = ("popularity", "ease", "trees")
LEAN_RUNS = [name for name in RUNS if not name.startswith("evaluate_baselines.") or name.endswith(BASELINES)]


# Each is there and is not, with each of the others and without it.
@pytest.mark.parametrize(
    ("texts", "graph", "dislikes"),
    [(True, True, False), (True, False, True), (False, True, True), (False, False, False)],
)
def test_every_stage_runs_as_it_is_added(tmp_path: Path, *, texts: bool, graph: bool, dislikes: bool) -> None:
    workspace, said, _ = lean(tmp_path, texts=texts, graph=graph, dislikes=dislikes)
    there = {"texts": texts, "graph": graph, "dislikes": dislikes}
    missing = [said_of for name, said_of in SAID.items() if not there[name]]
    (*notes,) = [line for line in said.splitlines() if line.startswith("note: ")]
    assert len(notes) == bool(missing)
    assert all(part in notes[0] for parts in missing for part in parts)
    assert ("graph: false" in said) == (not graph)
    workspace.change_params(lambda values: values.update(run_baselines=list(BASELINES)))
    results = workspace.run_all([*LEAN_RUNS, *OF_ABLATIONS], NAME)
    for name, result in results.items():
        assert result.code == 0, (name, result.err)
        assert "empty" not in result.err, (name, result.err)
    assert "collapsed" not in results["compare"].err

    root = workspace.root
    assert bool(TEXT_VECTORS.read(NAME, root)["vectors"].any()) == texts
    for vectors in (INITIAL_VECTORS, STRUCTURE_VECTORS):
        assert bool(vectors.of(structure="structure").read(NAME, root)["vectors"].any()) == graph
    assert EDGES.read(NAME, root).is_empty() == NEIGHBOURS.read(NAME, root).is_empty() == (not graph)
    for variant in VARIANTS:
        about = MODEL.of(variant=variant).about(NAME, root)["variant"]
        asked = DEFAULT["crmman"] | DEFAULT[variant]
        readable = {"text": texts, "structure": graph, "entities": graph}
        expected = [name for name in asked["modalities"] if readable.get(name, name == "id")]
        assert about["modalities"] == (expected or ["id"])
        assert about["terms"] == [name for name in asked["terms"] if graph or name != "overlap"]
        assert about["views"] == ("both" if dislikes else "likes")
    user = "u1"
    answer = run_module("stages.cli", "recommend", "--dataset", NAME, "--user", user, "-k", "3", folder=root)
    assert answer.code == 0, answer.err
    assert "because you liked" in answer.out
    item = answer.out.splitlines()[3].split()[1] if not texts else "Film number 3"
    told = run_module("stages.cli", "explain", "--dataset", NAME, "--user", user, "--item", item, folder=root)
    assert told.code == 0, told.err
    assert ("knowledge graph" in told.out) == graph
    if not dislikes and not texts:
        (root / "new.csv").write_text("user_id,item_id\nsomebody,i3\nsomebody,i4\nsomebody,i3\n")
        asked = ("recommend", "--dataset", NAME, "--histories", "new.csv", "--output", "lists.csv", "-k", "2")
        many = run_module("stages.cli", *asked, folder=root)
        assert many.code == 0, many.err
        assert (root / "lists.csv").read_text().count("somebody") == 2
    alike = run_module("stages.cli", "similar", "--dataset", NAME, "--item", item, "-k", "3", folder=root)
    by = " and ".join(what for what, is_there in (("text", texts), ("structure", graph)) if is_there)
    # By what there is; by nothing nothing is alike.
    assert alike.code == (0 if by else 2), alike.err
    assert f", by {by}\n" in alike.out if by else f"{NAME} {BY_NOTHING}" in alike.err
    asked = ("recommend", "--dataset", NAME, "--like", "id:i3", "--dislike", "id:i4", "-k", "1")
    heard = run_module("stages.cli", *asked, folder=root)
    assert heard.code == 0, heard.err
    assert ("note: recommended reads likes alone here" in heard.err) == (not dislikes)
    page = (root / "artifacts" / NAME / "report.html").read_text()
    assert ("It reads likes alone" in page) == (not dislikes)
    assert ('id="graph"' in page) == graph


def test_an_item_can_be_added_where_there_is_no_graph(tmp_path: Path) -> None:
    workspace, _, _ = lean(tmp_path, texts=True, graph=False, dislikes=True)
    for name in (*BEFORE_USERS, "train_users.recommended"):
        result = workspace.run(name, NAME)
        assert result.code == 0, (name, result.err)
    folder = tmp_path / "new"
    folder.mkdir()
    known = planted_tables()["items"].filter(pl.col("item_id") == "i7")
    known.with_columns(item_id=pl.lit("n7")).write_csv(folder / "items.csv")
    result = run_module("stages.cli", "items", "add", "new", folder=tmp_path)
    assert result.code == 0, result.err
    result = run_module("stages.cli", "recommend", "--like", "id:n7", "-k", "60", "--format", "json", folder=tmp_path)
    assert result.code == 0, result.err
    result = run_module("stages.cli", "explain", "--user", "u7", "--item", "id:n7", folder=tmp_path)
    assert result.code == 0, result.err
    assert "for any user" in result.out
    near = run_module(
        "stages.cli", "similar", "--item", "id:n7", "--by", "text", "-k", "1", "--format", "json", folder=tmp_path
    )
    assert '"item_id": "i7"' in near.out
