"""Settings of SDNE."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.common.config import Config


class SdneConfig(Config):
    hidden_widths: list[Annotated[int, Field(ge=1)]] = Field(
        description="Layers between the adjacency row and the code; the decoder mirrors them"
    )
    activation: str = Field(
        pattern="^(tanh|sigmoid|relu)$",
        description="Activation function; use tanh: sigmoid collapses (every cosine near 1)",
    )
    alpha: float = Field(ge=0, description="Weight of the first-order term")
    beta: float = Field(ge=1, description="Weight of reconstructing an edge, relative to a non-edge")
    nu: float = Field(ge=0, description="Weight of the L2 term")
    learning_rate: float = Field(gt=0, le=1, description="Learning rate of Adam")
    batch_size: int = Field(ge=1, description="Adjacency rows per step")
    epochs: int = Field(ge=1, description="At most this many passes over all rows")
    tolerance: float = Field(
        ge=0, lt=1, description="Stop when five passes lower the loss by less than this share; 0: never"
    )
    sampled_columns: int = Field(
        ge=0,
        description="0: each row is reconstructed whole. Otherwise only its edges and this many columns are reconstructed; the "
        "columns are drawn for each batch and stand for all the others. Memory, and almost all of the cost, then grow "
        "with the edges instead of the square of the items",
    )
