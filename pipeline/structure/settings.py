"""Settings of the structural vectors that the GAT starts from: SDNE's, another method's, and what an entry of `structures` changes."""

from __future__ import annotations

from pydantic import Field, field_validator

from pipeline.graph.settings import DerivedGraphConfig
from pipeline.structure.sdne.settings import SdneConfig

# The neighbourhood embeddings of karateclub 1.3.3, named here so that a wrong name is found without importing it.
KARATECLUB_METHODS = (
    "BoostNE",
    "DeepWalk",
    "Diff2Vec",
    "FirstOrderLINE",
    "GLEE",
    "GraRep",
    "HOPE",
    "LaplacianEigenmaps",
    "NMFADMM",
    "NetMF",
    "Node2Vec",
    "NodeSketch",
    "RandNE",
    "SecondOrderLINE",
    "SocioDim",
    "Walklets",
)


class StructureConfig(SdneConfig):
    method: str = Field(
        min_length=1, description="`sdne`, or a class of karateclub.node_embedding.neighbourhood such as DeepWalk"
    )
    dimensions: int = Field(ge=1, le=4096, description="Width of the vectors")
    karateclub_options: dict[str, bool | int | float | str | list[float]] = Field(
        description="Further arguments for the karateclub class; ignored by sdne"
    )

    @field_validator("karateclub_options")
    @classmethod
    def _leaves_our_own_settings_alone(cls, value: dict[str, object]) -> dict[str, object]:
        for name, instead in (("seed", "the file's own `seed`"), ("dimensions", "`dimensions` beside `method`")):
            if name in value:
                raise ValueError(f"karateclub_options: found {name!r}, expected {instead}")
        return value

    @field_validator("method")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value != "sdne" and value not in KARATECLUB_METHODS:
            raise ValueError(f"method: found {value!r}, expected sdne or one of: {', '.join(KARATECLUB_METHODS)}")
        return value


class StructureEntry(DerivedGraphConfig):
    """An entry of `structures`: another way to make structural vectors."""

    init_sdne: dict[str, object] = Field(description="Changes to the settings of the stage `init_sdne`")
