"""What a trained model loses without a modality: `python -m benchmarks.hidden_modalities`, after `make repro`.

Each modality is hidden in turn, as if no item had it: its part of the item vectors is what it is for an item that lacks it. Then all but
one are. What else a score is made of stays: biases, EASE's weights, terms. Figures of cold items are of a second hiding, from cold items
alone, all other items being what they were.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
import typer

from pipeline.artifacts.users import MODEL
from pipeline.data.dataset import Dataset
from pipeline.evaluation.baselines.popularity import Popularity
from pipeline.evaluation.comparison.markdown import markdown
from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.evaluation.protocols.scores import Scorer
from pipeline.evaluation.systems.slices import CATALOGUE, ITEM_SLICES, POPULARITY, WITHIN, by_item, item_slices
from pipeline.users.item_encoder import ItemEncoder, stored_encoder
from pipeline.users.model import Model
from pipeline.users.trained import TrainedModel
from stages.guard import guarded, show
from stages.shared.data import read_data
from stages.shared.inputs import read_inputs
from stages.shared.models import read_model, trained_as

if TYPE_CHECKING:
    from numpy.typing import NDArray

OF_ALL = ("ctr.user_auc", "impression.ndcg@5", "ranking.ndcg@10", "ranking.recall@20")
OF_COLD = ((WITHIN, "ndcg@10"), (WITHIN, "recall@20"), (CATALOGUE, "recall@100"))
HEAD = ["hidden", *(name.replace(".", " ") for name in OF_ALL), *(f"cold {' '.join(name)}" for name in OF_COLD)]


def hidings(modalities: list[str]) -> dict[str, list[str]]:
    """What is hidden, by what a row of the table is called: nothing, each, and all but each."""
    found = {"(nothing)": [], **{name: [name] for name in modalities}}
    if len(modalities) > 2:
        found |= {f"all but {name}": [other for other in modalities if other != name] for name in modalities}
    return found


def without(model: Model, encoder: ItemEncoder, hidden: list[str], of_items: NDArray[np.bool_]) -> Model:
    """The model with some modalities of some items hidden, (M,)."""
    with torch.inference_mode():
        vectors = encoder.fuse(encoder.without(encoder.parts(), dict.fromkeys(hidden, of_items)))
    return dataclasses.replace(model, items=vectors)


def figures(scorer: Scorer, data: Dataset) -> tuple[list[float], list[float]]:
    """`OF_ALL`, and `OF_COLD`; NaN where no user likes a cold item of the test split."""
    slice_of = item_slices(data.train_likes.getnnz(axis=0))
    tested = evaluate_split(scorer, data, "test", slice_of)
    sliced = by_item(tested.scored.ranking, slice_of)
    of_cold = [sliced.get((POPULARITY, ITEM_SLICES[0], *name)) for name in OF_COLD]
    return [tested.value(name) for name in OF_ALL], [np.nan if one is None else one.mean for one in of_cold]


def rows(model: Model, encoder: ItemEncoder, data: Dataset) -> Iterator[tuple[str, list[float]]]:
    """What is hidden and the figures without it, of `OF_ALL` and `OF_COLD`; at last those of popularity, which knows no modality."""
    cold = item_slices(data.train_likes.getnnz(axis=0)) == 0
    for name, hidden in hidings([*encoder.modalities]).items():
        of_all, _ = figures(TrainedModel(without(model, encoder, hidden, np.ones_like(cold)), data), data)
        _, of_cold = figures(TrainedModel(without(model, encoder, hidden, cold), data), data)
        yield name, [*of_all, *of_cold]
    of_all, of_cold = figures(Popularity.fit(data), data)
    yield "(popularity)", [*of_all, *of_cold]


def table(found: Mapping[str, list[float]]) -> str:
    return markdown(
        HEAD, [[name, *(f"{value:.4f}".removeprefix("0") for value in values)] for name, values in found.items()]
    )


def measure(dataset: str, variant: str) -> None:
    data = read_data(dataset)
    stored = MODEL.of(variant=variant)
    config, _ = trained_as(dataset, stored)
    inputs = read_inputs(dataset, config, data)
    encoder = stored_encoder(stored.read(dataset), inputs, config.modalities, config.fusion, config.width)
    show(f"\n{dataset}, {variant}\n")
    show(table(dict(rows(read_model(dataset, variant, data.items), encoder, data))))


def command(
    dataset: Annotated[str, typer.Option(help="A data set in params.yaml.")] = "ml-100k",
    variant: Annotated[list[str] | None, typer.Option(help="A trained model. Can be repeated.")] = None,
) -> None:
    """Hide each modality of trained models on the test split, and print the resulting figures."""

    def body() -> None:
        for name in variant or ["recommended"]:
            measure(dataset, name)

    guarded(body)


if __name__ == "__main__":
    typer.run(command)
