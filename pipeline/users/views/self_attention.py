"""Multi-head self-attention over the items of a history, and exact leave-one-out in one pass (method 6 and 8).

    R' = ( ||_x softmax( R W_x^Q (R W_x^K)^T / sqrt(d_hide) ) R W_x^V ) W^O,   u = n^gamma · mean over rows of R'

No residual, no layer norm, no position: a history is a set. An empty view is the zero vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import embedding

from pipeline.common.devices import cells_at_once
from pipeline.common.precision import widened
from pipeline.common.side_by_side import side_by_side
from pipeline.users.histories import Chunk, Histories
from pipeline.users.views.folded import SharedOut
from pipeline.users.views.leave_one_out import Sets, attention_weights, leave_each_out
from pipeline.users.views.view import AttentionView, sizes

# Attention weights (users x heads x length x length) of a chunk on a CPU: about the size of a core's cache, and a bound on memory.
CHUNK_CELLS = 500_000


class Projected(NamedTuple):
    """Q, K, V of all items, each (M, heads, width / heads): computed once per item, not once per history entry."""

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor


class Pooled(NamedTuple):
    """What attention makes of histories, heads side by side, W^O not yet applied (it is linear, so it commutes with the mean).

    Attributes:
        whole: (users, width).
        without: (entries, width), for each entry its user's view without it; None unless asked for.
    """

    whole: torch.Tensor
    without: torch.Tensor | None


class SelfAttention(AttentionView):
    """The view of the method."""

    def scores(
        self, candidates: torch.Tensor, in_history: torch.Tensor, history: Histories, *, leave_one_out: bool = False
    ) -> dict[str, torch.Tensor]:
        pooled = self.pool(self.project(in_history), history, leave_one_out=leave_one_out)
        found = {}
        for head in self.output:
            seen = self.towards(candidates, head)
            scores = widened(pooled.whole @ seen.T)
            if pooled.without is not None:
                # In the place of each entry's score by the whole set, that by the set without it.
                without = (pooled.without * embedding(history.items, seen)).sum(dim=1)
                scores = scores.index_put((history.user, history.items), without)
            found[head] = scores
        return found

    def project(self, items: torch.Tensor) -> Projected:
        """
        Args:
            items: R of all items, (M, width).
        """
        shape = (items.shape[0], self.heads, -1)
        return Projected(*(widened(items @ matrix).view(shape) for matrix in (self.query, self.key, self.value)))

    def pool(self, projected: Projected, history: Histories, *, leave_one_out: bool = False) -> Pooled:
        """
        Args:
            projected: of all items.
            history: the users' sets.
            leave_one_out: also give the view without each item.
        """
        width = self.heads * projected.value.shape[2]
        result = projected.value.new_zeros(len(history.lengths), width)
        ordered = projected.value.new_zeros(0, width)
        chunks = list(history.chunks(self._cells(history)))
        if chunks:
            # Gathered for all chunks at once: the gradient of each gathering is as large as the catalogue.
            items = torch.cat([chunk.items.flatten() for chunk in chunks])
            cells = [chunk.items.numel() for chunk in chunks]
            query, key, value = (torch.split(embedding(items, part.flatten(1)), cells) for part in projected)
            padded = [
                Sets(
                    self._by_head(asking, chunk), self._by_head(asked, chunk), self._by_head(seen, chunk), chunk.present
                )
                for chunk, asking, asked, seen in zip(chunks, query, key, value, strict=True)
            ]
            found = attend(padded, leave_one_out=leave_one_out)
            # Users whose set is empty are in no chunk: their view is the zero vector.
            users = torch.cat([chunk.users for chunk in chunks])
            result = result.index_copy(0, users, torch.cat([whole for whole, _ in found]))
            if leave_one_out:
                left_out = torch.cat([without.flatten(0, 1) for _, without in found if without is not None])
                starts = np.cumsum([0, *cells[:-1]]).tolist()
                present = torch.cat([chunk.cells + start for chunk, start in zip(chunks, starts, strict=True)])
                cell = torch.empty_like(present)
                cell[torch.cat([chunk.entries for chunk in chunks])] = present
                ordered = embedding(cell, left_out)
        count = sizes(history).to(result.dtype)
        result = result * self.counted(count).unsqueeze(1)
        if not leave_one_out:
            return Pooled(result, None)
        return Pooled(result, ordered * self.counted(count - 1)[history.user].unsqueeze(1))

    def fold(self, items: torch.Tensor, towards: torch.Tensor) -> SharedOut:
        projected = self.project(items)
        return SharedOut(items, projected.value.flatten(1), towards, partial(self.shares, projected))

    def shares(self, projected: Projected, history: Histories) -> torch.Tensor:
        """What each entry of the histories counts by each head: u is the sum of the W^V r_j, by head, times it.

        Args:
            projected: of all items.

        Returns:
            (entries, heads).
        """
        query, key = projected.query.flatten(1), projected.key.flatten(1)
        found = query.new_zeros(len(history.items), self.heads)
        for chunk in history.chunks(self._cells(history)):
            asking, asked = (self._by_head(embedding(chunk.items, part), chunk).flatten(0, 1) for part in (query, key))
            looked_at = column_means(asking, asked, chunk.present.repeat_interleave(self.heads, dim=0))
            by_cell = looked_at.view(len(chunk.users), self.heads, -1).transpose(1, 2).flatten(0, 1)
            found[chunk.entries] = by_cell[chunk.cells]
        return found * self.counted(sizes(history).to(found.dtype))[history.user].unsqueeze(1)

    def _cells(self, history: Histories) -> int:
        return cells_at_once(CHUNK_CELLS, history.items.device) // self.heads

    def _by_head(self, rows: torch.Tensor, chunk: Chunk) -> torch.Tensor:
        """(users, heads, length, width per head) of rows of a chunk, one for each of its cells."""
        return rows.view(*chunk.items.shape, self.heads, -1).transpose(1, 2)


def attend(chunks: Sequence[Sets], *, leave_one_out: bool = False) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
    """Self-attention over padded sets, pooled by the mean, and the same without each item (`leave_one_out`).

    Args:
        chunks: query, key and value of (users, heads, length, width per head); present of (users, length).

    Returns:
        For each chunk (users, width) and (users, length, width), heads concatenated; zero where nothing is (left) in the set.
    """
    flat = [_heads_as_sets(chunk) for chunk in chunks]
    if leave_one_out:
        found: list[tuple[torch.Tensor, torch.Tensor | None]] = []
        for chunk, (whole, without) in zip(chunks, leave_each_out(flat), strict=True):
            users, heads, length, width = chunk.query.shape
            ordered = without.view(users, heads, length, width).transpose(1, 2)
            found.append((whole.reshape(users, heads * width), ordered.reshape(users, length, heads * width)))
        return found
    device = chunks[0].query.device
    means = [_mean(sets) for sets in flat] if torch.is_grad_enabled() else side_by_side(_mean, flat, device)
    return [(mean.reshape(len(chunk.query), -1), None) for chunk, mean in zip(chunks, means, strict=True)]


def _heads_as_sets(chunk: Sets) -> Sets:
    users, heads, length, width = chunk.query.shape
    query, key, value = (part.reshape(users * heads, length, width) for part in chunk[:3])
    return Sets(query, key, value, chunk.present.repeat_interleave(heads, dim=0))


def _mean(sets: Sets) -> torch.Tensor:
    """The mean over rows goes before V: one length x width product instead of length x length x width."""
    return (column_means(sets.query, sets.key, sets.present) @ sets.value).squeeze(1)


def column_means(query: torch.Tensor, key: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """How much the rows of each set look at each of its items, on average.

    Args:
        query: (sets, length, width per head), likewise key.
        present: (sets, length).

    Returns:
        (sets, 1, length); what is there adds up to 1.
    """
    rows = present.unsqueeze(2).to(query.dtype)
    means = rows / rows.sum(dim=1, keepdim=True).clamp(min=1)
    return means.transpose(1, 2) @ attention_weights(query, key, rows)
