"""Training the users: one epoch, and how much of it a given figure on validation takes.

Where the same loss is computed in another way, every way takes the same users in the same batches, starts with the same
weights, and finds the same mean loss; nothing is dropped out, and every rating is a target.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.case import Bound, Case, Figures, Way
from benchmarks.data import DATASET, VECTORS_ALONE

if TYPE_CHECKING:
    from torch import nn

    from benchmarks.peers.epochs import Peer
    from pipeline.users.training import UserTrainer
    from pipeline.users.views.view import View

# So many-th users alone are there, where other ways are hopeless on all of them.
EVERY = {"crmman": 10, VECTORS_ALONE: 1}
SHARES = {1: "all users", 10: "every tenth user"}
SAME_LOSS = {"dropout": 0.0, "max_targets": 10_000}
PEERS = ("KGAT", "KGCN", "LightGCN")
PEERS_ENVIRONMENT = ".venv-peers"
# With which benchmarks/peers/README.md has all three.
LEARNING_RATE = 0.005
# Ranking NDCG@10 on validation that KGAT reaches after six epochs.
LEVEL = 0.12


def check_artifacts(folder: Path) -> None:
    """Nothing is written: the ways read the artifacts where they are. One that is missing is said here."""
    from benchmarks.user_training.trainer import trainer

    trainer(VECTORS_ALONE)


def write_atomic_files(folder: Path) -> None:
    """Our training likes and graph, as RecBole reads them."""
    from benchmarks.peers.export import of_artifacts

    check_artifacts(folder)
    of_artifacts(DATASET).write(folder)


def of_share(folder: Path, variant: str, view: str = "") -> UserTrainer:
    """A trainer on a share of the users, with a view of `benchmarks.user_training.other_views` in place of ours."""
    from benchmarks.user_training.trainer import blind, trainer, with_views

    found = trainer(variant, EVERY[variant], SAME_LOSS | blind(variant))
    if not view:
        return found
    from benchmarks.user_training import other_views

    make: Callable[[View], nn.Module] = getattr(other_views, view)
    return with_views(found, make)


def epoch(ready: UserTrainer) -> Figures:
    from benchmarks.user_training.trainer import epoch

    return epoch(ready)


def epoch_of_less(ready: UserTrainer) -> Figures:
    """Its loss is another one: nothing is left out."""
    return {"targets": epoch(ready)["targets"]}


def whole(folder: Path, variant: str) -> UserTrainer:
    from benchmarks.user_training.trainer import blind, trainer

    return trainer(variant, changes=blind(variant))


def whole_epoch(ready: UserTrainer | Peer) -> Figures:
    ready.train_an_epoch()
    return {"likes in training": ready.data.train_likes.nnz}


def looking(folder: Path, variant: str) -> UserTrainer:
    from benchmarks.user_training.trainer import trainer

    return trainer(variant, changes={"validate_every": 1})


def peer(folder: Path, model: str) -> Peer:
    from benchmarks.peers.epochs import Peer

    return Peer(model, DATASET, folder, LEARNING_RATE)


def until_level(ready: UserTrainer) -> Figures:
    """Epochs with a look at validation after each.

    Raises:
        ValueError: the last one leaves it below `LEVEL`.
    """
    while ready.epoch < ready.config.epochs:
        ready.train_an_epoch()
        if ready.history[-1]["ranking_ndcg@10"] >= LEVEL:
            return {"epochs": ready.epoch, "validation ndcg@10": ready.history[-1]["ranking_ndcg@10"]}
    raise ValueError(f"ranking NDCG@10 below {LEVEL} after {ready.epoch} epochs")


def peer_until_level(ready: Peer) -> Figures:
    found = 0.0
    while found < LEVEL:
        ready.train_an_epoch()
        found = ready.validation()
    return {"epochs": ready.epochs, "validation ndcg@10": found}


def bound(folder: Path, variant: str) -> Bound:
    """Matrix products and the sparse ones, forwards and backwards, of all steps; scores and attention weights once each way."""
    import numpy as np

    ready = of_share(folder, variant)
    config, data = ready.config, ready.data
    lengths = [
        np.minimum(np.diff(matrix.indptr), config.max_history) for matrix in (data.train_likes, data.train_dislikes)
    ]
    # On average half of each history stays where `history_dropout` draws what does.
    kept = 0.5 if config.history_dropout else 1.0
    width, heads, views = ready.items.width, len(config.heads), len(ready.scorer.views)
    steps = -(-data.users // config.batch_users)
    scores = 2.0 * data.users * data.items * width * heads * views
    fixed = sum(
        2.0 * parameter.numel() * data.items
        for name, parameter in ready.items.named_parameters()
        if "projection" in name
    )
    square = 2.0 * data.items * width**2 * views
    if config.attention == "self":
        squares = float(sum((of_view.astype(np.float64) ** 2).sum() for of_view in lengths))
        attended, projections = 3 * 2.0 * squares * width, 3 + heads
        weights = squares * config.attention_heads
        words = f"3 products of {squares:,.0f} pairs of history entries and width {width}; "
    else:
        entries = kept * float(sum(of_view.sum() for of_view in lengths))
        attended, projections, weights = 2.0 * entries * width, 1 + heads, 0.0
        words = f"{entries:,.0f} history entries of width {width} added up; "
    # Backwards each product has two. Of a fixed input no gradient is wanted.
    operations = 3 * (scores + attended) + steps * (3 * projections * square + 2 * fixed)
    # Scores and attention weights: written and read forwards, and read with their gradients, written and read, backwards.
    moved = 4 * 4.0 * (data.users * data.items * heads * views + weights)
    return Bound(
        operations,
        moved,
        f"{data.users} users, {steps} step(s): scores of {data.users} x {data.items} x {heads} head(s) x {views} views at width "
        f"{width}; {words}"
        f"{projections} projections of {data.items} items for each view, and the items' own; backwards twice as much. Scores"
        f"{' and attention weights' if weights else ''}, 4 bytes each, written and read forwards and backwards",
    )


def same_loss(variant: str, *alternatives: Way, aims: dict[str, float]) -> Case:
    return Case(
        stage="train_users",
        task=f"ml-100k, {variant}, one epoch of {SHARES[EVERY[variant]]}, the same loss",
        ours=Way("ours", partial(of_share, variant=variant), epoch, warm=1),
        alternatives=alternatives,
        inputs=check_artifacts,
        aims=aims,
        runs=3,
        seconds=120,
        bound=partial(bound, variant=variant),
    )


def other(name: str, variant: str, view: str, work: Callable[[Any], Figures], note: str) -> Way:
    return Way(name, partial(of_share, variant=variant, view=view), work, warm=1, note=note)


def of_recbole(model: str, work: Callable[[Any], Figures]) -> Way:
    note = "RecBole 1.2.1, its defaults at embedding size 64, in an environment of its own"
    return Way(f"RecBole {model}", partial(peer, model=model), work, note=note, environment=PEERS_ENVIRONMENT)


LOOP, MODULE, BARE = "one target at a time", "nn.MultiheadAttention, padded", "the same, nothing left out"
BAGS = "F.embedding_bag for each target"
LOOPED = (
    "for each user and item to be left out, the view of the rest by itself; projections once for each item, as ours"
)

CASES = (
    same_loss(
        "crmman",
        other(LOOP, "crmman", "OneAtATime", epoch, LOOPED),
        other(
            MODULE,
            "crmman",
            "Padded",
            epoch,
            "a row for each user and item to be left out, those of similar length at once",
        ),
        other(
            BARE,
            "crmman",
            "PaddedWhole",
            epoch_of_less,
            "a row for each user; computes less than the others, and the target sits in its own history",
        ),
        aims={LOOP: 20, MODULE: 3},
    ),
    same_loss(
        VECTORS_ALONE,
        other(LOOP, VECTORS_ALONE, "OneAtATime", epoch, LOOPED),
        other(BAGS, VECTORS_ALONE, "Bags", epoch, "a bag for each user and item to be left out"),
        aims={LOOP: 20},
    ),
    Case(
        stage="train_users",
        task=f"ml-100k, one epoch of {VECTORS_ALONE} against RecBole's",
        ours=Way("ours", partial(whole, variant=VECTORS_ALONE), whole_epoch),
        alternatives=(
            Way("ours, crmman", partial(whole, variant="crmman"), whole_epoch, note="the method as written"),
            *(of_recbole(model, whole_epoch) for model in PEERS),
        ),
        inputs=write_atomic_files,
        runs=3,
        seconds=240,
    ),
    Case(
        stage="train_users",
        task=f"ml-100k, training until ranking NDCG@10 on validation is {LEVEL:g}",
        ours=Way("ours", partial(looking, variant=VECTORS_ALONE), until_level),
        alternatives=(
            Way("ours, crmman", partial(looking, variant="crmman"), until_level, note="the method as written"),
            of_recbole("KGAT", peer_until_level),
        ),
        inputs=write_atomic_files,
        aims={"RecBole KGAT": 1},
        measure="cpu_seconds",
        unit="CPU s",
        runs=1,
        seconds=600,
        told=("epochs", "validation ndcg@10"),
    ),
)
