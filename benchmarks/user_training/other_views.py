"""Views that compute what ours do, as one would write them without the algebra of leave-one-out.

Ours gives the scores of all histories without each of their items in one pass. Here a history without an item is a history of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torch.nn.functional import embedding, embedding_bag, scaled_dot_product_attention
from torch.nn.utils.rnn import pad_sequence

from pipeline.users.views.plain_sum import PlainSum
from pipeline.users.views.self_attention import SelfAttention
from pipeline.users.views.view import View, sizes

if TYPE_CHECKING:
    from pipeline.users.histories import Histories

# Of `Padded`: attention weights of a batch in each head, e.g. 128 rows of length 100. Rows are of similar length.
CELLS = 1_280_000


class Means(NamedTuple):
    """What a view takes the mean to be.

    Attributes:
        whole: of each history, (users, width).
        without: of each history without each of its items, (entries, width); zero where nothing is left.
    """

    whole: torch.Tensor
    without: torch.Tensor | None


class OtherView(nn.Module, ABC):
    """Has the weights and the interface of a view of ours, and leaves `means` to how it is done."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view

    def scores(
        self, candidates: torch.Tensor, in_history: torch.Tensor, history: Histories, *, leave_one_out: bool = False
    ) -> dict[str, torch.Tensor]:
        means = self.means(in_history, history, leave_one_out)
        count = sizes(history).to(in_history.dtype)
        whole = means.whole * self.view.counted(count).unsqueeze(1)
        found = {}
        for head in self.view.output:
            seen = self.seen(candidates, head)
            scores = whole @ seen.T
            if means.without is not None:
                without = means.without * self.view.counted(count - 1)[history.user].unsqueeze(1)
                own = (without * embedding(history.items, seen)).sum(dim=1)
                scores = scores.index_put((history.user, history.items), own)
            found[head] = scores
        return found

    def seen(self, candidates: torch.Tensor, head: str) -> torch.Tensor:
        return self.view.towards(candidates, head)

    @abstractmethod
    def means(self, in_history: torch.Tensor, history: Histories, leave_one_out: bool) -> Means:
        """
        Args:
            in_history: R, (M, width).
        """


def sets_of(history: Histories) -> list[torch.Tensor]:
    return list(torch.split(history.items, history.lengths.tolist()))


def without_each(items: torch.Tensor) -> torch.Tensor:
    """A row for each item of a set, with the others, (L, L - 1)."""
    length = len(items)
    others = ~torch.eye(length, dtype=torch.bool)
    return items.expand(length, length)[others].view(length, max(length - 1, 0))


def batches(rows: list[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Rows, ascending in length, in batches of at most `CELLS` attention weights when padded, or of a single row."""
    batch: list[torch.Tensor] = []
    for row in rows:
        if batch and (len(batch) + 1) * len(row) ** 2 > CELLS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


class OneAtATime(OtherView):
    """A loop over users and, for each, over the items to be left out."""

    def means(self, in_history: torch.Tensor, history: Histories, leave_one_out: bool) -> Means:
        view = self.view
        assert isinstance(view, SelfAttention | PlainSum)
        # Once for each item, as ours does: a loop that projects again for each target would be slower still.
        parts = view.project(in_history) if isinstance(view, SelfAttention) else (in_history @ view.value,)
        empty = in_history.new_zeros(in_history.shape[1])

        def mean(items: torch.Tensor) -> torch.Tensor:
            if not len(items):
                return empty
            rows = [part[items] for part in parts]
            if len(rows) == 1:
                return rows[0].mean(dim=0)
            query, key, value = (row.transpose(0, 1).unsqueeze(0) for row in rows)
            return scaled_dot_product_attention(query, key, value).mean(dim=2).flatten()

        sets = sets_of(history)
        whole = torch.stack([mean(items) for items in sets])
        if not leave_one_out:
            return Means(whole, None)
        return Means(whole, torch.stack([mean(rest) for items in sets for rest in without_each(items)]))


class Padded(OtherView):
    """`torch.nn.MultiheadAttention` on padded histories: a row for each user, and one for each user and item to be left out."""

    def __init__(self, view: View) -> None:
        super().__init__(view)
        assert isinstance(view, SelfAttention)
        (output,) = view.output.values()
        self.attention = nn.MultiheadAttention(
            len(view.value), view.heads, bias=False, batch_first=True, dtype=view.value.dtype
        )
        with torch.no_grad():
            self.attention.in_proj_weight.copy_(torch.cat([view.query.T, view.key.T, view.value.T]))
            self.attention.out_proj.weight.copy_(output.T)
        for parameter in view.parameters():
            parameter.requires_grad_(False)

    def seen(self, candidates: torch.Tensor, head: str) -> torch.Tensor:
        return candidates  # the module applies W^O to the users

    def means(self, in_history: torch.Tensor, history: Histories, leave_one_out: bool) -> Means:
        sets = sets_of(history)
        whole = self._means(in_history, sets)
        if not leave_one_out:
            return Means(whole, None)
        return Means(whole, self._means(in_history, [rest for items in sets for rest in without_each(items)]))

    def _means(self, in_history: torch.Tensor, rows: list[torch.Tensor]) -> torch.Tensor:
        filled = sorted((row for row in range(len(rows)) if len(rows[row])), key=lambda row: len(rows[row]))
        result = in_history.new_zeros(len(rows), in_history.shape[1])
        found = []
        for batch in batches([rows[row] for row in filled]):
            items = pad_sequence(batch, batch_first=True)
            lengths = torch.tensor([len(row) for row in batch])
            padding = torch.arange(items.shape[1]) >= lengths.unsqueeze(1)
            vectors = embedding(items, in_history)
            outputs, _ = self.attention(vectors, vectors, vectors, key_padding_mask=padding, need_weights=False)
            there = outputs.masked_fill(padding.unsqueeze(2), 0.0)
            found.append(there.sum(dim=1) / lengths.unsqueeze(1))
        return result.index_copy(0, torch.tensor(filled), torch.cat(found)) if found else result


class PaddedWhole(Padded):
    """A row for each user and no more, whatever is asked: less than ours computes."""

    def means(self, in_history: torch.Tensor, history: Histories, leave_one_out: bool) -> Means:
        return super().means(in_history, history, leave_one_out=False)


class Bags(OtherView):
    """A sum for each user and one for each user and item to be left out, by `embedding_bag`: no padding."""

    def means(self, in_history: torch.Tensor, history: Histories, leave_one_out: bool) -> Means:
        assert isinstance(self.view, PlainSum)
        values = in_history @ self.view.value
        sets = sets_of(history)
        whole = self._means(values, sets)
        if not leave_one_out:
            return Means(whole, None)
        return Means(whole, self._means(values, [rest for items in sets for rest in without_each(items)]))

    def _means(self, values: torch.Tensor, rows: list[torch.Tensor]) -> torch.Tensor:
        lengths = torch.tensor([len(row) for row in rows])
        return embedding_bag(torch.cat(rows), values, lengths.cumsum(0) - lengths, mode="mean")
