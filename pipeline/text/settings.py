"""Settings of the items' texts and of the encoder that reads them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from pipeline.common.config import Config
from pipeline.common.settings import Precision
from pipeline.text.template import template_fields

# The encoder that a package of the package index carries.
PACKAGED = "packaged-minilm"


class TextTemplateConfig(Config):
    text_template: str | None = Field(
        description="The text of an item that BERT reads. Item columns are in braces; missing values are left out cleanly. null: "
        "items have no text"
    )

    @field_validator("text_template")
    @classmethod
    def _is_a_template(cls, value: str | None) -> str | None:
        if value is not None:
            template_fields(value)
        return value


class TextConfig(Config):
    encoder: str = Field(
        min_length=1,
        description=f"`{PACKAGED}`, a folder with a BERT-family model, or a hub id. DVC notes this name and not the weights: give other "
        "weights another name",
    )
    pooling: Literal["cls", "mean"] = Field(
        description="cls: the vector of [CLS], as in the method; mean: the mean over all tokens, as sentence-transformers are trained"
    )
    max_tokens: int = Field(ge=3, le=8192, description="Longer texts are cut; at most the encoder's own limit")
    batch_tokens: int = Field(
        ge=64,
        description="Tokens in a batch, including padding; limits memory. A CPU is fastest with what fits into its cache, a GPU with "
        "more",
    )
    precision: Precision = Field(
        description="Number format of the encoder's arithmetic; bfloat16 is faster if the processor supports it. Vectors are stored "
        "in float32"
    )
