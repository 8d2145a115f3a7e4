"""Our implementations as `Learner`: binary cross-entropy of likes against items drawn for each, by Adam."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch.nn import functional

from benchmarks.peers.export import of_artifacts
from benchmarks.peers.learner import Check
from benchmarks.peers.models.clicks import not_liked
from benchmarks.peers.models.dkn import Dkn, DknSettings
from benchmarks.peers.models.inputs import inputs_of
from benchmarks.peers.models.kncr import Kncr, KncrSettings
from benchmarks.peers.settings import Job
from pipeline.artifacts.data import ITEMS
from pipeline.common.random_streams import stream, torch_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.data.dataset import Dataset

BATCH = 2048  # likes, as RecBole's
NEGATIVES = 4  # for each like


class Pointwise(Protocol):
    """A model of ours: a module whose call gives logits."""

    def __call__(self, users: torch.Tensor, candidates: torch.Tensor, left_out: torch.Tensor) -> torch.Tensor: ...

    def score_all(self) -> Callable[[int], torch.Tensor]:
        """What gives the logits of all items for a user, by the weights of now."""
        ...


class OurLearner:
    def __init__(self, model: Any, likes: Any, rate: float, seed: int, settings: dict[str, Any]) -> None:
        """
        Args:
            model: a module that is a `Pointwise`.
            likes: of the training split, users x items.
        """
        self._model, self._likes, self._seed, self._settings = model, likes, seed, settings
        self._optimiser = torch.optim.Adam(model.parameters(), lr=rate)

    @property
    def scorer(self) -> UserByUser:
        with torch.no_grad():
            return UserByUser(self._model.score_all(), self._likes.shape[1])

    def train_an_epoch(self, number: int, check: Check) -> None:
        rng = stream(self._seed, "peers batches", number)
        pairs = np.stack(self._likes.nonzero(), axis=1)
        for rows in np.array_split(rng.permutation(len(pairs)), -(-len(pairs) // BATCH)):
            users, liked = pairs[rows].astype(np.int64).T
            candidates = np.column_stack([liked, not_liked(users, NEGATIVES, self._likes, rng)])
            logits = self._model(*(torch.from_numpy(np.ascontiguousarray(part)) for part in (users, candidates, liked)))
            loss = cross_entropy(logits)
            check(loss)
            self._optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()

    def state(self) -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in self._model.state_dict().items()}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        self._model.load_state_dict(state)

    def settings(self) -> dict[str, Any]:
        return self._settings


class UserByUser:
    def __init__(self, logits: Callable[[int], torch.Tensor], items: int) -> None:
        self._logits, self._items = logits, items

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        found = np.empty((len(users), self._items), dtype=np.float32)
        with torch.no_grad():
            for row, user in zip(found, users.tolist(), strict=True):
                row[:] = self._logits(user).numpy()
        return found


def cross_entropy(logits: torch.Tensor) -> torch.Tensor:
    """The mean over all logits, of which the first of each row is of a like, (likes, 1 + drawn)."""
    labels = torch.zeros_like(logits)
    labels[:, 0] = 1
    return functional.binary_cross_entropy_with_logits(logits, labels)


def our_learner(job: Job, rate: float, data: Dataset) -> OurLearner:
    inputs = inputs_of(of_artifacts(job.dataset), data.train_likes, ITEMS.read(job.dataset))
    torch.manual_seed(torch_seed(job.seed, f"peers {job.model}"))
    settings: DknSettings | KncrSettings
    model: torch.nn.Module
    if job.model == "DKN":
        settings = DknSettings()
        model = Dkn(inputs, settings, job.seed)
    else:
        settings = KncrSettings()
        model = Kncr(inputs, settings, job.seed)
    said = {
        "train_batch_size": BATCH,
        "negatives": NEGATIVES,
        **settings.model_dump(),
        "others": "our implementation, from the paper",
    }
    return OurLearner(model, data.train_likes, rate, job.seed, said)
