"""The whole of ``params.yaml`` as one typed model, with the rules that hold across sections.

Only the first stage imports this module: every other stage reads just its own part, so that a new setting of one stage
does not make the others run again.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from pipeline.config import Config, read_yaml, validated
from pipeline.dataset import DatasetConfig
from pipeline.evaluation.suite import EvaluationConfig
from pipeline.gat import GatConfig
from pipeline.item_graph import ItemGraphConfig
from pipeline.run_settings import RunConfig
from pipeline.sources import SourceConfig
from pipeline.structure import StructureConfig
from pipeline.text import TextConfig, TextTemplateConfig
from pipeline.training import TrainingConfig


class DatasetEntry(SourceConfig, DatasetConfig, TextTemplateConfig, ItemGraphConfig):
    """Everything that is chosen per data set."""

    profile: str = Field(description="Name of the entry of `profiles` that this data set runs with")


class Profile(Config):
    """One complete set of model settings, a section for each stage."""

    embed_text: TextConfig
    init_sdne: StructureConfig
    train_gat: GatConfig
    train_users: TrainingConfig
    evaluate: EvaluationConfig

    @model_validator(mode="after")
    def _averaged_modalities_are_equally_wide(self) -> Profile:
        users, gat = self.train_users, self.train_gat
        if users.fusion == "average" and users.text_width != gat.output_width:
            raise ValueError(
                f"train_users.fusion: average fusion needs equal widths, found train_users.text_width {users.text_width} "
                f"and train_gat.output_width {gat.output_width}; make them equal or use concat"
            )
        width = users.text_width + (gat.output_width if users.fusion == "concat" else 0)
        if width % users.heads:
            raise ValueError(
                f"train_users.heads: found {users.heads}, expected a divisor of the item vector's width {width} "
                f"(text_width {users.text_width}, output_width {gat.output_width}, fusion {users.fusion})"
            )
        return self


class Parameters(RunConfig):
    """All of ``params.yaml``."""

    dataset_defaults: dict[str, object] = Field(
        default_factory=dict, description="Values that data sets share by a YAML merge key; read by no stage"
    )
    datasets: dict[str, DatasetEntry] = Field(min_length=1, description="Each runs through the pipeline by itself")
    profiles: dict[str, Profile] = Field(min_length=1, description="Sets of model settings; a data set names one")

    @model_validator(mode="after")
    def _names_fit(self) -> Parameters:
        for name, entry in self.datasets.items():
            if not name or not all(character.isalnum() or character in "-_" for character in name):
                raise ValueError(
                    f"datasets: found the name {name!r}, expected letters, digits, '-' and '_' (it names folders)"
                )
            if entry.profile not in self.profiles:
                raise ValueError(
                    f"datasets.{name}.profile: found {entry.profile!r}, expected one of: {', '.join(self.profiles)}"
                )
        return self


def read_parameters(path: Path) -> Parameters:
    """Read and check the whole file.

    Raises:
        InputError: one line with the key, what was found and what is allowed.
    """
    return validated(Parameters, read_yaml(path), f"{path}: ")
