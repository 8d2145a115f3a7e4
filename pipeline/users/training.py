"""Training the two-view user model: batches, learning rates, early stopping, checkpoints (method 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pipeline.common.errors import InputError
from pipeline.common.optimisers import AdamW, RowAdam, by_rows_met
from pipeline.common.processes import ALONE, Processes, add_up_slopes
from pipeline.common.random_streams import stream, torch_seed
from pipeline.common.settings import Precision
from pipeline.data.dataset import Dataset, blocks
from pipeline.evaluation.metrics.validation import validation_figures
from pipeline.users.alignment.registry import build_alignment
from pipeline.users.checkpoint import packed, read_checkpoint, unpacked, write_checkpoint
from pipeline.users.count_biases import CountBiases
from pipeline.users.fit_co_rating import fit_co_rating
from pipeline.users.found_shares import found_shares
from pipeline.users.histories import batches_of_similar_length
from pipeline.users.item_encoder import ItemEncoder
from pipeline.users.knowledge import knowledge_arrays
from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.model import Model, build_count_biases, build_scorer
from pipeline.users.settings import LARGE_CATALOGUE, VariantConfig
from pipeline.users.step_loss import StepLoss
from pipeline.users.trained import TrainedModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# From here on a step of AdamW goes through memory once and not once for each of its operations: vectors of 100,000 items and their
# entities have 50 million values, and a step over them takes a ninth of the time. On a GPU it is one launch in place of many.
FUSED_PARAMETERS = 20_000_000
# Whose vectors are made at once, when those of all are.
ITEMS_AT_ONCE = 200_000
BETAS = (0.9, 0.99)
# What all items have in common, weights of terms and biases by counts, learns so many times as quickly as what each has for itself:
# it is a handful of numbers, which every step tells about.
QUICK = 10.0
# Projections of texts and of structure that are added to learned vectors: each of their hundreds of inputs moves an item's vector in every
# step, which at the pace of the learned ones runs away from them.
SLOW = 0.1


@dataclass
class Trained:
    """
    Attributes:
        arrays: item vectors and all weights of the best epoch, as MODEL stores them.
        history: a row per look at the validation split: epoch, mean loss since the last one, and the validation figures.
        best_epoch: the epoch of the arrays.
        config: the variant, with the shares of the heads that were found.
    """

    arrays: dict[str, NDArray[np.float32]]
    history: list[dict[str, float]]
    best_epoch: int
    config: VariantConfig

    @property
    def best(self) -> dict[str, float]:
        """The row of the best epoch."""
        return next(row for row in self.history if row["epoch"] == self.best_epoch)


class UserTrainer:
    """One training run.

    Args:
        inputs: what items are known by.
        data: the data set; only its training and validation splits are touched.
        precision: of products in training.
        processes: who else trains the same model by the same calls; their first says and writes what there is.

    Raises:
        InputError: settings that do not fit the data or each other.
    """

    def __init__(
        self,
        inputs: ItemInputs,
        data: Dataset,
        config: VariantConfig,
        seed: int,
        device: torch.device | str = "cpu",
        precision: Precision = "float32",
        processes: Processes = ALONE,
    ) -> None:
        if config.negatives == "disliked" and not data.train_dislikes.nnz:
            raise InputError("negatives: found disliked, but the training split has no dislike; expected unseen or all")
        if config.finetune_gat != (inputs.gat is not None):
            raise ValueError("finetune_gat needs the GAT's inputs, and nothing else does")
        if config.training_seed:
            seed = torch_seed(seed, "training", config.training_seed)
        self.data, self.config, self.seed, self.device = data, config, seed, device
        self.processes = processes
        self.knowledge = inputs.knowledge
        torch.manual_seed(torch_seed(seed, "users"))
        self.items = ItemEncoder(inputs, config.modalities, config.fusion, config.width).to(device)
        self.scorer = build_scorer(config, self.items.width, data, inputs.knowledge).to(device)
        self.biases: CountBiases | None = None
        if config.count_biases:
            assert inputs.knowledge is not None
            self.biases = build_count_biases(data, config.heads, inputs.knowledge).to(device)
            for bias in self.scorer.item_bias.values():
                bias.requires_grad_(False)
        self.alignment = build_alignment(config, self.items)
        if self.alignment:
            self.alignment.to(device)
        modules = (self.items, self.scorer, *(one for one in (self.biases, self.alignment) if one))
        parameters = [one for module in modules for one in module.parameters() if one.requires_grad]
        self.parameters = parameters
        quick = [*self.scorer.terms.parameters(), *(self.biases.parameters() if self.biases else [])]
        slow = self.items.projections()
        tables = self._tables_by_rows()
        apart = {id(one) for one in (*quick, *slow, *tables)}
        large = sum(parameter.numel() for parameter in parameters) >= FUSED_PARAMETERS
        groups = [{"params": [one for one in parameters if id(one) not in apart], "pace": 1.0}]
        if slow:
            groups.append({"params": slow, "pace": SLOW})
        if quick:
            groups.append({"params": quick, "pace": QUICK, "weight_decay": 0.0})
        self.optimiser = AdamW(
            groups,
            config.learning_rate,
            betas=BETAS,
            weight_decay=config.weight_decay,
            fused=True if large or torch.device(device).type != "cpu" else None,
        )
        self.of_tables = RowAdam([{"params": tables, "pace": 1.0}], config.learning_rate, BETAS) if tables else None
        self.around = inputs.around
        self.loss = StepLoss(
            data, config, self.items, self.scorer, self.biases, self.alignment, device, precision, processes
        )
        self.history: list[dict[str, float]] = []
        self.epoch = 0
        self.losses: list[float] = []
        self.best: dict[str, torch.Tensor] = {}
        self.best_value, self.best_epoch = -np.inf, 0

    def run(
        self,
        checkpoint: Path | None = None,
        report: Callable[[dict[str, float]], None] = lambda row: None,
        after_epoch: Callable[[float], None] = lambda loss: None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> Trained:
        """Train until early stopping.

        Args:
            checkpoint: state is kept here after every epoch; a run that finds it goes on from there and ends with the
                same bytes as one that was never stopped.
            report: called with each row of the history.
            after_epoch: called with the loss of each epoch.
            warn: called with a line about a checkpoint that was damaged, or cannot be written; training goes on without it.

        Raises:
            InputError: the loss is not finite.
        """
        self.run_epochs(checkpoint, report, after_epoch, warn)
        return self.trained()

    def run_epochs(
        self,
        checkpoint: Path | None = None,
        report: Callable[[dict[str, float]], None] = lambda row: None,
        after_epoch: Callable[[float], None] = lambda loss: None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        """The part of `run` that several processes do together."""
        checkpoint = self._begin(checkpoint, warn)
        for row in self.history:
            report(row)
        while self.epoch < self.config.epochs and self.epoch - self.best_epoch < self.config.patience:
            rows = len(self.history)
            loss = self.train_an_epoch()
            for row in self.history[rows:]:
                report(row)
            after_epoch(loss)
            if checkpoint is not None:
                checkpoint = self._kept(checkpoint, warn)

    def trained(self) -> Trained:
        """The best epoch of a run, with what is fitted to it."""
        self._forget_moments()
        arrays, config = self._arrays(), self.config
        if config.find_shares:
            config = found_shares(Model.from_arrays(arrays, config, self.data.items, self.device), config, self.data)
        if not config.co_rating_share:
            # What counts for nothing takes no room, in the model and in the page.
            config = config.model_copy(update={"co_rating_l2": 0.0})
            arrays = {name: array for name, array in arrays.items() if not name.startswith("co_rating")}
        return Trained(arrays, self.history, self.best_epoch, config)

    def refit(
        self,
        epochs: int,
        checkpoint: Path | None = None,
        after_epoch: Callable[[float], None] = lambda loss: None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> Trained:
        """Train for so many epochs, whatever comes of it: of data whose validation split is trained on, it can say nothing.

        Args:
            epochs: at most those of the settings, over which the learning rate falls as it does in `run`.
            checkpoint: as in `run`.
            after_epoch, warn: likewise.

        Raises:
            InputError: the loss is not finite.
        """
        self.refit_epochs(epochs, checkpoint, after_epoch, warn)
        return self.refitted()

    def refit_epochs(
        self,
        epochs: int,
        checkpoint: Path | None = None,
        after_epoch: Callable[[float], None] = lambda loss: None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        """The part of `refit` that several processes do together."""
        checkpoint = self._begin(checkpoint, warn)
        while self.epoch < epochs:
            after_epoch(self._pass_over_users())
            if checkpoint is not None:
                checkpoint = self._kept(checkpoint, warn)

    def refitted(self) -> Trained:
        """The last epoch, with what is fitted to it."""
        self.best, self.best_epoch = self._state(self._item_vectors()), self.epoch
        return Trained(self._arrays(), self.history, self.best_epoch, self.config)

    def _forget_moments(self) -> None:
        """When all is trained: with a million items they take as much as what is stored."""
        for optimiser in self._optimisers():
            optimiser.state.clear()

    def _arrays(self) -> dict[str, NDArray[np.float32]]:
        """Of the best epoch, as MODEL stores them."""
        arrays = {name: value.cpu().numpy() for name, value in self.best.items()}
        if self.config.terms:
            assert self.knowledge is not None
            arrays |= knowledge_arrays(self.knowledge)
        if self.config.co_rating_l2:
            likes, dislikes = self.data.train_likes, self.data.train_dislikes
            of_view = {"likes": likes, "dislikes": dislikes, "rated": likes + dislikes}
            rated = {name: of_view[name] for name in self.scorer.views}
            whole = self.data.items <= LARGE_CATALOGUE
            arrays |= fit_co_rating(rated, self.config.co_rating_l2, self.around, self.config.co_rating_graph, whole)
        return arrays

    def _tables_by_rows(self) -> list[torch.nn.Parameter]:
        """Learned vectors that are to move where a step meets them alone: none where a step meets all or, with weight decay, moves all."""
        tables = self.items.tables()
        meets_some = self.config.catalogue_sample and not self.config.weight_decay
        if not tables or not meets_some or not by_rows_met(tables, self.device):
            return []
        self.items.learn_by_rows()
        return tables

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        return [self.optimiser, *([self.of_tables] if self.of_tables else [])]

    def train_an_epoch(self) -> float:
        """One pass over the users, and a look at the validation split where one is due.

        Returns:
            The mean loss of its steps.

        Raises:
            InputError: the loss is not finite.
        """
        loss = self._pass_over_users()
        if self.epoch % self.config.validate_every == 0 or self.epoch == self.config.epochs:
            self.history.append({"epoch": self.epoch, "loss": float(np.mean(self.losses))} | self._validate())
            self.losses = []
        return loss

    def _pass_over_users(self) -> float:
        """A step for each batch of users; the mean loss.

        Raises:
            InputError: it is not finite.
        """
        self.epoch += 1
        # Seeded by the epoch, so that a resumed run draws what an uninterrupted one draws.
        torch.manual_seed(torch_seed(self.seed, "users", self.epoch))
        random = stream(self.seed, "users", self.epoch)
        generator = torch.Generator(device=self.device).manual_seed(torch_seed(self.seed, "negatives", self.epoch))
        lengths = np.diff(self.data.train_likes.indptr)
        if "click" not in self.config.heads:
            lengths = lengths + np.diff(self.data.train_dislikes.indptr)
        batches = batches_of_similar_length(lengths, self.config.batch_users, random)
        losses = []
        self.items.train()
        for step, users in enumerate(batches):
            self._set_learning_rate(self.epoch - 1 + step / len(batches), len(batches))
            loss = self.loss(users, random, generator)
            if loss is None:
                continue
            for optimiser in self._optimisers():
                optimiser.zero_grad()
            torch.autograd.backward(loss)
            add_up_slopes(self.parameters, self.processes)
            for optimiser in self._optimisers():
                optimiser.step()
            losses.append(loss.detach())
        # Looked at when all is done: a GPU would be waited for at every step.
        mean = 0.0
        if losses:
            of_steps = torch.stack(losses)
            self.processes.add_up(of_steps)
            mean = float(np.mean(of_steps.tolist()))
        self.losses.append(mean)
        if not np.isfinite(mean):
            raise InputError(
                f"train_users: found a loss of {mean} in epoch {self.epoch}; expected a finite number; "
                "try a lower learning_rate"
            )
        return mean

    def _set_learning_rate(self, epochs_done: float, steps: int) -> None:
        """One epoch of warm-up, then linear to a tenth at the last epoch."""
        warm = min(1.0, epochs_done + 1 / steps)
        rate = self.config.learning_rate * warm * (1 - 0.9 * epochs_done / self.config.epochs)
        for optimiser in self._optimisers():
            for group in optimiser.param_groups:
                group["lr"] = rate * group["pace"]

    def _validate(self) -> dict[str, float]:
        vectors = self._item_vectors()
        # Item-to-item weights come when training is done.
        config = self.config
        model = Model(
            self.scorer,
            vectors,
            judge_share=config.judge_share,
            ranking_share=config.ranking_share,
            device=self.device,
        )
        figures = validation_figures(TrainedModel(model, self.data), self.data, self.processes.map_blocks)
        for name in self.config.early_stopping_by:
            if np.isnan(figures[name]):
                raise InputError(
                    f"early_stopping_by: found {name}, for which no user has both kinds of candidates "
                    "in validation (likes and dislikes, or for ctr likes and unrated items); expected another figure"
                )
        chosen = sum(figures[name] for name in self.config.early_stopping_by)
        if chosen > self.best_value:
            self.best_value, self.best_epoch = chosen, self.epoch
            self.best = self._state(vectors)
        # Data without any dislike in validation has no impression figure; the curve shows 0 there.
        return {name.replace(".", "_"): 0.0 if np.isnan(value) else value for name, value in figures.items()}

    def _item_vectors(self) -> torch.Tensor:
        """Of all items, (M, d), without dropout; the scorer takes the biases that go with them."""
        self.items.eval()
        some = [None] if self.data.items <= ITEMS_AT_ONCE else list(blocks(self.data.items, ITEMS_AT_ONCE))
        with torch.inference_mode():
            # Vectors by each modality are there beside their sum.
            vectors = torch.cat([self.items.fuse(self.items.parts(items)) for items in some])
        if self.biases:
            with torch.no_grad():
                for head, bias in self.biases().items():
                    self.scorer.item_bias[head].copy_(bias.whole)
        return vectors

    def _state(self, vectors: torch.Tensor) -> dict[str, torch.Tensor]:
        """A copy of all that a model is stored as, by name."""
        state = {"items": vectors}
        state |= {f"scorer.{name}": value for name, value in self.scorer.state_dict().items()}
        state |= {f"encoder.{name}": value for name, value in self.items.weights().items()}
        if self.biases:
            # Of use for items that came later alone: the biases of these are the scorer's.
            state |= {f"biases.{name}": value for name, value in self.biases.state_dict().items()}
        return {name: value.detach().clone() for name, value in state.items()}

    def _checkpoint(self) -> dict[str, Any]:
        """All that a run which is stopped needs to go on, and to end with the same bytes."""
        return {
            "items": self.items.state_dict(),
            "scorer": self.scorer.state_dict(),
            "biases": self.biases.state_dict() if self.biases else {},
            "alignment": self.alignment.state_dict() if self.alignment else {},
            "optimiser": self.optimiser.state_dict(),
            "of_tables": self.of_tables.state_dict() if self.of_tables else {},
            "best": self.best,
            "history": self.history,
            "losses": self.losses,
            "epoch": self.epoch,
            "best_value": float(self.best_value),
            "best_epoch": self.best_epoch,
        }

    def _begin(self, checkpoint: Path | None, warn: Callable[[str], None]) -> Path | None:
        """Go on where a stopped run was, if there is a checkpoint of it, and all processes where the first one does.

        Returns:
            Where to keep the state: None in all other processes.
        """
        first = self.processes.place == 0
        if first and checkpoint is not None and checkpoint.is_file():
            self._take_up(checkpoint, warn)
        # Before the first epoch all have drawn the same weights.
        if self.processes.number > 1 and self.processes.of_first(lambda: self.epoch):
            content = self.processes.of_first(lambda: packed(self._checkpoint()))
            if not first:
                self._take_over(unpacked(content, self.device))
        return checkpoint if first else None

    def _take_up(self, checkpoint: Path, warn: Callable[[str], None]) -> None:
        """Go on where a stopped run was; from the beginning, if its checkpoint is damaged."""
        try:
            state = read_checkpoint(checkpoint, self.device)
        except FileNotFoundError:
            # Another run of the same variant has ended in the meantime, and has removed it.
            return
        if state is None:
            warn(f"{checkpoint}: found it damaged and removed it; training starts again")
            return
        self._take_over(state)

    def _take_over(self, state: dict[str, Any]) -> None:
        self.items.load_state_dict(state["items"])
        self.scorer.load_state_dict(state["scorer"])
        if self.biases:
            self.biases.load_state_dict(state["biases"])
        if self.alignment:
            self.alignment.load_state_dict(state["alignment"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.of_tables:
            self.of_tables.load_state_dict(state["of_tables"])
        self.best, self.history, self.losses = state["best"], state["history"], state["losses"]
        self.epoch, self.best_value, self.best_epoch = state["epoch"], state["best_value"], state["best_epoch"]

    def _kept(self, checkpoint: Path, warn: Callable[[str], None]) -> Path | None:
        """Keep the state there; where it cannot be written say so, and None: it is not tried again."""
        try:
            write_checkpoint(checkpoint, self._checkpoint())
        except OSError as error:
            warn(f"{checkpoint}: cannot be written: {error.strerror}; if this run is stopped, it starts again")
            return None
        return checkpoint
