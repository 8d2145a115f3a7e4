"""Settings of the graph attention network."""

from __future__ import annotations

from pydantic import Field

from pipeline.common.config import Config


class GatConfig(Config):
    heads: int = Field(ge=1, le=64, description="Attention heads of both layers")
    hidden_width: int = Field(ge=1, le=4096, description="Width of layer 1 per head; its heads are concatenated")
    output_width: int = Field(
        ge=1, le=4096, description="Width of p'', the structural vector; layer 2's heads are averaged"
    )
    dropout: float = Field(ge=0, lt=1, description="On layer inputs, in training")
    negative_slope: float = Field(ge=0, lt=1, description="Of the LeakyReLU")
    learning_rate: float = Field(gt=0, le=1, description="Of Adam")
    held_out_edges: float = Field(gt=0, lt=0.5, description="Fraction of edges kept back for early stopping")
    epochs: int = Field(ge=1, description="At most this many")
    patience: int = Field(ge=1, description="Epochs without a better AUC on the masked edges before stopping")
