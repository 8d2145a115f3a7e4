"""Write the tables of docs/quality.md and of the README from what the comparisons left. Not a DVC stage: `make quality`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
from pipeline.common.config import look_up, read_yaml
from pipeline.common.errors import InputError
from pipeline.evaluation.markdown import (
    Metrics,
    cold_table,
    differences_table,
    markdown,
    number,
    seeds_table,
    slices_table,
    systems_table,
)
from pipeline.evaluation.paired import against_best
from pipeline.evaluation.suite import marks_of
from stages.stage import PARAMS, run_tool

DOCUMENT = Path("docs/quality.md")
README = Path("README.md")
# The README's table: the models, and the baselines that are the best of some protocol, or the simplest.
STRONGEST = ("als", "ease", "biased-mf", "popularity")
# A figure of each protocol, and how far down the right items are looked for.
SHORT = (("ctr", "user_auc"), ("impression", "ndcg@5"), ("ranking", "ndcg@10"), ("ranking", "recall@20"))


def main() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    values = read_yaml(PARAMS)
    for dataset in look_up(values, ("datasets",), str(PARAMS)):
        text = replaced(text, f"{dataset} systems", systems(dataset, look_up(values, ("run_variants",), str(PARAMS))))
        if ABLATION_METRICS.at(dataset).is_file():
            text = replaced(text, f"{dataset} ablations", ablations(dataset, values))
            text = replaced(text, f"{dataset} parts", parts(ABLATION_METRICS.read(dataset), values))
    DOCUMENT.write_text(text, encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    for dataset in values["datasets"]:
        name = f"{dataset} headline"
        if marker(name) in readme:
            readme = replaced(readme, name, headline(METRICS.read(dataset), values["run_variants"]), README)
    README.write_text(readme, encoding="utf-8")


def headline(metrics: Metrics, variants: Sequence[str]) -> str:
    """The README's table: the models and the strongest baselines by a figure or two of each protocol, the best of a column bold."""
    best = {(protocol, metric): max(metrics[name][protocol][metric] for name in metrics) for protocol, metric in SHORT}
    rows = []
    for name in (*variants, *(name for name in STRONGEST if name in metrics)):
        values = {figure: metrics[name][figure[0]][figure[1]] for figure in SHORT}
        rows.append([f"`{name}`", *(f"**{number(v)}**" if v == best[f] else number(v) for f, v in values.items())])
    return markdown(["", *(" ".join(figure) for figure in SHORT)], rows)


def systems(dataset: str, variants: list[str]) -> str:
    metrics, differences = METRICS.read(dataset), DIFFERENCES.read(dataset)
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


def ablations(dataset: str, values: dict[str, Any]) -> str:
    metrics, differences = ABLATION_METRICS.read(dataset), ABLATION_DIFFERENCES.read(dataset)
    cold = ABLATION_SLICES.read(dataset).filter(slice="cold")
    against = values["run_variants"]
    parts = []
    for base in against:
        own, _ = ablations_of(base, metrics, values)
        if own:
            mine = differences.filter(differences["system"].is_in(own) & (differences["against"] == base))
            parts += [
                f"#### One part of {base} changed",
                systems_table({name: metrics[name] for name in (base, *own)}, {}),
                f"Difference to {base} (95% interval, paired over users; bold: excludes zero):",
                differences_table(mine, base),
                "Cold items (at most 5 training likes), ranked among themselves and found in the whole catalogue:",
                cold_table(cold, [base, *own]),
            ]
    runs = {base: [metrics[name] for name in (base, *ablations_of(base, metrics, values)[1])] for base in against}
    parts += [
        "#### Seeds",
        "Training runs that differ in nothing but the seed, mean and standard deviation:",
        seeds_table({name: figures for name, figures in runs.items() if len(figures) > 1}),
    ]
    return "\n\n".join(parts)


def parts(metrics: dict[str, Any], values: dict[str, Any]) -> str:
    """Every ablation in one short table: its figures, and by how much they differ from those of the model it changes."""
    header = ["variant", "of", *(" ".join(figure) for figure in SHORT)]
    lines = ["| " + " | ".join(header) + " |", "| --- | --- |" + " --: |" * len(SHORT)]
    for base in values["run_variants"]:
        own, _ = ablations_of(base, metrics, values)
        for name in [base, *own] if own else []:
            cells = [name, "" if name == base else base]
            for protocol, metric in SHORT:
                value, whole = metrics[name][protocol][metric], metrics[base][protocol][metric]
                shown = f"{value:.4f}".removeprefix("0")
                cells.append(shown if name == base else f"{shown} ({value - whole:+.4f})".replace("0.", "."))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ablations_of(base: str, metrics: Collection[str], values: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Those of a variant that have been evaluated: such as change a part of it, and such as change the seed alone."""
    own = {name: entry for name, entry in values["ablations"].items() if entry["of"] == base and name in metrics}
    seeds = [name for name, entry in own.items() if entry.keys() == {"of", "training_seed"}]
    return [name for name in own if name not in seeds], seeds


def marker(name: str) -> str:
    return f"<!-- {name}: written by stages.quality -->"


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
