"""Training the two-view user model: batches, negatives, loss, early stopping, checkpoints (method 8)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from pipeline.config import Config
from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.random_streams import stream, torch_seed

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from pipeline.click import TwoViewClick
    from pipeline.items import ItemEncoder

# What a validation run reports, in the order of the learning curve's columns.
VALIDATION_FIGURES = ("ctr.user_auc", "impression.ndcg@10", "ranking.ndcg@10")


class TrainingConfig(Config):
    fusion: Literal["concat", "average"] = Field(
        description="concat: s || p''; average: (s + p'')/2, which needs equal widths"
    )
    text_width: int = Field(ge=1, le=4096, description="d_h, the width of the projected text vector s")
    heads: int = Field(ge=1, le=64, description="Attention heads of each view; must divide the item vector's width")
    finetune_gat: bool = Field(description="Go on training the GAT with the click loss, instead of taking p'' as it is")
    negatives: Literal["disliked", "unseen", "mixed", "all"] = Field(
        description="all: softmax over the whole catalogue"
    )
    negatives_per_like: int = Field(ge=1, le=10_000, description="R; not used by `all`")
    disliked_share: float = Field(ge=0, le=1, description="Of `mixed`: the share of negatives from the user's dislikes")
    dropout: float = Field(ge=0, lt=1, description="On item vectors")
    learning_rate: float = Field(
        gt=0, le=1, description="Of AdamW at its highest: one epoch of warm-up, then linear to a tenth"
    )
    weight_decay: float = Field(ge=0, le=1, description="Of AdamW")
    batch_users: int = Field(ge=1, description="Users per step; small batches overfit")
    max_history: int = Field(
        ge=2, description="Longer histories are cut to a fresh random sample in every training step"
    )
    epochs: int = Field(ge=1, description="At most this many; the learning rate falls linearly over them")
    patience: int = Field(ge=1, description="Epochs without a better validation figure before stopping")
    early_stopping_by: Literal["ctr.user_auc", "impression.ndcg@10", "ranking.ndcg@10"] = Field(
        description="Validation figure that picks the epoch"
    )


@dataclass(frozen=True)
class ItemInputs:
    """What items are known by before training.

    Attributes:
        text: [CLS] vectors, (M, d_e).
        structure: p'', (M, d_k'').
        initial: P, (M, d_k), with edge_index, GAT weights and settings: for `finetune_gat` only.
    """

    text: NDArray[np.float32]
    structure: NDArray[np.float32]
    gat: GatInputs | None = None


@dataclass(frozen=True)
class GatInputs:
    """
    Attributes:
        initial: P, (M, d_k).
        edge_index: (2, directed edges).
        weights: of the GAT stage.
        build: makes the encoder for an input width.
    """

    initial: NDArray[np.float32]
    edge_index: NDArray[np.int64]
    weights: dict[str, NDArray[np.float32]]
    build: Callable[[int], torch.nn.Module]


@dataclass
class Trained:
    """
    Attributes:
        arrays: item vectors and all weights of the best epoch, as MODEL stores them.
        history: a row per epoch: epoch, loss and the validation figures.
    """

    arrays: dict[str, NDArray[np.float32]]
    history: list[dict[str, float]]
    best_epoch: int


@dataclass(frozen=True)
class TrainedModel:
    """The model as evaluation sees it: fixed item vectors, users made of their training histories.

    Attributes:
        items: R, (M, width).
    """

    click: TwoViewClick
    items: torch.Tensor
    data: Dataset
    device: torch.device | str = "cpu"

    @classmethod
    def from_arrays(
        cls, arrays: dict[str, NDArray[np.float32]], heads: int, data: Dataset, device: torch.device | str = "cpu"
    ) -> TrainedModel:
        """
        Args:
            arrays: MODEL's tensors.

        Raises:
            InputError: the tensors are not those of a model with these items.
        """
        import torch

        from pipeline.click import TwoViewClick

        items = arrays.get("items", np.zeros((0, 0), dtype=np.float32))
        if items.shape[0] != data.items:
            raise InputError(
                f"users/model: tensor items: found {items.shape[0]} rows, expected {data.items}; run `dvc repro`"
            )
        click = TwoViewClick(items.shape[1], heads)
        weights = {name.removeprefix("click."): array for name, array in arrays.items() if name.startswith("click.")}
        try:
            click.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:160]
            raise InputError(
                f"users/model: found weights of another model, expected those of this one: {reason}"
            ) from None
        return cls(click.to(device).eval(), torch.from_numpy(items).to(device), data, device)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        return score_users(self.click, self.items, self.data, users, self.device)


def score_users(
    click: TwoViewClick, items: torch.Tensor, data: Dataset, users: NDArray[np.int64], device: torch.device | str
) -> NDArray[np.float32]:
    """Scores of every item by whole training histories, (users, M)."""
    import torch

    from pipeline.histories import histories

    with torch.inference_mode():
        likes, dislikes = histories(data.train_likes, users, device), histories(data.train_dislikes, users, device)
        scores: NDArray[np.float32] = click(items, likes, dislikes).float().cpu().numpy()
    return scores


class UserTrainer:
    """One training run.

    Args:
        inputs: what items are known by.
        data: the data set; only its training and validation splits are touched.
    """

    def __init__(
        self, inputs: ItemInputs, data: Dataset, config: TrainingConfig, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        import torch

        from pipeline.click import TwoViewClick

        if config.negatives == "disliked" and not data.train_dislikes.nnz:
            raise InputError("negatives: found disliked, but the training split has no dislike; expected unseen or all")
        self.data, self.config, self.seed, self.device = data, config, seed, device
        torch.manual_seed(torch_seed(seed, "users"))
        self.items: ItemEncoder = build_item_encoder(inputs, config).to(device)
        if self.items.width % config.heads:
            raise InputError(
                f"heads: found {config.heads}, expected a divisor of the item vector's width {self.items.width}"
            )
        self.click = TwoViewClick(self.items.width, config.heads).to(device)
        self.parameters = [*self.items.parameters(), *self.click.parameters()]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
        self.history: list[dict[str, float]] = []
        self.best: dict[str, torch.Tensor] = {}
        self.best_value, self.best_epoch = -np.inf, 0

    def run(
        self, checkpoint: Path | None = None, report: Callable[[dict[str, float]], None] = lambda row: None
    ) -> Trained:
        """Train until early stopping.

        Args:
            checkpoint: state is kept here after every epoch; a run that finds it goes on from there and ends with the
                same bytes as one that was never stopped.
            report: called with each row of the history.

        Raises:
            InputError: the loss is not finite.
        """
        if checkpoint is not None and checkpoint.is_file() and self._resume(checkpoint):
            for row in self.history:
                report(row)
        while len(self.history) < self.config.epochs and len(self.history) - self.best_epoch < self.config.patience:
            row = self._epoch(len(self.history) + 1)
            report(row)
            if checkpoint is not None:
                self._keep(checkpoint)
        return Trained({name: value.cpu().numpy() for name, value in self.best.items()}, self.history, self.best_epoch)

    def _epoch(self, epoch: int) -> dict[str, float]:
        import torch

        from pipeline.histories import batches_of_similar_length

        # Seeded by the epoch, so that a resumed run draws what an uninterrupted one draws.
        torch.manual_seed(torch_seed(self.seed, "users", epoch))
        random = stream(self.seed, "users", epoch)
        generator = torch.Generator(device=self.device).manual_seed(torch_seed(self.seed, "negatives", epoch))
        lengths = np.diff(self.data.train_likes.indptr)
        batches = batches_of_similar_length(lengths, self.config.batch_users, random)
        total, trained_on = 0.0, 0
        self.items.train()
        for step, users in enumerate(batches):
            self._set_learning_rate(epoch - 1 + step / len(batches), len(batches))
            loss, positives = self._loss(users, random, generator)
            self.optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss / max(positives, 1))
            self.optimiser.step()
            total += float(loss.detach())
            trained_on += positives
        loss_of_epoch = total / max(trained_on, 1)
        if not np.isfinite(loss_of_epoch):
            raise InputError(
                f"train_users: found a loss of {loss_of_epoch} in epoch {epoch}; expected a finite one; a lower learning_rate helps"
            )
        row = {"epoch": epoch, "loss": loss_of_epoch} | self._validate()
        self.history.append(row)
        return row

    def _set_learning_rate(self, epochs_done: float, steps: int) -> None:
        """One epoch of warm-up, then linear to a tenth at the last epoch."""
        warm = min(1.0, epochs_done + 1 / steps)
        rate = self.config.learning_rate * warm * (1 - 0.9 * epochs_done / self.config.epochs)
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def _loss(
        self, users: NDArray[np.int64], random: np.random.Generator, generator: torch.Generator
    ) -> tuple[torch.Tensor, int]:
        """Loss summed over the users' likes, and how many of them have a negative to stand against."""
        import torch

        from pipeline.click import click_loss, click_loss_over_catalogue
        from pipeline.histories import histories
        from pipeline.negatives import sample_negatives

        config, sample = self.config, (self.config.max_history, random)
        likes = histories(self.data.train_likes, users, self.device, sample)
        dislikes = histories(self.data.train_dislikes, users, self.device, sample)
        scores = self.click(self.items(), likes, dislikes, leave_one_out=True, drop=config.dropout)
        liked = torch.from_numpy(self.data.train_likes[users].toarray() > 0).to(self.device)
        if config.negatives == "all":
            loss = click_loss_over_catalogue(scores, likes, liked)
        else:
            disliked = torch.from_numpy(self.data.train_dislikes[users].toarray() > 0).to(self.device)
            negatives = sample_negatives(
                config.negatives,
                liked,
                disliked,
                likes.user,
                config.negatives_per_like,
                config.disliked_share,
                generator,
            )
            loss = click_loss(scores, likes, negatives.items, negatives.counts)
            return loss, int(negatives.counts.any(dim=1).sum())
        return loss, len(likes.items)

    def _validate(self) -> dict[str, float]:
        import torch

        from pipeline.evaluation.protocols import evaluate_split

        self.items.eval()
        with torch.inference_mode():
            vectors = self.items()
        scorer = TrainedModel(self.click, vectors, self.data, self.device)
        evaluated = evaluate_split(scorer, self.data, "valid")
        figures = {name: evaluated.value(name) for name in VALIDATION_FIGURES}
        chosen = figures[self.config.early_stopping_by]
        if np.isnan(chosen):
            raise InputError(
                f"early_stopping_by: found {self.config.early_stopping_by}, for which no user has both kinds of candidates "
                "in validation (likes and dislikes, or for ctr likes and unrated items); expected another figure"
            )
        if chosen > self.best_value:
            self.best_value, self.best_epoch = chosen, len(self.history) + 1
            state = {"items": vectors}
            state |= {f"click.{name}": value for name, value in self.click.state_dict().items()}
            state |= {f"encoder.{name}": value for name, value in self.items.state_dict().items()}
            self.best = {name: value.detach().clone() for name, value in state.items()}
        # Data without any dislike in validation has no impression figure; the curve shows 0 there.
        return {name.replace(".", "_"): 0.0 if np.isnan(value) else value for name, value in figures.items()}

    def _keep(self, path: Path) -> None:
        import torch

        state = {
            "items": self.items.state_dict(),
            "click": self.click.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "best": self.best,
            "history": self.history,
            "best_value": float(self.best_value),
            "best_epoch": self.best_epoch,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, path)

    def _resume(self, path: Path) -> bool:
        """Take up the state that a stopped run left; a damaged one is removed, and training starts from the beginning."""
        import pickle

        import torch

        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
        except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError):
            path.unlink()
            return False
        self.items.load_state_dict(state["items"])
        self.click.load_state_dict(state["click"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.history = state["best"], state["history"]
        self.best_value, self.best_epoch = state["best_value"], state["best_epoch"]
        return True


def build_item_encoder(inputs: ItemInputs, config: TrainingConfig) -> ItemEncoder:
    """The item encoder that the settings ask for.

    Raises:
        InputError: inputs of different numbers of items, or average fusion of different widths.
    """
    import torch

    from pipeline.items import FinetunedItemEncoder, ItemEncoder, standardised

    if len(inputs.text) != len(inputs.structure):
        raise InputError(
            f"item vectors: found {len(inputs.text)} by text and {len(inputs.structure)} by structure; run `dvc repro`"
        )
    if config.fusion == "average" and config.text_width != inputs.structure.shape[1]:
        raise InputError(
            f"fusion: average fusion needs equal widths, found text_width {config.text_width} "
            f"and structural vectors {inputs.structure.shape[1]} wide"
        )
    text = torch.from_numpy(standardised(inputs.text))
    if not config.finetune_gat:
        return ItemEncoder(text, torch.from_numpy(standardised(inputs.structure)), config.text_width, config.fusion)
    if inputs.gat is None:
        raise ValueError("finetune_gat needs the GAT's inputs")
    gat = inputs.gat.build(inputs.gat.initial.shape[1])
    gat.load_state_dict({name: torch.from_numpy(array) for name, array in inputs.gat.weights.items()})
    initial, edges = torch.from_numpy(inputs.gat.initial), torch.from_numpy(inputs.gat.edge_index)
    return FinetunedItemEncoder(
        text, torch.from_numpy(inputs.structure), config.text_width, config.fusion, gat, initial, edges
    )
