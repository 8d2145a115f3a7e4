"""Which columns of the items hold their titles and years, whatever the source calls them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

TITLES = ("title", "name", "label", "headline", "titel", "nombre", "nom", "titulo", "titre")
YEARS = ("year", "jahr", "released", "publicationyear", "releaseyear", "yearofpublication")
# Who published something, where it is not its title.
OF_MANY = ("label",)
# Share of different values from which on a column can tell items apart.
DIFFERENT = 0.5


def title_column(items: pl.DataFrame, among: Sequence[str] | None = None) -> str | None:
    """The column with the items' titles: the one called so (`called_title`); else the text that tells the items best apart, the
    shorter of two; else any that is called so; else none, and items go by their ids.

    Args:
        items: item_id and any other columns.
        among: columns that can be it; all texts, if not given.
    """
    texts = [
        name
        for name in (items.columns if among is None else among)
        if items.schema[name] in (pl.String, pl.Categorical, pl.Enum) and name != "item_id"
    ]
    called = called_title(items, texts)
    if called is not None:
        return called
    apart = {name: _apart(items, name) for name in texts}
    telling = [name for name in texts if apart[name] >= DIFFERENT]
    best = max(telling, key=lambda name: (round(apart[name], 2), -mean_length(items[name])), default=None)
    return best or next(iter(_called(texts)), None)


def called_title(items: pl.DataFrame, names: Sequence[str]) -> str | None:
    """The column that is called a title and tells items apart: the `label` or `artist_name` of an album does not, its `album_name`
    does. Else the one that is called a title and nothing more, though many items have the same.

    Args:
        names: columns that can be it.
    """
    called = _called(names)
    apart = {name: _apart(items, name) for name in called}
    telling = [name for name in called if apart[name] >= DIFFERENT]
    if telling:
        # Of those that are called alike, such as artist_name and track_name, the one that tells most.
        return min(telling, key=lambda name: (called[name], -apart[name]))
    return next((name for name in called if _plain(name) in TITLES and _plain(name) not in OF_MANY), None)


def _called(names: Sequence[str]) -> dict[str, int]:
    """Those that are one for titles, best first, each with its place among the ways to be so: called a title (`TITLES`, the first of
    these words first), with such a word in the name, ending in "title" or "name".
    """
    found = {}
    for name in names:
        plain, words = _plain(name), _words(name)
        fits = [plain == word for word in TITLES] + [word in words for word in TITLES]
        fits.append(name.lower().endswith(("title", "name")))
        if any(fits):
            found[name] = fits.index(True)
    return dict(sorted(found.items(), key=lambda one: one[1]))


def _apart(items: pl.DataFrame, name: str) -> float:
    """Share of different values."""
    return items[name].drop_nulls().n_unique() / max(len(items), 1)


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
