"""A model of RecBole as a `Learner`; it runs in the environment of the peers."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.peers import shims
from benchmarks.peers.export import BENCHMARK_FILES, COLUMNS, NAME
from benchmarks.peers.learner import Check
from benchmarks.peers.settings import EMBEDDING_SIZE, EMBEDDING_SIZES, Job
from pipeline.common.random_streams import torch_seed

# KGAT renews its attention after each epoch and does not count it among its weights.
ATTENTION = "A_in"


class RecBoleLearner:
    def __init__(self, job: Job, rate: float, users: int, items: int) -> None:
        """
        Args:
            users: how many we have; items likewise.
        """
        shims.install()
        from recbole.config import Config
        from recbole.data import create_dataset, data_preparation
        from recbole.utils import get_model, get_trainer, init_seed

        from benchmarks.peers.scorer import RecBoleScorer

        shims.whole_graph_in_evaluation()
        seed = torch_seed(job.seed, f"peers {job.model}") % 2**31
        self._size = EMBEDDING_SIZES.get(job.model, EMBEDDING_SIZE)
        config = Config(
            model=job.model,
            dataset=NAME,
            config_dict={
                "data_path": job.atomic_files,
                "checkpoint_dir": job.atomic_files,
                "benchmark_filename": list(BENCHMARK_FILES),
                "load_col": COLUMNS,
                "embedding_size": self._size,
                "learning_rate": rate,
                "use_gpu": False,
                "seed": seed,
                "show_progress": False,
            },
        )
        init_seed(seed, True)
        exported = create_dataset(config)
        self._batches, _, _ = data_preparation(config, exported)
        init_seed(seed, True)
        self._model = get_model(job.model)(config, self._batches._dataset)
        self._trainer: Any = get_trainer(config["MODEL_TYPE"], config["model"])(config, self._model)
        self._scorer = RecBoleScorer(self._model, exported, users, items)

    @property
    def scorer(self) -> Any:
        self._scorer.forget()
        return self._scorer

    def train_an_epoch(self, number: int, check: Check) -> None:
        # The one hook that all trainers call for each batch: an epoch of RippleNet may be longer than the budget.
        self._trainer._check_nan = check
        self._trainer._train_epoch(self._batches, number)

    def state(self) -> dict[str, torch.Tensor]:
        weights = {name: value.detach().clone() for name, value in self._model.state_dict().items()}
        attention = getattr(self._model, ATTENTION, None)
        return weights if attention is None else {**weights, ATTENTION: attention}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        weights = dict(state)
        if hasattr(self._model, ATTENTION):
            setattr(self._model, ATTENTION, weights.pop(ATTENTION))
        self._model.load_state_dict(weights)
        self._scorer.forget()
        self._scorer.check_shortcut()

    def settings(self) -> dict[str, Any]:
        return {
            "embedding_size": self._size,
            "train_batch_size": int(self._trainer.config["train_batch_size"]),
            "others": "RecBole 1.2.1 defaults",
        }
