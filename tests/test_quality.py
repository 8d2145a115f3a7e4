"""The document of quality: tables go between their markers, and an ablation is shown under the variant it comes from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.artifacts.evaluation import METRICS
from pipeline.common.ablation import read_all
from pipeline.common.errors import InputError
from pipeline.evaluation.comparison.markdown import systems_table
from pipeline.evaluation.comparison.suite import unchanged
from stages.cli import quality
from stages.cli.quality import (
    ablations,
    evaluated_runs,
    figures,
    headline,
    marker,
    measured_elsewhere,
    replaced,
    run_ablations,
    systems,
)
from tests.repository import ROOT

VALUES = read_all(ROOT / "params.yaml")


def test_what_stands_between_markers_is_replaced_and_nothing_else() -> None:
    text = "a\n<!-- x: written by stages.cli.quality -->\nold\n<!-- end of x -->\nb\n"
    once = replaced(text, "x", "new")
    assert once == "a\n<!-- x: written by stages.cli.quality -->\n\nnew\n\n<!-- end of x -->\nb\n"
    assert replaced(once, "x", "new") == once


def test_a_document_without_the_markers_is_one_line() -> None:
    with pytest.raises(InputError, match="markers of 'y' not found"):
        replaced("<!-- x: written by stages.cli.quality -->", "y", "")


def test_a_variant_that_was_not_run_yet_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    run = VALUES | {"run_variants": ["new"], "ablations": {"a": {"of": "new", "width": 1}}}
    with pytest.raises(InputError, match=r"metrics/ml-100k\.json: found no figures of 'new'.*run `dvc repro` first"):
        systems("ml-100k", ["new"])
    with pytest.raises(
        InputError, match=r"metrics/ablations/ml-100k\.json: found no figures of 'new'.*`make ablations`"
    ):
        ablations("ml-100k", run_ablations(run))
    # Of data that are not here the table has what there is.
    assert "recommended" in figures("ml-100k", run_ablations(run))


def test_an_ablation_that_was_not_evaluated_is_not_shown() -> None:
    ablations = {
        "a": {"of": "x", "width": 1},
        "a2": {"of": "x", "width": 1, "training_seed": 1},
        "b": {"of": "x", "width": 2},
    }
    run = run_ablations({"seed": 1, "run_variants": ["x"], "ablations": ablations})
    assert evaluated_runs(run, "x", ["x", "a", "a2", "b"]) == {"x": ["x"], "a": ["a", "a2"], "b": ["b"]}
    assert evaluated_runs(run, "x", ["x", "a2"]) == {"x": ["x"], "a": ["a2"]}


def test_an_ablation_that_the_data_leave_the_whole_model_is_named_as_such() -> None:
    figures = {"ctr": {"auc": 0.5}, "ranking": {"ndcg@10": 0.25}}
    metrics = {"x": figures, "a": figures, "b": {**figures, "ctr": {"auc": 0.5000001}}, "b2": figures, "x2": figures}
    assert unchanged(metrics, "x", {"x": ["x", "x2"], "a": ["a"], "b": ["b", "b2"]}) == ["a"]
    assert unchanged(metrics, "b", {"b": ["b"], "a": ["a"]}) == []


def test_an_ablation_changes_one_part() -> None:
    # Terms and biases by counts read the graph too; average fusion needs the width of the structural vectors, candidate-aware attention
    # runs with one head, a form of alignment counts with a weight, and without dropout of the history nothing is left out of it.
    second = {
        "id-only": {"terms", "count_biases", "co_rating_graph"},
        "no-graph": {"terms", "count_biases", "co_rating_graph"},
        "average-fusion": {"width"},
        "aligned-queue": {"alignment_weight"},
        "aligned-codebook": {"alignment_weight"},
        "candidate-attention": {"attention_heads"},
        "no-history-dropout": {"targets"},
    }
    for name, entry in VALUES["ablations"].items():
        assert len(entry.keys() - {"of"} - second.get(name, set())) == 1, name


def test_the_document_has_markers_for_the_data_set_of_the_repository() -> None:
    text = (ROOT / "docs" / "quality.md").read_text()
    for part in ("systems", "ablations"):
        replaced(text, f"ml-100k {part}", "")


def test_the_documents_table_of_systems_has_the_committed_figures() -> None:
    metrics = METRICS.read("ml-100k", ROOT)
    order = dict.fromkeys([*VALUES["run_variants"], *metrics])
    text = (ROOT / "docs" / "quality.md").read_text()
    table = text.split(marker("ml-100k systems"))[1].strip().split("\n\n")[0]
    assert re.sub(r" [+-](?= \|)", "", table) == systems_table({name: metrics[name] for name in order}, {})


@pytest.mark.parametrize("dataset", measured_elsewhere(VALUES["datasets"]))
def test_the_document_has_the_figures_of_data_that_are_not_here(dataset: str) -> None:
    text = (ROOT / "docs" / "quality.md").read_text()
    assert replaced(text, f"{dataset} figures", figures(dataset, run_ablations(VALUES))) == text


def test_figures_of_data_that_are_not_here_are_those_of_all_systems_with_seeds_and_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def system(value: float) -> dict[str, dict[str, float]]:
        return {"ctr": {"user_auc": value}, "reranking": {"f1@5": value / 2}}

    monkeypatch.chdir(tmp_path)
    ablations = {
        "seed-1": {"of": "x", "training_seed": 1},
        "less": {"of": "x", "width": 1},
        "more": {"of": "x", "width": 9},
    }
    run = run_ablations({"seed": 1, "run_variants": ["x", "y"], "ablations": ablations})
    quality.METRICS.write({"b": system(0.5), "y": system(0.25), "x": system(0.75)}, "far")
    assert measured_elsewhere(["near"]) == ["far"]
    assert measured_elsewhere(["far"]) == []
    table = "| system | ctr user_auc | reranking f1@5 |\n| --- | --: | --: |\n| x | **.7500** | **.3750** |\n"
    assert figures("far", run) == table + "| y | .2500 | .1250 |\n| b | .5000 | .2500 |"
    quality.ABLATION_METRICS.write({"x": system(0.75), "seed-1": system(0.25), "less": system(0.5)}, "far")
    seeds, changes = figures("far", run).split("\n\n")[2::2]
    assert "| x (2 runs) | .5000 ±.3536 |" in seeds
    assert changes == table + "| less | .5000 | .2500 |"


def test_the_readmes_table_is_that_of_the_committed_figures() -> None:
    table = headline(METRICS.read("ml-100k", ROOT), VALUES["run_variants"])
    text = (ROOT / "README.md").read_text()
    assert replaced(text, "ml-100k headline", table) == text


def test_the_readmes_table_has_models_first_and_the_best_of_all_bold() -> None:
    def figures(ctr: float, ranking: float) -> dict[str, dict[str, float]]:
        rank = {"ndcg@10": ranking, "recall@20": ranking}
        return {"ctr": {"user_auc": ctr}, "impression": {"ndcg@5": 0.5}, "ranking": rank}

    # item-mean is the best in ctr and has no row.
    metrics = {"item-mean": figures(0.9, 0.1), "als": figures(0.7, 0.3), "crmman": figures(0.8, 0.2)}
    assert headline(metrics, ["crmman"]).splitlines() == [
        "|  | ctr user_auc | impression ndcg@5 | ranking ndcg@10 | ranking recall@20 |",
        "| --- | --: | --: | --: | --: |",
        "| `crmman` | .8000 | **.5000** | .2000 | .2000 |",
        "| `als` | .7000 | **.5000** | **.3000** | **.3000** |",
    ]
