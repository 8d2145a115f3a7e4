"""What the tables and training rely on: no name twice, and validation that knows nothing of the list."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.evaluation.metrics.registry import METRICS, PROTOCOLS, compared_in, names_of
from pipeline.evaluation.metrics.validation import FIGURES, validation_figures
from tests.evaluation.worlds import random_dataset, without_ties
from tests.repository import ROOT


def test_the_tables_have_each_metric_once_and_mark_those_that_are_tested() -> None:
    assert len({(metric.protocol, metric.name) for metric in METRICS}) == len(METRICS)
    assert PROTOCOLS == ("ctr", "impression", "reranking", "ranking")
    assert names_of("ctr") == ["auc", "user_auc", "accuracy", "f1"]
    assert compared_in("ctr") == ["auc", "user_auc"]
    assert names_of("impression") == ["auc", "user_auc", "accuracy", "f1", "mrr", "ndcg@5", "ndcg@10"]
    assert [name for name in names_of("impression") if name not in compared_in("impression")] == ["accuracy", "f1"]
    assert compared_in("reranking") == names_of("reranking") == ["ndcg@5", "f1@5"]
    assert [name for name in names_of("ranking") if name not in compared_in("ranking")] == [
        "coverage@10",
        "gini@10",
        "novelty@10",
        "text_diversity@10",
        "graph_diversity@10",
    ]


def test_validation_has_the_figures_of_the_registry() -> None:
    data = random_dataset()
    found = validation_figures(without_ties(data.users, data.items, 1), data)
    whole = evaluate_split(without_ties(data.users, data.items, 1), data, "valid")
    assert list(found) == ["ctr.user_auc", "impression.ndcg@10", "ranking.ndcg@10"]
    assert found == {name: whole.value(name) for name in found}
    assert len(FIGURES) == len(found)


def imported(module: str) -> set[str]:
    """Modules of the evaluation that a module imports, and those that these import."""
    path = ROOT / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = {module}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline.evaluation"):
            found |= imported(str(node.module))
    return found


@pytest.mark.parametrize("module", ["pipeline.users.training", "pipeline.users.trained", "pipeline.users.found_shares"])
def test_training_imports_no_list_of_metrics_and_no_comparison(module) -> None:
    reached = imported(module) - {module}
    assert reached
    allowed = {
        "pipeline.evaluation.metrics.validation",
        "pipeline.evaluation.metrics.auc",
        "pipeline.evaluation.metrics.kinds",
        "pipeline.evaluation.metrics.ndcg",
        "pipeline.evaluation.baselines.item_weights",
    }
    assert {name for name in reached if not name.startswith("pipeline.evaluation.protocols.")} <= allowed
