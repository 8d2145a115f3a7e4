from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from pipeline.artifacts import evaluation as evaluation_artifacts
from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines.ease import Ease
from pipeline.evaluation.baselines.item_mean import ItemMean
from pipeline.evaluation.baselines.popularity import Popularity
from pipeline.evaluation.comparison.paired import SCHEMA
from pipeline.evaluation.comparison.suite import (
    Comparison,
    ComparisonConfig,
    alone,
    compare_systems,
    marks_of,
    over_enough_runs,
    seeds_note,
    table,
)
from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.evaluation.protocols.scores import Scorer, Scores
from pipeline.evaluation.systems.several import Systems
from pipeline.evaluation.systems.slices import by_user
from pipeline.evaluation.systems.system import evaluate_system
from tests.evaluation.comparison.test_paired import paired_auc_difference, paired_difference
from tests.evaluation.worlds import (
    Fixed,
    dataset,
    oracle,
    planted_dataset,
    random_rows,
    sliced_by_item,
    unrated_rows,
    without_ties,
)

USERS, ITEMS = 40, 60
VARIANTS, BASELINES = ["recommended", "crmman"], ["popularity", "item-mean", "ease"]
NAMES = {
    "ctr": ["auc", "user_auc", "accuracy", "f1"],
    "impression": ["auc", "user_auc", "accuracy", "f1", "mrr", "ndcg@5", "ndcg@10"],
    "reranking": ["ndcg@5", "f1@5"],
    "ranking": ["ndcg@5", "ndcg@10", "recall@10", "recall@20", "hit@10", "coverage@10", "gini@10", "novelty@10"],
}
DATA = planted_dataset(USERS, ITEMS)


def scorers() -> dict[str, Scorer]:
    return {
        "recommended": without_ties(USERS, ITEMS, 0),
        "crmman": without_ties(USERS, ITEMS, 1),
        "popularity": Popularity.fit(DATA),
        "item-mean": ItemMean.fit(DATA, 2.0),
        "ease": Ease.fit(DATA, 20.0),
    }


def compared(systems: dict[str, Scorer], variants: list[str], data: Dataset = DATA, samples: int = 20) -> Comparison:
    tables = Systems.joined(evaluate_system(name, scorer, data) for name, scorer in systems.items())
    against = [name for name in systems if name not in variants]
    comparisons = [(alone(variants), alone(against))]
    return compare_systems(tables, data, comparisons, ComparisonConfig(bootstrap_samples=samples), 1)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compared(scorers(), VARIANTS)


def test_the_nested_figures_have_every_system_protocol_and_metric_in_order(comparison) -> None:
    nested = comparison.as_nested()
    assert list(nested) == [*VARIANTS, *BASELINES]
    for protocols in nested.values():
        assert {protocol: list(metrics) for protocol, metrics in protocols.items()} == NAMES
        assert list(protocols) == list(NAMES)
        bits = protocols["ranking"].pop("novelty@10")
        assert 0 <= bits <= np.log2(USERS)
        assert all(0 <= value <= 1 for metrics in protocols.values() for value in metrics.values())


def test_figures_are_those_of_the_test_split(comparison) -> None:
    for system, scorer in scorers().items():
        tested = evaluate_split(scorer, DATA, "test")
        found = comparison.as_nested()[system]
        for (protocol, metric), values in tested.per_user.items():
            assert found[protocol][metric] == pytest.approx(np.mean(values.values)), (protocol, metric)
            assert comparison.figures[system, protocol, metric].users == len(values.users)
        for protocol, pairs in (("ctr", tested.scored.ctr), ("impression", tested.scored.impression)):
            assert found[protocol]["auc"] == pytest.approx(roc_auc_score(pairs.labels, pairs.scores))
        assert found["ranking"]["coverage@10"] == tested.scored.coverage


def test_the_threshold_of_accuracy_and_f1_is_the_best_of_validation_whatever_it_does_on_test() -> None:
    scores = oracle(DATA, "valid").table + oracle(DATA, "test").table * 0.5
    # On validation .75 parts likes from the rest without a mistake; on test it calls nothing a like.
    found = compared({"mine": Fixed(scores)}, ["mine"]).as_nested()["mine"]["ctr"]
    pairs = evaluate_split(Fixed(scores), DATA, "test").scored.ctr
    called = pairs.scores >= 0.5
    assert set(pairs.scores.tolist()) == {0.0, 0.5}
    assert found["accuracy"] == pytest.approx(accuracy_score(pairs.labels, called))
    assert found["f1"] == pytest.approx(f1_score(pairs.labels, called))
    higher = Fixed(oracle(DATA, "valid").table + oracle(DATA, "test").table * 0.4)
    found = compared({"mine": higher}, ["mine"]).as_nested()["mine"]["ctr"]
    assert (found["accuracy"], found["f1"]) == (0.5, 0.0)
    assert found["auc"] == 1.0


class TwoAnswers:
    """Judgements that are far above the preferences."""

    def __init__(self, scores: NDArray[np.float32]) -> None:
        self.scores = scores

    def score(self, users: NDArray[np.int64]) -> Scores:
        return Scores(self.scores[users], self.scores[users] + 10)


def test_impression_has_a_threshold_of_its_own_from_validation() -> None:
    scores = oracle(DATA, "valid").table + oracle(DATA, "test").table * 0.4
    found = compared({"mine": Fixed(scores)}, ["mine"]).as_nested()["mine"]["impression"]
    # On validation .5 parts likes from dislikes without a mistake; on test it calls nothing a like.
    labels = evaluate_split(Fixed(scores), DATA, "test").scored.impression.labels
    assert (found["f1"], found["auc"]) == (0.0, 1.0)
    assert found["accuracy"] == pytest.approx(np.mean(~labels))
    # By the threshold of `ctr` all of these would be called likes.
    both = compared({"mine": TwoAnswers(oracle(DATA, "valid").table + oracle(DATA, "test").table)}, ["mine"])
    assert {both.as_nested()["mine"][protocol]["f1"] for protocol in ("ctr", "impression")} == {1.0}


def test_figures_intervals_differences_and_slices_are_their_artifacts(comparison, tmp_path) -> None:
    evaluation_artifacts.METRICS.write(comparison.as_nested(), "small", tmp_path)
    evaluation_artifacts.INTERVALS.write(comparison.intervals(), "small", tmp_path)
    for kinds in (
        (evaluation_artifacts.DIFFERENCES, evaluation_artifacts.SLICES),
        (evaluation_artifacts.ABLATION_DIFFERENCES, evaluation_artifacts.ABLATION_SLICES),
    ):
        for artifact, frame in zip(kinds, (comparison.differences, comparison.slices), strict=True):
            artifact.write(frame, "small", tmp_path)
            assert len(artifact.read("small", tmp_path)) == len(frame) > 0

    metrics = evaluation_artifacts.METRICS.read("small", tmp_path)
    intervals = evaluation_artifacts.INTERVALS.read("small", tmp_path)
    flat = {(s, p, m): v for s, ps in metrics.items() for p, ms in ps.items() for m, v in ms.items()}
    assert len(intervals) == len(flat)
    for row in intervals.iter_rows(named=True):
        assert row["value"] == pytest.approx(flat[row["system"], row["protocol"], row["metric"]], abs=1e-6)
        if row["metric"] in ("coverage@10", "gini@10", "novelty@10"):
            assert row["low"] is None
            assert row["high"] is None
        else:
            assert row["low"] <= row["high"]
            assert row["low"] - 0.02 <= row["value"] <= row["high"] + 0.02


def test_a_second_comparison_gives_the_same_and_every_system_meets_the_same_users(comparison) -> None:
    again = compared(scorers(), VARIANTS)
    assert again.figures == comparison.figures
    assert again.differences.equals(comparison.differences)
    assert again.slices.equals(comparison.slices)
    # The same scores under two names: the same intervals, and no difference at all.
    twice = compared({"crmman": Popularity.fit(DATA), "popularity": Popularity.fit(DATA)}, ["crmman"])
    for protocol, metrics in NAMES.items():
        for metric in metrics:
            assert twice.figures["crmman", protocol, metric] == twice.figures["popularity", protocol, metric]
    assert set(twice.differences.select("difference", "low", "high").rows()) == {(0.0, 0.0, 0.0)}
    parts = [twice.slices.filter(system=name).drop("system") for name in ("crmman", "popularity")]
    assert parts[0].equals(parts[1])


def test_the_figures_of_a_system_stay_as_they_are_when_another_one_comes(comparison) -> None:
    systems = scorers()
    del systems["item-mean"], systems["crmman"]
    fewer = compared(systems, ["recommended"])
    for key, figure in fewer.figures.items():
        assert figure == comparison.figures[key]
    kept = comparison.differences.filter(
        (pl.col("system") == "recommended") & pl.col("against").is_in(["popularity", "ease"])
    )
    assert fewer.differences.equals(kept)
    assert fewer.slices.equals(comparison.slices.filter(pl.col("system").is_in(list(systems))))


def test_more_samples_give_another_interval_and_the_same_value(comparison) -> None:
    more = compared(scorers(), VARIANTS, samples=40)
    assert more.as_nested() == comparison.as_nested()
    assert more.intervals()["low"].to_list() != comparison.intervals()["low"].to_list()


def test_each_variant_is_compared_with_each_system_that_is_named_by_what_both_did_on_the_test_split(comparison) -> None:
    differences = comparison.differences
    assert differences.select("system", "against").unique(maintain_order=True).rows() == [
        (variant, baseline) for variant in VARIANTS for baseline in BASELINES
    ]
    tested = {name: evaluate_split(scorer, DATA, "test") for name, scorer in scorers().items()}
    for row in differences.iter_rows(named=True):
        left, right = (tested[row[name]] for name in ("system", "against"))
        if row["metric"] == "auc":
            pairs = (getattr(each.scored, row["protocol"]) for each in (left, right))
            expected = paired_auc_difference(*pairs, 20, 1)
        else:
            key = (row["protocol"], row["metric"])
            expected = paired_difference(left.per_user[key], right.per_user[key], 20, 1)
        assert (row["difference"], row["low"], row["high"]) == pytest.approx(expected[:3])
        assert (row["users"], row["runs"]) == (expected.users, 1)
    compared_metrics = {(p, m) for p, m in differences.select("protocol", "metric").rows()}
    assert compared_metrics == {
        (protocol, metric)
        for protocol, metrics in NAMES.items()
        for metric in metrics
        if metric not in ("accuracy", "f1", "coverage@10", "gini@10", "novelty@10")
    }


def test_slices_are_the_means_of_each_systems_parts(comparison) -> None:
    for system, scorer in scorers().items():
        expected = sliced_by_item(scorer, DATA, "test") | by_user(evaluate_split(scorer, DATA, "test").per_user, DATA)
        found = comparison.slices.filter(system=system)
        assert len(found) == len(expected) > 10
        for row in found.iter_rows(named=True):
            values = expected[row["slice_by"], row["slice"], row["protocol"], row["metric"]]
            assert row["value"] == pytest.approx(values.mean)
            assert row["users"] == len(values.users)
            assert row["low"] <= row["high"]


def test_data_without_dislikes_have_no_impression_block_and_nothing_is_said_on_the_way(recwarn) -> None:
    rows = [row | {"like": True, "rating": None} for row in random_rows(USERS, ITEMS, 0.3, 0)]
    data = dataset(rows, unrated_rows(rows, USERS, ITEMS, 0), USERS, ITEMS)
    systems: dict[str, Scorer] = {"crmman": without_ties(USERS, ITEMS, 0), "popularity": Popularity.fit(data)}
    found = compared(systems, ["crmman"], data)
    assert {tuple(protocols) for protocols in found.as_nested().values()} == {("ctr", "ranking")}
    assert set(found.differences["protocol"]) == {"ctr", "ranking"}
    assert set(found.slices["protocol"]) == {"ctr", "ranking", "ranking-within"}
    assert [str(warning.message) for warning in recwarn] == []
    text = table(found.as_nested(), found.intervals(), found.differences)
    assert list(blocks_of(text)) == ["ctr", "ranking", "*"]


def test_variants_without_a_system_to_compare_them_with_have_no_difference_and_no_mark() -> None:
    found = compared({"crmman": without_ties(USERS, ITEMS, 0)}, ["crmman"])
    assert found.differences.is_empty()
    assert marks_of(found.differences) == {}
    assert "crmman" in table(found.as_nested(), found.intervals(), found.differences)


@pytest.mark.parametrize(
    ("samples", "named"), [(19, "found 19, expected greater than"), (20.0, "found 20.0, expected a")]
)
def test_samples_are_twenty_at_least(samples, named) -> None:
    with pytest.raises(InputError, match=f"^compare.bootstrap_samples: {named}"):
        validated(ComparisonConfig, {"bootstrap_samples": samples}, "compare.")


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


def differences(*rows: tuple[str, str, str, float, float, float]) -> pl.DataFrame:
    """Of crmman: protocol, metric, against, difference, low, high."""
    return pl.DataFrame([("crmman", *row, 9, 1) for row in rows], schema=SCHEMA, orient="row")


NONE = differences()
MARKED = differences(
    ("ctr", "auc", "popularity", 0.0, -0.1, 0.1),
    ("ctr", "auc", "ease", 0.2, 0.1, 0.3),
    ("ctr", "user_auc", "popularity", -0.05, -0.08, -0.01),
    ("ctr", "user_auc", "ease", -0.2, -0.3, -0.1),
    ("ranking", "ndcg@10", "popularity", 0.1875, 0.1, 0.3),
    ("ranking", "ndcg@10", "ease", 0.125, 0.01, 0.2),
)


def test_the_table_has_a_block_for_each_protocol_and_marks_the_best_of_each_column() -> None:
    blocks = blocks_of(table(FIGURES, INTERVALS, NONE))
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


def test_a_figure_is_marked_by_the_difference_from_the_best_system_it_is_compared_with() -> None:
    assert marks_of(MARKED) == {("crmman", "ctr", "user_auc"): "-", ("crmman", "ranking", "ndcg@10"): "+"}
    blocks = blocks_of(table(FIGURES, INTERVALS, MARKED))
    assert blocks["ctr"][1].split() == ["crmman", "*.9000", "±.055", ".8000-"]
    assert blocks["ranking"][1].split() == ["crmman", "*.2500+", "-"]
    for name in ("ctr", "ranking"):
        assert not [line for line in blocks[name][2:] if "+" in line or line.endswith("-")]


@pytest.mark.parametrize(
    ("low", "high", "mark"), [(0.0, 0.2, None), (-0.2, 0.0, None), (1e-9, 0.2, "+"), (-0.2, -1e-9, "-")]
)
def test_an_interval_that_touches_zero_gives_no_mark(low: float, high: float, mark: str | None) -> None:
    found = marks_of(differences(("ctr", "auc", "ease", (low + high) / 2, low, high)))
    assert found == ({} if mark is None else {("crmman", "ctr", "auc"): mark})


def test_columns_of_the_table_stand_below_each_other(comparison) -> None:
    text = table(comparison.as_nested(), comparison.intervals(), comparison.differences)
    for name, lines in blocks_of(text).items():
        if name in NAMES:
            assert len({len(line) for line in lines[1:]}) == 1
            assert len(lines) == 1 + len(VARIANTS) + len(BASELINES)
            assert [line.split()[0] for line in lines[1:]] == [*VARIANTS, *BASELINES]


def test_a_long_name_moves_all_columns() -> None:
    name = "a-variant-with-a-long-name"
    text = table({name: FIGURES["crmman"], "ease": FIGURES["ease"]}, INTERVALS, NONE)
    ctr = blocks_of(text)["ctr"]
    assert ctr[1].startswith(f"{name}  ")
    assert len({line.index(cell) + len(cell) for line, cell in zip(ctr[1:], ("*.9000", ".7000"), strict=True)}) == 1


def test_a_column_without_a_test_has_no_mark_and_the_legend_names_it() -> None:
    figures = {
        "crmman": {"ctr": {"auc": 0.9, "f1": 0.8}, "ranking": {"coverage@10": 0.5}},
        "ease": {"ctr": {"auc": 0.7, "f1": 0.7}, "ranking": {"coverage@10": 0.25}},
    }
    text = table(figures, INTERVALS, NONE)
    assert text.splitlines()[1].split() == ["crmman", "*.9000", "±.055", ".8000"]
    assert text.splitlines()[-1] == "no mark at all in f1, coverage@10: systems are not compared by them"
    assert "no mark" not in table({"crmman": {"ctr": {"auc": 0.9}}}, INTERVALS, NONE)
    # A figure of two protocols is named once.
    both = table({"crmman": {"ctr": {"f1": 0.8}, "impression": {"f1": 0.8}}}, INTERVALS, NONE)
    assert both.splitlines()[-1] == "no mark at all in f1: systems are not compared by it"
    # The zero of a ten is none before the point.
    text = table({"crmman": {"ranking": {"novelty@10": 10.25}}}, INTERVALS, NONE)
    assert text.splitlines()[1].split() == ["crmman", "10.2500"]


def test_only_differences_over_three_runs_of_both_sides_bear_marks_where_both_are_trained() -> None:
    rows = [("few", "ctr", "auc", "plus", 0.2, 0.1, 0.3, 9, 1), ("many", "ctr", "auc", "plus", 0.2, 0.1, 0.3, 9, 3)]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    assert marks_of(over_enough_runs(frame)) == {("many", "ctr", "auc"): "+"}
    assert seeds_note(frame).startswith("no mark for few: fewer than 3 training runs")
    assert seeds_note(frame.filter(system="many")).startswith(
        "intervals of differences resample users and training runs"
    )
