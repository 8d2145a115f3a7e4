"""What reaches a terminal, and what a spreadsheet or another program gets."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import polars as pl
import pytest

from pipeline.common.errors import CONTROLS, LONGEST_QUOTED, as_json, quoted, shortened
from stages.cli.ask.output import Answer, with_quoted_formulas
from stages.guard import show
from tests.repository import ROOT

EVIL = "\x1b[2J\x9b31m\u202e"
ROWS = pl.DataFrame({"rank": [-1, 2], "score": [-0.5, 1.0], "title": ["=1+1", f"a{EVIL}"]})


def test_one_function_writes_to_the_console() -> None:
    """Whoever prints past it prints what data hold as it is."""
    allowed = {"stages/guard.py", "stages/cli/ask/output.py", "pipeline/report/vega.py"}
    for path in sorted([*(ROOT / "stages").rglob("*.py"), *(ROOT / "pipeline").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and path.relative_to(ROOT).as_posix() not in allowed:
                called = ast.unparse(node.func)
                assert called not in ("print", "sys.stdout.write", "sys.stderr.write", "typer.echo"), path


def test_what_a_terminal_would_obey_is_shown_and_a_message_has_no_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    show(f"out {EVIL}\n\tüber https://me:secret@host/watch?v=1")
    show(f"err {EVIL} https://me:secret@host/watch?v=1", error=True)
    assert capsys.readouterr() == (
        "out \\x1b[2J\\x9b31m\\u202e\n\tüber https://me:secret@host/watch?v=1\n",
        "err \\x1b[2J\\x9b31m\\u202e https://***@host/watch?***\n",
    )


def test_a_quoted_value_is_cut() -> None:
    assert quoted("a" * 1000) == "'" + "a" * (LONGEST_QUOTED - 1) + " ..."
    assert quoted(3) == "3"
    assert shortened("abc", 3) == "abc"


def test_json_is_what_was_said_and_no_terminal_obeys_it() -> None:
    value = {"title": f"{EVIL}\x00\n日本", "score": 1.5}
    text = as_json(value)
    assert json.loads(text) == value
    assert "日本" in text
    assert not CONTROLS.search(text)


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠a", "-", "=-5"],
)
def test_a_text_that_a_spreadsheet_would_compute_is_quoted(text: str) -> None:
    assert with_quoted_formulas(pl.DataFrame({"a": [text]}))["a"].to_list() == [f"'{text}"]


@pytest.mark.parametrize("text", ["-5", "+3.5", "-1e-3", "a=b", "Alien", " =1", "", "'", None])
def test_numbers_and_other_texts_are_not(text: str | None) -> None:
    assert with_quoted_formulas(pl.DataFrame({"a": [text]}, schema={"a": pl.String}))["a"].to_list() == [text]


def test_columns_of_numbers_stay_as_they_are() -> None:
    quoted_rows = with_quoted_formulas(ROWS)
    assert quoted_rows.schema == ROWS.schema
    assert quoted_rows.drop("title").equals(ROWS.drop("title"))
    assert quoted_rows["title"].to_list() == ["'=1+1", f"a{EVIL}"]


class Screen:
    """Of `sys.stdout` what tells whether it is one."""

    def __init__(self, terminal: bool) -> None:
        self.terminal, self.text = terminal, ""

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_every_form_is_shown_with_escapes_on_a_terminal(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    screen = Screen(terminal=True)
    monkeypatch.setattr("sys.stdout", screen)
    Answer(f"a{EVIL}\n", {"title": EVIL}, ROWS).give(form, None, True)
    assert not CONTROLS.search(screen.text)
    assert "[2J" in screen.text


def test_csv_goes_to_files_and_programs_as_the_data_have_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer = Answer("", {}, ROWS)
    for quote, cell in ((True, "'=1+1"), (False, "=1+1")):
        expected = f"rank,score,title\n-1,-0.5,{cell}\n2,1.0,a{EVIL}\n"
        screen = Screen(terminal=False)
        monkeypatch.setattr("sys.stdout", screen)
        answer.give("csv", None, quote)
        answer.give("csv", tmp_path / "a.csv", quote)
        assert screen.text == (tmp_path / "a.csv").read_text(encoding="utf-8") == expected
