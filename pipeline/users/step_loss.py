"""The loss of one step: histories and targets of some users, drawn anew each time, and what the heads lose on them (method 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from pipeline.common.devices import placed
from pipeline.common.precision import products, widened
from pipeline.common.processes import ALONE, Processes, share_of
from pipeline.common.settings import Precision
from pipeline.data.dataset import Dataset
from pipeline.users.alignment.alignment import Alignment
from pipeline.users.count_biases import CountBiases
from pipeline.users.histories import Histories, Sampling, histories, merged
from pipeline.users.item_encoder import ItemEncoder
from pipeline.users.losses import click_loss, drawn_judge_loss, judge_loss, loss_over_catalogue
from pipeline.users.negatives import have_negatives, sample_negatives
from pipeline.users.sampled_catalogue import chances, sample_catalogue
from pipeline.users.scorer import TwoViews
from pipeline.users.settings import VariantConfig
from pipeline.users.terms.term import Rated, as_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix


class StepLoss:
    """Called with users, it draws what they are learned from and gives what is to be made smaller.

    Where several processes train together, all draw the same of all users, and each gives what its share of them adds to the loss.

    Args:
        data: only its training split is touched.
        items: encoder of the items.
        biases: by counts, where the variant has them.
        alignment: of the modalities, likewise.
        precision: of products; losses are in float32.
        processes: who else is given the same users.
    """

    def __init__(
        self,
        data: Dataset,
        config: VariantConfig,
        items: ItemEncoder,
        scorer: TwoViews,
        biases: CountBiases | None,
        alignment: Alignment | None,
        device: torch.device | str,
        precision: Precision = "float32",
        processes: Processes = ALONE,
    ) -> None:
        self.data, self.config, self.device, self.precision = data, config, device, precision
        self.processes = processes
        self.items, self.scorer, self.biases, self.alignment = items, scorer, biases, alignment
        if config.catalogue_sample:
            ratings = data.train_likes.getnnz(axis=0) + data.train_dislikes.getnnz(axis=0)
            self.chances = chances(ratings, config.catalogue_sample)

    def __call__(
        self, users: NDArray[np.int64], random: np.random.Generator, generator: torch.Generator
    ) -> torch.Tensor | None:
        """Losses of the heads, each the mean over its targets, added up; None where no user of the batch has a target.

        Args:
            users: of the batch, (users,).
        """
        config = self.config
        likes, dislikes = self.data.train_likes, self.data.train_dislikes
        kept = random.random(len(users)) if config.history_dropout else None
        sampled = [
            histories(matrix, users, "cpu", Sampling(random, config.max_history, kept)) for matrix in (likes, dislikes)
        ]
        ratings = np.maximum(np.diff(likes.indptr)[users] + np.diff(dislikes.indptr)[users], 1)
        thinned = Sampling(random, None, np.minimum(config.max_targets / ratings, 1.0))
        targeted = [
            histories(matrix, np.arange(len(users)), "cpu", thinned)
            for matrix in (
                (
                    self._without(matrix[users], history)
                    for matrix, history in zip((likes, dislikes), sampled, strict=True)
                )
                if config.targets == "left_out"
                else (matrix[users] for matrix in (likes, dislikes))
            )
        ]
        catalogue = log_weights = None
        if config.catalogue_sample:
            needed = np.concatenate([history.items.numpy() for history in (*sampled, *targeted)])
            sample = sample_catalogue(self.chances, needed, random)
            catalogue, log_weights = sample.items, placed(sample.log_weights, self.device)
            sampled, targeted = ([sample.places(history) for history in pair] for pair in (sampled, targeted))
        # All is drawn on the CPU, and of the whole batch. From here on it is where the model is, and this process has its share.
        first, last = share_of(len(users), self.processes)
        batch = _Batch(users, first, *targeted)
        users = users[first:last]
        sampled, targeted = ([history.of(first, last) for history in pair] for pair in (sampled, targeted))
        of_users = [matrix[users] for matrix in (likes, dislikes)]
        if catalogue is not None:
            of_users = [matrix[:, catalogue] for matrix in of_users]
        sampled, targeted = ([history.to(self.device) for history in pair] for pair in (sampled, targeted))
        liked_targets, disliked_targets = targeted
        rated = Rated(*(histories(matrix, np.arange(len(users)), self.device) for matrix in of_users))
        biases = self.biases() if self.biases else None
        hidden = self.items.hidden(config.modality_dropout, catalogue, random) if config.modality_dropout else {}
        with products(self.precision, self.device):
            parts = {name: widened(part) for name, part in self.items.parts(catalogue).items()}
            scores = self.scorer(
                widened(self.items.fuse(self.items.without(parts, hidden))),
                *sampled,
                leave_one_out=config.leave_one_out,
                drop=config.dropout,
                catalogue=catalogue,
                rated=rated if config.knows else None,
                biases=biases,
            )
        liked, disliked = (one.among(of_users[0].shape[1]) for one in rated)
        losses = []
        like_targets, targets = len(batch.likes.items), len(batch.likes.items) + len(batch.dislikes.items)
        if "click" in config.heads and like_targets:
            losses += self._click_loss(scores["click"], liked_targets, liked, disliked, generator, log_weights, batch)
        if "like" in config.heads and like_targets:
            losses.append(loss_over_catalogue(scores["like"], liked_targets, liked, log_weights) / like_targets)
        if "meet" in config.heads and targets:
            met = merged(liked_targets, disliked_targets)
            losses.append(loss_over_catalogue(scores["meet"], met, liked | disliked, log_weights) / targets)
        if "judge" in config.heads and like_targets and not self.data.train_dislikes.nnz:
            losses.append(drawn_judge_loss(scores["judge"], liked_targets, liked, log_weights) / like_targets)
        elif "judge" in config.heads and targets:
            loss = judge_loss(scores["judge"], liked_targets, disliked_targets, self._leniency_without_one(users))
            losses.append(loss / targets)
        if not losses:
            return None
        if self.alignment:
            # Of items, which every process has all of.
            weight = config.alignment_weight / self.processes.number
            losses.append(weight * self.alignment(self.items, parts, catalogue, random))
        return torch.stack(losses).sum()

    @staticmethod
    def _without(rated: csr_matrix, history: Histories) -> csr_matrix:
        """What users rated without what is in their histories of this step."""
        left = rated - as_matrix(history, rated.shape[1])
        left.eliminate_zeros()
        return left.tocsr()

    def _leniency_without_one(self, users: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Of users without one of their likes, and without one of their dislikes: the target does not tell its own label."""
        likes, dislikes = (
            placed(np.diff(matrix.indptr)[users].astype(np.float32), self.device)
            for matrix in (self.data.train_likes, self.data.train_dislikes)
        )
        without_like = self.scorer.leniency((likes - 1).clamp(min=0), dislikes)
        without_dislike = self.scorer.leniency(likes, (dislikes - 1).clamp(min=0))
        return None if without_like is None or without_dislike is None else (without_like, without_dislike)

    def _click_loss(
        self,
        scores: torch.Tensor,
        targets: Histories,
        liked: torch.Tensor,
        disliked: torch.Tensor,
        generator: torch.Generator,
        log_weights: torch.Tensor | None,
        batch: _Batch,
    ) -> list[torch.Tensor]:
        config = self.config
        if config.negatives == "all":
            return [loss_over_catalogue(scores, targets, liked, log_weights) / len(batch.likes.items)]
        kind = config.negatives, config.negatives_per_like, config.disliked_share
        likes, dislikes = (
            np.diff(matrix.indptr)[batch.users] for matrix in (self.data.train_likes, self.data.train_dislikes)
        )
        with_negatives = int(batch.likes.lengths[have_negatives(*kind, likes, dislikes, self.data.items)].sum())
        if not with_negatives:
            return []
        before = int(batch.likes.lengths[: batch.first].sum())
        negatives = sample_negatives(
            *kind, liked, disliked, targets.user, generator, before=before, of=len(batch.likes.items)
        )
        return [click_loss(scores, targets, negatives.items, negatives.counts) / with_negatives]


class _Batch(NamedTuple):
    """All users of a step.

    Attributes:
        first: where the share of this process begins among them.
        likes, dislikes: their targets.
    """

    users: NDArray[np.int64]
    first: int
    likes: Histories
    dislikes: Histories
