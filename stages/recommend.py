"""Recommend unrated items to every user, with reasons; write vectors whose inner products are the scores, and what the report shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.artifacts.data import ITEMS, USERS
from pipeline.artifacts.graph import ENTITIES
from pipeline.artifacts.recommend import RECOMMENDATIONS, SHOWCASE, VECTORS
from pipeline.artifacts.users import MODEL, REFIT
from pipeline.common.blocks import MapBlocks, Shown
from pipeline.common.devices import torch_device
from pipeline.explain.causes import relation_names
from pipeline.recommend.recommend import Ids, Recommended, recommendation_table, recommended
from pipeline.recommend.rules import rules_of, shortfall
from pipeline.recommend.settings import RecommendConfig, RecommendRun
from pipeline.recommend.vectors import item_vectors, with_ones
from pipeline.users.coordinates import why_no_vectors
from pipeline.users.people import people_of
from stages import PARAMS
from stages.shared.added import ADDED_READS, read_added
from stages.shared.added_models import read_model_with
from stages.shared.data import DATA, read_data
from stages.shared.engine import engine
from stages.shared.models import read_model
from stages.shared.no_longer_run import clear_former
from stages.shared.showcase import write_showcase
from stages.shared.stage import Reads, Settings, Stage, run_variant_stage, say, warn

if TYPE_CHECKING:
    from numpy.typing import NDArray

STAGE = Stage(
    "recommend",
    settings=Reads(run=RecommendRun, stage=RecommendConfig),
    reads=(*DATA, MODEL, REFIT, *ADDED_READS),
    writes=(RECOMMENDATIONS, VECTORS, *SHOWCASE),
)


def some_users(count: int, users: int) -> NDArray[np.int64]:
    """So many of the users by equal steps through them, ascending; 0: all."""
    if not 0 < count < users:
        return np.arange(users)
    return np.rint(np.linspace(0, users - 1, count)).astype(np.int64)


def main(dataset: str, variant: str, settings: Settings) -> None:
    run, config = settings.run(RecommendRun), settings.stage(RecommendConfig)
    data, items, added = read_data(dataset), ITEMS.read(dataset), read_added(dataset)
    if added is not None:
        items = pl.concat([items, added.items.select(items.columns)])
    rules = rules_of(config, items, lambda setting: f"{PARAMS}: recommend.{setting}, data set {dataset}")
    warn(dataset, "recommend", list(rules.remarks))
    refit = run.answers(dataset, variant)
    device = torch_device(run.device)
    model = read_model_with(added, dataset, variant, data, device, REFIT if refit else MODEL)
    users = some_users(config.users, data.users)
    ids = Ids(
        USERS.read(dataset)["user_id"].gather(users),
        items["item_id"],
        pl.Series(relation_names(model), dtype=pl.String),
        ENTITIES.read(dataset)["entity_id"],
    )
    # By all of their ratings, whatever the split: this is for use, and not for a test.
    people = people_of(data, users)
    vectors: list[NDArray[np.float32]] = []

    def found(map_blocks: MapBlocks) -> Iterator[Recommended]:
        for one in recommended(model, people, config.top, config.reasons, rules, map_blocks, Shown(variant, "users")):
            if one.vectors is not None:
                vectors.append(one.vectors)
            yield one

    with engine(settings, dataset, f"recommend.{variant}", device) as map_blocks:
        table = recommendation_table(found(map_blocks), ids)
    RECOMMENDATIONS.of(variant=variant).write(table, dataset)
    if rules.words:
        say(dataset, "recommend", f"{variant}, by rules: {rules.words}")
        warn(
            dataset, "recommend", [f"{variant}: {text}" for text in shortfall(table["user_id"], len(users), config.top)]
        )
    none = why_no_vectors(model)
    VECTORS.of(variant=variant).write(
        none
        or (
            pl.DataFrame({"item_id": ids.items, "vector": item_vectors(model)}),
            pl.DataFrame({"user_id": ids.users, "vector": with_ones(np.concatenate(vectors))}),
        ),
        dataset,
    )
    say(
        dataset,
        "recommend",
        f"{variant}{', trained on all ratings' if refit else ''}: {len(table)} recommendations for "
        f"{table['user_id'].n_unique()} of {data.users} users",
    )
    if added is not None:
        of_added = int(table["item_id"].is_in(added.items["item_id"].implode()).sum())
        say(
            dataset,
            "recommend",
            f"{variant}: {of_added} of them are among the {len(added)} items that were added after training",
        )
    say(
        dataset,
        "recommend",
        f"{variant}: {none or f'vectors of {len(ids.items)} items and {len(users)} users, {model.items.shape[1] + 1} wide'}",
    )
    # A report tells how good a model is, which only that of the training split can show.
    evaluated = read_model(dataset, variant, data.items, device) if refit or added is not None else model
    shown = write_showcase(dataset, variant, data, evaluated, ids.entities)
    say(dataset, "recommend", f"{variant}, shown in the report: {shown}")
    if not refit:
        clear_former(dataset, "recommend", REFIT.of(variant=variant))


if __name__ == "__main__":
    run_variant_stage(STAGE, main)
