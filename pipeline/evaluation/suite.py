"""All systems under all protocols on the test split: the numbers, their intervals and the table a person reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.baselines import BaselineConfig, Chosen, Tried, choose, left_out
from pipeline.dataset import Dataset
from pipeline.evaluation.intervals import Figure, best_threshold, mean_figure, pooled_auc_figure, threshold_figures
from pipeline.evaluation.protocols import Evaluated, Scorer, evaluate_split
from pipeline.random_streams import stream

MODEL = "crmman"
PROTOCOLS = ("ctr", "impression", "ranking")
METRICS = (
    "auc",
    "user_auc",
    "accuracy",
    "f1",
    "mrr",
    "ndcg@5",
    "ndcg@10",
    "recall@10",
    "recall@20",
    "hit@10",
    "coverage@10",
)


class EvaluationConfig(BaselineConfig):
    bootstrap_samples: int = Field(ge=20, description="Resamplings of users for each 95% interval")


@dataclass
class Evaluation:
    """
    Attributes:
        figures: (system, protocol, metric) to value and interval.
        per_user: system, protocol, metric, user, value.
        tried: settings of the baselines and their validation figures.
    """

    figures: dict[tuple[str, str, str], Figure] = field(default_factory=dict)
    per_user: list[pl.DataFrame] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def as_nested(self) -> dict[str, dict[str, dict[str, float]]]:
        """{system: {protocol: {metric: value}}}."""
        nested: dict[str, dict[str, dict[str, float]]] = {}
        for (system, protocol, metric), figure in self.figures.items():
            nested.setdefault(system, {}).setdefault(protocol, {})[metric] = figure.value
        return nested

    def intervals(self) -> pl.DataFrame:
        """system, protocol, metric, value, low, high, users."""
        rows = [
            {"system": s, "protocol": p, "metric": m, **figure._asdict()} for (s, p, m), figure in self.figures.items()
        ]
        return pl.DataFrame(rows, schema_overrides={"users": pl.Int32, "low": pl.Float64, "high": pl.Float64})

    def all_per_user(self) -> pl.DataFrame:
        return pl.concat(self.per_user)

    def tried_settings(self) -> pl.DataFrame:
        return pl.DataFrame([vars(tried) for tried in self.tried])


def evaluate_all(
    model: Scorer, data: Dataset, config: EvaluationConfig, seed: int, report: Callable[[str], None] = lambda line: None
) -> Evaluation:
    """The model beside the baselines, on the test split.

    Everything that is chosen, the thresholds of accuracy and the settings of the baselines, is chosen on validation.
    """
    result = Evaluation()
    _add(result, Chosen(MODEL, model, evaluate_split(model, data, "valid")), data, config, seed)
    report(MODEL)
    result.remarks += [f"{system} is left out: {why}" for system, why in left_out(config, data).items()]
    for chosen, tried in choose(data, config, seed):
        _add(result, chosen, data, config, seed)
        result.tried += tried
        report(chosen.system)
    return result


def _add(result: Evaluation, chosen: Chosen, data: Dataset, config: EvaluationConfig, seed: int) -> None:
    tested = evaluate_split(chosen.scorer, data, "test")
    for (protocol, metric), figure in _figures(tested, chosen.on_validation, config.bootstrap_samples, seed).items():
        result.figures[chosen.system, protocol, metric] = figure
    for (protocol, metric), values in tested.per_user.items():
        names = {"system": chosen.system, "protocol": protocol, "metric": metric}
        frame = pl.DataFrame({"user": values.users.astype(np.int32), "value": values.values})
        result.per_user.append(
            frame.select(*(pl.lit(value).alias(name) for name, value in names.items()), "user", "value")
        )


def _figures(tested: Evaluated, validated: Evaluated, samples: int, seed: int) -> dict[tuple[str, str], Figure]:
    """Figures in the order of PROTOCOLS and METRICS. Every system meets the same resampled users."""
    found: dict[tuple[str, str], Figure] = {}
    for protocol, pairs in (("ctr", tested.ctr), ("impression", tested.impression)):
        if pairs.labels.any() and not pairs.labels.all():
            found[protocol, "auc"] = pooled_auc_figure(pairs, samples, stream(seed, f"bootstrap {protocol}"))
    threshold = best_threshold(validated.ctr)
    for metric, figure in threshold_figures(tested.ctr, threshold, samples, stream(seed, "bootstrap ctr")).items():
        found["ctr", metric] = figure
    for (protocol, metric), values in tested.per_user.items():
        if len(values.values):
            found[protocol, metric] = mean_figure(values, samples, stream(seed, f"bootstrap {protocol}"))
    users = len(tested.per_user["ranking", "ndcg@10"].users)
    found["ranking", "coverage@10"] = Figure(tested.coverage, None, None, users)
    order = [(protocol, metric) for protocol in PROTOCOLS for metric in METRICS]
    return {key: found[key] for key in order if key in found and np.isfinite(found[key].value)}


def table(metrics: dict[str, dict[str, dict[str, float]]], intervals: pl.DataFrame) -> str:
    """The figures as text: a block for each protocol, a row for each system, the best of a column marked by `*`."""
    half = {
        (row["system"], row["protocol"], row["metric"]): (row["high"] - row["low"]) / 2
        for row in intervals.iter_rows(named=True)
        if row["low"] is not None
    }
    lines: list[str] = []
    for protocol in PROTOCOLS:
        shown = [
            metric for metric in METRICS if any(metric in systems.get(protocol, {}) for systems in metrics.values())
        ]
        if not shown:
            continue
        lines += ["", f"{protocol:<12}" + "".join(f"{metric:>15}" for metric in shown)]
        for system, protocols in metrics.items():
            cells = [
                _cell(protocols.get(protocol, {}), metric, half.get((system, protocol, metric)), metrics, protocol)
                for metric in shown
            ]
            lines.append(f"{system:<12}" + "".join(f"{cell:>15}" for cell in cells))
    lines += ["", "* best of its column; ± half of the 95% interval (bootstrap over users)"]
    return "\n".join(lines[1:])


def _cell(values: dict[str, float], metric: str, half: float | None, metrics: dict[str, Any], protocol: str) -> str:
    if metric not in values:
        return "-"
    best = max(system[protocol][metric] for system in metrics.values() if metric in system.get(protocol, {}))
    mark = "*" if values[metric] == best else ""
    spread = f" ±{half:.3f}".replace("0.", ".") if half is not None else ""
    return f"{mark}{values[metric]:.4f}{spread}".replace("0.", ".", 1)


def warnings(metrics: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """Where a baseline beats the model, said plainly."""
    found = []
    for protocol, metric in (("ctr", "user_auc"), ("impression", "ndcg@5"), ("ranking", "ndcg@10")):
        values = {
            system: protocols[protocol][metric]
            for system, protocols in metrics.items()
            if metric in protocols.get(protocol, {})
        }
        better = [system for system, value in _sorted(values.items()) if value > values.get(MODEL, np.inf)]
        if better:
            found.append(f"{protocol} {metric}: {', '.join(better)} above {MODEL}")
    return found


def _sorted(values: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    return sorted(values, key=lambda pair: (-pair[1], pair[0]))
