"""Typed settings: the base class of every config model, and one-line errors for what does not fit."""

from __future__ import annotations

import copy
import difflib
import warnings
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import ScalarNode

from pipeline.common.errors import InputError, quoted, shortened


class Config(BaseModel):
    """Base of all settings: no unknown keys, no coercion (``"3"`` is not 3, ``true`` is not 1), immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


ConfigT = TypeVar("ConfigT", bound=Config)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML 1.2 mapping (so that ``1e-05`` is a number and ``no`` a string), merge keys resolved.

    Raises:
        InputError: the file is missing, is not YAML, repeats a key, or is no mapping.
    """
    try:
        content = copy.deepcopy(_parsed(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(f"{path}: file not found; run this in the folder that has it") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = " ".join(str(error.problem).split())
        raise InputError(f"{path}{where}: not valid YAML: {problem}") from None
    except YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InputError(f"{path}: not valid YAML: found it nested too deeply") from None
    # What ruamel makes of a date, a number or a character that cannot be.
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise InputError(f"{path}: not valid YAML: {shortened(' '.join(str(error).split()))}") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else _value(content)
        raise InputError(f"{path}: found {found}, expected a mapping of keys to values")
    return content


@lru_cache(maxsize=8)
def _parsed(text: str) -> Any:
    """The content of a text, which takes a hundred times as long as a copy of it, and is asked for several times by one command."""
    # In pure Python: its errors are the same on every machine.
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _EachKeyOnce
    with warnings.catch_warnings():
        # In a dozen lines of its own, of an anchor that is set twice, which YAML allows.
        warnings.simplefilter("ignore", ReusedAnchorWarning)
        return yaml.load(text)


class _EachKeyOnce(SafeConstructor):
    """Of a mapping with a merge key (`<<`) ruamel would take the last one of a repeated key."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._own: dict[int, Any] = {}

    def flatten_mapping(self, node: Any) -> Any:
        # Only what the file has: merging puts in what a key comes over.
        if id(node) not in self._own:
            self._own[id(node)] = node
            keys: set[tuple[Any, Any]] = set()
            for key, _ in node.value:
                if isinstance(key, ScalarNode) and (key.tag, key.value) in keys:
                    raise DuplicateKeyError(
                        "while constructing a mapping",
                        node.start_mark,
                        f'found duplicate key "{key.value}"',
                        key.start_mark,
                    )
                if isinstance(key, ScalarNode):
                    keys.add((key.tag, key.value))
        return super().flatten_mapping(node)


def validated(model: type[ConfigT], values: Any, where: str) -> ConfigT:
    """Check ``values`` against ``model``.

    Args:
        where: what goes before the key in an error, e.g. ``"params.yaml: datasets.mine."``.

    Raises:
        InputError: one line naming the first key that is wrong, what was found and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InputError(_one_line(error, model, where)) from None


def changed(values: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings with changes laid over them; in a section within a section, too, what is not changed stays."""
    result = dict(values)
    for key, value in (changes or {}).items():
        both = isinstance(value, Mapping) and isinstance(values.get(key), Mapping)
        result[key] = changed(values[key], value) if both else value
    return result


def look_up(values: Mapping[str, Any], keys: tuple[str, ...], where: str) -> Any:
    """The value at a path of keys.

    Raises:
        InputError: a key on the way does not exist; the line names it and the keys that do.
    """
    found: Any = values
    for depth, key in enumerate(keys):
        if not isinstance(found, Mapping) or key not in found:
            here = ".".join(map(_key, keys[: depth + 1]))
            known = ", ".join(map(_key, found)) if isinstance(found, Mapping) else "none"
            raise InputError(f"{where}: {here}: key not found; expected one of: {known}")
        found = found[key]
    return found


def _one_line(error: ValidationError, model: type[BaseModel], where: str) -> str:
    problems = error.errors(include_url=False)
    # A misspelt key is two problems, one key unknown and one missing: the unknown one says where to look.
    problem = next((each for each in problems if each["type"] == "extra_forbidden"), problems[0])
    location, models = _followed(model, problem["loc"])
    if problem["type"] == "value_error":
        # A rule's message starts with the key it is about.
        text = str(problem["ctx"]["error"])
        if location and text.startswith(f"{location[-1]}: "):
            location = location[:-1]
        text = ".".join([*location, text])
    else:
        if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
            location = [*location, problem["ctx"]["discriminator"].strip("'")]
        text = f"{'.'.join(location)}: found {_shown(problem)}, expected {_expected(problem, models)}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where}{text}{more}"


def _key(key: object) -> str:
    """A key as an error has it: one with line breaks and the like, which YAML allows, as it would be quoted."""
    return str(key) if str(key).isprintable() else quoted(str(key))


def _shown(problem: Any) -> str:
    if problem["type"] in ("missing", "union_tag_not_found"):
        return "nothing"
    if problem["type"] == "extra_forbidden":
        return "an unknown key"
    if problem["type"] == "union_tag_invalid":
        return quoted(problem["ctx"]["tag"])
    return _value(problem["input"])


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if value is None:
        return "null"
    return quoted(value)


def _expected(problem: Any, models: list[type[BaseModel]]) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "missing":
        return "this key"
    if kind == "extra_forbidden":
        known = sorted({name for candidate in models for name in candidate.model_fields})
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return f"one of: {', '.join(known)}{hint}"
    if kind == "union_tag_invalid":
        return f"one of: {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return "this key"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return "a mapping"
    if kind == "invalid_key":
        return "a string as key"
    if kind in ("too_short", "too_long"):
        limit = context.get("min_length", context.get("max_length"))
        return f"{'at least' if kind == 'too_short' else 'at most'} {limit} {'entry' if limit == 1 else 'entries'}"
    if kind == "string_pattern_mismatch":
        return f"a string that matches {context['pattern']}"
    message: str = problem["msg"]
    for prefix in ("Input should be ", "Value should be "):
        message = message.removeprefix(prefix)
    return message[0].lower() + message[1:]


def _followed(model: type[BaseModel], location: tuple[Any, ...]) -> tuple[list[str], list[type[BaseModel]]]:
    """A location in the file's own keys, and the models whose fields are allowed around its last one.

    Pydantic puts the tag of a union into the location, where the file has none: it picks one of the models instead.
    """
    keys: list[str] = []
    around: list[type[BaseModel]] = [model]
    models: list[type[BaseModel]] = [model]
    for part in location:
        if part == "[key]":  # pydantic's word for a key that is itself wrong
            continue
        tagged = [candidate for candidate in models if len(models) > 1 and _has_tag(candidate, part)]
        if tagged:
            models = tagged
            continue
        keys.append(_key(part))
        around = models
        annotations = [
            candidate.model_fields[part].annotation for candidate in models if part in candidate.model_fields
        ]
        # Below a mapping's own keys the models stay what they are.
        models = [inner for annotation in annotations for inner in _models_in(annotation)] if annotations else models
    return keys, around


def _has_tag(model: type[BaseModel], tag: Any) -> bool:
    return any(tag in getattr(field.annotation, "__args__", ()) for field in model.model_fields.values())


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [model for part in inner for model in _models_in(part)]
