"""What the encoder's precision costs and gives: whether the processor has it, and how near the vectors are to those of float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from pipeline.text.encoder import TextEncoder
from pipeline.text.settings import TextConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Texts that are encoded once more, in float32.
SAMPLE = 100


class Agreement(NamedTuple):
    """Cosines of vectors to those of the same texts in float32, over ``texts`` of them."""

    mean: float
    least: float
    texts: int

    def in_words(self) -> str:
        return f"cosine to float32 over {self.texts} texts: mean {self.mean:.5f}, least {self.least:.5f}"


def agreement(
    texts: Sequence[str], vectors: NDArray[np.float32], config: TextConfig, device: torch.device | str = "cpu"
) -> Agreement:
    """Encode at most `SAMPLE` of the different texts in float32, by equal steps through their order, and compare.

    Args:
        texts: M texts, not all of them empty.
        vectors: theirs, (M, width).
        config: with which they were made; its precision does not matter.
    """
    of_text = {text: row for row, text in enumerate(texts) if text}
    different = sorted(of_text)
    chosen = [different[index] for index in np.linspace(0, len(different) - 1, min(SAMPLE, len(different))).astype(int)]
    single = TextEncoder(config.model_copy(update={"precision": "float32"}), device).encode(chosen)
    found = vectors[[of_text[text] for text in chosen]]
    norms = np.linalg.norm(single, axis=1) * np.linalg.norm(found, axis=1)
    cosines = np.einsum("nd,nd->n", single, found) / norms
    return Agreement(float(cosines.mean()), float(cosines.min()), len(chosen))


def without_instructions(device: torch.device | str) -> list[str]:
    """A warning where this machine has to imitate bfloat16."""
    if torch.device(device).type == "cuda":
        has, what = torch.cuda.is_bf16_supported(including_emulation=False), "GPU"
    else:
        capabilities = torch.cpu.get_capabilities()
        has, what = any(there for name, there in capabilities.items() if "bf16" in name), "processor"
    if has:
        return []
    return [f"precision: this {what} has no bfloat16 instructions: it works, but more slowly than float32"]
