"""DKN, our implementation: deep knowledge-aware network for news recommendation (Wang, Zhang, Xie, Guo; WWW 2018), for
items with titles.

Section 4.2: entities have vectors by TransE, and a context, the mean of the vectors of an entity's neighbours in the
graph. Section 4.3: a vector e(t) of each title by the KCNN (`kcnn`). Section 4.4: how much a clicked title counts for
a candidate, softmax over the user's clicks of H(e(clicked), e(candidate)); the user is the sum of the clicked titles
by these weights, and G(user, e(candidate)) is the logit of a click.

What is not settled by the paper, or not the case with our data:

- Our graphs link items, not words. A title is the name of its item's entity, so that each of its words is aligned
  with that entity: what the released code does with the words of an entity's name.
- Words: no corpus of titles is at hand to learn vectors from, so they are learned with the rest, from random ones.
- H and G are networks over both vectors side by side, of one hidden layer each. The released code has inner products
  in their place: behind ReLU these are never below 0, and with four items drawn for each like all vectors went to
  zero (MovieLens-100K, validation ranking.ndcg@10 .003 after five epochs, .124 with networks).
- A user's clicks are his training likes, 30 at most as in the released code. In training the like that is asked for
  is left out of them, for it and for what is drawn against it: titles are clicked before the candidate is shown.
- What was not clicked is drawn alike from all other items, since likes alone are known here.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from benchmarks.peers.models.clicks import NOTHING, clicked
from benchmarks.peers.models.inputs import NO_ENTITY, Inputs, neighbours_of, words_of
from benchmarks.peers.models.kcnn import Kcnn
from benchmarks.peers.models.transe import transe
from pipeline.common.config import Config
from pipeline.common.random_streams import stream


class DknSettings(Config):
    width: int = 32  # of words and entities
    filters: int = 32  # of each length
    lengths: tuple[int, ...] = (1, 2, 3)
    hidden: int = 32  # of H and G
    title_words: int = 10
    clicks: int = 30
    transe_epochs: int = 20


class Networks(nn.Module):
    """H and G of the paper."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.h_clicked = nn.Linear(width, hidden)
        self.h_candidate = nn.Linear(width, hidden, bias=False)
        self.h = nn.Linear(hidden, 1, bias=False)
        self.g_user = nn.Linear(width, hidden)
        self.g_candidate = nn.Linear(width, hidden, bias=False)
        self.g = nn.Linear(hidden, 1)

    def weights(self, clicks: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """H of each pair, (users, candidates, clicks)."""
        # A layer over two vectors side by side is the sum of a layer over each.
        hidden = self.h_clicked(clicks).unsqueeze(1) + self.h_candidate(candidates).unsqueeze(2)
        found: torch.Tensor = self.h(torch.relu(hidden)).squeeze(-1)
        return found

    def answer(self, users: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """G, (users, candidates); users: (users, candidates, width)."""
        found: torch.Tensor = self.g(torch.relu(self.g_user(users) + self.g_candidate(candidates))).squeeze(-1)
        return found


class Dkn(nn.Module):
    def __init__(self, inputs: Inputs, settings: DknSettings, seed: int) -> None:
        super().__init__()
        words, count = words_of(inputs.titles, settings.title_words)
        linked = np.flatnonzero(inputs.entity_of != NO_ENTITY)
        # 0 is no entity; the n-th linked item's is n + 1.
        row = np.zeros(len(inputs.titles), dtype=np.int64)
        row[linked] = np.arange(len(linked)) + 1
        vectors, contexts = knowledge(inputs, inputs.entity_of[linked], settings, seed)
        self.kcnn = Kcnn(count, vectors, contexts, settings.filters, settings.lengths)
        self.networks = Networks(self.kcnn.width, settings.hidden)
        self._words = torch.from_numpy(words)
        self._entities = torch.from_numpy(row)[:, None] * (self._words != 0)
        self._clicks = torch.from_numpy(clicked(inputs.likes, settings.clicks, stream(seed, "peers DKN clicks")))

    def item_vectors(self, items: torch.Tensor) -> torch.Tensor:
        """e(t) of the items' titles, (items, width)."""
        found: torch.Tensor = self.kcnn(self._words[items], self._entities[items])
        return found

    def forward(self, users: torch.Tensor, candidates: torch.Tensor, left_out: torch.Tensor) -> torch.Tensor:
        """Logits, (users, candidates).

        Args:
            candidates: of each user, (users, candidates).
            left_out: an item that is no click of the user's here, (users,).
        """
        clicks = self._clicks[users]
        there = (clicks != NOTHING) & (clicks != left_out[:, None])
        # A title is read once, however often a batch has it; the first item stands where there is no click.
        items, place = torch.unique(torch.cat([clicks.clamp(min=0), candidates], dim=1), return_inverse=True)
        vectors = self.item_vectors(items)[place]
        return self.answers(vectors[:, : clicks.shape[1]], there, vectors[:, clicks.shape[1] :])

    def answers(self, clicks: torch.Tensor, there: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Logits, (users, candidates).

        Args:
            clicks: vectors of clicked titles, (users, clicks, width).
            there: which of them count, (users, clicks).
            candidates: (users, candidates, width).
        """
        # A user of whom nothing was clicked is the zero vector.
        weights = torch.softmax(self.networks.weights(clicks, candidates).masked_fill(~there[:, None], -1e9), dim=-1)
        users = (weights * there[:, None]) @ clicks
        found: torch.Tensor = self.networks.answer(users, candidates)
        return found

    def score_all(self) -> AllItems:
        return AllItems(self)


class AllItems:
    """The logits of all items, whose titles are read once."""

    def __init__(self, model: Dkn) -> None:
        self._model = model
        self._vectors = torch.cat(
            [model.item_vectors(part) for part in torch.split(torch.arange(len(model._words)), 2048)]
        )

    def __call__(self, user: int) -> torch.Tensor:
        """(items,)."""
        clicks = self._model._clicks[user]
        vectors = self._vectors[clicks[clicks != NOTHING]].unsqueeze(0)
        there = torch.ones(vectors.shape[:2], dtype=torch.bool)
        return self._model.answers(vectors, there, self._vectors.unsqueeze(0)).squeeze(0)


def knowledge(
    inputs: Inputs, entities: np.ndarray[tuple[int], np.dtype[np.int64]], settings: DknSettings, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors and contexts of some entities, (entities + 1, width); the first are zero, and stand for no entity."""
    rng = stream(seed, "peers DKN graph")
    known = transe(inputs.triples, inputs.entities, inputs.relations, settings.width, settings.transe_epochs, rng)
    neighbours = neighbours_of(inputs.triples, inputs.entities)
    nothing = torch.zeros(1, settings.width)
    contexts = [known[torch.from_numpy(np.unique(neighbours[entity][:, 1]))].mean(0) for entity in entities]
    return torch.cat([nothing, known[torch.from_numpy(entities)]]), torch.cat(
        [nothing, *[one[None] for one in contexts]]
    )
