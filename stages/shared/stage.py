"""What all stages share: the command line, one-line errors, timing, and what a stage declares to read and write."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from pipeline.artifacts.kinds import Artifact, as_noted, only, together
from pipeline.common.ablation import changes_in, file_of, read_all, validated_in_files, written_out
from pipeline.common.config import Config, changed, look_up, validated
from pipeline.common.errors import InputError, quoted
from pipeline.common.files import clear_left_over
from pipeline.common.settings import EngineConfig
from stages import CHECKPOINTS, PARAMS
from stages.guard import end_with_dvc, guarded, run_app, show

TIMINGS = Path(".timings")
GROUPS = ("variants", "ablations")

ConfigT = TypeVar("ConfigT", bound=Config)


@dataclass(frozen=True)
class Reads:
    """The settings a stage reads, and so exactly those that dvc.yaml lists for it (a test compares).

    Attributes:
        run: top-level keys.
        dataset: keys of `datasets.<key>`.
        stage: the section that has the stage's name, or the one that `section` names, with what `datasets.<key>` changes in it.
        variant: `variants.<variant>`, or `ablations.<variant>` and the variant that it is of; and what the data set changes in it.
        structure: the entry of `structures` by which the stage was asked to make structural vectors, if any.
    """

    run: type[Config] | None = None
    dataset: type[Config] | None = None
    stage: type[Config] | None = None
    variant: type[Config] | None = None
    structure: type[Config] | None = None
    section: str | None = None


@dataclass(frozen=True)
class Stage:
    """A stage and all that it touches, as the pipeline's file lists it (a test compares). To touch more is an AssertionError.

    Attributes:
        name: of its module.
        settings: what it reads of params.yaml.
        reads: artifacts that are there before it.
        writes: artifacts that it makes, which it may read again.
    """

    name: str
    settings: Reads = Reads()
    reads: Sequence[Artifact] = ()
    writes: Sequence[Artifact] = ()

    @contextmanager
    def touching(self) -> Iterator[None]:
        """Within it no other artifact can be touched, and those that are fit together and are as DVC knows them."""
        with only(self.name, self.reads, self.writes), together(), as_noted():
            yield


class Settings:
    """Settings of one stage for one data set, checked when they are asked for.

    Args:
        structure: an entry of `structures`: what it changes in the stage's section comes over what the data set changes.
        group: where a variant's evaluation is kept: `variants`, or `ablations`.
    """

    def __init__(
        self,
        stage: Stage,
        dataset: str,
        path: Path = PARAMS,
        structure: str | None = None,
        group: str = "variants",
    ) -> None:
        self._values, self._path = read_all(path), path
        self._look_up("datasets", dataset)
        if structure is not None:
            self._look_up("structures", structure)
        self._stage, self._dataset, self._reads, self._structure = stage.name, dataset, stage.settings, structure
        self.group = group

    def run(self, model: type[ConfigT]) -> ConfigT:
        return self._section((), model, self._reads.run)

    def engine(self) -> EngineConfig:
        """Who computes, which no result depends on: any stage may ask, and none declares it."""
        return self._section((), EngineConfig, EngineConfig)

    def dataset(self, model: type[ConfigT]) -> ConfigT:
        return self._section(("datasets", self._dataset), model, self._reads.dataset)

    def stage(self, model: type[ConfigT]) -> ConfigT:
        """The stage's own section, with what the data set changes in it, and then the way to make structural vectors."""
        section = self._reads.section or self._stage
        changes = self._look_up("datasets", self._dataset, section)
        of_structure = self._look_up("structures", self._structure) if self._structure else None
        if isinstance(of_structure, Mapping):
            of_structure = of_structure.get(section)
        return self._section((section,), model, self._reads.stage, changes, of_structure)

    def variant(self, model: type[ConfigT], name: str) -> ConfigT:
        """Settings of a variant or an ablation, with what the data set changes in them."""
        variants = self._mapping("variants")
        of_stage = "datasets", self._dataset, "train_users"
        changes = {} if self._look_up(*of_stage) is None else self._mapping(*of_stage)
        for each in variants:
            self._mapping("variants", each)
            if changes.get(each) is not None:
                self._mapping(*of_stage, each)
        ablations = self._values.get("ablations")
        if isinstance(ablations, Mapping) and name in ablations:
            settings = written_out(self._values, name, self._where("ablations"))
            ablation = ablations[name]
            mine = changes_in(changes, variants, ablation["of"], ablation)
            return self._checked(("ablations", name), changed(settings, mine), model, self._reads.variant)
        mine = changes_in(changes, variants, name)
        return self._section(("variants", name), model, self._reads.variant, mine)

    def structure(self, model: type[ConfigT]) -> ConfigT:
        return self._section(("structures", str(self._structure)), model, self._reads.structure)

    def refuse_unknown(self, option: str, name: str, *sections: str) -> None:
        """
        Raises:
            InputError: the name, which becomes a part of paths, is a key of none of the sections.
        """
        found = [self._values.get(section) for section in sections]
        known = [key for section in found if isinstance(section, Mapping) for key in section]
        if name not in known:
            for section in sections:
                self._mapping(section)
            raise InputError(f"{option}: found {quoted(name)}, expected one of: {', '.join(map(str, known))}")

    def _section(
        self,
        keys: tuple[str, ...],
        model: type[ConfigT],
        declared: type[Config] | None,
        *changes: Mapping[str, Any] | None,
    ) -> ConfigT:
        found = self._mapping(*keys)
        for change in changes:
            if change is not None:
                self._is_mapping(change, keys)
        values = reduce(changed, changes, found)
        # Other stages' keys beside ours are not ours to check: the validate stage checks the whole file.
        mine = (
            {name: values[name] for name in model.model_fields if name in values}
            if keys[:1] in ((), ("datasets",), ("structures",))
            else values
        )
        return self._checked(keys, mine, model, declared)

    def _checked(
        self, keys: tuple[str, ...], values: Any, model: type[ConfigT], declared: type[Config] | None
    ) -> ConfigT:
        assert model is declared, f"stage {self._stage} reads {model.__name__} without declaring it"
        if not keys:
            return validated_in_files(model, values, self._path)
        return validated(model, values, self._where(keys[0]) + "".join(f"{key}." for key in keys))

    def _look_up(self, *keys: str) -> Any:
        return look_up(self._values, keys, str(file_of(keys[0], self._path)) if keys else "")

    def _mapping(self, *keys: str) -> Mapping[str, Any]:
        return self._is_mapping(self._look_up(*keys), keys)

    def _is_mapping(self, found: Any, keys: tuple[str, ...]) -> Mapping[str, Any]:
        """
        Raises:
            InputError: it is none.
        """
        if not isinstance(found, Mapping):
            here = self._where(keys[0]) + ".".join(keys)
            raise InputError(f"{here}: found {quoted(found)}, expected a mapping of keys to values")
        return found

    def _where(self, section: str) -> str:
        """What goes before a section's keys in an error."""
        return f"{file_of(section, self._path)}: "


DatasetOption = Annotated[str, typer.Option(help="A key of `datasets` in params.yaml.")]
VariantOption = Annotated[
    str, typer.Option(help="A key of `variants` in params.yaml, or of `ablations` in ablations/params.yaml.")
]
BaselineOption = Annotated[str, typer.Option(help="A baseline: a key of `baselines` in params.yaml.")]
GroupOption = Annotated[str, typer.Option(help="Where the evaluation is stored: variants, or ablations.")]
StructureOption = Annotated[
    str | None,
    typer.Option(help="A key of `structures` in ablations/params.yaml: another way to make structural vectors."),
]


def run_stage(stage: Stage, body: Callable[[str, Settings], None]) -> None:
    """Run a stage from the command line: ``python -m stages.NAME --dataset KEY``."""

    def command(dataset: DatasetOption) -> None:
        _do(stage, dataset, "", lambda: body(dataset, Settings(stage, dataset)))

    _run(command, body, "--dataset ml-100k")


def run_variant_stage(stage: Stage, body: Callable[[str, str, Settings], None]) -> None:
    """Run a stage of one variant: ``python -m stages.NAME --dataset KEY --variant VARIANT``."""

    def command(dataset: DatasetOption, variant: VariantOption, group: GroupOption = "variants") -> None:
        def run() -> None:
            settings = Settings(stage, dataset, group=known_group(group))
            settings.refuse_unknown("--variant", variant, "variants", "ablations")
            body(dataset, variant, settings)

        _do(stage, dataset, variant, run)

    _run(command, body, "--dataset ml-100k --variant recommended")


def known_group(name: str) -> str:
    """
    Raises:
        InputError: it is none of `GROUPS`.
    """
    if name not in GROUPS:
        raise InputError(f"--group: found {quoted(name)}, expected one of: {', '.join(GROUPS)}")
    return name


def run_baseline_stage(stage: Stage, body: Callable[[str, str, Settings], None]) -> None:
    """Run a stage of one baseline: ``python -m stages.NAME --dataset KEY --baseline BASELINE``."""

    def command(dataset: DatasetOption, baseline: BaselineOption) -> None:
        def run() -> None:
            settings = Settings(stage, dataset)
            settings.refuse_unknown("--baseline", baseline, "baselines")
            body(dataset, baseline, settings)

        _do(stage, dataset, baseline, run)

    _run(command, body, "--dataset ml-100k --baseline ease")


def run_structure_stage(stage: Stage, body: Callable[[str, str | None, Settings], None]) -> None:
    """Run a stage on the way to structural vectors: ``python -m stages.NAME --dataset KEY [--structure STRUCTURE]``."""

    def command(dataset: DatasetOption, structure: StructureOption = None) -> None:
        _do(
            stage,
            dataset,
            structure or "",
            lambda: body(dataset, structure, Settings(stage, dataset, structure=structure)),
        )

    _run(command, body, "--dataset ml-100k")


def _do(stage: Stage, dataset: str, part: str, action: Callable[[], None]) -> None:
    """
    Args:
        part: the variant or the structure that it is run for, if any.
    """
    name = f"{stage.name}.{part}" if part else stage.name

    def run() -> None:
        with stage.touching():
            end_with_dvc(f"[{dataset}] {name}")
            clear_left_over_of(dataset)
            timed(name, dataset, action)

    guarded(run)


def clear_left_over_of(dataset: str) -> None:
    """Remove what stages that were killed have left where stages of a data set write: DVC would count it in."""
    for folder in (*(Path(name) for name in ("metrics", "plots")), Path("artifacts") / dataset, CHECKPOINTS / dataset):
        clear_left_over(folder)


def run_tool(body: Callable[[], None]) -> None:
    """Run what concerns all data sets at once: ``python -m stages.NAME``."""

    def command() -> None:
        guarded(body)

    _run(command, body)


def _run(command: Callable[..., None], body: Callable[..., None], example: str = "") -> None:
    """
    Args:
        example: of the options.
    """
    module = sys.modules[body.__module__]
    # The name by which it was run is `__main__`.
    name = module.__spec__.name if module.__spec__ else module.__name__
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=module.__doc__, epilog=f"For example: python -m {name} {example}".rstrip())(command)
    run_app(app)


def timed(name: str, dataset: str, action: Callable[[], None]) -> None:
    """Run an action and say what it took; the seconds are kept (outside DVC) for the summary of a run."""
    start = time.monotonic()
    action()
    seconds = time.monotonic() - start
    show(f"[{dataset}] {name}: done in {seconds:.1f} s")
    try:
        TIMINGS.mkdir(exist_ok=True)
        (TIMINGS / f"{dataset}.{name}").write_text(f"{seconds:.2f}\n")
    except OSError as error:
        # All that the stage is for is done.
        warn(dataset, name, [f"{error.filename or TIMINGS}: cannot be written: {error.strerror}"])


def say(dataset: str, name: str, text: str) -> None:
    show(f"[{dataset}] {name}: {text}")


def warn(dataset: str, name: str, warnings: list[str]) -> None:
    for text in warnings:
        show(f"[{dataset}] {name}: warning: {text}", error=True)
