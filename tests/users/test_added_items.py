"""Items that came after training: a copy of one that was there, put through the same path, is what the one that was there is."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy.sparse import csr_matrix, vstack

from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset
from pipeline.explain.contributions import contributions_of
from pipeline.users.added_items import NEAREST, nearest_of, with_added_items
from pipeline.users.co_rating import read_co_rating
from pipeline.users.item_encoder import ItemEncoder
from pipeline.users.knowledge import Surroundings, count_features
from pipeline.users.modalities.inputs import ItemInputs
from pipeline.users.model import Model, counts
from pipeline.users.people import Person, preference_of
from pipeline.users.training import Trained
from tests.users.knowing import random_relations, slow_mean_around, slow_surroundings
from tests.users.training_world import CO_RATING, ITEMS, KNOWING, PLUS, train

# The last of the items has nothing around it.
COPIED = [0, 3, 7, 11, 11, ITEMS - 1]
# Of each a model that has something else.
MODELS: dict[str, dict[str, Any]] = {
    "method": {"epochs": 2},
    "linear": PLUS
    | {"modalities": ["text", "structure", "id", "entities"], "fusion": "linear", "damping": 3.0, "epochs": 2},
    "gated": PLUS | {"modalities": ["text", "id", "entities"], "fusion": "gated", "epochs": 2},
    "given": PLUS | {"modalities": ["text", "audio"], "fusion": "linear", "epochs": 2},
    "finetuned": {"finetune_gat": True, "epochs": 2},
    "co-rating": CO_RATING | {"epochs": 2},
    "knowing": KNOWING | {"epochs": 2},
}
every_model = pytest.mark.parametrize("name", MODELS)


def copies_of(relations: pl.DataFrame) -> pl.DataFrame:
    """Relations of the copies, numbered from 0."""
    numbers = pl.DataFrame({"copy": range(len(COPIED)), "item": COPIED}, schema={"copy": pl.Int32, "item": pl.Int32})
    found = numbers.join(relations, on="item").select("relation", "inverse", "entity", item="copy")
    return found.select(relations.columns).sort(relations.columns)


def with_copies(inputs: ItemInputs) -> ItemInputs:
    """As training had them, and then copies of some, which nobody has rated."""
    assert inputs.text is not None
    assert inputs.structure is not None
    assert inputs.entities is not None
    gat = inputs.gat
    if gat is not None:
        # Who is a copy attends to whom the one that was there attends to.
        source, target = gat.edge_index
        more = [(one, ITEMS + copy) for copy, item in enumerate(COPIED) for one in source[target == item]]
        gat = dataclasses.replace(
            gat,
            initial=np.concatenate([gat.initial, gat.initial[COPIED]]),
            edge_index=np.concatenate([gat.edge_index, np.array(more).T], axis=1),
        )
    return dataclasses.replace(
        inputs,
        items=ITEMS + len(COPIED),
        text=np.concatenate([inputs.text, inputs.text[COPIED]]),
        structure=np.concatenate([inputs.structure, inputs.structure[COPIED]]),
        entities=vstack([inputs.entities, inputs.entities[COPIED]]).tocsr(),
        ratings=None if inputs.ratings is None else np.r_[inputs.ratings, np.zeros(len(COPIED))],
        gat=gat,
        trained=ITEMS,
        given={name: np.concatenate([vectors, vectors[COPIED]]) for name, vectors in inputs.given.items()},
    )


@pytest.fixture(scope="module")
def trained(inputs: ItemInputs, data: Dataset) -> Any:
    """Each model, trained once, with its inputs."""
    made: dict[str, tuple[Trained, ItemInputs]] = {}

    def of(name: str) -> tuple[Trained, ItemInputs]:
        if name not in made:
            changes = MODELS[name]
            given = dataclasses.replace(
                inputs,
                damping=changes.get("damping", 0.0),
                ratings=data.train_counts,
                gat=inputs.gat if changes.get("finetune_gat") else None,
            )
            made[name] = train(given, data, **changes), given
        return made[name]

    return of


def relations_of_inputs(data: Dataset) -> pl.DataFrame:
    """Those that the inputs' knowledge was made of."""
    return random_relations(data.items, 0)


def extended(name: str, trained: Any, data: Dataset, **changes: Any) -> tuple[Trained, dict[str, Any]]:
    one, inputs = trained(name)
    relations = relations_of_inputs(data)
    arrays = with_added_items(
        {**one.arrays, **changes}, one.config, with_copies(inputs), data, relations, copies_of(relations)
    )
    return one, arrays


@every_model
def test_an_encoder_read_back_gives_the_vectors_that_the_model_has(name: str, trained: Any) -> None:
    one, inputs = trained(name)
    given = with_copies(inputs)
    encoder = ItemEncoder(given, one.config.modalities, one.config.fusion, one.config.width).eval()
    prefix = "encoder."
    stored = {key: value for key, value in one.arrays.items() if key.startswith(prefix)}
    encoder.load({key.removeprefix(prefix): torch.from_numpy(value) for key, value in stored.items()})
    with torch.inference_mode():
        vectors = encoder().numpy()
    np.testing.assert_allclose(vectors[:ITEMS], one.arrays["items"], atol=1e-6)


@every_model
def test_a_copy_has_all_of_the_vector_but_what_ratings_alone_give(name: str, trained: Any, data: Dataset) -> None:
    one, arrays = extended(name, trained, data)
    assert (arrays["items"][:ITEMS] == one.arrays["items"]).all()
    own = np.zeros_like(one.arrays["items"])
    if "id" in one.config.modalities and one.config.fusion == "linear":
        ratings = data.train_counts
        share = ratings / (ratings + one.config.damping) if one.config.damping else np.ones(ITEMS)
        own = one.arrays["encoder.own"] * share[:, None].astype(np.float32)
    if one.config.fusion != "gated":
        np.testing.assert_allclose(arrays["items"][ITEMS:], (one.arrays["items"] - own)[COPIED], atol=1e-5)
    else:
        assert np.isfinite(arrays["items"]).all()


@every_model
def test_known_items_score_as_they_did_and_copies_are_scored(name: str, trained: Any, data: Dataset) -> None:
    one, arrays = extended(name, trained, data)
    before = Model.from_arrays(one.arrays, one.config, ITEMS)
    after = Model.from_arrays(arrays, one.config, ITEMS + len(COPIED))
    people = [Person(np.array([1, 5, 8]), np.array([2])), Person(np.array([4]), np.array([], dtype=np.int64))]
    scores = preference_of(after, people)
    np.testing.assert_allclose(scores[:, :ITEMS], preference_of(before, people), atol=1e-5)
    assert np.isfinite(scores).all()
    # One that somebody likes counts in their history as any other.
    likes_a_copy = preference_of(after, [Person(np.array([1, ITEMS]), np.array([], dtype=np.int64))])
    assert (
        np.abs(likes_a_copy - preference_of(after, [Person(np.array([1]), np.array([], dtype=np.int64))])).max() > 1e-4
    )


def test_surroundings_of_copies_are_those_of_the_items_and_means_around_them_are_over_all_items(data: Dataset) -> None:
    relations = relations_of_inputs(data)
    around = Surroundings.of(relations, ITEMS)
    rows = around.rows_of(copies_of(relations), len(COPIED))
    np.testing.assert_allclose(rows.toarray(), around.weights[COPIED].toarray(), atol=1e-6)
    values = np.random.default_rng(3).normal(size=ITEMS)
    # By loops: as if the copies were items more, which nobody is joined to.
    slow = slow_surroundings(relations, ITEMS)
    expected = [slow_mean_around([*slow, slow[item]], [*values, 0.0]) for item in COPIED]
    mean, degree = around.mean_around(values, rows)
    np.testing.assert_allclose(mean, [one[0][-1] for one in expected], atol=1e-6)
    np.testing.assert_allclose(degree, [one[1][-1] for one in expected], atol=1e-5)


def test_what_no_known_item_has_around_it_counts_for_nothing(data: Dataset) -> None:
    around = Surroundings.of(relations_of_inputs(data), ITEMS)
    strange = pl.DataFrame(
        {"item": [0, 1], "relation": ["by", "never heard of"], "inverse": [False, False], "entity": [1000, 1]},
        schema={"item": pl.Int32, "relation": pl.String, "inverse": pl.Boolean, "entity": pl.Int32},
    )
    assert around.rows_of(strange, 3).nnz == 0
    nothing = Surroundings.of(strange.clear(), ITEMS)
    assert nothing.rows_of(strange, 3).shape == (3, 0)


def test_features_of_an_item_that_nobody_rated_are_those_that_it_would_have_among_the_others(data: Dataset) -> None:
    relations = relations_of_inputs(data)
    around = Surroundings.of(relations, ITEMS)
    likes, dislikes = counts(data)
    nobody = 5
    likes[nobody] = dislikes[nobody] = 0
    whole = count_features(likes, dislikes, around).whole
    numbered = relations.filter(pl.col("item") == nobody).with_columns(item=pl.lit(0, dtype=pl.Int32))
    rows = around.rows_of(numbered, 1)
    mine = count_features(likes, dislikes, around, rows).whole
    # Of a copy the item itself is one of those around it.
    with_itself = around.mean_around(likes)[1][nobody] + (around.weights[nobody] @ rows.T).toarray()[0, 0]
    assert around.mean_around(likes, rows)[1][0] == pytest.approx(with_itself, abs=1e-5)
    # What counts alone say is the same: likes, dislikes, and the rate.
    np.testing.assert_allclose(mine[0, [0, 1, 6]], whole[nobody, [0, 1, 6]], atol=1e-6)


def test_a_bias_by_counts_is_that_of_the_features(trained: Any, data: Dataset) -> None:
    one, arrays = extended("knowing", trained, data)
    relations = relations_of_inputs(data)
    around = Surroundings.of(relations, ITEMS)
    x = count_features(*counts(data), around, around.rows_of(copies_of(relations), len(COPIED))).whole
    inner = np.tanh(x @ one.arrays["biases.inner.weight"].T + one.arrays["biases.inner.bias"])
    learned = inner @ one.arrays["biases.outer.weight"].T + one.arrays["biases.outer.bias"]
    likes, dislikes = counts(data)
    overall = likes.sum() / (likes.sum() + dislikes.sum())
    starts = {"meet": 0.0, "like": 0.0, "click": 0.0, "judge": np.log(overall / (1 - overall))}
    for place, head in enumerate(one.config.heads):
        np.testing.assert_allclose(
            arrays[f"scorer.item_bias.{head}"][ITEMS:], starts[head] + learned[:, place], atol=1e-5
        )
        assert (arrays[f"scorer.item_bias.{head}"][:ITEMS] == one.arrays[f"scorer.item_bias.{head}"]).all()


def slow_nearest(vectors: np.ndarray[Any, Any], copy: int) -> dict[int, float]:
    """w, by item."""

    def cosine(one: int) -> float:
        lengths = math.sqrt(sum(value**2 for value in vectors[one])) * math.sqrt(
            sum(value**2 for value in vectors[copy])
        )
        return sum(a * b for a, b in zip(vectors[one], vectors[copy], strict=True)) / lengths if lengths else 0.0

    cosines = sorted(((cosine(one), one) for one in range(ITEMS)), key=lambda pair: -pair[0])[:NEAREST]
    kept = {one: value for value, one in cosines if value > 0}
    return {one: value / sum(kept.values()) for one, value in kept.items()}


@pytest.mark.parametrize("name", ["linear", "co-rating"])
def test_a_free_bias_is_the_mean_of_the_nearest_or_of_all(name: str, trained: Any, data: Dataset) -> None:
    one, arrays = extended(name, trained, data)
    for head in one.config.heads:
        known = one.arrays[f"scorer.item_bias.{head}"].tolist()
        for place in range(len(COPIED)):
            weights = slow_nearest(arrays["items"].tolist(), ITEMS + place)
            expected = sum(weight * known[item] for item, weight in weights.items()) if weights else sum(known) / ITEMS
            assert arrays[f"scorer.item_bias.{head}"][ITEMS + place] == pytest.approx(expected, abs=1e-5)


def test_weights_of_ease_are_those_of_the_nearest_and_the_nearest_themselves(trained: Any, data: Dataset) -> None:
    _, arrays = extended("co-rating", trained, data)
    known = arrays["co_rating"][:ITEMS, :ITEMS]
    assert not arrays["co_rating"][ITEMS:].any()
    for place in range(len(COPIED)):
        expected = np.zeros(ITEMS)
        for item, weight in slow_nearest(arrays["items"].tolist(), ITEMS + place).items():
            expected += weight * known[:, item]
            expected[item] += weight
        np.testing.assert_allclose(arrays["co_rating"][:ITEMS, ITEMS + place], expected, atol=1e-5)


def test_weights_of_ease_of_neighbours_alone_get_the_same_columns(trained: Any, data: Dataset) -> None:
    one, inputs = trained("co-rating")
    whole = one.arrays["co_rating"]
    row, column = whole.nonzero()
    sparse = {name: array for name, array in one.arrays.items() if name != "co_rating"}
    sparse |= {
        "co_rating.row": row.astype(np.float32),
        "co_rating.column": column.astype(np.float32),
        "co_rating.value": whole[row, column],
    }
    relations = relations_of_inputs(data)
    found = with_added_items(sparse, one.config, with_copies(inputs), data, relations, copies_of(relations))
    _, arrays = extended("co-rating", trained, data)
    read = read_co_rating(found, ITEMS + len(COPIED))
    assert isinstance(read, csr_matrix)
    np.testing.assert_allclose(read.toarray(), arrays["co_rating"], atol=1e-6)


def test_what_is_near_to_nothing_has_no_nearest() -> None:
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [-1.0, -1.0], [2.0, 2.0]], dtype=np.float32)
    assert nearest_of(vectors, 2).toarray().tolist() == [[0, 0], [0, 0], [0.5, 0.5]]


def test_contributions_to_the_score_of_an_added_item_add_up_and_nobody_liked_it_together(
    trained: Any, data: Dataset
) -> None:
    one, arrays = extended("co-rating", trained, data)
    model = Model.from_arrays(arrays, one.config, ITEMS + len(COPIED), added=len(COPIED))
    person = Person(np.array([0, 1, 5, 8]), np.array([2]))
    candidates = np.array([ITEMS, ITEMS + 1, 4])
    found = contributions_of(model, person, candidates)
    np.testing.assert_allclose(found.score, preference_of(model, [person])[0, candidates], atol=1e-4)
    assert not found.parts_of_likes["co_rating"][:2].any()
    assert found.parts_of_likes["co_rating"][2].any()
    before = contributions_of(Model.from_arrays(arrays, one.config, ITEMS + len(COPIED)), person, candidates)
    np.testing.assert_allclose(
        found.parts_of_likes["vectors"],
        before.parts_of_likes["vectors"] + np.where([[1], [1], [0]], before.parts_of_likes["co_rating"], 0),
        atol=1e-6,
    )


def test_a_model_that_was_stored_before_is_one_line(trained: Any, data: Dataset) -> None:
    one, inputs = trained("knowing")
    relations = relations_of_inputs(data)
    read = partial(
        with_added_items,
        config=one.config,
        inputs=with_copies(inputs),
        data=data,
        relations=relations,
        added=copies_of(relations),
    )
    older = {name: array for name, array in one.arrays.items() if not name.startswith("biases.")}
    Model.from_arrays(older, one.config, ITEMS)
    with pytest.raises(InputError, match="trained before items could be added; run `dvc repro`"):
        read(older)
    other = {name: array for name, array in one.arrays.items() if name != "encoder.projection.weight"}
    with pytest.raises(
        InputError, match=r"tensor encoder.projection.weight: found none, expected \d+ x \d+; run `dvc repro`"
    ):
        read(other)
