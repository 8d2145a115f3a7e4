"""One data set more in params.yaml, or other settings of a system for one: not a byte of other lines changes.

A round trip through a YAML library would keep comments and anchors, but lays out again what people laid out themselves.
Here the library only tells where `datasets` ends; what comes out is parsed and must be the old content and the entry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from pipeline.common.errors import InputError

PLAIN = re.compile(r"(?:\.{0,2}/)?[A-Za-z_][\w./-]*")
# YAML 1.1 reads them as something else than text, and DVC's users have tools of both versions.
WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
# Where comments start behind a value, if it is not longer; the other entries of the file have them there.
COMMENT_COLUMN = 26


@dataclass(frozen=True)
class Setting:
    """A key with its value, a scalar, a list or a mapping of these, and a comment that says why."""

    key: str
    value: Any
    comment: str = ""


def with_dataset(text: str, name: str, settings: Sequence[Setting], file: str) -> tuple[str, list[str]]:
    """The text of params.yaml with a data set after those that it has, and the lines that are new.

    Args:
        name: the new key of `datasets`.
        settings: what it sets; the rest comes by the merge key from `dataset_defaults`.
        file: what the text is called in errors.

    Raises:
        InputError: the name is taken, or the file is not laid out so that lines can be put in.
    """
    before = YAML(typ="safe", pure=True).load(text)
    if name in before["datasets"]:
        known = ", ".join(map(str, before["datasets"]))
        raise InputError(
            f"{file}: datasets.{name}: found a name that is already in use, expected one other than: {known}"
        )
    place = _place(text, file)
    line = "\r\n" if "\r\n" in text else "\n"
    rows = [f"{scalar(name)}:", f"  <<: *{place.anchor}"]
    rows += [f"  {row}" for setting in settings for row in _rows(setting)]
    lines = text.splitlines(keepends=True)
    if not lines[place.line - 1].endswith("\n"):
        lines[place.line - 1] += line
    added = [f"{' ' * place.indent}{row}{line}" for row in rows]
    result = "".join([*lines[: place.line], *added, *lines[place.line :]])
    entry = before["dataset_defaults"] | {setting.key: setting.value for setting in settings}
    expected = before | {"datasets": before["datasets"] | {name: entry}}
    # Whatever the layout, a file that says something else is not written.
    if YAML(typ="safe", pure=True).load(result) != expected:
        raise InputError(f"{file}: datasets: found no place for a new entry; add it by hand: {' / '.join(rows)}")
    return result, [row.rstrip() for row in added]


def with_system(
    text: str, dataset: str, section: str, system: str, values: Mapping[str, Any], comment: str, file: str
) -> tuple[str, list[str]]:
    """The text of params.yaml with what a data set changes for a system, in place of what it changed before, and the lines that are new.

    Args:
        section: `train_users` for a variant, `baselines` for a baseline.
        values: all that it changes for the system.
        comment: behind them.
        file: what the text is called in errors.

    Raises:
        InputError: the file is not laid out so that lines can be put in.
    """
    before = YAML(typ="safe", pure=True).load(text)
    old = before["datasets"][dataset].get(section) or {}
    entries = before["datasets"] | {dataset: before["datasets"][dataset] | {section: old | {system: dict(values)}}}
    lines, line = text.splitlines(keepends=True), "\r\n" if "\r\n" in text else "\n"
    if not lines[-1].endswith("\n"):
        lines[-1] += line
    row = f"{scalar(system)}: {_flow(values)}  # {' '.join(comment.split())}"
    entry = _of(_of(YAML().compose(text), "datasets")[1], dataset)[1]
    if not _is_block(entry):
        raise InputError(
            f"{file}: datasets.{dataset}: found it on one line, expected a line for each key; add by hand: {section}: {{{row}}}"
        )
    found = _of(entry, section)
    indent = entry.value[0][0].start_mark.column
    if found is not None and _is_block(found[1]) and found[1].start_mark.index > found[0].end_mark.index:
        inner, last = _of(found[1], system), _last_line(found[1])
        indent = found[1].value[0][0].start_mark.column
        start, end, rows = (inner[0].start_mark.line, _end_line(inner), [row]) if inner else (last + 1, last, [row])
    else:
        start, end = (
            (found[0].start_mark.line, _end_line(found)) if found else (_last_line(entry) + 1, _last_line(entry))
        )
        behind = lines[end][lines[end].rindex("#") :].strip() if found and " #" in lines[end] else ""
        rows = [f"{section}:{f'  {behind}' if behind else ''}"]
        rows += [f"  {scalar(str(name))}: {_flow(value)}" for name, value in old.items() if name != system]
        rows.append(f"  {row}")
    added = [f"{' ' * indent}{one}{line}" for one in rows]
    result = "".join([*lines[:start], *added, *lines[end + 1 :]])
    if YAML(typ="safe", pure=True).load(result) != before | {"datasets": entries}:
        raise InputError(
            f"{file}: datasets.{dataset}: found no place for {section}; add it by hand: {' / '.join(rows)}"
        )
    return result, [one.rstrip() for one in added]


def _of(mapping: Any, key: str) -> Any:
    """The key and the value of a mapping as they stand in the file; None where it does not stand there."""
    return next((pair for pair in mapping.value if pair[0].value == key), None)


def _is_block(node: Any) -> bool:
    return (
        isinstance(node.value, list) and not node.flow_style and bool(node.value) and isinstance(node.value[0], tuple)
    )


def _end_line(pair: tuple[Any, Any]) -> int:
    """The last line of a key with its value; an alias lies further up."""
    key, value = pair
    of_value = _last_line(value) if value.start_mark.index > key.end_mark.index else 0
    return max(int(key.start_mark.line), of_value)


@dataclass(frozen=True)
class _Place:
    """
    Attributes:
        line: how many lines stand before the new ones.
        indent: of the keys of `datasets`.
        anchor: of `dataset_defaults`.
    """

    line: int
    indent: int
    anchor: str


def _place(text: str, file: str) -> _Place:
    sections = {key.value: value for key, value in YAML().compose(text).value}
    defaults, datasets = sections.get("dataset_defaults"), sections["datasets"]
    if defaults is None or not defaults.anchor:
        raise InputError(f"{file}: dataset_defaults: found no anchor, expected `dataset_defaults: &dataset`")
    if datasets.flow_style or not datasets.value:
        raise InputError(
            f"{file}: datasets: found it on one line, expected one entry below another, each on its own lines"
        )
    indent = datasets.value[0][0].start_mark.column
    line = _last_line(datasets) + 1
    lines = text.splitlines()
    # Comments further in than the names of data sets belong to the last entry.
    for number in range(line, len(lines)):
        body = lines[number].lstrip()
        if body and not (body.startswith("#") and len(lines[number]) - len(body) > indent):
            break
        if body:
            line = number + 1
    return _Place(line, indent, defaults.anchor)


def _last_line(node: Any) -> int:
    """The line, from 0, of a node's last character: a block's own end mark lies after the comments that follow it."""
    if isinstance(node.value, list) and not node.flow_style and node.value:
        last = node.value[-1]
        # An alias is composed as the node that it stands for, which lies further up: its key tells the line.
        return max(map(_last_line, last)) if isinstance(last, tuple) else _last_line(last)
    end = node.end_mark
    return int(end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line)


def _rows(setting: Setting) -> list[str]:
    key = scalar(setting.key)
    if isinstance(setting.value, Mapping) and setting.value:
        return [f"{key}:", *(f"  {scalar(str(name))}: {_flow(value)}" for name, value in setting.value.items())]
    row = f"{key}: {_flow(setting.value)}"
    comment = " ".join(setting.comment.split())
    return [f"{row:<{COMMENT_COLUMN}}  # {comment}" if comment else row]


def _flow(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_flow(part) for part in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{scalar(str(name))}: {_flow(part)}' for name, part in value.items())}}}"
    return scalar(value)


def scalar(value: Any) -> str:
    """A scalar as YAML 1.1 and 1.2 read it alike."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return repr(value)
    if PLAIN.fullmatch(value) and value.lower() not in WORDS:
        return str(value)
    return json.dumps(value, ensure_ascii=False)
