"""The results as Markdown tables beside our own systems: all figures in this folder's README, those of the tables there in docs/quality.md.

`python -m benchmarks.peers.table` renders it again from the JSON files, without training anything.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from benchmarks.peers import results
from benchmarks.peers.settings import FIGURES, FOLDER
from pipeline.artifacts.evaluation import METRICS
from pipeline.artifacts.kinds import HERE
from pipeline.evaluation.comparison.markdown import SHOWN_OF_PUBLISHED, systems_table

Figures = dict[str, dict[str, float]]

README = FOLDER / "README.md"
QUALITY = HERE / "docs" / "quality.md"
BEGIN, END = "<!-- tables: written by benchmarks.peers.table -->", "<!-- end of tables -->"
# Of ours in the short table; the page has the baselines in tables of their own.
BESIDE = ("recommended", "crmman")
COLUMNS = [(protocol, metric) for protocol, names in FIGURES.items() for metric in names]


def table(peers: dict[str, dict[str, Any]], ours: dict[str, Figures]) -> str:
    """A Markdown table: our systems, then the peers, the best of each column in bold.

    Args:
        peers: model to its result, as in the JSON files; one that failed has an `error`.
        ours: system to its figures, as in `metrics/<data set>.json`.
    """
    measured = {name: result for name, result in peers.items() if "error" not in result}
    systems: dict[str, Figures] = {**ours, **measured}
    best = {
        (protocol, metric): max(
            (
                round(figures[protocol][metric], 4)
                for figures in systems.values()
                if metric in figures.get(protocol, {})
            ),
            default=None,
        )
        for protocol, metric in COLUMNS
    }
    heads = ["system", *(f"{protocol} {metric}" for protocol, metric in COLUMNS), "epochs", "CPU s", "MiB"]
    lines = [_row(heads), _row(["---", *["--:"] * (len(heads) - 1)])]
    for name, figures in systems.items():
        cells = [_figure(figures.get(protocol, {}).get(metric), best[protocol, metric]) for protocol, metric in COLUMNS]
        lines.append(_row([name, *cells, *_cost(measured.get(name))]))
    failed = [f"- {name} did not run: `{result['error']}`" for name, result in peers.items() if "error" in result]
    return "\n".join([*lines, *(["", *failed] if failed else [])])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _figure(value: float | None, best: float | None) -> str:
    if value is None:
        return ""
    text = f"{value:.4f}".removeprefix("0")
    return f"**{text}**" if round(value, 4) == best else text


def _cost(result: dict[str, Any] | None) -> list[str]:
    if result is None:
        return ["", "", ""]
    stopped = "+" if result["stopped_early"] else ""
    return [
        f"{result['best_epoch']}/{result['epochs']}{stopped}",
        f"{result['cpu_seconds']:.0f}",
        f"{result['peak_memory_mib']:.0f}",
    ]


def of_dataset(dataset: str, folder: Path = FOLDER, root: Path = HERE) -> str:
    """The table of one data set; our systems are left out, and that is said, where they have not been evaluated."""
    found = table(results.read(dataset, folder), ours := ours_of(dataset, root))
    if ours:
        return found
    path = METRICS.at(dataset).as_posix()
    return f"{found}\n\nWithout our systems: `{path}` is not there; `dvc repro evaluate@{dataset}` makes it."


def all_tables(folder: Path = FOLDER, root: Path = HERE) -> str:
    names = sorted(path.stem for path in folder.glob("*.json"))
    return "\n\n".join(f"### {name}\n\n{of_dataset(name, folder, root)}" for name in names)


def short_table(peers: dict[str, dict[str, Any]], ours: dict[str, Figures]) -> str:
    """The figures of the quality page's tables; ` +` stands after the name of a model whose training the budget ended."""
    measured = {
        f"{name} +" if result["stopped_early"] else name: result
        for name, result in peers.items()
        if "error" not in result
    }
    return systems_table({name: ours[name] for name in BESIDE if name in ours} | measured, {}, SHOWN_OF_PUBLISHED)


def short_tables(folder: Path = FOLDER, root: Path = HERE) -> str:
    names = sorted(path.stem for path in folder.glob("*.json"))
    tables = {name: short_table(results.read(name, folder), ours_of(name, root)) for name in names}
    return "\n\n".join(f"### {name}\n\n{content}" for name, content in tables.items())


def ours_of(dataset: str, root: Path) -> dict[str, Figures]:
    """None where they have not been evaluated."""
    return METRICS.read(dataset, root) if METRICS.at(dataset, root).is_file() else {}


def between_markers(page: str, content: str) -> str:
    """The page with what stands between the markers replaced."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    assert pattern.search(page), f"the page has no {BEGIN}"
    return pattern.sub(lambda _: f"{BEGIN}\n\n{content}\n\n{END}", page)


def update() -> None:
    for page, content in ((README, all_tables()), (QUALITY, short_tables())):
        page.write_text(between_markers(page.read_text(encoding="utf-8"), content), encoding="utf-8")


if __name__ == "__main__":
    update()
    print(all_tables())
