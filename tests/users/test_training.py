"""Training: stopped by validation, blind to the test split, and able to learn."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines.popularity import Popularity
from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.evaluation.metrics.validation import FIGURES
from pipeline.structure.gat.network import TwoLayerGat
from pipeline.users import training
from pipeline.users.co_rating import ENTRIES
from pipeline.users.found_shares import found_shares
from pipeline.users.modalities.inputs import ItemInputs, standardised
from pipeline.users.model import Model
from pipeline.users.names import READ_BY, Views
from pipeline.users.trained import TrainedModel
from pipeline.users.training import Trained, UserTrainer
from tests.users.test_co_rating import slow_weights
from tests.users.test_settings import VARIANTS
from tests.users.training_world import (
    CO_RATING,
    CODEBOOK,
    ITEMS,
    KNOWING,
    PAIRS,
    PLUS,
    QUEUE,
    REFITTED,
    STILL,
    STRUCTURE_WIDTH,
    THREE_HEADS,
    USERS,
    config,
    dataset,
    everything_in_training,
    interactions,
    liked_dataset,
    loss_of,
    same,
    train,
    trainer_of,
)


def model_of(trained: Trained, data: Dataset, **changes: Any) -> TrainedModel:
    return TrainedModel(Model.from_arrays(trained.arrays, config(**changes), data.items), data)


def with_gat_dropout(inputs: ItemInputs, rate: float) -> ItemInputs:
    assert inputs.gat is not None
    settings = inputs.gat.build.keywords["config"].model_copy(update={"dropout": rate})  # type: ignore[attr-defined]
    return dataclasses.replace(inputs, gat=dataclasses.replace(inputs.gat, build=partial(TwoLayerGat, config=settings)))


@REFITTED
def test_a_refit_is_a_training_run_on_all_ratings_that_ends_with_an_epoch_that_is_given(
    inputs: ItemInputs, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, everything = everything_in_training(inputs)
    # As if validation, of which nothing is left, chose the third of four epochs.
    looks = iter([1.0, 2.0, 3.0, 2.0])
    monkeypatch.setattr(training, "validation_figures", lambda *_: dict.fromkeys(FIGURES, next(looks)))
    chosen = train(inputs, everything, **changes)
    assert (chosen.best_epoch, len(chosen.history)) == (3, 4)
    refitted = trainer_of(inputs, everything, **changes).refit(3)
    assert same(chosen, refitted)
    assert (refitted.best_epoch, refitted.history) == (3, [])
    assert next(looks, None) is None
    assert not same(chosen, trainer_of(inputs, everything, **changes).refit(4))


def test_a_run_ends_with_the_shares_that_validation_prefers(inputs: ItemInputs, data: Dataset) -> None:
    given = CO_RATING | {"judge_share": 0.45, "ranking_share": 0.05, "co_rating_share": 0.7}
    fixed, found = train(inputs, data, **given), train(inputs, data, **given | {"find_shares": True})
    assert fixed.config == config(**given)
    assert same(fixed, found)
    asked = config(**given | {"find_shares": True})
    assert found.config == found_shares(Model.from_arrays(found.arrays, asked, ITEMS), asked, data)
    assert found.config != asked


@pytest.mark.parametrize("negatives", ["all", "unseen", "disliked", "mixed"])
def test_planted_tastes_are_learned_with_every_kind_of_negatives(
    inputs: ItemInputs, data: Dataset, negatives: str
) -> None:
    trained = train(inputs, data, negatives=negatives, epochs=12)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    found = evaluate_split(model_of(trained, data), data, "test")
    popular = evaluate_split(Popularity.fit(data), data, "test")
    assert found.value("impression.user_auc") > popular.value("impression.user_auc") + 0.2
    if negatives != "disliked":
        assert found.value("ranking.ndcg@10") > popular.value("ranking.ndcg@10") + 0.03


@pytest.mark.parametrize(
    "changes",
    [PLUS, CO_RATING, THREE_HEADS, KNOWING, PAIRS, QUEUE, CODEBOOK, PLUS | {"modality_dropout": 0.2}],
    ids=["plus", "co-rating", "three-heads", "knowing", "pairs", "queue", "codebook", "modality-dropout"],
)
def test_planted_tastes_are_learned_by_the_extended_model(
    inputs: ItemInputs, data: Dataset, changes: dict[str, Any]
) -> None:
    long = changes | {"epochs": 12, "learning_rate": 0.02, "judge_share": 2.0}
    trained = train(inputs, data, **long)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    found = evaluate_split(model_of(trained, data, **long), data, "test")
    popular = evaluate_split(Popularity.fit(data), data, "test")
    assert found.value("impression.user_auc") > popular.value("impression.user_auc") + 0.2
    assert found.value("ranking.ndcg@10") > popular.value("ranking.ndcg@10") + 0.03


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_of_the_pipeline_trains_and_is_read_back(inputs: ItemInputs, data: Dataset, name: str) -> None:
    changes = VARIANTS[name] | {
        "width": STRUCTURE_WIDTH if VARIANTS[name]["fusion"] == "average" else 8,
        "attention_heads": min(VARIANTS[name]["attention_heads"], 4),
        "epochs": 1,
        "batch_users": 20,
    }
    trainer = trainer_of(inputs, data, **changes)
    before = {key: value.detach().clone() for key, value in trainer.scorer.named_parameters() if value.requires_grad}
    trained = trainer.run()
    assert [row["epoch"] for row in trained.history] == [1]
    assert np.isfinite(list(trained.history[0].values())).all()
    assert all(np.isfinite(array).all() for array in trained.arrays.values())
    found = TrainedModel(Model.from_arrays(trained.arrays, trained.config, ITEMS), data).score(np.arange(5))
    assert np.isfinite(found.preference).all()
    # With several heads, views and biases it is easy to leave one out of the loss.
    for key, start in before.items():
        assert not np.array_equal(trained.arrays[f"scorer.{key}"], start.numpy()), key


@pytest.mark.parametrize("changes", [{}, CO_RATING, KNOWING], ids=["method", "co-rating", "knowing"])
def test_the_test_split_is_never_touched(inputs: ItemInputs, data: Dataset, changes: dict[str, Any]) -> None:
    frame = interactions()
    poisoned = frame.with_columns(
        like=pl.when(pl.col("split") == "test").then(~pl.col("like")).otherwise(pl.col("like"))
    )
    assert not poisoned.equals(frame)
    clean, other = train(inputs, data, **changes), train(inputs, dataset(poisoned), **changes)
    assert same(clean, other)
    assert clean.history == other.history


def test_validation_picks_the_epoch_and_nothing_else(inputs: ItemInputs, data: Dataset) -> None:
    frame = interactions()
    poisoned = frame.with_columns(
        like=pl.when(pl.col("split") == "valid").then(~pl.col("like")).otherwise(pl.col("like"))
    )
    changes = CO_RATING | {"epochs": 1}
    clean, other = train(inputs, data, **changes), train(inputs, dataset(poisoned), **changes)
    assert same(clean, other)
    assert clean.history != other.history


def test_the_best_validation_epoch_is_kept_and_patience_ends_the_run(inputs: ItemInputs, data: Dataset) -> None:
    # A learning rate that wrecks the model soon, so that the best epoch is not the last.
    trained = train(inputs, data, learning_rate=0.3, epochs=30, patience=3)
    curve = [row["ranking_ndcg@10"] for row in trained.history]
    assert trained.best_epoch == int(np.argmax(curve)) + 1
    assert len(curve) == trained.best_epoch + 3 < 30
    assert trained.best == trained.history[trained.best_epoch - 1]
    found = evaluate_split(model_of(trained, data), data, "valid")
    assert found.value("ranking.ndcg@10") == pytest.approx(max(curve), abs=1e-6)


@pytest.mark.parametrize(
    "figures",
    [["ctr.user_auc"], ["ctr.user_auc", "impression.ndcg@10", "ranking.ndcg@10"], ["impression.ndcg@10"]],
    ids=len,
)
def test_the_sum_of_other_validation_figures_can_pick_the_epoch(
    inputs: ItemInputs, data: Dataset, figures: list[str]
) -> None:
    changes = PLUS | {"early_stopping_by": figures, "epochs": 8, "learning_rate": 0.1}
    trained = train(inputs, data, **changes)
    sums = [sum(row[name.replace(".", "_")] for name in figures) for row in trained.history]
    assert trained.best_epoch == int(np.argmax(sums)) + 1
    found = evaluate_split(model_of(trained, data, **changes), data, "valid")
    assert sum(found.value(name) for name in figures) == pytest.approx(max(sums), abs=1e-5)


def test_finetuning_changes_the_structural_vectors_and_freezing_does_not(inputs: ItemInputs, data: Dataset) -> None:
    frozen, tuned = train(inputs, data), train(inputs, data, finetune_gat=True)
    standard = standardised(inputs.structure)
    assert frozen.arrays["items"][:, 4:] == pytest.approx(standard, abs=1e-4)
    assert np.abs(tuned.arrays["items"][:, 4:] - standard).max() > 0.01


def test_the_learning_rate_warms_up_over_one_epoch_and_falls_to_a_tenth(inputs: ItemInputs, data: Dataset) -> None:
    trainer = trainer_of(inputs, data, learning_rate=1.0, epochs=10)
    rates = []
    for done in (0.0, 0.5, 1.0, 5.0, 10.0):
        trainer._set_learning_rate(done, 2)
        rates.append(trainer.optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.5, 0.955, 0.91, 0.55, 0.1])


def test_many_parameters_are_moved_as_few_are(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = train(inputs, data, **STILL)
    monkeypatch.setattr(training, "FUSED_PARAMETERS", 1)
    assert trainer_of(inputs, data).optimiser.param_groups[0]["fused"]
    many = train(inputs, data, **STILL)
    for name, array in few.arrays.items():
        np.testing.assert_allclose(many.arrays[name], array, rtol=1e-3, atol=1e-4)


def test_a_loss_that_is_not_finite_is_one_line(inputs: ItemInputs, data: Dataset) -> None:
    broken = ItemInputs(ITEMS, inputs.text * np.float32(1e30), inputs.structure * np.float32("nan"))
    with pytest.raises(InputError, match=r"^train_users: found a loss of nan in epoch 1; expected a finite number"):
        train(broken, data)


def test_early_stopping_by_a_figure_that_the_data_cannot_give_is_one_line(inputs: ItemInputs) -> None:
    with pytest.raises(InputError, match=r"^early_stopping_by: found impression.ndcg@10"):
        train(inputs, liked_dataset(), early_stopping_by=["impression.ndcg@10"])


@pytest.mark.parametrize("changes", [{}, CO_RATING], ids=["method", "co-rating"])
def test_data_without_any_dislike_trains_on_likes_alone(inputs: ItemInputs, changes: dict[str, Any]) -> None:
    trained = train(inputs, liked_dataset(), **changes | {"early_stopping_by": ["ranking.ndcg@10"]})
    assert [row["impression_ndcg@10"] for row in trained.history] == [0, 0, 0, 0]
    assert all(np.isfinite(array).all() for array in trained.arrays.values())


def test_vectors_of_different_numbers_of_items_are_one_line(inputs: ItemInputs, data: Dataset) -> None:
    with pytest.raises(InputError, match="found 39 by text, expected 40, one for each item"):
        train(ItemInputs(ITEMS, inputs.text[1:], inputs.structure), data)


def test_average_fusion_of_different_widths_is_one_line_before_training(inputs: ItemInputs, data: Dataset) -> None:
    with pytest.raises(
        InputError, match="average fusion needs equal widths, found width 6 and structural vectors 4 wide"
    ):
        train(inputs, data, fusion="average", width=6)
    assert train(inputs, data, fusion="average", epochs=1).arrays["items"].shape == (ITEMS, 4)


def test_heads_that_do_not_divide_the_item_vectors_width_are_one_line(inputs: ItemInputs, data: Dataset) -> None:
    with pytest.raises(
        InputError, match=r"^attention_heads: found 3, expected a divisor of the item vector's width 8$"
    ):
        train(inputs, data, attention_heads=3)


@pytest.mark.parametrize("finetune_gat", [True, False])
def test_the_gats_inputs_go_with_finetuning_alone(inputs: ItemInputs, data: Dataset, finetune_gat: bool) -> None:
    other = dataclasses.replace(inputs, gat=None) if finetune_gat else inputs
    with pytest.raises(ValueError, match="finetune_gat needs the GAT's inputs, and nothing else does"):
        UserTrainer(other, data, config(finetune_gat=finetune_gat), 7)


def test_a_model_learns_from_sampled_catalogues(inputs: ItemInputs, data: Dataset) -> None:
    history = train(inputs, data, **PLUS | {"catalogue_sample": 10, "epochs": 12}).history
    assert history[-1]["ctr_user_auc"] > 0.6


def test_left_in_its_own_history_a_like_is_easier_to_find(inputs: ItemInputs, data: Dataset) -> None:
    without, with_all = (
        float(loss_of(trainer_of(inputs, data, **STILL, leave_one_out=each)).detach()) for each in (True, False)
    )
    # The loss would look better than it is.
    assert without > with_all + 0.01


@pytest.mark.parametrize("changes", [{}, PLUS], ids=["method", "plus"])
def test_without_leaving_one_out_another_model_is_trained(
    inputs: ItemInputs, data: Dataset, changes: dict[str, Any]
) -> None:
    one, other = (train(inputs, data, **changes | {"leave_one_out": each, "epochs": 1}) for each in (True, False))
    assert not same(one, other)


@pytest.mark.parametrize("validate_every", [1, 2])
def test_biases_by_counts_are_stored_as_those_of_the_items(
    inputs: ItemInputs, data: Dataset, validate_every: int
) -> None:
    trainer = trainer_of(inputs, data, **KNOWING | {"epochs": 3, "validate_every": validate_every})
    kept = {}

    def keep(row: dict[str, float]) -> None:
        assert trainer.biases is not None
        kept[row["epoch"]] = {head: bias.whole.detach().clone() for head, bias in trainer.biases().items()}

    trained = trainer.run(report=keep)
    for head, bias in kept[trained.best_epoch].items():
        assert trained.arrays[f"scorer.item_bias.{head}"].tobytes() == bias.numpy().tobytes()
    assert len(kept) == len(trained.history)


def test_what_all_items_have_in_common_learns_quickly_and_is_not_decayed_and_projections_learn_slowly(
    inputs: ItemInputs, data: Dataset
) -> None:
    trainer = trainer_of(inputs, data, **KNOWING | {"weight_decay": 0.1})
    trainer._set_learning_rate(1.0, 3)
    own, slow, quick = trainer.optimiser.param_groups
    assert quick["lr"] == pytest.approx(training.QUICK * own["lr"])
    assert slow["lr"] == pytest.approx(training.SLOW * own["lr"])
    assert (own["weight_decay"], slow["weight_decay"], quick["weight_decay"]) == (0.1, 0.1, 0.0)
    assert trainer.biases is not None
    common = [*trainer.scorer.terms.parameters(), *trainer.biases.parameters()]
    assert {id(one) for one in quick["params"]} == {id(one) for one in common}
    parts = trainer.items.modalities
    projections = [parts["text"].get_parameter("projection.weight"), parts["structure"].structure_projection]
    assert {id(one) for one in slow["params"]} == {id(one) for one in projections}
    others = {id(one) for module in (trainer.items, trainer.scorer) for one in module.parameters()}
    biases = {id(one) for one in trainer.scorer.item_bias.values()}
    assert biases
    assert {id(one) for one in own["params"]} == others - {id(one) for one in (*common, *projections)} - biases


@pytest.mark.parametrize("fusion", ["concat", "average", "linear", "gated"])
def test_projections_learn_slowly_where_vectors_are_added_up_and_at_one_pace_where_they_are_not(
    inputs: ItemInputs, data: Dataset, fusion: str
) -> None:
    trainer = trainer_of(inputs, data, fusion=fusion, weight_decay=0.1)
    trainer._set_learning_rate(1.0, 3)
    groups = trainer.optimiser.param_groups
    assert [group["pace"] for group in groups] == ([1.0, training.SLOW] if fusion in ("linear", "gated") else [1.0])
    assert {group["weight_decay"] for group in groups} == {0.1}
    modules = (trainer.items, trainer.scorer)
    all_of_them = [id(one) for module in modules for one in module.parameters() if one.requires_grad]
    assert sorted(id(one) for group in groups for one in group["params"]) == sorted(all_of_them)


def test_every_weight_of_what_is_known_is_trained_and_read_back(inputs: ItemInputs, data: Dataset) -> None:
    changes = KNOWING | {"epochs": 1}
    trainer = trainer_of(inputs, data, **changes)
    assert trainer.biases is not None
    modules = {"scorer": trainer.scorer, "biases": trainer.biases}
    before = {
        (place, name): value.detach().clone()
        for place, module in modules.items()
        for name, value in module.named_parameters()
    }
    trained = trainer.run()
    for (place, name), start in before.items():
        assert not torch.equal(dict(modules[place].named_parameters())[name], start), name
    one = model_of(trained, data, **changes).score(np.arange(USERS))
    kept = Model(trainer.scorer, torch.from_numpy(trained.arrays["items"]), judge_share=trainer.config.judge_share)
    np.testing.assert_array_equal(one.preference, TrainedModel(kept, data).score(np.arange(USERS)).preference)


def test_item_to_item_weights_are_no_part_of_training(inputs: ItemInputs, data: Dataset) -> None:
    """Neither of what is learned nor of the epoch that is chosen."""
    without, beside = train(inputs, data, **PLUS), train(inputs, data, **CO_RATING)
    assert beside.history == without.history
    assert beside.arrays.keys() - without.arrays.keys() == {"co_rating"}
    for name, array in without.arrays.items():
        assert beside.arrays[name].tobytes() == array.tobytes()


def test_item_to_item_weights_that_count_for_nothing_are_not_stored(inputs: ItemInputs, data: Dataset) -> None:
    found = train(inputs, data, **CO_RATING | {"co_rating_share": 0.0, "find_shares": False, "epochs": 1})
    assert not [name for name in found.arrays if name.startswith("co_rating")]
    assert Model.from_arrays(found.arrays, found.config, ITEMS).co_rating is None


@pytest.mark.parametrize("graph", [0.0, 0.5])
@pytest.mark.parametrize("views", ["both", "likes", "merged"])
def test_item_to_item_weights_are_fitted_to_what_the_views_hold_and_to_the_graph(
    inputs: ItemInputs, data: Dataset, views: Views, graph: float
) -> None:
    held = {"likes": data.train_likes, "dislikes": data.train_dislikes, "rated": data.train_likes + data.train_dislikes}
    given = inputs if graph else dataclasses.replace(inputs, around=None)
    found = train(given, data, **CO_RATING | {"views": views, "co_rating_graph": graph, "epochs": 1}).arrays[
        "co_rating"
    ]
    assert inputs.around is not None
    rated = {name: held[name] for name in READ_BY[views]}
    expected = slow_weights(rated, CO_RATING["co_rating_l2"], inputs.around.toarray().astype(np.float64), graph)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("most", [ITEMS, ITEMS - 1])
def test_a_large_catalogue_has_weights_of_neighbours_alone(
    inputs: ItemInputs, data: Dataset, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.users.training.LARGE_CATALOGUE", most)
    found = train(inputs, data, **CO_RATING | {"epochs": 1})
    stored = {name for name in found.arrays if name.startswith("co_rating")}
    assert stored == ({"co_rating"} if most == ITEMS else set(ENTRIES))
    model = Model.from_arrays(found.arrays, found.config, ITEMS)
    assert isinstance(model.co_rating, torch.Tensor) == (most == ITEMS)
    # Of so few items all are neighbours.
    monkeypatch.setattr("pipeline.users.training.LARGE_CATALOGUE", ITEMS)
    whole = train(inputs, data, **CO_RATING | {"epochs": 1})
    users = np.arange(data.users)
    read = [TrainedModel(Model.from_arrays(one.arrays, one.config, ITEMS), data).score(users) for one in (found, whole)]
    np.testing.assert_allclose(read[0].preference, read[1].preference, atol=1e-4)


@pytest.mark.parametrize("where", ["items", "gat"])
def test_dropout_is_drawn_anew_in_every_epoch(inputs: ItemInputs, data: Dataset, where: str) -> None:
    made = with_gat_dropout(inputs, 0.5 if where == "gat" else 0.0)
    changes = {"learning_rate": 1e-12, "epochs": 3, "finetune_gat": True, "max_history": ITEMS}
    dropped = train(made, data, dropout=0.5 if where == "items" else 0.0, **changes).history
    assert dropped[0]["loss"] != pytest.approx(dropped[1]["loss"], rel=1e-4)
    assert dropped[1]["loss"] != pytest.approx(dropped[2]["loss"], rel=1e-4)
    if where == "items":
        # Users meet in other batches in every epoch, of which the mean is taken: all in one for a loss that is the same.
        still = train(made, data, dropout=0.0, batch_users=USERS, **changes).history
        assert still[0]["loss"] == pytest.approx(still[1]["loss"], rel=1e-5)


def test_disliked_negatives_without_any_dislike_are_one_line(inputs: ItemInputs) -> None:
    with pytest.raises(
        InputError,
        match=r"^negatives: found disliked, but the training split has no dislike; expected unseen or all$",
    ):
        train(inputs, liked_dataset(), negatives="disliked")


@pytest.mark.parametrize("validate_every", [1, 2])
def test_every_epoch_has_draws_of_its_own_and_reports_the_mean_loss_since_the_last_look(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch, validate_every: int
) -> None:
    trainer = trainer_of(
        inputs, data, negatives="unseen", batch_users=USERS, max_history=3, validate_every=validate_every
    )
    original, seen = trainer.loss, []

    def spy(users: np.ndarray[Any, Any], random: np.random.Generator, generator: torch.Generator) -> Any:
        drawn = torch.initial_seed(), str(random.bit_generator.state), generator.initial_seed()
        loss = original(users, random, generator)
        assert loss is not None
        seen.append((*drawn, float(loss.detach())))
        return loss

    monkeypatch.setattr(trainer, "loss", spy)
    history = trainer.run().history
    for draws in list(zip(*seen, strict=True))[:3]:
        assert len({*draws}) == 4
    means = np.array([loss for *_, loss in seen]).reshape(-1, validate_every).mean(axis=1)
    assert [row["loss"] for row in history] == pytest.approx(means.tolist())


def test_a_step_follows_the_gradient_of_the_loss(inputs: ItemInputs, data: Dataset) -> None:
    settings = STILL | {"batch_users": USERS, "epochs": 1}
    stepped, still = (trainer_of(inputs, data, **settings) for _ in range(2))
    stepped.run()
    loss_of(still).backward()
    assert stepped.scorer.weights.grad is not None
    assert still.scorer.weights.grad is not None
    assert stepped.scorer.weights.grad.numpy() == pytest.approx(still.scorer.weights.grad.numpy(), rel=1e-4)


def test_of_equal_epochs_the_first_is_kept(inputs: ItemInputs, data: Dataset) -> None:
    trained = train(inputs, data, learning_rate=1e-30, patience=2)
    assert (trained.best_epoch, len(trained.history)) == (1, 3)


def test_weight_decay_shrinks_the_weights(inputs: ItemInputs, data: Dataset) -> None:
    shrunk, free = (train(inputs, data, weight_decay=decay, epochs=1).arrays for decay in (1.0, 0.0))
    name = "scorer.views.likes.value"
    assert np.abs(shrunk[name]).sum() < np.abs(free[name]).sum() - 0.01


def test_finetuning_starts_from_the_structural_vectors_of_the_gat_stage(inputs: ItemInputs, data: Dataset) -> None:
    frozen, tuned = (trainer_of(inputs, data, finetune_gat=on).items for on in (False, True))
    assert torch.allclose(tuned.eval()()[:, 4:], frozen()[:, 4:], atol=1e-4)


@pytest.mark.parametrize("changes", [{}, PLUS], ids=["method", "plus"])
def test_the_stored_items_are_those_of_the_stored_encoder_without_dropout(
    inputs: ItemInputs, data: Dataset, changes: dict[str, Any]
) -> None:
    made = with_gat_dropout(inputs, 0.5)
    tuned = changes | {"finetune_gat": True}
    arrays = train(made, data, **tuned | {"epochs": 2}).arrays
    encoder = trainer_of(made, data, seed=99, **tuned).items
    weights = {
        name.removeprefix("encoder."): torch.from_numpy(array)
        for name, array in arrays.items()
        if name.startswith("encoder.")
    }
    own = encoder.weights()
    assert own.keys() == weights.keys()
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(weights[name])
        assert arrays["items"] == pytest.approx(encoder.eval()().numpy(), abs=1e-6)


def test_where_no_single_figure_would_pick_it_the_best_sum_does(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = {
        "ctr.user_auc": iter([0.9, 0.7, 0.1]),
        "impression.ndcg@10": iter([0.1, 0.7, 0.9]),
        "ranking.ndcg@10": iter([0.1, 0.2, 0.3]),
    }

    def planned(*_: object) -> dict[str, float]:
        return {name: next(values) for name, values in curves.items()}

    monkeypatch.setattr(training, "validation_figures", planned)
    assert train(inputs, data, **PLUS | {"epochs": 3}).best_epoch == 2
