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
    dropout: float = Field(ge=0, lt=1, description="Dropout on layer inputs in training")
    negative_slope: float = Field(ge=0, lt=1, description="Slope of the LeakyReLU for negative inputs")
    learning_rate: float = Field(gt=0, le=1, description="Learning rate of Adam")
    held_out_edges: float = Field(gt=0, lt=0.5, description="Fraction of edges kept back for early stopping")
    epochs: int = Field(ge=1, description="At most this many epochs")
    patience: int = Field(ge=1, description="Stop after this many epochs without a better AUC on the held-out edges")
