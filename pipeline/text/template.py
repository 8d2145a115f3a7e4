"""From an item's columns to the text BERT reads, with missing fields left out cleanly."""

from __future__ import annotations

import re
import string

import polars as pl

from pipeline.common.errors import InputError

# While what stands around missing fields is tidied, one character stands for a missing field and one for a present
# one, so that no text of an item is ever touched.
GAP, TEXT = "\0", "\1"
# A whole number as a program writes it that has no other for columns with missing values.
WHOLE = r"^\s*-?\d+\.0+\s*$"
_SEPARATORS = r"[,;:.|/\-–—]"
_SEPARATED = rf"\s*{_SEPARATORS}*\s*"
_LABEL = re.compile(r"\w[\w\s'&/-]*:?\s*\0")
_BRACKETED_GAP = re.compile(r"\s*(?:\(\s*\0\s*\)|\[\s*\0\s*\]|\{\s*\0\s*\}|<\s*\0\s*>|\"\s*\0\s*\"|'\s*\0\s*')")
_GAPS_IN_A_ROW = re.compile(rf"\0(?:{_SEPARATED}\0)+")
_LEADING_GAP = re.compile(rf"(^|[(\[{{<])\s*\0{_SEPARATED}")
# A full stop before the gap ends the text before it and stays.
_TRAILING_GAP = re.compile(rf"\s*[,;:|/\-–—]*\s*\0{_SEPARATED}($|[)\]}}>])")
_INNER_GAP = re.compile(rf"({_SEPARATED})\0({_SEPARATED})")


def template_fields(template: str) -> list[str]:
    """Names of the columns in a template such as ``"{title} ({year}). {genres}"``.

    Raises:
        InputError: the template is malformed, has no field, or a field with a format or an index.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise InputError(f"text_template: found {template!r}: {error}; expected column names in braces") from None
    names = [name for _, name, _, _ in parts if name is not None]
    for _, name, form, conversion in parts:
        if name is not None and (not name or form or conversion or not name.replace(" ", "_").isidentifier()):
            raise InputError(
                f"text_template: found {template!r}; expected plain column names in braces, such as {{title}}"
            )
    if not names:
        raise InputError(
            f"text_template: found {template!r} without a field; expected at least one column name in braces"
        )
    return names


def render(template: str, values: dict[str, str]) -> str:
    """Fill a template; an empty value goes, with the words, brackets and separators that were there for its sake.

    >>> render("{title} ({year}). {genres}", {"title": "Heat", "year": "", "genres": "Crime"})
    'Heat. Crime'
    >>> render("{title} by {author}", {"title": "Emma", "author": ""})
    'Emma'
    """
    fields = template_fields(template)
    texts = [values[name].strip() for name in fields]
    if not any(texts):
        return ""
    if all(texts):
        return template.format_map(dict(zip(fields, texts, strict=True))).strip()
    marks = {name: TEXT if text else GAP for name, text in zip(fields, texts, strict=True)}
    around = _without_gaps(template.replace(GAP, "").replace(TEXT, "").format_map(marks))
    present = (text for text in texts if text)
    return re.sub(rf"{TEXT}(?:\.(?!\S))?", lambda found: _ended(next(present), found[0][1:]), around)


def _without_gaps(text: str) -> str:
    text = _LABEL.sub(GAP, text)
    before = None
    while before != text:
        before = text
        text = _BRACKETED_GAP.sub(GAP, _GAPS_IN_A_ROW.sub(GAP, text))
    text = _LEADING_GAP.sub(r"\1", text)
    text = _TRAILING_GAP.sub(r"\1", text)
    return _INNER_GAP.sub(_one_separator, text).strip()


def _one_separator(found: re.Match[str]) -> str:
    r"""Of the separators on both sides of a gap, one stays: "A, \0, C" is "A, C"."""
    left, right = found[1], found[2]
    return next((separator for separator in (left, right) if separator.strip()), left or right)


def _ended(text: str, stop: str) -> str:
    """A text that ends a sentence itself ("Mother!") takes no further full stop."""
    return text if text.endswith((".", "!", "?", "…")) else text + stop


def item_texts(items: pl.DataFrame, template: str | None) -> list[str]:
    """One text per row of ``items``; an empty one where every field is missing, or where there is no template.

    Raises:
        InputError: the template names a column that the items lack, or one that is no text.
    """
    if template is None:
        return [""] * len(items)
    fields = template_fields(template)
    for name in fields:
        if name not in items.columns:
            known = ", ".join(column for column in items.columns if column != "item")
            raise InputError(f"text_template: column {name}: not found among the items' columns; expected: {known}")
    columns = [_as_text(items[name]) for name in fields]
    return [render(template, dict(zip(fields, row, strict=True))) for row in zip(*columns, strict=True)]


def _as_text(column: pl.Series) -> list[str]:
    inner = column.dtype.inner if isinstance(column.dtype, pl.List) else column.dtype
    if inner in (pl.Binary, pl.Struct, pl.Object) or inner.is_nested():
        raise InputError(
            f"text_template: column {column.name}: found type {column.dtype}, expected text, numbers, dates or lists of these"
        )
    if isinstance(column.dtype, pl.List):
        column = column.list.eval(pl.element().cast(pl.String)).list.join(", ")
    elif column.dtype.is_float():
        # A year read as 1995.0 is 1995.
        whole = column.cast(pl.Int64, strict=False)
        if (whole.cast(pl.Float64) == column).fill_null(True).all():
            column = whole
    elif column.dtype == pl.String and (column.str.contains(WHOLE) | (column == "")).fill_null(value=True).all():
        # As it stands in a text file, where some have no year.
        column = column.str.replace(r"\.0+\s*$", "")
    return ["" if value is None else str(value) for value in column.cast(pl.String)]
