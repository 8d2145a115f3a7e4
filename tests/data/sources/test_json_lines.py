from __future__ import annotations

import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources import json_lines
from pipeline.data.sources.json_lines import read_json_lines


def refused(content: bytes) -> str:
    with pytest.raises(InputError) as error:
        read_json_lines(content, "f.jsonl")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_key_is_a_column_and_what_a_line_lacks_is_missing() -> None:
    table = read_json_lines(b'\xef\xbb\xbf{"a": 1, "b": "x"}\r\n{"c": ["y"], "a": 2}\r\n', "f")
    assert table.frame.to_dict(as_series=False) == {"a": [1, 2], "b": ["x", None], "c": [None, ["y"]]}
    assert [table.row(0), table.row(1)] == ["line 1", "line 2"]


def test_a_key_of_the_last_line_alone_is_read_too() -> None:
    table = read_json_lines(b'{"a": 1}\n' * 5000 + b'{"a": "tt1", "b": 1}\n', "f")
    assert table.frame.row(4999) == ("1", None)
    assert table.frame.row(5000) == ("tt1", 1)


def test_empty_lines_are_left_out_and_counted() -> None:
    table = read_json_lines(b'{"a": 1}\n\n{"a": 2}\n\n', "f")
    assert [table.row(0), table.row(1)] == ["line 1", "line 3"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "f.jsonl: found an empty file, expected an object in each line"),
        (b" \n\n", "f.jsonl: found an empty file, expected an object in each line"),
        (b'{"a": 1}\nnope\n', "f.jsonl: line 2: not JSON: Expecting value: "),
        (b'{"a": 1}\n\n{"a":\n', "f.jsonl: line 3: not JSON: Expecting value: "),
        (b'[{"a": 1}, {"a": 2}]\n', 'f.jsonl: line 1: found [{"a": 1}, {"a": 2}], expected an object in each line'),
        (b'{\n"a": 1\n}\n', "f.jsonl: line 1: not JSON: Expecting property name"),
        (b"null\n", "f.jsonl: line 1: found null, expected an object in each line"),
        (b'{"a": 1}\n{"a": NaN}\n', "f.jsonl: line 2: not JSON: found NaN, expected null where there is no number"),
        (b'{"a": 1}\n{"a": "caf\xe9"}\n', "f.jsonl: line 2: not UTF-8 text; expected the file in UTF-8"),
        (b'{"a": true}\n{"a": 1}\n', "f.jsonl: the lines do not make a table: cannot parse 'true' (bool) as Int64"),
        (b"a,b\n1,2\n", "f.jsonl: line 1: not JSON: "),
        (b'{"a": 1}\n\n{"a": 2, "a": 3}\n', "f.jsonl: line 3: found the key 'a' twice, expected it once"),
        (
            b'{"a (": 1, "b": {"c": 1, "c" : 2}}\n{"c": 1}\n',
            "f.jsonl: line 1: found the key 'c' twice, expected it once",
        ),
        (b'{"a (": 1, "a (": 1}\n', "f.jsonl: line 1: found the key 'a (' twice, expected it once"),
        (b'{"a": "x"}\n{"a": "\\uD83d x"}\n', "f.jsonl: line 2: found \\ud83d, which is half of a character"),
        (b'{"a": "\\ude00"}\n', "f.jsonl: line 1: found \\ude00, which is half of a character"),
    ],
)
def test_a_line_that_is_no_object_is_named(content: bytes, message: str) -> None:
    assert refused(content).startswith(message)


def test_whole_characters_and_keys_of_objects_within_are_let_through() -> None:
    table = read_json_lines(b'{"a": "\\ud83d\\ude00", "b": {"a": 1}}\n{"a": "\\\\ud83d", "b": {"a": 2}}\n', "f")
    assert table.frame["a"].to_list() == ["\U0001f600", "\\ud83d"]


def test_a_repeated_key_far_down_is_named_by_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "CHUNK", 7)
    assert refused(b'{"a": 1}\n' * 20 + b'{"a": 1, "a": 1}\n').startswith("f.jsonl: line 21: found the key 'a' twice")
