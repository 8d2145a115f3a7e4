"""The whole of ``params.yaml`` as one typed model, with the rules that hold across sections.

Only the first stage imports this module: every other stage reads just its own part, so that a new setting of one stage
does not make the others run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from pipeline.common.config import Config, read_yaml, validated
from pipeline.common.settings import RunConfig
from pipeline.data.settings import DatasetConfig
from pipeline.data.sources import SourceConfig
from pipeline.evaluation.baselines import BaselineConfig
from pipeline.evaluation.suite import ComparisonConfig
from pipeline.graph.settings import ItemGraphConfig
from pipeline.parameters.ablation import written_out
from pipeline.parameters.runs import RunAblations
from pipeline.recommend.settings import RecommendConfig
from pipeline.structure.gat.settings import GatConfig
from pipeline.structure.settings import StructureConfig, StructureEntry
from pipeline.text.settings import TextConfig, TextTemplateConfig
from pipeline.users.settings import VariantConfig


class DatasetEntry(SourceConfig, DatasetConfig, TextTemplateConfig, ItemGraphConfig):
    """Everything that is chosen per data set."""

    profile: str = Field(description="Name of the entry of `profiles` that this data set runs with")
    train_users: dict[str, object] = Field(
        description="What changes for this data set in every variant, e.g. `epochs: 5`"
    )


class Profile(Config):
    """One complete set of settings of the stages around the user model, a section for each stage."""

    embed_text: TextConfig
    init_sdne: StructureConfig
    train_gat: GatConfig
    evaluate_baselines: BaselineConfig
    compare: ComparisonConfig
    recommend: RecommendConfig


class Parameters(RunAblations, RunConfig):
    """All of ``params.yaml``."""

    dataset_defaults: dict[str, object] = Field(
        default_factory=dict, description="Values that data sets share by a YAML merge key; read by no stage"
    )
    datasets: dict[str, DatasetEntry] = Field(min_length=1, description="Each runs through the pipeline by itself")
    profiles: dict[str, Profile] = Field(
        min_length=1, description="Settings of the stages before and after the users; a data set names one"
    )
    variants: dict[str, VariantConfig] = Field(min_length=1, description="Models of the users, by name")
    structures: dict[str, StructureEntry] = Field(
        description="Other ways to make structural vectors, by name; `structure_source` of a variant names one"
    )

    @model_validator(mode="after")
    def _names_fit(self) -> Parameters:
        for kind in ("datasets", "variants", "ablations", "structures"):
            for name in getattr(self, kind):
                if not name or not all(character.isalnum() or character in "-_" for character in name):
                    raise ValueError(
                        f"{kind}: found the name {name!r}, expected letters, digits, '-' and '_' (it names folders)"
                    )
        for name, entry in self.datasets.items():
            if entry.profile not in self.profiles:
                raise ValueError(
                    f"datasets.{name}.profile: found {entry.profile!r}, expected one of: {', '.join(self.profiles)}"
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
        for name in self.ablations:
            if name in self.variants:
                raise ValueError(f"ablations.{name}: found the name of a variant, expected another: both name folders")
        for (kind, name), variant in self._models().items():
            self._check_source(variant.structure_source, f"{kind}.{name}")
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
    def _variants_fit_the_data_sets(self) -> Parameters:
        """What only shows when a variant meets a data set's profile and changes is said before any training starts."""
        for name, source in self.structures.items():
            for profile in self.profiles.values():
                try:
                    StructureConfig.model_validate(profile.init_sdne.model_dump() | source.init_sdne)
                except ValidationError as error:
                    where = f"structures.{name}.init_sdne"
                    raise ValueError(_first_line(error, source.init_sdne, where, "init_sdne")) from None
        for key, entry in self.datasets.items():
            profile = self.profiles[entry.profile]
            for (kind, name), model in self._models().items():
                if kind == "variants" and name not in self.run_variants:
                    continue
                try:
                    changed = VariantConfig.model_validate(model.model_dump() | entry.train_users)
                except ValidationError as error:
                    where = f"datasets.{key}.train_users"
                    raise ValueError(_first_line(error, entry.train_users, where, "a variant", name)) from None
                self._check_source(changed.structure_source, f"datasets.{key}.train_users")
                if changed.structure_source and name in self.run_variants:
                    raise ValueError(
                        f"run_variants: found {name!r}, whose structure_source {changed.structure_source!r} is made for "
                        "ablations alone; expected variants with structure_source ''"
                    )
                made = self.structures.get(changed.structure_source)
                _check_widths(changed, profile, made.init_sdne if made else {}, f"{kind}.{name}", key)
        return self

    def _check_source(self, source: str, where: str) -> None:
        if source and source not in self.structures:
            known = ", ".join([*self.structures, "''"])
            raise ValueError(f"{where}.structure_source: found {source!r}, expected one of: {known}")


def _first_line(error: ValidationError, changes: Mapping[str, object], where: str, what: str, variant: str = "") -> str:
    """What is wrong with settings over which changes were laid, named by the change's own place in the file."""
    problem = error.errors(include_url=False)[0]
    of_variant = f" (variant {variant})" if variant else ""
    if problem["type"] == "extra_forbidden":
        return f"{where}.{problem['loc'][0]}: found an unknown key, expected settings of {what}"
    if problem["type"] == "value_error":
        # A rule's message starts with the key it is about, which need not be one of those that were changed.
        text = str(problem["ctx"]["error"])
        return f"{where}{'.' if text.split(':')[0] in changes else ': '}{text}{of_variant}"
    key = str(problem["loc"][0])
    return (
        f"{where}.{key}: found {changes[key]!r}, expected {problem['msg'].removeprefix('Input should be ')}{of_variant}"
    )


def _check_widths(
    variant: VariantConfig, profile: Profile, init_sdne: Mapping[str, object], where: str, dataset: str
) -> None:
    initial = StructureConfig.model_validate({**profile.init_sdne.model_dump(), **init_sdne}).dimensions
    structural = profile.train_gat.output_width if variant.structure == "gat" else initial
    if "structure" not in variant.modalities:
        structural = 0
    if structural and variant.fusion == "average" and variant.width != structural:
        raise ValueError(
            f"{where}.fusion: average fusion needs equal widths, found width {variant.width} and structural vectors "
            f"{structural} wide (data set {dataset}); make them equal or use concat or linear"
        )
    width = variant.width
    if variant.fusion == "concat":
        width = width * len([name for name in variant.modalities if name != "structure"]) + structural
    if variant.attention != "none" and width % variant.attention_heads:
        raise ValueError(
            f"{where}.attention_heads: found {variant.attention_heads}, expected a divisor of the item vector's width {width} "
            f"(fusion {variant.fusion}, data set {dataset})"
        )


def read_parameters(path: Path) -> Parameters:
    """Read and check the whole file.

    Raises:
        InputError: one line with the key, what was found and what is allowed.
    """
    return validated(Parameters, read_yaml(path), f"{path}: ")
