from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.data.sources.delimited import all_renamed, read_delimited, read_table, renamed
from pipeline.data.sources.tidy import RawTable


def csv(content: bytes) -> dict[str, list[str | None]]:
    return read_delimited(content, "f.csv", ",", quoted=True).frame.to_dict(as_series=False)


def plain(content: bytes) -> dict[str, list[str | None]]:
    return read_delimited(content, "f.inter", "\t", quoted=False).frame.to_dict(as_series=False)


def refused(content: bytes, *, quoted: bool = True) -> str:
    with pytest.raises(InputError) as error:
        read_delimited(content, "f", "," if quoted else "\t", quoted=quoted)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_column_is_text_and_an_empty_field_is_missing() -> None:
    assert csv(b"a,b\n1,x\n02,\n,1.0\n") == {"a": ["1", "02", None], "b": ["x", None, "1.0"]}


def test_separators_quotes_and_line_ends_may_stand_in_quotes() -> None:
    assert csv(b'a,b\n1,"x, y"\n2,"say ""hi"""\n3,"two\nlines"\n') == {
        "a": ["1", "2", "3"],
        "b": ["x, y", 'say "hi"', "two\nlines"],
    }


def test_a_byte_order_mark_windows_line_ends_and_blank_last_lines_are_no_trouble() -> None:
    expected = {"a": ["1", "3"], "b": ["2", "4"]}
    assert csv(b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4\r\n\r\n") == expected
    assert csv(b'\xef\xbb\xbf"a,b",c\n1,2\n') == {"a,b": ["1"], "c": ["2"]}
    assert csv(b"a,b\n1,2\n3,4") == expected
    assert plain(b"\xef\xbb\xbfa\tb\r\n1\t2\r\n3\t4\r\n\r\n") == expected


def test_quotes_and_rare_line_separators_are_characters_like_any_other_in_unquoted_files() -> None:
    assert plain('a\tb\n1\t"Heat\n2\tsay "hi"\n3\tx\u2028y\x85\x0cz\n'.encode()) == {
        "a": ["1", "2", "3"],
        "b": ['"Heat', 'say "hi"', "x\u2028y\x85\x0cz"],
    }


def test_bytes_that_are_not_utf_8_are_named_by_their_line() -> None:
    assert refused(b"a,b\n1,2\n3,caf\xe9\n") == "f: line 3: not UTF-8 text; expected the file in UTF-8"
    assert refused("a,b\n1,2\n".encode("utf-16")) == "f: line 1: not UTF-8 text; expected the file in UTF-8"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  \r\n"])
def test_an_empty_file_is_refused(content: bytes) -> None:
    assert refused(content) == "f: found an empty file, expected a header line"


def test_a_header_alone_is_a_table_without_rows() -> None:
    assert csv(b"a,b\n") == {"a": [], "b": []}


@pytest.mark.parametrize("quoted", [True, False])
def test_lines_with_fields_too_few_or_too_many_are_named(quoted: bool) -> None:
    mark = b"," if quoted else b"\t"
    short = b"a,b,c\n1,2,3\n4,5\n6,7,8\n".replace(b",", mark)
    assert refused(short, quoted=quoted) == "f: line 3: found 2 fields, expected 3 as in the header"
    long = b"a,b\n1,2,\n".replace(b",", mark)
    assert refused(long, quoted=quoted) == "f: line 2: found 3 fields, expected 2 as in the header"
    blank = b"a,b\n1,2\n\n3,4\n".replace(b",", mark)
    assert refused(blank, quoted=quoted) == "f: line 3: found 1 fields, expected 2 as in the header"


@pytest.mark.parametrize("quoted", [True, False])
def test_a_column_may_be_there_once(quoted: bool) -> None:
    for end in (b"\n", b"\r\n"):
        content = b"a,b,a\n1,2,3\n".replace(b",", b"," if quoted else b"\t").replace(b"\n", end)
        assert refused(content, quoted=quoted) == "f: line 1: found column a twice, expected it once"


def test_a_quote_that_is_not_closed_is_named_by_the_line_it_starts_on() -> None:
    assert refused(b'a,b\n1,"x\ny"\n2,"z\n3,4\n').startswith("f: line 4: not a readable table: unexpected end of data")
    assert refused(b'a,b\n1,"x" y\n').startswith("f: line 2: not a readable table")


def test_rows_after_one_of_several_lines_are_named_by_their_own_line() -> None:
    table = read_delimited(b'a,b\n1,"x\ny\nz"\n2,w\n', "f", ",", quoted=True)
    assert [table.row(0), table.row(1)] == ["line 2", "line 5"]
    assert renamed(table, {"a": "c"}).row(1) == "line 5"
    assert read_delimited(b"a,b\n1,x\n2,w\n", "f", ",", quoted=True).row(1) == "line 3"
    assert refused(b'a,b\n1,"x\ny"\n2\n') == "f: line 4: found 1 fields, expected 2 as in the header"


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), min_size=1, max_size=5))
def test_what_polars_writes_is_read_back(rows: list[tuple[str, str]]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")
    for separator in (",", "\t"):
        content = frame.write_csv(separator=separator, quote_style="always").encode()
        assert read_delimited(content, "f", separator, quoted=True).frame.equals(frame)


def test_a_table_is_read_by_its_ending(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": ["1", "2"], "b": ["x, y", "z"]})
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.csv")
    frame.write_csv(tmp_path / "t.tsv", separator="\t")
    for ending, place in ((".parquet", "row 1"), (".csv", "line 3"), (".tsv", "line 3")):
        table = read_table(tmp_path / f"t{ending}")
        assert table.frame.equals(frame)
        assert table.file == str(tmp_path / f"t{ending}")
        assert table.row(1) == place


def test_another_ending_is_refused() -> None:
    with pytest.raises(
        InputError,
        match=r"^t\.xlsx: found the ending '\.xlsx', expected one of \.parquet, \.csv, \.tsv, \.jsonl$",
    ):
        read_table(Path("t.xlsx"))


def test_damaged_parquet_files_are_refused_wherever_they_were_cut(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": range(100)}).write_parquet(path)
    content = path.read_bytes()
    for length in range(0, len(content), 40):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"t\.parquet: not a readable Parquet file: ") as error:
            read_table(path)
        assert "\n" not in str(error.value)


def test_columns_get_the_names_the_pipeline_knows() -> None:
    table = RawTable(pl.DataFrame({"userId": ["1"], "b": ["2"]}), "f.csv", 2)
    result = renamed(table, {"userId": "user_id", "absent": "x"})
    assert result.frame.columns == ["user_id", "b"]
    assert (result.file, result.first_row) == ("f.csv", 2)


def test_two_columns_may_not_get_the_same_name() -> None:
    table = RawTable(pl.DataFrame({"a": ["1"], "b": ["2"]}), "f.csv")
    with pytest.raises(InputError, match=r"^f\.csv: column b: found twice after renaming, expected once$"):
        renamed(table, {"a": "b"})
    assert renamed(table, {"a": "b", "b": "a"}).frame.rows() == [("1", "2")]


@pytest.mark.parametrize(("quoted", "separator"), [(True, ","), (False, "\t")])
def test_line_ends_that_a_program_wrote_twice_are_named(quoted: bool, separator: str) -> None:
    content = "\n".join(
        [separator.join("ab"), separator.join("12"), separator.join("34") + "\r\r", separator.join("56")]
    )
    message = refused(content.encode(), quoted=quoted)
    assert message.startswith(r"f: line 3: found the line ending \r\r\n, expected \n or \r\n; ")


def test_a_column_of_one_table_alone_is_renamed() -> None:
    frame = pl.DataFrame({"id": ["1"], "movie_id": ["2"]})
    tables = {"interactions": RawTable(frame, "i.csv"), "items": RawTable(frame[["id"]], "f.csv")}
    found = all_renamed(tables, {"items.id": "item_id", "interactions.movie_id": "item_id"})
    assert found["interactions"].frame.columns == ["id", "item_id"]
    assert found["items"].frame.columns == ["item_id"]
    # A name with its table goes before the same without.
    found = all_renamed(tables, {"id": "row", "items.id": "item_id"})
    assert found["interactions"].frame.columns == ["row", "movie_id"]
    assert found["items"].frame.columns == ["item_id"]
    with pytest.raises(
        InputError, match=r"^source\.rename: found 'items\.movie_id', expected some of the files' columns"
    ):
        all_renamed(tables, {"items.movie_id": "item_id"})
    with pytest.raises(
        InputError, match=r"twice after renaming, expected once; items\.id, for example, renames the column id"
    ):
        all_renamed(tables, {"id": "item_id", "movie_id": "item_id"})


def test_a_column_with_a_point_in_its_name_is_renamed() -> None:
    table = RawTable(pl.DataFrame({"items.id": ["1"]}), "i.csv")
    assert all_renamed({"items": table}, {"items.id": "item_id"})["items"].frame.columns == ["item_id"]


def tsv(*lines: str) -> bytes:
    return "\n".join(lines).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("lines", "titles"),
    [
        # A quote begins a title, and another one ends a later one.
        (('1\t"7 inch single', "2\tFilm", '3\tThe 12"'), ['"7 inch single', "Film", 'The 12"']),
        # Phrases, names, numbers of inches.
        (('1\t"Weird" Film', "2\tFilm", '3\tA "good" one'), ['"Weird" Film', "Film", 'A "good" one']),
        (('1\t"Weird Al" Yankovic', '2\t"Tool"'), ['"Weird Al" Yankovic', '"Tool"']),
        (('1\t5" disc', "2\tFilm", '3\t7" disc', "4\tx"), ['5" disc', "Film", '7" disc', "x"]),
        (('1\t"', "2\tFilm"), ['"', "Film"]),
        (('1\t"one', '2\t"two', '3\t"three'), ['"one', '"two', '"three']),
        # Literals of RDF.
        (('1\t"Berlin"@en', '2\t"1994"^^<http://www.w3.org/2001/XMLSchema#gYear>'), None),
        # What programs quote.
        (('"1"\t"Film, ""good"""', '"2"\t"a\tb"'), ['Film, "good"', "a\tb"]),
        (('1\t"on two', 'lines"', "2\tFilm"), ["on two\nlines", "Film"]),
        (('1\t""', "2\tFilm"), ["", "Film"]),
    ],
)
def test_quotes_of_a_tsv_are_read_as_what_they_are(
    lines: tuple[str, ...], titles: list[str] | None, end: str, tmp_path: Path
) -> None:
    path = tmp_path / "items.tsv"
    path.write_bytes(end.join(["item_id\ttitle", *lines]).encode())
    table = read_table(path)
    expected = [line.split("\t")[1] for line in lines] if titles is None else titles
    assert [title.replace("\r\n", "\n") for title in table.frame["title"].to_list()] == expected
    assert table.frame["item_id"].to_list() == [str(item + 1) for item in range(len(expected))]


def test_a_header_in_quotes_goes_with_titles_that_have_some(tmp_path: Path) -> None:
    path = tmp_path / "items.tsv"
    path.write_bytes(tsv('"item_id"\t"title"\r', '1\t"Weird" Film\r', "2\tx\r"))
    assert read_table(path).frame.to_dict(as_series=False) == {"item_id": ["1", "2"], "title": ['"Weird" Film', "x"]}


def test_the_lines_of_a_tsv_are_counted_whatever_its_quotes_are(tmp_path: Path) -> None:
    path = tmp_path / "items.tsv"
    path.write_bytes(tsv("item_id\ttitle", '1\t"x', '2\ty"', "3\tz"))
    assert read_table(path).row(2) == "line 4"
    path.write_bytes(tsv("item_id\ttitle", '1\t"x', 'y"', "3\tz"))
    assert read_table(path).row(1) == "line 4"


def test_quotes_of_a_tsv_that_do_not_work_out_are_said(tmp_path: Path) -> None:
    path = tmp_path / "items.tsv"
    for lines, found in (
        # A row between the quotes, and a line that is none.
        (('1\t"x', "2\ty", "lost", '3\tz"'), "line 4: found 1 fields, expected 2"),
        (('1\t"a\tb"', '2\t"x', '3\tz"'), "line 2: found 3 fields, expected 2"),
    ):
        path.write_bytes(tsv("item_id\ttitle", *lines))
        with pytest.raises(InputError) as error:
            read_table(path)
        assert str(error.value) == (
            f"{path}: {found} as in the header; quotes are read as plain characters, because not all of them are closed"
        )


def test_a_table_of_one_column_with_quotes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "items.tsv"
    path.write_bytes(tsv("item_id", '"a', 'b"', "c"))
    assert read_table(path).frame["item_id"].to_list() == ['"a', 'b"', "c"]


@pytest.mark.parametrize("inches", ["", '"'])
def test_quotes_within_the_fields_of_a_csv_are_characters(inches: str) -> None:
    content = f'a,b\n1,5" disc\n2,x\n3,the 7{inches} disc\n4,\n"5","y, z"\n'.encode()
    assert csv(content) == {
        "a": ["1", "2", "3", "4", "5"],
        "b": ['5" disc', "x", f"the 7{inches} disc", None, "y, z"],
    }
