"""Ablations: a variant of the model with some of its settings changed, written down as the difference, in a file beside params.yaml."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from pipeline.common.config import Config, ConfigT, look_up, read_yaml, validated
from pipeline.common.errors import InputError

# From the folder of params.yaml, and what it has.
FILE = Path("ablations") / "params.yaml"
SECTIONS = ("ablations", "structures")


class Ablation(Config):
    """Which variant it is of; every key beside that is a setting of the variant that is another one here."""

    model_config = ConfigDict(extra="allow")

    of: str = Field(
        description="The variant (an entry of `variants`) that an ablation takes all its other settings from"
    )

    @property
    def changes(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


def written_out(values: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """All settings of an ablation, as an entry of `variants` would have them; they are not checked.

    Args:
        values: with the sections `ablations` and `variants`.
        where: what goes before the key in an error, e.g. ``"params.yaml: "``.

    Raises:
        InputError: there is no such ablation, or no such variant as it is said to be of.
    """
    entry = look_up(values, ("ablations", name), where.removesuffix(": "))
    ablation = validated(Ablation, entry, f"{where}ablations.{name}.")
    variants = values["variants"]
    if ablation.of not in variants:
        raise InputError(
            f"{where}ablations.{name}.of: found {ablation.of!r}, expected one of: {', '.join(map(str, variants))}"
        )
    return dict(variants[ablation.of] | ablation.changes)


def changes_in(
    changes: Mapping[str, Any] | None,
    variants: Collection[str],
    variant: str,
    ablation: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a data set's `train_users` changes in a variant: settings in every one, and over them those under the variant's name.

    Args:
        variants: names of all.
        ablation: what an ablation of the variant changes, which is its point: nothing under the variant's name goes over it.
    """
    changes = changes or {}
    own = changes.get(variant) or {}
    of_all = {key: value for key, value in changes.items() if key not in variants}
    return of_all | {key: value for key, value in own.items() if key not in (ablation or {})}


def read_all(params: Path) -> dict[str, Any]:
    """The content of params.yaml, with the sections of `FILE`.

    Raises:
        InputError: a file cannot be read, or has a section of the other.
    """
    return with_ablations(read_yaml(params), params)


def with_ablations(values: Mapping[str, Any], params: Path) -> dict[str, Any]:
    """What params.yaml has or is to have, with the sections of `FILE`; without that file there are no ablations."""
    for section in SECTIONS:
        if section in values:
            raise InputError(f"{params}: {section}: found it in this file, expected it in {file_of(section, params)}")
    path = params.parent / FILE
    if not path.is_file():
        return dict(values)
    beside = read_yaml(path)
    for section in beside:
        if section not in SECTIONS:
            raise InputError(f"{path}: {section}: found an unknown key, expected one of: {', '.join(SECTIONS)}")
    return dict(values) | beside


def file_of(key: str, params: Path) -> Path:
    """The file that a key, or an error that starts with one, belongs to."""
    section = key.partition(":")[0].partition(".")[0]
    return params.parent / FILE if section in SECTIONS else params


def validated_in_files(model: type[ConfigT], values: Any, params: Path) -> ConfigT:
    """Check sections of both files together.

    Raises:
        InputError: as `validated` says it, after the name of the file that has the key.
    """
    try:
        return validated(model, values, "")
    except InputError as error:
        raise InputError(f"{file_of(str(error), params)}: {error}") from None
