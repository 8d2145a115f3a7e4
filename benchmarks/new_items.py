"""How well items are ranked that a model was never trained on: `python -m benchmarks.new_items`, after `make repro`.

A tenth of the items of MovieLens-100K, drawn by a seed, is held out of everything: ratings, texts, links and triples. The rest goes
through the pipeline's stages in a folder of its own, with the split that its ratings had, and then `crmman items add` adds what was held
out. Each user who likes some of it in the test split is ranked all items that they have not rated in training and validation, by their
ratings of the other items in training, whoever ranks. What that finds is beside three others: chance, popularity (of an added item the mean
of its neighbours in the item graph, of any other its own), and the model of `make repro`, trained on the items and on their ratings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import polars as pl
import typer
from ruamel.yaml import YAML

from pipeline.artifacts.added import MORE_EDGES
from pipeline.artifacts.data import INTERACTIONS, ITEMS, SOURCE_ITEM_ENTITIES, SOURCE_KG, USERS
from pipeline.common.config import read_yaml
from pipeline.common.random_streams import stream
from pipeline.evaluation.metrics.ndcg import ndcg
from pipeline.evaluation.metrics.recall import recall
from pipeline.evaluation.protocols.ranks import Standing, standing
from pipeline.users.model import Model
from pipeline.users.people import Person, preference_of
from stages.guard import guarded, show
from stages.shared.added import read_added
from stages.shared.added_models import read_model_with
from stages.shared.data import read_data
from stages.shared.models import read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent
DATASET, HELD_OUT = "ml-100k", "held-out"
SHARE = 0.1
STAGES = ("fetch", "prepare", "embed_text", "embed_image", "build_graph", "init_sdne", "train_gat", "add_items")


def hold_out(folder: Path, seed: int) -> list[str]:
    """Tables of the other items, those of the items that are held out, and parameters, in a folder; ids of what is held out."""
    items, users = ITEMS.read(DATASET), USERS.read(DATASET)
    chosen = np.sort(stream(seed, "held out").permutation(len(items))[: round(SHARE * len(items))])
    held = items["item_id"].gather(chosen).to_list()
    is_held = pl.col("item_id").is_in(held)
    kg, links = SOURCE_KG.read(DATASET), SOURCE_ITEM_ENTITIES.read(DATASET)
    entities = links.filter(is_held)["entity_id"].to_list()
    of_held = pl.col("head").is_in(entities) | pl.col("tail").is_in(entities)
    rated = INTERACTIONS.read(DATASET).join(users, on="user").join(items.select("item", "item_id"), on="item")
    tables = {
        "tables/interactions": rated.filter(~is_held).select("user_id", "item_id", "like", "split"),
        "tables/items": items.filter(~is_held).drop("item"),
        "tables/kg": kg.filter(~of_held),
        "tables/item_entities": links.filter(~is_held),
        "new/items": items.filter(is_held).drop("item"),
        "new/kg": kg.filter(of_held),
        "new/item_entities": links.filter(is_held),
    }
    for name, table in tables.items():
        path = folder / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        table.write_parquet(path)
    values = read_yaml(ROOT / "params.yaml")
    source = {"type": "tables", "path": "tables"}
    entry = {"source": source, "like_threshold": None, "split": "given"}
    values["datasets"] = {HELD_OUT: values["datasets"][DATASET] | entry}
    values["refit"] = {}
    with (folder / "params.yaml").open("w") as file:
        YAML(typ="safe").dump(values, file)
    (folder / "ablations").mkdir()
    shutil.copy(ROOT / "ablations" / "params.yaml", folder / "ablations")
    return held


def run(folder: Path, module: str, *arguments: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=folder, env=environment, check=True)


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class Asked:
    """Users who like something in the test split, and what is known of them.

    Args:
        held: ids of what is held out.
    """

    def __init__(self, held: list[str]) -> None:
        self.items = ITEMS.read(DATASET)["item_id"].to_list()
        self.held = np.isin(self.items, held)
        rated = INTERACTIONS.read(DATASET)
        users, places = rated["user"].to_numpy(), rated["item"].to_numpy()
        like, split = rated["like"].to_numpy(), rated["split"].to_numpy()
        target = like & (split == "test")
        self.users = np.unique(users[target])
        shape = (len(self.users), len(self.items))
        row = np.searchsorted(self.users, users).clip(max=len(self.users) - 1)
        mine = self.users[row] == users

        def cells(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
            found = np.zeros(shape, dtype=bool)
            found[row[mine & chosen], places[mine & chosen]] = True
            return found

        trained = (split == "train") & ~self.held[places]
        self.likes, self.dislikes, self.targets = cells(trained & like), cells(trained & ~like), cells(target)
        self.candidates = ~cells(np.isin(split, ["train", "valid"]))
        self.popularity = np.bincount(places[trained & like], minlength=len(self.items)).astype(np.float64)

    def people(self, order: list[str]) -> list[Person]:
        """By items in the order of a model."""
        place = {item: number for number, item in enumerate(order)}
        numbers = np.array([place.get(item, -1) for item in self.items])
        return [
            Person(np.sort(numbers[likes]), np.sort(numbers[dislikes]))
            for likes, dislikes in zip(self.likes, self.dislikes, strict=True)
        ]

    def scores(self, model: Model, order: list[str]) -> NDArray[np.float32]:
        """(users, items), in the order of the data set."""
        place = {item: number for number, item in enumerate(order)}
        return preference_of(model, self.people(order))[:, [place[item] for item in self.items]]

    def figures(self, scores: NDArray[np.floating]) -> list[float]:
        """NDCG@10 and Recall@20 of what was added among all items, its NDCG@10 among itself, NDCG@10 of all likes, and its share of the
        first ten.
        """
        mine = self.targets & self.held
        some = mine.any(axis=1)
        among_all = _standing(scores[some], self.candidates[some], mine[some])
        among_added = _standing(scores[some], (self.candidates & self.held)[some], mine[some])
        whole = _standing(scores, self.candidates, self.targets)
        # Ties are broken at random, as in the other figures.
        chance = np.random.default_rng(0).random(scores.shape)
        first = np.lexsort((chance, -np.where(self.candidates, scores, -np.inf)), axis=1)[:, :10]
        means = (ndcg(among_all, 10), recall(among_all, 20), ndcg(among_added, 10), ndcg(whole, 10), self.held[first])
        return [float(one.mean()) for one in means]


def _standing(scores: NDArray[np.floating], candidates: NDArray[np.bool_], targets: NDArray[np.bool_]) -> Standing:
    user, item = candidates.nonzero()
    return standing(user, scores[user, item], targets[user, item])


def popularity_around(asked: Asked, order: list[str], added: list[str]) -> NDArray[np.float64]:
    """Of an added item the mean popularity of its neighbours, of any other its own; (items,)."""
    place = {item: number for number, item in enumerate(asked.items)}
    edges = MORE_EDGES.read(HELD_OUT)
    found = asked.popularity.copy()
    for number, item in enumerate(added):
        neighbours = edges.filter(pl.col("target") == number)["source"].to_list()
        mean = np.mean([asked.popularity[place[order[one]]] for one in neighbours]) if neighbours else 0.0
        found[place[item]] = mean
    return found


def command(
    seed: Annotated[int, typer.Option(help="Seed by which the held-out items are drawn.")] = 42,
    variant: Annotated[list[str] | None, typer.Option(help="A model in run_variants. Can be repeated.")] = None,
) -> None:
    """Hold out items of MovieLens-100K, train without them, add them, and print how well they are ranked."""

    def body() -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            measure(folder, seed, variant or ["recommended", "crmman"])

    guarded(body)


def measure(folder: Path, seed: int, variants: list[str]) -> None:
    held = hold_out(folder, seed)
    asked = Asked(held)
    for stage in STAGES:
        run(folder, f"stages.{stage}", "--dataset", HELD_OUT)
    for variant in variants:
        run(folder, "stages.train_users", "--dataset", HELD_OUT, "--variant", variant)
    run(folder, "stages.cli", "items", "add", "new", "--dataset", HELD_OUT)
    shape = asked.candidates.shape
    rows = {"random": asked.figures(np.zeros(shape))}
    with inside(folder):
        added = read_added(HELD_OUT)
        assert added is not None
        order = [*ITEMS.read(HELD_OUT)["item_id"], *added.items["item_id"]]
        by_neighbours = popularity_around(asked, order, added.items["item_id"].to_list())
        rows["popularity of neighbours"] = asked.figures(np.broadcast_to(by_neighbours, shape))
        for variant in variants:
            model = read_model_with(added, HELD_OUT, variant, read_data(HELD_OUT))
            rows[f"`{variant}`, trained without them, then added"] = asked.figures(asked.scores(model, order))
    for variant in variants:
        model = read_model(DATASET, variant, len(asked.items))
        rows[f"`{variant}`, trained with them"] = asked.figures(asked.scores(model, asked.items))
    mine = asked.targets & asked.held
    show(
        f"\nseed {seed}: {len(held)} of {len(asked.items)} items held out, {added.relations['item'].n_unique()} of them in the graph; "
        f"{int(mine.any(axis=1).sum())} of {len(asked.users)} users like {int(mine.sum())} of them in the test split\n"
    )
    show("| ranked by | NDCG@10 | Recall@20 | NDCG@10 among these | NDCG@10 of all likes | of the first 10, added |")
    show("| --- | --: | --: | --: | --: | --: |")
    for ranked_by, figures in rows.items():
        *told, share = figures
        show(f"| {ranked_by} | {' | '.join(f'{figure:.4f}'.removeprefix('0') for figure in told)} | {share:.1%} |")


if __name__ == "__main__":
    typer.run(command)
