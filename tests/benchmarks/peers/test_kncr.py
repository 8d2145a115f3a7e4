"""The three parts of K-NCR, as they are read here, against loops over neighbours, clicks and cells of the map."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchmarks.peers.models.inputs import NO_ENTITY
from benchmarks.peers.models.kncr import InteractionMap, Kncr, KncrSettings, graph
from tests.benchmarks.peers.toy import INPUTS

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]


def model(hops: int = 2) -> Kncr:
    torch.manual_seed(0)
    return Kncr(INPUTS, KncrSettings(width=4, channels=3, hops=hops, neighbours=3, clicks=3), 1)


def numbers(tensor: torch.Tensor) -> Vector:
    return tensor.detach().numpy().astype(np.float64)


def softmax(values: list[float]) -> list[float]:
    return [math.exp(value) / sum(math.exp(other) for other in values) for value in values]


def test_neighbours_that_are_drawn_are_neighbours_and_items_without_an_entity_have_none() -> None:
    nodes, relations, neighbours = graph(INPUTS, 3, np.random.default_rng(0))
    facts = {(h, r, t) for h, r, t in INPUTS.triples.tolist()} | {(t, r, h) for h, r, t in INPUTS.triples.tolist()}
    assert nodes.tolist() == [4, 0, 6, 2, 7]
    for node in range(INPUTS.entities):
        drawn = list(zip(relations[node].tolist(), neighbours[node].tolist(), strict=True))
        assert {(node, *pair) for pair in drawn} <= facts
        around = {fact for fact in facts if fact[0] == node}
        assert len(set(drawn)) == 3 or len(around) < 3  # without repetition where there are enough
    for node in (6, 7, 8):
        assert relations[node].tolist() == [2] * 3
        assert neighbours[node].tolist() == [8] * 3


def gathered(kncr: Kncr, user: Vector, node: int, hop: int) -> Vector:
    """A node's vector after some hops for one user, by the definition."""
    first = numbers(kncr.nodes.weight[node])
    if hop == 0:
        return first
    total = gathered(kncr, user, node, hop - 1)
    edges = [
        (relation, other)
        for relation, other in zip(kncr._relations[node].tolist(), kncr._neighbours[node].tolist(), strict=True)
        if relation != INPUTS.relations
    ]
    shares = softmax([float(user @ numbers(kncr.relations.weight[relation])) for relation, _ in edges])
    for share, (_, other) in zip(shares, edges, strict=True):
        total = total + share * gathered(kncr, user, other, hop - 1)
    layer = kncr.hops[hop - 1]
    linear = numbers(layer.weight) @ total + numbers(layer.bias)
    return np.tanh(linear) if hop == len(kncr.hops) else np.maximum(linear, 0)


@pytest.mark.parametrize("hops", [1, 2])
def test_an_item_gathers_its_neighbours_by_the_users_attention_to_relations(hops: int) -> None:
    kncr = model(hops)
    users = kncr.users(torch.tensor([0, 2]))
    found = numbers(kncr.item_vectors(users, torch.tensor([[0, 1, 2], [3, 0, 4]])))
    for row, items in enumerate(([0, 1, 2], [3, 0, 4])):
        for column, item in enumerate(items):
            expected = gathered(kncr, numbers(users[row]), int(kncr._node_of[item]), hops)
            np.testing.assert_allclose(found[row, column], expected, rtol=1e-4, atol=1e-6)
    assert [item for item in (2, 4) if INPUTS.entity_of[item] == NO_ENTITY] == [2, 4]


@torch.no_grad()
def test_a_user_is_strengthened_by_what_was_clicked() -> None:
    kncr = model()
    clicks = torch.tensor([[0, 1, 4], [2, -1, -1], [2, 3, 0]])
    there = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
    first = kncr.users(torch.arange(3))
    found = numbers(kncr.user_vectors(first, clicks, there))
    for user, items in enumerate(([0, 4], [], [2, 3, 0])):
        vectors = [numbers(kncr.nodes.weight[kncr._node_of[item]]) for item in items]
        total = numbers(first[user])
        for share, vector in zip(softmax([float(vector @ total) for vector in vectors]), vectors, strict=True):
            total = total + share * vector
        expected = np.tanh(numbers(kncr.of_clicks.weight) @ total + numbers(kncr.of_clicks.bias))
        np.testing.assert_allclose(found[user], expected, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_the_map_is_the_outer_product_under_convolutions() -> None:
    torch.manual_seed(0)
    interaction = InteractionMap(8, 3)
    users, items = torch.randn(2, 8), torch.randn(2, 2, 8)
    found = interaction(users, items)
    assert len(interaction.layers) == 3
    for user in range(2):
        for candidate in range(2):
            cells = np.array([[[float(u * v) for v in items[user, candidate]] for u in users[user]]])
            for layer in interaction.layers:
                weights, bias = numbers(layer.weight), numbers(layer.bias)
                size = cells.shape[1] // 2
                after = np.zeros((3, size, size))
                for channel in range(3):
                    for row in range(size):
                        for column in range(size):
                            value = bias[channel]
                            for before in range(len(cells)):
                                for down in range(2):
                                    for right in range(2):
                                        cell = cells[before, 2 * row + down, 2 * column + right]
                                        value += weights[channel, before, down, right] * cell
                            after[channel, row, column] = max(value, 0)
                cells = after
            expected = numbers(interaction.logit.weight)[0] @ cells[:, 0, 0] + float(interaction.logit.bias)
            assert float(found[user, candidate]) == pytest.approx(expected, rel=1e-4)


@torch.no_grad()
def test_a_logit_is_the_maps_of_both_without_the_click_that_is_left_out() -> None:
    kncr = model()
    logits = kncr(torch.tensor([0]), torch.tensor([[1, 2]]), torch.tensor([1]))
    first = kncr.users(torch.tensor([0]))
    user = kncr.user_vectors(first, torch.tensor([[0, 4]]), torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(logits, kncr.map(user, kncr.item_vectors(first, torch.tensor([[1, 2]]))))


@torch.no_grad()
def test_scores_of_all_items_are_the_logits_with_nothing_left_out() -> None:
    kncr = model()
    scores = kncr.score_all()
    for user in range(3):
        expected = kncr(torch.tensor([user]), torch.arange(5)[None], torch.tensor([-1]))[0]
        torch.testing.assert_close(scores(user), expected)


def test_all_parts_learn() -> None:
    kncr = model()
    kncr(torch.tensor([0, 2]), torch.tensor([[0, 3], [1, 2]]), torch.tensor([0, 1])).pow(2).sum().backward()
    for name, parameter in kncr.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
