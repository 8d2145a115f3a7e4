"""The document of quality: tables go between their markers, and an ablation is shown under the variant it comes from."""

from __future__ import annotations

import pytest

from pipeline.artifacts.evaluation import ABLATION_METRICS
from pipeline.common.config import read_yaml
from pipeline.common.errors import InputError
from stages.quality import ablations_of, parts, replaced
from tests.repository import ROOT

VALUES = read_yaml(ROOT / "params.yaml")


def test_what_stands_between_markers_is_replaced_and_nothing_else() -> None:
    text = "a\n<!-- x: written by stages.quality -->\nold\n<!-- end of x -->\nb\n"
    once = replaced(text, "x", "new")
    assert once == "a\n<!-- x: written by stages.quality -->\n\nnew\n\n<!-- end of x -->\nb\n"
    assert replaced(once, "x", "new") == once


def test_a_document_without_the_markers_is_one_line() -> None:
    with pytest.raises(InputError, match="markers of 'y' not found"):
        replaced("<!-- x: written by stages.quality -->", "y", "")


def test_an_ablation_is_shown_with_its_variant_and_another_seed_apart() -> None:
    ablations = {"a": {"of": "x", "width": 1}, "s": {"of": "x", "training_seed": 1}, "b": {"of": "y", "width": 1}}
    ablations |= {"c": {"of": "x", "width": 2, "training_seed": 1}, "not run": {"of": "x", "width": 3}}
    values = {"ablations": ablations}
    assert ablations_of("x", ["c", "b", "a", "s"], values) == (["a", "c"], ["s"])
    assert ablations_of("y", ["a", "b"], values) == (["b"], [])
    assert ablations_of("z", ["a"], values) == ([], [])


def test_ablations_of_the_extended_model_change_one_part() -> None:
    # Average fusion needs the width of the structural vectors, and candidate-aware attention runs with one head.
    second = {"average-fusion": {"width"}, "candidate-attention": {"attention_heads"}}
    for name, entry in VALUES["ablations"].items():
        assert len(entry.keys() - {"of"} - second.get(name, set())) == 1, name


def test_the_short_table_has_each_ablation_under_the_model_it_changes_with_the_difference() -> None:
    def figures(value: float) -> dict[str, dict[str, float]]:
        return {
            "ctr": {"user_auc": value},
            "impression": {"ndcg@5": value},
            "ranking": {"ndcg@10": value, "recall@20": value},
        }

    metrics = {"crmman": 0.5, "crmman-plus": 0.6, "crmman-ease": 0.7, "no-text": 0.55, "no-attention": 0.5125}
    metrics |= {"plus-seed-1": 0.61}
    lines = parts({name: figures(value) for name, value in metrics.items()}, VALUES).splitlines()
    assert lines[0].startswith("| variant | of | ctr user_auc | impression ndcg@5 |")
    assert lines[2:] == [
        "| crmman |  | .5000 | .5000 | .5000 | .5000 |",
        "| no-attention | crmman |" + " .5125 (+.0125) |" * 4,
        "| crmman-plus |  | .6000 | .6000 | .6000 | .6000 |",
        "| no-text | crmman-plus |" + " .5500 (-.0500) |" * 4,
    ]


def test_the_readmes_short_table_is_that_of_the_committed_figures() -> None:
    table = parts(ABLATION_METRICS.read("ml-100k", ROOT), VALUES)
    text = (ROOT / "README.md").read_text()
    assert replaced(text, "ml-100k parts", table) == text


def test_the_document_has_markers_for_the_data_set_of_the_repository() -> None:
    text = (ROOT / "docs" / "quality.md").read_text()
    for part in ("systems", "ablations"):
        replaced(text, f"ml-100k {part}", "")
