"""Evaluate the model and the baselines on the test split, under all three protocols."""

from __future__ import annotations

from pipeline import artifacts
from pipeline.dataset import Dataset
from pipeline.evaluation.suite import EvaluationConfig, evaluate_all, table, warnings
from pipeline.run_settings import RunConfig, torch_device
from pipeline.training import TrainedModel
from stages.stage import Reads, Settings, run_stage, say, warn

READS = Reads(run=RunConfig, profile=EvaluationConfig)


def main(dataset: str, settings: Settings) -> None:
    run, config = settings.run(RunConfig), settings.profile(EvaluationConfig)
    items, users = artifacts.ITEMS.read(dataset), artifacts.USERS.read(dataset)
    data = Dataset(
        artifacts.INTERACTIONS.read(dataset), artifacts.UNRATED_CANDIDATES.read(dataset), len(users), len(items)
    )
    heads = artifacts.MODEL.about(dataset)["heads"]
    model = TrainedModel.from_arrays(artifacts.MODEL.read(dataset), heads, data, torch_device(run.device))
    evaluation = evaluate_all(
        model, data, config, run.seed, lambda system: say(dataset, "evaluate", f"{system} evaluated")
    )
    artifacts.METRICS.write(evaluation.as_nested(), dataset)
    artifacts.INTERVALS.write(evaluation.intervals(), dataset)
    artifacts.PER_USER.write(evaluation.all_per_user(), dataset)
    artifacts.CHOSEN_BASELINES.write(evaluation.tried_settings(), dataset)
    metrics = artifacts.METRICS.read(dataset)
    print(
        f"\n{dataset}, test split: {data.users} users, {data.items} items\n\n{table(metrics, evaluation.intervals())}\n"
    )
    for remark in evaluation.remarks:
        say(dataset, "evaluate", remark)
    warn(dataset, "evaluate", warnings(metrics))


if __name__ == "__main__":
    run_stage("evaluate", READS, main)
