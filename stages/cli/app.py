"""The command line `crmman`: ask a trained model for recommendations, their reasons, and similar items.

This module imports nothing heavy: each verb loads what it needs when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, get_args

import typer

from pipeline.common.errors import InputError
from stages import PARAMS
from stages.cli.data import data_app
from stages.cli.help import examples
from stages.cli.items import items_app
from stages.guard import run_app, show

if TYPE_CHECKING:
    from stages.cli.ask.output import Answer

app = typer.Typer(name="crmman", add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.add_typer(data_app, name="data")
app.add_typer(items_app, name="items")

# What an answer is made of, and what DVC goes by.
OF_THE_PIPELINE = tuple(
    str(PARAMS.parent / folder / name) for folder in ("", "ablations") for name in (PARAMS.name, "dvc.yaml", "dvc.lock")
)
Form = Literal["table", "json", "csv", "parquet"]
DatasetOption = Annotated[
    str | None, typer.Option("--dataset", help="A data set in params.yaml; by default the first one.")
]
VariantOption = Annotated[
    str | None,
    typer.Option("--variant", help="A model; by default the first trained one in `run_variants` of params.yaml."),
]
UserOption = Annotated[str | None, typer.Option("--user", help="The id of a user in the data set.")]
LikeOption = Annotated[
    list[str] | None, typer.Option("--like", help="Title or id of an item that the person likes. Can be repeated.")
]
DislikeOption = Annotated[
    list[str] | None,
    typer.Option("--dislike", help="Title or id of an item that the person dislikes. Can be repeated."),
]
HistoriesOption = Annotated[
    str | None,
    typer.Option(
        "--histories",
        metavar="FILE",
        help="A table with user_id, item_id, and like or rating (.parquet, .csv, .tsv, .jsonl). Everybody in it gets a list, without "
        "training. For known users, its ratings are added to theirs, or replace them.",
    ),
]
UnknownOption = Annotated[
    Literal["skip", "refuse"],
    typer.Option(
        "--unknown-items",
        help="With --histories: leave out rows with unknown items and say so in a note (skip), or give an error (refuse). "
        "If they are more than half of the rows, it is always an error.",
    ),
]
ItemOption = Annotated[str, typer.Option("--item", help="Title or id of an item.")]
CountOption = Annotated[int, typer.Option("-k", "--count", min=1, max=10_000, help="Number of items.")]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="ID|FILE",
        help="Recommend only these items: an id, or a file with one id per line. Can be repeated.",
    ),
]
WithoutOption = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        metavar="ID|FILE",
        help="Do not recommend these items: an id, or a file with one id per line. Can be repeated.",
    ),
]
WhereOption = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Recommend only items whose columns meet this condition: comparisons, IN, BETWEEN, LIKE, CONTAINS, IS NULL, AND, OR, NOT.",
    ),
]
AtMostOption = Annotated[
    int | None,
    typer.Option(
        "--at-most", min=0, help="At most this many items may have the same value in the column --per; 0: any number."
    ),
]
PerOption = Annotated[
    str | None,
    typer.Option(
        "--per",
        metavar="COLUMN",
        help="The item column that --at-most counts by. If it holds lists, each element counts.",
    ),
]
DiversityOption = Annotated[
    float | None,
    typer.Option(
        "--diversity",
        min=0,
        max=1,
        help="How much variety within a list counts, relative to the score; 0: not at all.",
    ),
]
SeenOption = Annotated[
    bool | None,
    typer.Option(
        "--seen/--unseen", help="Whether to recommend items that the person has already rated.", show_default=False
    ),
]
RulesOption = Annotated[
    bool,
    typer.Option(
        "--rules/--no-rules",
        help="Whether to apply the rules in `recommend` of params.yaml. Options override single rules.",
    ),
]
FormatOption = Annotated[
    Form | None,
    typer.Option("--format", help="By default the format given by the ending of --output, or else a table."),
]
OutputOption = Annotated[
    str | None,
    typer.Option("--output", help="A file to write; the ending .json, .csv or .parquet sets the format."),
]
QuoteOption = Annotated[
    bool,
    typer.Option(
        help="In CSV, put a quote before text that a spreadsheet would take for a formula (it starts with =, +, - or @)."
    ),
]


@app.callback(
    invoke_without_command=True,
    epilog=examples("data add recipes path/to/folder", "recommend --user 42", "explain --user 42 --item 313"),
)
def crmman(context: typer.Context) -> None:
    """A recommender that knows why people like things and why they dislike them.

    Run it in the folder of params.yaml, after `dvc repro` has trained a model.
    """
    if context.invoked_subcommand is None:
        show(context.get_help())


@app.command(
    epilog=examples(
        "recommend --dataset ml-100k --user 42 -k 10",
        'recommend --like "Toy Story" --like Alien --dislike "Speed (1994)"',
        "recommend --user 42 --format csv --output for-42.csv",
        "recommend --histories last-night.csv --output lists.parquet -k 20",
        'recommend --user 42 --where "release_year >= 1990 AND class CONTAINS Comedy" --without sold-out.txt',
        "recommend --user 42 --at-most 2 --per class --diversity 0.3",
    )
)
def recommend(
    dataset: DatasetOption = None,
    variant: VariantOption = None,
    user: UserOption = None,
    like: LikeOption = None,
    dislike: DislikeOption = None,
    histories: HistoriesOption = None,
    unknown_items: UnknownOption = "skip",
    count: CountOption = 10,
    only: OnlyOption = None,
    without: WithoutOption = None,
    where: WhereOption = None,
    at_most: AtMostOption = None,
    per: PerOption = None,
    diversity: DiversityOption = None,
    seen: SeenOption = None,
    rules: RulesOption = True,
    form: FormatOption = None,
    output: OutputOption = None,
    quote_formulas: QuoteOption = True,
) -> None:
    """Recommend items to a user, to anybody whose likes you name, or to everybody in a file of ratings. Each item comes with its score and
    the reasons for it.

    With --histories, Parquet output has the columns of the nightly table (user_id, rank, item_id, score, reasons) and is the fastest for
    many people; CSV and JSON have a sentence instead of the list of reasons.
    """
    from stages.cli.ask.rules import RuleOptions

    _not_over(output, histories, *(only or []), *(without or []))
    options = RuleOptions(only, without, where, at_most, per, diversity, seen, rules)
    if histories is not None:
        from stages.cli.ask.many import recommend_to_many

        if user is not None or like or dislike:
            raise InputError("--histories: found --user, --like or --dislike as well, expected one of the two")
        form = _form(form, output)
        answer = recommend_to_many(
            dataset,
            variant,
            Path(histories),
            count,
            options,
            nested=form == "parquet",
            refuse_unknown=unknown_items == "refuse",
        )
        _give(answer, form, output, quote_formulas)
        return
    from stages.cli.ask.recommend import recommend

    _give(recommend(dataset, variant, user, like or [], dislike or [], count, options), form, output, quote_formulas)


@app.command(
    epilog=examples(
        "explain --user 42 --item 313",
        'explain --user 42 --item "Titanic (1997)" --parts 100',
        'explain --like Alien --dislike Speed --item "blade runner"',
        'explain --user 42 --item "Titanic (1997)" --entities',
        'explain --user 42 --why-not "Titanic (1997)" -k 20',
    )
)
def explain(
    item: Annotated[str | None, typer.Option("--item", help="Title or id of an item.")] = None,
    why_not: Annotated[
        str | None,
        typer.Option(
            "--why-not",
            metavar="ITEM",
            help="Instead of --item: say why this item is not in the list of `recommend` with these options: a rule, an earlier rating, "
            "or its score, compared with that of the last item in the list.",
        ),
    ] = None,
    dataset: DatasetOption = None,
    variant: VariantOption = None,
    user: UserOption = None,
    like: LikeOption = None,
    dislike: DislikeOption = None,
    parts: Annotated[int, typer.Option("--parts", min=1, help="How many contributions of each kind to list.")] = 10,
    paths: Annotated[
        int,
        typer.Option(
            "--paths",
            min=0,
            help="For how many of these items to show what they share with ITEM in the knowledge graph.",
        ),
    ] = 3,
    entities: Annotated[
        bool,
        typer.Option(
            "--entities",
            help="Split the same score by what ITEM shares with the history in the graph: one line per entity.",
        ),
    ] = False,
    count: Annotated[
        int, typer.Option("-k", "--count", min=1, max=10_000, help="With --why-not: number of items in the list.")
    ] = 10,
    only: OnlyOption = None,
    without: WithoutOption = None,
    where: WhereOption = None,
    at_most: AtMostOption = None,
    per: PerOption = None,
    diversity: DiversityOption = None,
    seen: SeenOption = None,
    rules: RulesOption = True,
    form: FormatOption = None,
    output: OutputOption = None,
    quote_formulas: QuoteOption = True,
) -> None:
    """Explain an item's score: every contribution to it, and how the item is connected to the history in the knowledge graph. Or say why
    an item is not in a list.
    """
    asked = dataset, variant, user, like or [], dislike or []
    if item is None:
        from stages.cli.ask.rules import RuleOptions
        from stages.cli.ask.why_not import why_not as explain_why_not

        if why_not is None:
            raise InputError("found no item, expected --item or --why-not with a title or id")
        if entities:
            raise InputError("--entities: found --why-not as well, expected --item")
        options = RuleOptions(only, without, where, at_most, per, diversity, seen, rules)
        _give(explain_why_not(*asked, why_not, count, parts, options), form, output, quote_formulas)
        return
    if why_not is not None:
        raise InputError("--why-not: found --item as well, expected one of the two")
    if entities:
        from stages.cli.ask.by_entity import explain_by_entity

        _give(explain_by_entity(*asked, item, parts), form, output, quote_formulas)
        return
    from stages.cli.ask.explain import explain

    _give(explain(*asked, item, parts, paths), form, output, quote_formulas)


@app.command(epilog=examples('similar --item "Toy Story" --by text', "similar --item id:1 --by structure -k 20"))
def similar(
    item: ItemOption,
    dataset: DatasetOption = None,
    by: Annotated[
        Literal["text", "structure", "both"],
        typer.Option("--by", help="Compare by text, by place in the graph (structure), or by both."),
    ] = "both",
    count: CountOption = 10,
    form: FormatOption = None,
    output: OutputOption = None,
    quote_formulas: QuoteOption = True,
) -> None:
    """Find items that are similar to an item."""
    from stages.cli.ask.similar import similar

    _give(similar(dataset, item, by, count), form, output, quote_formulas)


@app.command(epilog=examples("tune --dataset ml-100k --trials 30", "tune --dataset ml-100k --system als --trials 30"))
def tune(
    dataset: Annotated[str, typer.Option("--dataset", help="A data set in params.yaml.")],
    system: Annotated[
        str | None,
        typer.Option(
            "--system", help="A variant or a baseline; by default the first in `run_variants` of params.yaml."
        ),
    ] = None,
    trials: Annotated[
        int,
        typer.Option(
            "--trials",
            min=1,
            help="Number of trials in all, including earlier runs; the first one is the default settings.",
        ),
    ] = 30,
    at_once: Annotated[
        int,
        typer.Option(
            "--at-once",
            min=1,
            help="How many settings are drawn before any of them is tried; with `engine: ray` this many workers try them. "
            "The result depends on this number.",
        ),
    ] = 1,
) -> None:
    """Search for better settings of a system on a data set, using only the validation split, and write them into params.yaml."""
    from stages.cli.tune import tune

    tune(dataset, system, trials, at_once)


def _form(form: Form | None, output: str | None) -> Form:
    # A path forgets that a folder was meant.
    if output is not None and output.endswith("/"):
        raise InputError(f"--output {output}: found a folder, expected a file")
    named = "" if output is None else Path(output).suffix.removeprefix(".").lower()
    of_name: Form = next((one for one in get_args(Form) if one == named), "table")
    return form or of_name


def _not_over(output: str | None, *read: str | None) -> None:
    """Refuse to write over a file that the answer is made of, or that DVC goes by."""
    for file in (*OF_THE_PIPELINE, *read):
        if output is not None and file is not None and os.path.realpath(output) == os.path.realpath(file):
            raise InputError(f"--output {output}: found a file that the answer is made of, expected another one")


def _give(answer: Answer, form: Form | None, output: str | None, quote_formulas: bool) -> None:
    _not_over(output)
    answer.give(_form(form, output), None if output is None else Path(output), quote_formulas)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point. Exit codes as in `stages.guard`."""
    run_app(app, "crmman", arguments)
