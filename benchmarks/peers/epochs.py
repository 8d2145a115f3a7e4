"""A model of RecBole on our training likes and graph, an epoch at a time; it runs in the environment of the peers."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.recbole_learner import RecBoleLearner
from benchmarks.peers.settings import CHOSEN_BY, Job
from pipeline.evaluation.metrics.evaluated import evaluate_split
from stages.shared.data import read_data

SEED = 42


class Peer:
    """
    Args:
        model: of RecBole.
        dataset: whose artifacts are there.
        folder: with its atomic files.
    """

    def __init__(self, model: str, dataset: str, folder: Path, learning_rate: float) -> None:
        self.data = read_data(dataset)
        job = Job(
            model=model,
            dataset=dataset,
            atomic_files=str(folder),
            learning_rates=[learning_rate],
            minutes=1,
            seed=SEED,
        )
        self._learner = RecBoleLearner(job, learning_rate, self.data.users, self.data.items)
        self.epochs = 0

    def train_an_epoch(self) -> None:
        self._learner.train_an_epoch(self.epochs, lambda loss: None)
        self.epochs += 1

    def validation(self) -> float:
        """`CHOSEN_BY` on the validation split, over all users."""
        return evaluate_split(self._learner.scorer, self.data, "valid").value(CHOSEN_BY)
