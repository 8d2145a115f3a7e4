"""Which columns of the items hold their titles and years, whatever the source calls them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

TITLES = ("title", "name", "label", "headline", "titel", "nombre", "nom", "titulo", "titre")
YEARS = ("year", "jahr", "released", "publicationyear", "releaseyear", "yearofpublication")
# Share of different values from which on a column can tell items apart.
DIFFERENT = 0.5


def title_column(items: pl.DataFrame, among: Sequence[str] | None = None) -> str | None:
    """The column with the items' titles: the one called so (`TITLES`, the first of these words first); else one with such a word in
    its name, or one that ends in "title" or "name"; else the text that tells the items best apart, the shorter of two; else none,
    and items go by their ids.

    Args:
        items: item_id and any other columns.
        among: columns that can be it; all texts, if not given.
    """
    texts = [
        name
        for name in (items.columns if among is None else among)
        if items.schema[name] in (pl.String, pl.Categorical, pl.Enum) and name != "item_id"
    ]
    called = called_title(texts)
    if called is not None:
        return called
    apart = {name: items[name].drop_nulls().n_unique() / max(len(items), 1) for name in texts}
    telling = [name for name in texts if apart[name] >= DIFFERENT]
    return max(telling, key=lambda name: (round(apart[name], 2), -mean_length(items[name])), default=None)


def called_title(names: Sequence[str]) -> str | None:
    """The name among several that is one for titles, best first."""
    for word in TITLES:
        for name in names:
            if _plain(name) == word:
                return name
    for word in TITLES:
        for name in names:
            if word in _words(name):
                return name
    return next((name for name in names if name.lower().endswith(("title", "name"))), None)


def year_column(items: pl.DataFrame, among: Sequence[str] | None = None) -> str | None:
    """The first column that is called a year (`YEARS`) or has the word in its name, such as `release_year`."""
    names = items.columns if among is None else among
    return next((name for name in names if _plain(name) in YEARS or "year" in _words(name)), None)


def mean_length(column: pl.Series) -> float:
    """Letters of a column of texts, or of lists of texts."""
    text = column.list.join(", ") if column.dtype == pl.List(pl.String) else column.cast(pl.String)
    return float(text.str.len_chars().mean() or 0)  # type: ignore[arg-type]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _words(name: str) -> list[str]:
    return re.split(r"[\W_]+", name.lower())
