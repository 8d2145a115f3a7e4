"""The command line `crmman`: ask a trained model for recommendations, their reasons, and what is like what.

This module imports nothing heavy: each verb loads what it needs when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from pipeline.errors import InputError
from stages.data_cli import data_app

USER_MISTAKE = 2
# Of every mistake in options and arguments; typer gives it no public name of its own.
UsageError = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="crmman", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.add_typer(data_app, name="data")


@app.callback()
def crmman() -> None:
    """A recommender that knows why people like things and why they dislike them.

    Run it where params.yaml is, once `dvc repro` has trained a model.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point. Exit code 0; 2 and one line on stderr for a user's mistake; 1 when stopped on the way."""
    command = typer.main.get_command(app)
    try:
        code = command.main(None if arguments is None else list(arguments), prog_name="crmman", standalone_mode=False)
        sys.stdout.flush()
    except (UsageError, InputError) as error:
        text = error.format_message() if isinstance(error, UsageError) else str(error)  # type: ignore[attr-defined]
        print(f"error: {' '.join(text.split())}", file=sys.stderr)
        raise SystemExit(USER_MISTAKE) from None
    except (typer.Abort, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
        raise SystemExit(1) from None
    except BrokenPipeError:
        # Whoever read our output (`| head`) has had enough; Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    raise SystemExit(code or 0)


if __name__ == "__main__":
    main()
