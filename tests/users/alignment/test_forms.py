"""Every form of alignment against its formula, written out in Python, and what it keeps from step to step."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.users.alignment import codebook
from pipeline.users.alignment.alignment import Alignment
from pipeline.users.alignment.codebook import Codebook, transport
from pipeline.users.alignment.pairs import Pairs
from pipeline.users.alignment.queue import EMPTY, Queue
from pipeline.users.item_encoder import ItemEncoder
from pipeline.users.modalities.inputs import ItemInputs
from tests.users.views.slow import dot, softmax

ITEMS, WIDTH, TEMPERATURE = 9, 3, 0.3
NAMES = ("text", "id", "audio")
Vectors = dict[str, list[list[float]]]


@pytest.fixture
def encoder() -> ItemEncoder:
    """Item 2 has no text, items 5 and 6 have no audio; item 8 has its own vector alone."""
    random = np.random.default_rng(0)
    text, audio = (random.normal(1, 2, (ITEMS, width)).astype(np.float32) for width in (5, 4))
    text[[2, 8]], audio[[5, 6, 8]] = 0, 0
    torch.manual_seed(0)
    found = ItemEncoder(ItemInputs(ITEMS, text, given={"audio": audio}), NAMES, "linear", WIDTH).double()
    for parameter in found.parameters():
        torch.nn.init.normal_(parameter)
    return found


HAS = {"text": {0, 1, 3, 4, 5, 6, 7}, "id": set(range(ITEMS)), "audio": {0, 1, 2, 3, 4, 7}}


def of_length_1(vectors: torch.Tensor) -> list[list[float]]:
    return [[value / max(math.hypot(*row), 1e-12) for value in row] for row in vectors.tolist()]


def parts_of(encoder: ItemEncoder) -> Vectors:
    return {name: of_length_1(part) for name, part in encoder.parts().items()}


def called(alignment: Alignment, encoder: ItemEncoder, items: list[int] | None = None) -> torch.Tensor:
    catalogue = None if items is None else np.array(items)
    loss: torch.Tensor = alignment(encoder, encoder.parts(catalogue), catalogue, np.random.default_rng(0))
    return loss


def slow_choice(query: list[float], own: list[float], others: list[list[float]]) -> float:
    """-log of the share of the own key."""
    cosines = [dot(query, key) / TEMPERATURE for key in [own, *others]]
    return -math.log(softmax(cosines)[0])


def both(one: str, other: str, items: list[int]) -> list[int]:
    return [item for item in items if item in HAS[one] & HAS[other]]


def test_who_has_what(encoder: ItemEncoder) -> None:
    assert {name: set(np.flatnonzero(encoder.has(name)).tolist()) for name in NAMES} == HAS


@pytest.mark.parametrize("items", [None, [0, 1, 4, 5, 6], [7, 2, 5, 0]])
def test_pairs_are_the_choice_of_an_items_own_vector_among_those_of_the_step(
    encoder: ItemEncoder, items: list[int] | None
) -> None:
    vectors, chosen = parts_of(encoder), items or [*range(ITEMS)]
    of_pairs = []
    for one, other in combinations(NAMES, 2):
        mine = both(one, other, chosen)
        total = 0.0
        for a, b in ((one, other), (other, one)):
            for item in mine:
                others = [vectors[b][each] for each in mine if each != item]
                total += slow_choice(vectors[a][item], vectors[b][item], others)
        of_pairs.append(total / (2 * len(mine)))
    assert len(of_pairs) == 3
    expected = sum(of_pairs) / len(of_pairs)
    assert float(called(Pairs(encoder, TEMPERATURE, 100), encoder, items).detach()) == pytest.approx(expected)


def slow_queue(
    vectors: Vectors, keys: Vectors, earlier: list[tuple[int, dict[str, list[float]]]], items: list[int]
) -> float:
    """
    Args:
        keys: of the step's items.
        earlier: items in the queue, with their keys of then.
    """
    of_pairs = []
    for one, other in combinations(NAMES, 2):
        mine = both(one, other, items)
        total = 0.0
        for a, b in ((one, other), (other, one)):
            for item in mine:
                others = [keys[b][each] for each in mine if each != item]
                others += [then[b] for each, then in earlier if each != item and each in HAS[b]]
                total += slow_choice(vectors[a][item], keys[b][item], others)
        of_pairs.append(total / (2 * len(mine)))
    return sum(of_pairs) / len(of_pairs)


def test_a_queue_adds_the_keys_of_earlier_steps_by_weights_that_follow(encoder: ItemEncoder) -> None:
    length, momentum = 7, 0.8
    alignment = Queue(encoder, TEMPERATURE, 100, length, momentum).double()
    slow = {name: value.detach().clone() for name, value in encoder.state_dict().items()}
    earlier: list[tuple[int, dict[str, list[float]]]] = []
    for step, items in enumerate(([0, 1, 2, 5], [1, 3, 4, 6, 8], [0, 1, 7, 4])):
        # As if an optimiser had been there.
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(step)).double()
        now = {name: value.detach().clone() for name, value in encoder.state_dict().items()}
        slow = {name: momentum * slow[name] + (1 - momentum) * now[name] for name in slow}
        vectors = parts_of(encoder)
        encoder.load_state_dict(slow)
        keys = parts_of(encoder)
        encoder.load_state_dict(now)
        expected = slow_queue(vectors, keys, earlier, items)
        assert float(called(alignment, encoder, items).detach()) == pytest.approx(expected)
        of_items = [(item, {name: keys[name][item] for name in NAMES}) for item in items]
        earlier = [*of_items, *earlier][:length]
        assert alignment.queued.tolist() == [item for item, _ in earlier] + [EMPTY] * (length - len(earlier))


def test_a_queue_learns_by_its_queries_alone(encoder: ItemEncoder) -> None:
    alignment = Queue(encoder, TEMPERATURE, 100, 5, 0.5).double()
    assert not any(parameter.requires_grad for parameter in alignment.parameters())
    torch.autograd.backward(called(alignment, encoder))
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in encoder.parameters())
    # What follows is a copy: a step of the optimiser moves it only when the next step looks.
    before = [value.clone() for value in alignment.following]
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += 1.0
    assert all(torch.equal(one, other) for one, other in zip(before, alignment.following, strict=True))


def slow_transport(cosines: list[list[float]]) -> list[list[float]]:
    shares = [[math.exp(value / codebook.SPREAD) for value in row] for row in cosines]
    for _ in range(codebook.ROUNDS):
        sums = [sum(row[place] for row in shares) for place in range(len(shares[0]))]
        shares = [[value / sums[place] for place, value in enumerate(row)] for row in shares]
        shares = [[value / sum(row) for value in row] for row in shares]
    return shares


def test_a_transport_gives_items_whole_and_prototypes_evenly() -> None:
    cosines = torch.rand(12, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) / 4
    # Most are nearest to the first: without the transport it would get nearly all of them.
    cosines[:, 0] += 0.2
    shares = transport(cosines)
    assert shares.tolist() == [pytest.approx(row) for row in slow_transport(cosines.tolist())]
    assert shares.sum(dim=1).tolist() == pytest.approx([1.0] * 12)
    assert shares.sum(dim=0).tolist() == pytest.approx([3.0] * 4, rel=0.15)
    assert float((cosines / codebook.SPREAD).softmax(dim=1).sum(dim=0)[0]) > 9


def test_a_codebook_is_the_swapped_prediction_of_assignments(encoder: ItemEncoder) -> None:
    alignment = Codebook(encoder, TEMPERATURE, 100, 4).double()
    codes, vectors = of_length_1(alignment.prototypes.detach()), parts_of(encoder)
    of_pairs = []
    for one, other in combinations(NAMES, 2):
        mine = both(one, other, [*range(ITEMS)])
        cosines = {name: [[dot(vectors[name][item], code) for code in codes] for item in mine] for name in (one, other)}
        total = 0.0
        for assigned, predicting in ((one, other), (other, one)):
            for shares, row in zip(slow_transport(cosines[assigned]), cosines[predicting], strict=True):
                predicted = softmax([value / TEMPERATURE for value in row])
                total -= sum(share * math.log(p) for share, p in zip(shares, predicted, strict=True))
        of_pairs.append(total / (2 * len(mine)))
    loss = called(alignment, encoder)
    assert float(loss.detach()) == pytest.approx(sum(of_pairs) / 3)
    torch.autograd.backward(loss)
    assert alignment.prototypes.grad is not None
    assert alignment.prototypes.grad.any()


FORMS: dict[str, Any] = {
    "pairs": lambda encoder, most: Pairs(encoder, TEMPERATURE, most),
    "queue": lambda encoder, most: Queue(encoder, TEMPERATURE, most, 4, 0.9),
    "codebook": lambda encoder, most: Codebook(encoder, TEMPERATURE, most, 2),
}


@pytest.mark.parametrize("form", FORMS)
def test_items_without_a_modality_are_no_part_of_its_pairs(encoder: ItemEncoder, form: str) -> None:
    torch.manual_seed(0)
    alignment = FORMS[form](encoder, 100).double()
    # One item of each pair is nothing to tell apart.
    alone = called(alignment, encoder, [2, 5])
    torch.autograd.backward(called(alignment, encoder, [8, 2, 6, 7, 3]) + 0 * alone)
    own = encoder.weights()["own"]
    gradient = next(p for p in encoder.parameters() if p.shape == own.shape and torch.equal(p, own)).grad
    assert gradient is not None
    # It has an id alone.
    assert not gradient[8].any()
    assert gradient[[2, 6, 7, 3]].any(dim=1).all()
    assert float(called(FORMS[form](encoder, 100).double(), encoder, [8, 2]).detach()) == 0


@pytest.mark.parametrize("form", FORMS)
def test_of_many_items_some_are_drawn(encoder: ItemEncoder, form: str) -> None:
    seen: list[list[int]] = []

    class Watched(np.random.Generator):
        def choice(self, *given: Any, **named: Any) -> Any:
            found = super().choice(*given, **named)
            seen.append(np.sort(found).tolist())
            return found

    catalogue = np.array([7, 5, 4, 3, 1, 0])
    torch.manual_seed(1)
    some = FORMS[form](encoder, 4).double()
    random = Watched(np.random.PCG64(0))
    loss = some(encoder, encoder.parts(catalogue), catalogue, random)
    (places,) = seen
    assert len(set(places)) == 4
    torch.manual_seed(1)
    whole = FORMS[form](encoder, 100).double()
    expected = called(whole, encoder, catalogue[places].tolist())
    assert float(loss.detach()) == pytest.approx(float(expected.detach()))
    # Where there are no more nothing is drawn, so that all else is drawn as ever.
    some(encoder, encoder.parts(catalogue[:4]), catalogue[:4], random)
    assert len(seen) == 1


@pytest.mark.parametrize("form", FORMS)
def test_aligned_modalities_have_a_lower_loss_than_others_whatever_their_lengths(form: str) -> None:
    random = np.random.default_rng(0)
    given = random.normal(0, 1, (30, 6)).astype(np.float32)
    inputs = ItemInputs(30, given, given={"audio": given, "other": random.normal(0, 1, (30, 6)).astype(np.float32)})
    losses = {}
    for name in ("audio", "other"):
        encoder = ItemEncoder(inputs, ["text", name], "linear", 6)
        for module, factor in ((encoder.modalities["text"], 1.0), (encoder.modalities[name], 5.0)):
            for parameter in module.parameters():
                torch.nn.init.eye_(parameter)
                with torch.no_grad():
                    parameter *= factor
        torch.manual_seed(0)
        losses[name] = float(called(FORMS[form](encoder, 100), encoder).detach())
    assert losses["audio"] < losses["other"] - 0.2
