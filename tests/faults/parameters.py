"""Parameters as somebody may write them, and worse."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import assume
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.common.ablation import FILE, read_all
from pipeline.common.config import Config
from pipeline.common.errors import InputError, one_line
from stages.shared.stage import Settings
from tests.faults.campaign import Draw
from tests.faults.outcome import expect, expect_printable, expect_well_or_one_line
from tests.faults.world import World, stage_of
from tests.in_process import run_module
from tests.stages.workspace import ALL_RUNS, KEY, command_of

# What YAML may make of a value, and what nobody expects.
WORDS = (
    *("", "~", "null", "yes", "no", "true", "1", "0", "-1", "1e400", "-1e400", ".nan", ".inf", "0x1F", "1_000", "1:30"),
    *("9" * 400, "1e-400", "2024-13-45", "2024-02-30", "'", '"', "[", "]", "{", "}", "[[]]", "{}", "&a *a", "*unknown"),
    *("<<: *x", "!!python/object/apply:os.system ['true']", "!!binary xx", "!!float x", "!!int x", "!!timestamp 1-1-1"),
    *("!!bool x", "!!int 0x", "!!float ''", "2024-06-31", "0000-01-01", "2024-01-01 25:00:00"),
    *(
        "!x y",
        "? [a]: b",
        "- a",
        "|",
        ">",
        "%TAG",
        "---",
        "...",
        "@a",
        "`a",
        "\t1",
        "\x00",
        "\x1b[31m",
        "\ud83d",
        "../../x",
    ),
    *('"\\x41"', '"\\uD800"', '"\\xZZ"', "a: b: c", "# x", "'x' y", "é", "\u2028", "\ufeff", "x" * 3000, "[" * 400),
)
LINES = ("repeat", "delete", "indent", "outdent", "swap", "cut", "word", "word", "word", "insert", "key", "bytes")
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**70, 1e300, 0.5, -0.0, "", " ", "x", "nan", "1", [], {}, [None], [[]], {"x": {}}),
    *(
        ["x", "x"],
        {"": 1},
        {"a.b": 1},
        {"../x": 1},
        "é" * 300,
        "\x1b[2J",
        "/",
        "..",
        "{title}",
        "{",
        "{{}}",
        "{0}",
        "\x00",
    ),
)


def lines_changed(world: World, draw: Draw) -> None:
    """One or two lines of a file changed as no editor's help would have let pass."""
    name = draw(st.sampled_from(["params.yaml", "params.yaml", str(FILE)]))
    content = (world.finished.root / name).read_bytes()
    for _ in range(draw(st.integers(1, 2))):
        content = _changed(draw, content)
    _expect_answer(world, {name: content})


def values_changed(world: World, draw: Draw) -> None:
    """A value of any kind at any place, a key that nobody knows, or one less."""
    name = draw(st.sampled_from(["params.yaml", "params.yaml", str(FILE)]))
    values = YAML(typ="safe").load((world.finished.root / name).read_bytes())
    before = copy.deepcopy(values)
    for _ in range(draw(st.integers(1, 2))):
        # Every second time in a data set's entry, which changes sections of several stages.
        places = [*_places(values)]
        inside = [*_places(values["datasets"])] if isinstance(values.get("datasets"), dict) else []
        holder, key = draw(st.one_of(st.sampled_from(places), st.sampled_from(inside or places)))
        change = draw(st.sampled_from(["value", "value", "number", "delete", "rename", "add"]))
        if change == "value":
            holder[key] = draw(st.sampled_from(VALUES))
        elif change == "number":
            holder[key] = draw(st.one_of(st.integers(), st.floats(), st.text(max_size=20)))
        elif change == "delete" or isinstance(holder, list):
            del holder[key]
        else:
            holder[draw(st.one_of(st.text(max_size=8), st.integers(), st.none()))] = holder[key]
            if change == "rename":
                del holder[key]
    assume(values != before)
    path = world.scratch / "written.yaml"
    try:
        with path.open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump(values, file)
    except (YAMLError, ValueError, UnicodeError):
        # Not what YAML can say.
        assume(False)
    _expect_answer(world, {name: path.read_bytes()})


def repeated_key(world: World, draw: Draw) -> None:
    """A key a second time in its mapping: with the first one's value, or another."""
    name = draw(st.sampled_from(["params.yaml", "params.yaml", str(FILE)]))
    lines = (world.finished.root / name).read_text(encoding="utf-8").splitlines()
    keyed = [place for place, line in enumerate(lines) if re.match(r"\s*[\w-]+: \S", line)]
    place = draw(st.sampled_from(keyed))
    key = lines[place].partition(":")[0]
    assume(lines[place].strip()[0] not in "-#")
    assume(_one_line_only(lines, place))
    lines.insert(place + 1, draw(st.sampled_from([lines[place], f"{key}: 7"])))
    if draw(st.booleans()):
        # What is merged into a mapping its own keys come over, and YAML's own check of them is not made there.
        lines.insert(place, f"{key[: -len(key.strip())]}<<: {{{key.strip()}: 7}}")
    result = _validated(world, {name: "\n".join(lines).encode()})
    expect(result.code == 2, f"taken: {result.out}")
    expect_well_or_one_line(result, 2)
    expect("found duplicate key" in result.err, result.err)


def _one_line_only(lines: list[str], place: int) -> bool:
    """Whether the value ends with its line."""

    def depth(line: str) -> int:
        return len(line) - len(line.lstrip())

    text = lines[place].split(" #")[0]
    opened = sum(text.count(mark) for mark in "[{") - sum(text.count(mark) for mark in "]}")
    after = lines[place + 1] if place + 1 < len(lines) else ""
    return not opened and (not after.strip() or depth(after) <= depth(lines[place]))


def _places(values: Any) -> Iterator[tuple[Any, Any]]:
    """Everything that holds something, with the key or the place of what it holds."""
    for key, value in list(values.items() if isinstance(values, dict) else enumerate(values)):
        yield values, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _changed(draw: Draw, content: bytes) -> bytes:
    lines = content.split(b"\n")
    place = draw(st.integers(0, len(lines) - 1))
    line, kind = lines[place], draw(st.sampled_from(LINES))
    words = st.sampled_from(WORDS)
    word = draw(words if kind == "word" else st.one_of(words, st.text(max_size=12))).encode(errors="surrogatepass")
    other = draw(st.integers(0, len(lines) - 1))
    at = draw(st.integers(0, len(line)))
    changed = {
        "repeat": [line, line],
        "delete": [],
        "indent": [b" " * (1 + other % 4) + line],
        "outdent": [line[1 + other % 3 :]],
        "swap": [lines[other]],
        "cut": [line[:at]],
        "word": [line.partition(b":")[0] + b": " + word],
        "insert": [line, b" " * (other % 7) + word],
        "key": [word + b":" + line.partition(b":")[2]],
        "bytes": [line[:at] + word + line[at:]],
    }[kind]
    return b"\n".join([*lines[:place], *changed, *lines[place + 1 :]])


def _validated(world: World, files: dict[str, bytes]) -> Any:
    folder = _folder(world, files)
    return run_module("stages.validate", folder=folder)


def _folder(world: World, files: dict[str, bytes]) -> Path:
    folder = world.scratch / "parameters"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world.finished.root / "tables", folder / "tables")
    for name in ("params.yaml", str(FILE)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(files.get(name) or (world.finished.root / name).read_bytes())
    return folder


def _expect_answer(world: World, files: dict[str, bytes]) -> None:
    """The check of all parameters says yes or one line, and so does every stage that reads some of them."""
    result = _validated(world, files)
    well = expect_well_or_one_line(result, 2)
    root = world.scratch / "parameters"
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    more = {name for name in found if not name.startswith("tables/")} - {"params.yaml", str(FILE)}
    expect(more == ({"artifacts/params.checked"} if well else set()), f"written: {more}")
    try:
        values = read_all(root / "params.yaml")
    except InputError:
        return
    # Read once for all of them.
    with patch("stages.shared.stage.read_all", lambda _: values):
        for run in ALL_RUNS:
            for said in _refusals(run):
                expect("\n" not in said, f"{run}: several lines: {said}")
                expect_printable(one_line(said))
                expect(
                    not well or KEY not in values["datasets"] or _is_gone(run, values),
                    f"{run} refuses what the check of all lets pass: {said}",
                )


def _is_gone(run: str, values: dict[str, Any]) -> bool:
    """Whether it is of a structure that the files no longer have, for which DVC runs no stage."""
    stage, _, name = run.partition(".")
    return stage in ("derive_graph", "init_sdne", "train_gat") and bool(name) and name not in values["structures"]


def _refusals(run: str) -> Iterator[str]:
    """What a run says when it asks for its settings, if it has something to say."""
    stage, arguments = stage_of(run), command_of(run, KEY)
    structure = arguments[arguments.index("--structure") + 1] if "--structure" in arguments else None
    try:
        settings = Settings(stage, KEY, structure=structure)
    except InputError as error:
        yield str(error)
        return
    variant = arguments[arguments.index("--variant") + 1] if "--variant" in arguments else None
    for name in ("run", "dataset", "stage", "variant", "structure"):
        model: type[Config] | None = getattr(stage.settings, name)
        if model is None or (name == "structure" and structure is None):
            continue
        try:
            settings.variant(model, variant or "") if name == "variant" else getattr(settings, name)(model)
        except InputError as error:
            # The check of all does not ask for a variant that the file no longer has.
            if name != "variant" or "key not found" not in str(error):
                yield str(error)
