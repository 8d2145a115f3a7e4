"""One system under all protocols on the test split, as tables that can be laid beside those of other systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.common.blocks import MapBlocks, in_turn
from pipeline.data.dataset import Dataset
from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.evaluation.metrics.registry import OF_CATALOGUE
from pipeline.evaluation.metrics.threshold import best_threshold
from pipeline.evaluation.protocols.scores import Scorer
from pipeline.evaluation.protocols.split import PerUser, ScoredPairs, ScoredSplit, score_split
from pipeline.evaluation.systems.slices import by_item, item_slices

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What validation chose for the figures of a protocol that call a pair a like or none.
THRESHOLD = "{protocol} threshold"


@dataclass(frozen=True)
class SystemTables:
    """
    Attributes:
        per_user: system, protocol, metric, user, value.
        pairs: system, protocol, user, item, like, score: candidates of `ctr` and `impression`.
        item_slices: slice, system, protocol, metric, user, value.
        facts: system, fact, value: what is one number for the whole split or was chosen on validation.
        lists: system, user, item: a first ten of each user with a like in the test split.
    """

    per_user: pl.DataFrame
    pairs: pl.DataFrame
    item_slices: pl.DataFrame
    facts: pl.DataFrame
    lists: pl.DataFrame


def evaluate_system(
    name: str,
    scorer: Scorer,
    data: Dataset,
    thresholds: Mapping[str, float] | None = None,
    map_blocks: MapBlocks = in_turn,
) -> SystemTables:
    """A system's tables of the test split.

    Args:
        thresholds: of accuracy and F1, as `thresholds_of` validation has them, if the system was validated already.
        map_blocks: who scores blocks of users. The result does not depend on it.
    """
    if thresholds is None:
        thresholds = thresholds_of(score_split(scorer, data, "valid", map_blocks=map_blocks))
    slice_of = item_slices(data.train_likes.getnnz(axis=0))
    tested = evaluate_split(scorer, data, "test", slice_of, map_blocks)
    system = pl.lit(name, dtype=pl.String).alias("system")
    per_user = [
        _values(values).select(system, *_named(protocol=protocol, metric=metric), "user", "value")
        for (protocol, metric), values in tested.per_user.items()
    ]
    sliced = [
        _values(values).select(
            *_named(slice=slice_name), system, *_named(protocol=protocol, metric=metric), "user", "value"
        )
        for (_, slice_name, protocol, metric), values in by_item(tested.scored.ranking, slice_of).items()
    ]
    facts = {f"{metric.protocol} {metric.name}": metric.function(tested.scored, data) for metric in OF_CATALOGUE}
    facts |= thresholds
    return SystemTables(
        pl.concat(per_user),
        pl.concat(
            [
                _pairs(pairs, np.r_[data.of_evaluated(data.liked("test")).items, others.items]).select(
                    system, *_named(protocol=protocol), "user", "item", "like", "score"
                )
                for protocol, pairs, others in (
                    ("ctr", tested.scored.ctr, data.unrated("test")),
                    ("impression", tested.scored.impression, data.of_evaluated(data.against("test"))),
                )
            ]
        ),
        pl.concat(sliced) if sliced else per_user[0].clear().select(*_named(slice=""), pl.all()),
        pl.DataFrame({"fact": list(facts), "value": list(facts.values())}).select(system, "fact", "value"),
        _lists(tested.scored).select(system, "user", "item"),
    )


def thresholds_of(validated: ScoredSplit) -> dict[str, float]:
    """By the name of the fact; none of a protocol that has no pairs."""
    return {
        THRESHOLD.format(protocol=protocol): best_threshold(pairs)
        for protocol, pairs in (("ctr", validated.ctr), ("impression", validated.impression))
        if len(pairs.scores)
    }


def per_user_of(frame: pl.DataFrame) -> dict[str, dict[tuple[str, str], PerUser]]:
    """{system: {(protocol, metric): values}} out of such a table."""
    found: dict[str, dict[tuple[str, str], PerUser]] = {}
    for (system, protocol, metric), part in frame.partition_by(
        "system", "protocol", "metric", as_dict=True, maintain_order=True
    ).items():
        found.setdefault(str(system), {})[str(protocol), str(metric)] = values_of(part)
    return found


def pairs_of(frame: pl.DataFrame) -> dict[str, dict[str, ScoredPairs]]:
    """{system: {protocol: scored pairs}} out of such a table."""
    found: dict[str, dict[str, ScoredPairs]] = {}
    for (system, protocol), part in frame.partition_by("system", "protocol", as_dict=True, maintain_order=True).items():
        users, labels, scores = (part[name].to_numpy() for name in ("user", "like", "score"))
        found.setdefault(str(system), {})[str(protocol)] = ScoredPairs(users.astype(np.int64), labels, scores)
    return found


def values_of(frame: pl.DataFrame) -> PerUser:
    """The columns user and value."""
    return PerUser(frame["user"].to_numpy().astype(np.int64), frame["value"].to_numpy())


def _values(values: PerUser) -> pl.DataFrame:
    return pl.DataFrame({"user": values.users.astype(np.int32), "value": values.values})


def _lists(scored: ScoredSplit) -> pl.DataFrame:
    users, _ = scored.ranking.standing
    place, column = np.nonzero(scored.lists >= 0)
    items = scored.lists[place, column]
    return pl.DataFrame({"user": users[place].astype(np.int32), "item": items.astype(np.int32)})


def _pairs(pairs: ScoredPairs, items: NDArray[np.int64]) -> pl.DataFrame:
    """Likes come first in `ScoredPairs`, then what they stand against; so do the items."""
    return pl.DataFrame(
        {
            "user": pairs.users.astype(np.int32),
            "item": items.astype(np.int32),
            "like": pairs.labels,
            "score": pairs.scores,
        }
    )


def _named(**names: str) -> list[pl.Expr]:
    return [pl.lit(value, dtype=pl.String).alias(name) for name, value in names.items()]
