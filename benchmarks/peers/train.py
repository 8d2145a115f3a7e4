"""Train one model and evaluate it on the test split, in a process of its own: `python -m benchmarks.peers.train`.

It reads a `Job` as JSON on stdin and ends by printing its result as JSON in the last line of stdout. A process of its own
because CPU seconds and peak memory are then the model's, and a crash of one does not lose the rest.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.data import of_users
from benchmarks.peers.learner import Learner
from benchmarks.peers.models.learner import our_learner
from benchmarks.peers.settings import (
    CHOSEN_BY,
    EPOCHS_PER_VALIDATION,
    FIGURES,
    MAX_EPOCHS,
    OURS,
    PATIENCE,
    VALIDATED_USERS,
    Job,
)
from benchmarks.peers.unknown_users import PopularityForUnknown
from pipeline.artifacts.data import INTERACTIONS, UNRATED_CANDIDATES
from pipeline.common.random_streams import stream
from pipeline.data.dataset import Dataset
from pipeline.evaluation.metrics.auc import pooled_auc
from pipeline.evaluation.metrics.evaluated import Evaluated, evaluate_split
from pipeline.evaluation.protocols.scores import Scorer, Scores
from stages.shared.data import read_data

if TYPE_CHECKING:
    from numpy.typing import NDArray


class BudgetSpent(Exception):  # noqa: N818 -- no error: training ends where it is
    """The CPU time that a model may train is over."""


@dataclass(frozen=True)
class Fitted:
    """The best state that validation saw.

    Attributes:
        validation: its figure.
        epoch: after which epoch it was reached; epochs: how many were finished.
        out_of_time: the budget ended training, not the lack of a better figure.
    """

    state: dict[str, torch.Tensor]
    validation: float
    epoch: int
    epochs: int
    out_of_time: bool


def run(job: Job) -> dict[str, Any]:
    """Train with each learning rate, evaluate the one that is best on validation."""
    data = read_data(job.dataset)
    sampled = validated_users(data, job.seed)
    sample = of_users(sampled, INTERACTIONS.read(job.dataset), UNRATED_CANDIDATES.read(job.dataset), data.items)

    tried: list[tuple[float, Fitted]] = []
    start = time.process_time()
    for number, rate in enumerate(job.learning_rates):
        # What an earlier rate did not need is left to the later ones.
        deadline = start + job.minutes * 60 * (number + 1) / len(job.learning_rates)
        learner = learner_of(job, rate, data)
        tried.append((rate, _fit(learner, lambda scorer: _validated(scorer, sample, sampled), job, deadline)))
    rate, best = max(tried, key=lambda pair: pair[1].validation)
    learner = learner_of(job, rate, data)
    learner.restore(best.state)
    tested = evaluate_split(PopularityForUnknown(learner.scorer, data.train_likes), data, "test")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "settings": {"learning_rate": rate, "minutes": job.minutes, **learner.settings()},
        "epochs": best.epochs,
        "best_epoch": best.epoch,
        "stopped_early": best.out_of_time,
        f"validation {CHOSEN_BY}": {f"{rate:g}": fitted.validation for rate, fitted in tried},
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_memory_mib": usage.ru_maxrss / 1024,
        **figures_of(tested),
    }


def validated_users(data: Dataset, seed: int) -> NDArray[np.int64]:
    """Some users of whom both is known: a like to train on and one to look for."""
    known = np.intersect1d(data.liked("train").users, data.liked("valid").users)
    return np.sort(stream(seed, "peers validation").permutation(known)[:VALIDATED_USERS])


def figures_of(tested: Evaluated) -> dict[str, dict[str, float]]:
    """The figures of `FIGURES`, {protocol: {metric: value}}."""
    pooled = {"ctr": tested.scored.ctr, "impression": tested.scored.impression}
    return {
        protocol: {
            name: pooled_auc(pooled[protocol]).value if name == "auc" else tested.value(f"{protocol}.{name}")
            for name in names
        }
        for protocol, names in FIGURES.items()
    }


def learner_of(job: Job, rate: float, data: Dataset) -> Learner:
    if job.model in OURS:
        return our_learner(job, rate, data)
    from benchmarks.peers.recbole_learner import RecBoleLearner

    return RecBoleLearner(job, rate, data.users, data.items)


def _fit(learner: Learner, validated: Callable[[Scorer], float], job: Job, deadline: float) -> Fitted:
    """Epochs and our validation: until `PATIENCE` validations bring nothing better or the budget is spent."""

    def check(loss: torch.Tensor) -> None:
        if torch.isnan(loss):
            raise ValueError("training loss is nan")
        if time.process_time() > deadline:
            raise BudgetSpent

    best, waited, epoch, spent = None, 0, 0, False
    while waited < PATIENCE and epoch < MAX_EPOCHS and not spent:
        try:
            learner.train_an_epoch(epoch, check)
            epoch += 1
        except BudgetSpent:
            spent = True
        if not spent and epoch % EPOCHS_PER_VALIDATION.get(job.model, 1):
            continue
        figure = validated(learner.scorer)
        spent = spent or time.process_time() > deadline
        if best is None or figure > best.validation:
            best, waited = Fitted(learner.state(), figure, epoch, epoch, False), 0
        else:
            waited += 1
    assert best is not None
    print(f"{job.model}: epoch {best.epoch} of {epoch}, validation {CHOSEN_BY} {best.validation:.4f}", file=sys.stderr)
    out_of_time = spent and waited < PATIENCE
    return replace(best, epochs=epoch, out_of_time=out_of_time)


def _validated(scorer: Scorer, sample: Dataset, users: NDArray[np.int64]) -> float:
    """The figure that is chosen by, over the users of a sample that `of_users` made."""

    class OfSample:
        def score(self, chosen: NDArray[np.int64]) -> NDArray[np.float32] | Scores:
            return scorer.score(users[chosen])

    return evaluate_split(OfSample(), sample, "valid").value(CHOSEN_BY)


if __name__ == "__main__":
    torch.set_num_threads(1)
    job = Job.model_validate_json(sys.stdin.read())
    Path(job.atomic_files).mkdir(parents=True, exist_ok=True)
    print(json.dumps(run(job)))
