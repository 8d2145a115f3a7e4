"""Paired differences: is one system better than another for users like these, when both met the same ones?

The difference is taken within each user before users are resampled: what makes a user easy or hard for both systems
cancels, so two systems whose own intervals overlap widely can still be told apart.

A system that was trained several times, with other seeds, is a group of runs. Its figure is their mean, and its interval resamples users
and runs alike: two trained models may differ by their seeds alone. Of one run nothing is known of that, and an interval over users says
what these users would do with these two models, no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.common.errors import InputError
from pipeline.common.random_streams import stream
from pipeline.evaluation.comparison.intervals import LEVELS, times_drawn
from pipeline.evaluation.metrics.registry import POOLED
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
    "runs": pl.Int32,
}
# From how many runs of each side on a difference may be called more than chance where both are trained.
ENOUGH_RUNS = 3
# How often a sample draws a user: once on average, and nobody's count comes near what this holds.
DRAWN = np.uint16

# Name to the systems that are its runs.
Runs = Mapping[str, Sequence[str]]
# (system, protocol, metric, other system) to the difference followed by that of each sample, and the number of users.
_Resampled = dict[tuple[str, str, str, str], tuple["NDArray[np.float64]", int]]


def excludes_zero(low: float, high: float) -> bool:
    """Whether an interval lies on one side of zero; one that touches zero does not, nor does one without bounds."""
    return bool(low > 0 or high < 0)


def compare(
    per_user: Mapping[str, Mapping[tuple[str, str], PerUser]],
    variants: Runs,
    baselines: Runs,
    samples: int,
    seed: int,
    pairs: Mapping[str, Mapping[str, ScoredPairs]] | None = None,
) -> pl.DataFrame:
    """Every variant of the model against every baseline.

    All comparisons over the same users share their draws, and the draws depend on nothing but the seed and the number
    of users: a figure stays the same when another system comes or goes.

    Args:
        per_user: {system: {(protocol, metric): values}}; what a system lacks is not compared.
        variants: name to the systems that are its runs; baselines likewise.
        pairs: {system: {protocol: scored pairs}}, to compare the metrics over all pairs too.

    Returns:
        system, protocol, metric, against, difference (system minus against), low, high, users, runs (of the side that has
        fewer); sorted by variant, then as the variant's metrics come, then by baseline.

    Raises:
        InputError: the systems scored different pairs.
    """
    all_pairs = pairs or {}
    left, right = ([run for runs in side.values() for run in runs] for side in (variants, baselines))
    found = _resampled_pooled(all_pairs, left, right, samples, seed)
    found |= _resampled_means(per_user, left, right, samples, seed)
    rows = []
    for variant, runs in variants.items():
        pooled = [(metric.protocol, metric.name) for metric in POOLED if metric.protocol in all_pairs.get(runs[0], {})]
        for protocol, metric in [*pooled, *per_user.get(runs[0], {})]:
            for baseline, others in baselines.items():
                cells = [[found.get((one, protocol, metric, other)) for other in others] for one in runs]
                if any(cell is None for line in cells for cell in line):
                    continue
                apart = np.array([[cell[0] for cell in line if cell] for line in cells])
                users = min(cell[1] for line in cells for cell in line if cell)
                value, low, high = _over_runs(apart, variant, baseline, seed)
                fewer = min(len(runs), len(others))
                rows.append((variant, protocol, metric, baseline, value, low, high, users, fewer))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def against_best(comparisons: pl.DataFrame) -> pl.DataFrame:
    """Of the rows of `compare` those with the best baseline of each metric, the first of equals.

    The best baseline has the highest mean, that is the lowest difference: all systems have values for the same users.
    """
    keys = ["system", "protocol", "metric"]
    lowest = pl.col("difference").arg_min().over(keys)
    return comparisons.filter(pl.int_range(pl.len()).over(keys) == lowest)


def _over_runs(apart: NDArray[np.float64], variant: str, baseline: str, seed: int) -> tuple[float, float, float]:
    """The mean difference over the runs of both sides, and its 95% interval.

    Args:
        apart: difference of each run of the variant and each of the baseline, followed by that of each sample of users,
            (runs, runs of the baseline, 1 + samples).
    """
    samples = apart.shape[2] - 1
    weights = [
        run_weights(runs, samples, stream(seed, f"runs of {name}"))
        for runs, name in ((apart.shape[0], variant), (apart.shape[1], baseline))
    ]
    resampled = np.einsum("sv,sb,vbs->s", *weights, apart[:, :, 1:])
    low, high = np.nanpercentile(resampled, LEVELS)
    return float(apart[:, :, 0].mean()), float(low), float(high)


def run_weights(runs: int, samples: int, random: np.random.Generator) -> NDArray[np.float64]:
    """How much each run counts in each bootstrap sample, (samples, runs), each row with the sum 1.

    Runs are drawn with replacement. Of so few the mean over the drawn ones varies too little, by the factor (runs - 1) / runs in
    variance; the weights are spread around 1 / runs by as much as makes up for it (Rao, Wu, JASA 83(401), 1988). One run counts fully.
    """
    if runs == 1:
        return np.ones((samples, 1))
    drawn = random.integers(runs, size=(samples, runs))
    times = np.stack([(drawn == run).sum(axis=1) for run in range(runs)], axis=1)
    return np.asarray(1 / runs + np.sqrt(runs / (runs - 1)) * (times - 1) / runs, dtype=np.float64)


def _resampled_means(
    per_user: Mapping[str, Mapping[tuple[str, str], PerUser]],
    variants: Sequence[str],
    baselines: Sequence[str],
    samples: int,
    seed: int,
) -> _Resampled:
    """Differences of means over the users that both have; columns over the same users are resampled together."""
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
    found: _Resampled = {}
    for columns in groups.values():
        table = np.stack(list(columns.values()), axis=1)
        count = len(table)
        drawn = times_drawn(count, samples, stream(seed, "paired bootstrap"))
        means = np.concatenate([times @ table for times in drawn]) / count
        whole = np.vstack([table.mean(axis=0), means])
        found.update({key: (column, count) for key, column in zip(columns, whole.T, strict=True)})
    return found


def _resampled_pooled(
    pairs: Mapping[str, Mapping[str, ScoredPairs]],
    variants: Sequence[str],
    baselines: Sequence[str],
    samples: int,
    seed: int,
) -> _Resampled:
    """Differences of figures over all pairs, whole users drawn; a protocol with one kind of label only has none.

    Raises:
        InputError: the systems scored different pairs.
    """
    found: _Resampled = {}
    for metric in POOLED:
        systems = [name for name in (*variants, *baselines) if metric.protocol in pairs.get(name, {})]
        if not metric.tested or not systems:
            continue
        scored = [pairs[name][metric.protocol] for name in systems]
        first = scored[0]
        for other in scored[1:]:
            if not (np.array_equal(first.users, other.users) and np.array_equal(first.labels, other.labels)):
                raise InputError(
                    f"paired {metric.name}: found systems that scored different pairs, expected the same pairs in one order"
                )
        if not first.labels.any() or first.labels.all():
            continue
        users = metric.function(first, None).users
        drawn = [times.astype(DRAWN) for times in times_drawn(users, samples, stream(seed, "paired bootstrap"))]
        of = {}
        # One system's sorted pairs at a time, and of all the same draws.
        for name, each in zip(systems, scored, strict=True):
            figure = metric.function(each, None)
            found_of = [figure.of(times.astype(np.float64)) for times in drawn]
            of[name] = np.concatenate([figure.of(np.ones((1, users))), *found_of])
        for variant in variants:
            for baseline in baselines:
                if variant in of and baseline in of:
                    found[variant, metric.protocol, metric.name, baseline] = of[variant] - of[baseline], users
    return found


def _differences(left: PerUser, right: PerUser) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Users that both have, ascending, and left minus right."""
    users, here, there = np.intersect1d(left.users, right.users, assume_unique=True, return_indices=True)
    return users, left.values[here] - right.values[there]
