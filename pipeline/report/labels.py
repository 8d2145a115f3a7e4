"""What items are called in the report, and by which column they are coloured.

Tables carry whatever columns their source has, so both are found by rule. That of the title is `pipeline.text.title`'s. The genre is
the first of several values in a column that has few of them: 2 to `GENRES_AT_MOST` different first values, each of
`ITEMS_PER_GENRE` items on average, in at least half of the items; years and other numbers do not count. A column that is
named like a genre is taken first, then the first one of the table.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

import polars as pl

from pipeline.common.errors import LONGEST_TITLE, shortened
from pipeline.text.template import item_texts, template_fields
from pipeline.text.title import title_column

GENRE = re.compile(r"genre|class|categor|tag|type|subject|cuisine", re.IGNORECASE)
GENRES_AT_MOST, ITEMS_PER_GENRE = 60, 3
SEPARATORS = re.compile(r"\s*[|;,/]\s*")
NUMBER = re.compile(r"[-+\d.,\s]*")


class Labels(NamedTuple):
    """
    Attributes:
        titles: of each item; its id where the title is empty. All texts are cut at `LONGEST_TITLE`: a page has them many times.
        details: of each item, what else its text says of it; may be empty.
        genres: of each item; empty where it has none.
        genre_column: None where no column can serve, and `genres` are all empty.
    """

    titles: list[str]
    details: list[str]
    genres: list[str]
    genre_column: str | None


def labels_of(items: pl.DataFrame, template: str | None) -> Labels:
    """
    Args:
        items: item, item_id and any other columns.
        template: the text template, or None.

    Raises:
        InputError: the template names a column that the items lack, or one that is no text.
    """
    title = title_column(items) or "item_id"
    details = [name for name in template_fields(template) if name != title] if template else []
    shown = [item_texts(items, f"{{{name}}}") for name in dict.fromkeys(details)]
    genre = genre_column(items, title)
    titles = _texts(items, title)
    return Labels(
        [_cut(text or identity) for text, identity in zip(titles, items["item_id"].to_list(), strict=True)],
        [_cut(" · ".join(part for part in row if part)) for row in zip(*shown, strict=True)] or [""] * len(items),
        [_cut(value) for value in first_values(_texts(items, genre))] if genre else [""] * len(items),
        genre,
    )


def _cut(text: str) -> str:
    return shortened(text, LONGEST_TITLE)


def genre_column(items: pl.DataFrame, title: str) -> str | None:
    """The column whose first values colour the items; None where none can serve."""
    candidates = [name for name in _text_columns(items) if name != title and _like_genres(items, name)]
    return next((name for name in candidates if GENRE.search(name)), candidates[0] if candidates else None)


def first_values(texts: list[str]) -> list[str]:
    """The first of each text's values: up to a separator where the column has any; else up to a space, if there are few words."""
    if any(SEPARATORS.search(text) for text in texts):
        return [SEPARATORS.split(text.strip(" |;,/"))[0] for text in texts]
    words = {word for text in texts for word in text.split()}
    if len(words) <= GENRES_AT_MOST and len(words) < len(set(texts)):
        return [text.split()[0] if text.strip() else "" for text in texts]
    return [text.strip() for text in texts]


def _texts(items: pl.DataFrame, column: str) -> list[str]:
    # Not every column has a name that could stand in a template.
    return item_texts(items.select(pl.col(column).alias("text")), "{text}")


def _text_columns(items: pl.DataFrame) -> list[str]:
    return [
        name
        for name, dtype in items.schema.items()
        if name not in ("item", "item_id") and dtype in (pl.String, pl.Categorical, pl.List(pl.String))
    ]


def _like_genres(items: pl.DataFrame, name: str) -> bool:
    found = Counter(value for value in first_values(_texts(items, name)) if value)
    present = sum(found.values())
    if all(NUMBER.fullmatch(value) for value in found):
        return False
    return 2 <= len(found) <= min(GENRES_AT_MOST, present // ITEMS_PER_GENRE) and 2 * present >= len(items)
