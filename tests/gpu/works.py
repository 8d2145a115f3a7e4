"""What each stage does on a device, small, and what comes of it: for devices to be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline.data.dataset import Dataset
from pipeline.evaluation.systems.system import evaluate_system
from pipeline.recommend.recommend import Ids, recommendation_table, recommended, recommended_to
from pipeline.recommend.rules import Rules
from pipeline.structure.embed import embed_graph
from pipeline.structure.gat.network import TwoLayerGat
from pipeline.structure.gat.training import train_gat
from pipeline.structure.settings import StructureConfig
from pipeline.text.encoder import TextEncoder
from pipeline.text.settings import PACKAGED, TextConfig
from pipeline.users.modalities.inputs import GatInputs, ItemInputs
from pipeline.users.model import Model
from pipeline.users.people import people_of
from pipeline.users.trained import TrainedModel
from pipeline.users.training import UserTrainer
from tests.graphs import directed, matrix, two_communities
from tests.structure.gat.test_training import config as gat_config
from tests.users.knowing import known
from tests.users.training_world import CO_RATING, ITEMS, KNOWING, PLUS, THREE_HEADS, config, dataset, interactions

Device = torch.device | str
Found = dict[str, NDArray[Any]]
Work = Callable[[Device], Found]
NODES = 33
# Dropout draws another stream on each device; without it two devices do the same.
STILL = {"dropout": 0.0, "epochs": 2}
SDNE: dict[str, Any] = {
    "method": "sdne", "dimensions": 5, "hidden_widths": [8], "activation": "tanh", "alpha": 0.01, "beta": 10.0, "nu": 1e-4,
    "learning_rate": 1e-2, "batch_size": 16, "epochs": 4, "tolerance": 0.0, "sampled_columns": 0, "karateclub_options": {},
}  # fmt: skip
TEXTS = ["Alien (1979). Horror", "", "A night in the city, and another one after it. Drama", "Babe"]


def sdne(device: Device, **changes: Any) -> Found:
    settings = StructureConfig.model_validate(SDNE | changes)
    found = embed_graph(matrix(two_communities(), NODES), settings, 3, device)
    return {"vectors": found.vectors, "auc": np.array(found.figures["reconstruction_auc"])} | found.encoder


def gat(device: Device) -> Found:
    initial = np.random.default_rng(0).normal(size=(NODES, 6)).astype(np.float32)
    found = train_gat(initial, directed(two_communities()), gat_config(epochs=3, patience=3, dropout=0.0), 1, device)
    return {"vectors": found.vectors, "loss": np.array([row["loss"] for row in found.history])} | found.weights


def text(device: Device) -> Found:
    settings = TextConfig(encoder=PACKAGED, pooling="mean", max_tokens=32, batch_tokens=64, precision="float32")
    return {"vectors": TextEncoder(settings, device).encode(TEXTS)}


@cache
def item_inputs() -> ItemInputs:
    random = np.random.default_rng(2)
    initial = random.normal(size=(ITEMS, 5)).astype(np.float32)
    one, other = np.array([(a, b) for a in range(ITEMS) for b in range(a + 2, ITEMS, 2) if random.random() < 0.4]).T
    edges = np.stack([np.r_[one, other], np.r_[other, one]])
    settings = gat_config(output_width=4, epochs=2, patience=2, dropout=0.0)
    of_gat = train_gat(initial, edges, settings, seed=1)
    data = dataset(interactions())
    knowledge = known(data)
    return ItemInputs(
        ITEMS,
        random.normal(size=(ITEMS, 6)).astype(np.float32),
        of_gat.vectors,
        csr_matrix((random.random((ITEMS, 12)) < 0.2).astype(np.float32)),
        GatInputs(initial, edges, of_gat.weights, partial(TwoLayerGat, config=settings)),
        knowledge,
        data.train_counts,
        10.0,
        knowledge.around.weights,
    )


def trainer_on(device: Device, data: Dataset | None = None, **changes: Any) -> UserTrainer:
    variant, given = config(**changes | STILL), item_inputs()
    inputs = given if variant.finetune_gat else dataclasses.replace(given, gat=None)
    return UserTrainer(inputs, data or dataset(interactions()), variant, 7, device)


def users(device: Device, **changes: Any) -> Found:
    """A step of training with its gradients, and all that is done with a model: scores, figures, recommendations with their reasons."""
    trainer = trainer_on(device, **changes)
    generator = torch.Generator(device=device).manual_seed(0)
    everybody = np.arange(trainer.data.users)
    loss = trainer.loss(everybody, np.random.default_rng(0), generator)
    assert loss is not None
    torch.autograd.backward(loss)
    found: Found = {"loss": loss.detach().cpu().numpy()}
    for module in (trainer.items, trainer.scorer, *([trainer.biases] if trainer.biases else [])):
        for name, parameter in module.named_parameters():
            if parameter.grad is not None:
                found[f"gradient of {name}"] = parameter.grad.cpu().numpy()
    start = trainer.refit(0)
    model = Model.from_arrays(start.arrays, start.config, trainer.data.items, device)
    scored = TrainedModel(model, trainer.data)
    scores = scored.score(everybody)
    found |= {"preference": scores.preference, "judgement": np.asarray(scores.judgement)}
    tables = evaluate_system("model", scored, trainer.data)
    found["figures"] = tables.per_user["value"].to_numpy()
    people = people_of(trainer.data, everybody)
    for rules in (Rules(), Rules(seen=True, diversity=0.3)):
        name = "seen" if rules.seen else "best"
        table = recommendation_table(recommended(model, people, 5, 2, rules), _ids(trainer.data.users))
        told = table.select("reasons").with_row_index().explode("reasons").unnest("reasons")
        found[f"{name}.scores"] = table["score"].to_numpy()
        found[f"{name}.reasons"] = (
            told.group_by("index", maintain_order=True).agg(pl.col("part").sum())["part"].to_numpy()
        )
        for one in recommended_to(model, people[:3], 5, None, rules):
            assert np.isfinite(one.contributions.score).all()
    return found


def _ids(count: int) -> Ids:
    names = pl.Series([str(number) for number in range(max(count, ITEMS, 100))])
    return Ids(names[:count], names[:ITEMS], names, names)


FORMS: Mapping[str, dict[str, Any]] = {
    "method": {},
    "sampled negatives": {"negatives": "mixed"},
    "three heads": THREE_HEADS,
    "candidate attention": PLUS | {"attention": "candidate"},
    "merged, self-attention": PLUS | {"views": "merged", "attention": "self"},
    "gated, aligned": PLUS | {"fusion": "gated", "alignment_weight": 0.1},
    "aligned by a queue": PLUS | {"alignment": "queue", "alignment_weight": 0.1},
    "aligned by a codebook, without modalities": PLUS
    | {"alignment": "codebook", "alignment_weight": 0.1, "modality_dropout": 0.2},
    "finetuned": {"finetune_gat": True},
    "co-rating": CO_RATING | {"co_rating_graph": 2.0, "find_shares": True},
    "knowing": KNOWING,
    "knowing, merged, sampled": KNOWING | {"views": "merged", "catalogue_sample": 20},
}
WORKS: dict[str, Work] = {
    "sdne": sdne,
    "sdne, sampled columns": partial(sdne, sampled_columns=10),
    "gat": gat,
    "text": text,
    **{f"users, {name}": partial(users, **changes) for name, changes in FORMS.items()},
}
