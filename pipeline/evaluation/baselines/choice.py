"""The settings of a baseline are chosen on validation."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isnan

from pipeline.common.cores import cores_here
from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines.grid import Fit, Grid
from pipeline.evaluation.metrics.evaluated import Evaluated, evaluate_split
from pipeline.evaluation.protocols.scores import Scorer

# By what the systems that learn from dislikes are chosen.
OF_DISLIKES = "impression.ndcg@10"
# Cells of items x items matrices that settings which are tried at once may have between them; EASE needs a few for each.
MOST_CELLS = 100_000_000


@dataclass(frozen=True)
class Tried:
    """A setting of a baseline and its validation figure."""

    system: str
    setting: str
    chosen_by: str
    validation: float
    chosen: bool


@dataclass(frozen=True)
class Chosen:
    """The chosen setting of a baseline, fitted, with what it did on validation."""

    system: str
    scorer: Scorer
    on_validation: Evaluated


def choose(data: Dataset, system: str, grid: Grid, chosen_by: str, seed: int) -> tuple[Chosen, Sequence[Tried]]:
    """Fit a baseline with each setting, and keep the best on validation, the first of equals.

    Settings are tried side by side, on one thread each, where several of them fit into memory.

    Args:
        system: its name.
        chosen_by: the figure of a baseline that does not learn from dislikes, or whose own no user has the candidates for.

    Raises:
        InputError: the data have no user that `chosen_by` could be computed for.
    """
    from threadpoolctl import threadpool_limits

    at_once = min(cores_here(), max(MOST_CELLS // data.items**2, 1))
    threads = 1 if at_once > 1 else 0
    best: Chosen | None = None
    best_setting, figure, tried = "", "", {}

    def evaluated(fit: Fit) -> Chosen:
        scorer = fit(data)
        return Chosen(system, scorer, evaluate_split(scorer, data, "valid"))

    with threadpool_limits(1 if at_once > 1 else None), ThreadPoolExecutor(at_once) as pool:
        settings = grid.settings(seed, threads)
        while settings:
            for setting, chosen in zip(settings, pool.map(evaluated, settings.values()), strict=True):
                figure = _figure(
                    chosen.on_validation, OF_DISLIKES if grid.learns_from_dislikes else chosen_by, chosen_by
                )
                tried[setting] = chosen.on_validation.value(figure)
                if best is None or tried[setting] > tried[best_setting]:
                    best, best_setting = chosen, setting
            after = grid.settings_after(best_setting, data, seed, threads)
            settings = {setting: fit for setting, fit in after.items() if setting not in tried}
    assert best is not None
    return best, [Tried(system, setting, figure, value, setting == best_setting) for setting, value in tried.items()]


def _figure(evaluated: Evaluated, own: str, chosen_by: str) -> str:
    """The baseline's own figure, or that of the settings where no user has the candidates for it."""
    for name in (own, chosen_by):
        if not isnan(evaluated.value(name)):
            return name
    raise InputError(
        f"baselines.chosen_by: found {chosen_by}, which no user of the validation split has "
        "the candidates for; expected a figure of ranking"
    )
