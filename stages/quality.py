"""Write the tables of docs/quality.md out of what `compare` and `compare_ablations` left. Not a DVC stage: `make quality`."""

from __future__ import annotations

from collections.abc import Collection
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
from pipeline.evaluation.markdown import cold_table, differences_table, seeds_table, slices_table, systems_table
from pipeline.evaluation.paired import against_best
from pipeline.evaluation.suite import marks_of
from stages.stage import PARAMS, run_tool

DOCUMENT = Path("docs/quality.md")
README = Path("README.md")
# A figure of each protocol, and how far down the right items are looked for.
SHORT = (("ctr", "user_auc"), ("impression", "ndcg@5"), ("ranking", "ndcg@10"), ("ranking", "recall@20"))


def main() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    values = read_yaml(PARAMS)
    for dataset in look_up(values, ("datasets",), str(PARAMS)):
        text = replaced(text, f"{dataset} systems", systems(dataset, look_up(values, ("run_variants",), str(PARAMS))))
        if ABLATION_METRICS.at(dataset).is_file():
            text = replaced(text, f"{dataset} ablations", ablations(dataset, values))
    DOCUMENT.write_text(text, encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    for dataset in values["datasets"]:
        name = f"{dataset} parts"
        if marker(name) in readme and ABLATION_METRICS.at(dataset).is_file():
            readme = replaced(readme, name, parts(ABLATION_METRICS.read(dataset), values))
    README.write_text(readme, encoding="utf-8")


def systems(dataset: str, variants: list[str]) -> str:
    metrics, differences = METRICS.read(dataset), DIFFERENCES.read(dataset)
    order = list(dict.fromkeys([*variants, *metrics]))
    slices = SLICES.read(dataset)
    best = [name for name in ("als", "ease", "biased-mf", "popularity") if name in metrics]
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


def replaced(text: str, name: str, content: str) -> str:
    """The text with what stands between a pair of markers replaced.

    Raises:
        InputError: the document has no such markers.
    """
    start, end = marker(name), f"<!-- end of {name} -->"
    if start not in text or end not in text:
        raise InputError(f"{DOCUMENT}: markers of '{name}' not found; expected the lines {start} and {end}")
    head, rest = text.split(start, 1)
    return f"{head}{start}\n\n{content}\n\n{end}{rest.split(end, 1)[1]}"


if __name__ == "__main__":
    run_tool(main)
