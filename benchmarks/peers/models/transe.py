"""Vectors of entities by TransE (Bordes et al., NIPS 2013), as DKN takes them from its graph (Wang et al., WWW 2018,
section 2.1).

A fact (h, r, t) is a translation: h + r lies near t. Trained by the margin loss of the paper's equation 1,

    sum over facts of [margin + d(h + r, t) - d(h' + r, t')]_+

with d the Euclidean distance, and a corrupted fact whose head or tail, with equal chance, is any entity. Not settled
there for our graphs: width, margin (1) and epochs; the optimiser is Adam in place of SGD. Vectors of entities have
length 1 after every step, as the paper has them before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARGIN = 1.0
BATCH = 8192
LEARNING_RATE = 0.01


def margin_loss(facts: tuple[torch.Tensor, ...], corrupted: tuple[torch.Tensor, ...], margin: float) -> torch.Tensor:
    """The mean over facts; each is head, relation and tail, (facts, width)."""
    return functional.relu(margin + distance(*facts) - distance(*corrupted)).mean()


def distance(head: torch.Tensor, relation: torch.Tensor, tail: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = torch.linalg.vector_norm(head + relation - tail, dim=-1)
    return found


def corrupt(triples: NDArray[np.int64], entities: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The triples with head or tail, one of them, drawn anew."""
    changed = triples.copy()
    side = np.where(rng.random(len(triples)) < 0.5, 0, 2)
    changed[np.arange(len(triples)), side] = rng.integers(entities, size=len(triples))
    return changed


@torch.enable_grad()
def transe(
    triples: NDArray[np.int64], entities: int, relations: int, width: int, epochs: int, rng: np.random.Generator
) -> torch.Tensor:
    """A vector of length 1 for each entity, (entities, width).

    Args:
        triples: head, relation, tail, (triples, 3).
    """
    bound = 6 / width**0.5
    first = [rng.uniform(-bound, bound, size=(count, width)).astype(np.float32) for count in (entities, relations)]
    nodes, links = (functional.normalize(torch.from_numpy(values)).requires_grad_() for values in first)
    optimiser = torch.optim.Adam([nodes, links], lr=LEARNING_RATE)
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(triples)), max(len(triples) // BATCH, 1)):
            given = triples[rows]
            right, wrong = (_looked_up(nodes, links, facts) for facts in (given, corrupt(given, entities, rng)))
            optimiser.zero_grad()
            margin_loss(right, wrong, MARGIN).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            with torch.no_grad():
                nodes.copy_(functional.normalize(nodes))
    return nodes.detach()


def _looked_up(nodes: torch.Tensor, links: torch.Tensor, facts: NDArray[np.int64]) -> tuple[torch.Tensor, ...]:
    heads, relations, tails = torch.from_numpy(facts).unbind(1)
    return nodes[heads], links[relations], nodes[tails]
