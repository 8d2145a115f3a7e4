"""From an item's columns to the text BERT reads, with missing fields left out cleanly."""

from __future__ import annotations

import re
import string

import polars as pl

from pipeline.errors import InputError

# Stands for a missing field while the text around it is tidied; it cannot occur in text.
GAP = "\0"
_BRACKETED_GAP = re.compile(r"\s*(?:\(\s*\0\s*\)|\[\s*\0\s*\]|\{\s*\0\s*\}|<\s*\0\s*>|\"\s*\0\s*\"|'\s*\0\s*')")
_LEADING_GAP = re.compile(r"^[\s\0]*\0\s*[,;:.|/\-–—]*\s*")
_TRAILING_GAP = re.compile(r"\s*[,;:|/\-–—]*\s*\0\s*[.,;:|/\-–—]*\s*$")
_INNER_GAP = re.compile(r"\s*\0[,;:.|/\-–—]*(?=\s|$|\0)|\0")


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
    """Fill a template; an empty value goes, with the brackets and separators that were there for its sake.

    >>> render("{title} ({year}). {genres}", {"title": "Heat", "year": "", "genres": "Crime"})
    'Heat. Crime'
    """
    fields = template_fields(template)
    if not any(values[name].strip() for name in fields):
        return ""
    text = template.format_map({name: values[name].strip().replace(GAP, "") or GAP for name in fields})
    if GAP not in text:
        return text.strip()
    text = _BRACKETED_GAP.sub(GAP, text)
    before = None
    while before != text:
        before = text
        text = _LEADING_GAP.sub("", text)
        text = _TRAILING_GAP.sub("", text)
    # "A, \0, C": the separator behind the gap goes with it; "A \0. C": the full stop ends A.
    text = re.sub(r"(?<=[\w\)\]])\s*\0+(?=[.])", "", text)
    return _INNER_GAP.sub("", text).strip()


def item_texts(items: pl.DataFrame, template: str) -> list[str]:
    """One text per row of ``items``; an empty one where every field is missing.

    Raises:
        InputError: the template names a column that the items lack.
    """
    fields = template_fields(template)
    for name in fields:
        if name not in items.columns:
            known = ", ".join(column for column in items.columns if column != "item")
            raise InputError(f"text_template: column {name}: not found among the items' columns; expected: {known}")
    columns = [_as_text(items[name]) for name in fields]
    return [render(template, dict(zip(fields, row, strict=True))) for row in zip(*columns, strict=True)]


def _as_text(column: pl.Series) -> list[str]:
    if isinstance(column.dtype, pl.List):
        column = column.list.eval(pl.element().cast(pl.String)).list.join(", ")
    elif column.dtype.is_float():
        # A year read as 1995.0 is 1995.
        whole = column.cast(pl.Int64, strict=False)
        if (whole.cast(pl.Float64) == column).fill_null(True).all():
            column = whole
    return ["" if value is None else str(value) for value in column.cast(pl.String)]
