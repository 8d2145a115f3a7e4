"""The loss of one step: what it draws, what it leaves out, and what the heads lose."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy.sparse import csr_matrix

from pipeline.data.dataset import Dataset
from pipeline.users import losses, sampled_catalogue, step_loss
from pipeline.users.histories import Histories, histories
from pipeline.users.losses import click_loss, drawn_judge_loss, judge_loss, loss_over_catalogue
from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.model import Model
from pipeline.users.terms.term import Rated
from pipeline.users.trained import TrainedModel
from pipeline.users.training import UserTrainer
from tests.users.knowing import known
from tests.users.training_world import (
    CODEBOOK,
    ITEMS,
    KNOWING,
    PAIRS,
    PLUS,
    QUEUE,
    STILL,
    THREE_HEADS,
    USERS,
    config,
    dataset,
    interactions,
    liked_dataset,
    loss_of,
    same,
    train,
    trainer_of,
)

FORMS: dict[str, dict[str, Any]] = {
    "method": {},
    "plus": PLUS,
    "three heads": THREE_HEADS,
    "candidate attention": PLUS | {"attention": "candidate"},
    "merged": PLUS | {"views": "merged", "attention": "self"},
    "gated, aligned": PLUS | {"fusion": "gated", "alignment_weight": 0.1},
    "aligned by a queue": PLUS | {"alignment": "queue", "alignment_weight": 0.1},
    "aligned by a codebook": PLUS | {"alignment": "codebook", "alignment_weight": 0.1},
    "finetuned": PLUS | {"finetune_gat": True, "structure": "gat"},
    "knowing": KNOWING | {"targets": "all"},
    "knowing, merged": KNOWING | {"targets": "all", "views": "merged"},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_sample_of_everything_gives_the_loss_and_gradients_of_the_whole_catalogue(
    inputs: ItemInputs, data: Dataset, form: str
) -> None:
    found = []
    for size in (0, ITEMS):
        trainer = trainer_of(inputs, data, **FORMS[form] | STILL | {"catalogue_sample": size})
        loss = loss_of(trainer)
        torch.autograd.backward(loss)
        gradients = {
            name: parameter.grad.clone()
            for module in (trainer.items, trainer.scorer, *([trainer.biases] if trainer.biases else []))
            for name, parameter in module.named_parameters()
            if parameter.grad is not None
        }
        found.append((float(loss.detach()), gradients))
    (whole, expected), (sampled, gradients) = found
    assert sampled == pytest.approx(whole, rel=1e-5)
    assert list(gradients) == list(expected)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("form", ["method", "plus", "three heads"])
def test_a_sampled_loss_is_that_of_the_whole_scores_weighted_by_the_sample(
    inputs: ItemInputs, data: Dataset, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[sampled_catalogue.SampledCatalogue] = []

    def spy(*given: Any) -> sampled_catalogue.SampledCatalogue:
        drawn.append(sample_catalogue(*given))
        return drawn[-1]

    sample_catalogue = sampled_catalogue.sample_catalogue
    monkeypatch.setattr(step_loss, "sample_catalogue", spy)
    # Of one user, whose own items are few beside the catalogue.
    users = np.array([3])
    trainer = trainer_of(inputs, data, **FORMS[form] | STILL | {"catalogue_sample": 6})
    loss = trainer.loss(users, np.random.default_rng(0), torch.Generator().manual_seed(0))
    assert loss is not None
    (sample,) = drawn
    assert len(sample.items) < ITEMS
    log_weights = torch.full((ITEMS,), losses.NEVER)
    log_weights[sample.items] = torch.from_numpy(sample.log_weights)
    likes, dislikes = (histories(split, users, "cpu") for split in (data.train_likes, data.train_dislikes))
    with torch.no_grad():
        scores = trainer.scorer(trainer.items(), likes, dislikes, leave_one_out=True)
    liked, disliked = (torch.from_numpy(m[users].toarray() > 0) for m in (data.train_likes, data.train_dislikes))
    rated = [torch.tensor([float(part.sum())]) for part in (liked, disliked)]
    count = int(rated[0] + rated[1])
    expected = 0.0
    for head in trainer.config.heads:
        if head == "judge":
            leniency: Any = tuple(trainer.scorer.leniency(rated[0] - own, rated[1] - (1 - own)) for own in (1.0, 0.0))
            expected += float(judge_loss(scores["judge"], likes, dislikes, leniency)) / count
            continue
        positive = liked | disliked if head == "meet" else liked
        for item in positive[0].nonzero().ravel().tolist():
            against = sum(
                math.exp(float(scores[head][0, other] + log_weights[other]))
                for other in range(ITEMS)
                if not positive[0, other]
            )
            own = math.exp(float(scores[head][0, item]))
            expected += math.log((own + against) / own) / int(positive.sum())
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("views", ["both", "likes", "merged"])
def test_a_sampled_catalogue_changes_no_score_by_what_is_known(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch, views: str
) -> None:
    changes = KNOWING | {"targets": "all", "views": views, "catalogue_sample": 6, "max_history": 3, "dropout": 0.0}
    trainer = trainer_of(inputs, data, **changes)
    for parameter in trainer.scorer.terms.parameters():
        torch.nn.init.normal_(parameter)
    seen: list[Any] = []
    trainer.scorer.register_forward_hook(lambda _, *call: seen.append(call), with_kwargs=True)
    users = np.array([3, 8])
    loss = trainer.loss(users, np.random.default_rng(4), torch.Generator().manual_seed(0))
    assert loss is not None
    (((_, *sampled), options, found),) = seen
    catalogue = torch.from_numpy(options["catalogue"])
    assert len(catalogue) < ITEMS
    whole = [dataclasses.replace(history, items=catalogue[history.items]) for history in sampled]
    rated = Rated(*(histories(split, users, "cpu") for split in (data.train_likes, data.train_dislikes)))
    with torch.no_grad():
        expected = trainer.scorer(trainer.items(), *whole, leave_one_out=True, rated=rated, biases=options["biases"])
    for head, scores in found.items():
        torch.testing.assert_close(scores, expected[head][:, catalogue], rtol=1e-4, atol=1e-5)


def test_only_likes_with_a_negative_count_as_trained_on(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_dislikes = {0, 7, 8}
    frame = interactions().filter(~(pl.col("user").is_in(no_dislikes) & ~pl.col("like")))
    fewer = dataset(frame)
    sums: list[float] = []

    def spy(*given: Any) -> torch.Tensor:
        total = click_loss(*given)
        sums.append(float(total.detach()))
        return total

    monkeypatch.setattr(step_loss, "click_loss", spy)
    loss = float(loss_of(trainer_of(inputs, fewer, negatives="disliked", **STILL)).detach())
    with_dislikes = np.diff(fewer.train_dislikes.indptr) > 0
    assert not with_dislikes[[*no_dislikes]].any()
    positives = np.diff(fewer.train_likes.indptr)[with_dislikes].sum()
    assert positives < fewer.train_likes.nnz
    assert loss == pytest.approx(sums[0] / positives)


def test_a_batch_without_any_target_is_passed_over(inputs: ItemInputs, data: Dataset) -> None:
    lonely = dataset(interactions().filter(~((pl.col("user") == 3) & ~pl.col("like"))))
    trainer = trainer_of(inputs, lonely, negatives="disliked")
    assert trainer.loss(np.array([3]), np.random.default_rng(0), torch.Generator()) is None
    trained = train(inputs, lonely, negatives="disliked", batch_users=1, epochs=1)
    assert np.isfinite(trained.history[0]["loss"])


class Watched:
    """What goes into the scorer and into the loss of `meet`, or of the click."""

    def __init__(self, trainer: UserTrainer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.targets: list[Histories] = []
        trainer.scorer.register_forward_pre_hook(lambda _, *call: self.entered.append(call), with_kwargs=True)

        def spy(scores: torch.Tensor, targets: Histories, *given: Any) -> torch.Tensor:
            self.targets.append(targets)
            return loss_over_catalogue(scores, targets, *given)

        monkeypatch.setattr(step_loss, "loss_over_catalogue", spy)


def assert_part_of(history: Histories, matrix: csr_matrix) -> None:
    assert all(matrix[user, item] for user, item in zip(history.user.tolist(), history.items.tolist(), strict=True))


@pytest.mark.parametrize("changes", [{}, PLUS | {"history_dropout": False}], ids=["method", "plus"])
def test_what_enters_the_model_in_training(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    trainer = trainer_of(inputs, data, **changes | {"max_history": 3, "dropout": 0.25})
    watched = Watched(trainer, monkeypatch)
    loss_of(trainer)
    (((_, likes, dislikes), options),) = watched.entered
    for history, matrix in ((likes, data.train_likes), (dislikes, data.train_dislikes)):
        assert history.lengths.tolist() == np.minimum(np.diff(matrix.indptr), 3).tolist()
        assert_part_of(history, matrix)
    assert options == {
        "leave_one_out": True,
        "drop": 0.25,
        "catalogue": None,
        "rated": None,
        "biases": None,
    }
    # However short the histories are cut, every training like (or rating) is a target.
    (targets,) = watched.targets
    split = data.train_likes + data.train_dislikes if changes else data.train_likes
    assert targets.lengths.tolist() == np.diff(split.indptr).tolist()
    assert_part_of(targets, split)
    text = trainer.items.modalities["text"].get_buffer("text")
    assert text.mean(dim=0).abs().max() < 1e-6
    assert text.std(dim=0, correction=0).tolist() == pytest.approx([1.0] * 6, abs=1e-5)


def cells(history: Histories) -> set[tuple[int, int]]:
    found = list(zip(history.user.tolist(), history.items.tolist(), strict=True))
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize("changes", [{}, {"max_history": 3}, {"max_targets": 4}], ids=["all", "cut", "few-targets"])
def test_targets_that_are_left_out_are_what_the_histories_of_the_step_lack(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    trainer = trainer_of(inputs, data, **PLUS | {"max_history": ITEMS, "targets": "left_out"} | changes)
    watched = Watched(trainer, monkeypatch)
    judged: list[tuple[Histories, Histories]] = []

    def spy(scores: torch.Tensor, likes: Histories, dislikes: Histories, *given: Any) -> torch.Tensor:
        judged.append((likes, dislikes))
        return judge_loss(scores, likes, dislikes, *given)

    monkeypatch.setattr(step_loss, "judge_loss", spy)
    # Not in their own order.
    users = np.random.default_rng(0).permutation(USERS)
    splits = [data.train_likes[users], data.train_dislikes[users]]
    shares = []
    for seed in range(15):
        trainer.loss(users, np.random.default_rng(seed), torch.Generator())
        (_, *kept), _ = watched.entered[-1]
        met = set()
        for history, targets, split in zip(kept, judged[-1], splits, strict=True):
            assert_part_of(history, split)
            assert_part_of(targets, split)
            assert not cells(history) & cells(targets)
            left = {*zip(*(place.tolist() for place in split.nonzero()), strict=True)} - cells(history)
            assert cells(targets) <= left
            if "max_targets" not in changes:
                assert cells(targets) == left
            shares.append(len(cells(targets)) / len(left))
            met |= cells(targets)
        assert cells(watched.targets[-1]) == met
    assert min(shares) > 0
    assert (np.mean(shares) < 0.6) == ("max_targets" in changes)


def test_what_is_known_leaves_out_all_that_users_rated_however_short_their_histories_are(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(inputs, data, **KNOWING | {"max_history": 2})
    watched = Watched(trainer, monkeypatch)
    users = [5, 2, 9]
    loss_of(trainer, users)
    ((_, options),) = watched.entered
    for history, split in zip(options["rated"], (data.train_likes, data.train_dislikes), strict=True):
        assert cells(history) == {*zip(*(place.tolist() for place in split[users].nonzero()), strict=True)}
    assert trainer.biases is not None
    for head, biases in trainer.biases().items():
        for one, other in zip(options["biases"][head], biases, strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("known_too", [False, True])
def test_without_dislikes_likes_are_judged_against_all_that_is_not_liked(inputs: ItemInputs, known_too: bool) -> None:
    liked = liked_dataset()
    asked = config(**(KNOWING | {"targets": "all"} if known_too else PLUS) | STILL).for_data(ITEMS, 0, 1.0, 1)
    given = dataclasses.replace(inputs, gat=None, knowledge=known(liked) if known_too else None)
    trainer = UserTrainer(given, liked, asked, 7)
    # Where training starts both heads say the same.
    torch.nn.init.normal_(trainer.scorer.weights)
    history = histories(liked.train_likes, np.arange(USERS), "cpu")
    nothing = histories(liked.train_dislikes, np.arange(USERS), "cpu")
    with torch.no_grad():
        scores = trainer.scorer(
            trainer.items(),
            history,
            nothing,
            leave_one_out=True,
            rated=Rated(history, nothing) if known_too else None,
            biases=trainer.biases() if trainer.biases else None,
        )
    matrix = torch.from_numpy(liked.train_likes.toarray() > 0)
    expected = loss_over_catalogue(scores["like"], history, matrix) + drawn_judge_loss(scores["judge"], history, matrix)
    assert float(loss_of(trainer).detach()) == pytest.approx(float(expected) / len(history.items), rel=1e-5)
    trained = UserTrainer(
        given, liked, asked.model_copy(update={"epochs": 1, "early_stopping_by": ["ranking.ndcg@10"]}), 7
    ).run()
    found = TrainedModel(Model.from_arrays(trained.arrays, asked, ITEMS), liked).score(np.arange(3))
    assert np.isfinite(found.judgement).all()


def test_history_dropout_keeps_a_share_of_each_history_and_all_targets(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(inputs, data, **PLUS | {"max_history": ITEMS, "history_dropout": True})
    watched = Watched(trainer, monkeypatch)
    shares = []
    rated = np.diff((data.train_likes + data.train_dislikes).indptr)
    for seed in range(20):
        trainer.loss(np.arange(USERS), np.random.default_rng(seed), torch.Generator())
        (_, likes, dislikes), _ = watched.entered[-1]
        assert_part_of(likes, data.train_likes)
        assert_part_of(dislikes, data.train_dislikes)
        shares.append((likes.lengths + dislikes.lengths) / rated)
        assert watched.targets[-1].lengths.tolist() == rated.tolist()
    drawn = np.array(shares)
    # From nothing to everything, evenly, and anew for every user and step.
    assert drawn.mean() == pytest.approx(0.5, abs=0.03)
    assert drawn.std() == pytest.approx(12**-0.5, abs=0.05)
    assert drawn.std(axis=0).min() > 0.1
    assert drawn.std(axis=1).min() > 0.1
    # One share for both views of a user: where few likes are kept, few dislikes are.
    kept = [np.bincount(h.user, minlength=USERS) for (_, *both), _ in watched.entered for h in both]
    sizes = [np.diff(m.indptr) for m in (data.train_likes, data.train_dislikes)]
    likes_kept, dislikes_kept = (np.concatenate(kept[view::2]) / np.tile(sizes[view], 20) for view in (0, 1))
    known = np.isfinite(likes_kept) & np.isfinite(dislikes_kept)
    assert np.corrcoef(likes_kept[known], dislikes_kept[known])[0, 1] > 0.5


def test_users_with_many_ratings_have_about_the_largest_number_of_targets(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(inputs, data, **PLUS | {"max_targets": 4})
    watched = Watched(trainer, monkeypatch)
    loss_of(trainer)
    (targets,) = watched.targets
    rated = data.train_likes + data.train_dislikes
    assert_part_of(targets, rated)
    assert np.diff(rated.indptr).min() > 4
    assert targets.lengths.mean() == pytest.approx(4, abs=0.7)


@pytest.mark.parametrize("changes", [PAIRS, QUEUE, CODEBOOK], ids=["pairs", "queue", "codebook"])
def test_alignment_adds_its_share_to_the_loss_and_changes_the_model(
    inputs: ItemInputs, data: Dataset, changes: dict[str, Any]
) -> None:
    still = changes | STILL | {"alignment_items": ITEMS}
    plain = trainer_of(inputs, data, **still | {"alignment": "pairs", "alignment_weight": 0.0})
    aligned, again = (trainer_of(inputs, data, **still) for _ in range(2))
    assert plain.alignment is None
    assert aligned.alignment is not None
    assert again.alignment is not None
    term = again.alignment(again.items, again.items.parts(), None, np.random.default_rng(0))
    assert float(term) > 0
    difference = loss_of(aligned) - loss_of(plain)
    assert float(difference.detach()) == pytest.approx(0.5 * float(term.detach()), rel=1e-4)
    one, other = (train(inputs, data, **changes | {"alignment_weight": each, "epochs": 1}) for each in (0.5, 0.6))
    assert not same(one, other)


def test_what_is_hidden_is_scored_as_if_the_items_lacked_it(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = PLUS | STILL | {"modality_dropout": 0.4, "catalogue_sample": 10}
    trainer = trainer_of(inputs, data, **changes)
    drawn: list[Any] = []
    original = trainer.items.hidden

    def spy(*given: Any) -> Any:
        drawn.append((*given[:2], original(*given)))
        return drawn[-1][-1]

    monkeypatch.setattr(trainer.items, "hidden", spy)
    seen: list[Any] = []
    trainer.scorer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    loss = trainer.loss(np.array([3, 8]), np.random.default_rng(0), torch.Generator().manual_seed(0))
    assert loss is not None
    ((rate, catalogue, hides),) = drawn
    assert rate == 0.4
    parts = trainer.items.parts(catalogue)
    for name, where in hides.items():
        assert 0 < where.sum() < len(catalogue)
        parts[name] = parts[name] * torch.from_numpy(~where).unsqueeze(1)
    torch.testing.assert_close(seen[0], trainer.items.fuse(parts))


def test_where_no_modality_is_hidden_nothing_is_drawn(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(inputs, data, **PLUS)
    monkeypatch.setattr(trainer.items, "hidden", None)
    loss_of(trainer)
    assert not same(train(inputs, data, **PLUS), train(inputs, data, **PLUS | {"modality_dropout": 0.01}))
