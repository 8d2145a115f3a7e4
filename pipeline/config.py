"""Typed settings: the base class of every config model, and one-line errors for what does not fit."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import InputError


class Config(BaseModel):
    """Base of all settings: no unknown keys, no coercion (``"3"`` is not 3, ``true`` is not 1), immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


ConfigT = TypeVar("ConfigT", bound=Config)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML 1.2 mapping (so that ``1e-05`` is a number and ``no`` a string), merge keys resolved.

    Raises:
        InputError: the file is missing, is not YAML, repeats a key, or is no mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: file not found") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = " ".join(str(error.problem).split())
        raise InputError(f"{path}{where}: not valid YAML: {problem}") from None
    except YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: found {type(content).__name__}, expected a mapping of keys to values")
    return content


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
        raise InputError(_one_line(error, model, values, where)) from None


def look_up(values: Mapping[str, Any], keys: tuple[str, ...], where: str) -> Any:
    """The value at a path of keys.

    Raises:
        InputError: a key on the way does not exist; the line names it and the keys that do.
    """
    found: Any = values
    for depth, key in enumerate(keys):
        if not isinstance(found, Mapping) or key not in found:
            here = ".".join(keys[: depth + 1])
            known = ", ".join(map(str, found)) if isinstance(found, Mapping) else "none"
            raise InputError(f"{where}: {here}: key not found; expected one of: {known}")
        found = found[key]
    return found


def _one_line(error: ValidationError, model: type[BaseModel], values: Any, where: str) -> str:
    problems = error.errors(include_url=False)
    problem = problems[0]
    location = [str(part) for part in problem["loc"]]
    if problem["type"] == "value_error":
        text = f"{'.'.join(location)}: " if location else ""
        text += str(problem["ctx"]["error"])
    else:
        text = f"{'.'.join(location)}: found {_shown(problem)}, expected {_expected(problem, model)}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where}{text}{more}"


def _shown(problem: Any) -> str:
    if problem["type"] == "missing":
        return "nothing"
    if problem["type"] == "extra_forbidden":
        return "an unknown key"
    value = problem["input"]
    if isinstance(value, Mapping):
        return "a mapping"
    return "null" if value is None else repr(value)


def _expected(problem: Any, model: type[BaseModel]) -> str:
    if problem["type"] == "missing":
        return "this key"
    if problem["type"] == "extra_forbidden":
        known = sorted(_fields_at(model, problem["loc"][:-1]))
        near = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return f"one of: {', '.join(known)}{hint}"
    message: str = problem["msg"]
    for prefix in ("Input should be ", "Value should be ", "List should have "):
        if message.startswith(prefix):
            return message.removeprefix(prefix)
    return message[0].lower() + message[1:]


def _fields_at(model: type[BaseModel], location: tuple[Any, ...]) -> set[str]:
    """Names allowed at a location, following nested models; a mapping's keys and a union's tags are stepped over."""
    models: list[type[BaseModel]] = [model]
    for part in location:
        inner: list[type[BaseModel]] = []
        for candidate in models:
            field = candidate.model_fields.get(str(part))
            inner += _models_in(field.annotation) if field else [candidate]
        models = inner
    return {name for candidate in models for name in candidate.model_fields}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [model for part in inner for model in _models_in(part)]
