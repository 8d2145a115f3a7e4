"""Contributions: a score split into one number for each item of the history, which add up to it exactly.

Every head is linear in the values of the history's items, weighted as the view's attention weighs them:

    head(u, c) = w1 · sum_{j in likes} a_j(c) · (r_c W^O^T) · (W^V r_j)  +  w2 · (likewise for dislikes)  +  b_c

and so is `preference`, a weighted sum of heads, with EASE's weights beside them. Item j's contribution is its own term of that sum, and
what its weight B_jc adds. It is no claim of what the score would be without j: the other items would be weighed differently then.

There is one engine, for many people at once: those with histories of similar length are padded to one length, so that what is said of a
chunk of them is a few products. One person is a chunk of one. What an entry of a history counts in its view (its share) is worked out
once, for users' vectors and for contributions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch

from pipeline.common.top_columns import NONE
from pipeline.explain.parts import PARTS, Part
from pipeline.users.co_rating import weights_between
from pipeline.users.coordinates import HeadSum, Weighed
from pipeline.users.histories import Chunk
from pipeline.users.model import Model
from pipeline.users.people import Person, histories_of
from pipeline.users.shares import co_rating_share, head_shares
from pipeline.users.terms.overlap import Overlap

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What a contribution is of: an item of the history, all of its other items together, or the item biases.
Kind = Literal["like", "dislike", "other likes", "other dislikes", "bias"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# Stands in the place of a candidate that is not there.
NO_ITEM = NONE
# Numbers in each array of a chunk: vectors of its histories, or contributions.
CHUNK_NUMBERS = 2_000_000


@dataclass(frozen=True)
class Contributions:
    """Scores of some candidates for one person, taken apart.

    Attributes:
        likes: (candidates, likes), in the order of the person's likes.
        dislikes: (candidates, dislikes); zeros where the model does not look at dislikes.
        biases: head to what its item bias adds, (candidates,); empty for a model without biases. A user's leniency is no part
            of `preference`: it orders nothing for one user.
        parts_of_likes: what `likes` is the sum of, by those parts that the model has; of dislikes likewise.
    """

    likes: NDArray[np.float64]
    dislikes: NDArray[np.float64]
    biases: dict[str, NDArray[np.float64]]
    parts_of_likes: dict[Part, NDArray[np.float64]]
    parts_of_dislikes: dict[Part, NDArray[np.float64]]

    @property
    def bias(self) -> NDArray[np.float64]:
        """What is said of the candidates to anybody, (candidates,)."""
        return sum(self.biases.values(), np.zeros(len(self.likes)))

    @property
    def score(self) -> NDArray[np.float64]:
        """Sum of all contributions, (candidates,): that of `preference_of`, but for rounding."""
        total: NDArray[np.float64] = self.likes.sum(axis=1) + self.dislikes.sum(axis=1) + self.bias
        return total


class Explainer(HeadSum):
    """A model's heads as `preference` adds them up; to be used without gradients."""

    def __init__(self, model: Model) -> None:
        super().__init__(model, head_shares(model))

    @property
    def parts(self) -> list[Part]:
        """Those that the model has."""
        terms = {name for view in self.views for name in self.model.scorer.terms_of(view)}
        there = {"vectors", *({"co_rating"} if self.model.co_rating is not None else ()), *terms}
        return [part for part in PARTS if part in there]

    def overlap(self, view: str) -> Overlap | None:
        """The term of a view that reads the graph."""
        found = self.model.scorer.terms_of(view).get("overlap")
        assert found is None or isinstance(found, Overlap)
        return found

    def by_view(
        self, weighed: Weighed, name: str, candidates: torch.Tensor, numbers: int
    ) -> Iterator[tuple[Chunk, dict[Part, torch.Tensor]]]:
        """What each item of the history adds to each candidate's score by one view, and each part of the model by itself.

        Args:
            candidates: item indices for each person, (people, candidates).
            numbers: in each array of a chunk: vectors of its histories, or contributions.

        Yields:
            People with histories of similar length, and what the parts contribute, (chunk, candidates, length), zero at padding.
        """
        (history, shares), together = weighed.by_view[name], self.model.co_rating
        for chunk in history.chunks(numbers, max(self.model.items.shape[1], candidates.shape[1])):
            asked = candidates[chunk.users]
            found: dict[Part, torch.Tensor] = {"vectors": self.views[name].contributions(chunk, asked, shares)}
            if together is not None:
                weights = weights_between(together, chunk.items.unsqueeze(1), asked.unsqueeze(2))
                told = weights * chunk.present.unsqueeze(1) * co_rating_share(self.model, name)
                # Nobody has rated an item that was added: what it has of those nearest to it is a matter of vectors.
                is_added = (asked >= len(self.model.items) - self.model.added).unsqueeze(2)
                found["co_rating"] = told.masked_fill(is_added, 0.0)
                found["vectors"] = found["vectors"] + told.masked_fill(~is_added, 0.0)
            for part, term in self.model.scorer.terms_of(name).items():
                found[part] = term.contributions(chunk, asked, self.shares)
            yield chunk, found

    def contributions(self, weighed: Weighed, candidates: NDArray[np.integer]) -> list[Contributions]:
        """Of all items of each person's history; `strongest_contributions` keeps a few for many people.

        Args:
            candidates: item indices for each person, `NO_ITEM` after the last, (people, candidates).
        """
        asked = self.asked(candidates)
        counts = (candidates != NO_ITEM).sum(axis=1).tolist()
        likes, dislikes = (
            [
                {part: np.zeros((count, length)) for part in self.parts}
                for count, length in zip(counts, history.lengths.tolist(), strict=True)
            ]
            for history in (weighed.likes, weighed.dislikes)
        )
        for name in weighed.by_view:
            for chunk, found in self.by_view(weighed, name, asked, CHUNK_NUMBERS):
                for part, values in found.items():
                    for person, mine in zip(chunk.users.tolist(), values.double().cpu().numpy(), strict=True):
                        of_likes, of_dislikes, told = (
                            likes[person][part],
                            dislikes[person][part],
                            mine[: counts[person]],
                        )
                        # Likes come first where a view reads both.
                        liked = of_likes.shape[1] * (name != "dislikes")
                        if name != "dislikes":
                            of_likes += told[:, :liked]
                        if name != "likes":
                            of_dislikes += told[:, liked : liked + of_dislikes.shape[1]]
        biases = {
            head: (share * self.model.scorer.item_bias[head]).double().cpu().numpy()
            for head, share in head_shares(self.model).items()
            if head in self.model.scorer.item_bias
        }
        return [
            Contributions(
                sum(of_likes.values(), np.zeros(())),
                sum(of_dislikes.values(), np.zeros(())),
                {head: bias[items[:count]] for head, bias in biases.items()},
                of_likes,
                of_dislikes,
            )
            for of_likes, of_dislikes, items, count in zip(likes, dislikes, candidates, counts, strict=True)
        ]

    def asked(self, candidates: NDArray[np.integer]) -> torch.Tensor:
        """Candidates as indices, any item in the place of `NO_ITEM`."""
        return torch.from_numpy(candidates.clip(min=0).astype(np.int64)).to(self.model.device)


def contributions_of(model: Model, person: Person, candidates: NDArray[np.int64]) -> Contributions:
    """Contributions to one person's scores.

    Args:
        candidates: item indices; of one that they rated, ask for the person without it.
    """
    explainer = Explainer(model)
    with torch.inference_mode():
        (found,) = explainer.contributions(explainer.weighed(*histories_of([person], model.device)), candidates[None])
    return found
