"""Training: reproducible, resumable, stopped by validation, blind to the test split, and able to learn."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from pipeline.baselines.popularity import Popularity
from pipeline.click import click_loss_over_catalogue
from pipeline.dataset import Dataset
from pipeline.errors import InputError
from pipeline.evaluation.protocols import evaluate_split
from pipeline.gat import GatConfig, build_gat, train_gat
from pipeline.histories import histories
from pipeline.training import GatInputs, ItemInputs, Trained, TrainedModel, TrainingConfig, UserTrainer

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does

USERS, ITEMS = 60, 40
SETTINGS: dict[str, Any] = {
    "fusion": "concat",
    "text_width": 4,
    "heads": 2,
    "finetune_gat": False,
    "negatives": "all",
    "negatives_per_like": 5,
    "disliked_share": 0.5,
    "dropout": 0.1,
    "learning_rate": 0.01,
    "weight_decay": 0.0,
    "batch_users": 20,
    "max_history": 8,
    "epochs": 4,
    "patience": 10,
    "early_stopping_by": "ranking.ndcg@10",
}


def config(**changes: Any) -> TrainingConfig:
    return TrainingConfig.model_validate(SETTINGS | changes)


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


@pytest.fixture(scope="module")
def inputs() -> ItemInputs:
    """Text that tells the two halves of the catalogue apart, and a graph of the same communities."""
    random = np.random.default_rng(2)
    half = np.arange(ITEMS) % 2
    text = np.where(half[:, None], 1.0, -1.0) * np.ones((ITEMS, 6)) + random.normal(0, 0.8, (ITEMS, 6))
    initial = random.normal(0, 1, (ITEMS, 5)).astype(np.float32)
    one, other = np.array([(a, b) for a in range(ITEMS) for b in range(a + 2, ITEMS, 2) if random.random() < 0.4]).T
    edges = np.stack([np.r_[one, other], np.r_[other, one]])
    gat_config = GatConfig(
        heads=2, hidden_width=4, output_width=4, dropout=0.0, negative_slope=0.2, learning_rate=0.01, held_out_edges=0.1,
        epochs=3, patience=3,
    )  # fmt: skip
    gat = train_gat(initial, edges, gat_config, seed=1)
    return ItemInputs(
        text.astype(np.float32),
        gat.vectors,
        GatInputs(initial, edges, gat.weights, partial(build_gat, config=gat_config)),
    )


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset(interactions())


def train(inputs: ItemInputs, data: Dataset, seed: int = 7, checkpoint: Path | None = None, **changes: Any) -> Trained:
    return UserTrainer(inputs, data, config(**changes), seed).run(checkpoint)


def same(one: Trained, other: Trained) -> bool:
    assert one.arrays.keys() == other.arrays.keys()
    return all(one.arrays[name].tobytes() == other.arrays[name].tobytes() for name in one.arrays)


@pytest.mark.parametrize("changes", [{}, {"negatives": "mixed"}, {"finetune_gat": True}])
def test_one_seed_gives_the_same_bytes_and_another_does_not(
    inputs: ItemInputs, data: Dataset, changes: dict[str, Any]
) -> None:
    first = train(inputs, data, **changes)
    assert same(first, train(inputs, data, **changes))
    assert not same(first, train(inputs, data, seed=8, **changes))


@pytest.mark.parametrize("stopped_after", [1, 3])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    inputs: ItemInputs, data: Dataset, tmp_path: Path, stopped_after: int
) -> None:
    whole = train(inputs, data, negatives="mixed")

    class StoppedError(Exception):
        pass

    def stop(row: dict[str, float]) -> None:
        if row["epoch"] == stopped_after + 1:
            raise StoppedError

    checkpoint = tmp_path / "state.pt"
    with pytest.raises(StoppedError):
        UserTrainer(inputs, data, config(negatives="mixed"), 7).run(checkpoint, stop)
    assert checkpoint.is_file()
    epochs: list[float] = []
    resumed = UserTrainer(inputs, data, config(negatives="mixed"), 7).run(
        checkpoint, lambda row: epochs.append(row["epoch"])
    )
    assert epochs == [1, 2, 3, 4]
    assert same(whole, resumed)
    assert whole.history == resumed.history


@pytest.mark.parametrize("negatives", ["all", "unseen", "disliked", "mixed"])
def test_planted_tastes_are_learned_with_every_kind_of_negatives(
    inputs: ItemInputs, data: Dataset, negatives: str
) -> None:
    trained = train(inputs, data, negatives=negatives, epochs=12)
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
    found = evaluate_split(TrainedModel.from_arrays(trained.arrays, 2, data), data, "test")
    popular = evaluate_split(Popularity.fit(data), data, "test")
    assert found.value("impression.user_auc") > popular.value("impression.user_auc") + 0.2
    if negatives != "disliked":
        assert found.value("ranking.ndcg@10") > popular.value("ranking.ndcg@10") + 0.03


def test_the_test_split_is_never_touched(inputs: ItemInputs, data: Dataset) -> None:
    frame = interactions()
    poisoned = frame.with_columns(
        like=pl.when(pl.col("split") == "test").then(~pl.col("like")).otherwise(pl.col("like"))
    )
    assert not poisoned.equals(frame)
    clean, other = train(inputs, data), train(inputs, dataset(poisoned))
    assert same(clean, other)
    assert clean.history == other.history


def test_the_best_validation_epoch_is_kept_and_patience_ends_the_run(inputs: ItemInputs, data: Dataset) -> None:
    # A learning rate that wrecks the model soon, so that the best epoch is not the last.
    trained = train(inputs, data, learning_rate=0.3, epochs=30, patience=3)
    curve = [row["ranking_ndcg@10"] for row in trained.history]
    assert trained.best_epoch == int(np.argmax(curve)) + 1
    assert len(curve) == trained.best_epoch + 3 < 30
    found = evaluate_split(TrainedModel.from_arrays(trained.arrays, 2, data), data, "valid")
    assert found.value("ranking.ndcg@10") == pytest.approx(max(curve), abs=1e-6)


def test_another_validation_figure_can_pick_the_epoch(inputs: ItemInputs, data: Dataset) -> None:
    trained = train(inputs, data, early_stopping_by="ctr.user_auc", epochs=8)
    assert trained.best_epoch == int(np.argmax([row["ctr_user_auc"] for row in trained.history])) + 1


def test_finetuning_changes_the_structural_vectors_and_freezing_does_not(inputs: ItemInputs, data: Dataset) -> None:
    frozen, tuned = train(inputs, data), train(inputs, data, finetune_gat=True)
    standard = (inputs.structure - inputs.structure.mean(axis=0)) / inputs.structure.std(axis=0)
    assert frozen.arrays["items"][:, 4:] == pytest.approx(standard, abs=1e-4)
    assert np.abs(tuned.arrays["items"][:, 4:] - standard).max() > 0.01


def test_the_learning_rate_warms_up_over_one_epoch_and_falls_to_a_tenth(inputs: ItemInputs, data: Dataset) -> None:
    trainer = UserTrainer(inputs, data, config(learning_rate=1.0, epochs=10), 7)
    rates = []
    for done in (0.0, 0.5, 1.0, 5.0, 10.0):
        trainer._set_learning_rate(done, 2)
        rates.append(trainer.optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.5, 0.955, 0.91, 0.55, 0.1])


def test_a_loss_that_is_not_finite_is_one_line(inputs: ItemInputs, data: Dataset) -> None:
    broken = ItemInputs(inputs.text * np.float32(1e30), inputs.structure * np.float32("nan"))
    with pytest.raises(InputError, match=r"^train_users: found a loss of nan in epoch 1; expected a finite one"):
        train(broken, data)


def test_early_stopping_by_a_figure_that_the_data_cannot_give_is_one_line(inputs: ItemInputs) -> None:
    liked = dataset(interactions().with_columns(like=pl.lit(True)))
    with pytest.raises(InputError, match=r"^early_stopping_by: found impression.ndcg@10"):
        train(inputs, liked, early_stopping_by="impression.ndcg@10")


def test_data_without_any_dislike_trains_on_likes_alone(inputs: ItemInputs) -> None:
    liked = dataset(interactions().with_columns(like=pl.lit(True)))
    trained = train(inputs, liked)
    assert [row["impression_ndcg@10"] for row in trained.history] == [0, 0, 0, 0]
    assert np.isfinite(trained.arrays["items"]).all()


def test_vectors_of_different_numbers_of_items_are_one_line(inputs: ItemInputs, data: Dataset) -> None:
    with pytest.raises(InputError, match="found 39 by text and 40 by structure"):
        train(ItemInputs(inputs.text[1:], inputs.structure), data)


def test_average_fusion_of_different_widths_is_one_line_before_training(inputs: ItemInputs, data: Dataset) -> None:
    with pytest.raises(
        InputError, match="average fusion needs equal widths, found text_width 6 and structural vectors 4 wide"
    ):
        train(inputs, data, fusion="average", text_width=6)
    assert train(inputs, data, fusion="average").arrays["items"].shape == (ITEMS, 4)


def test_a_model_of_other_items_is_refused(inputs: ItemInputs, data: Dataset) -> None:
    arrays = train(inputs, data, epochs=1).arrays
    arrays["items"] = arrays["items"][1:]
    with pytest.raises(InputError, match="found 39 rows, expected 40"):
        TrainedModel.from_arrays(arrays, 2, data)


def test_in_the_loss_every_like_is_scored_by_the_user_without_it(inputs: ItemInputs, data: Dataset) -> None:
    trainer = UserTrainer(inputs, data, config(dropout=0.0, max_history=ITEMS), 7)
    users = np.arange(USERS)
    loss, positives = trainer._loss(users, np.random.default_rng(0), torch.Generator())
    items, likes, dislikes = (
        trainer.items(),
        *(histories(m, users, "cpu") for m in (data.train_likes, data.train_dislikes)),
    )
    liked = torch.from_numpy(data.train_likes.toarray() > 0)
    without, with_all = (trainer.click(items, likes, dislikes, leave_one_out=each) for each in (True, False))
    assert positives == data.train_likes.nnz
    assert float(loss.detach()) == pytest.approx(float(click_loss_over_catalogue(without, likes, liked).detach()))
    # Left in its own history a like is easier to find: the loss would look better than it is.
    assert float(loss.detach()) > float(click_loss_over_catalogue(with_all, likes, liked).detach()) + 1


def test_histories_longer_than_the_largest_are_cut_in_training(inputs: ItemInputs, data: Dataset) -> None:
    trainer = UserTrainer(inputs, data, config(max_history=3), 7)
    _, positives = trainer._loss(np.arange(USERS), np.random.default_rng(0), torch.Generator())
    lengths = np.diff(data.train_likes.indptr)
    assert positives == np.minimum(lengths, 3).sum() < lengths.sum()


@pytest.mark.parametrize("where", ["items", "gat"])
def test_dropout_is_drawn_anew_in_every_epoch(inputs: ItemInputs, data: Dataset, where: str) -> None:
    made = with_gat_dropout(inputs, 0.5 if where == "gat" else 0.0)
    changes = {"learning_rate": 1e-12, "epochs": 3, "finetune_gat": True, "max_history": ITEMS}
    dropped = train(made, data, dropout=0.5 if where == "items" else 0.0, **changes).history
    assert dropped[0]["loss"] != pytest.approx(dropped[1]["loss"], rel=1e-4)
    assert dropped[1]["loss"] != pytest.approx(dropped[2]["loss"], rel=1e-4)
    if where == "items":
        still = train(made, data, dropout=0.0, **changes).history
        assert still[0]["loss"] == pytest.approx(still[1]["loss"], rel=1e-5)


def test_a_damaged_checkpoint_is_not_taken_up(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    checkpoint = tmp_path / "state.pt"
    checkpoint.write_bytes(b"PK damaged")
    assert same(train(inputs, data, checkpoint=checkpoint), train(inputs, data))


def test_disliked_negatives_without_any_dislike_are_a_mistake(inputs: ItemInputs) -> None:
    liked = dataset(interactions().with_columns(like=pl.lit(True)))
    with pytest.raises(InputError, match=r"^negatives: found disliked, but the training split has no dislike"):
        train(inputs, liked, negatives="disliked")


def test_a_run_stopped_after_its_best_epoch_keeps_that_epoch(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    wrecking = {"learning_rate": 0.3, "epochs": 30, "patience": 3}
    whole = train(inputs, data, **wrecking)
    checkpoint = tmp_path / "state.pt"

    class StoppedError(Exception):
        pass

    def stop(row: dict[str, float]) -> None:
        if row["epoch"] == whole.best_epoch + 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        UserTrainer(inputs, data, config(**wrecking), 7).run(checkpoint, stop)
    resumed = train(inputs, data, checkpoint=checkpoint, **wrecking)
    assert resumed.best_epoch == whole.best_epoch
    assert resumed.history == whole.history
    assert same(whole, resumed)


def test_a_run_that_had_ended_is_not_trained_further(inputs: ItemInputs, data: Dataset, tmp_path: Path) -> None:
    ended = train(inputs, data, checkpoint=tmp_path / "state.pt")
    again = train(inputs, data, checkpoint=tmp_path / "state.pt")
    assert again.history == ended.history
    assert same(ended, again)


def test_every_epoch_has_draws_of_its_own_and_reports_the_mean_loss_of_what_it_trained_on(
    inputs: ItemInputs, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = UserTrainer(inputs, data, config(negatives="unseen", batch_users=USERS, max_history=3), 7)
    original, seen = trainer._loss, []

    def spy(users: np.ndarray[Any, Any], random: np.random.Generator, generator: torch.Generator) -> Any:
        drawn = torch.initial_seed(), str(random.bit_generator.state), generator.initial_seed()
        loss, positives = original(users, random, generator)
        seen.append((*drawn, float(loss.detach()) / positives))
        return loss, positives

    monkeypatch.setattr(trainer, "_loss", spy)
    history = trainer.run().history
    for draws in list(zip(*seen, strict=True))[:3]:
        assert len({*draws}) == 4
    assert [row["loss"] for row in history] == pytest.approx([loss for *_, loss in seen])


def test_what_enters_the_model_in_training(inputs: ItemInputs, data: Dataset) -> None:
    trainer = UserTrainer(inputs, data, config(max_history=3, dropout=0.25), 7)
    entered: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    trainer.click.register_forward_pre_hook(lambda _, *call: entered.append(call), with_kwargs=True)
    trainer._loss(np.arange(USERS), np.random.default_rng(0), torch.Generator())
    (((_, likes, dislikes), options),) = entered
    for history, matrix in ((likes, data.train_likes), (dislikes, data.train_dislikes)):
        assert history.lengths.tolist() == np.minimum(np.diff(matrix.indptr), 3).tolist()
        assert all(matrix[user, item] for user, item in zip(history.user.tolist(), history.items.tolist(), strict=True))
    assert options == {"leave_one_out": True, "drop": 0.25}
    text = trainer.items.get_buffer("text")
    assert text.mean(dim=0).abs().max() < 1e-6
    assert text.std(dim=0, correction=0).tolist() == pytest.approx([1.0] * 6, abs=1e-5)


def test_a_step_follows_the_mean_over_the_positives(inputs: ItemInputs, data: Dataset) -> None:
    settings = {"batch_users": USERS, "dropout": 0.0, "max_history": ITEMS, "epochs": 1}
    stepped, still = (UserTrainer(inputs, data, config(**settings), 7) for _ in range(2))
    stepped.run()
    loss, positives = still._loss(np.arange(USERS), np.random.default_rng(0), torch.Generator())
    (loss / positives).backward()
    assert stepped.click.weights.grad is not None
    assert still.click.weights.grad is not None
    assert stepped.click.weights.grad.tolist() == pytest.approx(still.click.weights.grad.tolist(), rel=1e-4)


def test_only_likes_with_a_negative_count_as_trained_on(inputs: ItemInputs, data: Dataset) -> None:
    no_dislikes = {0, 7, 8}
    frame = interactions().filter(~(pl.col("user").is_in(no_dislikes) & ~pl.col("like")))
    fewer = dataset(frame)
    trainer = UserTrainer(inputs, fewer, config(negatives="disliked", max_history=ITEMS), 7)
    _, positives = trainer._loss(np.arange(USERS), np.random.default_rng(0), torch.Generator())
    with_dislikes = np.diff(fewer.train_dislikes.indptr) > 0
    assert not with_dislikes[[*no_dislikes]].any()
    assert positives == np.diff(fewer.train_likes.indptr)[with_dislikes].sum() < fewer.train_likes.nnz


def test_disliked_negatives_without_any_dislike_are_one_line(inputs: ItemInputs) -> None:
    liked = dataset(interactions().with_columns(like=pl.lit(True)))
    with pytest.raises(
        InputError, match=r"^negatives: found disliked, but the training split has no dislike; expected"
    ):
        train(inputs, liked, negatives="disliked")


def test_of_equal_epochs_the_first_is_kept(inputs: ItemInputs, data: Dataset) -> None:
    trained = train(inputs, data, learning_rate=1e-30, patience=2)
    assert (trained.best_epoch, len(trained.history)) == (1, 3)


def test_weight_decay_shrinks_the_weights(inputs: ItemInputs, data: Dataset) -> None:
    shrunk, free = (train(inputs, data, weight_decay=decay, epochs=1).arrays for decay in (1.0, 0.0))
    assert np.abs(shrunk["click.likes.value"]).sum() < np.abs(free["click.likes.value"]).sum() - 0.01


def test_a_users_score_is_made_of_whole_training_histories_of_both_views(inputs: ItemInputs, data: Dataset) -> None:
    model = TrainedModel.from_arrays(train(inputs, data, max_history=2, epochs=1).arrays, 2, data)
    users = np.array([5, 0, 31])
    with torch.no_grad():
        likes, dislikes = (histories(split, users, "cpu") for split in (data.train_likes, data.train_dislikes))
        assert likes.lengths.max() > 2
        expected = model.click(model.items, likes, dislikes).numpy()
    assert model.score(users) == pytest.approx(expected, abs=1e-6)
    assert model.score(users[:1])[0] == pytest.approx(expected[0], abs=1e-5)


def with_gat_dropout(inputs: ItemInputs, rate: float) -> ItemInputs:
    assert inputs.gat is not None
    settings = inputs.gat.build.keywords["config"].model_copy(update={"dropout": rate})  # type: ignore[attr-defined]
    build = partial(build_gat, config=settings)
    return ItemInputs(
        inputs.text, inputs.structure, GatInputs(inputs.gat.initial, inputs.gat.edge_index, inputs.gat.weights, build)
    )


def test_finetuning_starts_from_the_structural_vectors_of_the_gat_stage(inputs: ItemInputs, data: Dataset) -> None:
    frozen, tuned = (UserTrainer(inputs, data, config(finetune_gat=on), 7).items for on in (False, True))
    assert torch.allclose(tuned.eval()()[:, 4:], frozen()[:, 4:], atol=1e-4)


def test_the_stored_items_are_those_of_the_stored_encoder_without_dropout(inputs: ItemInputs, data: Dataset) -> None:
    made = with_gat_dropout(inputs, 0.5)
    arrays = train(made, data, finetune_gat=True, epochs=2).arrays
    encoder = UserTrainer(made, data, config(finetune_gat=True), 99).items
    weights = {
        name.removeprefix("encoder."): torch.from_numpy(array)
        for name, array in arrays.items()
        if name.startswith("encoder.")
    }
    encoder.load_state_dict(weights)
    with torch.no_grad():
        assert arrays["items"] == pytest.approx(encoder.eval()().numpy(), abs=1e-6)


def test_finetuning_without_the_gats_inputs_is_refused(inputs: ItemInputs, data: Dataset) -> None:
    with pytest.raises(ValueError, match="finetune_gat needs the GAT's inputs"):
        train(ItemInputs(inputs.text, inputs.structure), data, finetune_gat=True)


def test_heads_that_do_not_divide_the_item_vectors_width_are_one_line(inputs: ItemInputs, data: Dataset) -> None:
    with pytest.raises(InputError, match=r"^heads: found 3, expected a divisor of the item vector's width 8$"):
        train(inputs, data, heads=3)
