from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from pipeline import artifacts
from pipeline.baselines.popularity import Popularity
from pipeline.evaluation.protocols import evaluate_split
from pipeline.evaluation.suite import Evaluation, EvaluationConfig, evaluate_all, table, warnings
from tests.evaluation.worlds import (
    Fixed,
    dataset,
    oracle,
    planted_dataset,
    poisoned,
    random_rows,
    unrated_rows,
    without_ties,
)

USERS, ITEMS = 40, 60
SYSTEMS = ["crmman", "popularity", "item-mean", "item-knn", "ease", "signed-ease", "als", "biased-mf"]
NAMES = {
    "ctr": ["auc", "user_auc", "accuracy", "f1"],
    "impression": ["auc", "user_auc", "mrr", "ndcg@5", "ndcg@10"],
    "ranking": ["ndcg@5", "ndcg@10", "recall@10", "recall@20", "hit@10", "coverage@10"],
}
DATA = planted_dataset(USERS, ITEMS)


def config(**changes: Any) -> EvaluationConfig:
    settings: dict[str, Any] = {
        "baselines_chosen_by": "ranking.ndcg@10",
        "item_mean_damping": [2.0],
        "item_knn_neighbours": [2, 10],
        "ease_l2": [20.0],
        "ease_max_items": 100,
        "signed_ease_l2": [20.0],
        "signed_ease_dislike_weight": [0.5],
        "als_factors": [2],
        "als_regularization": [0.1],
        "als_alpha": [2.0],
        "als_iterations": 2,
        "biased_mf_factors": [2],
        "biased_mf_regularization": [1.0],
        "biased_mf_iterations": 2,
        "bootstrap_samples": 20,
    }
    return EvaluationConfig.model_validate(settings | changes)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate_all(without_ties(USERS, ITEMS, 0), DATA, config(), 1)


def test_the_nested_figures_have_every_system_protocol_and_metric_in_order(evaluation) -> None:
    nested = evaluation.as_nested()
    assert list(nested) == SYSTEMS
    for protocols in nested.values():
        assert {protocol: list(metrics) for protocol, metrics in protocols.items()} == NAMES
        assert list(protocols) == list(NAMES)
        assert all(0 <= value <= 1 for metrics in protocols.values() for value in metrics.values())


def test_figures_are_those_of_the_test_split(evaluation) -> None:
    model = without_ties(USERS, ITEMS, 0)
    tested = evaluate_split(model, DATA, "test")
    found = evaluation.as_nested()["crmman"]
    for (protocol, metric), values in tested.per_user.items():
        assert found[protocol][metric] == pytest.approx(np.mean(values.values)), (protocol, metric)
    for protocol, pairs in (("ctr", tested.ctr), ("impression", tested.impression)):
        assert found[protocol]["auc"] == pytest.approx(roc_auc_score(pairs.labels, pairs.scores))
    assert found["ranking"]["coverage@10"] == tested.coverage
    popularity = evaluate_split(Popularity.fit(DATA), DATA, "test")
    assert evaluation.as_nested()["popularity"]["ranking"]["ndcg@10"] == popularity.value("ranking.ndcg@10")


def test_the_threshold_of_accuracy_and_f1_is_the_best_of_validation_whatever_it_does_on_test() -> None:
    scores = oracle(DATA, "valid").table + oracle(DATA, "test").table * 0.5
    # On validation .75 parts likes from the rest without a mistake; on test it calls nothing a like.
    found = evaluate_all(Fixed(scores), DATA, config(), 1).as_nested()["crmman"]["ctr"]
    pairs = evaluate_split(Fixed(scores), DATA, "test").ctr
    called = pairs.scores >= 0.5
    assert set(pairs.scores.tolist()) == {0.0, 0.5}
    assert found["accuracy"] == pytest.approx(accuracy_score(pairs.labels, called))
    assert found["f1"] == pytest.approx(f1_score(pairs.labels, called))
    higher = Fixed(oracle(DATA, "valid").table + oracle(DATA, "test").table * 0.4)
    found = evaluate_all(higher, DATA, config(), 1).as_nested()["crmman"]["ctr"]
    assert (found["accuracy"], found["f1"]) == (0.5, 0.0)
    assert found["auc"] == 1.0


def test_the_tables_of_intervals_per_user_values_and_settings_are_their_artifacts(evaluation, tmp_path) -> None:
    artifacts.METRICS.write(evaluation.as_nested(), "small", tmp_path)
    artifacts.INTERVALS.write(evaluation.intervals(), "small", tmp_path)
    artifacts.PER_USER.write(evaluation.all_per_user(), "small", tmp_path)
    artifacts.CHOSEN_BASELINES.write(evaluation.tried_settings(), "small", tmp_path)

    metrics = artifacts.METRICS.read("small", tmp_path)
    intervals = artifacts.INTERVALS.read("small", tmp_path)
    flat = {(s, p, m): v for s, ps in metrics.items() for p, ms in ps.items() for m, v in ms.items()}
    assert len(intervals) == len(flat)
    for row in intervals.iter_rows(named=True):
        assert row["value"] == pytest.approx(flat[row["system"], row["protocol"], row["metric"]], abs=1e-6)
        if row["metric"] == "coverage@10":
            assert row["low"] is None
            assert row["high"] is None
        else:
            assert row["low"] <= row["high"]
            assert row["low"] - 0.02 <= row["value"] <= row["high"] + 0.02
    means = artifacts.PER_USER.read("small", tmp_path).group_by("system", "protocol", "metric").agg(pl.mean("value"))
    for system, protocol, metric, value in means.iter_rows():
        assert value == pytest.approx(flat[system, protocol, metric], abs=1e-6)
    tried = artifacts.CHOSEN_BASELINES.read("small", tmp_path)
    assert tried.filter(pl.col("chosen"))["system"].sort().to_list() == sorted(SYSTEMS[1:])
    assert len(tried) == 8


def test_a_second_evaluation_gives_the_same_and_every_system_meets_the_same_users(evaluation) -> None:
    again = evaluate_all(without_ties(USERS, ITEMS, 0), DATA, config(), 1)
    assert again.figures == evaluation.figures
    # Popularity in the model's place: the same scores as the baseline's, so the same intervals.
    twice = evaluate_all(Popularity.fit(DATA), DATA, config(), 1)
    for protocol, metrics in NAMES.items():
        for metric in metrics:
            assert twice.figures["crmman", protocol, metric] == twice.figures["popularity", protocol, metric]


def test_another_test_split_changes_figures_but_no_choice() -> None:
    rows = random_rows(USERS, ITEMS, 0.4, 5)
    drawn = unrated_rows(rows, USERS, ITEMS, 5)
    clean, other = (
        evaluate_all(without_ties(USERS, ITEMS, 0), dataset(part, drawn, USERS, ITEMS), config(), 1)
        for part in (rows, poisoned(rows, {"test"}))
    )
    assert clean.tried_settings().equals(other.tried_settings())
    assert clean.as_nested()["ease"]["ranking"] != other.as_nested()["ease"]["ranking"]


def test_ease_beyond_its_limit_is_left_out_with_a_remark() -> None:
    found = evaluate_all(without_ties(USERS, ITEMS, 0), DATA, config(ease_max_items=59), 1)
    assert list(found.as_nested()) == [system for system in SYSTEMS if system not in ("ease", "signed-ease")]
    assert found.remarks == [
        "ease is left out: 60 items with a like, more than ease_max_items 59",
        "signed-ease is left out: 60 rated items, more than ease_max_items 59",
    ]
    assert not {"ease", "signed-ease"} & set(found.tried_settings()["system"])


def test_systems_are_reported_as_they_are_done() -> None:
    done: list[str] = []
    evaluate_all(without_ties(USERS, ITEMS, 0), DATA, config(), 1, done.append)
    assert done == SYSTEMS


def test_data_without_dislikes_have_no_impression_block_and_nothing_is_said_on_the_way(recwarn) -> None:
    rows = [row | {"like": True, "rating": None} for row in random_rows(USERS, ITEMS, 0.3, 0)]
    data = dataset(rows, unrated_rows(rows, USERS, ITEMS, 0), USERS, ITEMS)
    found = evaluate_all(without_ties(USERS, ITEMS, 0), data, config(), 1)
    assert {tuple(protocols) for protocols in found.as_nested().values()} == {("ctr", "ranking")}
    assert set(found.all_per_user()["protocol"]) == {"ctr", "ranking"}
    assert [str(warning.message) for warning in recwarn] == []
    assert list(blocks_of(table(found.as_nested(), found.intervals()))) == ["ctr", "ranking", "*"]


def blocks_of(text: str) -> dict[str, list[str]]:
    """Lines of the table by protocol, the header first."""
    parts = [part.splitlines() for part in text.split("\n\n")]
    return {lines[0].split()[0]: lines for lines in parts}


FIGURES = {
    "crmman": {"ctr": {"auc": 0.9, "user_auc": 0.8}, "ranking": {"ndcg@10": 0.25}},
    "popularity": {"ctr": {"auc": 0.9, "user_auc": 0.85}, "ranking": {"ndcg@10": 0.0625}},
    "ease": {"ctr": {"auc": 0.7, "user_auc": 1.0}, "ranking": {"ndcg@10": 0.125, "hit@10": 0.5}},
}
INTERVALS = pl.DataFrame(
    [
        {"system": "crmman", "protocol": "ctr", "metric": "auc", "low": 0.85, "high": 0.96},
        {"system": "ease", "protocol": "ranking", "metric": "hit@10", "low": None, "high": None},
    ],
    schema={"system": pl.String, "protocol": pl.String, "metric": pl.String, "low": pl.Float64, "high": pl.Float64},
)


def test_the_table_has_a_block_for_each_protocol_and_marks_the_best_of_each_column() -> None:
    blocks = blocks_of(table(FIGURES, INTERVALS))
    assert [line.split() for line in blocks["ctr"]] == [
        ["ctr", "auc", "user_auc"],
        ["crmman", "*.9000", "±.055", ".8000"],
        ["popularity", "*.9000", ".8500"],
        ["ease", ".7000", "*1.0000"],
    ]
    assert [line.split() for line in blocks["ranking"]] == [
        ["ranking", "ndcg@10", "hit@10"],
        ["crmman", "*.2500", "-"],
        ["popularity", ".0625", "-"],
        ["ease", ".1250", "*.5000"],
    ]


def test_columns_of_the_table_stand_below_each_other(evaluation) -> None:
    for name, lines in blocks_of(table(evaluation.as_nested(), evaluation.intervals())).items():
        if name in NAMES:
            assert len({len(line) for line in lines}) == 1
            assert len(lines) == 1 + len(SYSTEMS)


def test_a_baseline_above_the_model_is_named_best_first() -> None:
    assert warnings(FIGURES) == ["ctr user_auc: ease, popularity above crmman"]
    lost = {
        "crmman": {"ctr": {"user_auc": 0.5}, "impression": {"ndcg@5": 0.5}, "ranking": {"ndcg@10": 0.5}},
        "als": {"ctr": {"user_auc": 0.5}, "impression": {"ndcg@5": 0.6}, "ranking": {"ndcg@10": 0.7}},
        "ease": {"ctr": {"user_auc": 0.4}, "ranking": {"ndcg@10": 0.8}},
    }
    assert warnings(lost) == ["impression ndcg@5: als above crmman", "ranking ndcg@10: ease, als above crmman"]


def test_a_model_above_all_baselines_needs_no_warning() -> None:
    assert warnings({name: FIGURES[name] | {"ctr": {"user_auc": 0.5}} for name in FIGURES}) == []
