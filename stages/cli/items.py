"""`crmman items`: items that came after training, brought into the trained models without training.

This module imports nothing heavy: each verb loads what it needs when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stages.cli.help import examples
from stages.guard import show

items_app = typer.Typer(rich_markup_mode=None)

DatasetOption = Annotated[
    str | None, typer.Option("--dataset", help="A data set in params.yaml; by default the first one.")
]


@items_app.callback(
    invoke_without_command=True, epilog=examples("items add new-books", "items list", "items remove b17")
)
def items(context: typer.Context) -> None:
    """Items that came after training: once added, they are recommended and explained at once."""
    if context.invoked_subcommand is None:
        show(context.get_help())


@items_app.command("add", epilog=examples("items add new-books", "items add new-books --dataset recipes"))
def add(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder with the tables of the new items.", show_default=False)
    ],
    dataset: DatasetOption = None,
) -> None:
    """Add items that the models were not trained on. Nothing is trained; all commands know the items from now on.

    The folder has the table items (item_id and the columns of the data set's items) and, if you have them, kg (head, relation, tail) and
    item_entities (item_id, entity_id), in any format that a data set's tables may have. If the data set's graph is made from columns
    (facts), items is enough. If the data set has vectors (source.vectors), those of the new items can be in the folder under the same
    names. An item that was added before is replaced; an item that the data set already has is an error.

    The next `dvc repro` also recommends the items to everybody. Once they are in the data set's own tables and `dvc repro` has trained on
    them, they no longer count as added.
    """
    from stages.cli.added.add import add_items

    add_items(dataset, folder)


@items_app.command("list", epilog=examples("items list"))
def listed(dataset: DatasetOption = None) -> None:
    """List the added items."""
    from stages.cli.added.add import list_items

    list_items(dataset)


@items_app.command("remove", epilog=examples("items remove b17 b18"))
def remove(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of added items.", show_default=False)],
    dataset: DatasetOption = None,
) -> None:
    """Remove added items."""
    from stages.cli.added.add import remove_items

    remove_items(dataset, ids)
