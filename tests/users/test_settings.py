"""Rules of a variant's settings, each in one line that starts with its key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts.users import USERS_CURVE
from pipeline.common.ablation import read_all, written_out
from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.evaluation.metrics.validation import FIGURES
from pipeline.users.modalities.names import MADE
from pipeline.users.settings import LARGE_CATALOGUE, SAMPLED_OF_LARGE, VariantConfig
from tests.parameter_files import VECTORS_ALONE

VALUES = read_all(Path(__file__).parents[2] / "params.yaml")
# The ablations as well, written out.
VARIANTS: dict[str, dict[str, Any]] = VALUES["variants"] | {
    name: written_out(VALUES, name, "") for name in VALUES["ablations"]
}
METHOD, EXTENDED = VARIANTS["crmman"], VARIANTS["recommended"] | VECTORS_ALONE
# Of a data set without vectors of its own.
EXTENDED = EXTENDED | {"modalities": list(MADE)}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_of_the_pipeline_keeps_the_rules(name: str) -> None:
    assert validated(VariantConfig, VARIANTS[name], "").model_dump() == VARIANTS[name]


def test_a_model_may_be_chosen_by_every_figure_that_validates_it_and_the_curve_has_them() -> None:
    assert validated(VariantConfig, {"early_stopping_by": list(FIGURES)}, "").early_stopping_by == list(FIGURES)
    assert USERS_CURVE.columns == ("epoch", "loss", *(name.replace(".", "_") for name in FIGURES))


def test_what_is_not_said_is_the_method_as_written() -> None:
    assert validated(VariantConfig, {}, "").model_dump() == METHOD


@pytest.mark.parametrize("name", VARIANTS)
def test_without_dislikes_a_model_has_one_view_and_asks_what_is_liked(name: str) -> None:
    asked = validated(VariantConfig, VARIANTS[name], "")
    found = asked.for_data(100, 0, 1.0, 1).model_dump()
    heads = ["click"] if asked.heads == ["click"] else ["like", "judge"] if "judge" in asked.heads else ["like"]
    narrow = {"width": 64} if asked.terms and asked.attention == "none" else {}
    modalities = [one for one in asked.modalities if one in MADE]
    assert found == VARIANTS[name] | {"views": "likes", "heads": heads, "modalities": modalities} | narrow
    # What is stored with a model is read back.
    assert validated(VariantConfig, found, "").for_data(100, 0, 1.0, 1).model_dump() == found


@pytest.mark.parametrize(("texts", "graph"), [(True, False), (False, True), (False, False)])
@pytest.mark.parametrize("name", VARIANTS)
def test_a_model_asks_for_nothing_that_is_not_there(name: str, *, texts: bool, graph: bool) -> None:
    asked = validated(VariantConfig, VARIANTS[name], "")
    found = asked.for_data(100, 5, 1.0, 1, texts=texts, graph=graph)
    there = {"text": texts, "structure": graph, "entities": graph, "id": True}
    assert found.modalities == ([one for one in asked.modalities if there.get(one)] or ["id"])
    assert found.terms == [one for one in asked.terms if graph or one != "overlap"]
    assert found.co_rating_graph == (asked.co_rating_graph if graph else 0)
    # What is stored with a model is read back, and asks for no more of the same data.
    stored = validated(VariantConfig, found.model_dump(), "")
    assert stored.for_data(100, 5, 1.0, 1, texts=texts, graph=graph) == stored == found


@pytest.mark.parametrize(
    ("asked", "given", "named", "expected"),
    [
        (["text", "vectors"], [], ["text"], ["text"]),
        (["text", "vectors"], ["image", "audio", "mine"], ["text", "audio", "mine"], ["text", "audio", "mine"]),
        (["vectors", "text", "audio"], ["audio"], ["audio", "text"], ["audio", "text"]),
        (["image", "id"], [], ["id"], ["id"]),
        (["image", "id"], ["image"], ["image", "id"], ["image", "id"]),
        # What is named and not there is told of, and not read.
        (["audio", "id"], ["mine"], ["audio", "id"], ["id"]),
        (["audio"], [], ["audio"], ["id"]),
        (["image"], [], [], ["id"]),
    ],
)
def test_vectors_that_were_there_before_are_taken_in_where_they_are_there(
    asked: list[str], given: list[str], named: list[str], expected: list[str]
) -> None:
    config = validated(VariantConfig, METHOD | {"modalities": asked, "fusion": "linear"}, "")
    assert config.with_given(given).modalities == named
    found = config.for_data(100, 5, 40.0, 1, given=given)
    assert found.modalities == expected
    assert found.for_data(100, 5, 40.0, 1, given=given) == found


def test_what_is_about_several_modalities_stays_where_several_are_there() -> None:
    aligned = {"alignment": "queue", "alignment_weight": 0.5, "modality_dropout": 0.2}
    several = {"modalities": ["text", "image", "vectors"], "fusion": "linear"} | aligned
    config = validated(VariantConfig, METHOD | several, "")
    for there in ({"given": ["image"]}, {"given": ["audio", "mine"], "texts": False}):
        found = config.for_data(100, 5, 40.0, 1, **there)  # type: ignore[arg-type]
        assert found.model_dump() == config.model_dump() | aligned | {"modalities": found.modalities}
    for there in ({}, {"given": ["image"], "texts": False}):
        found = config.for_data(100, 5, 40.0, 1, **there)  # type: ignore[arg-type]
        assert len(found.modalities) == 1
        assert (found.alignment, found.alignment_weight, found.modality_dropout) == ("pairs", 0, 0)
        assert validated(VariantConfig, found.model_dump(), "") == found


def test_what_one_modality_or_none_of_structure_leaves_nothing_to_do_is_left_out_whatever_the_data() -> None:
    """So what a variant is changed to do stands in no way of its ablations, of which one may be without."""
    asked = {"fusion": "linear", "modalities": ["text", "id"], "alignment": "queue", "alignment_weight": 0.5}
    several = validated(VariantConfig, METHOD | asked | {"modality_dropout": 0.2, "finetune_gat": True}, "")
    found = several.for_data(100, 5, 40.0, 1)
    assert found == several.model_copy(update={"finetune_gat": False})
    alone = validated(VariantConfig, several.model_dump() | {"modalities": ["id"]}, "").for_data(100, 5, 40.0, 1)
    assert (alone.alignment, alone.alignment_weight, alone.modality_dropout) == ("pairs", 0, 0)
    kept = validated(VariantConfig, several.model_dump() | {"modalities": ["text", "structure"]}, "")
    assert kept.for_data(100, 5, 40.0, 1) == kept


def test_without_dislikes_what_asks_for_no_judgement_asks_for_none() -> None:
    asked = validated(VariantConfig, METHOD | {"heads": ["meet"]}, "")
    assert asked.for_data(100, 0, 1.0, 1).heads == ["like"]


def test_what_no_validation_figure_can_be_made_of_chooses_no_epoch() -> None:
    asked = validated(VariantConfig, EXTENDED, "")
    assert asked.for_data(100, 0, 40.0, 0).early_stopping_by == ["ctr.user_auc", "ranking.ndcg@10"]
    alone = asked.model_copy(update={"early_stopping_by": ["impression.ndcg@10"]})
    assert alone.for_data(100, 0, 40.0, 0).early_stopping_by == ["ranking.ndcg@10"]
    assert alone.for_data(100, 0, 40.0, 1).early_stopping_by == ["impression.ndcg@10"]


@pytest.mark.parametrize("ratings", [12.0, 12.1])
def test_where_users_have_many_ratings_there_are_no_terms_and_no_biases_by_counts(ratings: float) -> None:
    sparse = {
        "terms": ["overlap"],
        "biases": True,
        "count_biases": True,
        "history_dropout": True,
        "targets": "left_out",
    }
    asked = validated(VariantConfig, METHOD | sparse | {"sparse_up_to": 12.0}, "")
    dense = {} if ratings == 12.0 else {"terms": [], "count_biases": False, "targets": "all"}
    assert asked.for_data(100, 5, ratings, 1).model_dump() == asked.model_dump() | dense


@pytest.mark.parametrize(
    ("changes", "ratings", "width"),
    [
        ({}, 12.0, 64),
        ({}, 40.0, 100),
        ({"width": 8}, 12.0, 8),
        ({"terms": []}, 12.0, 100),
        ({"attention": "self", "attention_heads": 5}, 12.0, 100),
    ],
    ids=["sparse", "dense", "narrow", "without terms", "heads that divide the width"],
)
def test_vectors_beside_terms_are_narrow_on_sparse_data(changes: dict[str, Any], ratings: float, width: int) -> None:
    asked = validated(VariantConfig, EXTENDED | {"terms": ["overlap"], "width": 100} | changes, "")
    assert asked.for_data(100, 5, ratings, 1).width == width


@pytest.mark.parametrize("items", [LARGE_CATALOGUE, LARGE_CATALOGUE + 1])
def test_a_large_catalogue_has_no_weights_of_ease_and_a_softmax_over_a_sample(items: int) -> None:
    asked = validated(VariantConfig, METHOD | {"heads": ["like"], "co_rating_l2": 300.0}, "")
    found = asked.for_data(items, 5, 1.0, 1)
    large = items > LARGE_CATALOGUE
    changes = {"co_rating_l2": 0.0, "catalogue_sample": SAMPLED_OF_LARGE} if large else {}
    assert found.model_dump() == asked.model_dump() | changes
    assert asked.model_copy(update={"catalogue_sample": 7}).for_data(items, 5, 1.0, 1).catalogue_sample == 7
    drawn = validated(VariantConfig, METHOD | {"negatives": "unseen"}, "")
    assert drawn.for_data(items, 5, 1.0, 1).model_dump() == drawn.model_dump()


@pytest.mark.parametrize(("ratings", "terms"), [(30.0, ["together"]), (31.0, ["together"]), (30.0, [])])
def test_beside_terms_a_large_catalogue_has_weights_of_ease(ratings: float, terms: list[str]) -> None:
    asked = validated(VariantConfig, METHOD | {"co_rating_l2": 300.0, "terms": terms}, "")
    there = ratings <= 30 and bool(terms)
    assert asked.for_data(LARGE_CATALOGUE + 1, 5, ratings, 1).co_rating_l2 == (300.0 if there else 0.0)


@pytest.mark.parametrize(
    ("items", "ratings"), [(2 * SAMPLED_OF_LARGE, 1.0), (2 * SAMPLED_OF_LARGE + 1, 1.0), (5_000, 40.0)]
)
def test_terms_are_learned_from_a_sample_of_fewer_items(items: int, ratings: float) -> None:
    asked = validated(VariantConfig, METHOD | {"terms": ["overlap"]}, "")
    sampled = items > 2 * SAMPLED_OF_LARGE and ratings < 30
    assert asked.for_data(items, 5, ratings, 1).catalogue_sample == (SAMPLED_OF_LARGE if sampled else 0)


@pytest.mark.parametrize("later", VariantConfig.model_fields)
def test_settings_stored_before_a_field_came_are_read_with_its_default(later: str) -> None:
    stored = {name: value for name, value in METHOD.items() if name != later}
    assert validated(VariantConfig, stored, "").model_dump() == METHOD


@pytest.mark.parametrize(
    ("start", "changes", "line"),
    [
        (
            METHOD,
            {"modalities": ["text", "text"]},
            "modalities: found ['text', 'text'], expected each at most once",
        ),
        (EXTENDED, {"heads": ["meet", "meet"]}, "heads: found ['meet', 'meet'], expected each at most once"),
        (
            METHOD,
            {"early_stopping_by": ["ctr.user_auc", "ctr.user_auc"]},
            "early_stopping_by: found ['ctr.user_auc', 'ctr.user_auc'], expected each at most once",
        ),
        (
            METHOD,
            {"heads": ["click", "judge"]},
            "heads: found ['click', 'judge'], expected click alone or some of like, meet, judge",
        ),
        (
            EXTENDED,
            {"heads": ["judge"]},
            "heads: found judge alone, expected like or meet as well: judge cannot rank a catalogue",
        ),
        (
            EXTENDED,
            {"negatives": "mixed"},
            "negatives: found mixed, expected all: like and meet are asked of all items",
        ),
        (
            METHOD,
            {"negatives": "mixed", "catalogue_sample": 100},
            "catalogue_sample: found 100 with negatives mixed, expected 0: only all is sampled",
        ),
        (
            METHOD,
            {"validate_every": 11},
            "patience: found 10, expected at least validate_every, 11: "
            "training would stop before its first look at the validation split",
        ),
        (
            EXTENDED,
            {"alignment": "codebook"},
            "alignment: found codebook with alignment_weight 0, which aligns nothing; expected a weight above 0",
        ),
        (
            METHOD,
            {"alignment_weight": 0.1},
            "alignment_weight: found 0.1 with fusion concat, expected average, linear or gated: "
            "aligned vectors must be equally wide",
        ),
        (
            EXTENDED,
            {"structure": "initial", "finetune_gat": True},
            "finetune_gat: found true with structure: initial, expected structure: gat",
        ),
        (
            EXTENDED,
            {"attention": "self", "attention_heads": 5},
            "attention_heads: found 5, expected a divisor of the item vector's width 128",
        ),
        (
            EXTENDED,
            {"attention": "candidate", "attention_heads": 5},
            "attention_heads: found 5, expected a divisor of the item vector's width 128",
        ),
    ],
)
def test_settings_that_do_not_fit_each_other_are_one_line(
    start: dict[str, Any], changes: dict[str, Any], line: str
) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(line)}$"):
        validated(VariantConfig, start | changes, "")


@pytest.mark.parametrize(
    ("start", "changes"),
    [
        # Only what is used has to fit.
        (EXTENDED, {"attention": "none", "attention_heads": 5}),
        (METHOD, {"attention_heads": 5}),  # concatenated vectors are as wide as the structural ones make them
        (METHOD, {"negatives": "disliked"}),
        (METHOD, {"validate_every": 10}),
        (EXTENDED, {"heads": ["like", "meet", "judge"]}),
        (EXTENDED, {"heads": ["meet"]}),
        (EXTENDED, {"fusion": "gated", "alignment_weight": 0.1}),
        (EXTENDED, {"fusion": "average", "alignment_weight": 0.1}),
        (EXTENDED, {"modalities": ["vectors"], "alignment_weight": 0.1, "modality_dropout": 0.1}),
        (EXTENDED, {"modalities": ["text", "id"], "alignment": "queue", "alignment_weight": 0.1}),
        (METHOD, {"modality_dropout": 0.1}),
        (EXTENDED, {"structure": "initial", "modalities": ["text", "id"]}),
    ],
)
def test_settings_that_fit_are_taken(start: dict[str, Any], changes: dict[str, Any]) -> None:
    validated(VariantConfig, start | changes, "")


@pytest.mark.parametrize(
    "changes",
    [
        {"modalities": []},
        {"heads": []},
        {"early_stopping_by": []},
        {"early_stopping_by": ["ranking.recall@10"]},
        {"modalities": ["../elsewhere"]},
        {"structure_source": "../elsewhere"},
        {"width": 0},
        {"alignment": "clip"},
        {"alignment_temperature": 0.0},
        {"alignment_items": 1},
        {"alignment_queue": 0},
        {"alignment_momentum": 1.0},
        {"alignment_prototypes": 1},
        {"modality_dropout": 1.0},
        {"pooling_exponent": 1.5},
        {"attention_heads": 0},
        {"dropout": 1.0},
        {"max_history": 1},
        {"epochs": 0},
        {"co_rating_l2": -1.0},
        {"co_rating_graph": -1.0},
        {"co_rating_share": -1.0},
        {"unknown": 1},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_values_out_of_range_are_one_line_that_names_the_key(changes: dict[str, Any]) -> None:
    (key,) = changes
    with pytest.raises(InputError, match=rf"^{key}[.0-9]*: found [^\n]*, expected [^\n]*$"):
        validated(VariantConfig, METHOD | changes, "")
