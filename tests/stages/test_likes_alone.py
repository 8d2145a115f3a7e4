"""Data of likes alone: every stage and every default variant runs as it comes, and the models ask what is liked."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline.artifacts.evaluation import METRICS
from pipeline.artifacts.users import MODEL
from pipeline.common.config import read_yaml
from pipeline.evaluation.baselines.registry import GRIDS
from tests.stages.conftest import Finished
from tests.stages.workspace import KEY, RUNS, VARIANTS

DEFAULT = read_yaml(Path("params.yaml"))
BEFORE = ("check_tables", "fetch", "prepare")
AFTER = ("train_users", "evaluate", "evaluate_baselines", "compare", "recommend", "report")


def test_every_stage_runs_on_likes_alone(finished: Finished, tmp_path) -> None:
    workspace = finished.workspace.copy(tmp_path / "copy")
    workspace.change_table("interactions", lambda rated: rated.filter(pl.col("rating").cast(pl.Int64) >= 4))
    # As `data add` writes it, and training cut short; when it looks at validation, and by what, stays as it comes.
    settings = {"feedback": "liked", "train_users": {"epochs": 4, "batch_users": 8}}
    workspace.change_params(lambda values: values["datasets"][KEY].update(settings))
    workspace.change_params(lambda values: values.update(variants=DEFAULT["variants"]))
    names = [name for name in RUNS if name.split(".")[0] in (*BEFORE, *AFTER)]
    for name in names:
        result = workspace.run(name)
        assert result.code == 0, (name, result.err)
    assert set(METRICS.read(KEY, workspace.root)) == {*VARIANTS, *GRIDS}
    about = MODEL.of(variant="recommended").about(KEY, workspace.root)["variant"]
    assert (about["views"], about["heads"]) == ("likes", ["like", "judge"])
    assert about["early_stopping_by"] == ["ctr.user_auc", "ranking.ndcg@10"]
    assert about["terms"] == DEFAULT["variants"]["recommended"]["terms"] != []
