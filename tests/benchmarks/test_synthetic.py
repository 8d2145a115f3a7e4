"""The made-up data set: reproducible, readable by the pipeline, and of the degrees it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.synthetic import HEAD, LINKED_SHARE, RARE_FACTS, by_rank, fact_shares, generate
from pipeline.common.errors import InputError
from pipeline.data.sources.tables import TablesSource
from tests.repository import ROOT

USERS, ITEMS, INTERACTIONS = 400, 3000, 30_000


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return generate(USERS, ITEMS, INTERACTIONS, seed=3)


def test_the_same_seed_gives_the_same_tables_and_another_seed_others(tables: dict[str, pl.DataFrame]) -> None:
    again, other = generate(USERS, ITEMS, INTERACTIONS, seed=3), generate(USERS, ITEMS, INTERACTIONS, seed=4)
    for name, table in tables.items():
        assert table.equals(again[name])
        assert not table.equals(other[name])


def test_the_command_writes_tables_that_the_pipeline_reads(tmp_path: Path) -> None:
    sizes = ["--users", "50", "--items", "80", "--interactions", "700", "--seed", "1"]
    command = [sys.executable, "-m", "benchmarks.synthetic", "--folder", str(tmp_path / "made")]
    subprocess.run([*command, *sizes], check=True, cwd=ROOT)
    found = TablesSource(type="tables", path=str(tmp_path / "made")).read()
    expected = generate(50, 80, 700, seed=1)
    assert len(found.interactions) == len(expected["interactions"])
    assert len(found.kg) == len(expected["kg"])
    assert set(found.item_entities["item_id"]) <= set(found.items["item_id"])
    assert found.interactions["rating"].is_between(1, 5).all()


def test_a_share_of_the_items_may_have_a_title_and_nothing_else_changes(tables: dict[str, pl.DataFrame]) -> None:
    some = generate(USERS, ITEMS, INTERACTIONS, seed=3, titled=0.1)
    expected = tables["items"].with_columns(
        title=pl.when(pl.int_range(ITEMS) < ITEMS // 10).then("title").otherwise(pl.lit(""))
    )
    assert some.pop("items").equals(expected)
    assert all(table.equals(tables[name]) for name, table in some.items())
    with pytest.raises(InputError, match=r"titled: found 1\.5, expected a share from 0 to 1"):
        generate(5, 5, 5, seed=0, titled=1.5)


def test_a_size_that_is_not_positive_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="items: found 0, expected at least 1"):
        generate(5, 0, 5, seed=0)
    command = [sys.executable, "-m", "benchmarks.synthetic", "--folder", str(tmp_path), "--users", "0"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "error: users: found 0, expected at least 1\n")


def test_popularity_and_activity_fall_as_said(tables: dict[str, pl.DataFrame]) -> None:
    assert not tables["interactions"].select("user_id", "item_id").is_duplicated().any()
    for column, count in (("user_id", USERS), ("item_id", ITEMS)):
        found = np.sort(tables["interactions"][column].value_counts()["count"].to_numpy())[::-1]
        expected = by_rank(count) * INTERACTIONS
        # Pairs that are drawn twice count once, which the most popular lose most by.
        for first, last in ((0, count // 50), (count // 50, count // 10), (count // 10, count // 3)):
            assert found[first:last].sum() == pytest.approx(expected[first:last].sum(), rel=0.3)
    assert by_rank(6040)[0] / by_rank(6040)[999] == pytest.approx(2314 / 293, rel=1 / 3)


def test_hubs_are_facts_of_the_share_of_items_that_was_asked_for(tables: dict[str, pl.DataFrame]) -> None:
    kg = tables["kg"]
    assert not kg.is_duplicated().any()
    shares = fact_shares(ITEMS)
    assert shares[0] == 0.9
    degrees = kg["tail"].value_counts()
    counts = dict(zip(degrees["tail"], degrees["count"], strict=True))
    for rank in (0, 1, 5, 20, 60):
        assert counts[f"fact{rank}"] / ITEMS == pytest.approx(shares[rank], abs=0.04)
    rare = kg.filter(kg["relation"] == "person")
    assert len(rare) / ITEMS == pytest.approx(RARE_FACTS, rel=0.05)
    assert rare["tail"].str.strip_prefix("fact").cast(pl.Int64).min() >= HEAD  # type: ignore[operator]


def test_an_item_has_as_many_rare_facts_at_any_size() -> None:
    for items in (100, 10_000):
        assert fact_shares(items)[HEAD:].sum() == pytest.approx(RARE_FACTS)
        assert fact_shares(items)[:HEAD].tolist() == fact_shares(100)[:HEAD].tolist()


def test_a_tenth_of_the_items_has_no_entity(tables: dict[str, pl.DataFrame]) -> None:
    links = tables["item_entities"]
    assert len(links) / ITEMS == pytest.approx(LINKED_SHARE, abs=0.03)
    assert links["entity_id"].is_in(tables["kg"]["head"].implode()).all()
    assert (links["item_id"].str.strip_prefix("i") == links["entity_id"].str.strip_prefix("film")).all()
