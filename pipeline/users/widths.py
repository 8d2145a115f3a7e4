"""Which widths fit together, without PyTorch: settings and models hold to the same rules."""

from __future__ import annotations

from pipeline.common.errors import InputError


def check_heads(attention_heads: int, width: int) -> None:
    """Whether the heads of an attention share out the item vector's width.

    Raises:
        InputError: they do not divide it.
    """
    if width % attention_heads:
        raise InputError(
            f"attention_heads: found {attention_heads}, expected a divisor of the item vector's width {width}"
        )


def check_average(width: int, structural: int) -> None:
    """Whether `average` fusion can add up vectors of width d_h and structural vectors.

    Raises:
        InputError: they are not equally wide.
    """
    if width != structural:
        raise InputError(
            f"fusion: average fusion needs equal widths, found width {width} and structural vectors {structural} wide; "
            "make them equal or use concat or linear"
        )
