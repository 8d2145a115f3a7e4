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
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.data import of_users
from benchmarks.peers import shims
from benchmarks.peers.export import BENCHMARK_FILES, COLUMNS, NAME
from benchmarks.peers.settings import (
    CHOSEN_BY,
    EMBEDDING_SIZE,
    EMBEDDING_SIZES,
    EPOCHS_PER_VALIDATION,
    FIGURES,
    MAX_EPOCHS,
    PATIENCE,
    VALIDATED_USERS,
    Job,
)
from pipeline.artifacts.data import INTERACTIONS, ITEMS, UNRATED_CANDIDATES, USERS
from pipeline.common.random_streams import stream, torch_seed
from pipeline.data.dataset import Dataset
from pipeline.evaluation.metrics.auc import pooled_auc
from pipeline.evaluation.metrics.evaluated import Evaluated, evaluate_split
from pipeline.evaluation.protocols.scores import Scorer, Scores

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

    weights: dict[str, torch.Tensor]
    attention: torch.Tensor | None
    validation: float
    epoch: int
    epochs: int
    out_of_time: bool


def run(job: Job) -> dict[str, Any]:
    """Train with each learning rate, evaluate the one that is best on validation."""
    shims.install()
    items, users = ITEMS.read(job.dataset), USERS.read(job.dataset)
    interactions, candidates = INTERACTIONS.read(job.dataset), UNRATED_CANDIDATES.read(job.dataset)
    data = Dataset(interactions, candidates, len(users), len(items))
    sampled = np.sort(stream(job.seed, "peers validation").permutation(len(users))[:VALIDATED_USERS])
    sample = of_users(sampled, interactions, candidates, len(items))

    tried: list[tuple[float, Fitted]] = []
    start = time.process_time()
    for number, rate in enumerate(job.learning_rates):
        # What an earlier rate did not need is left to the later ones.
        deadline = start + job.minutes * 60 * (number + 1) / len(job.learning_rates)
        trainer, batches, scorer = set_up(job, rate, len(users), len(items))
        validated = partial(_validated, scorer, sample, sampled)
        tried.append((rate, _fit(trainer, batches, scorer, validated, job, deadline)))
    rate, best = max(tried, key=lambda pair: pair[1].validation)
    trainer, _, scorer = set_up(job, rate, len(users), len(items))
    trainer.model.load_state_dict(best.weights)
    if best.attention is not None:
        trainer.model.A_in = best.attention
    scorer.forget()
    scorer.check_shortcut()
    tested = evaluate_split(scorer, data, "test")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "settings": {
            "embedding_size": EMBEDDING_SIZES.get(job.model, EMBEDDING_SIZE),
            "learning_rate": rate,
            "train_batch_size": int(trainer.config["train_batch_size"]),
            "minutes": job.minutes,
            "others": "RecBole 1.2.1 defaults",
        },
        "epochs": best.epochs,
        "best_epoch": best.epoch,
        "stopped_early": best.out_of_time,
        f"validation {CHOSEN_BY}": {f"{rate:g}": fitted.validation for rate, fitted in tried},
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_memory_mib": usage.ru_maxrss / 1024,
        **figures_of(tested),
    }


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


def set_up(job: Job, rate: float, users: int, items: int) -> tuple[Any, Any, Any]:
    """RecBole's trainer and training batches for one learning rate, and the model as a scorer."""
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer, init_seed

    from benchmarks.peers.scorer import RecBoleScorer

    shims.whole_graph_in_evaluation()
    seed = torch_seed(job.seed, f"peers {job.model}") % 2**31
    config = Config(
        model=job.model,
        dataset=NAME,
        config_dict={
            "data_path": job.atomic_files,
            "checkpoint_dir": job.atomic_files,
            "benchmark_filename": list(BENCHMARK_FILES),
            "load_col": COLUMNS,
            "embedding_size": EMBEDDING_SIZES.get(job.model, EMBEDDING_SIZE),
            "learning_rate": rate,
            "use_gpu": False,
            "seed": seed,
            "show_progress": False,
        },
    )
    init_seed(seed, True)
    exported = create_dataset(config)
    batches, _, _ = data_preparation(config, exported)
    init_seed(seed, True)
    model = get_model(job.model)(config, batches._dataset)
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    return trainer, batches, RecBoleScorer(model, exported, users, items)


def _fit(trainer: Any, batches: Any, scorer: Any, validated: Callable[[], float], job: Job, deadline: float) -> Fitted:
    """RecBole's epochs, our validation: until `PATIENCE` validations bring nothing better or the budget is spent."""

    def check(loss: torch.Tensor) -> None:
        # The one hook that all trainers call for each batch: an epoch of RippleNet may be longer than the budget.
        if torch.isnan(loss):
            raise ValueError("training loss is nan")
        if time.process_time() > deadline:
            raise BudgetSpent

    trainer._check_nan = check
    model, best, waited, epoch, spent = trainer.model, None, 0, 0, False
    while waited < PATIENCE and epoch < MAX_EPOCHS and not spent:
        try:
            trainer._train_epoch(batches, epoch)
            epoch += 1
        except BudgetSpent:
            spent = True
        if not spent and epoch % EPOCHS_PER_VALIDATION.get(job.model, 1):
            continue
        scorer.forget()
        figure = validated()
        spent = spent or time.process_time() > deadline
        if best is None or figure > best.validation:
            weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
            # KGAT renews its attention after each epoch and does not count it among its weights.
            best, waited = Fitted(weights, getattr(model, "A_in", None), figure, epoch, epoch, False), 0
        else:
            waited += 1
    assert best is not None
    print(f"{job.model}: epoch {best.epoch} of {epoch}, validation {CHOSEN_BY} {best.validation:.4f}", file=sys.stderr)
    out_of_time = spent and waited < PATIENCE
    return Fitted(best.weights, best.attention, best.validation, best.epoch, epoch, out_of_time)


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
