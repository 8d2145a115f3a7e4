"""What trials are made in: a workspace where every stage has run, in copies that are mended after each trial."""

from __future__ import annotations

import fnmatch
import importlib
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.artifacts.kinds import Artifact, Vectors
from pipeline.common.files import TEMPORARY
from tests.faults.outcome import expect, no_traceback_kept
from tests.in_process import Result, run_module
from tests.stages.workspace import ALL_RUNS, KEY, Workspace, command_of, make_workspace

NAME = re.compile(r"\\\{(\w+)\\\}")
# What a name in a path may be. Of structures few: other folders have files called as those of a structure.
ANY = r"[\w/-]+"
NAMED = {"structure": r"structure|graph|structures/[\w-]+"}


@dataclass
class World:
    """
    Attributes:
        finished: a workspace where every stage has run.
        files: what they wrote, with digests.
        scratch: a folder for copies and whatever else trials need.
        closing: what is to be closed at the end.
    """

    finished: Workspace
    files: dict[str, str]
    scratch: Path
    closing: ExitStack = field(default_factory=ExitStack)
    _sandboxes: dict[str, Sandbox] = field(default_factory=dict)
    _made: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path) -> World:
        (folder / "finished").mkdir()
        workspace = make_workspace(folder / "finished")
        for name in ("validate", *ALL_RUNS):
            result = workspace.run(name)
            assert result.code == 0, result.err
        return cls(workspace, workspace.files(), folder)

    def once(self, make: Callable[[World], Any]) -> Any:
        """What a function makes of this world, made once."""
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]

    def sandbox(self, name: str) -> Sandbox:
        """The copy of an area."""
        if name not in self._sandboxes:
            copy = self.finished.copy(self.scratch / f"of {name}")
            self._sandboxes[name] = Sandbox(self, copy, self.scratch / f"temporary of {name}")
        return self._sandboxes[name]


@dataclass
class Sandbox:
    """A copy of the finished workspace that a trial may damage."""

    world: World
    workspace: Workspace
    temporary: Path

    @property
    def root(self) -> Path:
        return self.workspace.root

    @contextmanager
    def trial(self) -> Iterator[Path]:
        """All is as in the finished workspace again afterwards; what belongs to no stage must not be left before that."""
        try:
            with no_traceback_kept(self.temporary):
                yield self.root
        finally:
            self.mend()

    def run(self, name: str) -> Result:
        return self.workspace.run(name)

    def crmman(self, *arguments: str) -> Result:
        return run_module("stages.cli", *arguments, folder=self.root)

    def expect_files(self, files: dict[str, str]) -> None:
        """All that stages wrote is there, whole, and nothing else."""
        found = self.workspace.files()
        wrong = sorted(name for name in files if found.get(name, files[name]) != files[name])
        expect(not wrong, f"other bytes: {wrong}")
        expect(not files.keys() - found.keys(), f"missing: {sorted(files.keys() - found.keys())}")
        expect(not found.keys() - files.keys(), f"left over: {sorted(found.keys() - files.keys())}")

    def expect_whole_or_missing(self, missing: set[str]) -> None:
        """What a writer that was killed leaves: files as they were or are to be, those of its own perhaps missing, and temporary ones."""
        found, files = self.workspace.files(), self.world.files
        wrong = sorted(name for name in files if found.get(name, files[name]) != files[name])
        expect(not wrong, f"half-written: {wrong}")
        gone = files.keys() - found.keys() - missing
        expect(not gone, f"gone: {sorted(gone)}")
        more = [name for name in found.keys() - files.keys() if not name.startswith(".checkpoints/")]
        more = [name for name in more if not any(fnmatch.fnmatch(part, TEMPORARY) for part in Path(name).parts)]
        expect(not more, f"left over without the pattern of temporary files: {sorted(more)}")

    def mend(self) -> None:
        source, files = self.world.finished.root, self.world.files
        found = self.workspace.files()
        for name in found.keys() - files.keys():
            (self.root / name).unlink()
        for name, digest in files.items():
            if found.get(name) != digest:
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, self.root / name)
        shutil.rmtree(self.root / ".checkpoints", ignore_errors=True)
        for left in self.root.rglob(TEMPORARY):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        shutil.rmtree(self.temporary, ignore_errors=True)


@dataclass(frozen=True)
class Found:
    """An artifact as it lies in the finished workspace: its names filled in."""

    artifact: Artifact
    names: dict[str, str]
    file: str


def files_of(artifacts: tuple[Artifact, ...] | list[Artifact], files: dict[str, str]) -> list[Found]:
    """Files that artifacts stand for, whatever the names in their paths."""
    found = []
    for artifact in artifacts:
        path = artifact.path.replace("{dataset}", KEY)
        inside = "/[^/]+" if isinstance(artifact, Vectors) else ""
        pattern = re.compile(NAME.sub(_any_name, re.escape(path)) + inside)
        for file in files:
            match = pattern.fullmatch(file)
            if match is not None:
                at = file.rpartition("/")[0] if inside else file
                found.append(Found(replace(artifact, path=at, general=artifact.path), match.groupdict(), file))
    return found


def _any_name(found: re.Match[str]) -> str:
    name = found[1]
    return f"(?P<{name}>{NAMED.get(name, ANY)})"


def stage_of(run: str) -> Any:
    """What the stage of a run declares."""
    return importlib.import_module(f"stages.{command_of(run, KEY)[0]}").STAGE


def fits(run: str, names: dict[str, str]) -> bool:
    """Whether a file with these names is one that this run, and not another of the stage, is about."""
    arguments = ALL_RUNS[run][1:]
    said = dict(zip((word.removeprefix("--") for word in arguments[::2]), arguments[1::2], strict=True))
    wanted = said.get("variant") or said.get("baseline")
    if wanted and names.get("variant", wanted) != wanted:
        return False
    of_structure = f"structures/{said['structure']}" if "structure" in said else "structure"
    # A variant may read any structure; what makes structures is about one.
    makes_one = "structure" in said or run.split(".")[0] in ("init_sdne", "train_gat")
    return "structure" not in names or not makes_one or names["structure"] in (of_structure, "graph")


def outputs_of(run: str, files: dict[str, str]) -> set[str]:
    """Files that a run writes."""
    arguments = ALL_RUNS[run]
    expected = "baselines" if "--baseline" in arguments else "ablations" if "--group" in arguments else "variants"
    return {
        each.file
        for each in files_of(list(stage_of(run).writes), files)
        if fits(run, each.names)
        and each.names.get("group", expected) == expected
        and ("structure" not in each.names or _structurefits(run, each.names["structure"]))
    }


def _structurefits(run: str, name: str) -> bool:
    arguments = ALL_RUNS[run]
    return name == (f"structures/{arguments[2]}" if "--structure" in arguments else "structure")
