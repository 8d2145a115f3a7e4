"""The harness on ways whose cost and end are known."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import render, results
from benchmarks.case import Case
from benchmarks.machine import Peaks, description, peaks
from benchmarks.measure import Measured, Runs, measure
from benchmarks.rows import ROWS, cases
from pipeline.common.errors import InputError
from tests.benchmarks import ways
from tests.repository import ROOT

MODULE = "tests.benchmarks.ways"
PEAKS = Peaks(operations=1e3, moved=1e2)


def measured(index: int, runs: int | None = 1) -> tuple[Measured, list[str]]:
    said: list[str] = []
    return measure(MODULE, index, ways.CASES[index], runs, said.append), said


def rows(index: int) -> list[dict[str, Any]]:
    return results.rows_of(measured(index)[0], "a machine", PEAKS)


def test_every_way_is_run_in_turn_and_leaves_time_memory_and_figures() -> None:
    found, said = measured(0, runs=2)
    order = ["ours", "again", "in a child"]
    assert [line.split(", ")[3].split(":")[0] for line in said] == order * 2
    ours, again, child = found.ways
    # Done twice before it is measured: two zeros more than the numbers had, and one of its own.
    assert ours.figures == [{"sum": 6, "length": 6}] * 2
    assert len(again.seconds) == len(again.cpu_seconds) == len(again.mebibytes) == 2
    assert 5 < ours.mebibytes[0] < 300 < child.mebibytes[0]
    assert child.cpu_seconds[0] > 10 * again.cpu_seconds[0]
    assert found.bound == {"operations": 3.0, "moved": 5, "counted": "three additions"}


def test_a_way_over_its_limit_or_broken_is_not_run_again_and_says_why() -> None:
    assert measured(1)[0].ways[1].ended == "time"
    found, said = measured(2, runs=2)
    large, refused, broken = found.ways[1:]
    assert (large.ended, refused.ended, broken.ended) == ("memory", "memory", None)
    assert broken.failed == "ValueError: out of order"
    assert [way.value("seconds") for way in found.ways[1:]] == [None] * 3
    assert len(said) == 2 + 3
    assert len(found.ways[0].seconds) == 2


def test_a_way_that_finds_something_else_ends_the_benchmark() -> None:
    with pytest.raises(InputError, match="three numbers: wrong: sum: found 7, expected 6, as ours has it"):
        measured(3)


def test_a_failure_of_our_own_way_ends_the_benchmark() -> None:
    with pytest.raises(InputError, match="three numbers: ours: ValueError: out of order"):
        measured(4)


def test_what_a_way_has_started_ends_with_it() -> None:
    ways.LEFT.unlink(missing_ok=True)
    assert measured(7)[0].ways[1].ended == "time"
    time.sleep(3)
    assert not ways.LEFT.exists()


def test_what_ours_may_take_stands_where_a_ratio_would() -> None:
    (row,) = rows_of(taken("again", [4.0]))
    assert render.aim(row) == "≥ 2"
    assert render.aim(row | {"aim": None}) == ""
    assert render.aim(row | {"aim": None, "at_most": 150.0}) == "≤ 150 s"
    assert render.aim(row | {"at_most": 1.5, "at_most_more": 0.25}) == "≥ 2, ≤ 1.5 s, ≤ its + 0.25 s"
    older = {name: value for name, value in row.items() if not name.startswith("at_most")}
    assert render.aim(older) == "≥ 2"


def test_a_way_is_run_by_the_interpreter_of_its_environment_or_says_how_to_set_it_up(tmp_path: Path) -> None:
    made = tmp_path / "elsewhere"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
    case = ways.CASES[5]
    here, gone = case.alternatives
    found = measure(MODULE, 5, case, 1, lambda text: None)
    assert found.ways[1].figures == [{"sum": 6, "in a folder named elsewhere": 0}]
    assert found.ways[2].failed == ".venv-gone is not there; `make .venv-gone/.ready` sets it up"
    there = replace(case, alternatives=(replace(here, environment=str(made)), gone))
    found = measure(MODULE, 5, there, 1, lambda text: None)
    assert found.ways[1].figures == [{"sum": 6, "in a folder named elsewhere": 1}]


def test_figures_that_are_told_need_not_be_the_same() -> None:
    assert [way.figures[0]["length"] for way in measured(6)[0].ways] == [6, 60]
    with pytest.raises(InputError, match="longer: length: found 60, expected 6"):
        measure(MODULE, 6, replace(ways.CASES[6], told=()), 1, lambda text: None)


def taken(name: str, seconds: list[float], **more: Any) -> Runs:
    return Runs(
        name, seconds, [2 * value for value in seconds], [10.0] * len(seconds), [{"auc": 0.5}] * len(seconds), **more
    )


def rows_of(*others: Runs, seconds: float = 60) -> list[dict[str, Any]]:
    names = {
        way.name: way for way in (*ways.CASES[0].alternatives, *ways.CASES[1].alternatives, *ways.CASES[2].alternatives)
    }
    case: Case = ways.case(*(names[runs.name] for runs in others), seconds=seconds)
    bound = {"operations": 500.0, "moved": 20.0, "counted": "by hand"}
    return results.rows_of(Measured(case, [taken("ours", [1.0, 9.0, 2.0]), *others], bound), "a machine", PEAKS)


def test_a_row_has_the_ratio_of_the_medians_and_the_bound() -> None:
    (row,) = rows_of(taken("again", [7.0, 5.0, 1.0]))
    assert (row["ours"]["value"], row["alternative"]["value"], row["ratio"], row["cpu_ratio"]) == (2.0, 5.0, 2.5, 2.5)
    assert (row["ours"]["cpu_seconds"], row["alternative"]["runs"], row["aim"]) == (4.0, 3, 2.0)
    # 500 operations at 1000 a second take longer than 20 bytes at 100.
    assert (row["bound"]["by"], row["bound"]["seconds"], row["bound"]["measured_over_bound"]) == (
        "arithmetic",
        0.5,
        4.0,
    )
    assert PEAKS.bounded_by(100, 20) == "memory"
    assert PEAKS.seconds(100, 20) == 0.2


def test_what_was_ended_for_its_time_has_a_least_ratio_and_what_took_too_much_memory_none() -> None:
    slow, large = rows_of(taken("asleep", [], ended="time"), taken("large", [1.0], ended="memory"))
    assert (slow["ratio"], slow["ratio_at_least"]) == (None, 30.0)
    assert (large["ratio"], large["ratio_at_least"]) == (None, None)
    assert render.short(slow)[5:] == ["> 60 s", "> 30 ×", "–", ""]
    assert render.short(large)[5:] == ["> 400 MiB", "–", "–", ""]


def test_rows_replace_those_of_the_same_work_and_keep_the_order_of_the_registry(tmp_path: Path) -> None:
    (row,) = rows_of(taken("again", [4.0]))
    other, gone = row | {"stage": "products"}, row | {"task": "work of the past"}
    newer = row | {"ratio": 9.0}
    order = [("products", "three numbers"), ("sums", "three numbers")]
    found = results.merged([gone, row, other], [newer], order)
    assert found == [other, newer]
    path = tmp_path / "results.json"
    assert results.read(path) == []
    results.write(found, path)
    assert results.read(path) == found


def test_the_tables_are_written_between_markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = rows_of(taken("again", [5.0]), taken("broken", [], failed="ValueError: out of order"))
    monkeypatch.chdir(tmp_path)
    Path("benchmarks").mkdir()
    Path("docs").mkdir()
    results.write(found)
    marks = "<!-- {0}: written by benchmarks.render -->\nold\n<!-- end of {0} -->\n"
    marked = marks.format("ratios") + marks.format("bounds") + marks.format("sums")
    Path("docs/performance.md").write_text("before\n" + marked + "after\n")
    render.render()
    document = Path("docs/performance.md").read_text()
    short, long = document.split("<!-- end of ratios -->")
    assert "| sums | three numbers | s | 2 | again | 5 | 2.5 × | 2.5 × | ≥ 2 |" in short
    # Without an aim it is in the long table alone.
    assert "broken" not in short
    assert "failed: ValueError: out of order" in long
    assert document.startswith("before\n")
    assert document.endswith("after\n")
    assert "old" not in document
    assert "| sums, three numbers | 500 | 20 | arithmetic | 0.5 | 2 | 4 |" in long
    assert "| **ours** | 2 | 4 | 10 | 3 | 1 | 0.5 |" in long
    render.render()
    assert Path("docs/performance.md").read_text() == document
    Path("docs/performance.md").write_text(marks.format("ratios") + marks.format("bounds"))
    with pytest.raises(InputError, match=r"docs/performance\.md: markers of 'sums' not found"):
        render.render()


def test_what_is_committed_is_what_the_document_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (results.RESULTS, render.DOCUMENT):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())
    monkeypatch.chdir(tmp_path)
    render.render()
    assert render.DOCUMENT.read_text(encoding="utf-8") == (ROOT / render.DOCUMENT).read_text(encoding="utf-8")


def test_the_terminal_gets_the_same_rows() -> None:
    lines = render.plain_table(rows_of(taken("again", [5.0]))).splitlines()
    assert [line.split()[0] for line in lines] == ["stage", "sums"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (0.01234, "0.0123"), (12.34, "12.3"), (1234.5, "1,234"), (2e9, "2.00e+09")],
)
def test_numbers_have_three_digits_that_count(value: float | None, text: str) -> None:
    assert render.number(value) == text


def test_each_registered_module_has_cases_and_its_place_in_the_document() -> None:
    text = (ROOT / "docs" / "performance.md").read_text()
    works = [(case.stage, case.task) for name in ROWS for case in cases(name)]
    assert len(set(works)) == len(works) > 0
    for stage, _ in works:
        assert f"<!-- {stage}: written by benchmarks.render -->" in text


def test_a_case_names_its_ways_apart_and_aims_at_some_of_them() -> None:
    for name in ROWS:
        for case in cases(name):
            names = [way.name for way in case.ways]
            assert len(set(names)) == len(names)
            assert set(case.aims or {}) <= set(names)
            assert set(case.at_most_more or {}) <= set(names)


def test_registering_rows_imports_nothing_heavy() -> None:
    code = "import sys; from benchmarks.rows import ROWS, cases; [cases(n) for n in ROWS]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"torch", "transformers", "scipy"} & set(done.stdout.split())


def test_the_machine_is_named_with_its_peaks() -> None:
    assert description(2).split(", ")[1] == "2 cores"
    found = peaks()
    assert found.operations > 1e8
    assert found.moved > 1e7
