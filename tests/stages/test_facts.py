"""A folder of columns alone, without a graph: from `data check` and `data add --facts` to recommendations that name what items share."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline.artifacts.data import SOURCE_KG
from tests.in_process import run_module
from tests.stages.added import NAME, added
from tests.stages.test_published import TO_A_MODEL
from tests.stages.workspace import planted_tables


def test_columns_are_enough_in_three_commands(tmp_path: Path) -> None:
    tables = planted_tables()
    (tmp_path / NAME).mkdir()
    tables["interactions"].write_csv(tmp_path / NAME / "interactions.csv")
    number = pl.col("item_id").str.slice(1).cast(pl.Int64)
    makers = tables["items"].with_columns(
        cast=pl.format("{} actor {}|{} actor {}", "genre", number % 2, "genre", number % 5), year=1980 + number % 30
    )
    makers.write_csv(tmp_path / NAME / "items.csv")
    checked = run_module("stages.cli", "data", "check", NAME, folder=tmp_path)
    assert checked.code == 0, checked.out
    (advice,) = [line for line in checked.out.splitlines() if "make it from columns of the items" in line]
    columns = ("genre", "cast", "year")
    assert all(f"--facts {name}" in advice for name in columns)
    facts = [option for name in columns for option in ("--facts", name)]
    workspace, said, entry = added(tmp_path, *facts)
    assert entry["source"] == {"type": "tables", "path": NAME, "facts": list(columns)}
    # As the advice has it.
    assert f"; s_m is then {entry['s_m']}: " in advice
    assert "note: " not in said
    for name, result in workspace.run_all(TO_A_MODEL, NAME).items():
        assert result.code == 0, (name, result.err)
    assert ("i3", "genre", "comedy") in SOURCE_KG.read(NAME, tmp_path).rows()
    answer = run_module("stages.cli", "recommend", "--dataset", NAME, "--user", "u1", "-k", "3", folder=tmp_path)
    assert answer.code == 0, answer.err
    assert "because you liked" in answer.out
    asked = ("explain", "--dataset", NAME, "--user", "u1", "--item", "Film number 4")
    told = run_module("stages.cli", *asked, folder=tmp_path)
    assert told.code == 0, told.err
    assert "genre: horror (of 20 items)" in told.out
