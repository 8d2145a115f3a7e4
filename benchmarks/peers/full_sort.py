"""RecBole's full-sort evaluation of given vectors, as its own Trainer does it, in the environment of the peers.

A folder holds `users.npy` and `items.npy`, vectors whose inner products are the scores, and `pairs.npz` with `train` and `valid`, pairs
that are left out, and `test`, the likes that are looked for; each (2, pairs).
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.peers import shims
from benchmarks.peers.export import NAME

SPLITS = ("train", "valid", "test")
METRICS = {"ndcg@10": "NDCG@10", "recall@20": "Recall@20", "hit@10": "Hit@10"}


def prepared(folder: Path, batch: int) -> tuple[Any, Any]:
    """RecBole's trainer around a model with our vectors, and its loader of the test split.

    Args:
        batch: its `eval_batch_size`, in scores.
    """
    logging.disable(logging.WARNING)
    shims.install()
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.abstract_recommender import GeneralRecommender
    from recbole.trainer import Trainer
    from recbole.utils import InputType

    users, items = (torch.from_numpy(np.load(folder / f"{name}.npy")) for name in ("users", "items"))
    write_pairs(folder, len(items))
    config = Config(
        model="BPR",
        dataset=NAME,
        config_dict={
            "data_path": str(folder),
            "checkpoint_dir": str(folder),
            "benchmark_filename": list(SPLITS),
            "load_col": {"inter": ["user_id", "item_id"], "item": ["item_id"]},
            "eval_batch_size": batch,
            "metrics": sorted({name.split("@")[0] for name in METRICS.values()}),
            "topk": [10, 20],
            "metric_decimal_place": 9,
            "valid_metric": "NDCG@10",
            "use_gpu": False,
            "show_progress": False,
        },
    )
    dataset = create_dataset(config)
    training, _, tested = data_preparation(config, dataset)

    class GivenVectors(GeneralRecommender):  # type: ignore[misc]
        """As BPR and LightGCN score once they are trained: one product for the users of a batch."""

        input_type = InputType.PAIRWISE

        def __init__(self) -> None:
            super().__init__(config, training._dataset)
            self.known = torch.nn.Parameter(torch.zeros(1))  # a trainer wants something to train
            self.user_vectors = in_their_order(users, dataset.field2id_token["user_id"])
            self.item_vectors = in_their_order(items, dataset.field2id_token["item_id"])

        def full_sort_predict(self, interaction: Any) -> torch.Tensor:
            return (self.user_vectors[interaction["user_id"]] @ self.item_vectors.T).view(-1)

    return Trainer(config, GivenVectors()), tested


def write_pairs(folder: Path, items: int) -> None:
    """RecBole's atomic files; every item is in one of them, so that it is known."""
    target = folder / NAME
    target.mkdir(exist_ok=True)
    pairs = np.load(folder / "pairs.npz")
    for split in SPLITS:
        rows = "".join(f"{user}\t{item}\n" for user, item in pairs[split].T.tolist())
        (target / f"{NAME}.{split}.inter").write_text(f"user_id:token\titem_id:token\n{rows}")
    (target / f"{NAME}.item").write_text("item_id:token\n" + "".join(f"{item}\n" for item in range(items)))


def in_their_order(vectors: torch.Tensor, tokens: Any) -> torch.Tensor:
    """Rows by RecBole's numbers, whose first is padding; zeros there."""
    ordered = torch.zeros(len(tokens), vectors.shape[1])
    ordered[1:] = vectors[[int(token) for token in tokens[1:]]]
    return ordered


def evaluated(trainer: Any, loader: Any) -> dict[str, float]:
    found = trainer.evaluate(loader, load_best_model=False, show_progress=False)
    return {ours: float(found[theirs.lower()]) for ours, theirs in METRICS.items()}
