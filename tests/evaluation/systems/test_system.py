from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from pipeline.artifacts.evaluation import FACTS, ITEM_SLICES, LISTS, PAIRS, PER_USER
from pipeline.evaluation.baselines.popularity import Popularity
from pipeline.evaluation.comparison.suite import ComparisonConfig, alone, compare_systems
from pipeline.evaluation.metrics.beyond_accuracy import gini, novelty
from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.evaluation.metrics.threshold import best_threshold
from pipeline.evaluation.protocols.scores import Scores
from pipeline.evaluation.protocols.split import score_split
from pipeline.evaluation.systems.several import Systems
from pipeline.evaluation.systems.system import SystemTables, evaluate_system, pairs_of, per_user_of, thresholds_of
from tests.evaluation.worlds import (
    Fixed,
    dataset,
    planted_dataset,
    poisoned,
    random_dataset,
    random_rows,
    sliced_by_item,
    unrated_rows,
    without_ties,
)

USERS, ITEMS = 30, 40
DATA = random_dataset(USERS, ITEMS, 0.4, 1)
NAMES = {"group": "variants", "variant": "mine"}


class TwoAnswers:
    """Another score where rated items are told apart than where all items are ranked; counts how often it is asked."""

    def __init__(self) -> None:
        self.preference, self.judgement = without_ties(USERS, ITEMS, 3).table, without_ties(USERS, ITEMS, 4).table
        self.asked = 0

    def score(self, users: NDArray[np.int64]) -> Scores:
        self.asked += len(users)
        return Scores(self.preference[users], self.judgement[users])


def stored(tables: SystemTables, root) -> SystemTables:
    """Written and read back, as `evaluate` leaves them for `compare`."""
    kinds = {
        "per_user": PER_USER,
        "pairs": PAIRS,
        "item_slices": ITEM_SLICES,
        "facts": FACTS,
        "lists": LISTS,
    }
    for name, artifact in kinds.items():
        artifact.of(**NAMES).write(getattr(tables, name), "small", root)
    return SystemTables(**{name: artifact.of(**NAMES).read("small", root) for name, artifact in kinds.items()})


def test_the_tables_hold_what_the_test_split_gives(tmp_path) -> None:
    scorer = TwoAnswers()
    tables = stored(evaluate_system("mine", scorer, DATA), tmp_path)
    tested = evaluate_split(scorer, DATA, "test")
    values = per_user_of(tables.per_user)
    assert list(values) == ["mine"]
    assert values["mine"].keys() == tested.per_user.keys()
    for key, expected in tested.per_user.items():
        np.testing.assert_array_equal(values["mine"][key].users, expected.users)
        np.testing.assert_array_equal(values["mine"][key].values, expected.values)
    facts = dict(tables.facts.select("fact", "value").rows())
    assert facts == {
        "ranking coverage@10": tested.scored.coverage,
        "ranking gini@10": gini(tested.scored, DATA),
        "ranking novelty@10": novelty(tested.scored, DATA),
        "ctr threshold": best_threshold(evaluate_split(scorer, DATA, "valid").scored.ctr),
        "impression threshold": best_threshold(evaluate_split(scorer, DATA, "valid").scored.impression),
    }


def test_pairs_name_the_item_that_a_score_is_of_and_whether_it_is_liked(tmp_path) -> None:
    scorer = TwoAnswers()
    tables = stored(evaluate_system("mine", scorer, DATA), tmp_path)
    expected = set()
    for protocol, table, others in (
        ("ctr", scorer.preference, DATA.unrated("test")),
        ("impression", scorer.judgement, DATA.disliked("test")),
    ):
        for pairs, like in ((DATA.liked("test"), True), (others, False)):
            for user, item in zip(pairs.users.tolist(), pairs.items.tolist(), strict=True):
                expected.add(("mine", protocol, user, item, like, float(table[user, item])))
    assert len(tables.pairs) == len(expected)
    assert set(tables.pairs.rows()) == expected


def test_scored_pairs_come_back_from_their_table_as_they_were_but_for_their_order(tmp_path) -> None:
    scorer = TwoAnswers()
    found = pairs_of(stored(evaluate_system("mine", scorer, DATA), tmp_path).pairs)
    tested = evaluate_split(scorer, DATA, "test")
    assert list(found) == ["mine"]
    for protocol, expected in (("ctr", tested.scored.ctr), ("impression", tested.scored.impression)):
        pairs = found["mine"][protocol]
        assert (pairs.users.dtype, pairs.labels.dtype, pairs.scores.dtype) == (np.int64, np.bool_, np.float64)
        assert sorted(zip(pairs.users, pairs.labels, pairs.scores, strict=True)) == sorted(
            zip(expected.users, expected.labels, expected.scores, strict=True)
        )


def test_slices_of_items_are_those_of_a_system_that_is_scored_for_them_alone(tmp_path) -> None:
    scorer = TwoAnswers()
    tables = stored(evaluate_system("mine", scorer, DATA), tmp_path)
    expected = sliced_by_item(scorer, DATA, "test")
    keys = tables.item_slices.select("slice", "protocol", "metric").unique().rows()
    assert sorted(keys) == sorted(key[1:] for key in expected)
    for (_, name, protocol, metric), values in expected.items():
        part = tables.item_slices.filter(slice=name, protocol=protocol, metric=metric)
        assert part["user"].to_list() == values.users.tolist()
        assert part["value"].to_list() == values.values.tolist()


def test_what_is_known_of_validation_is_not_scored_again() -> None:
    scorer = TwoAnswers()
    thresholds = thresholds_of(score_split(scorer, DATA, "valid"))
    scorer.asked = 0
    known = evaluate_system("mine", scorer, DATA, thresholds)
    assert scorer.asked == USERS
    again = evaluate_system("mine", scorer, DATA)
    assert scorer.asked == 3 * USERS
    assert known.facts.equals(again.facts)
    assert known.per_user.equals(again.per_user)


def test_the_test_split_has_no_part_in_the_threshold() -> None:
    rows = random_rows(USERS, ITEMS, 0.4, 1)
    drawn = unrated_rows(rows, USERS, ITEMS, 1)
    clean, other = (
        evaluate_system("mine", TwoAnswers(), dataset(part, drawn, USERS, ITEMS))
        for part in (rows, poisoned(rows, {"test"}))
    )
    threshold = pl.col("fact").str.ends_with(" threshold")
    assert len(clean.facts.filter(threshold)) == 2
    assert clean.facts.filter(threshold).equals(other.facts.filter(threshold))
    assert not clean.per_user.equals(other.per_user)


@pytest.mark.parametrize("without", ["dislikes", "unrated items", "both"])
def test_a_split_without_dislikes_or_without_unrated_items_lacks_their_figures_and_no_other(
    without: str, tmp_path, recwarn
) -> None:
    rows = random_rows(USERS, ITEMS, 0.3, 0)
    if without != "unrated items":
        rows = [row | {"like": True, "rating": 5.0} for row in rows]
    drawn = unrated_rows(rows, USERS, ITEMS, 0) if without == "dislikes" else []
    data = dataset(rows, drawn, USERS, ITEMS)
    tables = stored(evaluate_system("mine", TwoAnswers(), data), tmp_path)
    of_dislikes = {"impression", "reranking"}
    expected = {"dislikes": {"ctr", "ranking"}, "unrated items": {*of_dislikes, "ranking"}, "both": {"ranking"}}[
        without
    ]
    assert set(tables.per_user["protocol"]) == expected
    compared = compare_systems(
        Systems.joined([tables]), data, [(alone(["mine"]), {})], ComparisonConfig(bootstrap_samples=20), 0
    )
    assert set(compared.as_nested()["mine"]) == expected
    assert [str(warning.message) for warning in recwarn] == []


def test_slices_of_items_may_be_none() -> None:
    # Nobody likes an item of the test split whose slice is known: what is left is a table without rows.
    tables = evaluate_system("mine", Popularity.fit(DATA), DATA)
    found = compare_systems(
        Systems.joined([replace(tables, item_slices=tables.item_slices.clear())]),
        DATA,
        [(alone(["mine"]), {})],
        ComparisonConfig(bootstrap_samples=20),
        0,
    )
    assert "item popularity" not in found.slices["slice_by"]
    assert {"history length", "dislike share"} == set(found.slices["slice_by"])


def test_ties_and_a_constant_system_have_tables_too(tmp_path) -> None:
    data = planted_dataset(12, 20)
    tables = stored(evaluate_system("mine", Fixed(np.zeros((12, 20))), data), tmp_path)
    assert set(tables.pairs["score"]) == {0.0}
    np.testing.assert_array_equal(per_user_of(tables.per_user)["mine"]["ctr", "user_auc"].values, 0.5)
