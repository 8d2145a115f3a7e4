"""The document of quality: tables go between their markers, and an ablation is shown under the variant it comes from."""

from __future__ import annotations

import pytest

from pipeline.artifacts import ABLATION_METRICS
from pipeline.config import read_yaml
from pipeline.errors import InputError
from stages.quality import base_of, changes, only_the_seed, parts, replaced
from tests.repository import ROOT

VARIANTS = read_yaml(ROOT / "params.yaml")["variants"]
RUN = ["crmman", "crmman-plus", "crmman-ease"]


def test_what_stands_between_markers_is_replaced_and_nothing_else() -> None:
    text = "a\n<!-- x: written by stages.quality -->\nold\n<!-- end of x -->\nb\n"
    once = replaced(text, "x", "new")
    assert once == "a\n<!-- x: written by stages.quality -->\n\nnew\n\n<!-- end of x -->\nb\n"
    assert replaced(once, "x", "new") == once


def test_a_document_without_the_markers_is_one_line() -> None:
    with pytest.raises(InputError, match="markers of 'y' not found"):
        replaced("<!-- x: written by stages.quality -->", "y", "")


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("no-attention", "crmman"),
        ("no-text", "crmman-plus"),
        ("ease-seed-1", "crmman-ease"),
        ("id-only", "crmman-plus"),
    ],
)
def test_an_ablation_belongs_to_the_variant_it_differs_least_from(name: str, base: str) -> None:
    assert base_of(name, RUN, VARIANTS) == base


def test_ablations_of_the_extended_model_change_one_part() -> None:
    ablations = read_yaml(ROOT / "params.yaml")["ablations"]
    # Average fusion needs the width of the structural vectors, and candidate-aware attention runs with one head.
    second = {"average-fusion": {"width"}, "candidate-attention": {"attention_heads"}}
    for name in ablations:
        changed = changes(name, base_of(name, RUN, VARIANTS), VARIANTS)
        assert len(changed - second.get(name, set())) == 1, name


def test_runs_with_another_seed_differ_in_nothing_else() -> None:
    assert only_the_seed("plus-seed-2", "crmman-plus", VARIANTS)
    assert not only_the_seed("no-text", "crmman-plus", VARIANTS)


def test_the_short_table_has_each_ablation_under_the_model_it_changes_with_the_difference() -> None:
    def figures(value: float) -> dict[str, dict[str, float]]:
        return {
            "ctr": {"user_auc": value},
            "impression": {"ndcg@5": value},
            "ranking": {"ndcg@10": value, "recall@20": value},
        }

    metrics = {"crmman": 0.5, "crmman-plus": 0.6, "crmman-ease": 0.7, "no-text": 0.55, "no-attention": 0.5125}
    metrics |= {"plus-seed-1": 0.61}
    values = {"run_variants": RUN, "variants": VARIANTS}
    lines = parts({name: figures(value) for name, value in metrics.items()}, values).splitlines()
    assert lines[0].startswith("| variant | of | ctr user_auc | impression ndcg@5 |")
    assert lines[2:] == [
        "| crmman |  | .5000 | .5000 | .5000 | .5000 |",
        "| no-attention | crmman |" + " .5125 (+.0125) |" * 4,
        "| crmman-plus |  | .6000 | .6000 | .6000 | .6000 |",
        "| no-text | crmman-plus |" + " .5500 (-.0500) |" * 4,
    ]


def test_the_readmes_short_table_is_that_of_the_committed_figures() -> None:
    values = read_yaml(ROOT / "params.yaml")
    table = parts(ABLATION_METRICS.read("ml-100k", ROOT), values)
    text = (ROOT / "README.md").read_text()
    assert replaced(text, "ml-100k parts", table) == text


def test_the_document_has_markers_for_the_data_set_of_the_repository() -> None:
    text = (ROOT / "docs" / "quality.md").read_text()
    for part in ("systems", "ablations"):
        replaced(text, f"ml-100k {part}", "")
