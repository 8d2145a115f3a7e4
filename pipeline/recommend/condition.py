"""Which items a condition on their columns holds of: `year >= 1990 AND genres CONTAINS Comedy`.

It is an expression of polars' SQL, which polars reads and computes. Before that it is taken apart, and nothing but columns, numbers, texts
and the words below is let through: polars' SQL opens any file that a subquery names (`... FROM read_csv('...')`).

    comparisons   = <> != < <= > >=   BETWEEN a AND b   IN (a, b)   IS NULL
    text          LIKE 'The %', ILIKE whatever the case
    lists, text   CONTAINS Comedy: an element of the list, a part of the text
    together      AND, OR, NOT and brackets
    values        1990, 'text', TRUE, FALSE, DATE '2024-01-31'; + - * / % and `FUNCTIONS`

A date is '2024-01-31' or '2024-01-31 10:30' beside a column of dates, as a text is beside one of texts, so that the same condition holds
whatever file the items came in; and DATE '2024-01-31' beside a column of texts takes these as dates.
"""

from __future__ import annotations

import difflib
import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from pipeline.common.errors import InputError, quoted, shortened
from pipeline.data.dates import seconds_of
from pipeline.data.elements import elements_of, numbers_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORDS = ("AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "ILIKE", "BETWEEN", "TRUE", "FALSE")
FUNCTIONS = ("LOWER", "UPPER", "LENGTH", "ARRAY_LENGTH", "COALESCE", "ABS")
EXAMPLE = "year >= 1990 AND genres CONTAINS 'Comedy'"
# Columns, words and signs of a condition, values aside: what polars needs for many in a row grows with their cube.
LONGEST = 300

_TOKEN = re.compile(
    r"""(?P<text>'(?:[^']|'')*')|(?P<name>"(?:[^"]|"")+")|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?!\w))"""
    r"""|(?P<word>[^\W\d]\w*)|(?P<sign><=|>=|<>|!=|==|[=<>(),+\-*/%])|(?P<other>\S)"""
)
_VALUES = ("text", "number")
_COMPARISONS = ("=", "==", "!=", "<>", "<", "<=", ">", ">=")


class _Token(NamedTuple):
    """A part of a condition; of which kind says the group of `_TOKEN` that it is."""

    text: str
    kind: str

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.upper() in words


def holds_of(condition: str, items: pl.DataFrame) -> NDArray[np.bool_]:
    """Whether a condition holds of each item, (M,); it does not where a column that it needs has nothing.

    Beside a number, text counts as the number that it is, and as nothing where it is none.

    Args:
        items: item_id and any other columns.

    Raises:
        InputError: it is no condition, names a column that is not there, or compares what cannot be compared.
    """
    try:
        condition.encode()
    except UnicodeEncodeError:
        raise InputError(f"found {quoted(condition)}, expected UTF-8 text") from None
    reader = _Reader(condition, items)
    sql = reader.sql()
    try:
        # In brackets, since a word at the end would be a name for the whole; and without, since those within must be pairs.
        _, expression = pl.sql_expr(f"( {sql} )"), pl.sql_expr(sql)
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"found {quoted(condition)}, expected a condition such as {EXAMPLE}; reading it: {_first_line(error)}"
        ) from None
    try:
        found = reader.frame.select(expression.alias("holds"))["holds"]
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"found {quoted(condition)}, expected numbers compared with numbers, texts with 'texts' and dates with '2024-01-31': "
            f"{_first_line(error)}; columns: {reader.known}"
        ) from None
    if _compares_dates_with_numbers(expression, reader.frame):
        raise InputError(
            f"found {quoted(condition)}, which compares a date with a number, expected a date such as '2024-01-31'; "
            f"columns: {reader.known}"
        )
    if found.dtype != pl.Boolean or len(found) != len(items):
        raise InputError(
            f"found {quoted(condition)}, expected what is true or false for each item, such as {EXAMPLE}; columns: {reader.known}"
        )
    holds: NDArray[np.bool_] = found.fill_null(False).to_numpy()
    return holds


def _compares_dates_with_numbers(expression: pl.Expr, frame: pl.DataFrame) -> bool:
    """Whether it does anywhere within: polars would take the date as the days, or the microseconds, since 1970."""
    if not any(dtype.is_temporal() for dtype in frame.dtypes):
        return False
    rows, left = frame.lazy(), [expression]
    while left:
        operands = left.pop().meta.pop()
        dtypes = [rows.select(operand).collect_schema().dtypes()[0] for operand in operands]
        if any(dtype.is_temporal() for dtype in dtypes) and any(dtype.is_numeric() for dtype in dtypes):
            return True
        left += operands
    return False


class _Reader:
    """A condition as SQL.

    Attributes:
        frame: the columns that the SQL is about.
    """

    def __init__(self, condition: str, items: pl.DataFrame) -> None:
        self._condition = condition
        self._tokens = [_Token(found[0], str(found.lastgroup)) for found in _TOKEN.finditer(condition)]
        self.frame = pl.DataFrame([column for name in items.columns if (column := _read(items[name])) is not None])
        self._columns = list(self.frame.columns)
        # By its place: what a text is written as that is a date; columns of texts that are to be read as dates.
        self._dates: dict[int, str] = {}
        self._of_dates: set[int] = set()

    @property
    def known(self) -> str:
        """The columns and what they hold."""
        return shortened(", ".join(f"{name} ({_kind(self.frame[name])})" for name in self._columns), 600)

    def sql(self) -> str:
        """
        Raises:
            InputError: there is something in it that is not let through, or too much.
        """
        if sum(token.kind not in _VALUES and token.text != "," for token in self._tokens) > LONGEST:
            raise InputError(
                f"found more than {LONGEST} words and signs, expected fewer; IN (a, b, ...) takes any number of values"
            )
        self._read_dates()
        written: list[str] = []
        place = 0
        while place < len(self._tokens):
            token, following = self._tokens[place], self._at(place + 1)
            if token.kind in ("sign", *_VALUES) or token.is_word(*WORDS):
                written.append(self._dates.get(place, token.text))
            elif token.is_word("DATE") and following.kind == "text":
                written.append("" if place + 1 in self._dates else "DATE")
            elif token.kind == "word" and following.text == "(":
                written.append(self._function(token.text))
            elif token.kind in ("word", "name"):
                name = self._column(token)
                inverse = following.is_word("NOT") and self._at(place + 2).is_word("CONTAINS")
                if inverse or following.is_word("CONTAINS"):
                    place += 3 if inverse else 2
                    name = self._containing(name, self._at(place))
                    written += ["NOT"] if inverse else []
                elif isinstance(self.frame[name].dtype, pl.List) and (
                    following.is_word("IN") or (following.is_word("NOT") and self._at(place + 2).is_word("IN"))
                ):
                    # Polars would ask whether the whole list is that of the brackets.
                    raise InputError(
                        f"found {name} IN in {quoted(self._condition)}, expected {name} CONTAINS 'a' OR {name} CONTAINS 'b': "
                        f"{name} has lists"
                    )
                elif self._is_beside_a_number(place):
                    name = self._as_number(name)
                elif place in self._of_dates:
                    name = self._as_dates(name)
                written.append(_as_name(name))
            elif token.text in "'\"":
                raise InputError(f"found {quoted(self._condition)}, in which a quote is not closed")
            else:
                raise InputError(
                    f"found {quoted(token.text)} in {quoted(self._condition)}, expected columns, numbers, texts in single quotes, "
                    f"and operators, such as {EXAMPLE}"
                )
            place += 1
        return " ".join(written)

    def _read_dates(self) -> None:
        """Find what texts are dates, and what columns of texts are to be read as such.

        Raises:
            InputError: a text beside a column of dates is none.
        """
        for place, token in enumerate(self._tokens):
            is_column = token.kind == "name" or (token.kind == "word" and not token.is_word(*WORDS))
            name = self._find(token) if is_column and self._at(place + 1).text != "(" else None
            if name is None:
                continue
            texts = self._compared_with(place)
            of_dates = self.frame[name].dtype in (pl.Date, pl.Datetime)
            if self.frame[name].dtype == pl.String and any(self._at(one - 1).is_word("DATE") for one in texts):
                self._of_dates.add(place)
                of_dates = True
            for one in texts if of_dates else ():
                text = self._at(one).text[1:-1]
                time = _times(pl.Series([text]))[0]
                if time is None:
                    raise InputError(
                        f"found {quoted(text)} beside {name} in {quoted(self._condition)}, expected a date such as '2024-01-31'"
                    )
                self._dates[one] = f"TIMESTAMP '{time:%Y-%m-%d %H:%M:%S.%f}'"

    def _compared_with(self, place: int) -> list[int]:
        """Where the texts are that a column is compared with, those of dates (DATE '...') included."""
        after = place + 1 + self._at(place + 1).is_word("NOT")
        found = [place - 2] if self._at(place - 1).text in _COMPARISONS else []
        if self._at(after).text in _COMPARISONS:
            found.append(self._text_from(after + 1))
        elif self._at(after).is_word("BETWEEN"):
            first = self._text_from(after + 1)
            found += [first, self._text_from(first + 2)]
        elif self._at(after).is_word("IN") and self._at(after + 1).text == "(":
            found.append(self._text_from(after + 2))
            while self._at(found[-1] + 1).text == ",":
                found.append(self._text_from(found[-1] + 2))
        return [one for one in found if self._at(one).kind == "text"]

    def _text_from(self, place: int) -> int:
        return place + self._at(place).is_word("DATE")

    def _as_dates(self, name: str) -> str:
        """The name of a further column, which has the times that the texts of a column are."""
        times = _times(self.frame[name])
        if times.null_count() == len(times):
            raise InputError(
                f"found {name} beside a date in {quoted(self._condition)}, expected a column with dates such as 2024-01-31 in it"
            )
        return self._further(f"{name} as dates", times)

    def _at(self, place: int) -> _Token:
        return self._tokens[place] if 0 <= place < len(self._tokens) else _Token("", "")

    def _is_beside_a_number(self, place: int) -> bool:
        """Whether a column is compared or put together with a number, or with a column of numbers."""
        before, function = self._at(place - 1), self._at(place - 2)
        if before.text == "(" and (
            function.is_word("ABS") or (function.is_word("COALESCE") and self._is_number(place + 2))
        ):
            return True
        if before.kind == "sign" and before.text not in "()," and self._is_number(place - 2):
            return True
        after = place + 1 + self._at(place + 1).is_word("NOT")
        if self._at(after).is_word("IN") and self._at(after + 1).text == "(":
            after += 1
        elif not self._at(after).is_word("BETWEEN") and (
            self._at(after).kind != "sign" or self._at(after).text in "(),"
        ):
            return False
        return self._is_number(after + 1 + (self._at(after + 1).text in ("+", "-")))

    def _is_number(self, place: int) -> bool:
        token = self._at(place)
        if token.kind not in ("word", "name") or token.is_word(*WORDS) or self._at(place + 1).text == "(":
            return token.kind == "number"
        return self._find(token) in self._numeric

    @cached_property
    def _numeric(self) -> set[str | None]:
        """Columns of numbers, and of texts that are all numbers."""
        return {name for name in self._columns if name != "item_id" and numbers_of(self.frame[name]) is not None}

    def _as_number(self, name: str) -> str:
        """The name of a further column, which has the numbers that the texts of a column are; its own where none is one."""
        column = self.frame[name]
        if column.dtype != pl.String or name == "item_id":
            return name
        numbers = column.str.strip_chars().cast(pl.Float64, strict=False)
        return name if numbers.null_count() == len(numbers) else self._further(f"{name} as number", numbers)

    def _further(self, name: str, column: pl.Series) -> str:
        while name in self.frame.columns:
            name += "+"
        self.frame = self.frame.with_columns(column.alias(name))
        return name

    def _column(self, token: _Token) -> str:
        found = self._find(token)
        if found is not None:
            return found
        name = _name_of(token)
        folded = {column.casefold(): column for column in self._columns}
        near = difflib.get_close_matches(name.casefold(), folded, n=1)
        hint = f" (did you mean {folded[near[0]]}?)" if near else ""
        raise InputError(
            f"found {quoted(name)} in {quoted(self._condition)}, expected a text in single quotes or one of the columns: "
            f"{self.known}{hint}"
        )

    def _find(self, token: _Token) -> str | None:
        """The column that a token is, whatever the case if there is but one."""
        name = _name_of(token)
        same = [column for column in self._columns if column.casefold() == name.casefold()]
        return name if name in self._columns else same[0] if len(same) == 1 else None

    def _function(self, name: str) -> str:
        if name.upper() not in FUNCTIONS:
            raise InputError(f"found the function {quoted(name)}, expected one of: {', '.join(FUNCTIONS)}")
        return name

    def _containing(self, name: str, value: _Token) -> str:
        """The name of a further column that says of which items a column contains a value."""
        column = self.frame[name]
        if value.kind not in ("word", *_VALUES):
            raise InputError(f"found {quoted(self._condition)}, expected a text after CONTAINS, such as {EXAMPLE}")
        wanted = value.text[1:-1].replace("''", "'") if value.kind == "text" else value.text
        if isinstance(column.dtype, pl.List) and column.dtype.inner.is_numeric():
            if value.kind != "number":
                raise InputError(
                    f"found {name} CONTAINS {quoted(wanted)}, expected a number: {name} has lists of numbers"
                )
            contains = column.cast(pl.List(pl.Float64)).list.contains(float(wanted))
        elif isinstance(column.dtype, pl.List):
            elements = elements_of(column)
            assert elements is not None
            contains = elements.list.contains(wanted)
        elif column.dtype == pl.String:
            contains = column.str.contains(wanted, literal=True)
        else:
            raise InputError(
                f"found {name} CONTAINS {quoted(wanted)}, expected a list or a text: {name} is a {_kind(column)}"
            )
        return self._further(f"{name} contains", contains.fill_null(False))


def _name_of(token: _Token) -> str:
    return token.text[1:-1].replace('""', '"') if token.kind == "name" else token.text


def _read(column: pl.Series) -> pl.Series | None:
    """A column as a condition reads it; None where it holds what nothing can be compared with."""
    dtype = column.dtype
    if isinstance(dtype, pl.Array):
        return column.arr.to_list()
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    if isinstance(dtype, pl.Datetime):
        return (column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if dtype.time_zone else column).cast(
            pl.Datetime("us")
        )
    return None if isinstance(dtype, pl.Struct) or dtype in (pl.Binary, pl.Object, pl.Duration) else column


def _times(texts: pl.Series) -> pl.Series:
    """As dates and times, in UTC where they say no other; null where one is none."""
    return (seconds_of(texts) * 1e6).cast(pl.Int64).cast(pl.Datetime("us"))


def _kind(column: pl.Series) -> str:
    if isinstance(column.dtype, pl.List):
        return "list"
    if column.dtype.is_numeric():
        return "number"
    return {pl.String: "text", pl.Boolean: "true or false"}.get(column.dtype.base_type(), "date")


def _as_name(column: str) -> str:
    escaped = column.replace('"', '""')
    return f'"{escaped}"'


def _first_line(error: BaseException) -> str:
    return shortened(str(error).strip().split("\n")[0])
