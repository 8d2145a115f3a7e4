"""The stage `recommend` through its command line: what it writes is what the stored model says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.artifacts import data as data_artifacts
from pipeline.artifacts.kinds import Tensors
from pipeline.artifacts.recommend import RECOMMENDATIONS, VECTORS
from pipeline.artifacts.users import MODEL
from pipeline.common.config import read_yaml
from pipeline.data.dataset import Dataset
from pipeline.users.model import Model
from pipeline.users.people import people_of, preference_of
from pipeline.users.settings import VariantConfig
from stages.recommend import some_users
from tests.stages.conftest import Finished
from tests.stages.workspace import ITEMS, KEY, USERS, VARIANTS, Workspace, planted_tables


def stored_scores(root: Path, variant: str, kind: Tensors = MODEL) -> pl.DataFrame:
    """Scores of every user and item by the stored model and all of a user's ratings: user_id, item_id, expected."""
    items, users = data_artifacts.ITEMS.read(KEY, root)["item_id"], data_artifacts.USERS.read(KEY, root)["user_id"]
    tables = data_artifacts.INTERACTIONS.read(KEY, root), data_artifacts.UNRATED_CANDIDATES.read(KEY, root)
    data = Dataset(*tables, len(users), len(items))
    stored = kind.of(variant=variant)
    config = VariantConfig.model_validate(stored.about(KEY, root)["variant"])
    model = Model.from_arrays(stored.read(KEY, root), config, len(items))
    scores = preference_of(model, people_of(data, np.arange(len(users))))
    return pl.DataFrame(
        {
            "user_id": users.gather(np.repeat(np.arange(len(users)), len(items))),
            "item_id": items.gather(np.tile(np.arange(len(items)), len(users))),
            "expected": scores.ravel(),
        }
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_everybody_is_recommended_the_best_of_what_they_did_not_rate(finished: Finished, variant: str) -> None:
    root = finished.workspace.root
    found = RECOMMENDATIONS.of(variant=variant).read(KEY, root)
    top = read_yaml(root / "params.yaml")["recommend"]["top"]
    rated = planted_tables()["interactions"]
    unrated = stored_scores(root, variant).join(rated, on=["user_id", "item_id"], how="anti")
    best = unrated.group_by("user_id").agg(pl.col("expected").top_k(top)).sort("user_id")
    assert found["user_id"].unique().sort().to_list() == best["user_id"].to_list()
    for user, scores in best.rows():
        mine = found.filter(pl.col("user_id") == user)
        assert mine["rank"].to_list() == list(range(1, len(mine) + 1))
        assert mine["score"].to_list() == pytest.approx(sorted(scores, reverse=True), abs=1e-4)
    matched = found.join(unrated, on=["user_id", "item_id"])
    assert len(matched) == len(found) == sum(min(top, n) for n in unrated.group_by("user_id").len()["len"])
    np.testing.assert_allclose(matched["score"], matched["expected"], atol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_reasons_are_of_the_users_own_ratings_and_add_up(finished: Finished, variant: str) -> None:
    found = RECOMMENDATIONS.of(variant=variant).read(KEY, finished.workspace.root)
    told = found.explode("reasons").unnest("reasons", separator=".")
    sums = told.group_by("user_id", "rank").agg(pl.col("reasons.part").sum(), pl.col("score").first())
    np.testing.assert_allclose(sums["reasons.part"], sums["score"], atol=1e-4)
    likes = planted_tables()["interactions"].select("user_id", "item_id", like=pl.col("rating") >= 4)
    named = told.filter(pl.col("reasons.kind").is_in(["like", "dislike"])).drop("item_id")
    matched = named.join(likes, left_on=["user_id", "reasons.item_id"], right_on=["user_id", "item_id"])
    assert len(matched) == len(named) > 0
    assert (matched["like"] == (matched["reasons.kind"] == "like")).all()
    counts = named.group_by("user_id", "rank", "reasons.kind").len()["len"]
    assert counts.max() == read_yaml(finished.workspace.root / "params.yaml")["recommend"]["reasons"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_inner_products_of_the_stored_vectors_are_the_scores(finished: Finished, variant: str) -> None:
    root = finished.workspace.root
    stored = VECTORS.of(variant=variant).read(KEY, root)
    assert not isinstance(stored, str)
    items, users = stored
    assert (len(items), len(users)) == (ITEMS, USERS)
    products = users["vector"].to_numpy() @ items["vector"].to_numpy().T
    found = pl.DataFrame(
        {
            "user_id": users["user_id"].gather(np.repeat(np.arange(USERS), ITEMS)),
            "item_id": items["item_id"].gather(np.tile(np.arange(ITEMS), USERS)),
            "product": products.ravel(),
        }
    ).join(stored_scores(root, variant), on=["user_id", "item_id"])
    assert len(found) == USERS * ITEMS
    np.testing.assert_allclose(found["product"], found["expected"], atol=1e-4)


def test_the_stage_says_what_it_made_and_shows_no_bar_outside_of_a_terminal(finished: Finished) -> None:
    for variant in VARIANTS:
        result = finished.results[f"recommend.{variant}"]
        assert result.err == ""
        assert f"{variant}: 800 recommendations for {USERS} of {USERS} users" in result.out
        assert f"{variant}: vectors of {ITEMS} items and {USERS} users, 129 wide" in result.out


def with_item_to_item_weights(workspace: Workspace, variant: str) -> None:
    """Give a stored model weights by which a score is no product of two vectors."""
    model = MODEL.of(variant=variant)
    arrays: dict[str, Any] = dict(model.read(KEY, workspace.root))
    about = model.about(KEY, workspace.root)
    about["variant"]["co_rating_l2"] = 1.0
    random = np.random.default_rng(0)
    arrays["co_rating"] = random.normal(size=(ITEMS, ITEMS)).astype(np.float32)
    model.write(arrays, KEY, workspace.root, about=about)


def test_a_model_without_vectors_has_recommendations_and_one_line_in_place_of_the_old_tables(
    finished: Finished, tmp_path
) -> None:
    copy, variant = finished.workspace.copy(tmp_path / "copy"), "recommended"
    with_item_to_item_weights(copy, variant)
    result = copy.run(f"recommend.{variant}")
    assert result.code == 0, result.err
    line = VECTORS.of(variant=variant).read(KEY, copy.root)
    assert isinstance(line, str)
    assert line.startswith("no vectors: co_rating_l2 ")
    assert line in result.out
    assert [path.name for path in VECTORS.of(variant=variant).at(KEY, copy.root).iterdir()] == ["no-vectors.txt"]
    found = RECOMMENDATIONS.of(variant=variant).read(KEY, copy.root)
    matched = found.join(stored_scores(copy.root, variant), on=["user_id", "item_id"])
    np.testing.assert_allclose(matched["score"], matched["expected"], atol=1e-4)
    # And back again.
    MODEL.of(variant=variant).at(KEY, copy.root).write_bytes(
        MODEL.of(variant=variant).at(KEY, finished.workspace.root).read_bytes()
    )
    assert copy.run(f"recommend.{variant}").code == 0
    assert copy.files() == finished.files


def test_the_settings_say_how_many_items_and_reasons(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values["recommend"].update(top=2, reasons=1))
    assert copy.run("recommend.recommended").code == 0
    found, whole = (
        RECOMMENDATIONS.of(variant="recommended").read(KEY, root) for root in (copy.root, finished.workspace.root)
    )
    assert found.drop("reasons").equals(whole.filter(pl.col("rank") <= 2).drop("reasons"))
    kinds = found.explode("reasons").unnest("reasons", separator=".").group_by("user_id", "rank", "reasons.kind").len()
    assert kinds["len"].to_list() == [1] * len(kinds)


def test_some_users_get_the_lists_that_they_have_among_all(finished: Finished, tmp_path: Path) -> None:
    copy, variant = finished.workspace.copy(tmp_path / "copy"), "recommended"
    copy.change_params(lambda values: values["recommend"].update(users=3))
    result = copy.run(f"recommend.{variant}")
    assert result.code == 0, result.err
    roots = copy.root, finished.workspace.root
    ids = data_artifacts.USERS.read(KEY, copy.root)["user_id"].to_list()
    asked = [ids[0], ids[round((USERS - 1) / 2)], ids[-1]]
    found, whole = (RECOMMENDATIONS.of(variant=variant).read(KEY, root) for root in roots)
    mine = whole.filter(pl.col("user_id").is_in(asked))
    assert found["user_id"].unique().sort().to_list() == sorted(asked)
    assert found.drop("score", "reasons").equals(mine.drop("score", "reasons"))
    np.testing.assert_allclose(found["score"], mine["score"], atol=1e-5)
    (items, users), (all_items, all_users) = (VECTORS.of(variant=variant).read(KEY, root) for root in roots)
    assert items.equals(all_items)
    assert users["user_id"].to_list() == asked
    np.testing.assert_allclose(
        users["vector"].to_numpy(), all_users.filter(pl.col("user_id").is_in(asked))["vector"].to_numpy(), atol=1e-5
    )
    assert f"recommendations for 3 of {USERS} users" in result.out
    assert f"vectors of {ITEMS} items and 3 users" in result.out


@pytest.mark.parametrize(
    ("count", "users", "expected"), [(0, 4, [0, 1, 2, 3]), (4, 4, [0, 1, 2, 3]), (9, 4, [0, 1, 2, 3]), (2, 5, [0, 4])]
)
def test_steps_through_the_users_are_equal(count: int, users: int, expected: list[int]) -> None:
    assert some_users(count, users).tolist() == expected
