"""The equations of DKN against loops over titles, words, filters and clicks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchmarks.peers.models.dkn import Dkn, DknSettings, knowledge
from benchmarks.peers.models.inputs import NO_ENTITY
from benchmarks.peers.models.kcnn import Kcnn
from tests.benchmarks.peers.toy import INPUTS

SETTINGS = DknSettings(width=4, filters=3, hidden=5, title_words=4, clicks=3, transe_epochs=2)


def model() -> Dkn:
    torch.manual_seed(0)
    return Dkn(INPUTS, SETTINGS, 1)


@pytest.fixture
def kcnn() -> Kcnn:
    torch.manual_seed(0)
    vectors = [torch.cat([torch.zeros(1, 4), torch.randn(3, 4)]) for _ in range(2)]
    return Kcnn(6, *vectors, filters=3, lengths=(1, 2, 3))


WORDS = torch.tensor([[2, 3, 5, 4], [1, 0, 0, 0], [4, 2, 0, 0]])
ENTITIES = torch.tensor([[1, 0, 1, 3], [0, 0, 0, 0], [2, 2, 0, 0]])


def of_word(kcnn: Kcnn, word: int, entity: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The three channels of one word, (3, width), by the definition."""
    if word == 0:
        return np.zeros((3, 4))
    rows = [kcnn.words.weight[word].detach().numpy()]
    for table, layer in ((kcnn.entities, kcnn.of_entities), (kcnn.contexts, kcnn.of_contexts)):
        vector, matrix, bias = (part.detach().numpy() for part in (table.weight[entity], layer.weight, layer.bias))
        rows.append(
            [
                math.tanh(sum(m * x for m, x in zip(row, vector, strict=True)) + b)
                for row, b in zip(matrix, bias, strict=True)
            ]
            if entity
            else [0.0] * 4
        )
    return np.array(rows, dtype=np.float64)


def test_channels_are_aligned_and_a_word_without_an_entity_has_zeros(kcnn: Kcnn) -> None:
    found = kcnn.channels(WORDS, ENTITIES).detach().numpy()
    for title, words in enumerate(WORDS.tolist()):
        for place, word in enumerate(words):
            np.testing.assert_allclose(
                found[title, place], of_word(kcnn, word, int(ENTITIES[title, place])), rtol=1e-5, atol=1e-7
            )


def test_a_titles_vector_is_the_maximum_of_each_filter_over_its_windows(kcnn: Kcnn) -> None:
    found = kcnn(WORDS, ENTITIES).detach().numpy()
    for title, words in enumerate(WORDS.tolist()):
        said = [of_word(kcnn, word, int(ENTITIES[title, place])) for place, word in enumerate(words) if word]
        expected = []
        for convolution in kcnn.filters:
            length = convolution.kernel_size[0]
            weights = convolution.weight.detach().numpy().reshape(3, 3, 4, length)  # filter, channel, width, word
            for number in range(3):
                windows = []
                for begin in range(len(said)):
                    value = float(convolution.bias[number].detach())
                    for step in range(length):
                        if begin + step < len(said):
                            value += float((weights[number, :, :, step] * said[begin + step]).sum())
                    windows.append(max(value, 0.0))
                expected.append(max(windows))
        np.testing.assert_allclose(found[title], expected, rtol=1e-4, atol=1e-6)


def test_a_vector_does_not_depend_on_how_long_other_titles_are(kcnn: Kcnn) -> None:
    whole = kcnn(WORDS, ENTITIES)[2]
    torch.testing.assert_close(kcnn(WORDS[2:, :2], ENTITIES[2:, :2])[0], whole)


def test_every_word_of_a_title_has_the_entity_of_its_item() -> None:
    dkn = model()
    assert dkn._entities.tolist() == [[1, 1, 1, 0], [2, 2, 0, 0], [0, 0, 0, 0], [3, 3, 3, 3], [0, 0, 0, 0]]


def test_a_context_is_the_mean_of_the_entitys_neighbours() -> None:
    linked = INPUTS.entity_of[INPUTS.entity_of != NO_ENTITY]
    everything, _ = knowledge(INPUTS, np.arange(6), SETTINGS, 1)
    vectors, contexts = knowledge(INPUTS, linked, SETTINGS, 1)
    assert not vectors[0].any()
    assert not contexts[0].any()
    for row, entity in enumerate(linked.tolist(), start=1):
        torch.testing.assert_close(vectors[row], everything[entity + 1])
        around = {t for h, _, t in INPUTS.triples.tolist() if h == entity}
        around |= {h for h, _, t in INPUTS.triples.tolist() if t == entity}
        expected = sum(everything[other + 1] for other in around) / len(around)
        torch.testing.assert_close(contexts[row], expected)


def networks(dkn: Dkn, name: str, left: torch.Tensor, right: torch.Tensor) -> float:
    """H or G, by a layer over both vectors side by side."""
    parts = ("clicked", "candidate") if name == "h" else ("user", "candidate")
    first, second = (getattr(dkn.networks, f"{name}_{part}") for part in parts)
    hidden = torch.relu(torch.cat([first.weight, second.weight], dim=1) @ torch.cat([left, right]) + first.bias)
    last = getattr(dkn.networks, name)
    return float(last.weight[0] @ hidden) + (float(last.bias) if name == "g" else 0.0)


def by_hand(dkn: Dkn, clicks: list[int], candidate: int) -> float:
    vectors = dkn.item_vectors(torch.arange(5))
    weights = [networks(dkn, "h", vectors[click], vectors[candidate]) for click in clicks]
    shares = [math.exp(weight) / sum(math.exp(other) for other in weights) for weight in weights]
    user = torch.zeros(vectors.shape[1])
    for share, click in zip(shares, clicks, strict=True):
        user = user + share * vectors[click]
    return networks(dkn, "g", user, vectors[candidate])


@torch.no_grad()
def test_a_logit_is_that_of_the_attention_over_the_clicks_but_the_one_left_out() -> None:
    dkn = model()
    users, left_out = torch.tensor([0, 1, 0]), torch.tensor([1, 2, 4])
    candidates = torch.tensor([[1, 2], [2, 3], [4, 0]])
    logits = dkn(users, candidates, left_out)
    for row, clicks in enumerate(([0, 4], [], [0, 1])):
        for column, candidate in enumerate(candidates[row].tolist()):
            expected = by_hand(dkn, clicks, candidate)
            assert float(logits[row, column]) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@torch.no_grad()
def test_scores_of_all_items_are_the_logits_with_nothing_left_out() -> None:
    dkn = model()
    scores = dkn.score_all()
    for user in range(3):
        expected = dkn(torch.tensor([user]), torch.arange(5)[None], torch.tensor([-1]))[0]
        torch.testing.assert_close(scores(user), expected)


def test_all_parts_learn() -> None:
    dkn = model()
    dkn(torch.tensor([0, 2]), torch.tensor([[0, 3], [1, 2]]), torch.tensor([0, 1])).pow(2).sum().backward()
    for name, parameter in dkn.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
