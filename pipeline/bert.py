"""The encoder of the packaged model, without transformers, whose loading takes as long as encoding a small catalogue.

BERT's layers (Devlin, Chang, Lee, Toutanova, NAACL 2019) by the operations and in the order of transformers' `BertModel`: the same
bytes. Only what the packaged model has: learned positions, GELU, one segment, no decoder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

# Our names of a layer's parts, and those in the file.
LAYER_PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attended": "attention.output.dense",
    "attended_norm": "attention.output.LayerNorm",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "norm": "output.LayerNorm",
}


class States(NamedTuple):
    """As transformers gives them; (texts, tokens, width)."""

    last_hidden_state: torch.Tensor


class Layer(nn.Module):
    """Attention, and a network of two layers; what each gives is added to what it read, and normalised."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        width, epsilon = config.hidden_size, config.layer_norm_eps
        self.heads = config.num_attention_heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.attended, self.attended_norm = nn.Linear(width, width), nn.LayerNorm(width, eps=epsilon)
        self.inner = nn.Linear(width, config.intermediate_size)
        self.outer, self.norm = nn.Linear(config.intermediate_size, width), nn.LayerNorm(width, eps=epsilon)

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """
        Args:
            states: (texts, tokens, width).
            mask: (texts, 1, tokens, tokens), which token may look at which; None where each may at all.
        """
        query, key, value = (
            part(states).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        states = self.attended_norm(self.attended(attended.transpose(1, 2).flatten(-2)) + states)
        found: torch.Tensor = self.norm(self.outer(functional.gelu(self.inner(states))) + states)
        return found


class Bert(nn.Module):
    """Called as ``bert(input_ids=..., attention_mask=...)``, each (texts, tokens)."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        width = config.hidden_size
        self.words = nn.Parameter(torch.empty(config.vocab_size, width))
        self.segments = nn.Parameter(torch.empty(config.type_vocab_size, width))
        self.positions = nn.Parameter(torch.empty(config.max_position_embeddings, width))
        self.norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> States:
        tokens = input_ids.shape[1]
        states = self.norm(functional.embedding(input_ids, self.words) + self.segments[0] + self.positions[:tokens])
        mask = None
        if not bool(attention_mask.all()):
            mask = attention_mask.bool()[:, None, None, :].expand(-1, 1, tokens, -1)
        for layer in self.layers:
            states = layer(states, mask)
        return States(states)


class Tokenizer:
    """What is used of transformers' tokenizers, by the same names."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer as Words

        about = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        self._words = Words.from_file(str(folder / "tokenizer.json"))
        self._words.no_padding()
        self.model_max_length = int(about["model_max_length"])
        self.cls_token_id = self._words.token_to_id(about["cls_token"])
        self.pad_token_id = self._words.token_to_id(about["pad_token"])

    def __call__(
        self, texts: Sequence[str], *, truncation: bool = False, max_length: int | None = None
    ) -> dict[str, list[list[int]]]:
        if truncation and max_length is not None:
            self._words.enable_truncation(max_length)
        else:
            self._words.no_truncation()
        return {"input_ids": [found.ids for found in self._words.encode_batch(list(texts))]}


def load_packaged(folder: Path) -> tuple[Tokenizer, Bert]:
    """Tokenizer and model of the packaged model's folder."""
    from safetensors.torch import load_file

    config = SimpleNamespace(**json.loads((folder / "config.json").read_text(encoding="utf-8")))
    with torch.device("meta"):
        model = Bert(config)
    files = {
        "words": "embeddings.word_embeddings.weight",
        "segments": "embeddings.token_type_embeddings.weight",
        "positions": "embeddings.position_embeddings.weight",
        "norm": "embeddings.LayerNorm",
    }
    for number in range(config.num_hidden_layers):
        files |= {f"layers.{number}.{ours}": f"encoder.layer.{number}.{part}" for ours, part in LAYER_PARTS.items()}
    stored = load_file(folder / "model.safetensors")
    weights = {}
    for name in model.state_dict():
        part, _, kind = name.rpartition(".")
        weights[name] = stored[files[name] if name in files else f"{files[part]}.{kind}"]
    model.load_state_dict(weights, assign=True)
    return Tokenizer(folder), model
