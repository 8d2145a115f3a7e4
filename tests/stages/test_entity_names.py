"""A graph of bare ids as RDF, and a table of what its entities are called: names stand in what `explain` says and in the report."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tests.in_process import run_module
from tests.stages.added import NAME, added
from tests.stages.workspace import RUNS, planted_tables

LEFT_OUT = ("evaluate_baselines", "refit")


def test_names_are_shown_in_place_of_ids(tmp_path: Path) -> None:
    tables = planted_tables()
    ids = {
        name: f"http://www.wikidata.org/entity/Q{number}"
        for number, name in enumerate(pl.concat([tables["kg"]["head"], tables["kg"]["tail"]]).unique().sort())
    }
    folder = tmp_path / NAME
    folder.mkdir()
    tables["interactions"].write_csv(folder / "interactions.csv")
    tables["items"].write_csv(folder / "items.csv")
    links = tables["item_entities"].with_columns(pl.col("entity_id").replace_strict(ids))
    links.write_csv(folder / "item_entities.csv")
    triples = [
        f"<{ids[head]}> <http://example.org/{relation}> <{ids[tail]}> .\n"
        for head, relation, tail in tables["kg"].rows()
    ]
    (folder / "kg.nt").write_text("".join(triples))
    called = {entity: f"The {name.title()}" for name, entity in ids.items()}
    pl.DataFrame({"entity_id": list(called), "name": list(called.values())}).write_csv(folder / "entities.csv")
    workspace, _, _ = added(tmp_path)
    workspace.change_params(lambda values: values.update(run_baselines=["popularity"], run_variants=["recommended"]))
    runs = [name for name in RUNS if not name.startswith(LEFT_OUT) and "crmman" not in name]
    for name, result in workspace.run_all([*runs[:9], "evaluate_baselines.popularity", *runs[9:]], NAME).items():
        assert result.code == 0, (name, result.err)
    told = run_module(
        "stages.cli",
        "explain",
        "--dataset",
        NAME,
        "--user",
        "u1",
        "--item",
        "Film number 3",
        "--paths",
        "2",
        folder=tmp_path,
    )
    assert told.code == 0, told.err
    assert "genre: The " in told.out
    assert "wikidata" not in told.out
    page = (tmp_path / "artifacts" / NAME / "report.html").read_text()
    assert "The Actor " in page
