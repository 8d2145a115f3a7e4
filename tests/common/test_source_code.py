"""What counts as a change of a stage's code."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.common.source_code import SourceCode, essence
from tests.repository import ROOT

MODULES = sorted([*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("stages/**/*.py")])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """stages.first imports pipeline.a (which imports pipeline.b in a function); pipeline.c is reached by nobody."""
    files = {
        "stages/__init__.py": "",
        "stages/first.py": "from pipeline import a\n",
        "pipeline/__init__.py": "",
        "pipeline/a.py": "def f():\n    from pipeline.b import g\n    return g()\n",
        "pipeline/b.py": "import json\n\ndef g():\n    return 1\n",
        "pipeline/c.py": "x = 1\n",
        "pipeline/sub/__init__.py": "y = 1\n",
        "pipeline/sub/d.py": "z = 1\n",
        "pipeline/sub/page.html": "<p>one</p>\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_all_modules_are_found_that_an_import_can_reach(project: Path) -> None:
    assert SourceCode(project).closure("stages.first") == {"stages/first.py", "pipeline/a.py", "pipeline/b.py"}
    (project / "pipeline/b.py").write_text("import pipeline.sub.d\n")
    assert SourceCode(project).closure("stages.first") == {
        *("stages/first.py", "pipeline/a.py", "pipeline/b.py"),
        *("pipeline/sub/__init__.py", "pipeline/sub/d.py"),
    }
    assert "pipeline/sub/page.html" in SourceCode(project).digests("stages.first")


@pytest.mark.parametrize(
    ("file", "text", "changes"),
    [
        ("pipeline/b.py", "import json\n\ndef g():\n    return 2\n", {"pipeline/b.py"}),
        ("pipeline/b.py", 'import json\n\ndef g():\n    """What g is."""\n\n    return 1  # one\n', set()),
        ("pipeline/b.py", "import json\n\ndef g():\n    return (1)\n", {"pipeline/b.py"}),
        ("pipeline/c.py", "x = 2\n", set()),
    ],
)
def test_what_changes_a_digest(project: Path, file: str, text: str, changes: set[str]) -> None:
    before = SourceCode(project).digests("stages.first")
    (project / file).write_text(text)
    after = SourceCode(project).digests("stages.first")
    assert {path for path in before if before[path] != after[path]} == changes


def test_a_page_counts_to_the_letter(project: Path) -> None:
    (project / "stages/first.py").write_text("import pipeline.sub.d\n")
    before = SourceCode(project).digests("stages.first")
    (project / "pipeline/sub/page.html").write_text("<p>one</p>\n\n")
    after = SourceCode(project).digests("stages.first")
    assert {path for path in before if before[path] != after[path]} == {"pipeline/sub/page.html"}


def test_a_file_that_is_no_python_is_named(project: Path) -> None:
    (project / "pipeline/b.py").write_text("def g(:\n")
    with pytest.raises(InputError, match=r"pipeline/b\.py: not a Python module"):
        SourceCode(project).digests("stages.first")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1  # why\n", "x = 1\n"),
        ("# why\nx = 1\n\n\ny = 2\n", "x = 1\ny = 2\n"),
        ('"""Module."""\n\nx = 1\n', "x = 1\n"),
        ('def f():\n    """Of two\n\n    lines."""\n    return 1\n', "def f():\n    return 1\n"),
        ('x = """one\n\n# no comment\n"""\n', 'x = """one\n\n# no comment\n"""\n'),
        ('def f(): "short"\n', 'def f(): "short"\n'),
        ('def f():\n    "doc"; x = 1\n', 'def f():\n    "doc"; x = 1\n'),
        ('x = "# no comment"\n', 'x = "# no comment"\n'),
        ('x = 1\n"""no docstring"""\n', 'x = 1\n"""no docstring"""\n'),
    ],
)
def test_what_is_left_of_a_source(source: str, expected: str) -> None:
    assert essence(source) == expected


def test_what_is_left_of_each_module_does_the_same() -> None:
    for path in MODULES:
        source = path.read_text()
        assert _words(essence(source)) == _words(source), path


@given(st.lists(st.sampled_from(["", "# comment", "    # comment", "  "]), max_size=3), st.data())
def test_comments_and_blank_lines_between_lines_do_not_count(added: list[str], data: st.DataObject) -> None:
    lines = [
        "import os",
        "",
        "def f(a):",
        "    if a:",
        "        return [1,",
        "            2]",
        "    return None",
        "x = f(os)",
    ]
    at = data.draw(st.integers(0, len(lines)))
    assert essence("\n".join([*lines[:at], *added, *lines[at:], ""])) == essence("\n".join([*lines, ""]))


def _words(source: str) -> list[str]:
    """What Python reads: tokens without layout, comments and statements that are a string alone."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    found: list[str] = []
    begins = True
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for token, after in zip(tokens, [*tokens[1:], tokens[-1]], strict=True):
        if token.type not in layout and not (begins and token.type == tokenize.STRING and after.type in layout):
            found.append(token.string)
        begins = token.type in layout
    return found
