"""What is cut into blocks, each as a function of who works on them, to bytes; small enough to be done many times."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from transformers import BertConfig, BertModel

from pipeline.common.blocks import MapBlocks
from pipeline.evaluation.protocols import split
from pipeline.evaluation.systems.system import evaluate_system
from pipeline.graph import overlap_join
from pipeline.recommend import recommend
from pipeline.text.encoder import TextEncoder
from pipeline.users.model import Model
from pipeline.users.people import people_of
from pipeline.users.trained import TrainedModel
from tests.evaluation.worlds import random_dataset
from tests.graph.test_overlap_join import random_sets
from tests.text.test_encoder import config as text_config
from tests.text.test_encoder import save_tokenizer
from tests.users.test_trained import ITEMS, USERS, arrays_of, config

# At least; of each work.
BLOCKS = 4


@cache
def world() -> tuple[Any, Model]:
    data, variant = random_dataset(USERS, ITEMS), config(co_rating_l2=10.0, terms=["overlap", "popularity"])
    # Scores in few steps, so that items share places and some are drawn.
    arrays = arrays_of(variant, data)
    arrays["items"] = np.round(arrays["items"])
    return data, Model.from_arrays(arrays, variant, data.items)


@cache
def encoder(folder: Path) -> TextEncoder:
    save_tokenizer(folder)
    torch.manual_seed(3)
    sizes = {"vocab_size": 15, "hidden_size": 8, "intermediate_size": 16, "max_position_embeddings": 12}
    BertModel(BertConfig(num_hidden_layers=2, num_attention_heads=2, initializer_range=0.7, **sizes)).save_pretrained(
        folder
    )
    return TextEncoder(text_config(folder, batch_tokens=64))


def embedded(folder: Path, map_blocks: MapBlocks) -> bytes:
    lines = [f"{'alien ' * (number % 9)}babe {'night ' * (number // 9)}" for number in range(60)]
    return encoder(folder).encode(lines, map_blocks=map_blocks).tobytes()


def joined(folder: Path, map_blocks: MapBlocks) -> bytes:
    incidence = csr_matrix(random_sets(200, 60, seed=1), dtype=np.int32)
    return pickle.dumps([frame.rows() for frame in overlap_join.overlap_join(incidence, 2, map_blocks=map_blocks)])


def recommended(folder: Path, map_blocks: MapBlocks) -> bytes:
    data, model = world()
    found = recommend.recommended(model, people_of(data, np.arange(data.users)), 5, 2, map_blocks=map_blocks)
    return pickle.dumps([[np.asarray(part).tolist() for part in (*one[:3], *one[3][:3], *one[3][3])] for one in found])


def evaluated(folder: Path, map_blocks: MapBlocks) -> bytes:
    data, model = world()
    found = evaluate_system("mine", TrainedModel(model, data), data, map_blocks=map_blocks)
    return pickle.dumps([frame.rows() for frame in vars(found).values()])


WORKS: dict[str, Callable[[Path, MapBlocks], bytes]] = {
    "embed_text": embedded,
    "build_graph": joined,
    "recommend": recommended,
    "evaluate": evaluated,
}


@contextmanager
def small_blocks() -> Iterator[None]:
    """So small that each work has some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "BLOCK_CELLS", 3 * ITEMS)
        patch.setattr(recommend, "BLOCK_USERS", 3)
        yield


def killing(map_blocks: MapBlocks, marker: Path, block: int) -> MapBlocks:
    """The same, but for a worker that is killed at one of the blocks, when it is worked on for the first time."""

    def with_a_kill(work: Callable[..., Any], blocks: Sequence[Any], *shared: Any, **shown: Any) -> Iterator[Any]:
        at = pickle.dumps(blocks[block])
        return map_blocks(partial(_killed_once, work, at, marker, os.getpid()), blocks, *shared, **shown)

    return with_a_kill


def _killed_once(work: Callable[..., Any], at: bytes, marker: Path, never: int, block: Any, *shared: Any) -> Any:
    if pickle.dumps(block) == at and not marker.exists() and os.getpid() != never:
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return work(block, *shared)
