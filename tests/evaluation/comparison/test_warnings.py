"""Baselines above a variant are named, and whether that may be chance."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.evaluation.comparison.paired import SCHEMA, compare
from pipeline.evaluation.comparison.suite import alone
from pipeline.evaluation.comparison.warnings import beaten_warnings
from pipeline.evaluation.protocols.split import PerUser


def comparisons(*rows: tuple[str, str, str, str, float, float, float]) -> pl.DataFrame:
    return pl.DataFrame([(*row, 9, 1) for row in rows], schema=SCHEMA, orient="row")


def test_baselines_above_a_variant_are_named_the_farthest_first_with_what_chance_says() -> None:
    table = comparisons(
        ("crmman", "ranking", "ndcg@10", "als", -0.01, -0.03, 0.01),
        ("crmman", "ranking", "ndcg@10", "ease", -0.04, -0.05, -0.03),
        ("crmman", "ranking", "ndcg@10", "popularity", 0.2, 0.1, 0.3),
        ("crmman", "ranking", "recall@10", "popularity", -0.2, -0.3, -0.1),
        ("crmman-flat", "ctr", "user_auc", "als", -0.5, -0.6, -0.4),
        ("crmman", "ctr", "user_auc", "ease", -0.5, -0.75, -0.25),
        ("crmman", "impression", "ndcg@5", "ease", 0.0, -0.1, 0.1),
    )
    assert beaten_warnings(table) == [
        "ctr user_auc: above crmman: ease by 0.5000 (0.2500 to 0.7500)",
        "ranking ndcg@10: above crmman: ease by 0.0400 (0.0300 to 0.0500), "
        "als by 0.0100 (-0.0100 to 0.0300, may be chance)",
        "ctr user_auc: above crmman-flat: als by 0.5000 (0.4000 to 0.6000)",
    ]


def test_a_model_above_all_baselines_needs_no_warning() -> None:
    assert beaten_warnings(comparisons(("crmman", "ctr", "user_auc", "ease", 0.1, -0.1, 0.3))) == []
    assert beaten_warnings(comparisons()) == []


def test_planted_systems_are_warned_of_from_their_values_on() -> None:
    random = np.random.default_rng(0)
    base, noise = random.random(300), random.normal(0, 0.1, size=(2, 300))
    of = {
        name: {("ranking", "ndcg@10"): PerUser(np.arange(300), values)}
        for name, values in {
            "crmman": base,
            "better": base + 0.1 + noise[0],
            "equal": base + noise[1] - noise[1].mean() + 0.001,
            "worse": base - 0.2,
        }.items()
    }
    (warning,) = beaten_warnings(compare(of, alone(["crmman"]), alone(["worse", "equal", "better"]), 200, 1))
    better, equal = warning.removeprefix("ranking ndcg@10: above crmman: ").split("), ")
    assert better.startswith("better by 0.")
    assert "chance" not in better
    assert equal.startswith("equal by 0.0010")
    assert equal.endswith("may be chance)")
