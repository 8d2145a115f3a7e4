"""Paired differences: is one system better than another beyond chance, when both met the same users?

The difference is taken within each user before users are resampled: what makes a user easy or hard for both systems
cancels, so two systems whose own intervals overlap widely can still be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from pipeline.common.errors import InputError
from pipeline.common.random_streams import stream
from pipeline.evaluation.comparison.intervals import LEVELS, POOLED_SAMPLES, times_drawn
from pipeline.evaluation.metrics.ndcg import auc_of_sorted, tie_groups
from pipeline.evaluation.protocols.split import PerUser, ScoredPairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = {
    "system": pl.String,
    "protocol": pl.String,
    "metric": pl.String,
    "against": pl.String,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "users": pl.Int32,
}


class Difference(NamedTuple):
    """First system minus second, its 95% interval, and the users that both have."""

    value: float
    low: float
    high: float
    users: int

    @property
    def beyond_chance(self) -> bool:
        return excludes_zero(self.low, self.high)


def excludes_zero(low: float, high: float) -> bool:
    """Whether an interval lies on one side of zero; one that touches zero does not, nor does one without bounds."""
    return bool(low > 0 or high < 0)


def paired_difference(left: PerUser, right: PerUser, samples: int, random: np.random.Generator) -> Difference:
    """Difference of two means over the users that have both values.

    Raises:
        InputError: no user has both.
    """
    users, differences = _differences(left, right)
    if not len(users):
        raise InputError("paired difference: found no user with a value of both systems, expected some")
    return _of_means(differences[:, None], samples, random)[0]


def paired_auc_difference(
    left: ScoredPairs, right: ScoredPairs, samples: int, random: np.random.Generator
) -> Difference:
    """Difference of two AUCs over all pairs; whole users are drawn, the same for both systems.

    Every sample goes over all pairs, so there are at most `POOLED_SAMPLES` of them.

    Raises:
        InputError: the systems scored different pairs.
    """
    (first, second), users = _resampled_aucs([left, right], samples, random)
    return _interval(first[0] - second[0], first[1:] - second[1:], users)


def compare(
    per_user: Mapping[str, Mapping[tuple[str, str], PerUser]],
    variants: Sequence[str],
    baselines: Sequence[str],
    samples: int,
    seed: int,
    pairs: Mapping[str, Mapping[str, ScoredPairs]] | None = None,
) -> pl.DataFrame:
    """Every variant of the model against every baseline.

    All comparisons over the same users share their draws, and the draws depend on nothing but the seed and the number
    of users: a figure stays the same when another system comes or goes.

    Args:
        per_user: {system: {(protocol, metric): values}}; what a system lacks is not compared.
        pairs: {system: {protocol: scored pairs}}, to compare the AUC over all pairs too, as metric `auc`.

    Returns:
        system, protocol, metric, against, difference (system minus against), low, high, users; sorted by variant,
        then as the variant's metrics come, then by baseline.

    Raises:
        InputError: the systems scored different pairs.
    """
    found = _compared_aucs(pairs or {}, variants, baselines, samples, seed)
    found |= _compared_means(per_user, variants, baselines, samples, seed)
    rows = []
    for variant in variants:
        pooled = [(protocol, "auc") for protocol in (pairs or {}).get(variant, {})]
        for protocol, metric in [*pooled, *per_user.get(variant, {})]:
            for baseline in baselines:
                difference = found.get((variant, protocol, metric, baseline))
                if difference is not None:
                    rows.append((variant, protocol, metric, baseline, *difference))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def against_best(comparisons: pl.DataFrame) -> pl.DataFrame:
    """Of the rows of `compare` those with the best baseline of each metric, the first of equals.

    The best baseline has the highest mean, that is the lowest difference: all systems have values for the same users.
    """
    keys = ["system", "protocol", "metric"]
    lowest = pl.col("difference").arg_min().over(keys)
    return comparisons.filter(pl.int_range(pl.len()).over(keys) == lowest)


def compare_with_best(
    per_user: Mapping[str, Mapping[tuple[str, str], PerUser]],
    variants: Sequence[str],
    baselines: Sequence[str],
    samples: int,
    seed: int,
    pairs: Mapping[str, Mapping[str, ScoredPairs]] | None = None,
) -> pl.DataFrame:
    """Every variant against the best baseline of each metric; arguments, columns and errors are those of `compare`."""
    return against_best(compare(per_user, variants, baselines, samples, seed, pairs))


def _compared_means(
    per_user: Mapping[str, Mapping[tuple[str, str], PerUser]],
    variants: Sequence[str],
    baselines: Sequence[str],
    samples: int,
    seed: int,
) -> dict[tuple[str, str, str, str], Difference]:
    """(variant, protocol, metric, baseline) to the difference; columns over the same users are resampled together."""
    groups: dict[bytes, dict[tuple[str, str, str, str], NDArray[np.float64]]] = {}
    for variant in variants:
        for (protocol, metric), values in per_user.get(variant, {}).items():
            for baseline in baselines:
                other = per_user.get(baseline, {}).get((protocol, metric))
                if other is None:
                    continue
                users, differences = _differences(values, other)
                if len(users):
                    groups.setdefault(users.tobytes(), {})[variant, protocol, metric, baseline] = differences
    found: dict[tuple[str, str, str, str], Difference] = {}
    for columns in groups.values():
        table = np.stack(list(columns.values()), axis=1)
        found.update(zip(columns, _of_means(table, samples, stream(seed, "paired bootstrap")), strict=True))
    return found


def _compared_aucs(
    pairs: Mapping[str, Mapping[str, ScoredPairs]],
    variants: Sequence[str],
    baselines: Sequence[str],
    samples: int,
    seed: int,
) -> dict[tuple[str, str, str, str], Difference]:
    """As `_compared_means`, for the AUC over all pairs; a protocol with one kind of label only has none."""
    found = {}
    for protocol in dict.fromkeys(name for variant in variants for name in pairs.get(variant, {})):
        systems = [name for name in (*variants, *baselines) if protocol in pairs.get(name, {})]
        scored = [pairs[name][protocol] for name in systems]
        if not scored[0].labels.any() or scored[0].labels.all():
            continue
        aucs, users = _resampled_aucs(scored, samples, stream(seed, "paired bootstrap"))
        of = dict(zip(systems, aucs, strict=True))
        for variant in variants:
            for baseline in baselines:
                if variant in of and baseline in of:
                    apart = of[variant] - of[baseline]
                    found[variant, protocol, "auc", baseline] = _interval(apart[0], apart[1:], users)
    return found


def _differences(left: PerUser, right: PerUser) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Users that both have, ascending, and left minus right."""
    users, here, there = np.intersect1d(left.users, right.users, assume_unique=True, return_indices=True)
    return users, left.values[here] - right.values[there]


def _of_means(differences: NDArray[np.float64], samples: int, random: np.random.Generator) -> list[Difference]:
    """Intervals of the means of columns, (users, columns), all columns over the same draws."""
    count = len(differences)
    means = np.concatenate([times @ differences for times in times_drawn(count, samples, random)]) / count
    return [_interval(value, column, count) for value, column in zip(differences.mean(axis=0), means.T, strict=True)]


def _resampled_aucs(
    systems: Sequence[ScoredPairs], samples: int, random: np.random.Generator
) -> tuple[NDArray[np.float64], int]:
    """For each system its AUC followed by those of the samples, (systems, 1 + samples); and the number of users."""
    first = systems[0]
    for other in systems[1:]:
        if not (np.array_equal(first.users, other.users) and np.array_equal(first.labels, other.labels)):
            raise InputError(
                "paired AUC: found systems that scored different pairs, expected the same pairs in one order"
            )
    names, place = np.unique(first.users, return_inverse=True)
    prepared = []
    for pairs in systems:
        order = np.argsort(pairs.scores, kind="stable")
        prepared.append((tie_groups(pairs.scores[order]), pairs.labels[order], place[order]))
    aucs = [[auc_of_sorted(groups, labels) for groups, labels, _ in prepared]]
    for block in times_drawn(len(names), min(samples, POOLED_SAMPLES), random):
        aucs += [[auc_of_sorted(groups, labels, times[owner]) for groups, labels, owner in prepared] for times in block]
    return np.array(aucs).T, len(names)


def _interval(value: float, resampled: NDArray[np.float64], users: int) -> Difference:
    low, high = np.nanpercentile(resampled, LEVELS)
    return Difference(float(value), float(low), float(high), users)
