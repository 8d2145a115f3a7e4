"""The document of quality: tables go between their markers, and an ablation is shown under the variant it comes from."""

from __future__ import annotations

import pytest

from pipeline.common.config import read_yaml
from pipeline.common.errors import InputError
from stages.cli.quality import evaluated_runs, replaced, run_ablations
from tests.repository import ROOT

VALUES = read_yaml(ROOT / "params.yaml")


def test_what_stands_between_markers_is_replaced_and_nothing_else() -> None:
    text = "a\n<!-- x: written by stages.cli.quality -->\nold\n<!-- end of x -->\nb\n"
    once = replaced(text, "x", "new")
    assert once == "a\n<!-- x: written by stages.cli.quality -->\n\nnew\n\n<!-- end of x -->\nb\n"
    assert replaced(once, "x", "new") == once


def test_a_document_without_the_markers_is_one_line() -> None:
    with pytest.raises(InputError, match="markers of 'y' not found"):
        replaced("<!-- x: written by stages.cli.quality -->", "y", "")


def test_an_ablation_that_was_not_evaluated_is_not_shown() -> None:
    ablations = {
        "a": {"of": "x", "width": 1},
        "a2": {"of": "x", "width": 1, "training_seed": 1},
        "b": {"of": "x", "width": 2},
    }
    run = run_ablations({"seed": 1, "run_variants": ["x"], "ablations": ablations})
    assert evaluated_runs(run, "x", ["x", "a", "a2", "b"]) == {"x": ["x"], "a": ["a", "a2"], "b": ["b"]}
    assert evaluated_runs(run, "x", ["x", "a2"]) == {"x": ["x"], "a": ["a2"]}


def test_ablations_of_the_extended_model_change_one_part() -> None:
    # Average fusion needs the width of the structural vectors, and candidate-aware attention runs with one head.
    second = {"average-fusion": {"width"}, "candidate-attention": {"attention_heads"}}
    for name, entry in VALUES["ablations"].items():
        assert len(entry.keys() - {"of"} - second.get(name, set())) == 1, name


def test_the_document_has_markers_for_the_data_set_of_the_repository() -> None:
    text = (ROOT / "docs" / "quality.md").read_text()
    for part in ("systems", "ablations"):
        replaced(text, f"ml-100k {part}", "")
