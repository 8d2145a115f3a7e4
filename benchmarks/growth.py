"""How each stage grows with the catalogue: `make growth`, or `python -m benchmarks.growth [--items N ...] [--stage NAME ...]`.

For each size a synthetic data set (`benchmarks.synthetic`, seed 0) goes through the pipeline's stages, each a process of its own, whose
CPU seconds, wall seconds and peak memory the system tells when it ends. What they make is kept in a folder of the size's own under
`--folder`; what was measured there is not measured again (`--again` does so), so that a stopped call goes on where it was. Code
that has changed since is not noticed.

The settings are those of `params.yaml` with the profile `large`, so that a stage does the same at every size, with these changes: as
many epochs as show the cost of one (`EPOCHS`), one setting of each baseline, one variant (`VARIANT`). `S_m` rises with the size:
facts have the same share of the items at any size, so that at one S_m the edges would grow with the square of the items.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.data import VECTORS_ALONE, settings_of
from benchmarks.machine import description
from benchmarks.measure import environment, resident_mebibytes
from pipeline.common.config import changed, read_yaml
from pipeline.common.cores import cores_here
from pipeline.common.errors import InputError
from stages.guard import guarded

ROOT = Path(__file__).parent.parent
DATASET, VARIANT = "growth", "growth"
POLL_SECONDS = 0.05
USERS_PER_ITEM, INTERACTIONS_PER_ITEM, MOST_INTERACTIONS = 0.6, 100, 20_000_000
# What a machine has time for: of more items so many have a title, of which texts are made, so many users are evaluated, and so many
# have lists.
TITLED, EVALUATED_USERS, LISTED_USERS = 100_000, 1_000, 1_000
EPOCHS = {"init_sdne": 2, "train_gat": 1, "train_users": 1}


@dataclass(frozen=True)
class Stage:
    """
    Attributes:
        needs: stages whose outputs it reads; it is left out where one of them did not come to its end.
        largest: items beyond which it is not run unless it is asked for by name.
        interactions: whether it reads them; texts likewise.
        variant: whether it is one of a variant.
        module: what is run, if not that of `stages` which has its name.
    """

    needs: tuple[str, ...] = ()
    largest: int = 100_000
    interactions: bool = True
    texts: bool = False
    variant: bool = False
    module: str = ""


STAGES = {
    "check_tables": Stage(largest=1_000_000),
    "fetch": Stage(largest=1_000_000),
    "prepare": Stage(("fetch",), largest=1_000_000),
    "build_graph": Stage(("prepare",), largest=1_000_000, interactions=False),
    "embed_text": Stage(("prepare",), interactions=False, texts=True),
    "embed_image": Stage(("prepare",), interactions=False),
    "init_sdne": Stage(("build_graph",), interactions=False),
    "train_gat": Stage(("init_sdne",), interactions=False),
    "train_users": Stage(("embed_text", "embed_image", "train_gat"), variant=True),
    "evaluate": Stage(("train_users",), variant=True),
    "evaluate_baselines": Stage(("prepare",), module="benchmarks.all_baselines"),
    "compare": Stage(("evaluate", "evaluate_baselines")),
    "recommend": Stage(("train_users",), variant=True),
    "report": Stage(("compare", "recommend")),
}


@dataclass(frozen=True)
class Taken:
    """What a stage took, or what it was ended at.

    Attributes:
        cpu_seconds: of all threads; the start of the interpreter and the libraries is in it, as it is in the others.
        mebibytes: the most that the process held.
        load: programs that waited for a core, or had one, over the minute before it began; None where it was not asked for.
        ended: `time` or `memory` if it went over that limit: the figures are then what it had taken until then.
        failed: the last line of what it said, if it broke.
    """

    stage: str
    items: int
    interactions: int
    s_m: int
    cpu_seconds: float
    seconds: float
    mebibytes: float
    machine: str
    load: float | None = None
    ended: str | None = None
    failed: str | None = None

    @property
    def whole(self) -> bool:
        return not (self.ended or self.failed)


@dataclass(frozen=True)
class Limits:
    """Of one stage: wall seconds, and what its process may hold."""

    seconds: float
    mebibytes: int


def s_m_for(items: int) -> int:
    """Such that the synthetic graph has some 3 to 6 edges to an item at 1,000, 10,000, 100,000 and 1,000,000 items."""
    return max(2 + len(str(items - 1)), 2)


def interactions_for(items: int) -> int:
    """In proportion to the items, up to what 24 GB hold."""
    return min(INTERACTIONS_PER_ITEM * items, MOST_INTERACTIONS)


def texts_for(items: int) -> int:
    """Likewise, up to what there is time for."""
    return min(items, TITLED)


def params(items: int) -> dict[str, Any]:
    """`params.yaml` for one size."""
    values = read_yaml(ROOT / "params.yaml")
    baselines = {
        name: {key: [found[len(found) // 2]] for key, found in grid.items() if isinstance(found, list)}
        for name, grid in values["baselines"].items()
        if isinstance(grid, dict)
    }
    changes = {
        "init_sdne": {"epochs": EPOCHS["init_sdne"]},
        "train_gat": {"epochs": EPOCHS["train_gat"]},
        "baselines": baselines,
        "recommend": {"users": LISTED_USERS if items > TITLED else 0},
    }
    # A model of vectors alone at every size, however few ratings a user has.
    variant = settings_of(VECTORS_ALONE, ROOT / "params.yaml") | {
        "sparse_up_to": 0.0,
        "catalogue_sample": 2000,
        "epochs": EPOCHS["train_users"],
        "validate_every": EPOCHS["train_users"],
    }
    dataset = values["dataset_defaults"] | {
        "source": {"type": "tables", "path": "tables"},
        "s_m": s_m_for(items),
        "evaluated_users": EVALUATED_USERS if items > TITLED else 0,
        **changed(values["profiles"]["large"], changes),
    }
    return values | {
        "datasets": {DATASET: dataset},
        "variants": {VARIANT: variant},
        "run_variants": [VARIANT],
    }


def command(
    items: Annotated[
        list[int] | None, typer.Option(help="Numbers of items; 1,000 to 1,000,000 if not given. Can be repeated.")
    ] = None,
    stage: Annotated[
        list[str] | None, typer.Option(help="Stages, in pipeline order; all if not given. Can be repeated.")
    ] = None,
    folder: Annotated[
        Path, typer.Option(help="Folder for data sets and artifacts; some 5 GB at 100,000 items.")
    ] = Path(".growth"),
    seconds: Annotated[float, typer.Option(help="Stop a stage that takes longer.")] = 3600,
    mebibytes: Annotated[int, typer.Option(help="Stop a stage that uses more memory.")] = 24 * 1024,
    again: Annotated[bool, typer.Option(help="Also measure again what was measured before.")] = False,
    write: Annotated[bool, typer.Option(help="Write the figures into growth.json and the docs page.")] = True,
) -> None:
    guarded(
        lambda: grow(
            items or [1_000, 10_000, 100_000, 1_000_000], stage, folder, Limits(seconds, mebibytes), again, write
        )
    )


def grow(sizes: list[int], names: list[str] | None, folder: Path, limits: Limits, again: bool, write: bool) -> None:
    """Run the stages at each size, print how each grows, and write it down.

    Raises:
        InputError: an unknown stage, or a size below one item.
    """
    for name in names or ():
        if name not in STAGES:
            raise InputError(f"stage: found {name}, expected some of: {', '.join(STAGES)}")
    for items in sizes:
        if items < 1:
            raise InputError(f"items: found {items}, expected at least 1")
    found = [taken for items in sorted(sizes) for taken in measured(items, names, folder / str(items), limits, again)]
    # The tables need libraries that would count as memory of the stages if they were here before.
    from benchmarks import growth_table

    if write:
        found = growth_table.merged(growth_table.read(), found)
        growth_table.write(found)
        found = growth_table.read()
        growth_table.render(found)
    print(growth_table.table(found))


def measured(items: int, names: list[str] | None, folder: Path, limits: Limits, again: bool) -> list[Taken]:
    """What the stages took at one size, in their order: those asked for, and those that were measured in this folder before."""
    make_tables(items, folder)
    (folder / "params.yaml").write_text(json.dumps(params(items), indent=1))
    for name, stage in STAGES.items():
        wanted = name in names if names else items <= stage.largest
        known = _known(name, folder)
        if not wanted or (known and not known.failed and not again):
            continue
        if not all((needed := _known(need, folder)) and needed.whole for need in stage.needs):
            _say(items, name, f"left out: it needs {', '.join(stage.needs)}")
            continue
        taken = run(name, items, folder, limits)
        _say(items, name, _in_words(taken))
        _measured(name, folder).write_text(json.dumps(asdict(taken), indent=1))
    return [known for name in STAGES if (known := _known(name, folder))]


def _known(stage: str, folder: Path) -> Taken | None:
    path = _measured(stage, folder)
    try:
        return Taken(**json.loads(path.read_text())) if path.is_file() else None
    except (TypeError, ValueError):
        raise InputError(f"{path}: not what this version of growth.py writes; remove it to measure again") from None


def _measured(stage: str, folder: Path) -> Path:
    return folder / f"{stage}.json"


def make_tables(items: int, folder: Path) -> None:
    """The data set of a size, once.

    Raises:
        InputError: it could not be made.
    """
    if (folder / "tables").is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [
        f"--users={max(int(USERS_PER_ITEM * items), 1)}",
        f"--items={items}",
        f"--interactions={interactions_for(items)}",
        f"--titled={texts_for(items) / items}",
    ]
    made = folder / "tables.part"
    shutil.rmtree(made, ignore_errors=True)
    code = subprocess.run(
        [sys.executable, "-m", "benchmarks.synthetic", f"--folder={made.absolute()}", *sizes], cwd=ROOT
    ).returncode
    if code:
        raise InputError(f"benchmarks.synthetic: found exit code {code}, expected tables of {items} items")
    made.rename(folder / "tables")


def run(name: str, items: int, folder: Path, limits: Limits, more: Sequence[str] = ()) -> Taken:
    """One stage in a process of its own, ended where it goes over a limit.

    Args:
        more: arguments of it.
    """
    arguments = ["--dataset", DATASET, *(["--variant", VARIANT] if STAGES[name].variant else []), *more]
    load = os.getloadavg()[0]
    with tempfile.TemporaryFile("w+") as said:
        start = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", STAGES[name].module or f"stages.{name}", *arguments],
            cwd=folder,
            env=environment() | {"PYTHONPATH": str(ROOT)},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        ended = None
        while True:
            # Not Popen's own waiting: only this one tells what the process used.
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if ended is None and time.monotonic() - start > limits.seconds:
                ended = "time"
            elif ended is None and resident_mebibytes(process.pid) > limits.mebibytes:
                ended = "memory"
            if ended:
                process.kill()
            time.sleep(POLL_SECONDS)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        lines = said.read().splitlines()
    (folder / f"{name}.log").write_text("\n".join([*lines, ""]))
    failed = None
    if process.returncode and not ended:
        failed = lines[-1] if lines and process.returncode > 0 else f"exit code {process.returncode}"
    return Taken(
        name,
        items,
        interactions_for(items),
        s_m_for(items),
        usage.ru_utime + usage.ru_stime,
        wall,
        usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
        description(cores_here()),
        load,
        ended,
        failed,
    )


def _in_words(taken: Taken) -> str:
    figures = f"{taken.cpu_seconds:.3g} CPU s, {taken.seconds:.3g} s, {taken.mebibytes:,.0f} MiB"
    if taken.failed:
        return f"failed: {taken.failed}"
    return f"ended, over its limit of {taken.ended}: {figures}" if taken.ended else figures


def _say(items: int, stage: str, text: str) -> None:
    print(f"{items:,} items, {stage}: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    typer.run(command)
