"""One data set more in params.yaml: lines are put in, and not a byte of the others changes.

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
        known = ", ".join(before["datasets"])
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
