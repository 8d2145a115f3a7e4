"""From tidy tables to what models train on: likes, filters, dense indices, splits, sampled candidates.

Rules of the evaluation protocols: a like is a rating at or above the threshold, a dislike one below it; 60/20/20 over
interactions by default; users without a like in training are dropped and counted, but not where the split was given: a figure
over the whole of a published test split has everybody who is in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.common.errors import InputError
from pipeline.common.random_streams import stream
from pipeline.common.row_keys import in_key_order
from pipeline.data.settings import DatasetConfig
from pipeline.data.splits import SPLITS

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Prepared:
    """Tables of `pipeline.artifacts.data`: ITEMS, USERS, INTERACTIONS, UNRATED_CANDIDATES, SAMPLED_ZEROS, and what a reader should know."""

    items: pl.DataFrame
    users: pl.DataFrame
    interactions: pl.DataFrame
    unrated_candidates: pl.DataFrame
    sampled_zeros: pl.DataFrame
    remarks: list[str] = field(default_factory=list)


def prepare(
    interactions: pl.DataFrame, items: pl.DataFrame, item_entities: pl.DataFrame, config: DatasetConfig, seed: int
) -> Prepared:
    """Filter, index, split, and sample the unrated candidates of the `ctr` protocol.

    Args:
        interactions: user_id, item_id, rating or like, timestamp, split.
        items: item_id and any other columns.
        item_entities: item_id, entity_id.

    Raises:
        InputError: no likes, nothing left after the filters, a split that would be empty, no timestamps for a
            temporal split, or no column `split` for a given one.
    """
    remarks: list[str] = []
    _check_given(interactions, config, remarks)
    rated, zeros = _by_feedback(with_likes(_of_use(interactions, config), config.like_threshold), config, remarks)
    # What is made of it is as large, and who reads a file for this function has no use for it either.
    del interactions
    of_test = sum(int((frame["split"] == "test").sum()) for frame in (rated, zeros)) if config.split == "given" else 0
    if config.linked_items_only:
        if item_entities.is_empty():
            raise InputError("linked_items_only: found true, but there is no knowledge graph; expected false")
        linked = items["item_id"].is_in(item_entities["item_id"].unique().to_list())
        remarks.append(
            f"{int((~linked).sum())} of {len(items)} items have no entity and are left out (linked_items_only)"
        )
        items = items.filter(linked)
        rated = rated.filter(pl.col("item_id").is_in(items["item_id"].to_list()))
    # Zeros that somebody drew are no interactions: they make nobody's history longer.
    rated, items = _with_enough_interactions(rated, items, config, remarks)
    if rated.is_empty():
        raise InputError(
            "interactions: found none left after the filters; lower min_user_interactions or min_item_interactions"
        )
    if len(zeros):
        zeros = zeros.filter(pl.col("item_id").is_in(items["item_id"].to_list()))
        if config.min_user_interactions > 1:
            zeros = zeros.filter(pl.col("user_id").is_in(rated["user_id"].unique().to_list()))
        # They are split with the likes, whose negatives they are.
        rated = pl.concat([rated, zeros])
    if config.split == "given":
        left = int((rated["split"] == "test").sum())
        if left < of_test:
            remarks.append(
                f"{of_test - left} of the {of_test} test interactions of the given split are left out by these filters: "
                "figures are not comparable with others' on the whole split"
            )

    items = _in_natural_order(items, "item_id").with_row_index("item").with_columns(pl.col("item").cast(pl.Int32))
    rated = rated.join(items.select("item", "item_id"), on="item_id", how="left", maintain_order="left").drop("item_id")
    rated = in_key_order(rated, ("user_id", "item"))
    split = _split(rated, config, seed, remarks).select("user_id", "item", "like", "rating", "split")
    del rated

    is_trained = (pl.col("split") == "train") & pl.col("like")
    trained = split.select(pl.col("user_id").filter(is_trained).unique()).to_series().to_list()
    users = _in_natural_order(split.select(pl.col("user_id").unique()), "user_id")
    if not trained:
        raise InputError(
            "interactions: found no user with a like in training; lower like_threshold or enlarge the training fraction"
        )
    kept = users if config.split == "given" else users.filter(pl.col("user_id").is_in(trained))
    if len(kept) < len(users):
        remarks.append(f"{len(users) - len(kept)} of {len(users)} users have no like in training and are dropped")
    if len(trained) < len(kept):
        remarks.append(
            f"{len(kept) - len(trained)} of {len(kept)} users have no like in training; they stay, because the split was given, and are "
            "scored by what holds for anybody"
        )
    kept = kept.with_row_index("user").with_columns(pl.col("user").cast(pl.Int32))
    table = (
        split.lazy()
        .join(kept.lazy(), on="user_id", how="inner")
        .select("user", pl.exclude("user", "user_id"))
        .collect()
    )
    del split
    table = in_key_order(table, ("user", "item"))
    table, zeros = _without_zeros(table, config, remarks)
    for part in SPLITS:
        if not table.select(((pl.col("split") == part) & pl.col("like")).any()).item():
            raise InputError(
                f"interactions: found no like in the {part} split of users who have one in training; expected some: "
                f"{_why_no_like(config)}"
            )
    candidates, short = _sample_unrated(table, len(items), seed)
    for part in SPLITS[1:]:
        if candidates.filter(pl.col("split") == part).is_empty():
            raise InputError(
                f"interactions: found no item left unrated by the users with a like in the {part} split, expected some: "
                "the ctr protocol needs items that a user never rated"
            )
    if short:
        remarks.append(
            f"{short} likes of users who rated almost everything have no unrated item to be compared with in `ctr`"
        )
    kept, candidates = _with_evaluated(kept.select("user", "user_id"), table, candidates, config.evaluated_users, seed)
    if "evaluated" in kept.columns:
        remarks.append(f"figures are of {config.evaluated_users} users, drawn by seed (evaluated_users)")
    liked = int(table["like"].sum())
    remarks.append(
        f"{len(kept)} users, {len(items)} items, {len(table)} interactions: {liked} likes, {len(table) - liked} dislikes"
    )
    return Prepared(items, kept, table, candidates, zeros, remarks)


def _of_use(interactions: pl.DataFrame, config: DatasetConfig) -> pl.DataFrame:
    """Without the columns that another way to split reads."""
    unused = {"split"} if config.split != "given" else set()
    if config.split in ("given", "random"):
        unused.add("timestamp")
    return interactions.drop(unused & set(interactions.columns))


def _why_no_like(config: DatasetConfig) -> str:
    if config.split == "given":
        return "the split was given by the column split"
    return f"the data set is too small for split_fractions {config.split_fractions}, or its users are too new for split {config.split}"


def _check_given(interactions: pl.DataFrame, config: DatasetConfig, remarks: list[str]) -> None:
    """Whether there is a given split, where one is to be used; a remark where there is one that is not.

    Raises:
        InputError: no column `split`, or nothing in training or test.
    """
    has_column = "split" in interactions.columns and not interactions["split"].has_nulls()
    if config.split != "given":
        if has_column:
            remarks.append(f"the interactions have a column split, which split {config.split} does not read")
        return
    if not has_column:
        raise InputError("split: found given, but the interactions have no column split; expected random")
    found = interactions["split"].unique().to_list()
    for part in ("train", "test"):
        if part not in found:
            raise InputError(f"interactions: column split: found no row with {part}, expected some")


def _by_feedback(rated: pl.DataFrame, config: DatasetConfig, remarks: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What was given, and zeros that somebody drew."""
    if config.feedback == "rated":
        return rated, rated.clear()
    likes, zeros = rated.filter("like"), rated.filter(~pl.col("like"))
    if config.feedback == "sampled":
        return likes, zeros
    if len(zeros):
        remarks.append(f"{len(zeros)} of {len(rated)} interactions are not likes and are left out (feedback: liked)")
    return likes, zeros.clear()


def _without_zeros(table: pl.DataFrame, config: DatasetConfig, remarks: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The interactions, and the zeros of validation and test that somebody drew; those of training are of no use."""
    columns = ("user", "item", "split")
    if config.feedback != "sampled":
        return table, table.clear().select(columns)
    zeros = table.filter(~pl.col("like")).select(columns)
    kept = zeros.filter(pl.col("split") != "train")
    remarks.append(
        f"{len(zeros)} zeros were sampled and are not dislikes (feedback: sampled): {len(kept)} of validation and test are what "
        f"`impression` ranks likes against, {len(zeros) - len(kept)} of training are left out"
    )
    return table.filter("like"), kept


def with_likes(interactions: pl.DataFrame, threshold: float | None) -> pl.DataFrame:
    """The interactions with `like` filled in from `rating`, if the table has ratings.

    Raises:
        InputError: ratings without a threshold, a threshold without ratings, or nothing that is a like.
    """
    if interactions["rating"].null_count() == 0:
        if threshold is None:
            raise InputError(
                "like_threshold: found null, but the interactions have ratings; expected the lowest rating that is a like"
            )
        low, high = interactions.select(low=pl.col("rating").min(), high=pl.col("rating").max()).row(0)
        rated = interactions.with_columns(like=pl.col("rating") >= threshold)
        if not rated["like"].any():
            raise InputError(
                f"like_threshold: found {threshold:g}, which no rating reaches; expected a number from {low} to {high}"
            )
        return rated
    if threshold is not None:
        raise InputError(
            f"like_threshold: found {threshold:g}, but the interactions have a like column and no ratings; expected null"
        )
    if not interactions["like"].any():
        raise InputError("interactions: column like: found no likes, expected some")
    return interactions


def _with_enough_interactions(
    rated: pl.DataFrame, items: pl.DataFrame, config: DatasetConfig, remarks: list[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    before = len(rated)
    while True:
        size = len(rated)
        # Whoever is in the table has one: counting tens of millions of rows would tell nothing more.
        if config.min_user_interactions > 1:
            rated = rated.filter(pl.len().over("user_id") >= config.min_user_interactions)
        if config.min_item_interactions > 1:
            rated = rated.filter(pl.len().over("item_id") >= config.min_item_interactions)
        if len(rated) == size:
            break
    if size < before:
        remarks.append(
            f"{before - size} of {before} interactions belong to users or items with too few and are left out"
        )
    if config.min_item_interactions:
        kept = items["item_id"].is_in(rated["item_id"].unique().to_list())
        if not kept.all():
            remarks.append(f"{int((~kept).sum())} of {len(items)} items have too few interactions and are left out")
        items = items.filter(kept)
    return rated, items


def _in_natural_order(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Numeric ids by number, others by text: an order that people expect and that depends on nothing else."""
    number = pl.col(column).cast(pl.Int64, strict=False)
    return frame.sort(number.is_null(), number, pl.col(column))


def _split(rated: pl.DataFrame, config: DatasetConfig, seed: int, remarks: list[str]) -> pl.DataFrame:
    train, valid, _ = config.split_fractions
    if config.split == "given":
        return _with_valid(rated, train / (train + valid), seed, remarks)
    count = len(rated)
    if config.split == "random":
        place = stream(seed, "split").permutation(count)
        total = np.full(count, count)
    else:
        if rated["timestamp"].has_nulls():
            raise InputError(
                f"split: found {config.split}, but the interactions have no timestamp column; expected random"
            )
        if config.split == "temporal":
            ordered = rated.select(pl.struct("timestamp", "user_id", "item").rank("ordinal").cast(pl.Int64) - 1)
            place, total = ordered.to_series().to_numpy(), np.full(count, count)
        else:
            ranks = rated.select(
                place=pl.struct("timestamp", "item").rank("ordinal").over("user_id").cast(pl.Int64) - 1,
                total=pl.len().over("user_id"),
            )
            place, total = ranks["place"].to_numpy(), ranks["total"].to_numpy()
    # Whole-number cuts: a fraction of .6 + .2 is not exactly .8 in floating point.
    first, second = np.rint(total * train), np.rint(total * (train + valid))
    part = np.where(place < first, 0, np.where(place < second, 1, 2))
    return rated.with_columns(split=_named(part))


def _with_valid(given: pl.DataFrame, kept: float, seed: int, remarks: list[str]) -> pl.DataFrame:
    """A given split; where it has no valid, a part of train drawn by seed, as large beside the rest as `split_fractions` has it.

    Args:
        kept: the share of train that stays there.
    """
    if (given["split"] == "valid").any():
        return given
    training = (given["split"] == "train").arg_true().to_numpy()
    place = stream(seed, "split").permutation(len(training))
    cut = training[place >= np.rint(len(training) * kept)]
    remarks.append(
        f"the given split has no valid: {len(cut)} of its {len(training)} training interactions were drawn by seed for it"
    )
    is_cut = pl.Series(np.isin(np.arange(len(given)), cut))
    return given.with_columns(split=pl.when(is_cut).then(pl.lit("valid")).otherwise("split"))


def _sample_unrated(table: pl.DataFrame, items: int, seed: int) -> tuple[pl.DataFrame, int]:
    """For each like of validation and test an item that its user never rated, in any split, drawn without replacement."""
    random = stream(seed, "unrated")
    users = table["user"].to_numpy()
    rated = table["item"].to_numpy().astype(np.int64)
    liked = table["like"].to_numpy()
    wanted = [
        np.bincount(users[liked & (table["split"] == split).to_numpy()], minlength=users[-1] + 1)
        for split in SPLITS[1:]
    ]
    starts = np.searchsorted(users, np.arange(users[-1] + 2))
    drawn, short = [], 0
    counts = np.zeros((2, users[-1] + 1), dtype=np.int64)
    for user, (valid, test) in enumerate(zip(*wanted, strict=True)):
        known = rated[starts[user] : starts[user + 1]]
        unrated = items - len(known)
        places = random.choice(unrated, size=min(valid + test, unrated), replace=False)
        short += valid + test - len(places)
        # A user who rated almost everything keeps the share of validation and test that the likes have.
        cut = valid if len(places) == valid + test else len(places) * valid // (valid + test)
        counts[:, user] = cut, len(places) - cut
        # Before the k-th unrated item stand k unrated ones, and those rated that have at most k unrated ones before them.
        drawn.append(places + np.searchsorted(known - np.arange(len(known)), places, side="right"))
    frame = pl.DataFrame(
        {
            "user": np.repeat(np.arange(counts.shape[1], dtype=np.int32), counts.sum(axis=0)),
            "item": np.concatenate(drawn).astype(np.int32),
            "split": _named(np.repeat(np.tile([1, 2], counts.shape[1]), counts.T.ravel())),
        }
    )
    return frame, int(short)


def _with_evaluated(
    users: pl.DataFrame, table: pl.DataFrame, candidates: pl.DataFrame, count: int, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The users with a column `evaluated`, and the candidates of these; both as they are where nobody is to be drawn, or all would be.

    Args:
        table: user, item, like, split.
        count: how many to draw of those who have a like in validation or test; 0: all.

    Raises:
        InputError: none of them has a like in one of the splits.
    """
    held_out = table.filter((pl.col("split") != "train") & pl.col("like"))
    able = held_out["user"].unique().sort().to_numpy()
    if not 0 < count < len(able):
        return users, candidates
    drawn = stream(seed, "evaluated").choice(able, size=count, replace=False)
    for part in SPLITS[1:]:
        if not held_out.filter(pl.col("split") == part)["user"].is_in(drawn.tolist()).any():
            raise InputError(
                f"evaluated_users: found {count}, none of whom has a like in the {part} split; expected more, or 0 for all"
            )
    is_drawn = pl.col("user").is_in(drawn.tolist())
    return users.with_columns(evaluated=is_drawn), candidates.filter(is_drawn)


def _named(parts: NDArray[np.int64]) -> pl.Series:
    """Splits by their places in `SPLITS`."""
    return pl.Series(SPLITS, dtype=pl.String).gather(parts)
