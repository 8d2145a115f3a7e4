"""The knowledge-aware CNN of DKN (Wang et al., WWW 2018, section 4.3): a title's vector by its words and their entities."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

NO_WORD = 0
NO_ENTITY = 0


class Kcnn(nn.Module):
    """Three aligned channels of each word, filters over windows of words, and the maximum over time.

    1. Channels: the vector w of a word, g(e) of its entity and g(c) of that entity's context, g(x) = tanh(M x + b), with an M and b for
       each of both; zeros for a word without an entity. A title is a (width, words, 3) array.
    2. A filter of l words, a (width, l, 3) array, and a bias give relu(h * window + b) for each window of l words.
    3. Of these the maximum over all windows; the maxima of all filters are the title's vector.

    Not settled in the paper: how a title shorter than a filter is read. Here a window begins at each word, and holds zeros behind the last;
    so a vector does not depend on how long other titles are. M is shared by entities and contexts or not: not, as in the released code.
    """

    def __init__(
        self, words: int, entities: torch.Tensor, contexts: torch.Tensor, filters: int, lengths: tuple[int, ...]
    ) -> None:
        """
        Args:
            words: how many numbers words have, 0 being none.
            entities: first vectors of the entities, (entities, width); the first is none.
            contexts: likewise of their contexts.
            filters: of each length.
        """
        super().__init__()
        width = entities.shape[1]
        self.words = nn.Embedding(words, width, padding_idx=NO_WORD)
        nn.init.normal_(self.words.weight[1:], std=width**-0.5)  # of length 1, about, as vectors of entities
        # As the released code has them: they go on learning, contexts by themselves.
        self.entities = nn.Embedding(len(entities), width, _weight=entities.clone())
        self.contexts = nn.Embedding(len(contexts), width, _weight=contexts.clone())
        self.of_entities = nn.Linear(width, width)
        self.of_contexts = nn.Linear(width, width)
        self.filters = nn.ModuleList(nn.Conv1d(3 * width, filters, length) for length in lengths)
        self._lengths = lengths
        self.width = filters * len(lengths)

    def channels(self, words: torch.Tensor, entities: torch.Tensor) -> torch.Tensor:
        """(titles, words, 3, width).

        Args:
            words: of each title, (titles, words).
            entities: of each word of these.
        """
        linked = (entities != NO_ENTITY).unsqueeze(-1)
        return torch.stack(
            [
                self.words(words),
                torch.tanh(self.of_entities(self.entities(entities))) * linked,
                torch.tanh(self.of_contexts(self.contexts(entities))) * linked,
            ],
            dim=2,
        )

    def forward(self, words: torch.Tensor, entities: torch.Tensor) -> torch.Tensor:
        """(titles, filters of all lengths); arguments of `channels`."""
        rows = self.channels(words, entities).flatten(2).transpose(1, 2)
        begins = (words != NO_WORD).unsqueeze(1)
        found = []
        for convolution, length in zip(self.filters, self._lengths, strict=True):
            windows = functional.relu(convolution(functional.pad(rows, (0, length - 1))))
            found.append((windows * begins).amax(dim=2))
        return torch.cat(found, dim=1)
