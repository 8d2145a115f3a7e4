"""An ablation is written down as the difference to a variant, and stands for a whole one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.common.ablation import FILE, Ablation, changes_in, read_all, written_out
from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.parameters.params import read_parameters
from pipeline.parameters.runs import runs_of
from pipeline.users.settings import VariantConfig
from stages.shared.stage import Reads, Settings, Stage
from tests.parameter_files import copy_to, edited
from tests.repository import ROOT

VALUES = read_all(ROOT / "params.yaml")
# Settings of the recommended model, written down once more.
RECOMMENDED = {
    "modalities": ["text", "structure", "id", "entities", "image", "vectors"],
    "structure": "gat",
    "structure_source": "",
    "finetune_gat": False,
    "fusion": "linear",
    "width": 128,
    "alignment": "pairs",
    "alignment_weight": 0.0,
    "alignment_temperature": 0.1,
    "alignment_items": 256,
    "alignment_queue": 1024,
    "alignment_momentum": 0.99,
    "alignment_prototypes": 64,
    "views": "both",
    "attention": "none",
    "attention_heads": 4,
    "pooling_exponent": 0.5,
    "learn_exponent": True,
    "heads": ["meet", "judge"],
    "judge_share": 0.4,
    "ranking_share": 0.0,
    "find_shares": True,
    "co_rating_l2": 300.0,
    "co_rating_graph": 3.0,
    "co_rating_share": 8.0,
    "terms": ["overlap", "together", "popularity"],
    "sparse_up_to": 30.0,
    "biases": True,
    "count_biases": True,
    "negatives": "all",
    "catalogue_sample": 0,
    "negatives_per_like": 50,
    "disliked_share": 0.2,
    "leave_one_out": True,
    "targets": "left_out",
    "history_dropout": True,
    "dropout": 0.4,
    "modality_dropout": 0.0,
    "damping": 10.0,
    "max_history": 100,
    "max_targets": 200,
    "learning_rate": 0.002,
    "weight_decay": 0.0,
    "batch_users": 256,
    "epochs": 32,
    "validate_every": 2,
    "patience": 12,
    "training_seed": 0,
    "early_stopping_by": ["ctr.user_auc", "impression.ndcg@10", "ranking.ndcg@10"],
}
METHOD = {
    "modalities": ["text", "structure"],
    "fusion": "concat",
    "width": 64,
    "attention": "self",
    "pooling_exponent": 0.0,
    "learn_exponent": False,
    "heads": ["click"],
    "find_shares": False,
    "co_rating_l2": 0.0,
    "co_rating_graph": 0.0,
    "co_rating_share": 8.0,
    "terms": [],
    "biases": False,
    "count_biases": False,
    "targets": "all",
    "history_dropout": False,
    "dropout": 0.2,
    "damping": 0.0,
    "max_history": 200,
    "epochs": 60,
    "validate_every": 1,
    "patience": 10,
    "early_stopping_by": ["ranking.ndcg@10"],
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "id-only",
            RECOMMENDED | {"modalities": ["id"], "terms": ["together"], "count_biases": False, "co_rating_graph": 0.0},
        ),
        ("no-text", RECOMMENDED | {"modalities": ["structure", "id", "entities", "image", "vectors"]}),
        ("deepwalk", RECOMMENDED | {"structure_source": "deepwalk"}),
        ("average-fusion", RECOMMENDED | {"fusion": "average", "width": 64}),
        ("candidate-attention", RECOMMENDED | {"attention": "candidate", "attention_heads": 1}),
        ("no-attention", RECOMMENDED | METHOD | {"attention": "none"}),
        ("seed-2", RECOMMENDED | {"training_seed": 2}),
    ],
)
def test_an_ablation_is_its_variant_with_what_it_changes(name: str, expected: dict[str, Any]) -> None:
    assert written_out(VALUES, name, "") == expected


def test_every_ablation_has_all_settings_of_a_variant_and_changes_some() -> None:
    for name, entry in VALUES["ablations"].items():
        whole = VALUES["variants"][entry["of"]]
        settings = written_out(VALUES, name, "")
        assert settings.keys() == VariantConfig.model_fields.keys()
        assert {key for key in settings if settings[key] != whole[key]} == entry.keys() - {"of"} != set()


def test_what_is_taken_over_is_that_of_now() -> None:
    values = {"variants": {"a": {"width": 1, "heads": ["meet"]}}, "ablations": {"b": {"of": "a", "heads": ["like"]}}}
    assert written_out(values, "b", "") == {"width": 1, "heads": ["like"]}
    assert values["variants"]["a"] == {"width": 1, "heads": ["meet"]}
    values["variants"]["a"]["width"] = 2
    assert written_out(values, "b", "") == {"width": 2, "heads": ["like"]}


def test_which_variant_it_is_of_is_no_change() -> None:
    assert validated(Ablation, {"of": "a", "width": 1}, "").changes == {"width": 1}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"of": "b"}, r"p: ablations\.x\.of: found 'b', expected one of: a, 1"),
        ({"of": "x"}, r"p: ablations\.x\.of: found 'x', expected one of: a, 1"),
        ({"of": None}, r"p: ablations\.x\.of: found null, expected a valid string"),
        ({"width": 1}, r"p: ablations\.x\.of: found nothing, expected this key"),
    ],
)
def test_an_ablation_of_nothing_is_one_line(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        written_out({"variants": {"a": {}, 1: {}}, "ablations": {"x": entry}}, "x", "p: ")


def test_a_stage_meets_an_ablation_by_its_name_as_it_does_a_variant(tmp_path: Path) -> None:
    def settings(text: str = "") -> Settings:
        copy_to(tmp_path)
        path = tmp_path / "params.yaml"
        path.write_text(path.read_text().replace("train_users: null", "train_users: {epochs: 5}") + text)
        return Settings(Stage("train_users", Reads(variant=VariantConfig)), "ml-100k", path)

    # What the data set changes goes over both.
    expected = RECOMMENDED | {"epochs": 5, "attention": "self"}
    assert settings().variant(VariantConfig, "self-attention").model_dump() == expected
    assert settings().variant(VariantConfig, "recommended").model_dump() == RECOMMENDED | {"epochs": 5}
    with pytest.raises(InputError, match=r"params\.yaml: variants\.no-txt: key not found; expected one of: crmman, "):
        settings().variant(VariantConfig, "no-txt")


def test_entries_that_differ_in_the_seed_alone_are_runs_of_one_system() -> None:
    entries = {
        "narrow": {"of": "x", "width": 1},
        "again": {"of": "x", "training_seed": 1},
        "other": {"of": "y", "width": 1},
        "narrow-2": {"of": "x", "training_seed": 2, "width": 1},
        "wide": {"of": "x", "width": 2},
    }
    ablations = {name: Ablation.model_validate(entry) for name, entry in entries.items()}
    assert runs_of(ablations, "x") == {"x": ["x", "again"], "narrow": ["narrow", "narrow-2"], "wide": ["wide"]}
    assert runs_of(ablations, "y") == {"y": ["y"], "other": ["other"]}
    assert runs_of(ablations, "z") == {"z": ["z"]}


@pytest.mark.parametrize(
    "twice",
    [
        {"of": "x"},
        {"of": "x", "width": 1},
        {"of": "x", "width": 1, "training_seed": 2},
        {"of": "x", "training_seed": 3},
    ],
)
def test_the_same_run_twice_is_refused_since_it_would_count_as_two(twice: dict[str, Any]) -> None:
    entries = {
        "a": {"of": "x", "width": 1},
        "b": {"of": "x", "width": 1, "training_seed": 2},
        "c": {"of": "x", "training_seed": 3},
    }
    ablations = {name: Ablation.model_validate(entry) for name, entry in (entries | {"d": twice}).items()}
    with pytest.raises(InputError, match=r"^ablations\.d: found the settings of "):
        runs_of(ablations, "x")


def test_each_section_is_read_from_its_own_file(tmp_path: Path) -> None:
    params, beside = tmp_path / "params.yaml", tmp_path / FILE
    params.write_text("seed: 1")
    assert read_all(params) == {"seed": 1}
    beside.parent.mkdir()
    beside.write_text("ablations: {x: {of: a}}")
    assert read_all(params) == {"seed": 1, "ablations": {"x": {"of": "a"}}}
    beside.write_text("structures: {}\nseed: 2")
    with pytest.raises(
        InputError, match=rf"^{beside}: seed: found an unknown key, expected one of: ablations, structures$"
    ):
        read_all(params)
    params.write_text("structures: {}")
    with pytest.raises(InputError, match=rf"^{params}: structures: found it in this file, expected it in {beside}$"):
        read_all(params)


def test_what_a_data_set_changes_under_a_variants_name_is_for_it_and_its_ablations_alone() -> None:
    changes = {"epochs": 5, "one": {"epochs": 7, "dropout": 0.3}, "other": None}
    variants = ("one", "other", "third")
    assert changes_in(changes, variants, "one") == {"epochs": 7, "dropout": 0.3}
    assert changes_in(changes, variants, "other") == changes_in(changes, variants, "third") == {"epochs": 5}
    # What an ablation is about stays as it says.
    assert changes_in(changes, variants, "one", {"dropout": 0.0}) == {"epochs": 7}
    assert changes_in(None, variants, "one") == {}


def test_stages_and_the_check_of_all_parameters_read_what_is_under_a_variants_name(tmp_path: Path) -> None:
    copy_to(tmp_path)
    with edited(tmp_path) as values:
        name = next(iter(values["datasets"]))
        values["datasets"][name]["train_users"] = {"epochs": 5, "recommended": {"dropout": 0.25}}
        values["ablations"] = {
            "calm": {"of": "recommended", "dropout": 0.0},
            "wide": {"of": "recommended", "width": 256},
        }
    settings = Settings(Stage("train_users", Reads(variant=VariantConfig)), name, tmp_path / "params.yaml")
    found = {each: settings.variant(VariantConfig, each) for each in ("recommended", "crmman", "calm", "wide")}
    assert {each: (one.epochs, one.dropout) for each, one in found.items()} == {
        "recommended": (5, 0.25),
        "crmman": (5, VALUES["variants"]["crmman"]["dropout"]),
        "calm": (5, 0.0),
        "wide": (5, 0.25),
    }
    read_parameters(tmp_path / "params.yaml")
    with edited(tmp_path) as values:
        values["datasets"][name]["train_users"]["recommended"] = {"dropuot": 0.25}
    with pytest.raises(InputError, match=r"train_users.*dropuot: found an unknown key"):
        read_parameters(tmp_path / "params.yaml")
