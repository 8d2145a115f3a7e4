"""Item vectors: standardised inputs, projections and every fusion of the modalities against loops."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from pipeline.common.errors import InputError
from pipeline.data.sources.beside_tables import TAKEN
from pipeline.users.fusion import fuse
from pipeline.users.item_encoder import ItemEncoder
from pipeline.users.modalities.entities import shared_bags
from pipeline.users.modalities.inputs import GatInputs, ItemInputs, standardised
from pipeline.users.modalities.names import FIXED, MADE
from pipeline.users.modalities.registry import MODALITIES as BY_NAME
from pipeline.users.modalities.registry import needs_of
from pipeline.users.names import ADDING
from pipeline.users.settings import VariantConfig
from tests.users.views.slow import dot, softmax

ITEMS, TEXT_WIDTH, STRUCTURE_WIDTH, AUDIO_WIDTH = 5, 4, 3, 6
# The last is of vectors that were there before.
MODALITIES = ("text", "structure", "id", "entities", "audio")
SUBSETS = [list(chosen) for size in (1, 2, 3, 4, 5) for chosen in combinations(MODALITIES, size)]
# Entity 2 is around one item only; the last item has no entity at all.
ENTITIES = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 1], [0, 0, 0, 0]], dtype=np.float32)


def inputs(entities: np.ndarray[Any, Any] | None = ENTITIES) -> ItemInputs:
    random = np.random.default_rng(0)
    text = random.normal(2, 3, (ITEMS, TEXT_WIDTH)).astype(np.float32)
    text[3] = 0  # an item without a text
    structure = random.normal(-1, 2, (ITEMS, STRUCTURE_WIDTH)).astype(np.float32)
    audio = random.normal(1, 4, (ITEMS, AUDIO_WIDTH)).astype(np.float32)
    audio[1] = 0  # an item that nobody has heard
    bags = None if entities is None else csr_matrix(entities)
    return ItemInputs(ITEMS, text, structure, bags, given={"audio": audio, "unread": audio})


def encoder_of(modalities: list[Any], fusion: Any, width: int) -> ItemEncoder:
    torch.manual_seed(0)
    encoder = ItemEncoder(inputs(), modalities, fusion, width).double()
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter)
    return encoder


def slow_standardised(vectors: np.ndarray[Any, Any]) -> list[list[float]]:
    rows = [row for row in vectors.tolist() if any(row)]
    columns = list(zip(*rows, strict=True))
    means = [sum(column) / len(column) for column in columns]
    spreads = [
        math.sqrt(sum((value - mean) ** 2 for value in column) / len(column))
        for column, mean in zip(columns, means, strict=True)
    ]
    return [
        [(value - mean) / spread for value, mean, spread in zip(row, means, spreads, strict=True)]
        if any(row)
        else [0.0] * len(row)
        for row in vectors.tolist()
    ]


def times(vector: list[float], matrix: list[list[float]]) -> list[float]:
    return [dot(vector, column) for column in zip(*matrix, strict=True)]


def slow_part(encoder: ItemEncoder, modality: str, item: int) -> list[float]:
    """W_m x_m"""
    given, weights = inputs(), encoder.weights()
    if modality == "id":
        return weights["own"][item].tolist()
    if modality == "text":
        text, projection = slow_standardised(given.text)[item], weights["projection.weight"].tolist()
        start = weights["projection.bias"].tolist() if "projection.bias" in weights else [0.0] * len(projection)
        return [b + dot(row, text) for b, row in zip(start, projection, strict=True)]
    if modality == "structure":
        structure = slow_standardised(given.structure)[item]
        return times(structure, weights["structure_projection"].tolist()) if encoder.fusion in ADDING else structure
    if modality == "audio":
        part = times(slow_standardised(given.given["audio"])[item], weights["audio_projection"].tolist())
        return [
            value + b for value, b in zip(part, weights.get("audio_bias", torch.zeros(len(part))).tolist(), strict=True)
        ]
    mine = [place for place, entity in enumerate((0, 1, 3)) if ENTITIES[item, entity]]
    rows = weights["entity"].tolist()
    return [sum(rows[place][k] for place in mine) / math.sqrt(max(len(mine), 1)) for k in range(len(rows[0]))]


def slow_item(encoder: ItemEncoder, modalities: list[str], fusion: str, item: int) -> list[float]:
    parts = [slow_part(encoder, modality, item) for modality in modalities]
    if fusion == "concat":
        return [value for part in parts for value in part]
    if fusion == "average":
        return [sum(values) / len(parts) for values in zip(*parts, strict=True)]
    gates = [1.0] * len(parts)
    if fusion == "gated":
        shares = softmax([dot(gate, part) for gate, part in zip(encoder.gates.tolist(), parts, strict=True)])
        gates = [len(parts) * share for share in shares]
    return [dot(gates, values) for values in zip(*parts, strict=True)]


@pytest.mark.parametrize("modalities", SUBSETS, ids="+".join)
@pytest.mark.parametrize("fusion", ["concat", "average", "linear", "gated"])
def test_an_item_is_the_written_fusion_of_its_modalities(fusion: str, modalities: list[str]) -> None:
    width = STRUCTURE_WIDTH if fusion == "average" else 2
    encoder = encoder_of(modalities, fusion, width)
    found = encoder()
    expected_width = sum(3 if name == "structure" else 2 for name in modalities) if fusion == "concat" else width
    assert found.shape == (ITEMS, encoder.width) == (ITEMS, expected_width)
    settings = {"modalities": modalities, "fusion": fusion, "width": width, "attention": "none"}
    assert VariantConfig.model_validate(settings).item_width(STRUCTURE_WIDTH) == expected_width
    for item in range(ITEMS):
        assert found[item].tolist() == pytest.approx(slow_item(encoder, modalities, fusion, item), abs=1e-5)


@pytest.mark.parametrize("damping", [0.5, 10.0])
def test_learned_vectors_count_by_how_many_ratings_tell_about_them(damping: float) -> None:
    """By id n / (n + damping) of the item's own; each entity by the ratings of all items around it."""
    ratings = [0.0, 1.0, 2.0, 30.0, 7.0]
    given = replace(inputs(), ratings=np.array(ratings), damping=damping)
    torch.manual_seed(0)
    encoder = ItemEncoder(given, ["id", "entities"], "concat", 2).double()
    own, entity = (encoder.weights()[name].tolist() for name in ("own", "entity"))
    found = encoder()
    for item in range(ITEMS):
        by_id = [value * ratings[item] / (ratings[item] + damping) for value in own[item]]
        mine = [(place, e) for place, e in enumerate((0, 1, 3)) if ENTITIES[item, e]]
        told = {e: sum(n for n, row in zip(ratings, ENTITIES, strict=True) if row[e]) for _, e in mine}
        by_entities = [
            sum(entity[place][k] * told[e] / (told[e] + damping) for place, e in mine) / math.sqrt(max(len(mine), 1))
            for k in range(2)
        ]
        assert found[item].tolist() == pytest.approx([*by_id, *by_entities], abs=1e-6)
    # A step that sees some of the items sees them as they are.
    some = np.array([4, 0, 3])
    parts = encoder.parts(some)
    np.testing.assert_allclose(encoder.fuse(parts).detach(), found[some].detach(), atol=1e-6)


def test_every_modality_that_settings_name_is_there_and_no_other() -> None:
    assert tuple(BY_NAME) == MADE == MODALITIES[:-1]
    # No file of vectors is called as what is something else.
    assert set(FIXED) | {"item_id"} == set(TAKEN)


def test_weights_are_drawn_in_one_order_and_stored_without_the_modalities_names() -> None:
    drawn = []
    for modalities in (MODALITIES, MODALITIES[::-1]):
        torch.manual_seed(3)
        drawn.append(ItemEncoder(inputs(), modalities, "gated", 4).weights())
    names = {"gates", "projection.weight", "structure_projection", "own", "entity", "audio_projection"}
    assert set(drawn[0]) == set(drawn[1]) == names
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in names)


def test_vectors_may_be_called_as_a_method_of_a_module_is() -> None:
    names = [name for name in dir(torch.nn.ModuleDict()) if name[0].isalpha()] + ["gates", "own", "vectors_"]
    given = dict.fromkeys(names, inputs().given["audio"])
    encoder = ItemEncoder(dataclasses.replace(inputs(), given=given), ["id", *names], "gated", 4)
    assert list(encoder.parts()) == ["id", *names]
    assert set(encoder.weights()) == {"gates", "own", *(f"{name}_projection" for name in names)}


def test_gates_that_have_learned_nothing_leave_the_linear_fusion() -> None:
    torch.manual_seed(0)
    gated = ItemEncoder(inputs(), MODALITIES, "gated", 6)
    assert not gated.gates.any()
    linear = ItemEncoder(inputs(), MODALITIES, "linear", 6)
    linear.load_state_dict({name: value for name, value in gated.state_dict().items() if name != "gates"})
    assert torch.allclose(gated(), linear(), atol=1e-6)


def test_parts_are_what_is_fused() -> None:
    encoder = encoder_of(["text", "structure", "id"], "gated", 4)
    parts = encoder.parts()
    assert list(parts) == ["text", "structure", "id"]
    assert torch.equal(encoder.fuse(parts), encoder())


@pytest.mark.parametrize("fusion", ["linear", "concat"])
def test_parts_of_some_items_are_rows_of_all_items_parts(fusion: str) -> None:
    encoder = encoder_of([*MODALITIES], fusion, 4)
    some = np.array([0, 3, 4])
    whole, part = encoder.parts(), encoder.parts(some)
    assert list(part) == list(whole)
    for name, vectors in part.items():
        torch.testing.assert_close(vectors, whole[name][some])


def test_standardising_gives_each_dimension_mean_0_and_variance_1() -> None:
    vectors = np.random.default_rng(0).normal(3, [1, 5, 0.1], size=(50, 3)).astype(np.float32)
    result = standardised(vectors)
    assert result.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-5)
    assert result.std(axis=0) == pytest.approx([1, 1, 1], abs=1e-4)


def test_items_without_a_text_stay_at_zero_and_do_not_move_the_others() -> None:
    vectors = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 6.0]], dtype=np.float32)
    assert standardised(vectors).tolist() == [[-1, -1], [0, 0], [1, 1]]
    assert standardised(np.zeros((3, 2), dtype=np.float32)).tolist() == [[0, 0]] * 3


def test_a_dimension_that_is_the_same_for_all_becomes_zero() -> None:
    assert standardised(np.array([[7.0, 1.0], [7.0, 2.0]], dtype=np.float32))[:, 0].tolist() == [0, 0]


def test_concatenation_puts_text_before_structure_and_the_average_is_their_mean() -> None:
    text, structure = torch.tensor([[1.0, 2.0]]), torch.tensor([[5.0, 8.0]])
    assert fuse([text, structure], "concat").tolist() == [[1, 2, 5, 8]]
    assert fuse([text, structure], "average").tolist() == [[3, 5]]
    assert fuse([text, structure], "linear").tolist() == [[6, 10]]


def test_averaging_different_widths_is_refused() -> None:
    with pytest.raises(
        InputError,
        match=r"^fusion: average fusion needs equal widths, found width 2 and structural vectors 3 wide; "
        r"make them equal or use concat or linear$",
    ):
        ItemEncoder(inputs(), ["text", "structure"], "average", 2)
    # Without the structural vector there is nothing that would have to be as wide.
    assert ItemEncoder(inputs(), ["text", "id"], "average", 2)().shape == (ITEMS, 2)


def test_vectors_of_different_numbers_of_items_are_refused() -> None:
    given = inputs()
    with pytest.raises(
        InputError, match=r"^item vectors: found 4 by text, expected 5, one for each item; run `dvc repro`$"
    ):
        ItemEncoder(ItemInputs(ITEMS, given.text[1:], given.structure), ["text"], "linear", 2)


@pytest.mark.parametrize("modalities", SUBSETS)
def test_what_no_modality_needs_need_not_be_there(modalities: list[Any]) -> None:
    given, encoders = inputs(), []
    needs = needs_of(modalities)
    read = {name: given.given[name] for name in modalities if name == "audio"}
    for one in (given, ItemInputs(ITEMS, **{need: getattr(given, need) for need in needs}, given=read)):
        torch.manual_seed(0)
        encoders.append(ItemEncoder(one, modalities, "linear", 2))
    assert torch.equal(encoders[0](), encoders[1]())
    for need in needs:
        with pytest.raises(ValueError, match=f"needs the items' {need}"):
            ItemEncoder(replace(given, **{need: None}), modalities, "linear", 2)
    if read:
        with pytest.raises(ValueError, match="needs the items' audio, found none"):
            ItemEncoder(replace(given, given={}), modalities, "linear", 2)
        with pytest.raises(InputError, match="found 4 by audio, expected 5"):
            replace(given, given={"audio": read["audio"][1:]})


def test_the_modality_entities_without_entities_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the items' entities"):
        ItemEncoder(inputs(entities=None), ["entities"], "linear", 2)


@pytest.mark.parametrize(
    ("modalities", "fusion", "trained"),
    [
        (["text", "structure"], "concat", {"projection.weight", "projection.bias"}),
        (["text", "structure"], "linear", {"projection.weight", "structure_projection"}),
        (["text", "structure"], "gated", {"projection.weight", "structure_projection", "gates"}),
        (["id", "entities"], "linear", {"own", "entity"}),
        (["id", "audio"], "linear", {"own", "audio_projection"}),
        (["id", "audio"], "concat", {"own", "audio_projection", "audio_bias"}),
    ],
)
def test_fixed_inputs_are_not_trained_and_what_a_modality_needs_is(
    modalities: list[Any], fusion: Any, trained: set[str]
) -> None:
    encoder = ItemEncoder(inputs(), modalities, fusion, 2)
    assert set(encoder.weights()) == trained
    assert sum(parameter.numel() for parameter in encoder.parameters()) == sum(
        weight.numel() for weight in encoder.weights().values()
    )


def test_a_projection_starts_without_a_bias_and_keeps_the_scale_of_standardised_texts() -> None:
    torch.manual_seed(0)
    text = np.random.default_rng(1).normal(5, 2, (300, 64)).astype(np.float32)
    encoder = ItemEncoder(
        ItemInputs(300, text, np.zeros((300, 1), dtype=np.float32)), ["text", "structure"], "concat", 32
    )
    assert not encoder.weights()["projection.bias"].any()
    assert encoder()[:, :32].std().item() == pytest.approx(1, abs=0.1)


def test_vectors_that_are_added_up_start_small() -> None:
    torch.manual_seed(0)
    random = np.random.default_rng(1)
    text, structure = (random.normal(5, 2, (400, width)).astype(np.float32) for width in (64, 32))
    given = ItemInputs(400, text, structure, csr_matrix(np.ones((400, 30))), given={"audio": text[:, :40] - 3})
    parts = ItemEncoder(given, MODALITIES, "linear", 50).parts()
    spreads = [parts[name].std().item() for name in ("text", "structure", "audio", "id")]
    assert spreads == pytest.approx([0.1, 0.1, 0.1, 0.03], rel=0.1)
    assert parts["entities"].std().item() == pytest.approx(0.03, rel=0.3)


def test_bags_hold_shared_entities_in_rows_of_length_1() -> None:
    bags = shared_bags(csr_matrix(ENTITIES)).toarray()
    half = 0.5**0.5
    third = 3**-0.5
    expected = [[half, half, 0], [1, 0, 0], [0, half, half], [third, third, third], [0, 0, 0]]
    np.testing.assert_allclose(bags, expected, atol=1e-6)


def test_of_an_entity_that_one_item_of_training_has_nothing_was_learned_for_one_that_was_added() -> None:
    entities = csr_matrix(np.array([[1, 1], [1, 0], [1, 1]], dtype=np.float32))
    assert shared_bags(entities, trained=2).toarray().tolist() == [[1], [1], [1]]
    assert shared_bags(entities).shape == (3, 2)


def test_entities_that_nobody_shares_leave_an_item_without_a_word() -> None:
    bags = shared_bags(csr_matrix(np.eye(ITEMS, dtype=np.float32)))
    assert bags.shape == (ITEMS, 0)
    encoder = ItemEncoder(inputs(np.eye(ITEMS, dtype=np.float32)), ["entities", "id"], "linear", 2)
    assert torch.equal(encoder(), encoder.weights()["own"])


def test_entities_pass_gradients_to_the_vectors_of_an_items_own_entities() -> None:
    encoder = encoder_of(["entities"], "linear", 2)
    encoder()[1].sum().backward()
    (entity,) = encoder.parameters()
    assert entity.grad is not None
    assert entity.grad.tolist() == [[1, 1], [0, 0], [0, 0]]


class Doubling(torch.nn.Module):
    """In the place of a GAT."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.zeros(width))

    def forward(self, vectors: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        assert edge_index.dtype == torch.int64
        return vectors * self.factor


def finetuned(factor: float = 2.0) -> ItemInputs:
    given = inputs()
    initial = np.random.default_rng(5).normal(1, 3, (ITEMS, 3)).astype(np.float32)
    weights = {"factor": np.full(3, factor, dtype=np.float32)}
    gat = GatInputs(initial, np.zeros((2, 0), dtype=np.int64), weights, Doubling)
    return ItemInputs(ITEMS, given.text, initial * np.float32(factor), given.entities, gat)


@pytest.mark.parametrize("fusion", ["concat", "linear"])
def test_a_finetuned_encoder_starts_from_the_items_of_the_frozen_one(fusion: Any) -> None:
    given = finetuned()
    tuned = ItemEncoder(given, ["text", "structure"], fusion, 2)
    frozen = ItemEncoder(ItemInputs(ITEMS, given.text, given.structure), ["text", "structure"], fusion, 2)
    shared = frozen.state_dict().keys()
    frozen.load_state_dict({name: value for name, value in tuned.state_dict().items() if name in shared})
    assert torch.allclose(frozen(), tuned(), atol=1e-5)
    tuned().square().sum().backward()
    gat: Any = tuned.modalities["structure"].structural
    assert gat.gat.factor.grad.abs().sum() > 0
    # Later changes move p'' itself, and not only its standardised form.
    with torch.no_grad():
        gat.gat.factor.fill_(4.0)
    assert not torch.allclose(frozen(), tuned(), atol=0.1)


def test_a_structural_dimension_that_is_the_same_for_all_stays_finite_when_finetuned() -> None:
    structure = np.array([[1.0, 2.0], [1.0, 4.0]], dtype=np.float32)
    gat = GatInputs(structure, np.zeros((2, 0), dtype=np.int64), {"factor": np.ones(2, dtype=np.float32)}, Doubling)
    encoder = ItemEncoder(
        ItemInputs(2, np.zeros((2, 3), dtype=np.float32), structure, None, gat), ["structure"], "concat", 2
    )
    assert encoder().tolist() == [[0, -1], [0, 1]]


def test_items_are_hidden_at_the_rate_and_keep_one_modality_that_they_have() -> None:
    encoder = encoder_of([*MODALITIES], "linear", 2)
    random = np.random.default_rng(0)
    for rate in (0.3, 0.9):
        draws = [encoder.hidden(rate, None, random) for _ in range(2000)]
        hides = {name: np.stack([draw[name] for draw in draws]) for name in MODALITIES}
        # Item 3 has no text, item 1 no audio, item 4 no entity.
        for item, lacking in ((0, set()), (3, {"text"}), (1, {"audio"}), (4, {"entities"})):
            mine = [hides[name][:, item] for name in MODALITIES if name not in lacking]
            assert not np.all(mine, axis=0).any()
            # Of k that are drawn to be hidden all at once, one stays: each is that in one of k such cases.
            expected = rate - rate ** len(mine) / len(mine)
            assert [one.mean() for one in mine] == pytest.approx([expected] * len(mine), abs=0.05)
    some = np.array([3, 0])
    assert {name: len(where) for name, where in encoder.hidden(0.5, some, random).items()} == dict.fromkeys(
        MODALITIES, 2
    )
    alone = encoder_of(["text"], "linear", 2).hidden(0.99, some, random)
    assert not alone["text"][1]


@pytest.mark.parametrize("fusion", ["concat", "linear", "gated"])
def test_an_item_that_lacks_what_is_hidden_is_what_it_would_be_without_it(fusion: str) -> None:
    encoder = encoder_of([*MODALITIES], fusion, 2)
    lacking = {"text": 3, "audio": 1, "entities": 4}
    parts = encoder.parts()
    for name, item in lacking.items():
        hidden = encoder.without(parts, {name: np.array([True, False, True, False, False])})
        for row in (0, 2):
            torch.testing.assert_close(hidden[name][row], parts[name][item])
        assert torch.equal(hidden[name][[1, 3, 4]], parts[name][[1, 3, 4]])
        assert all(hidden[other] is parts[other] for other in MODALITIES if other != name)
    for name in ("id", "structure"):
        assert not encoder.without(parts, {name: np.ones(ITEMS, dtype=bool)})[name].any()
