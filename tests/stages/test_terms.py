"""A variant with everything that counts and the graph tell, through the stages: trained, stored, read, evaluated and explained."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts.recommend import RECOMMENDATIONS, VECTORS
from pipeline.artifacts.users import MODEL
from stages.cli.app import main
from tests.stages.conftest import Finished
from tests.stages.test_recommend import stored_scores
from tests.stages.workspace import KEY, Workspace

VARIANT = "recommended"
SWITCHES: dict[str, Any] = {
    "terms": ["overlap", "together", "popularity"],
    "count_biases": True,
    "targets": "left_out",
    "epochs": 2,
}


@pytest.fixture(scope="module")
def knowing(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    copy = finished.workspace.copy(tmp_path_factory.mktemp("knowing") / "copy")
    copy.change_params(lambda values: values["variants"][VARIANT].update(SWITCHES))
    for stage in ("train_users", "evaluate", "recommend"):
        result = copy.run(f"{stage}.{VARIANT}")
        assert (result.code, result.err) == (0, ""), result
    return copy


def test_a_model_with_terms_is_stored_with_what_it_knows(knowing: Workspace) -> None:
    arrays = MODEL.of(variant=VARIANT).read(KEY, knowing.root)
    assert {"known.features", "known.likes.ratings", "known.around.relation"} <= arrays.keys()
    # Starts and networks of the biases are of training alone.
    assert not any(name.startswith("biases") for name in arrays)
    assert VECTORS.of(variant=VARIANT).read(KEY, knowing.root) == (
        "no vectors: terms give every pair of items a weight of its own"
    )


def test_recommendations_have_the_scores_of_the_stored_model(knowing: Workspace) -> None:
    found = RECOMMENDATIONS.of(variant=VARIANT).read(KEY, knowing.root)
    matched = found.join(stored_scores(knowing.root, VARIANT), on=["user_id", "item_id"])
    assert len(matched) == len(found) > 0
    np.testing.assert_allclose(matched["score"], matched["expected"], atol=1e-4)


def test_an_explanation_adds_up_to_the_score(knowing: Workspace, monkeypatch, capsys) -> None:
    monkeypatch.chdir(knowing.root)
    found = RECOMMENDATIONS.of(variant=VARIANT).read(KEY, knowing.root).filter(rank=1)
    user, item, score = found.select("user_id", "item_id", "score").row(0)
    with pytest.raises(SystemExit) as end:
        main(["explain", "--user", user, "--variant", VARIANT, "--item", f"id:{item}", "--format", "json"])
    out, err = capsys.readouterr()
    assert (end.value.code or 0, err) == (0, "")
    told = json.loads(out)
    assert told["score"] == pytest.approx(score, abs=1e-4)
    assert sum(row["contribution"] for row in told["contributions"]) == pytest.approx(told["score"], abs=1e-4)
