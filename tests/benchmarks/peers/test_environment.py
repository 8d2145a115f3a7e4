"""The environment of the peers is one of its own, which no test installs: here it is ours without what its requirements do not name."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.peers.settings import FOLDER
from pipeline.artifacts.kinds import HERE

# Imports of anything that the requirements do not name fail, as they would there.
RUN = """
import re, sys
from importlib.abc import MetaPathFinder
from importlib.metadata import packages_distributions

def canonical(name):
    return re.sub("[-_.]+", "-", name).lower()

named = {canonical(name) for name in sys.argv[1:]} | {"crmman"}
provided = packages_distributions()

class OnlyNamed(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        of = {canonical(one) for one in provided.get(name, ())}
        if of and not of & named:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, OnlyNamed())
import polars as pl
from benchmarks.peers.train import figures_of
from benchmarks.peers.unknown_users import PopularityForUnknown
from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines.popularity import Popularity
from pipeline.evaluation.metrics.evaluated import evaluate_split

rows = [(0, 0, True, "train"), (0, 1, True, "test"), (0, 2, False, "test"), (1, 1, True, "train"), (1, 0, True, "test")]
schema = {"user": pl.Int32, "item": pl.Int32, "like": pl.Boolean, "split": pl.String}
interactions = pl.DataFrame(rows, schema=schema, orient="row").with_columns(rating=pl.lit(None, pl.Float64))
candidates = pl.DataFrame([(0, 3, "test"), (1, 3, "test")], schema=["user", "item", "split"], orient="row")
data = Dataset(interactions, candidates, 2, 4)
scorer = PopularityForUnknown(Popularity.fit(data), data.train_likes)
print(figures_of(evaluate_split(scorer, data, "test")))
"""


def test_models_of_ours_and_the_evaluator_run_on_what_the_requirements_name() -> None:
    lines = (FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    named = [line.split("==")[0] for line in lines if not line.startswith("#")]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *named], capture_output=True, text=True, cwd=HERE, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "'ranking'" in done.stdout
