from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.common.errors import InputError
from pipeline.parameters.edit import Setting, scalar, with_dataset, with_system

ROOT = Path(__file__).parents[2]
REPOSITORY = (ROOT / "params.yaml").read_bytes().decode()
SOURCE = Setting("source", {"type": "tables", "path": "data/my recipes"})
SMALL = """\
# at the top
dataset_defaults:   &common   # oddly laid out
    s_m:   4
    names: [ a,b ]
datasets:
    first:
        <<:   *common
        s_m: 5      # five
        # left: out
    # between
    second: {<<: *common, s_m: 7}
        # of the second
# of what follows

seed: 42
"""


def load(text: str) -> Any:
    return YAML(typ="safe").load(text)


def lines_added(before: str, after: str) -> list[str]:
    """Lines that are new; fails where one is gone or another one."""
    changes = [line for line in difflib.ndiff(before.splitlines(True), after.splitlines(True)) if line[0] in "+-"]
    assert all(line[0] == "+" for line in changes)
    return [line[2:] for line in changes]


def test_nothing_but_new_lines_in_the_repositorys_own_file() -> None:
    after, added = with_dataset(
        REPOSITORY,
        "recipes",
        [SOURCE, Setting("like_threshold", 4, "673 likes"), Setting("s_m", 3)],
        "params.yaml",
    )
    assert [line.rstrip("\n") for line in lines_added(REPOSITORY, after)] == added
    assert added == [
        "  recipes:",
        "    <<: *dataset",
        "    source:",
        "      type: tables",
        '      path: "data/my recipes"',
        "    like_threshold: 4           # 673 likes",
        "    s_m: 3",
    ]
    # As the file has it: after the last data set, with a blank line before the next section.
    start = after.index("  recipes:\n")
    assert after[:start] + after[start + len("".join(f"{line}\n" for line in added)) :] == REPOSITORY
    assert after[:start].endswith("    s_m: 6\n")
    assert after[start:].index("\n\n# Models of the users") > 0
    values = load(after)
    assert list(values["datasets"]) == ["ml-100k", "recipes"]
    assert values["datasets"]["recipes"] == values["dataset_defaults"] | {
        "source": {"type": "tables", "path": "data/my recipes"},
        "like_threshold": 4,
        "s_m": 3,
    }


def test_a_file_laid_out_in_another_way_keeps_its_layout_and_its_comments_in_their_places() -> None:
    after, added = with_dataset(SMALL, "third", [Setting("s_m", 1)], "f")
    assert added == ["    third:", "      <<: *common", "      s_m: 1"]
    assert after == SMALL.replace("# of what follows", "\n".join(added) + "\n# of what follows")


@pytest.mark.parametrize("ending", ["", "\n", "\n\n", "   # end\n"])
def test_the_datasets_may_be_the_last_section(ending: str) -> None:
    text = "dataset_defaults: &d {s_m: 1}\ndatasets:\n  one:\n    <<: *d" + ending
    after, added = with_dataset(text, "two", [], "f")
    assert load(after)["datasets"] == {"one": {"s_m": 1}, "two": {"s_m": 1}}
    assert after.startswith(text.rstrip("\n"))
    assert lines_added(text if text.endswith("\n") else f"{text}\n", after) == [f"{line}\n" for line in added]


def test_windows_line_ends_stay() -> None:
    text = SMALL.replace("\n", "\r\n")
    after, _ = with_dataset(text, "third", [Setting("s_m", 1)], "f")
    assert after == with_dataset(SMALL, "third", [Setting("s_m", 1)], "f")[0].replace("\n", "\r\n")


def test_a_text_over_several_lines_is_not_cut() -> None:
    text = "dataset_defaults: &d {s: 1}\ndatasets:\n  one:\n    <<: *d\n    note: |\n      a\n      b\nseed: 1\n"
    after, _ = with_dataset(text, "two", [], "f")
    assert load(after) == {
        "dataset_defaults": {"s": 1},
        "datasets": {"one": {"s": 1, "note": "a\nb\n"}, "two": {"s": 1}},
        "seed": 1,
    }


def test_a_name_in_use_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"^f: datasets\.second: found a name that is already in use, .*: first, second$"
    ):
        with_dataset(SMALL, "second", [], "f")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset_defaults: {s: 1}\ndatasets:\n  one: {s: 1}\n", "dataset_defaults: found no anchor"),
        ("datasets:\n  one: {s: 1}\n", "dataset_defaults: found no anchor"),
        ("dataset_defaults: &d {s: 1}\ndatasets: {one: {<<: *d}}\n", "datasets: found it on one line"),
    ],
)
def test_a_file_in_which_there_is_no_place_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^f: {message}"):
        with_dataset(text, "two", [], "f")


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), TEXTS)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(
    st.one_of(VALUES, st.sampled_from(["no", "on", "1", "1e3", "~", "null", "a: b", "# c", "- d", "{e}", "'f", '"g']))
)
def test_a_scalar_is_read_back_as_what_it_was_by_both_versions_of_yaml(value: Any) -> None:
    for version in ((1, 1), (1, 2)):
        yaml = YAML(typ="safe", pure=True)
        yaml.version = version
        found = yaml.load(f"a: {scalar(value)}\n")["a"]
        assert found == value
        assert type(found) is type(value)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.dictionaries(TEXTS.filter(bool), VALUES, min_size=1, max_size=3), st.lists(VALUES, max_size=3), TEXTS)
def test_what_is_put_in_is_read_back(mapping: dict[str, Any], values: list[Any], comment: str) -> None:
    settings_ = [Setting("a", mapping, comment), Setting("b", values, comment)]
    after, _ = with_dataset(SMALL, "third", settings_, "f")
    assert load(after)["datasets"]["third"] == {"s_m": 4, "names": ["a", "b"], "a": mapping, "b": values}


TUNED = {"learning_rate": 0.0031, "targets": "all", "width": 64}
ROW = "{learning_rate: 0.0031, targets: all, width: 64}  # 30 trials"


def tuned(
    text: str, dataset: str = "first", section: str = "train_users", system: str = "mine"
) -> tuple[str, list[str]]:
    return with_system(text, dataset, section, system, TUNED, "30\ntrials", "params.yaml")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("", f"        train_users:\n          mine: {ROW}\n"),
        ("        train_users: null  # none\n", f"        train_users:  # none\n          mine: {ROW}\n"),
        (
            "        train_users: {epochs: 5, mine: {width: 1}}\n",
            f"        train_users:\n          epochs: 5\n          mine: {ROW}\n",
        ),
        (
            "        train_users:\n            # few\n            epochs: 5  # five\n",
            f"        train_users:\n            # few\n            epochs: 5  # five\n            mine: {ROW}\n",
        ),
        (
            "        train_users:\n            mine:   # old\n                width: 1\n            epochs: 5\n",
            f"        train_users:\n            mine: {ROW}\n            epochs: 5\n",
        ),
    ],
)
@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_what_a_data_set_changes_for_a_system_goes_where_it_was_or_would_be(
    entry: str, expected: str, line: str
) -> None:
    place = "        s_m: 5      # five\n"
    before = SMALL.replace(place, place + entry)
    after, added = tuned(before.replace("\n", line))
    assert after.replace(line, "\n") == SMALL.replace(place, place + expected)
    assert all(row in expected.splitlines() for row in added)
    assert load(after)["datasets"]["first"]["train_users"]["mine"] == TUNED
    # Again, and there is nothing to change.
    assert tuned(after)[0] == after


def test_other_systems_of_a_data_set_keep_what_it_changes_for_them() -> None:
    first, _ = tuned(REPOSITORY, "ml-100k")
    second, added = tuned(first, "ml-100k", system="crmman")
    assert [line.rstrip("\n") for line in lines_added(first, second)] == added == [f"      crmman: {ROW}"]
    third, _ = tuned(second, "ml-100k", section="baselines", system="als")
    assert lines_added(second, third) == ["    baselines:\n", f"      als: {ROW}\n"]
    assert load(third)["datasets"]["ml-100k"]["train_users"] == {"mine": TUNED, "crmman": TUNED}


def test_an_entry_on_one_line_has_no_place_for_a_system() -> None:
    with pytest.raises(InputError, match=r"params.yaml: datasets.second: found it on one line, expected"):
        tuned(SMALL, "second")
