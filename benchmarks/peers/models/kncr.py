"""K-NCR, our implementation: knowledge graph enhanced neural collaborative recommendation (Sang, Xu, Qian, Wu; Expert
Systems with Applications 164, 2021).

Its three parts, as its abstract names them, and how each is read here, since the paper's equations were not at hand:

1. *Items*: an item's entity gathers its neighbours in the graph over several hops, by an attention to the type of the
   relation that shows the user's preferences. Read as KGCN has it (Wang et al., WWW 2019, equations 1 to 4), of which
   these words are a description: a neighbour counts by the softmax, over the neighbours drawn, of the inner product
   of user and relation, and v' = f(W (v + sum of neighbours) + b).
2. *Users*: another attention strengthens their vectors. Read as: what the user clicked counts by the softmax of the
   inner product of user and item, and u' = tanh(W (u + sum of clicked items) + b).
3. *Interaction map*: the outer product of both, under hidden layers of convolutions. Read as in ConvNCF (He et al.,
   IJCAI 2018, section 3.1), where such a map was first seen: filters of 2 x 2 with stride 2 and ReLU until one cell
   is left, and a linear layer to the logit.

f is ReLU, and tanh at the last hop, as in KGCN. Neighbours are drawn once, each edge leads both ways. An item without
an entity has a vector and no neighbours. Not settled in the abstract: sizes, drawn neighbours and negatives. In
training the like that is asked for is left out of the user's clicks, as in `dkn`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from benchmarks.peers.models.clicks import NOTHING, clicked
from benchmarks.peers.models.inputs import NO_ENTITY, Inputs, neighbours_of
from pipeline.common.config import Config
from pipeline.common.random_streams import stream


class KncrSettings(Config):
    width: int = 16  # a power of 2: each convolution halves the map
    channels: int = 8
    hops: int = 2
    neighbours: int = 4
    clicks: int = 30


class Kncr(nn.Module):
    def __init__(self, inputs: Inputs, settings: KncrSettings, seed: int) -> None:
        super().__init__()
        width = settings.width
        nodes, relations, neighbours = graph(inputs, settings.neighbours, stream(seed, "peers K-NCR graph"))
        self.users = nn.Embedding(inputs.likes.shape[0], width)
        # Entities first, then items that have none, then what stands for no neighbour.
        self.nodes = nn.Embedding(len(neighbours), width)
        self.relations = nn.Embedding(inputs.relations + 1, width)
        for table in (self.users, self.nodes, self.relations):
            nn.init.normal_(table.weight, std=width**-0.5)
        self.hops = nn.ModuleList(nn.Linear(width, width) for _ in range(settings.hops))
        self.of_clicks = nn.Linear(width, width)
        self.map = InteractionMap(width, settings.channels)
        self._node_of = torch.from_numpy(nodes)
        self._relations = torch.from_numpy(relations)
        self._neighbours = torch.from_numpy(neighbours)
        self._clicks = torch.from_numpy(clicked(inputs.likes, settings.clicks, stream(seed, "peers K-NCR clicks")))

    def forward(self, users: torch.Tensor, candidates: torch.Tensor, left_out: torch.Tensor) -> torch.Tensor:
        """Logits, (users, candidates); arguments of `Dkn.forward`."""
        clicks = self._clicks[users]
        there = (clicks != NOTHING) & (clicks != left_out[:, None])
        first = self.users(users)
        found: torch.Tensor = self.map(self.user_vectors(first, clicks, there), self.item_vectors(first, candidates))
        return found

    def user_vectors(self, users: torch.Tensor, clicks: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """Part 2, (users, width).

        Args:
            users: their first vectors, (users, width).
            clicks: items, (users, clicks), of which those that are `there` count.
        """
        items = self.nodes(self._node_of[clicks.clamp(min=0)])
        weights = torch.softmax((items @ users.unsqueeze(2)).squeeze(2).masked_fill(~there, -1e9), dim=1) * there
        found: torch.Tensor = torch.tanh(self.of_clicks(users + (weights.unsqueeze(1) @ items).squeeze(1)))
        return found

    def item_vectors(self, users: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Part 1, (users, candidates, width).

        Args:
            users: their first vectors, (users, width).
            candidates: items, (users, candidates).
        """
        # The nodes that each hop reaches from a candidate, (users, candidates, nodes), and the relation that led there.
        reached, relations = [self._node_of[candidates].unsqueeze(2)], []
        for _ in self.hops:
            relations.append(self._relations[reached[-1]])
            reached.append(self._neighbours[reached[-1]].flatten(2))
        preferred = users @ self.relations.weight.T  # (users, relations)
        layers = [self.nodes(nodes) for nodes in reached]
        for hop, weights in enumerate(self.hops):
            activation = torch.tanh if hop == len(self.hops) - 1 else torch.relu
            # After each hop the outermost nodes have been gathered, and go.
            layers = [
                activation(weights(inner + self.gathered(outer, preferred, led)))
                for inner, outer, led in zip(layers[:-1], layers[1:], relations, strict=False)
            ]
        found: torch.Tensor = layers[0].squeeze(2)
        return found

    def gathered(self, vectors: torch.Tensor, preferred: torch.Tensor, relations: torch.Tensor) -> torch.Tensor:
        """The sum of each node's neighbours by the user's attention to their relations, (users, candidates, nodes, width).

        Args:
            vectors: of the neighbours, (users, candidates, nodes * neighbours, width).
            preferred: user times relation, (users, relations).
            relations: of each neighbour, (users, candidates, nodes, neighbours).
        """
        users = len(preferred)
        scores = preferred.gather(1, relations.reshape(users, -1)).view(relations.shape)
        there = relations != len(self.relations.weight) - 1
        attention = torch.softmax(scores.masked_fill(~there, -1e9), dim=-1) * there
        return (attention.unsqueeze(-2) @ vectors.view(*relations.shape, -1)).squeeze(-2)

    def score_all(self) -> AllItems:
        return AllItems(self)


class InteractionMap(nn.Module):
    """Part 3: the logit of two vectors by their outer product."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        assert width & (width - 1) == 0, "halved until one cell is left"
        before = [1] + [channels] * (width.bit_length() - 2)
        self.layers = nn.ModuleList(nn.Conv2d(of, channels, kernel_size=2, stride=2) for of in before)
        self.logit = nn.Linear(channels, 1)

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """(users, candidates).

        Args:
            users: (users, width).
            items: (users, candidates, width).
        """
        maps = (users[:, None, :, None] * items.unsqueeze(2)).flatten(0, 1).unsqueeze(1)
        for layer in self.layers:
            maps = torch.relu(layer(maps))
        found: torch.Tensor = self.logit(maps.flatten(1)).view(items.shape[:2])
        return found


class AllItems:
    def __init__(self, model: Kncr) -> None:
        self._model = model
        self._items = torch.arange(len(model._node_of)).unsqueeze(0)

    def __call__(self, user: int) -> torch.Tensor:
        """The logits of all items, (items,)."""
        found: torch.Tensor = self._model(torch.tensor([user]), self._items, torch.tensor([NOTHING])).squeeze(0)
        return found


def graph(
    inputs: Inputs, count: int, rng: np.random.Generator
) -> tuple[
    np.ndarray[tuple[int], np.dtype[np.int64]],
    np.ndarray[tuple[int, int], np.dtype[np.int64]],
    np.ndarray[tuple[int, int], np.dtype[np.int64]],
]:
    """The node of each item, (items,), and the relations and neighbours drawn for each node, (nodes, count).

    A node with fewer neighbours has some of them several times, as in KGCN's code. One without any leads to the last node, by the last
    relation: both stand for nothing.
    """
    alone = np.flatnonzero(inputs.entity_of == NO_ENTITY)
    nodes = inputs.entity_of.copy()
    nodes[alone] = inputs.entities + np.arange(len(alone))
    nothing = inputs.entities + len(alone)
    relations = np.full((nothing + 1, count), inputs.relations, dtype=np.int64)
    neighbours = np.full((nothing + 1, count), nothing, dtype=np.int64)
    for node, around in enumerate(neighbours_of(inputs.triples, inputs.entities)):
        if len(around):
            drawn = around[rng.choice(len(around), count, replace=len(around) < count)]
            relations[node], neighbours[node] = drawn.T
    return nodes, relations, neighbours
