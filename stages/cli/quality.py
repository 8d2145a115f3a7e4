"""Write the tables of docs/quality.md and of the README from the results of the comparisons. Not a DVC stage: `make quality`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.artifacts.evaluation import (
    ABLATION_DIFFERENCES,
    ABLATION_METRICS,
    ABLATION_SLICES,
    DIFFERENCES,
    METRICS,
    SLICES,
    WARNINGS,
)
from pipeline.artifacts.kinds import Numbers
from pipeline.common.ablation import read_all, validated_in_files
from pipeline.common.config import look_up
from pipeline.common.errors import InputError, quoted
from pipeline.common.files import write_users_file
from pipeline.evaluation.comparison.markdown import (
    SHOWN_OF_PUBLISHED,
    Metrics,
    cold_table,
    differences_table,
    markdown,
    number,
    seeds_table,
    slices_table,
    systems_table,
)
from pipeline.evaluation.comparison.paired import ENOUGH_RUNS, against_best
from pipeline.evaluation.comparison.suite import marks_of, unchanged
from pipeline.parameters.runs import RunAblations, runs_of
from stages import PARAMS
from stages.shared.stage import run_tool

DOCUMENT = Path("docs/quality.md")
README = Path("README.md")
# The README's table: a figure or two of each protocol, and beside the models the baselines that are the best of one, or the simplest.
SHORT = (("ctr", "user_auc"), ("impression", "ndcg@5"), ("ranking", "ndcg@10"), ("ranking", "recall@20"))
STRONGEST = ("als", "ease", "biased-mf", "popularity")


def main() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    values = read_all(PARAMS)
    run = run_ablations(values)
    for dataset in look_up(values, ("datasets",), str(PARAMS)):
        text = replaced(text, f"{dataset} systems", systems(dataset, run.run_variants))
        if ABLATION_DIFFERENCES.at(dataset).is_file():
            text = replaced(text, f"{dataset} ablations", ablations(dataset, run))
    for dataset in measured_elsewhere(values["datasets"]):
        text = replaced(text, f"{dataset} figures", figures(dataset, run))
    write_users_file(DOCUMENT, text.encode())
    readme = README.read_text(encoding="utf-8")
    for dataset in values["datasets"]:
        name = f"{dataset} headline"
        if marker(name) in readme:
            readme = replaced(
                readme, name, headline(figures_of(METRICS, dataset, run.run_variants), run.run_variants), README
            )
    write_users_file(README, readme.encode())


def figures_of(kind: Numbers, dataset: str, variants: Sequence[str]) -> Metrics:
    """
    Args:
        kind: METRICS or ABLATION_METRICS.

    Raises:
        InputError: one of the variants has no figures there.
    """
    metrics: Metrics = kind.read(dataset)
    for name in variants:
        if name not in metrics:
            first = "dvc repro" if kind is METRICS else "make ablations"
            raise InputError(
                f"{kind.at(dataset)}: found no figures of {quoted(name)}, expected those of run_variants; run `{first}` first"
            )
    return metrics


def headline(metrics: Metrics, variants: Sequence[str]) -> str:
    """The README's table: the models and the strongest baselines, the best of a column bold."""
    best = {(protocol, metric): max(metrics[name][protocol][metric] for name in metrics) for protocol, metric in SHORT}
    rows = []
    for name in (*variants, *(name for name in STRONGEST if name in metrics)):
        values = {figure: metrics[name][figure[0]][figure[1]] for figure in SHORT}
        rows.append([f"`{name}`", *(f"**{number(v)}**" if v == best[f] else number(v) for f, v in values.items())])
    return markdown(["", *(" ".join(figure) for figure in SHORT)], rows)


def measured_elsewhere(datasets: Collection[str]) -> list[str]:
    """Data sets whose figures are in the repository while the data, and so their entries in params.yaml, are not."""
    folder = METRICS.at("any").parent
    return sorted(path.stem for path in folder.glob("*.json") if path.stem not in datasets)


def figures(dataset: str, run: RunAblations) -> str:
    """All systems of such a data set, and what was changed in the recommended model, out of the numbers that are committed."""
    metrics = METRICS.read(dataset)
    order = [name for name in dict.fromkeys([*run.run_variants, *sorted(metrics)]) if name in metrics]
    parts = [systems_table({name: metrics[name] for name in order}, {}, SHOWN_OF_PUBLISHED)]
    if ABLATION_METRICS.at(dataset).is_file():
        found = ABLATION_METRICS.read(dataset)
        base = run.run_variants[0]
        runs = evaluated_runs(run, base, found)
        # Of a variant that was not run there nothing was changed.
        seeds = runs.pop(base, [])
        runs = runs if seeds else {}
        if len(seeds) > 1:
            parts += [
                "Training runs that differ in nothing but the seed, mean and standard deviation:",
                seeds_table({base: [found[name] for name in seeds]}, SHOWN_OF_PUBLISHED),
            ]
        if runs:
            parts += [
                f"One part of {base} changed, one run each:",
                systems_table(
                    {name: found[name] for name in (base, *(one for names in runs.values() for one in names))},
                    {},
                    SHOWN_OF_PUBLISHED,
                ),
            ]
    return "\n\n".join(parts)


def run_ablations(values: Mapping[str, Any]) -> RunAblations:
    """The ablations, and the variants of params.yaml, checked."""
    fields = {name: values[name] for name in RunAblations.model_fields if name in values}
    return validated_in_files(RunAblations, fields, PARAMS)


def systems(dataset: str, variants: list[str]) -> str:
    metrics, differences = figures_of(METRICS, dataset, variants), DIFFERENCES.read(dataset)
    order = list(dict.fromkeys([*variants, *metrics]))
    slices = SLICES.read(dataset)
    best = [name for name in STRONGEST if name in metrics]
    warnings = "\n".join(f"- {line}" for line in WARNINGS.read(dataset)) or "- none"
    return "\n\n".join(
        [
            systems_table({name: metrics[name] for name in order}, marks_of(differences)),
            "Difference to the best baseline of each figure (95% interval, paired over users; bold: excludes zero):",
            differences_table(against_best(differences)),
            "By slices:",
            slices_table(slices, [*variants, *best]),
            "Warnings of the run:",
            warnings,
        ]
    )


def ablations(dataset: str, run: RunAblations) -> str:
    metrics, differences = figures_of(ABLATION_METRICS, dataset, run.run_variants), ABLATION_DIFFERENCES.read(dataset)
    cold = ABLATION_SLICES.read(dataset).filter(slice="cold")
    seeds = {}
    parts = []
    for base in run.run_variants:
        runs = evaluated_runs(run, base, metrics)
        if len(runs[base]) > 1:
            seeds[base] = [metrics[name] for name in runs[base]]
        same = unchanged(metrics, base, runs)
        runs = {name: own for name, own in runs.items() if name not in same}
        if len(runs) > 1:
            mine = differences.filter((differences["against"] == base) & differences["system"].is_in(list(runs)))
            parts += [
                f"#### One part of {base} changed",
                f"Difference to {base}, with the 95% interval of a paired bootstrap over users, and over training runs where there are "
                f"several; bold: it excludes zero, with at least {ENOUGH_RUNS} runs of both.",
                differences_table(mine, base, ENOUGH_RUNS),
                f"Cold items (at most 5 training likes), ranked among themselves and found in the whole catalogue, difference to {base}:",
                cold_table(cold, runs, base),
            ]
        if same:
            parts.append(f"The same model as {base} on these data: {', '.join(same)}.")
    if seeds:
        parts += [
            "#### Seeds",
            "Training runs that differ in nothing but the seed, mean and standard deviation:",
            seeds_table(seeds),
        ]
    return "\n\n".join(parts)


def evaluated_runs(run: RunAblations, base: str, metrics: Collection[str]) -> dict[str, list[str]]:
    """As `runs_of`, without what was not evaluated yet."""
    found = {name: [one for one in runs if one in metrics] for name, runs in runs_of(run.ablations, base).items()}
    return {name: runs for name, runs in found.items() if runs}


def marker(name: str) -> str:
    return f"<!-- {name}: written by stages.cli.quality -->"


def replaced(text: str, name: str, content: str, document: Path = DOCUMENT) -> str:
    """The text with what stands between a pair of markers replaced.

    Raises:
        InputError: the document has no such markers.
    """
    start, end = marker(name), f"<!-- end of {name} -->"
    if start not in text or end not in text:
        raise InputError(f"{document}: markers of '{name}' not found; expected the lines {start} and {end}")
    head, rest = text.split(start, 1)
    return f"{head}{start}\n\n{content}\n\n{end}{rest.split(end, 1)[1]}"


if __name__ == "__main__":
    run_tool(main)
