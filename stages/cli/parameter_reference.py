"""Print docs/parameters.md: every setting with its type, its range and its meaning, out of the models that check it.

Not a DVC stage. Run `python -m stages.cli.parameter_reference > docs/parameters.md` after a change; a test compares.
"""

from __future__ import annotations

from typing import Any, get_args

from pipeline.common.ablation import Ablation
from pipeline.common.config import Config
from pipeline.common.settings import EngineConfig, TrainingRun
from pipeline.data.settings import DatasetConfig
from pipeline.data.sources import SOURCES
from pipeline.graph.settings import ItemGraphConfig
from pipeline.parameters.params import Changeable, DatasetEntry, Parameters, StageSettings
from pipeline.structure.settings import StructureEntry
from pipeline.text.settings import TextTemplateConfig
from pipeline.users.settings import VariantConfig
from stages.guard import show

HEAD = """# Parameters

Every key of `params.yaml`, and of `ablations/params.yaml`, which has the ablations and structures. This page is made by
`python -m stages.cli.parameter_reference` from the models that check these files. An unknown key, or a value out of its range, is an error:
you get one line, before anything runs.
"""
BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "pattern": "like `{}`",
}


def reference() -> str:
    parts = [HEAD]
    parts += _section(
        "Top level",
        "",
        TrainingRun,
        "Keys outside the sections that are described below.",
    )
    parts += _rows("", EngineConfig)
    parts += _field_rows("", Parameters, "run_variants", "refit", "run_baselines", "ablations", "profiles")
    parts += _section(
        "Data sets",
        "datasets.NAME.",
        TextTemplateConfig,
        "Each data set has an entry. What they share is in `dataset_defaults`, which `<<: *dataset` merges in.",
    )
    parts += _rows("datasets.NAME.", DatasetConfig)
    parts += _rows("datasets.NAME.", ItemGraphConfig)
    parts += _field_rows("datasets.NAME.", DatasetEntry, *get_args(Changeable))
    for source in SOURCES:
        kind = source.model_fields["type"].annotation.__args__[0]  # type: ignore[union-attr]
        parts += _section(f"Source `{kind}`", "datasets.NAME.source.", source, "")
    parts += _section(
        "Variants",
        "variants.NAME.",
        VariantConfig,
        "Models of the users. `run_variants` says which of them are trained; `datasets.NAME.train_users` changes settings of all "
        "of them, and of the ablations, for one data set.",
    )
    parts += _section(
        "Ablations",
        "ablations.NAME.",
        Ablation,
        "In `ablations/params.yaml`. Besides `of`, an ablation has the settings in which it differs from its variant. "
        "`ablations/dvc.yaml` lists the variants that have ablations; for another variant, add a line there.",
    )
    parts += _section(
        "Structures",
        "structures.NAME.",
        StructureEntry,
        "In `ablations/params.yaml`. Other ways to make structural vectors; an ablation uses one by its `structure_source`.",
    )
    for stage, field in StageSettings.model_fields.items():
        assert isinstance(field.annotation, type)
        parts += _section(
            "Baselines" if stage == "baselines" else f"Stage `{stage}`",
            f"{stage}.",
            field.annotation,
            (
                "Values to try, with a key for each baseline; `popularity` has nothing to try and is `{}`. "
                if stage == "baselines"
                else ""
            )
            + f"`datasets.NAME.{stage}` changes some of these settings for a data set.",
        )
    return "\n".join(parts) + "\n"


def _section(title: str, prefix: str, model: type[Config], note: str) -> list[str]:
    lines = [f"\n## {title}\n"]
    if note:
        lines.append(f"{note}\n")
    return [*lines, "| key | values | meaning |", "|---|---|---|", *_rows(prefix, model)]


def _rows(prefix: str, model: type[Config]) -> list[str]:
    rows = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Config):
            rows += _rows(f"{prefix}{name}.", field.annotation)
        else:
            rows += _field_rows(prefix, model, name)
    return rows


def _field_rows(prefix: str, model: type[Config], *names: str) -> list[str]:
    schema = model.model_json_schema()["properties"]
    return [
        f"| `{prefix}{name}` | {_values(schema[name])} | {schema[name].get('description', '').replace('|', '/')} |"
        for name in names
    ]


def _values(field: dict[str, Any]) -> str:
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_values(option) for option in field["anyOf"])
    kinds = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true, false", "null": "null"}
    if field.get("type") == "array":
        return f"list of: {_values(field['items'])}"
    if field.get("type") == "object":
        return "mapping"
    bounds = [text.format(field[name]).replace("|", "\\|") for name, text in BOUNDS.items() if name in field]
    return ", ".join([kinds[field["type"]], *bounds])


if __name__ == "__main__":
    show(reference(), end="")
