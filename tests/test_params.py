from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import look_up, read_yaml, validated
from pipeline.errors import InputError
from pipeline.params import Parameters, read_parameters

ROOT = Path(__file__).parent.parent
DATASET = ("datasets", "ml-100k")
PROFILE = ("profiles", "standard")
VALUES = read_yaml(ROOT / "params.yaml")


def changed(keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The committed parameters with one value set; an Ellipsis removes it."""
    values = json.loads(json.dumps(VALUES))  # a deep copy that shares nothing, YAML aliases included
    section = look_up(values, keys[:-1], "")
    if value is ...:
        del section[keys[-1]]
    else:
        section[keys[-1]] = value
    return values


def mistake(keys: tuple[str, ...], value: Any) -> str:
    with pytest.raises(InputError) as error:
        validated(Parameters, changed(keys, value), "")
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(".".join(keys) + ": found "), message
    return message.removeprefix(".".join(keys) + ": found ")


def test_the_committed_parameters_are_valid() -> None:
    parameters = read_parameters(ROOT / "params.yaml")
    assert "ml-100k" in parameters.datasets
    assert {"standard", "fast"} <= set(parameters.profiles)


def test_no_setting_has_a_default_so_that_the_file_shows_all() -> None:
    stages = {"embed_text", "init_sdne", "train_gat", "train_users", "evaluate"}
    assert stages == set(look_up(VALUES, PROFILE, ""))
    for keys in [(stage, key) for stage in stages for key in VALUES["profiles"]["standard"][stage]]:
        assert mistake((*PROFILE, *keys), ...) == "nothing, expected this key"
    for key in VALUES["datasets"]["ml-100k"]:
        assert mistake((*DATASET, key), ...) == "nothing, expected this key"
    for key in VALUES.keys() - {"dataset_defaults"}:
        assert mistake((key,), ...) == "nothing, expected this key"


@pytest.mark.parametrize(
    ("keys", "value", "expected"),
    [
        (("sead",), 1, r"an unknown key, .* profiles, seed \(did you mean seed\?\)"),
        ((*DATASET, "sm"), 1, r"an unknown key, .*\bs_m, .*\(did you mean s_m\?\)"),
        ((*DATASET, "source", "versoin"), "1", r"an unknown key, expected one of: path, sha256, type, version \(did"),
        ((*PROFILE, "train_gats"), {}, r"an unknown key, .*\(did you mean train_gat\?\)"),
        ((*PROFILE, "train_gat", "head"), 1, r"an unknown key, .*\(did you mean heads\?\)"),
        (("seed",), True, "True, expected a valid integer"),
        (("seed",), "3", "'3', expected a valid integer"),
        (("seed",), -1, "-1, expected greater than or equal to 0"),
        (("seed",), 2**31, "2147483648, expected less than 2147483648"),
        (("device",), "gpu", "'gpu', expected 'auto', 'cpu' or 'cuda'"),
        (("datasets",), {}, "an empty mapping, expected at least 1 entry"),
        (("profiles",), {}, "an empty mapping, expected at least 1 entry"),
        ((*DATASET, "source", "type"), "wheel", "'wheel', expected one of: 'recbole-wheel', 'atomic', 'tables'"),
        ((*DATASET, "source", "sha256"), "abc", "'abc', expected a string that matches"),
        ((*DATASET, "source", "version"), "1.2 --pre", "'1.2 --pre', expected a string that matches"),
        ((*DATASET, "like_threshold"), "4", "'4', expected a valid number"),
        ((*DATASET, "like_threshold"), True, "True, expected a valid number"),
        ((*DATASET, "min_user_interactions"), 0, "0, expected greater than or equal to 1"),
        ((*DATASET, "linked_items_only"), 1, "1, expected a valid boolean"),
        ((*DATASET, "split"), "time", "'time', expected 'random', 'temporal' or 'temporal-per-user'"),
        ((*DATASET, "split_fractions"), [0.6, 0.2, 0.1], r"\[0.6, 0.2, 0.1\], expected three positive numbers"),
        ((*DATASET, "split_fractions"), [1.0, 0.0, 0.0], r"\[1.0, 0.0, 0.0\], expected three positive numbers"),
        ((*DATASET, "split_fractions"), [1.2, -0.1, -0.1], "expected three positive numbers that add up to 1"),
        ((*DATASET, "split_fractions"), [0.6, 0.4], r"\[0.6, 0.4\], expected at least 3 entries"),
        ((*DATASET, "split_fractions"), [0.4, 0.2, 0.2, 0.2], "expected at most 3 entries"),
        ((*DATASET, "s_m"), -1, "-1, expected greater than or equal to 0"),
        ((*DATASET, "text_template"), "{title", "'{title': expected '}' before end of string"),
        ((*DATASET, "text_template"), "a film", "'a film' without a field"),
        ((*DATASET, "profile"), "quick", "'quick', expected one of: standard, fast"),
        ((*PROFILE, "train_users", "heads"), 5, "5, expected a divisor of the item vector's width 128"),
        ((*PROFILE, "train_users", "dropout"), 1.0, "1.0, expected less than 1"),
        ((*PROFILE, "train_users", "learning_rate"), 0, "0, expected greater than 0"),
        ((*PROFILE, "train_gat"), None, "null, expected a mapping"),
    ],
)
def test_a_mistake_is_one_line_with_the_key_what_was_found_and_what_is_allowed(
    keys: tuple[str, ...], value: Any, expected: str
) -> None:
    assert re.search(expected, mistake(keys, value))


def test_average_fusion_needs_equal_widths() -> None:
    values = changed((*PROFILE, "train_users", "fusion"), "average")
    validated(Parameters, values, "")
    values["profiles"]["standard"]["train_users"]["text_width"] = 32
    with pytest.raises(
        InputError,
        match=r"^profiles\.standard\.train_users\.fusion: average fusion needs equal widths, found "
        r"train_users\.text_width 32 and train_gat\.output_width 64; make them equal or use concat$",
    ):
        validated(Parameters, values, "")


def test_heads_divide_the_width_that_the_fusion_gives() -> None:
    values = changed((*PROFILE, "train_users", "heads"), 64)
    validated(Parameters, values, "")
    values["profiles"]["standard"]["train_users"] |= {"text_width": 60, "heads": 31}
    validated(Parameters, values, "")
    values["profiles"]["standard"]["train_users"] |= {"text_width": 64, "heads": 16, "fusion": "average"}
    values["profiles"]["standard"]["train_gat"]["output_width"] = 64
    validated(Parameters, values, "")
    values["profiles"]["standard"]["train_users"]["heads"] = 48
    with pytest.raises(InputError, match=r"train_users\.heads: found 48, .* width 64 .*fusion average"):
        validated(Parameters, values, "")


@pytest.mark.parametrize("name", ["a/b", "..", "", "a b", "a.b"])
def test_a_data_sets_name_fits_a_folder(name: str) -> None:
    values = copy.deepcopy(VALUES)
    values["datasets"] = {name: values["datasets"]["ml-100k"]}
    with pytest.raises(InputError, match=r"^datasets: found the name '.*', expected letters, digits, '-' and '_'"):
        validated(Parameters, values, "")


@pytest.mark.parametrize("threshold", [4, 3.5, None])
def test_the_like_threshold_is_a_number_or_null(threshold: float | None) -> None:
    parameters = validated(Parameters, changed((*DATASET, "like_threshold"), threshold), "")
    assert parameters.datasets["ml-100k"].like_threshold == threshold


def test_a_number_with_an_exponent_is_a_number(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text().replace("nu: 0.0001", "nu: 1e-05"))
    assert read_parameters(path).profiles["standard"].init_sdne.nu == 0.00001


def test_mistakes_in_the_file_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text().replace("device: auto", "device: tpu"))
    with pytest.raises(InputError, match=rf"^{path}: device: found 'tpu', expected 'auto', 'cpu' or 'cuda'$"):
        read_parameters(path)


@pytest.mark.parametrize(
    ("source", "key", "expected"),
    [
        ({"type": "atomic", "path": "x", "version": "1"}, "version", "expected one of: path, rename, type$"),
        ({"type": "tables", "path": "x", "renam": {}}, "renam", r"expected one of: path, rename, type \(did you mean"),
        ({"type": "tables", "path": ""}, "path", "found '', expected"),
        ({"type": "tables", "path": "x", "rename": {"a": 1}}, "rename.a", "found 1, expected a valid string"),
    ],
)
def test_each_source_has_keys_of_its_own(source: dict[str, Any], key: str, expected: str) -> None:
    with pytest.raises(InputError, match=rf"^datasets\.ml-100k\.source\.{key}: .*{expected}"):
        validated(Parameters, changed((*DATASET, "source"), source), "")
