"""`crmman data`: somebody's own tables looked at, and taken into params.yaml.

This module imports nothing heavy: each verb loads what it needs when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipeline.common.errors import InputError, as_json, quoted
from stages import PARAMS
from stages.cli.help import examples
from stages.guard import USER_MISTAKE, show

if TYPE_CHECKING:
    from pipeline.data.changes import Changes
    from pipeline.parameters.data_check.check import DataCheck, Wishes

# What params.yaml of the repository sets, for a check where there is no params.yaml.
DEFAULTS: dict[str, Any] = {
    "feedback": "rated",
    "min_user_interactions": 1,
    "min_item_interactions": 0,
    "linked_items_only": False,
    "split": "random",
    "split_fractions": [0.6, 0.2, 0.2],
    "evaluated_users": 0,
    "leave_out_relations": [],
}
SEED = 42

data_app = typer.Typer(rich_markup_mode=None)


FolderArgument = Annotated[
    str,
    typer.Argument(
        metavar="FOLDER",
        help="The folder with the tables, or its address in a store (s3://, gs://, hdfs://).",
        show_default=False,
    ),
]
ThresholdOption = Annotated[
    float | None, typer.Option(help="The lowest rating that counts as a like. Suggested if not given.")
]
SmOption = Annotated[
    int | None,
    typer.Option(min=0, help="Items are joined if they share more than this many entities. Suggested if not given."),
]
TemplateOption = Annotated[
    str | None, typer.Option(help='The text of an item, such as "{title} ({year}). {genres}". Suggested if not given.')
]
UserOption = Annotated[int | None, typer.Option(min=1, help="Drop users with fewer interactions than this.")]
LinkedOption = Annotated[
    bool, typer.Option("--linked-items-only", help="Drop items that have no entity in the knowledge graph.")
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        help="How ratings are split: random, temporal, temporal-per-user, or given (by the column split). "
        "By default given if there is such a column."
    ),
]
FeedbackOption = Annotated[
    str | None,
    typer.Option(
        help="What rows that are not likes mean: rated (dislikes), liked (nothing; they are dropped) or sampled (zeros drawn from "
        "unrated items). Taken from the tables if not given."
    ),
]
RenameOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="THEIRS=OURS",
        help="Rename a column; items.id=item_id renames it in that table only. Can be repeated.",
    ),
]
NotRatedOption = Annotated[
    list[float] | None,
    typer.Option(
        metavar="RATING", help="A code such as -1 that means 'not rated'; its rows are dropped. Can be repeated."
    ),
]
FactsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="An item column, such as genres or author, to make the graph from, instead of kg and item_entities. Can be repeated.",
    ),
]


@data_app.callback(invoke_without_command=True, epilog=examples("data check recipes", "data add recipes data/recipes"))
def data(context: typer.Context) -> None:
    """Your own data: check a folder, and add it to params.yaml."""
    if context.invoked_subcommand is None:
        show(context.get_help())


@data_app.command(
    "check",
    epilog=examples(
        "data check recipes",
        "data check recipes --like-threshold 3 --format json",
        "data check films --rename userId=user_id --rename movieId=item_id",
        "data check anime --not-rated -1",
        "data check recipes --facts cuisine --facts author",
    ),
)
def check(
    folder: FolderArgument,
    like_threshold: ThresholdOption = None,
    s_m: SmOption = None,
    text_template: TemplateOption = None,
    min_user_interactions: UserOption = None,
    linked_items_only: LinkedOption = False,
    split: SplitOption = None,
    feedback: FeedbackOption = None,
    rename: RenameOption = None,
    not_rated: NotRatedOption = None,
    facts: FactsOption = None,
    output: Annotated[
        Literal["text", "json"], typer.Option("--format", help="text for people, json for programs.")
    ] = "text",
) -> None:
    """Report what the tables in a folder contain, what is wrong with them, and which settings suit them.

    The folder has four tables: interactions (user_id, item_id, rating or like; split if you have one), items (item_id and any text
    columns), kg (head, relation, tail) and item_entities (item_id, entity_id). Only interactions are required; the models do without the
    others. Each table is .parquet (a file, or a folder of parts), .csv, .tsv or .jsonl, the last three also with .gz; kg can also be RDF
    (.nt, .ttl, .rdf). Item columns can replace kg and item_entities (--facts). Item vectors can be in the same folder (NAME.parquet with
    item_id and lists of numbers, or NAME.npy). The folder can also be in RecBole's format, or a published data set (MovieLens, Amazon,
    Goodreads, MIND, Steam, Book-Crossing, Last.fm). The exit code is 2 if it cannot be used.

    If a data set in params.yaml was made from the folder, it also says how much is new since then, and whether a rerun is due.
    """
    from pipeline.data.sources.remote import written

    folder = written(folder)
    found = _checked(
        folder,
        _wishes(like_threshold, s_m, text_template, split, feedback, rename, not_rated, facts),
        _filters(min_user_interactions, linked_items_only),
    )
    changes = _changes(folder) if found.usable else {}
    if output == "json":
        show(as_json(found.as_json() | {"changes": {name: one.as_json() for name, one in changes.items()}}))
    else:
        from pipeline.parameters.data_check.text import shown_check

        show(shown_check(found))
        for name, one in changes.items():
            show(f"{name}: {one.in_words()}")
    if not found.usable:
        raise typer.Exit(USER_MISTAKE)


@data_app.command(
    "add",
    epilog=examples(
        "data add recipes data/recipes",
        "data add recipes data/recipes --like-threshold 3 --profile fast",
    ),
)
def add(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The data set's name in params.yaml: letters, digits, - and _.", show_default=False
        ),
    ],
    folder: FolderArgument,
    like_threshold: ThresholdOption = None,
    s_m: SmOption = None,
    text_template: TemplateOption = None,
    min_user_interactions: UserOption = None,
    linked_items_only: LinkedOption = False,
    split: SplitOption = None,
    feedback: FeedbackOption = None,
    rename: RenameOption = None,
    not_rated: NotRatedOption = None,
    facts: FactsOption = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help="A key of `profiles` in params.yaml: large for large catalogues (the default above 8,000 items); "
            "fast to see within a minute whether everything works."
        ),
    ] = None,
) -> None:
    """Check a folder and add it to params.yaml as a data set. Nothing else in params.yaml changes."""
    from pipeline.common.files import one_at_a_time, write_users_file
    from pipeline.data.sources.remote import written
    from pipeline.parameters.params import read_parameters
    from pipeline.users.settings import LARGE_CATALOGUE

    folder = written(folder)
    profiles = read_parameters(PARAMS).profiles
    if profile is not None and profile not in profiles:
        raise InputError(f"--profile: found {quoted(profile)}, expected one of: {', '.join(profiles)}")
    run = profiles[profile] if profile else {}
    # Before the tables are read: what is said of them is of no use for a name that cannot be.
    _edited(name, {"source": {"type": "tables", "path": folder}} | run)
    filters = _filters(min_user_interactions, linked_items_only)
    wishes = _wishes(like_threshold, s_m, text_template, split, feedback, rename, not_rated, facts)
    found = _checked(folder, wishes, filters)
    checking = _checking(folder, wishes, filters)
    if not found.usable:
        count = f"{len(found.errors)} errors, the first: " if len(found.errors) > 1 else ""
        raise InputError(
            f"{folder}: cannot be used: {count}{found.errors[0].sentence()}; run `{checking}` to see what to do"
        )
    items = found.counts.items if found.counts else 0
    if profile is None and items > LARGE_CATALOGUE and "large" in profiles:
        run = profiles["large"]
        show(f"{items:,} items: using the profile large")
    with one_at_a_time(PARAMS.parent):
        text, added = _edited(name, found.settings() | filters | run, found.reasons())
        write_users_file(PARAMS, text.encode())
    show(f"added to {PARAMS}:\n")
    show("\n".join(added))
    if lacking := found.left_out():
        show(f"\nnote: {lacking}")
    warnings = len(found.warnings)
    if warnings:
        show(f"\n{warnings} {'warning' if warnings == 1 else 'warnings'}: run `{checking}` to see them")
    show(f"\nnext: dvc repro compare@{name}   (or `dvc repro` for all data sets)")


def _changes(folder: str) -> dict[str, Changes]:
    """Of the data sets that were made of the folder, by name, what has come since."""
    from pipeline.parameters.params import read_parameters
    from stages.cli.changes import changes_of

    made_of_it = {
        name: entry
        for name, entry in (read_parameters(PARAMS).datasets.items() if PARAMS.is_file() else ())
        if Path(entry.source.path).resolve() == Path(folder).resolve()
    }
    found = {name: changes_of(name, entry) for name, entry in made_of_it.items()}
    return {name: came for name, came in found.items() if came is not None}


def _edited(name: str, values: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> tuple[str, list[str]]:
    """Text of params.yaml with the data set, checked as a whole, and the lines that are new."""
    from ruamel.yaml import YAML

    from pipeline.common.ablation import validated_in_files, with_ablations
    from pipeline.parameters.edit import Setting, with_dataset
    from pipeline.parameters.params import Parameters

    settings = [Setting(key, value, (comments or {}).get(key, "")) for key, value in values.items()]
    text, added = with_dataset(PARAMS.read_bytes().decode(), name, settings, str(PARAMS))
    validated_in_files(Parameters, with_ablations(YAML(typ="safe").load(text), PARAMS), PARAMS)
    return text, added


def _wishes(
    like_threshold: float | None,
    s_m: int | None,
    text_template: str | None,
    split: str | None,
    feedback: str | None,
    rename: list[str] | None,
    not_rated: list[float] | None,
    facts: list[str] | None,
) -> Wishes:
    from pipeline.parameters.data_check.check import Wishes

    if like_threshold is not None and not math.isfinite(like_threshold):
        raise InputError(f"--like-threshold: found {like_threshold}, expected a number that a rating can reach")
    for code in not_rated or []:
        if not math.isfinite(code):
            raise InputError(f"--not-rated: found {code}, expected a number that means 'not rated', such as -1")
    names = {}
    for pair in rename or []:
        theirs, equals, ours = pair.rpartition("=")
        if not equals or not theirs or not ours:
            raise InputError(f"--rename: found {quoted(pair)}, expected THEIRS=OURS, such as userId=user_id")
        names[theirs] = ours
    return Wishes(
        like_threshold, s_m, text_template, split, feedback, names, tuple(not_rated or ()), tuple(facts or ())
    )


def _checking(folder: str, wishes: Wishes, filters: Mapping[str, Any]) -> str:
    """The command that says everything about a folder under the same options: without them it might say something else."""
    words = ["crmman", "data", "check", folder]
    for name, value in {**asdict(wishes), **filters}.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif isinstance(value, Mapping):
            words += [word for theirs, ours in value.items() for word in (option, f"{theirs}={ours}")]
        else:
            several = value if isinstance(value, tuple) else () if value is None else (value,)
            words += [word for one in several for word in (option, str(one))]
    return shlex.join(words)


def _filters(min_user_interactions: int | None, linked_items_only: bool) -> dict[str, Any]:
    """Settings that were asked for, and no others."""
    asked = {"min_user_interactions": min_user_interactions, "linked_items_only": linked_items_only or None}
    return {name: value for name, value in asked.items() if value is not None}


def _checked(folder: str, wishes: Wishes, filters: dict[str, Any]) -> DataCheck:
    from pipeline.parameters.data_check.check import check_folder
    from pipeline.parameters.params import read_parameters

    if not PARAMS.is_file():
        return check_folder(folder, wishes, DEFAULTS | filters, SEED)
    parameters = read_parameters(PARAMS)
    return check_folder(folder, wishes, DEFAULTS | parameters.dataset_defaults | filters, parameters.seed)
