"""bfloat16: the same vectors but for some digits, kept in float32, and said where the machine has to imitate it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipeline.text import precision as text_precision
from pipeline.text.encoder import TextEncoder
from pipeline.text.precision import agreement, without_instructions
from tests.text.test_encoder import WORDS, config, tiny

__all__ = ["tiny"]
LINES = [" ".join(WORDS[:length]) for length in range(1, 7)]


def cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    products = [
        float(sum(a * b for a, b in zip(one, other, strict=True)))
        for one, other in ((left, right), (left, left), (right, right))
    ]
    return products[0] / (products[1] * products[2]) ** 0.5


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_bfloat16_gives_nearly_the_vectors_of_float32_in_float32(tiny: Path, pooling: str) -> None:
    encoder = TextEncoder(config(tiny, pooling, precision="bfloat16"))
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.bfloat16}
    vectors = encoder.encode(LINES)
    single = TextEncoder(config(tiny, pooling)).encode(LINES)
    assert vectors.dtype == single.dtype == np.float32
    assert 0 < np.abs(vectors - single).max() < 0.1


def test_the_mean_over_tokens_is_not_rounded_to_bfloat16(tiny: Path) -> None:
    vectors = torch.from_numpy(TextEncoder(config(tiny, "mean", precision="bfloat16")).encode(LINES))
    assert (vectors != vectors.bfloat16().float()).any()


def test_the_cosines_are_those_of_each_text_to_itself_in_float32(tiny: Path) -> None:
    texts = [LINES[2], "", LINES[0], LINES[2], LINES[5]]
    low = TextEncoder(config(tiny, precision="bfloat16")).encode(texts)
    single = TextEncoder(config(tiny)).encode(texts)
    expected = [cosine(low[row], single[row]) for row in (2, 3, 4)]
    found = agreement(texts, low, config(tiny, precision="bfloat16"))
    assert found.texts == 3
    assert found.mean == pytest.approx(np.mean(expected), abs=1e-6)
    assert found.least == pytest.approx(min(expected), abs=1e-6)
    assert min(expected) < 1 - 1e-6
    assert found.in_words().startswith("cosine to float32 over 3 texts: mean 0.9")


def test_a_sample_of_the_texts_is_encoded_again_from_first_to_last(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_precision, "SAMPLE", 3)
    encoded: list[str] = []
    original = TextEncoder.encode

    def spy(encoder: TextEncoder, texts: Any, **more: Any) -> NDArray[np.float32]:
        assert encoder.config.precision == "float32"
        encoded.extend(texts)
        return original(encoder, texts, **more)

    vectors = TextEncoder(config(tiny)).encode(LINES)
    monkeypatch.setattr(TextEncoder, "encode", spy)
    found = agreement(LINES, vectors, config(tiny, precision="bfloat16"))
    ordered = sorted(LINES)
    assert encoded == [ordered[0], ordered[2], ordered[5]]
    assert found.least == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("capabilities", "said"),
    [({"avx2": True, "amx_bf16": False}, 1), ({"amx_bf16": False, "avx512_bf16": True}, 0)],
)
def test_a_processor_without_bfloat16_is_said_in_one_line(
    capabilities: dict[str, bool], said: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    warnings = without_instructions("cpu")
    assert len(warnings) == said
    assert all("this processor has no bfloat16 instructions" in line for line in warnings)


def test_a_gpu_is_asked_for_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    assert without_instructions("cuda") == [
        "precision: this GPU has no bfloat16 instructions: it works, but more slowly than float32"
    ]
