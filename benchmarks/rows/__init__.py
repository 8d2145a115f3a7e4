"""The benchmarks, a file for each stage of the pipeline: a module here with its `CASES`, and its name below."""

from __future__ import annotations

from importlib import import_module

from benchmarks.case import Case

ROWS = (
    "embed_text",
    "build_graph",
    "init_sdne",
    "train_gat",
    "train_users",
    "evaluate",
    "recommend",
    "repro",
)


def module(name: str) -> str:
    return f"benchmarks.rows.{name}"


def cases(name: str) -> tuple[Case, ...]:
    """What a module measures. Importing it must not import what its ways need: that is measured, and part of their memory."""
    found: tuple[Case, ...] = import_module(module(name)).CASES
    return found
