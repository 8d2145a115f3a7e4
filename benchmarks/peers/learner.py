"""What a model that is trained here can do, whoever implemented it: RecBole's and our own go through the same loop of `train`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch

from pipeline.evaluation.protocols.scores import Scorer

# Called with the loss of each batch; it may raise to end training in the midst of an epoch.
Check = Callable[[torch.Tensor], None]


class Learner(Protocol):
    """One model with one learning rate."""

    @property
    def scorer(self) -> Scorer:
        """Scores by the weights of now, of users with a like in training."""
        ...

    def train_an_epoch(self, number: int, check: Check) -> None: ...

    def state(self) -> dict[str, torch.Tensor]:
        """A copy of what makes the model score as it does."""
        ...

    def restore(self, state: dict[str, torch.Tensor]) -> None: ...

    def settings(self) -> dict[str, Any]:
        """What a reader must know to train it again."""
        ...
