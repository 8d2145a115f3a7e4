"""Write the tables of docs/quality.md out of what `compare` and `compare_ablations` left. Not a DVC stage: `make quality`."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline import artifacts
from pipeline.config import look_up, read_yaml
from pipeline.errors import InputError
from pipeline.evaluation.markdown import cold_table, differences_table, seeds_table, slices_table, systems_table
from pipeline.evaluation.paired import against_best
from pipeline.evaluation.suite import marks_of
from stages.stage import PARAMS, run_tool

DOCUMENT = Path("docs/quality.md")
SEED = re.compile(r"^(?P<name>\w+)-seed-\d+$")


def main() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    values = read_yaml(PARAMS)
    for dataset in look_up(values, ("datasets",), str(PARAMS)):
        text = replaced(text, f"{dataset} systems", systems(dataset, look_up(values, ("run_variants",), str(PARAMS))))
        if artifacts.ABLATION_METRICS.at(dataset).is_file():
            against = str(look_up(values, ("ablations", "against"), str(PARAMS)))
            text = replaced(text, f"{dataset} ablations", ablations(dataset, against))
    DOCUMENT.write_text(text, encoding="utf-8")


def systems(dataset: str, variants: list[str]) -> str:
    metrics, differences = artifacts.METRICS.read(dataset), artifacts.DIFFERENCES.read(dataset)
    order = list(dict.fromkeys([*variants, *metrics]))
    slices = artifacts.SLICES.read(dataset)
    best = [name for name in ("als", "ease", "biased-mf", "popularity") if name in metrics]
    warnings = "\n".join(f"- {line}" for line in artifacts.WARNINGS.read(dataset)) or "- none"
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


def ablations(dataset: str, against: str) -> str:
    metrics, differences = artifacts.ABLATION_METRICS.read(dataset), artifacts.ABLATION_DIFFERENCES.read(dataset)
    runs = {against: [metrics[against]]}
    whole = artifacts.METRICS.read(dataset)
    for name in metrics:
        if found := SEED.match(name):
            of = f"crmman-{found['name']}"
            runs.setdefault(of, [whole[of]] if of in whole else []).append(metrics[name])
    parts = [name for name in metrics if not SEED.match(name) and name != against]
    slices = artifacts.ABLATION_SLICES.read(dataset).filter(slice="cold")
    return "\n\n".join(
        [
            systems_table({name: metrics[name] for name in (against, *parts)}, {}),
            f"Difference to {against} (95% interval, paired over users; bold: excludes zero):",
            differences_table(differences.filter(differences["system"].is_in(parts)), against),
            "Cold items (at most 5 training likes):",
            cold_table(slices, [against, *parts]),
            "Training runs that differ in nothing but the seed, mean and standard deviation:",
            seeds_table({name: figures for name, figures in runs.items() if len(figures) > 1}),
        ]
    )


def replaced(text: str, name: str, content: str) -> str:
    """The text with what stands between a pair of markers replaced.

    Raises:
        InputError: the document has no such markers.
    """
    start, end = f"<!-- {name}: written by stages.quality -->", f"<!-- end of {name} -->"
    if start not in text or end not in text:
        raise InputError(f"{DOCUMENT}: markers of '{name}' not found; expected the lines {start} and {end}")
    head, rest = text.split(start, 1)
    return f"{head}{start}\n\n{content}\n\n{end}{rest.split(end, 1)[1]}"


if __name__ == "__main__":
    run_tool(main)
