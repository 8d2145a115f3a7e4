from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.data.sources import lines as lines_module
from pipeline.data.sources.files import DataFile
from pipeline.data.sources.lines import Kind, read_columns, read_lines

COLUMNS: dict[str, Kind] = {"user": pl.Int64, "item": pl.Int64, "rating": pl.Float32}
HEADER = ("userId", "itemId", "rating")


class InMemory(DataFile):
    def content(self) -> bytes:
        return self.bytes_of[self.inside]

    bytes_of: dict[str, bytes] = {}  # noqa: RUF012


def file_of(content: bytes, name: str = "f") -> DataFile:
    InMemory.bytes_of[name] = content
    return InMemory(Path(name), name)


def rows(content: bytes, separator: str = "::", header: tuple[str, ...] | None = None) -> list[tuple[object, ...]]:
    return read_columns(file_of(content), separator, COLUMNS, header).frame.rows()


def refused(content: bytes, separator: str = "::", header: tuple[str, ...] | None = None) -> str:
    with pytest.raises(InputError) as error:
        rows(content, separator, header)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def only_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow way is not there: what a test reads, polars reads."""

    def no_lines(*_: object, **__: object) -> None:
        raise AssertionError("read line by line")

    monkeypatch.setattr(lines_module, "_line_by_line", no_lines)


@pytest.mark.usefixtures("only_at_once")
@pytest.mark.parametrize("separator", ["::", "\t", ","])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_well_formed_files_are_read_at_once(separator: str, end: bytes) -> None:
    mark = separator.encode()
    content = b"1|2|3.5\n40|50|1\n".replace(b"|", mark).replace(b"\n", end)
    expected = [(1, 2, 3.5), (40, 50, 1.0)]
    assert rows(content, separator) == expected
    assert rows(content.removesuffix(end), separator) == expected
    assert rows(b"\xef\xbb\xbf" + content, separator) == expected


@pytest.mark.usefixtures("only_at_once")
def test_columns_are_found_by_the_header_wherever_they_are() -> None:
    content = b"rating,userId,more,itemId\n3.5,1,x,2\n1,40,,50\n"
    table = read_columns(file_of(content), ",", COLUMNS, HEADER)
    assert table.frame.rows() == [(1, 2, 3.5), (40, 50, 1.0)]
    assert table.row(1) == "line 3"


@pytest.mark.usefixtures("only_at_once")
def test_quotes_are_characters_like_any_other() -> None:
    columns: dict[str, Kind] = {"head": pl.String, "tail": pl.String}
    content = 'a\t"b\n"c"\té\n'.encode()
    assert read_columns(file_of(content), "\t", columns).frame.rows() == [("a", '"b'), ('"c"', "é")]


number = st.integers(-(2**62), 2**62)
rating = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(st.tuples(number, number, rating), min_size=1, max_size=6), st.sampled_from(["::", "\t", ","]))
def test_both_ways_read_what_was_written(written: list[tuple[int, int, float]], separator: str) -> None:
    content = "".join(separator.join(map(str, row)) + "\n" for row in written).encode()
    places = {name: place for place, name in enumerate(COLUMNS)}
    at_once = lines_module._at_once(content, separator, places, COLUMNS, 3, skip=False)
    by_line = lines_module._line_by_line(content, "f", separator, places, COLUMNS, 3, skip=False)
    assert at_once is not None
    assert at_once.rows() == by_line.rows() == written


def test_a_line_with_fields_too_few_or_too_many_is_named() -> None:
    assert refused(b"1::2::3\n4::5\n") == "f: line 2: found 2 fields, expected 3"
    assert refused(b"1::2::3\n4::5::6::7\n") == "f: line 2: found 4 fields, expected 3"
    assert refused(b"1,2,3\n\n4,5,6\n", ",") == "f: line 2: found 1 fields, expected 3"
    assert refused(b"1::2::3\n4:5:6\n") == "f: line 2: found 1 fields, expected 3"
    assert refused(b"1::2::3\n4:x:5::6\n") == "f: line 2: found 2 fields, expected 3"
    assert refused(b"1::2::3\n4:true:5::6\n") == "f: line 2: found 2 fields, expected 3"
    assert refused(b"userId,itemId,rating\n1,2\n", ",", HEADER) == "f: line 2: found 2 fields, expected 3"


def test_a_field_of_another_type_is_named_by_column_and_line() -> None:
    assert refused(b"1::2::3\n4::five::6\n") == "f: column item, line 2: found 'five', expected a whole number"
    assert refused(b"1::2::3\n4::5.5::6\n") == "f: column item, line 2: found '5.5', expected a whole number"
    assert refused(b"1::2::\n") == "f: column rating, line 1: found '', expected a number"
    assert refused(b"1,2,3\n4,5,good\n", ",") == "f: column rating, line 2: found 'good', expected a number"
    huge = str(2**63)
    message = f"f: column user, line 2: found '{huge}', expected a whole number"
    assert refused(f"userId,itemId,rating\n{huge},2,3\n".encode(), ",", HEADER) == message
    columns: dict[str, Kind] = {"head": pl.String, "tail": pl.String}
    with pytest.raises(InputError, match=r"^f: column tail, line 2: found ' ', expected a value$"):
        read_columns(file_of(b"a\tb\nc\t \nd\t\n"), "\t", columns)


def test_blank_lines_at_the_end_do_not_count() -> None:
    assert rows(b"1::2::3\n\n\r\n") == [(1, 2, 3.0)]


def test_a_header_that_lacks_a_column_or_has_it_twice_is_shown() -> None:
    message = "f: line 1: found {}, expected a header with userId, itemId, rating"
    assert refused(b"user,itemId,rating\n1,2,3\n", ",", HEADER) == message.format("user, itemId, rating")
    assert refused(b"userId,userId,itemId,rating\r\n", ",", HEADER) == message.format("userId, userId, itemId, rating")


def test_an_empty_file_is_refused() -> None:
    assert refused(b"\n\n") == "f: found an empty file, expected lines of fields"
    assert refused(b"", ",", HEADER) == "f: found an empty file, expected a header"
    assert rows(b"userId,itemId,rating\n", ",", HEADER) == []


def test_bytes_that_are_not_utf_8_are_named_by_their_line() -> None:
    columns: dict[str, Kind] = {"head": pl.String, "tail": pl.String}
    with pytest.raises(InputError, match=r"^f: line 2: not UTF-8 text; expected the file in UTF-8$"):
        read_columns(file_of(b"a\tb\nc\t\xe9\n"), "\t", columns)


def test_lines_are_read_in_their_encoding() -> None:
    latin, utf = "Léon\nx\n".encode("latin-1"), "Léon\r\nx".encode()
    assert read_lines(file_of(latin), "latin-1") == read_lines(file_of(latin), "either") == ["Léon", "x"]
    assert read_lines(file_of(utf), "utf-8") == read_lines(file_of(utf), "either") == ["Léon", "x"]
    with pytest.raises(InputError, match=r"^f: line 1: not UTF-8 text"):
        read_lines(file_of(latin), "utf-8")


def test_lines_end_at_line_ends_only() -> None:
    assert read_lines(file_of("a\u2028b\x85\n\nc\n \n\n".encode()), "utf-8") == ["a\u2028b\x85", "", "c"]
    with pytest.raises(InputError, match=r"^f: found an empty file"):
        read_lines(file_of(b"\n \n"), "utf-8")
