from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.common.ablation import FILE, read_all
from pipeline.common.config import look_up, validated
from pipeline.common.errors import InputError
from pipeline.parameters.params import Parameters, StageSettings, read_parameters
from pipeline.recommend.settings import WITHOUT_RULES, RulesConfig
from tests.parameter_files import copy_to

ROOT = Path(__file__).parents[2]
DATASET = ("datasets", "ml-100k")
FAST = ("profiles", "fast")
RECOMMENDED = ("variants", "recommended")
NO_ID = ("ablations", "no-id")
OVERRIDES = (*DATASET, "train_users")
VALUES = read_all(ROOT / "params.yaml")


def changed(keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The committed parameters with one value set; an Ellipsis removes it."""
    values = json.loads(json.dumps(VALUES))  # a deep copy that shares nothing, YAML aliases included
    section = values
    for key in keys[:-1]:
        # What a data set leaves null it may change.
        section[key] = {} if section[key] is None else section[key]
        section = section[key]
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
    assert {"large", "fast"} <= set(parameters.profiles)
    assert set(parameters.variants) == set(parameters.run_variants)
    changes = [ablation.changes for ablation in parameters.ablations.values()]
    assert set(parameters.structures) == {change.get("structure_source", "") for change in changes} - {""}


def test_no_setting_has_a_default_so_that_the_file_shows_all_but_rules_which_older_files_lack() -> None:
    stages = {"embed_text", "embed_image", "init_sdne", "train_gat", "baselines", "compare", "recommend"}
    assert stages == set(StageSettings.model_fields)
    for keys in [(stage, key) for stage in stages for key in VALUES[stage] if key not in RulesConfig.model_fields]:
        assert mistake(keys, ...) == "nothing, expected this key"
    for key in RulesConfig.model_fields:
        assert VALUES["recommend"][key] == getattr(WITHOUT_RULES, key)
    sections = [DATASET, ("variants", "crmman"), ("structures", "deepwalk")]
    assert mistake((*NO_ID, "of"), ...) == "nothing, expected this key"
    for keys in [(*section, key) for section in sections for key in look_up(VALUES, section, "")]:
        assert mistake(keys, ...) == "nothing, expected this key"
    for key in VALUES.keys() - {"dataset_defaults"}:
        assert mistake((key,), ...) == "nothing, expected this key"


def test_dvc_can_set_each_setting_by_itself() -> None:
    """`dvc exp run -S` writes into the mapping at a place: were it that of another place too, one would undo the other's."""
    found: dict[int, str] = {}

    def walk(section: Any, place: str) -> None:
        if isinstance(section, dict):
            assert id(section) not in found, f"{place} is the same mapping as {found[id(section)]}"
            found[id(section)] = place
            for key, value in section.items():
                walk(value, f"{place}.{key}")

    loaded = {file: YAML().load((ROOT / file).read_text()) for file in ("params.yaml", str(FILE))}
    for file, content in loaded.items():
        walk(content, file)
    assert len(found) > 40


@pytest.mark.parametrize(
    ("keys", "value", "expected"),
    [
        (
            ("sead",),
            1,
            r"an unknown key, .* profiles, ray_address, recommend, refit, run_baselines, run_variants, seed, .* \(did you mean seed\?\)",
        ),
        ((*DATASET, "sm"), 1, r"an unknown key, .*\bs_m, .*\(did you mean s_m\?\)"),
        ((*DATASET, "source", "versoin"), "1", r"an unknown key, expected one of: path, sha256, type, version \(did"),
        (("train_gats",), {}, r"an unknown key, .*\(did you mean train_gat\?\)"),
        (("train_gat", "head"), 1, r"an unknown key, .*\(did you mean heads\?\)"),
        (("seed",), True, "True, expected a valid integer"),
        (("seed",), "3", "'3', expected a valid integer"),
        (("seed",), -1, "-1, expected greater than or equal to 0"),
        (("seed",), 2**31, "2147483648, expected less than 2147483648"),
        (("device",), "gpu", "'gpu', expected 'auto', 'cpu' or 'cuda'"),
        (("datasets",), {}, "an empty mapping, expected at least 1 entry"),
        (("profiles",), None, "null, expected a mapping"),
        (
            (*DATASET, "source", "type"),
            "wheel",
            "'wheel', expected one of: 'amazon', 'atomic', 'book-crossing', 'goodreads', 'goodreads-ucsd', 'hetrec-lastfm', 'kgcn'",
        ),
        ((*DATASET, "source", "sha256"), "abc", "'abc', expected a string that matches"),
        ((*DATASET, "source", "version"), "1.2 --pre", "'1.2 --pre', expected a string that matches"),
        ((*DATASET, "like_threshold"), "4", "'4', expected a valid number"),
        ((*DATASET, "like_threshold"), True, "True, expected a valid number"),
        ((*DATASET, "min_user_interactions"), 0, "0, expected greater than or equal to 1"),
        ((*DATASET, "linked_items_only"), 1, "1, expected a valid boolean"),
        ((*DATASET, "split"), "time", "'time', expected 'random', 'temporal', 'temporal-per-user' or 'given'"),
        ((*DATASET, "split_fractions"), [0.6, 0.2, 0.1], r"\[0.6, 0.2, 0.1\], expected three positive numbers"),
        ((*DATASET, "split_fractions"), [1.0, 0.0, 0.0], r"\[1.0, 0.0, 0.0\], expected three positive numbers"),
        ((*DATASET, "split_fractions"), [1.2, -0.1, -0.1], "expected three positive numbers that add up to 1"),
        ((*DATASET, "split_fractions"), [0.6, 0.4], r"\[0.6, 0.4\], expected at least 3 entries"),
        ((*DATASET, "split_fractions"), [0.4, 0.2, 0.2, 0.2], "expected at most 3 entries"),
        ((*DATASET, "s_m"), -1, "-1, expected greater than or equal to 0"),
        ((*DATASET, "text_template"), "{title", "'{title': expected '}' before end of string"),
        ((*DATASET, "text_template"), "a film", "'a film' without a field"),
        (
            (*DATASET, "profile"),
            "fast",
            "an unknown key, expected one of: baselines, compare, embed_image, embed_text, ",
        ),
        ((*DATASET, "train_users"), [], r"\[\], expected a mapping"),
        ((*DATASET, "init_sdne"), 3, "3, expected a mapping"),
        (("train_gat",), None, "null, expected a mapping"),
        ((*FAST, "train_gat"), None, "null, expected a mapping"),
        (("compare", "bootstrap_samples"), 19, "19, expected greater than or equal to 20"),
        ((*FAST, "compare", "bootstrap_samples"), 19, "19, expected greater than or equal to 20"),
        ((*FAST, "init_sdne", "epoch"), 1, "an unknown key, expected settings of init_sdne"),
        ((*DATASET, "init_sdne", "epochs"), "3", "'3', expected a valid integer"),
        ((*DATASET, "recommend", "tops"), 3, "an unknown key, expected settings of recommend"),
        (("variants",), {}, "an empty mapping, expected at least 1 entry"),
        ((*RECOMMENDED, "dropuot"), 0.1, r"an unknown key, .*\(did you mean dropout\?\)"),
        ((*RECOMMENDED, "dropout"), 1.0, "1.0, expected less than 1"),
        ((*RECOMMENDED, "learning_rate"), 0, "0, expected greater than 0"),
        ((*RECOMMENDED, "width"), 0, "0, expected greater than or equal to 1"),
        ((*RECOMMENDED, "max_history"), 1, "1, expected greater than or equal to 2"),
        ((*RECOMMENDED, "modalities"), [], r"\[\], expected at least 1 entry"),
        ((*RECOMMENDED, "modalities"), ["text", "text"], r"\['text', 'text'\], expected each at most once"),
        (
            (*RECOMMENDED, "modalities"),
            ["text", "structure", "id", "entities", "audio"],
            "'audio', expected some of: text, structure, id, entities, image, vectors; or vectors that a data set's source names",
        ),
        ((*RECOMMENDED, "heads"), [], r"\[\], expected at least 1 entry"),
        ((*RECOMMENDED, "heads"), ["meet", "judge", "meet"], "expected each at most once"),
        (
            (*RECOMMENDED, "heads"),
            ["click", "judge"],
            r"\['click', 'judge'\], expected click alone or some of like, meet, judge",
        ),
        (
            (*RECOMMENDED, "heads"),
            ["judge"],
            "judge alone, expected like or meet as well: judge cannot rank a catalogue",
        ),
        ((*RECOMMENDED, "early_stopping_by"), ["ranking.ndcg@10"] * 2, "expected each at most once"),
        ((*RECOMMENDED, "early_stopping_by"), [], r"\[\], expected at least 1 entry"),
        ((*RECOMMENDED, "negatives"), "mixed", "mixed, expected all: like and meet are asked of all items"),
        ((*RECOMMENDED, "structure"), "sdne", "'sdne', expected 'gat' or 'initial'"),
        ((*RECOMMENDED, "fusion"), "sum", "'sum', expected 'concat', 'average', 'linear' or 'gated'"),
        ((*RECOMMENDED, "pooling_exponent"), 1.5, "1.5, expected less than or equal to 1"),
        ((*RECOMMENDED, "structure_source"), "a/b", "'a/b', expected a string that matches"),
        (
            (*RECOMMENDED, "structure_source"),
            "walks",
            "'walks', expected one of: random-graph, rarity-graph, deepwalk, ''",
        ),
        (("run_variants",), [], r"\[\], expected at least 1 entry"),
        (("run_variants",), "crmman", "'crmman', expected a valid list"),
        (
            ("run_variants",),
            ["recommended", "crmman", "plus"],
            "'plus', expected some of: crmman, recommended",
        ),
        (("run_variants",), ["recommended", "crmman", "crmman"], "'crmman', 'crmman'], expected each at most once"),
        (("ablations",), ["no-id"], r"\['no-id'\], expected a mapping"),
        (("ablations",), {}, "an empty mapping, expected at least 1 entry"),
        (NO_ID, "crmman", "'crmman', expected a mapping"),
        ((*NO_ID, "of"), "plus", "'plus', expected one of: crmman, recommended$"),
        ((*NO_ID, "of"), "no-text", "'no-text', expected one of: crmman, recommended$"),
        ((*NO_ID, "of"), ["crmman"], r"\['crmman'\], expected a valid string"),
        ((*NO_ID, "dropuot"), 0.1, r"an unknown key, .*\(did you mean dropout\?\)$"),
        ((*NO_ID, "dropout"), 1.0, "1.0, expected less than 1$"),
        ((*NO_ID, "heads"), ["judge"], "judge alone, expected like or meet as well: judge cannot rank a catalogue$"),
        ((*NO_ID, "structure_source"), "walks", "'walks', expected one of: random-graph, rarity-graph, deepwalk, ''"),
        (("ablations", "crmman"), {"of": "recommended"}, "the name of a variant, expected another: both name folders$"),
        (("structures",), None, "null, expected a mapping"),
        (("structures", "deepwalk", "edges"), "all", "'all', expected 'same', 'rewired' or 'by_rarity'"),
        (("structures", "deepwalk", "init_sdne"), ["DeepWalk"], r"\['DeepWalk'\], expected a mapping"),
        (("structures", "deepwalk", "train_gat"), {}, "an unknown key, expected one of: edges, init_sdne"),
        (("structures", "deepwalk", "init_sdne", "dimension"), 8, "an unknown key, expected settings of init_sdne"),
        (
            ("structures", "deepwalk", "init_sdne", "method"),
            "Walks",
            "'Walks', expected sdne or one of: BoostNE, DeepWalk",
        ),
        (("structures", "deepwalk", "init_sdne", "dimensions"), 0, "0, expected greater than or equal to 1"),
        ((*OVERRIDES, "dropuot"), 0.1, "an unknown key, expected settings of a variant"),
        ((*OVERRIDES, "epochs"), 0, r"0, expected greater than or equal to 1 \(variant crmman\)"),
        ((*OVERRIDES, "epochs"), "5", r"'5', expected a valid integer \(variant crmman\)"),
        (
            (*OVERRIDES, "modalities"),
            ["text", "genre"],
            "'genre', expected some of: text, structure, id, entities, image, vectors; or vectors that",
        ),
        ((*OVERRIDES, "heads"), ["judge"], r"judge alone, expected like or meet as well: .* \(variant crmman\)"),
        (
            (*OVERRIDES, "negatives"),
            "unseen",
            r"unseen, expected all: like and meet are asked of all items \(variant recommended\)",
        ),
        (
            (*OVERRIDES, "structure_source"),
            "walks",
            "'walks', expected one of: random-graph, rarity-graph, deepwalk, ''",
        ),
    ],
)
def test_a_mistake_is_one_line_with_the_key_what_was_found_and_what_is_allowed(
    keys: tuple[str, ...], value: Any, expected: str
) -> None:
    assert re.search(expected, mistake(keys, value))


def refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        validated(Parameters, values, "")


def test_a_rule_about_a_key_that_a_data_set_leaves_alone_names_what_it_changes() -> None:
    refused(
        changed((*OVERRIDES, "structure"), "initial"),
        r"datasets\.ml-100k\.train_users: finetune_gat: found true with structure: initial, expected structure: gat "
        r"\(variant finetuned-gat\)",
    )


def test_what_a_data_set_changes_goes_over_every_variant_that_is_run_and_over_no_other() -> None:
    values = changed((*OVERRIDES, "attention_heads"), 3)
    refused(
        values,
        r"variants\.crmman\.attention_heads: found 3, expected a divisor of the item vector's width 128 "
        r"\(fusion concat, data set ml-100k\)",
    )
    values["run_variants"].remove("crmman")
    values["ablations"] = {name: values["ablations"][name] for name in ("no-id", "no-text")}
    validated(Parameters, values, "")


def test_alignment_needs_modalities_of_equal_widths() -> None:
    refused(
        changed(("ablations", "aligned", "fusion"), "concat"),
        r"ablations\.aligned\.alignment_weight: found 0\.01 with fusion concat, expected average, linear or gated: .*",
    )


def test_a_gat_is_trained_on_only_where_its_vectors_are_used() -> None:
    refused(
        changed(("ablations", "finetuned-gat", "structure"), "initial"),
        r"ablations\.finetuned-gat\.finetune_gat: found true with structure: initial, expected structure: gat",
    )


@pytest.mark.parametrize("place", [("variants", "recommended"), (*OVERRIDES, "recommended")])
@pytest.mark.parametrize(
    "changes",
    [
        {"alignment_weight": 0.1},
        {"alignment": "queue", "alignment_weight": 0.1},
        {"modality_dropout": 0.2},
        {"modalities": ["text", "id"]},
        {"modalities": ["id"], "alignment_weight": 0.1},
    ],
)
def test_no_ablation_stands_in_the_way_of_what_a_variant_is_known_by(
    place: tuple[str, ...], changes: dict[str, Any]
) -> None:
    now = look_up(VALUES, place, "") if place[0] == "variants" else {}
    validated(Parameters, changed(place, now | changes), "")


def test_average_fusion_needs_equal_widths() -> None:
    values = changed(("ablations", "average-fusion", "width"), 32)
    expected = (
        r"ablations\.average-fusion\.fusion: average fusion needs equal widths, found width 32 and structural vectors "
    )
    rest = r" wide; make them equal or use concat or linear \(fusion average, data set ml-100k\)"
    refused(values, f"{expected}64{rest}")
    values["train_gat"]["output_width"] = 32
    validated(Parameters, values, "")
    # Of the vectors before the GAT the width is another one, which the way that they are made may change.
    values["ablations"]["average-fusion"]["structure"] = "initial"
    refused(values, f"{expected}64{rest}")
    values["ablations"]["average-fusion"]["structure_source"] = "deepwalk"
    refused(values, f"{expected}64{rest}")
    values["structures"]["deepwalk"]["init_sdne"]["dimensions"] = 32
    validated(Parameters, values, "")
    values["structures"]["deepwalk"]["init_sdne"]["dimensions"] = 16
    refused(values, f"{expected}16{rest}")
    values["ablations"]["average-fusion"]["modalities"] = ["text", "id"]
    validated(Parameters, values, "")


def test_heads_divide_the_width_that_the_fusion_gives() -> None:
    crmman = {"attention_heads": 64, "width": 64}
    values = changed(("variants", "crmman"), VALUES["variants"]["crmman"] | crmman)
    validated(Parameters, values, "")
    # 60 of the text beside 64 of the structure.
    values["variants"]["crmman"] |= {"width": 60, "attention_heads": 31}
    validated(Parameters, values, "")
    # Each modality but the structure is as wide as the text.
    values["variants"]["crmman"] |= {"modalities": ["text", "structure", "id"], "attention_heads": 46}
    validated(Parameters, values, "")
    values["variants"]["crmman"]["modalities"] = ["text", "id"]
    refused(
        values, r"variants\.crmman\.attention_heads: found 46, expected a divisor of .* width 120 \(fusion concat, .*"
    )
    values["variants"]["crmman"]["attention"] = "none"
    validated(Parameters, values, "")
    values["ablations"]["self-attention"]["attention_heads"] = 48
    refused(
        values,
        r"ablations\.self-attention\.attention_heads: found 48, expected a divisor of the item vector's width 128",
    )


@pytest.mark.parametrize("name", ["a/b", "..", "", "a b", "a.b"])
@pytest.mark.parametrize("kind", ["datasets", "variants", "ablations", "structures"])
def test_a_name_fits_a_folder(kind: str, name: str) -> None:
    values = changed(("seed",), 1)
    values[kind][name] = next(iter(values[kind].values()))
    refused(values, rf"{kind}: found the name '.*', expected letters, digits, '-' and '_' \(it names folders\)")


@pytest.mark.parametrize("letter", ["a", "ü"])
@pytest.mark.parametrize("kind", ["datasets", "variants", "ablations", "structures"])
def test_a_name_is_short_enough_for_files_that_are_called_by_two_of_them(kind: str, letter: str) -> None:
    fits = 100 // len(letter.encode())
    values = changed(("seed",), 1)
    values[kind][letter * fits] = next(iter(values[kind].values()))
    validated(Parameters, values, "")
    values[kind][letter * (fits + 1)] = next(iter(values[kind].values()))
    refused(
        values,
        rf"{kind}: found the name '{letter}{{30}} \.\.\.' of 10[12] bytes, expected at most 100 \(it names files\)",
    )


def test_a_variant_whose_vectors_the_ablations_make_is_no_variant_to_run() -> None:
    values = changed(("run_variants",), ["recommended", "walks"])
    values["variants"]["walks"] = values["variants"]["recommended"] | {"structure_source": "deepwalk"}
    refused(
        values,
        "run_variants: found 'walks', whose structure_source 'deepwalk' is made for ablations only; "
        "expected variants with structure_source ''",
    )
    refused(
        changed((*OVERRIDES, "structure_source"), "deepwalk"), "run_variants: found 'crmman', whose structure_source .*"
    )


@pytest.mark.parametrize("threshold", [4, 3.5, None])
def test_the_like_threshold_is_a_number_or_null(threshold: float | None) -> None:
    parameters = validated(Parameters, changed((*DATASET, "like_threshold"), threshold), "")
    assert parameters.datasets["ml-100k"].like_threshold == threshold


def test_a_number_with_an_exponent_is_a_number(tmp_path: Path) -> None:
    copy_to(tmp_path)
    path = tmp_path / "params.yaml"
    path.write_text(path.read_text().replace("nu: 0.0001", "nu: 1e-05"))
    assert read_parameters(path).init_sdne.nu == 0.00001


def test_mistakes_in_the_file_name_the_file(tmp_path: Path) -> None:
    copy_to(tmp_path)
    path = tmp_path / "params.yaml"
    path.write_text(path.read_text().replace("device: auto", "device: tpu"))
    with pytest.raises(InputError, match=rf"^{path}: device: found 'tpu', expected 'auto', 'cpu' or 'cuda'$"):
        read_parameters(path)


@pytest.mark.parametrize(
    ("source", "key", "expected"),
    [
        (
            {"type": "atomic", "path": "x", "version": "1"},
            "version",
            "expected one of: graph, image, images, not_rated, path, rename, rows_are_likes, type, vectors$",
        ),
        (
            {"type": "tables", "path": "x", "renam": {}},
            "renam",
            r"expected one of: facts, graph, image, images, not_rated, path, rename, rows_are_likes, type, vectors \(did you mean",
        ),
        ({"type": "tables", "path": ""}, "path", "found '', expected"),
        ({"type": "tables", "path": "x", "rename": {"a": 1}}, "rename.a", "found 1, expected a valid string"),
    ],
)
def test_each_source_has_keys_of_its_own(source: dict[str, Any], key: str, expected: str) -> None:
    with pytest.raises(InputError, match=rf"^datasets\.ml-100k\.source\.{key}: .*{expected}"):
        validated(Parameters, changed((*DATASET, "source"), source), "")
