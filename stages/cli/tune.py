"""`crmman tune`: settings of one system for one data set, searched by Optuna on the validation split alone."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pipeline.artifacts.data import ITEMS
from pipeline.artifacts.graph import NEIGHBOURS
from pipeline.artifacts.kinds import Text, together
from pipeline.common.ablation import changes_in, read_all, validated_in_files, with_ablations
from pipeline.common.blocks import MapBlocks, in_turn
from pipeline.common.config import changed, look_up, validated
from pipeline.common.devices import torch_device
from pipeline.common.errors import InputError, quoted
from pipeline.common.files import one_at_a_time, write_users_file
from pipeline.common.random_streams import torch_seed
from pipeline.common.settings import SeedConfig, TrainingRun
from pipeline.evaluation.baselines.choice import choose
from pipeline.evaluation.baselines.registry import GRIDS, BaselineSettings
from pipeline.graph.matrices import incidence_of
from pipeline.parameters.edit import with_system
from pipeline.parameters.params import Parameters, read_parameters
from pipeline.parameters.search import Choice, Space, space_of_grid, space_of_variant
from pipeline.report.plots import trials_plot
from pipeline.users.settings import VariantConfig
from pipeline.users.training import UserTrainer
from stages import PARAMS, evaluate_baselines, train_users
from stages.guard import show
from stages.shared.data import DATA, read_data
from stages.shared.engine import engine_of
from stages.shared.inputs import known_of_items, read_inputs
from stages.shared.stage import Settings
from stages.shared.training import TrainingBar, checkpoint_key, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna import Study, Trial
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from pipeline.users.modalities.inputs import ItemInputs

# Trials that are drawn evenly, before those so far say where to look; and before any is given up for being below their median.
EVEN, WHOLE = 8, 5
# Epochs that every trial gets.
FIRST_EPOCHS = 8

Setting = Mapping[str, Any]
Report = Callable[[int, float], None]


class Subject(Protocol):
    """What is tuned.

    Attributes:
        section: of the data set's entry in params.yaml that has its changes.
        space: what is searched.
        start: settings that are tried first, the default before all others; None: the default as it is.
        key: changes with everything that a trial depends on, but for what is searched.
        figure: of validation, in words.
    """

    section: str
    space: Space
    start: list[Setting | None]
    key: str
    figure: str

    def ready(self, setting: Setting | None) -> Any:
        """What a trial of a setting reads of artifacts, beside what all trials do."""

    def value(self, number: int, setting: Setting | None, ready: Any, report: Report, folder: Path) -> float:
        """What a setting reaches on validation; `report` is called on the way with the epoch and the best so far.

        It may be called on another machine, and reads nothing but what is ready.
        """

    def changes(self, setting: Setting) -> dict[str, Any]:
        """What the data set is to change for the system."""


class _Ready(NamedTuple):
    """
    Attributes:
        key: changes with everything that the trial depends on.
    """

    config: VariantConfig
    inputs: ItemInputs
    key: str


def _forget(checkpoint: Path | None) -> None:
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)


class Variant:
    section = "train_users"

    def __init__(self, dataset: str, name: str) -> None:
        settings = Settings(train_users.STAGE, dataset)
        self._dataset, self._run = dataset, settings.run(TrainingRun)
        config = settings.variant(VariantConfig, name)
        self._data = read_data(dataset)
        self.space = space_of_variant(self._for_data(config))
        values = read_all(PARAMS)
        changes = values["datasets"][dataset]["train_users"]
        self._own = dict((changes or {}).get(name) or {})
        kept = {key: value for key, value in self._own.items() if key not in self.space}
        untuned = changed(
            values["variants"][name], changes_in({**(changes or {}), name: kept}, values["variants"], name)
        )
        self._default = validated(VariantConfig, untuned, f"{PARAMS}: variants.{name}.")
        self.start: list[Setting | None] = [self._searched(self._default)]
        if config != self._default:
            self.start.append(self._searched(config))
            self.space = {key: one.with_value(getattr(self._default, key)) for key, one in self.space.items()}
        self.figure = " + ".join(self._for_data(self._default).early_stopping_by)
        self.key = checkpoint_key(dataset, self._run, self._default)

    def _for_data(self, config: VariantConfig) -> VariantConfig:
        data = self._data
        ratings, dislikes = data.train_likes.nnz + data.train_dislikes.nnz, data.train_dislikes.nnz
        known = known_of_items(self._dataset, config)
        return config.for_data(data.items, dislikes, ratings / data.users, data.judged("valid"), **known._asdict())

    def _searched(self, config: VariantConfig) -> dict[str, Any]:
        return {name: getattr(config, name) for name in self.space}

    def _config(self, setting: Setting | None) -> VariantConfig:
        return self._for_data(validated(VariantConfig, self._default.model_dump() | dict(setting or {}), "tune: "))

    def ready(self, setting: Setting | None) -> _Ready:
        config = self._config(setting)
        key = checkpoint_key(self._dataset, self._run, config)
        return _Ready(config, read_inputs(self._dataset, config, self._data), key)

    def value(self, number: int, setting: Setting | None, ready: _Ready, report: Report, folder: Path) -> float:
        config = ready.config
        trainer = UserTrainer(
            ready.inputs, self._data, config, self._run.seed, torch_device(self._run.device), self._run.precision
        )
        # Of the trial with these settings, which goes on with its last epoch if it was stopped; where the folder is within reach.
        checkpoint = folder / f"{ready.key}.pt" if folder.is_dir() else None
        best = -1.0
        with TrainingBar(f"trial {number}", trainer, config.epochs) as bar:

            def row(found: dict[str, float]) -> None:
                nonlocal best
                best = max(best, sum(found[name.replace(".", "_")] for name in config.early_stopping_by))
                bar.show_row(found)
                report(int(found["epoch"]), best)

            try:
                trainer.run(checkpoint, row, bar.show_loss)
            except Exception as error:
                _forget(checkpoint)
                # A search may try what nobody would, a learning rate by which the loss is no number; the default must not.
                if number == 0 or not (isinstance(error, InputError) and "found a loss of" in str(error)):
                    raise
        _forget(checkpoint)
        return best

    def changes(self, setting: Setting) -> dict[str, Any]:
        default = self._searched(self._default)
        kept = {name: value for name, value in self._own.items() if name not in self.space}
        return kept | {name: value for name, value in setting.items() if value != default[name]}


class Baseline:
    section = "baselines"

    def __init__(self, dataset: str, name: str) -> None:
        settings = Settings(evaluate_baselines.STAGE, dataset)
        self._name, self._seed = name, settings.run(SeedConfig).seed
        config = settings.stage(BaselineSettings)
        self._grid, self._chosen_by = config.grid(name), config.chosen_by
        self.space = space_of_grid(self._grid)
        if not self.space:
            raise InputError(f"--system: found {name}, which has no settings; expected another system")
        graph = self._grid.reads_graph
        self._data = read_data(
            dataset, incidence_of(NEIGHBOURS.read(dataset), len(ITEMS.read(dataset))) if graph else None
        )
        if why := self._grid.left_out(self._data):
            raise InputError(f"--system: found {name}, which is left out of {dataset}: {why}; expected another system")
        self._own = dict((read_all(PARAMS)["datasets"][dataset]["baselines"] or {}).get(name) or {})
        self.start: list[Setting | None] = [None]
        self.figure = self._chosen_by
        of_trials = [self._grid.model_dump(), self._chosen_by, self._seed]
        self.key = key_of(dataset, of_trials, (*DATA, *((NEIGHBOURS,) if graph else ())))

    def ready(self, setting: Setting | None) -> None:
        return None

    def value(self, number: int, setting: Setting | None, ready: None, report: Report, folder: Path) -> float:
        grid = self._grid
        if setting is not None:
            one = {name: [value] for name, value in setting.items()}
            grid = type(grid).model_validate(grid.model_dump() | one)
        _, tried = choose(self._data, self._name, grid, self._chosen_by, self._seed)
        chosen = next(each for each in tried if each.chosen)
        self.figure = chosen.chosen_by
        return chosen.validation

    def changes(self, setting: Setting) -> dict[str, Any]:
        return self._own | {name: [value] for name, value in setting.items()}


@together()
def tune(dataset: str, system: str | None, trials: int, at_once: int = 1) -> None:
    """
    Args:
        system: a variant or a baseline; None: the first of `run_variants`.
        trials: in all, with those that earlier runs of the same search have finished.
        at_once: settings that are drawn before any of them has been tried. What is found depends on it, and not on how many workers
            there are.

    Raises:
        InputError: no Optuna; no such data set or system; nothing to train it on.
    """
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise InputError("tune: found no Optuna, expected it; run `pip install 'optuna>=4'`") from None

    parameters = read_parameters(PARAMS)
    look_up(read_all(PARAMS), ("datasets", dataset), str(PARAMS))
    name = system or parameters.run_variants[0]
    if name not in parameters.variants and name not in GRIDS:
        known = ", ".join([*parameters.variants, *GRIDS])
        raise InputError(f"--system: found {quoted(name)}, expected one of: {known}")
    subject = _subject(dataset, name, baseline=name not in parameters.variants)
    folder = Path("artifacts") / dataset / "tune" / name
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with _alone(folder / f"{subject.key}.lock", dataset, name):
        study = optuna.create_study(
            study_name=name,
            storage=JournalStorage(JournalFileBackend(str(folder / f"{subject.key}.journal"))),
            load_if_exists=True,
            direction="maximize",
        )
        gpu = name in parameters.variants and torch_device(parameters.device).type == "cuda"
        with engine_of(parameters, f"[{dataset}] tune.{name}", in_turn, gpu=gpu) as map_blocks:
            _search(study, subject, parameters.seed, trials, at_once, folder.absolute(), map_blocks)
        _conclude(study, subject, dataset, name)


def _subject(dataset: str, name: str, baseline: bool) -> Subject:
    stage = f"evaluate_baselines@{dataset}-{name}" if baseline else f"train_users@{dataset}-{name}"
    try:
        return Baseline(dataset, name) if baseline else Variant(dataset, name)
    except FileNotFoundError as error:
        raise InputError(f"{error.filename}: artifact not found; `dvc repro {stage}` makes it") from None
    except InputError as error:
        if "artifact not found" in str(error):
            path = str(error).partition(":")[0]
            raise InputError(f"{path}: artifact not found; `dvc repro {stage}` makes it") from None
        raise


@contextmanager
def _alone(path: Path, dataset: str, name: str) -> Iterator[None]:
    """One run at a time: another one would take the trial that is running for one that was killed."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"{path}: found another `crmman tune` of {name} on {dataset} running, expected none"
            ) from None
        yield


class _Try(NamedTuple):
    """A trial, as it is given to whoever makes it.

    Attributes:
        ready: of the subject, for this setting.
    """

    number: int
    setting: Setting | None
    ready: Any


class _Tried(NamedTuple):
    """What came of it.

    Attributes:
        value: None: it was given up.
        curve: epoch to the best so far.
        figure: of validation, in words.
    """

    value: float | None
    curve: dict[int, float]
    figure: str


def _search(
    study: Study, subject: Subject, seed: int, trials: int, at_once: int, folder: Path, map_blocks: MapBlocks
) -> None:
    from optuna.trial import TrialState

    for left in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # Of a run that was killed: the next trial is the same one again.
        study.tell(left.number, state=TrialState.FAIL)
    done = len(_finished(study))
    if done:
        show(f"continuing after {done} trials of an earlier run")
    while done < trials:
        # By the number of finished trials, so that a run that was killed draws what one that was not draws.
        numbers = range(done, min(done + at_once, trials))
        asked = [_asked(study, subject, seed, number, at_once > 1) for number in numbers]
        tries = [[_Try(number, s, subject.ready(s))] for number, (_, s) in zip(numbers, asked, strict=True)]
        whole = study.get_trials(states=(TrialState.COMPLETE,))
        found = list(map_blocks(_tried, tries, subject, whole, folder))
        for number, (trial, setting), one in zip(numbers, asked, found, strict=True):
            subject.figure = one.figure
            for epoch, value in one.curve.items():
                trial.report(value, epoch)
            if one.value is None:
                study.tell(trial, state=TrialState.PRUNED)
                said = f"given up, at {max(one.curve.values()):.4f} after {max(one.curve)} epochs"
            else:
                study.tell(trial, one.value)
                said = f"{one.value:.4f}"
            shown = "the default" if number == 0 else _shown(setting or {})
            show(f"trial {number + 1} of {trials}: {said}: {shown}")
        done = len(_finished(study))


def _asked(study: Study, subject: Subject, seed: int, number: int, beside_others: bool) -> tuple[Trial, Setting | None]:
    """The next trial, and its setting; None: the default as it is.

    Args:
        beside_others: others are not tried yet: it is not to be drawn where they were.
    """
    study.sampler = _sampler(torch_seed(seed, "tune", number), beside_others)
    setting = subject.start[number] if number < len(subject.start) else None
    if setting is not None:
        study.enqueue_trial(dict(setting))
    trial = study.ask()
    if setting is not None or number >= len(subject.start):
        drawn = {name: _drawn(trial, name, one) for name, one in subject.space.items()}
        setting = setting or drawn
    trial.set_user_attr("setting", dict(setting) if setting is not None else None)
    return trial, setting


def _sampler(seed: int, beside_others: bool) -> BaseSampler:
    import optuna

    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=EVEN, constant_liar=beside_others)


def _pruner() -> BasePruner:
    import optuna

    return optuna.pruners.MedianPruner(n_startup_trials=WHOLE, n_warmup_steps=FIRST_EPOCHS)


def _tried(block: Sequence[_Try], subject: Subject, whole: Sequence[FrozenTrial], folder: Path) -> _Tried:
    """Make a trial. It is given up by what those before it have reached, whoever made them.

    Args:
        block: one trial.
        whole: trials that were made to their end.
    """
    import optuna

    (one,) = block
    beside = optuna.create_study(direction="maximize", pruner=_pruner())
    beside.add_trials(whole)
    trial = beside.ask()
    curve: dict[int, float] = {}

    def report(epoch: int, value: float) -> None:
        curve[epoch] = value
        trial.report(value, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        value = subject.value(one.number, one.setting, one.ready, report, folder)
    except optuna.TrialPruned:
        return _Tried(None, curve, subject.figure)
    return _Tried(value, curve, subject.figure)


def _drawn(trial: Trial, name: str, one: Any) -> Any:
    if isinstance(one, Choice):
        return trial.suggest_categorical(name, one.values)
    if one.whole:
        return trial.suggest_int(name, int(one.low), int(one.high), log=one.log)
    # As it is written, so that what is written is what was tried.
    return float(f"{trial.suggest_float(name, one.low, one.high, log=one.log):.3g}")


def _finished(study: Study) -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _shown(setting: Setting) -> str:
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in setting.items()
    )


def _conclude(study: Study, subject: Subject, dataset: str, name: str) -> None:
    from optuna.trial import TrialState
    from ruamel.yaml import YAML

    done = _finished(study)
    pruned = [one.state == TrialState.PRUNED for one in done]
    values = [
        max(one.intermediate_values.values(), default=None) if was else one.value
        for one, was in zip(done, pruned, strict=True)
    ]
    plot = Text(f"plots/{dataset}/tune/{name}.svg")
    plot.write(trials_plot(values, pruned, subject.figure))
    whole = [one for one, was in zip(done, pruned, strict=True) if not was]
    best, default = max(whole, key=lambda one: one.value), done[0]
    show(f"\n{name} on {dataset}, {len(done)} trials by {subject.figure} on validation; plot: {plot.path}")
    if best.value <= default.value:
        show(f"the default is the best, with {default.value:.4f}: nothing is written")
        return
    setting = best.user_attrs["setting"]
    show(f"best: {best.value:.4f}, default: {default.value:.4f}")
    if len(subject.start) > 1 and setting == subject.start[1]:
        show(f"{PARAMS} has it already: nothing is written")
        return
    comment = f"crmman tune, {len(done)} trials: {best.value:.4f} on validation, {default.value:.4f} by default"
    with one_at_a_time(PARAMS.parent):
        text, added = with_system(
            PARAMS.read_bytes().decode(), dataset, subject.section, name, subject.changes(setting), comment, str(PARAMS)
        )
        validated_in_files(Parameters, with_ablations(YAML(typ="safe").load(text), PARAMS), PARAMS)
        write_users_file(PARAMS, text.encode())
    show(f"written to {PARAMS}:\n")
    show("\n".join(added))
    show("\nExpect a smaller gain on the test split: the best of many trials on validation is in part the luckiest.")
    show(f"next: dvc repro compare@{dataset}")
