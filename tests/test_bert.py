"""The packaged model's encoder against transformers'."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from typing import Any

import pytest
import torch

from pipeline.bert import load_packaged
from pipeline.text import packaged_model

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does

LINES = [
    "Alien (1979). Horror, Sci-Fi",
    "Cité des enfants perdus, La (1995) \u2013 na\u00efve \u4e2d\u6587 \U0001f600",
    "",
    "antidisestablishmentarianism " * 40,
    "Babe [SEP] [CLS] ##s\t\n 12,345.6",
]


@cache
def theirs() -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer

    folder = packaged_model()
    return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.mark.parametrize("most", [None, 3, 16, 512])
def test_texts_are_cut_into_the_same_tokens(most: int | None) -> None:
    tokenizer, expected = load_packaged(packaged_model())[0], theirs()[0]
    cut = {"truncation": most is not None, "max_length": most}
    assert tokenizer(LINES, **cut)["input_ids"] == expected(LINES, **cut)["input_ids"]  # type: ignore[arg-type]
    # What was asked for once does not stay.
    assert tokenizer(LINES)["input_ids"] == expected(LINES)["input_ids"]
    for name in ("cls_token_id", "pad_token_id", "model_max_length"):
        assert getattr(tokenizer, name) == getattr(expected, name)


@pytest.mark.parametrize("lines", [LINES[:1], [LINES[0], LINES[1], LINES[2]], [LINES[4]] * 3])
def test_the_states_are_those_of_transformers(lines: list[str]) -> None:
    _, model = load_packaged(packaged_model())
    tokenizer, expected = theirs()
    batch = tokenizer(lines, padding=True, return_tensors="pt")
    del batch["token_type_ids"]
    with torch.inference_mode():
        found, states = model.eval()(**batch).last_hidden_state, expected(**batch).last_hidden_state
    there = batch["attention_mask"].bool()
    torch.testing.assert_close(found[there], states[there], atol=1e-6, rtol=1e-5)


def test_it_has_the_sizes_of_the_model() -> None:
    _, model = load_packaged(packaged_model())
    assert sum(weights.numel() for weights in model.parameters()) == sum(
        weights.numel() for name, weights in theirs()[1].named_parameters() if not name.startswith("pooler")
    )
    assert model.config.hidden_size == theirs()[1].config.hidden_size


def test_neither_transformers_nor_pytorchs_compiler_is_loaded() -> None:
    program = """
import sys
from pipeline.text import TextConfig, TextEncoder
config = TextConfig(encoder="packaged-minilm", pooling="cls", max_tokens=16, batch_tokens=64, precision="float32")
print(TextEncoder(config).encode(["Alien", "Babe (1995)"]).shape, sorted({"transformers", "torch._dynamo"} & {*sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(2, 384) []"
