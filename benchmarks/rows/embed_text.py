"""Text vectors: our encoder against `SentenceTransformer.encode` on the same model, texts and pooling."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.case import Bound, Case, Figures, Way
from benchmarks.data import DATASET, copy_artifacts

TEXTS = "texts.json"
BATCHES = (32, 64, 256)
DEFAULT_BATCH = 32


@dataclass(frozen=True)
class Ready:
    encode: Callable[[list[str]], Any]
    texts: list[str]


def write_texts(folder: Path, times: int) -> None:
    """Every text of the default data set ``times`` times, in the order of the items."""
    from pipeline.artifacts.data import ITEMS
    from pipeline.text.template import item_texts

    copy_artifacts(folder, ITEMS)
    texts = item_texts(ITEMS.read(DATASET), _settings("datasets", DATASET)["text_template"])
    (folder / TEXTS).write_text(json.dumps(texts * times))


def _settings(*keys: str) -> dict[str, Any]:
    from pipeline.common.config import look_up, read_yaml

    return dict(look_up(read_yaml(Path("params.yaml")), keys, "params.yaml"))


def _config() -> Any:
    from pipeline.text.settings import TextConfig

    return TextConfig(**_settings("embed_text"))


def ours(folder: Path) -> Ready:
    from pipeline.text.encoder import TextEncoder

    return Ready(TextEncoder(_config()).encode, json.loads((folder / TEXTS).read_text()))


def in_bfloat16(folder: Path) -> tuple[Ready, Any]:
    """An encoder in bfloat16, and the vectors of float32 to compare with."""
    from pipeline.text.encoder import TextEncoder

    single = ours(folder)
    low = TextEncoder(_config().model_copy(update={"precision": "bfloat16"}))
    return Ready(low.encode, single.texts), single.encode(single.texts)


def encode_and_compare(ready: tuple[Ready, Any]) -> Figures:
    import numpy as np

    low, single = ready
    vectors = low.encode(low.texts)
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(single, axis=1)
    cosines = np.einsum("nd,nd->n", vectors, single) / norms
    return {"texts": len(vectors), "cosine to float32": float(cosines.mean()), "least": float(cosines.min())}


def sentence_transformer(folder: Path, batch: int) -> Ready:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    from pipeline.text.encoder import packaged_model

    config = _config()
    words = Transformer(str(packaged_model()), max_seq_length=config.max_tokens)
    pooling = Pooling(words.get_word_embedding_dimension(), pooling_mode=config.pooling)
    model = SentenceTransformer(modules=[words, pooling], device="cpu")
    texts = json.loads((folder / TEXTS).read_text())
    return Ready(lambda texts: model.encode(texts, batch_size=batch, show_progress_bar=False), texts)


def encode(ready: Ready) -> Figures:
    vectors = ready.encode(ready.texts)
    return {"texts": len(vectors), "mean of |x|": float(abs(vectors).mean())}


def bound(folder: Path) -> Bound:
    """The matrix products of the encoder, over the tokens of different texts without any padding; its weights read once."""
    from pipeline.text.encoder import TextEncoder

    config = _config()
    encoder = TextEncoder(config)
    texts = sorted(set(json.loads((folder / TEXTS).read_text())))
    lengths = [
        len(ids) for ids in encoder.tokenizer(texts, truncation=True, max_length=encoder.max_tokens)["input_ids"]
    ]
    shape = encoder.model.config
    width, inner, layers = shape.hidden_size, shape.intermediate_size, shape.num_hidden_layers
    tokens, squares = sum(lengths), sum(length * length for length in lengths)
    operations = layers * (2 * tokens * (4 * width**2 + 2 * width * inner) + 4 * width * squares)
    weights = layers * (4 * width**2 + 2 * width * inner) * 4
    # Each layer reads and writes the states around its six products: Q, K, V, attention, output, and the inner layer twice.
    states = layers * tokens * (10 * width + 2 * inner) * 4
    return Bound(
        operations,
        weights + states,
        f"{len(texts):,} different texts, {tokens:,} tokens, {layers} layers of width {width}: 2 x tokens x (4 width² + 2 width x inner) "
        "+ 4 width x Σ length² a layer; the weights once, the states of a layer in and out of each of its products",
    )


def alternatives() -> tuple[Way, ...]:
    names = {batch: f"SentenceTransformer.encode, batch {batch}" for batch in BATCHES}
    return tuple(
        Way(
            names[batch] + (" (its default)" if batch == DEFAULT_BATCH else ""),
            partial(sentence_transformer, batch=batch),
            encode,
            warm=1,
        )
        for batch in BATCHES
    )


def case(task: str, times: int, aim: float) -> Case:
    others = alternatives()
    low = Way(
        "ours, bfloat16",
        in_bfloat16,
        encode_and_compare,
        note="slower where the processor has no bfloat16 instructions",
    )
    return Case(
        stage="embed_text",
        task=task,
        ours=Way("ours", ours, encode, warm=1),
        alternatives=(*others, low) if times == 1 else others,
        inputs=lambda folder: write_texts(folder, times),
        aims={way.name: aim for way in others},
        runs=3,
        bound=bound,
    )


CASES = (
    case("texts of ml-100k", 1, 1.0),
    case("texts of ml-100k, each of them twice", 2, 1.5),
)
