"""Likes, and zeros that somebody drew, under a given split: from the tables to the page, with people who liked nothing before the test."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest

from pipeline.artifacts.data import INTERACTIONS, SAMPLED_ZEROS, USERS
from pipeline.artifacts.evaluation import METRICS, PAIRS
from pipeline.artifacts.recommend import RECOMMENDATIONS
from pipeline.artifacts.users import MODEL
from pipeline.evaluation.baselines.registry import GRIDS
from tests.in_process import run_module
from tests.stages.conftest import Finished
from tests.stages.workspace import ITEMS, KEY, RUNS, VARIANTS, Result, Workspace

STAGES = (
    "check_tables",
    "fetch",
    "prepare",
    "train_users",
    "evaluate",
    "evaluate_baselines",
    "compare",
    "recommend",
    "report",
)


def likes_and_zeros(rated: pl.DataFrame) -> pl.DataFrame:
    """A zero for each like, and two people of the test split alone."""
    draw = random.Random(0)
    rows = []
    for (user,), part in sorted(rated.partition_by("user_id", as_dict=True).items()):
        liked = part.filter(pl.col("rating").cast(pl.Int64) >= 4)["item_id"].to_list()
        others = [f"i{item}" for item in range(ITEMS) if f"i{item}" not in liked]
        rows += [(user, item, "1") for item in liked]
        rows += [(user, item, "0") for item in draw.sample(others, min(len(liked), len(others)))]
    split = [draw.choice(["train", "train", "valid", "test"]) for _ in rows]
    rows += [("new", "i3", "1"), ("new", "i5", "0"), ("never", "i4", "0")]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "like"], orient="row").with_columns(
        split=pl.Series([*split, "test", "test", "test"])
    )


@pytest.fixture(scope="module")
def ran(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, Result]]:
    workspace = finished.workspace.copy(tmp_path_factory.mktemp("sampled") / "workspace")
    workspace.change_table("interactions", likes_and_zeros)
    found = run_module("stages.cli", "data", "check", "tables", folder=workspace.root)
    assert "sampled: as many zeros as likes" in found.out
    epochs = {"epochs": 3, "patience": 3, "batch_users": 8, "validate_every": 1}
    settings = {"split": "given", "feedback": "sampled", "like_threshold": None, "train_users": epochs}
    workspace.change_params(lambda values: values["datasets"][KEY].update(settings))
    names = [name for name in RUNS if name.split(".")[0] in STAGES]
    return workspace, workspace.run_all(names)


def test_every_stage_runs_and_says_what_became_of_the_zeros(ran: tuple[Workspace, dict[str, Result]]) -> None:
    workspace, results = ran
    for name, result in results.items():
        assert result.code == 0, (name, result.err)
    source = pl.read_csv(workspace.root / "tables" / "interactions.csv")
    zeros = source.filter(pl.col("like") == 0)
    drawn, kept = len(zeros), len(zeros.filter(pl.col("split") != "train"))
    assert f"{drawn} zeros were sampled and are not dislikes (feedback: sampled): {kept} of" in results["prepare"].out
    assert len(SAMPLED_ZEROS.read(KEY, workspace.root)) == kept
    assert INTERACTIONS.read(KEY, workspace.root)["like"].all()
    training = INTERACTIONS.read(KEY, workspace.root).filter(pl.col("split") == "train")
    mean = len(training) / len(USERS.read(KEY, workspace.root))
    found = f"for {ITEMS} items, {mean:.1f} ratings per user and 0 dislikes in training: views likes instead of both"
    said = f"recommended: {found}, heads like + judge instead of meet + judge\n"
    assert said in results["train_users.recommended"].out
    assert f"crmman: {found}\n" in results["train_users.crmman"].out
    about = MODEL.of(variant="recommended").about(KEY, workspace.root)["variant"]
    assert (about["views"], about["heads"]) == ("likes", ["like", "judge"])


def test_impression_is_over_all_pairs_of_the_given_test_split(ran: tuple[Workspace, dict[str, Result]]) -> None:
    workspace, _ = ran
    source = pl.read_csv(workspace.root / "tables" / "interactions.csv").filter(pl.col("split") == "test")
    assert set(METRICS.read(KEY, workspace.root)) == {*VARIANTS, *GRIDS}
    pairs = PAIRS.of(group="variants", variant="recommended").read(KEY, workspace.root)
    found = pairs.filter(pl.col("protocol") == "impression")
    assert len(found) == len(source)
    assert int(found["like"].sum()) == int(source["like"].sum())
    assert {"new", "never"} <= set(USERS.read(KEY, workspace.root)["user_id"])


def test_reasons_are_likes_alone(ran: tuple[Workspace, dict[str, Result]]) -> None:
    workspace, _ = ran
    table = RECOMMENDATIONS.of(variant="recommended").read(KEY, workspace.root)
    reasons = table["reasons"].explode().drop_nulls()
    assert not any("dislike" in str(reason) for reason in reasons)
    for user in ("new", "never"):
        answer = run_module("stages.cli", "recommend", "--dataset", KEY, "--user", user, folder=Path(workspace.root))
        assert answer.code == 0, answer.err
        assert "dislik" not in answer.out.split("\n", 1)[1]
