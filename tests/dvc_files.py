"""dvc.yaml and ablations/dvc.yaml as tests read them, and how these files write what the stages' modules declare."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.artifacts.evaluation import CAUTIONS
from pipeline.artifacts.graph import EDGES
from pipeline.artifacts.kinds import Artifact
from pipeline.artifacts.structure import DERIVED_EDGES
from pipeline.common.ablation import FILE, SECTIONS, read_all
from pipeline.common.config import read_yaml
from stages.shared.stage import Stage
from tests.artifacts.every import EVERY
from tests.repository import ROOT

MAIN, ABLATIONS = "dvc.yaml", "ablations/dvc.yaml"
DATASETS, STRUCTURES = {"dataset": "${datasets}"}, {"dataset": "${datasets}", "structure": "${structures}"}
BASELINES = {"dataset": "${datasets}", "baseline": "${run_baselines}"}
# A mapping of data sets to variants.
REFITS = {"dataset": "${refit}", "variant": ""}
VARIANTS = {
    MAIN: {"dataset": "${datasets}", "variant": "${run_variants}"},
    ABLATIONS: {"dataset": "${datasets}", "variant": "${ablations}"},
}


PACKAGES = ("pipeline", "stages")


@dataclass(frozen=True)
class Entry:
    """One stage of one of the files; ``module`` is that of stages/ which it runs."""

    file: str
    name: str
    module: str
    over: dict[str, str]

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"

    @property
    def definition(self) -> dict[str, Any]:
        entry: dict[str, Any] = FILES[self.file]["stages"][self.name]
        return dict(entry["do"]) if "foreach" in entry else entry

    @property
    def deps(self) -> list[str]:
        return names(self.definition["deps"])

    @property
    def params(self) -> list[str]:
        """Keys that it lists, those of the ablations' own file included."""
        listed: list[str] = []
        for entry in self.definition.get("params", []):
            if isinstance(entry, dict):
                assert list(entry) == [str(FILE)]
                own = list(entry[str(FILE)])
                assert all(key.split(".")[0] in SECTIONS for key in own)
                listed += own
            else:
                assert entry.split(".")[0] not in SECTIONS
                listed.append(entry)
        return listed

    @property
    def code(self) -> list[str]:
        """Modules and folders of modules that it lists."""
        return [path for path in self.deps if path.split("/")[0] in PACKAGES]

    @property
    def outs(self) -> list[str]:
        """Metrics and plots included."""
        return [path for kind in ("outs", "metrics", "plots") for path in names(self.definition.get(kind))]

    @property
    def dataset(self) -> str:
        """How the file writes the data set's name."""
        return "${key}" if self.over in (DATASETS, REFITS) else "${item.dataset}"

    def item(self, kind: str) -> str:
        """How it writes the name of a variant, a baseline or a structure."""
        return "${item}" if self.over == REFITS else f"${{item.{kind}}}"

    @property
    def structures(self) -> list[str]:
        """Folders of the structural vectors that the stage works with."""
        if self.over == STRUCTURES:
            return ["structures/${item.structure}"]
        return ["structure", "structures/*"] if self.file == ABLATIONS else ["structure"]

    @property
    def group(self) -> str:
        if self.over == BASELINES:
            return "baselines"
        return "ablations" if self.file == ABLATIONS else "variants"


PARAMETERS = read_all(ROOT / "params.yaml")
FILES = {file: read_yaml(ROOT / file) for file in (MAIN, ABLATIONS)}
VALIDATE = Entry(MAIN, "validate", "validate", {})
STAGES = [
    *(
        Entry(MAIN, name, name, DATASETS)
        for name in (
            "check_tables",
            "fetch",
            "prepare",
            "embed_text",
            "embed_image",
            "build_graph",
            "init_sdne",
            "train_gat",
        )
    ),
    Entry(MAIN, "add_items", "add_items", DATASETS),
    *(Entry(MAIN, name, name, VARIANTS[MAIN]) for name in ("train_users", "evaluate")),
    Entry(MAIN, "evaluate_baselines", "evaluate_baselines", BASELINES),
    Entry(MAIN, "compare", "compare", DATASETS),
    Entry(MAIN, "refit", "refit", REFITS),
    Entry(MAIN, "recommend", "recommend", VARIANTS[MAIN]),
    Entry(MAIN, "report", "report", DATASETS),
    *(Entry(ABLATIONS, name, name, STRUCTURES) for name in ("derive_graph", "init_sdne", "train_gat")),
    *(Entry(ABLATIONS, name, name, VARIANTS[ABLATIONS]) for name in ("train_users", "evaluate")),
    Entry(ABLATIONS, "compare", "compare_ablations", DATASETS),
]


def names(entries: list[Any] | None) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries or []]


def plainly(path: str) -> str:
    """The same path for all stages, however each writes the names of a data set and a variant."""
    return path.replace("${item.dataset}", "${key}").replace("${item.variant}", "${item}")


def declared(entry: Entry) -> Stage:
    """What the stage's module says that it touches."""
    stage: Stage = importlib.import_module(f"stages.{entry.module}").STAGE
    return stage


def paths(entry: Entry, artifacts: Iterable[Artifact]) -> set[str]:
    """Artifacts as the stage's file writes their paths; of what is read for many variants or structures the folder."""
    return {written for artifact in artifacts for written in as_written(entry, artifact.path)}


def as_written(entry: Entry, path: str) -> set[str]:
    found = set()
    for structure in entry.structures:
        at = EDGES.path if (path, structure) == (DERIVED_EDGES.path, "structure") else path
        at = at.replace("{structure}", structure).replace("{group}", entry.group).replace("{dataset}", entry.dataset)
        for kind in ("variant", "baseline"):
            if kind in entry.over:
                at = at.replace("{variant}", entry.item(kind))
        found.add(re.split(r"/\{variant\}|/\*", at)[0])
    return found


def inside(entry: Entry, path: str) -> set[str]:
    """What a path of the file stands for: a folder for every artifact that can be in it, so that none is there for nothing."""
    # A baseline has no cautions.
    every = [artifact.path for artifact in EVERY.values() if (entry.over, artifact) != (BASELINES, CAUTIONS)]
    written = {written for at in every for written in as_written(entry, at)}
    return {at for at in written if at.startswith(f"{path}/")} or {path}
