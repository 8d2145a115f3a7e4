"""All parameters, ``params.yaml`` and the ablations beside it, as one typed model with the rules that hold across sections.

Only the first stage imports this module: every other stage reads just its own part, so that a new setting of one stage
does not make the others run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError, model_validator

from pipeline.common.ablation import changes_in, read_all, validated_in_files, written_out
from pipeline.common.config import Config, ConfigT, changed, look_up, validated
from pipeline.common.errors import InputError, quoted, shortened
from pipeline.common.settings import EngineConfig, TrainingRun
from pipeline.data.settings import DatasetConfig
from pipeline.data.sources import SourceConfig
from pipeline.evaluation.baselines.registry import BaselineSettings
from pipeline.evaluation.comparison.suite import ComparisonConfig
from pipeline.graph.settings import ItemGraphConfig
from pipeline.image.settings import ImageConfig
from pipeline.parameters.runs import RunAblations, RunSystems
from pipeline.recommend.settings import RecommendConfig, RefitConfig
from pipeline.structure.gat.settings import GatConfig
from pipeline.structure.settings import StructureConfig, StructureEntry
from pipeline.text.settings import TextConfig, TextTemplateConfig
from pipeline.users.modalities.names import FIXED
from pipeline.users.settings import VariantConfig

# In bytes. Two of them are in names of files, with some words, and no disk takes names of more than 255.
LONGEST_NAME = 100


class StageSettings(Config):
    """The stages before and after the users, a section for each."""

    embed_text: TextConfig
    embed_image: ImageConfig
    init_sdne: StructureConfig
    train_gat: GatConfig
    baselines: BaselineSettings
    compare: ComparisonConfig
    recommend: RecommendConfig


# Stages whose settings a data set may change; of `train_users` those of every variant.
Changeable = Literal[
    "embed_text", "embed_image", "init_sdne", "train_gat", "train_users", "baselines", "compare", "recommend"
]
Change = Annotated[
    dict[str, object] | None,
    Field(description="Changes to the section of the same name for this data set; null: none"),
]


class DatasetEntry(SourceConfig, DatasetConfig, TextTemplateConfig, ItemGraphConfig):
    """Everything that is chosen per data set."""

    # A missing key would be nothing to DVC, whose stages depend on each of them.
    embed_text: Change
    embed_image: Change
    init_sdne: Change
    train_gat: Change
    train_users: dict[str, object] | None = Field(
        description="Changes to every variant for this data set, e.g. `{epochs: 5}`; changes under a variant's name apply to that "
        "variant only; null: none"
    )
    baselines: Change
    compare: Change
    recommend: Change

    @property
    def changes(self) -> dict[str, dict[str, Any]]:
        """What changes, by stage."""
        return {stage: found for stage in get_args(Changeable) if (found := getattr(self, stage))}


class Parameters(StageSettings, RefitConfig, RunAblations, RunSystems, EngineConfig, TrainingRun):
    """All of ``params.yaml`` and ``ablations/params.yaml``."""

    dataset_defaults: dict[str, object] = Field(
        default_factory=dict, description="Values that data sets share by a YAML merge key; read by no stage"
    )
    datasets: dict[str, DatasetEntry] = Field(min_length=1, description="Each runs through the pipeline by itself")
    profiles: dict[str, dict[Changeable, dict[str, object]]] = Field(
        description="Sets of changes that `crmman data add --profile` writes into a data set's entry; read by no stage"
    )
    variants: dict[str, VariantConfig] = Field(min_length=1, description="Models of the users, by name")
    structures: dict[str, StructureEntry] = Field(
        description="Other ways to make structural vectors, by name; `structure_source` of a variant names one"
    )

    def recommend_of(self, dataset: str) -> RecommendConfig:
        """How a data set's items are recommended."""
        return RecommendConfig.model_validate(changed(self.recommend.model_dump(), self.datasets[dataset].recommend))

    @model_validator(mode="after")
    def _names_fit(self) -> Parameters:
        for kind in ("datasets", "variants", "ablations", "structures"):
            for name in getattr(self, kind):
                if not name or not all(character.isalnum() or character in "-_" for character in name):
                    raise ValueError(
                        f"{kind}: found the name {quoted(name)}, expected letters, digits, '-' and '_' (it names folders)"
                    )
                if len(name.encode()) > LONGEST_NAME:
                    raise ValueError(
                        f"{kind}: found the name {shortened(name, 30)!r} of {len(name.encode())} bytes, expected at most "
                        f"{LONGEST_NAME} (it names files)"
                    )
        # Settings of a variant have defaults for stored models alone: the file shows all that a run depends on.
        for name, variant in self.variants.items():
            for key in VariantConfig.model_fields:
                if key not in variant.model_fields_set:
                    raise ValueError(f"variants.{name}.{key}: found nothing, expected this key")
        for name in self.run_variants:
            if name not in self.variants:
                raise ValueError(f"run_variants: found {name!r}, expected some of: {', '.join(self.variants)}")
        if len(set(self.run_variants)) < len(self.run_variants):
            raise ValueError(f"run_variants: found {self.run_variants}, expected each at most once")
        for dataset, name in self.refit.items():
            if dataset not in self.datasets:
                raise ValueError(f"refit: found the data set {dataset!r}, expected some of: {', '.join(self.datasets)}")
            if name not in self.run_variants:
                raise ValueError(
                    f"refit.{dataset}: found {name!r}, expected one of run_variants: {', '.join(self.run_variants)}"
                )
        for name in self.ablations:
            if name in self.variants:
                raise ValueError(f"ablations.{name}: found the name of a variant, expected another: both name folders")
        for (kind, name), variant in self._models().items():
            self._check_structure(variant.structure_source, f"{kind}.{name}")
            self._check_modalities(variant.modalities, f"{kind}.{name}")
        return self

    def _models(self) -> dict[tuple[str, str], VariantConfig]:
        """Variants and ablations, these with what they take over, by section and name.

        Raises:
            InputError: an ablation is of no variant, or what it changes does not fit.
        """
        models = {("variants", name): variant for name, variant in self.variants.items()}
        values = self.model_dump(include={"variants", "ablations"})
        for name in self.ablations:
            models["ablations", name] = validated(VariantConfig, written_out(values, name, ""), f"ablations.{name}.")
        return models

    @model_validator(mode="after")
    def _changes_fit(self) -> Parameters:
        """What only shows when a variant meets a data set's changes is said before any training starts."""
        models = self._models()
        for name, entry in self.datasets.items():
            self._check_changes(entry.changes, models, f"datasets.{name}", f"data set {name}")
        for name, profile in self.profiles.items():
            self._check_changes(profile, models, f"profiles.{name}", f"profile {name}")
        return self

    def _check_changes(
        self,
        changes: Mapping[Any, Mapping[str, Any]],
        models: Mapping[tuple[str, str], VariantConfig],
        where: str,
        who: str,
    ) -> None:
        """The settings of all stages with a set of changes.

        Args:
            where: the changes' place in the file.
            who: whose they are, in words.
        """
        stages: dict[str, Any] = {
            stage: _changed_section(getattr(self, stage), changes.get(stage, {}), f"{where}.{stage}", stage)
            for stage in StageSettings.model_fields
        }
        initial = {"": stages["init_sdne"]}
        for name, structure in self.structures.items():
            initial[name] = _changed_section(
                stages["init_sdne"], structure.init_sdne, f"structures.{name}.init_sdne", "init_sdne"
            )
        for (kind, name), model in models.items():
            if kind == "variants" and name not in self.run_variants:
                continue
            ablation = self.ablations[name] if kind == "ablations" else None
            of_variants = changes_in(
                changes.get("train_users"),
                self.variants,
                ablation.of if ablation else name,
                ablation.changes if ablation else None,
            )
            variant = _changed_section(model, of_variants, f"{where}.train_users", "a variant", name)
            self._check_structure(variant.structure_source, f"{where}.train_users")
            self._check_modalities(variant.modalities, f"{where}.train_users")
            if variant.structure_source and name in self.run_variants:
                raise ValueError(
                    f"run_variants: found {name!r}, whose structure_source {variant.structure_source!r} is made for "
                    "ablations only; expected variants with structure_source ''"
                )
            _check_widths(variant, stages, initial[variant.structure_source], f"{kind}.{name}", who)

    def _check_modalities(self, names: Sequence[str], where: str) -> None:
        own = [name for entry in self.datasets.values() for name in getattr(entry.source, "vectors", [])]
        known = list(dict.fromkeys([*FIXED, *own]))
        for name in names:
            if name not in known:
                raise ValueError(
                    f"{where}.modalities: found {name!r}, expected some of: {', '.join(known)}"
                    + ("" if own else "; or vectors that a data set's source names")
                )

    def _check_structure(self, name: str, where: str) -> None:
        if name and name not in self.structures:
            known = ", ".join([*self.structures, "''"])
            raise ValueError(f"{where}.structure_source: found {name!r}, expected one of: {known}")


def _changed_section(section: ConfigT, changes: Mapping[str, Any], where: str, what: str, variant: str = "") -> ConfigT:
    """Settings with changes laid over them, checked.

    Args:
        what, variant: whose settings they are, in words; and of which variant.

    Raises:
        ValueError: the line names the change by its own place in the file.
    """
    try:
        return type(section).model_validate(changed(section.model_dump(), changes))
    except ValidationError as error:
        raise ValueError(_first_line(error, changes, where, what, variant)) from None


def _first_line(error: ValidationError, changes: Mapping[str, Any], where: str, what: str, variant: str) -> str:
    problem = error.errors(include_url=False)[0]
    keys = list(takewhile(lambda part: isinstance(part, str), problem["loc"]))
    key = ".".join(map(str, keys))
    of_variant = f" (variant {variant})" if variant else ""
    if problem["type"] == "extra_forbidden":
        return f"{where}.{key}: found an unknown key, expected settings of {what}"
    if problem["type"] == "value_error":
        # A rule's message starts with the key it is about, which need not be one of those that were changed.
        text = str(problem["ctx"]["error"])
        return f"{where}{'.' if text.split(':')[0] in changes else ': '}{text}{of_variant}"
    found = look_up(changes, tuple(map(str, keys)), where)
    return f"{where}.{key}: found {found!r}, expected {problem['msg'].removeprefix('Input should be ')}{of_variant}"


def _check_widths(
    variant: VariantConfig, stages: Mapping[str, Any], init_sdne: StructureConfig, where: str, who: str
) -> None:
    structural = stages["train_gat"].output_width if variant.structure == "gat" else init_sdne.dimensions
    try:
        variant.check_widths(structural)
    except InputError as error:
        raise ValueError(f"{where}.{error} (fusion {variant.fusion}, {who})") from None


def read_parameters(path: Path) -> Parameters:
    """Read and check the whole of params.yaml, and of the ablations beside it.

    Raises:
        InputError: one line with the file, the key, what was found and what is allowed.
    """
    return validated_in_files(Parameters, read_all(path), path)
