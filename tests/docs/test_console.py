"""What counts as the same output: the program's words and the kind of each cell, and neither figures nor names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.console import shape, typed

TABLE = "rank  title              score  why\n   1  Braveheart (1995)   5.78  because you liked Dave (+0.11)\n"


def test_figures_names_and_their_number_make_no_difference() -> None:
    wrapped = "   1  Toy Story (1995)     1.2  in spite of your liking\n                              Up (-0.05); for anybody (+1.25)\n"
    other = "rank  title       score  why\n" + wrapped + "   2  Alien (1979)      10  because you liked Up (+1.00)\n"
    assert shape(TABLE) == shape(other)
    parts = "they liked (1 item)  +0.312\n  Up (2009)  +0.312  {}similar +0.112\n"
    bare = "they liked (2 items)  +1.0\n  Dave (1993)  +1.0\n"
    assert shape(parts.format("same author: Stephen King +0.200, ")) == shape(parts.format("")) == shape(bare)
    assert shape("   1  Up (2009)  1.2  because you liked Dave (+1.20, same genre: Horror)\n") == shape(
        "   1  Alien (1979)  1.2  because you liked Up (+1.20)\n"
    )
    assert shape("12 files pushed\n") == shape("1 files pushed\n")
    assert shape("ml-100k, recommended: for user 42 (115 likes)") == shape("ml-100k, crmman: for user 42 (1 like)")
    assert shape("ERROR: /home/me/x is wrong") == shape("ERROR: /tmp/y is wrong")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("score", "points"),
        ("rank  ", ""),
        ("5.78", "–"),
        ("because you liked", "for"),
        ("because you liked", "in spite of liking"),
        ("(+0.11)", "+0.11"),
        ("   1  ", "   "),
    ],
)
def test_another_word_of_the_program_or_another_column_does(before: str, after: str) -> None:
    assert before in TABLE
    assert shape(TABLE) != shape(TABLE.replace(before, after))


def test_commands_go_on_until_their_quotes_close_and_say_where_they_run(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- console: here -->\n```console\n$ python -c '\nprint(1)'\n1\n$ true\n```\n\n```console\n$ no place\n```\n"
    )
    assert typed(page) == [
        ("page.md", "here", "python -c '\nprint(1)'", "1\n"),
        ("page.md", "here", "true", ""),
        ("page.md", None, "no place", ""),
    ]
