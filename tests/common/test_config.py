from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator

from pipeline.common.config import Config, look_up, read_yaml, validated
from pipeline.common.errors import InputError


class Cat(Config):
    type: Literal["cat"]
    lives: int = Field(ge=0, le=9)


class Dog(Config):
    type: Literal["dog"]
    bones: list[int] = Field(min_length=1, max_length=3)


class House(Config):
    rooms: int = Field(ge=1)
    heat: float | None
    name: str = Field(pattern="^[a-z]+$")
    pet: Annotated[Cat | Dog, Field(discriminator="type")]
    guests: dict[str, Cat]

    @model_validator(mode="after")
    def _room_for_all(self) -> House:
        if len(self.guests) > self.rooms:
            raise ValueError(f"rooms: found {self.rooms}, expected at least {len(self.guests)}")
        return self


class Street(Config):
    houses: dict[str, House]


VALID = {
    "rooms": 2,
    "heat": 20,
    "name": "home",
    "pet": {"type": "dog", "bones": [1]},
    "guests": {"tom": {"type": "cat", "lives": 9}},
}


def mistake(**changes: object) -> str:
    values = {key: value for key, value in (VALID | changes).items() if value is not ...}
    with pytest.raises(InputError) as error:
        validated(Street, {"houses": {"no-1": values}}, "file.yaml: ")
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("file.yaml: houses.no-1.")
    return message.removeprefix("file.yaml: houses.no-1.")


def written(folder: Path, text: str) -> Path:
    path = folder / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_valid_values_become_a_typed_immutable_model() -> None:
    street = validated(Street, {"houses": {"no-1": VALID}}, "")
    house = street.houses["no-1"]
    assert isinstance(house.heat, float)
    assert house.heat == 20
    assert isinstance(house.pet, Dog)
    with pytest.raises(ValueError, match="frozen"):
        house.rooms = 3


def test_an_unknown_key_comes_with_the_allowed_ones_and_the_nearest() -> None:
    assert mistake(romms=3) == (
        "romms: found an unknown key, expected one of: guests, heat, name, pet, rooms (did you mean rooms?)"
    )


def test_a_key_unlike_any_other_comes_without_a_guess() -> None:
    assert mistake(zzz=3).endswith("expected one of: guests, heat, name, pet, rooms")


def test_a_key_with_a_line_break_stays_in_its_line() -> None:
    assert mistake(**{"\nzzz": 3}).startswith(r"'\nzzz': found an unknown key")
    with pytest.raises(InputError, match=r"^f: a\.'b\\n': key not found; expected one of: '\\nc'$"):
        look_up({"a": {"\nc": 1}}, ("a", "b\n"), "f")


def test_an_unknown_key_of_a_tagged_section_lists_that_kind_only_and_is_named_as_in_the_file() -> None:
    assert mistake(pet={"type": "dog", "bones": [1], "live": 9}) == (
        "pet.live: found an unknown key, expected one of: bones, type"
    )
    assert mistake(pet={"type": "cat", "lives": 9, "live": 9}) == (
        "pet.live: found an unknown key, expected one of: lives, type (did you mean lives?)"
    )


def test_an_unknown_key_below_a_mapping_lists_the_keys_of_its_entries() -> None:
    guests = {"tom": {"type": "cat", "lives": 9, "live": 1}}
    assert mistake(guests=guests) == (
        "guests.tom.live: found an unknown key, expected one of: lives, type (did you mean lives?)"
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [(True, "True"), ("3", "'3'"), (3.0, "3.0"), (None, "null"), ([1], r"[1]"), ({}, "an empty mapping")],
)
def test_what_is_no_integer_is_not_made_one(value: object, found: str) -> None:
    assert mistake(rooms=value) == f"rooms: found {found}, expected a valid integer"


@pytest.mark.parametrize(("value", "found"), [(True, "True"), ("20", "'20'")])
def test_what_is_no_number_is_not_made_one(value: object, found: str) -> None:
    assert mistake(heat=value) == f"heat: found {found}, expected a valid number"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value: float) -> None:
    assert mistake(heat=value) == f"heat: found {value}, expected a finite number"


def test_a_value_out_of_range_comes_with_the_range() -> None:
    assert mistake(rooms=0) == "rooms: found 0, expected greater than or equal to 1"
    assert mistake(pet={"type": "cat", "lives": 10}) == "pet.lives: found 10, expected less than or equal to 9"


def test_a_string_that_does_not_match_comes_with_the_pattern() -> None:
    assert mistake(name="Home") == "name: found 'Home', expected a string that matches ^[a-z]+$"


def test_a_missing_key_is_named() -> None:
    assert mistake(rooms=...) == "rooms: found nothing, expected this key"
    assert mistake(pet={"type": "cat"}) == "pet.lives: found nothing, expected this key"


def test_a_list_of_another_length_comes_with_the_limit() -> None:
    assert mistake(pet={"type": "dog", "bones": []}) == "pet.bones: found [], expected at least 1 entry"
    assert mistake(pet={"type": "dog", "bones": [1, 2, 3, 4]}) == (
        "pet.bones: found [1, 2, 3, 4], expected at most 3 entries"
    )


def test_a_wrong_entry_of_a_list_is_named_by_its_place() -> None:
    assert mistake(pet={"type": "dog", "bones": [1, "x"]}) == "pet.bones.1: found 'x', expected a valid integer"


def test_an_unknown_or_missing_tag_is_named_by_its_key() -> None:
    assert mistake(pet={"type": "cow"}) == "pet.type: found 'cow', expected one of: 'cat', 'dog'"
    assert mistake(pet={"bones": [1]}) == "pet.type: found nothing, expected this key"


@pytest.mark.parametrize("key", ["pet", "guests"])
def test_what_is_no_mapping_is_shown(key: str) -> None:
    assert mistake(**{key: 3}) == f"{key}: found 3, expected a mapping"
    assert mistake(**{key: None}) == f"{key}: found null, expected a mapping"


def test_a_key_that_is_no_string_is_named() -> None:
    assert mistake(guests={3: {"type": "cat", "lives": 9}}) == "guests.3: found 3, expected a valid string"


def test_a_rule_across_keys_names_the_full_path_of_its_key() -> None:
    guests = {name: {"type": "cat", "lives": 9} for name in ("a", "b", "c")}
    assert mistake(guests=guests) == "rooms: found 2, expected at least 3"


def test_of_several_mistakes_the_first_is_shown_and_the_others_are_counted() -> None:
    assert mistake(rooms=0, name="X", extra=1).endswith(" (and 2 more)")
    assert mistake(rooms=0, name="X").startswith("rooms: ")


def test_a_path_of_keys_is_looked_up() -> None:
    values = {"a": {"b": {"c": 1}, "d": 2}}
    assert look_up(values, ("a", "b", "c"), "f") == 1
    assert look_up(values, (), "f") is values
    with pytest.raises(InputError, match=r"^f: a\.x: key not found; expected one of: b, d$"):
        look_up(values, ("a", "x", "c"), "f")
    with pytest.raises(InputError, match=r"^f: a\.d\.c: key not found; expected one of: none$"):
        look_up(values, ("a", "d", "c"), "f")


def test_yaml_is_read_as_version_1_2_with_merge_keys_resolved(tmp_path: Path) -> None:
    text = "base: &base {rate: 1e-05, answer: no, octal: 010}\nmine:\n  <<: *base\n  answer: yes\n"
    assert read_yaml(written(tmp_path, text)) == {
        "base": {"rate": 0.00001, "answer": "no", "octal": 10},
        "mine": {"rate": 0.00001, "answer": "yes", "octal": 10},
    }


def test_a_byte_order_mark_and_windows_line_ends_are_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read_yaml(path) == {"a": 1, "b": 2}


def test_what_is_read_is_the_readers_own_and_that_of_the_file_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, "a: {b: [1]}\n")
    read_yaml(path)["a"]["b"].append(2)
    assert read_yaml(path) == {"a": {"b": [1]}}
    path.write_text("a: {b: [3]}\n")
    assert read_yaml(path) == {"a": {"b": [3]}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1\nc: 2\n", r"file\.yaml:3:2: not valid YAML: expected ',' or '\]'"),
        ("a: 1\nb: 2\na: 3\n", r'file\.yaml:3:1: not valid YAML: found duplicate key "a"'),
        ("a:\n  b: c: d\n", r"file\.yaml:2:7: not valid YAML: mapping values are not allowed here"),
        ("a:\n\tb: 1\n", r"file\.yaml:2:1: not valid YAML: found character '\\t'"),
        ("a: *b\n", r"file\.yaml:1:4: not valid YAML: found undefined alias 'b'"),
        ("a: \0\n", r"file\.yaml: not valid YAML: unacceptable character"),
        ("- 1\n- 2\n", r"file\.yaml: found \[1, 2\], expected a mapping of keys to values"),
        ("just words\n", r"file\.yaml: found 'just words', expected a mapping"),
        ("", r"file\.yaml: found nothing, expected a mapping"),
    ],
)
def test_what_is_no_mapping_in_yaml_is_one_line_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_yaml(written(tmp_path, text))
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: file not found; run this in the folder that has it$"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(InputError, match=r": cannot be read: Is a directory$"):
        read_yaml(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: caf\xe9\n")
    with pytest.raises(InputError, match=r"latin\.yaml: not UTF-8 text \(byte 6\)$"):
        read_yaml(tmp_path / "latin.yaml")


MERGED = "defaults: &all {a: 1}\nfirst: &first\n  <<: *all\n  b: 2\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [("  b: 3\n", 5), ("  a: 2\n  a: 3\n", 6), ("second:\n  <<: *first\n  c: 1\n  d: {x: 1}\n  c: 2\n", 9)],
)
def test_a_repeated_key_is_refused_beside_a_merge_key_too(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(MERGED + text)
    with pytest.raises(InputError, match=rf"^{path}:{line}:3: not valid YAML: found duplicate key"):
        read_yaml(path)


def test_a_key_that_comes_over_a_merged_one_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(MERGED + "  a: 3\nsecond:\n  <<: *first\n  b: 4\nthird: *first\n")
    first = {"a": 3, "b": 2}
    assert read_yaml(path) == {"defaults": {"a": 1}, "first": first, "second": {"a": 3, "b": 4}, "third": first}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3000,
        f"a: {'9' * 5000}",
        "a: 2020-99-99",
        "a: 2020-01-01T99:00:00",
        "a: !!int x",
        "a: !!float x",
        "a: !!bool x",
        'a: "\\U99999999"',
        "a: !!binary x",
        "a: !!python/object:os.system x",
        "a: \0",
        "? {a: 1}\n: 2",
    ],
    ids=range(12),
)
def test_whatever_yaml_cannot_be_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_yaml(path)
    assert str(error.value).startswith(f"{path}:")
    assert "not valid YAML: " in str(error.value)
    assert len(str(error.value)) < len(str(path)) + 300
    assert "\n" not in str(error.value)


def test_a_value_that_is_quoted_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(json.dumps(["x" * 100_000]))
    with pytest.raises(InputError, match=rf"^{path}: found \['x{{198}} ..., expected a mapping"):
        read_yaml(path)


def test_an_anchor_that_is_set_twice_is_no_warning(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("a: &x {b: 1}\nc: &x {b: 2}\nd: *x\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_yaml(tmp_path / "params.yaml")["d"] == {"b": 2}
