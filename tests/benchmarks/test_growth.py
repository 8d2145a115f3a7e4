"""The growth of stages: exponents by hand, and a tiny size through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import growth, growth_table
from benchmarks.growth import STAGES, Limits, Taken
from pipeline.common.errors import InputError
from tests.repository import ROOT


def taken(stage: str, items: int, cpu_seconds: float, **more: Any) -> Taken:
    return Taken(
        stage, items, growth.interactions_for(items), 6, cpu_seconds, 2 * cpu_seconds, 100.0, "a machine", **more
    )


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.growth", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )


def test_the_exponent_is_the_power_of_the_items_by_which_cpu_seconds_grow() -> None:
    small = taken("build_graph", 1_000, 3.0)
    assert growth_table.exponent(small, taken("build_graph", 10_000, 300.0)) == pytest.approx(2)
    assert growth_table.exponent(small, taken("build_graph", 4_000, 6.0)) == pytest.approx(0.5)


def test_there_is_no_exponent_of_runs_that_did_not_end_or_of_interactions_that_did_not_grow_with_the_items() -> None:
    small, large = taken("fetch", 100_000, 3.0), taken("fetch", 1_000_000, 9.0)
    assert growth_table.exponent(small, large) is None
    assert growth_table.exponent(replace(small, stage="build_graph"), replace(large, stage="build_graph")) is not None
    titled, more = taken("embed_text", 10_000, 3.0), taken("embed_text", 100_000, 9.0)
    assert growth_table.exponent(titled, more) is not None
    assert growth_table.exponent(more, taken("embed_text", 1_000_000, 9.0)) is None
    for broken in (None, replace(large, ended="time"), replace(large, failed="no"), replace(large, machine="another")):
        assert growth_table.exponent(taken("build_graph", 10, 1.0), broken) is None
        assert growth_table.exponent(broken, taken("build_graph", 10, 1.0)) is None


def test_beyond_100_000_items_some_users_are_evaluated_and_have_lists() -> None:
    for items, users in ((100_000, 0), (1_000_000, growth.EVALUATED_USERS)):
        dataset = growth.params(items)["datasets"]["growth"]
        assert (dataset["evaluated_users"], dataset["recommend"]["users"]) == (users, users)
    assert growth.interactions_for(1_000_000) == 20_000_000


def test_stages_are_rows_and_sizes_columns_with_the_growth_between_them() -> None:
    found = [
        taken("fetch", 1_000, 1.0, load=3.0),
        taken("fetch", 10_000, 10.0, load=4.5),
        taken("init_sdne", 10_000, 7.0, ended="memory"),
        taken("train_gat", 1_000, 7.0, failed="it broke"),
    ]
    assert growth_table.table(found).splitlines() == [
        "| stage | 1,000 items | growth | 10,000 items |",
        "| --- | --: | --: | --: |",
        "| fetch | 1 · 2 · 100 | 1.00 | 10 · 20 · 100 |",
        "| init_sdne | – | – | ended (memory) at 7 · 14 · 100 |",
        "| train_gat | failed: it broke | – | – |",
        "",
        "CPU s · wall s · peak MiB, one run each. Measured on: a machine; its load when a stage began was 3.0 to 4.5.",
    ]


def test_new_figures_take_the_place_of_old_ones_and_the_others_stay(tmp_path: Path) -> None:
    old = [taken("prepare", 10, 1.0), taken("fetch", 10, 2.0)]
    found = growth_table.merged(old, [taken("fetch", 10, 1 / 3), taken("fetch", 5, 4.0)])
    assert [(each.stage, each.items, each.cpu_seconds) for each in found] == [
        ("fetch", 5, 4.0),
        ("fetch", 10, 1 / 3),
        ("prepare", 10, 1.0),
    ]
    growth_table.write(found, tmp_path / "growth.json")
    assert growth_table.read(tmp_path / "growth.json")[1] == replace(found[1], cpu_seconds=0.3333, seconds=0.6667)
    assert growth_table.read(tmp_path / "none.json") == []


def test_what_is_committed_is_what_the_document_shows() -> None:
    content = growth_table.table(growth_table.read(ROOT / growth_table.RESULTS))
    assert content in (ROOT / growth_table.DOCUMENT).read_text(encoding="utf-8")


def test_settings_fit_at_every_size() -> None:
    for items in (50, 1_000, 1_000_000):
        values = growth.params(items)
        assert values["datasets"][growth.DATASET]["s_m"] == growth.s_m_for(items)
        assert list(values["variants"]) == values["run_variants"] == [growth.VARIANT]
        assert all(
            len(found) == 1
            for grid in values["datasets"][growth.DATASET]["baselines"].values()
            for found in grid.values()
        )
    assert [growth.s_m_for(items) for items in (1_000, 10_000, 1_000_000)] == [5, 6, 8]


def test_stages_need_only_what_comes_before_them() -> None:
    names = list(STAGES)
    for name, stage in STAGES.items():
        assert set(stage.needs) <= set(names[: names.index(name)])
        assert (ROOT / "stages" / f"{name}.py").is_file()


def test_a_tiny_size_goes_through_and_is_not_measured_twice(tmp_path: Path) -> None:
    arguments = ("--items", "150", "--stage", "fetch", "--stage", "prepare", "--folder", tmp_path, "--no-write")
    first = command(*arguments)
    assert first.returncode == 0, first.stderr
    found = json.loads((tmp_path / "150" / "prepare.json").read_text())
    assert (found["stage"], found["items"], found["interactions"], found["ended"], found["failed"]) == (
        "prepare",
        150,
        15_000,
        None,
        None,
    )
    assert found["cpu_seconds"] > 0.1
    assert 50 < found["mebibytes"] < 1000
    assert (tmp_path / "150" / "artifacts" / growth.DATASET / "dataset" / "interactions.parquet").is_file()
    assert "| fetch |" in first.stdout
    assert "| prepare |" in first.stdout
    again = command(*arguments)
    assert (again.returncode, again.stderr, again.stdout) == (0, "", first.stdout)
    # What a stage needs and has not got leaves it out.
    left = command("--items", "150", "--stage", "evaluate", "--folder", tmp_path, "--no-write")
    assert "150 items, evaluate: left out: it needs train_users" in left.stderr


def test_a_stage_over_its_limit_or_broken_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "100"
    growth.make_tables(100, folder)
    (folder / "params.yaml").write_text("{}")
    assert growth.run("fetch", 100, folder, Limits(0.2, 10_000)).ended == "time"
    assert growth.run("fetch", 100, folder, Limits(100, 20)).ended == "memory"
    broken = growth.run("fetch", 100, folder, Limits(100, 10_000))
    assert (broken.ended, broken.whole) == (None, False)
    assert broken.failed == "error: params.yaml: datasets: key not found; expected one of:"


def test_an_unknown_stage_and_no_items_are_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^stage: found nothing, expected some of: check_tables, fetch, "):
        growth.grow([10], ["nothing"], tmp_path, Limits(1, 1), False, False)
    with pytest.raises(InputError, match=r"^items: found 0, expected at least 1$"):
        growth.grow([0], None, tmp_path, Limits(1, 1), False, False)
