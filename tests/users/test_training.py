"""Training: reproducible, resumable, stopped by validation, blind to the test split, and able to learn."""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy.sparse import csr_matrix

from pipeline.common.errors import InputError
from pipeline.common.files import replacing
from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines.popularity import Popularity
from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.evaluation.metrics.validation import FIGURES
from pipeline.structure.gat.network import TwoLayerGat
from pipeline.structure.gat.settings import GatConfig
from pipeline.structure.gat.training import train_gat
from pipeline.users import losses, sampled_catalogue, step_loss, training
from pipeline.users.checkpoint import read_checkpoint
from pipeline.users.co_rating import ENTRIES
from pipeline.users.found_shares import found_shares
from pipeline.users.histories import Histories, histories
from pipeline.users.losses import alignment_loss, click_loss, drawn_judge_loss, judge_loss, loss_over_catalogue
from pipeline.users.modalities.inputs import GatInputs, ItemInputs, standardised
from pipeline.users.model import Model
from pipeline.users.names import READ_BY, Views
from pipeline.users.settings import VariantConfig
from pipeline.users.terms.term import Rated
from pipeline.users.trained import TrainedModel
from pipeline.users.training import Trained, UserTrainer
from stages.shared.training import forget
from tests.common.test_files import files_of_at_most
from tests.users.knowing import known
from tests.users.test_co_rating import slow_weights
from tests.users.test_settings import EXTENDED, METHOD, VARIANTS

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does

USERS, ITEMS, STRUCTURE_WIDTH = 60, 40, 4
SMALL: dict[str, Any] = {
    "width": 4,
    "attention_heads": 2,
    "negatives_per_like": 5,
    "disliked_share": 0.5,
    "dropout": 0.1,
    "learning_rate": 0.01,
    "batch_users": 20,
    "max_history": 8,
    "epochs": 4,
    "validate_every": 1,
    "patience": 10,
}
# Nothing is drawn but batches: everything is a target, and every history is whole.
STILL: dict[str, Any] = {"dropout": 0.0, "max_history": ITEMS, "history_dropout": False}
PLUS: dict[str, Any] = EXTENDED | SMALL | {"width": 8, "attention_heads": 2, "find_shares": False}
CO_RATING = PLUS | {"co_rating_l2": 20.0}
KNOWING = PLUS | {"terms": ["overlap", "together", "popularity"], "count_biases": True, "targets": "left_out"}
THREE_HEADS = PLUS | {"heads": ["like", "meet", "judge"]}


def config(**changes: Any) -> VariantConfig:
    return VariantConfig.model_validate(METHOD | SMALL | changes)


def interactions() -> pl.DataFrame:
    """Two groups of users with opposite tastes: what one half of the catalogue is to the one, the other is to the other."""
    random = np.random.default_rng(0)
    rows = []
    for user in range(USERS):
        for item in random.choice(ITEMS, 20, replace=False):
            like = bool(random.random() < (0.9 if item % 2 == user % 2 else 0.1))
            split = random.choice(["train", "valid", "test"], p=[0.6, 0.2, 0.2])
            rows.append((user, int(item), like, split))
    frame = pl.DataFrame(rows, schema=["user", "item", "like", "split"], orient="row")
    return frame.select(
        pl.col("user", "item").cast(pl.Int32), "like", pl.lit(None, dtype=pl.Float32).alias("rating"), "split"
    ).sort("user", "item")


def dataset(frame: pl.DataFrame) -> Dataset:
    rated = {user: set(items) for user, items in frame.group_by("user").agg("item").iter_rows()}
    random = np.random.default_rng(1)
    rows = [
        (user, int(item), split)
        for user in range(USERS)
        for split, item in zip(
            ["valid", "test"] * 3, random.permutation([i for i in range(ITEMS) if i not in rated[user]]), strict=False
        )
    ]
    schema = {"user": pl.Int32, "item": pl.Int32, "split": pl.String}
    return Dataset(frame, pl.DataFrame(rows, schema=schema, orient="row").sort("user", "item"), USERS, ITEMS)


def liked_dataset() -> Dataset:
    return dataset(interactions().with_columns(like=pl.lit(True)))


@pytest.fixture(scope="module")
def inputs() -> ItemInputs:
    """Text that tells the two halves of the catalogue apart, a graph of the same communities, and entities by chance."""
    random = np.random.default_rng(2)
    half = np.arange(ITEMS) % 2
    text = np.where(half[:, None], 1.0, -1.0) * np.ones((ITEMS, 6)) + random.normal(0, 0.8, (ITEMS, 6))
    initial = random.normal(0, 1, (ITEMS, 5)).astype(np.float32)
    one, other = np.array([(a, b) for a in range(ITEMS) for b in range(a + 2, ITEMS, 2) if random.random() < 0.4]).T
    edges = np.stack([np.r_[one, other], np.r_[other, one]])
    gat_config = GatConfig(
        heads=2, hidden_width=4, output_width=STRUCTURE_WIDTH, dropout=0.0, negative_slope=0.2, learning_rate=0.01,
        held_out_edges=0.1, epochs=3, patience=3,
    )  # fmt: skip
    gat = train_gat(initial, edges, gat_config, seed=1)
    entities = csr_matrix((random.random((ITEMS, 12)) < 0.2).astype(np.float32))
    inputs_of_gat = GatInputs(initial, edges, gat.weights, partial(TwoLayerGat, config=gat_config))
    data = dataset(interactions())
    knowledge = known(data)
    return ItemInputs(
        ITEMS,
        text.astype(np.float32),
        gat.vectors,
        entities,
        inputs_of_gat,
        knowledge,
        data.train_counts,
        10.0,
        knowledge.around.weights,
    )


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset(interactions())


def trainer_of(inputs: ItemInputs, data: Dataset, seed: int = 7, **changes: Any) -> UserTrainer:
    variant = config(**changes)
    # As the stage does: the GAT's own inputs go to the variant that trains it.
    given = inputs if variant.finetune_gat else dataclasses.replace(inputs, gat=None)
    return UserTrainer(given, data, variant, seed)


def train(inputs: ItemInputs, data: Dataset, seed: int = 7, checkpoint: Path | None = None, **changes: Any) -> Trained:
    return trainer_of(inputs, data, seed, **changes).run(checkpoint)


def model_of(trained: Trained, data: Dataset, **changes: Any) -> TrainedModel:
    return TrainedModel(Model.from_arrays(trained.arrays, config(**changes), data.items), data)


def loss_of(trainer: UserTrainer, users: Sequence[int] = range(USERS)) -> torch.Tensor:
    loss = trainer.loss(np.array(users), np.random.default_rng(0), torch.Generator().manual_seed(0))
    assert loss is not None
    return loss


def same(one: Trained, other: Trained) -> bool:
    assert one.arrays.keys() == other.arrays.keys()
    return all(one.arrays[name].tobytes() == other.arrays[name].tobytes() for name in one.arrays)


class StoppedError(Exception):
    pass


def stop_at(epoch: int) -> Any:
    def stop(row: dict[str, float]) -> None:
        if row["epoch"] == epoch:
            raise StoppedError

    return stop


@pytest.mark.parametrize(
    "changes",
    [{}, {"negatives": "mixed"}, {"finetune_gat": True}, PLUS, CO_RATING, KNOWING],
    ids=["method", "mixed", "finetuned", "plus", "co-rating", "knowing"],
)
def test_one_seed_gives_the_same_bytes_and_another_does_not(
    inputs: ItemInputs, data: Dataset, changes: dict[str, Any]
) -> None:
    short = changes | {"epochs": 2}
    first = train(inputs, data, **short)
    assert same(first, train(inputs, data, **short))
    assert not same(first, train(inputs, data, seed=8, **short))


@pytest.mark.parametrize(
    ("changes", "stopped_after"),
    [
        ({"negatives": "mixed"}, 1),
        ({"negatives": "mixed"}, 3),
        ({"finetune_gat": True}, 2),
        (CO_RATING, 2),
        (THREE_HEADS | {"learn_exponent": True}, 1),
        (KNOWING, 2),
    ],
    ids=["first", "third", "finetuned", "co-rating", "three-heads", "knowing"],
)
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    inputs: ItemInputs, data: Dataset, tmp_path: Path, changes: dict[str, Any], stopped_after: int
) -> None:
    whole = train(inputs, data, **changes)
    checkpoint = tmp_path / "state.pt"
    with pytest.raises(StoppedError):
        trainer_of(inputs, data, **changes).run(checkpoint, stop_at(stopped_after + 1))
    assert checkpoint.is_file()
    epochs: list[float] = []
    resumed = trainer_of(inputs, data, **changes).run(checkpoint, lambda row: epochs.append(row["epoch"]))
    assert epochs == [1, 2, 3, 4]
    assert same(whole, resumed)
    assert whole.history == resumed.history


# What a variant takes from its data, beside the ratings themselves: counts, item weights, a sample by popularity.
REFITTED = pytest.mark.parametrize(
    "changes",
    [{}, {"finetune_gat": True}, CO_RATING, KNOWING, PLUS | {"catalogue_sample": 10}],
    ids=["method", "finetuned", "co-rating", "knowing", "sampled"],
)


def everything_in_training(inputs: ItemInputs) -> tuple[ItemInputs, Dataset]:
    everything = dataset(interactions()).all_in_training()
    return dataclasses.replace(inputs, knowledge=known(everything)), everything


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


@REFITTED
def test_a_refit_that_was_stopped_goes_on_to_the_same_bytes(
    inputs: ItemInputs, changes: dict[str, Any], tmp_path: Path
) -> None:
    inputs, everything = everything_in_training(inputs)
    whole = trainer_of(inputs, everything, **changes).refit(3)
    stopped, checkpoint = trainer_of(inputs, everything, **changes), tmp_path / "state.pt"

    def stop(loss: float) -> None:
        if stopped.epoch == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        stopped.refit(3, checkpoint, stop)
    losses: list[float] = []
    assert same(whole, trainer_of(inputs, everything, **changes).refit(3, checkpoint, losses.append))
    assert len(losses) == 2


@pytest.mark.parametrize("epochs_done", [1, 2, 3, 4])
def test_a_run_stopped_between_two_looks_at_validation_goes_on_to_the_same_bytes(
    inputs: ItemInputs, data: Dataset, tmp_path: Path, epochs_done: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = PLUS | {"epochs": 5, "validate_every": 2}
    whole = train(inputs, data, **changes)
    # The last epoch is looked at whatever its number.
    assert [row["epoch"] for row in whole.history] == [2, 4, 5]
    checkpoint = tmp_path / "state.pt"
    stopped = trainer_of(inputs, data, **changes)
    original = stopped.train_an_epoch

    def stop() -> None:
        if stopped.epoch == epochs_done:
            raise StoppedError
        original()

    monkeypatch.setattr(stopped, "train_an_epoch", stop)
    with pytest.raises(StoppedError):
        stopped.run(checkpoint)
    resumed = train(inputs, data, checkpoint=checkpoint, **changes)
    assert same(whole, resumed)
    assert whole.history == resumed.history


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
    "changes", [PLUS, CO_RATING, THREE_HEADS, KNOWING], ids=["plus", "co-rating", "three-heads", "knowing"]
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


FORMS: dict[str, dict[str, Any]] = {
    "method": {},
    "plus": PLUS,
    "three heads": THREE_HEADS,
    "candidate attention": PLUS | {"attention": "candidate"},
    "merged": PLUS | {"views": "merged", "attention": "self"},
    "gated, aligned": PLUS | {"fusion": "gated", "alignment_weight": 0.1},
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
    log_weights[sample.items] = sample.log_weights
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
    catalogue = options["catalogue"]
    assert len(catalogue) < ITEMS
    whole = [dataclasses.replace(history, items=catalogue[history.items]) for history in sampled]
    rated = Rated(*(histories(split, users, "cpu") for split in (data.train_likes, data.train_dislikes)))
    with torch.no_grad():
        expected = trainer.scorer(trainer.items(), *whole, leave_one_out=True, rated=rated, biases=options["biases"])
    for head, scores in found.items():
        torch.testing.assert_close(scores, expected[head][:, catalogue], rtol=1e-4, atol=1e-5)


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
    weights = dict(trainer.items.named_parameters())
    projections = [weights["modalities.text.projection.weight"], weights["modalities.structure.structure_projection"]]
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


def test_alignment_adds_its_share_to_the_loss_and_changes_the_model(inputs: ItemInputs, data: Dataset) -> None:
    plain, aligned = (trainer_of(inputs, data, **PLUS | STILL | {"alignment_weight": each}) for each in (0.0, 0.5))
    parts = aligned.items.parts()
    term = alignment_loss(parts["text"], parts["structure"], aligned.config.alignment_temperature)
    difference = loss_of(aligned) - loss_of(plain)
    assert float(difference.detach()) == pytest.approx(0.5 * float(term.detach()), rel=1e-4)
    one, other = (train(inputs, data, **PLUS | {"alignment_weight": each, "epochs": 1}) for each in (0.0, 0.5))
    assert not same(one, other)


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


def test_a_damaged_checkpoint_is_not_taken_up(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    checkpoint = tmp_path / "state.pt"
    whole = train(inputs, data)
    with pytest.raises(StoppedError):
        trainer_of(inputs, data).run(checkpoint, stop_at(3))
    kept = checkpoint.read_bytes()
    random = np.random.default_rng(0)
    flips = [bytearray(kept) for _ in range(10)]
    for flipped in flips:
        flipped[random.integers(len(kept))] ^= 1 << random.integers(8)
    other = io.BytesIO()
    torch.save([1], other)
    blank = kept[: len(kept) // 2] + bytes(min(512, len(kept) // 4))
    for content in (b"", b"PK damaged", kept[:-1], blank + kept[len(blank) :], other.getvalue(), kept[32:], *flips):
        checkpoint.write_bytes(content)
        warnings: list[str] = []
        seen: list[float] = []

        def look(row: dict[str, float], seen: list[float] = seen) -> None:
            # Removed before the first epoch, and written again after it.
            if not seen:
                assert not checkpoint.exists()
            seen.append(row["epoch"])

        assert same(trainer_of(inputs, data).run(checkpoint, look, warn=warnings.append), whole)
        assert warnings == [f"{checkpoint}: found it damaged and removed it; training starts again"]
        assert seen == [1, 2, 3, 4]
    checkpoint.write_bytes(kept)
    warnings = []
    assert same(trainer_of(inputs, data).run(checkpoint, warn=warnings.append), whole)
    assert warnings == []


def test_a_checkpoint_that_another_run_removes_is_done_without(
    inputs: ItemInputs, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = tmp_path / "state.pt"
    with pytest.raises(StoppedError):
        trainer_of(inputs, data).run(checkpoint, stop_at(3))

    def read(path: Path, device: torch.device | str) -> dict[str, Any] | None:
        path.unlink()
        return read_checkpoint(path, device)

    monkeypatch.setattr("pipeline.users.training.read_checkpoint", read)
    assert same(trainer_of(inputs, data).run(checkpoint), train(inputs, data))


def test_a_checkpoint_that_cannot_be_written_is_a_warning(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    warnings: list[str] = []
    with files_of_at_most(1000):
        trained = trainer_of(inputs, data).run(tmp_path / "state.pt", warn=warnings.append)
    assert same(trained, train(inputs, data))
    (line,) = warnings
    assert line.startswith(f"{tmp_path / 'state.pt'}: cannot be written: File too large; ")
    assert list(tmp_path.iterdir()) == []


def test_two_trainings_of_one_variant_at_once_both_end_well(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    checkpoint = tmp_path / "state.pt"
    whole = train(inputs, data)
    others: list[Trained] = []

    def meanwhile(row: dict[str, float]) -> None:
        # It takes up what the first has left, ends before it, and clears up, while the first may be about to write.
        if row["epoch"] == 2:
            with replacing(checkpoint) as file:
                others.append(train(inputs, data, checkpoint=checkpoint))
                forget(checkpoint)
                file.write(b"whatever a third one writes")

    assert same(trainer_of(inputs, data).run(checkpoint, meanwhile), whole)
    assert same(others[0], whole)


def test_disliked_negatives_without_any_dislike_are_one_line(inputs: ItemInputs) -> None:
    with pytest.raises(
        InputError,
        match=r"^negatives: found disliked, but the training split has no dislike; expected unseen or all$",
    ):
        train(inputs, liked_dataset(), negatives="disliked")


def test_a_run_stopped_after_its_best_epoch_keeps_that_epoch(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    wrecking = {"learning_rate": 0.3, "epochs": 30, "patience": 3}
    whole = train(inputs, data, **wrecking)
    checkpoint = tmp_path / "state.pt"
    with pytest.raises(StoppedError):
        trainer_of(inputs, data, **wrecking).run(checkpoint, stop_at(whole.best_epoch + 2))
    resumed = train(inputs, data, checkpoint=checkpoint, **wrecking)
    assert resumed.best_epoch == whole.best_epoch
    assert resumed.history == whole.history
    assert same(whole, resumed)


def test_a_run_that_had_ended_is_not_trained_further(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    ended = train(inputs, data, checkpoint=tmp_path / "state.pt")
    again = train(inputs, data, checkpoint=tmp_path / "state.pt")
    assert again.history == ended.history
    assert same(ended, again)


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


def with_gat_dropout(inputs: ItemInputs, rate: float) -> ItemInputs:
    assert inputs.gat is not None
    settings = inputs.gat.build.keywords["config"].model_copy(update={"dropout": rate})  # type: ignore[attr-defined]
    return dataclasses.replace(inputs, gat=dataclasses.replace(inputs.gat, build=partial(TwoLayerGat, config=settings)))


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
