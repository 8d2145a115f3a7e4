"""Why an item is recommended: a score split into one number for each item of the history, which add up to it exactly.

Every head is linear in the values of the history's items, weighted as the view's attention weighs them:

    head(u, c) = w1 · sum_{j in likes} a_j(c) · (r_c W^O^T) · (W^V r_j)  +  w2 · (likewise for dislikes)  +  b_c

and so is `preference`, a weighted sum of heads. Item j's part is its own term of that sum, with what EASE's weight B_jc
adds. It is no claim of what the score would be without j: the other items would be weighed differently then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.users.people import Person
from pipeline.users.shares import co_rating_share, head_shares, view_shares
from pipeline.users.trained import TrainedModel

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from pipeline.users.views.candidate_attention import CandidateAttention
    from pipeline.users.views.view import View


@dataclass(frozen=True)
class Reasons:
    """Scores of some candidates for one person, in parts.

    Attributes:
        likes_part: (candidates, likes), in the order of the person's likes.
        dislikes_part: (candidates, dislikes); zeros where the model does not look at dislikes.
        biases: head to what its item bias adds, (candidates,); empty for a model without biases. A user's leniency is no part
            of `preference`: it orders nothing for one user.
    """

    likes_part: NDArray[np.float64]
    dislikes_part: NDArray[np.float64]
    biases: dict[str, NDArray[np.float64]]

    @property
    def bias(self) -> NDArray[np.float64]:
        """What is said of the candidates to anybody, (candidates,)."""
        return sum(self.biases.values(), np.zeros(len(self.likes_part)))

    @property
    def score(self) -> NDArray[np.float64]:
        """Sum of all parts, (candidates,): that of `preference_of`, but for rounding."""
        total: NDArray[np.float64] = self.likes_part.sum(axis=1) + self.dislikes_part.sum(axis=1) + self.bias
        return total


def reasons(
    model: TrainedModel, person: Person, candidates: NDArray[np.int64], *, leave_one_out: bool = False
) -> Reasons:
    """Parts of one person's scores.

    Args:
        candidates: item indices.
        leave_one_out: a candidate that the person rated is scored by the person without it, its own part being zero.
    """
    import torch

    with torch.inference_mode():
        found = _reasons(model, person, candidates)
        if leave_one_out:
            for row in np.flatnonzero(np.isin(candidates, np.concatenate(person))):
                item = int(candidates[row])
                rest = _reasons(model, person.without(item), candidates[[row]])
                for whole, items, part in (
                    (found.likes_part, person.likes, rest.likes_part),
                    (found.dislikes_part, person.dislikes, rest.dislikes_part),
                ):
                    whole[row, items == item] = 0.0
                    whole[row, items != item] = part[0]
    return found


def _reasons(model: TrainedModel, person: Person, candidates: NDArray[np.int64]) -> Reasons:
    import torch

    scorer, shares = model.scorer, head_shares(model)
    chosen = torch.from_numpy(candidates).to(model.device)
    parts = [np.zeros((len(candidates), len(items))) for items in person]
    for name in scorer.views:
        sets = {"likes": person[:1], "dislikes": person[1:], "rated": person}[name]
        history = torch.from_numpy(np.concatenate(sets)).to(model.device)
        pulls = _pulls(model, name, chosen, history).double().cpu().numpy()
        if name != "dislikes":
            parts[0] += pulls[:, : len(person.likes)]
        if name != "likes":
            parts[1] += pulls[:, pulls.shape[1] - len(person.dislikes) :]
    biases = {
        head: (share * scorer.item_bias[head][chosen]).double().cpu().numpy()
        for head, share in shares.items()
        if head in scorer.item_bias
    }
    return Reasons(parts[0], parts[1], biases)


def _pulls(model: TrainedModel, name: str, candidates: torch.Tensor, history: torch.Tensor) -> torch.Tensor:
    """What each item of one view's history adds to each candidate's score, (candidates, history)."""
    from pipeline.users.views.candidate_attention import CandidateAttention

    scorer = model.scorer
    view: View = scorer.views[name]  # type: ignore[assignment]
    seen = model.items.new_zeros(len(candidates), model.items.shape[1])
    # Heads differ in W^O alone: by their shares they are one.
    for head, share in view_shares(model, name).items():
        seen = seen + view.towards(model.items[candidates], head) * share
    if isinstance(view, CandidateAttention):
        pulls = _pulls_by_candidate(view, model.items, candidates, history, seen)
    else:
        pulls = seen @ weighted_values(view, model.items[history]).T
    if model.co_rating is not None:
        pulls = pulls + model.co_rating[name][history.unsqueeze(1), candidates].T * co_rating_share(model, name)
    return pulls


def weighted_values(view: View, in_history: torch.Tensor) -> torch.Tensor:
    """Values of one history's items as the view counts them: their sum is u before W^O, whoever the candidate.

    Args:
        view: a plain sum or self-attention.
        in_history: item vectors, (n, width).

    Returns:
        (n, width).
    """
    import torch

    from pipeline.users.views.self_attention import SelfAttention

    count = len(in_history)
    share = view.counted(torch.tensor(float(count), device=in_history.device)) / max(count, 1)
    if count == 0 or not isinstance(view, SelfAttention):
        return in_history @ view.value * share
    query, key, value = view.project(in_history)
    logits = torch.einsum("ihd,jhd->hij", query * query.shape[2] ** -0.5, key)
    # How much all rows together look at item j, by attention head.
    looked_at = logits.softmax(dim=2).sum(dim=1)
    return (value * looked_at.T.unsqueeze(2)).flatten(1) * share


def _pulls_by_candidate(
    view: CandidateAttention,
    items: torch.Tensor,
    candidates: torch.Tensor,
    history: torch.Tensor,
    seen: torch.Tensor,
) -> torch.Tensor:
    """As `seen` times `weighted_values`, where each candidate weighs the history in its own way."""
    import torch

    from pipeline.users.views.candidate_attention import FLOOR

    def by_head(vectors: torch.Tensor) -> torch.Tensor:
        return vectors.reshape(len(vectors), view.heads, vectors.shape[1] // view.heads)

    query, key = by_head(items[candidates] @ view.query), by_head(items @ view.key)
    logits = torch.einsum("chd,mhd->hcm", query, key) * query.shape[2] ** -0.5
    # The floor lies below the highest logit of the catalogue, not of the history.
    weights = (logits - logits.amax(dim=2, keepdim=True)).clamp(min=FLOOR).exp()[:, :, history]
    shares = weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-30)
    told = torch.einsum("chd,nhd->hcn", by_head(seen), by_head(items[history] @ view.value))
    count = view.counted(torch.tensor(float(len(history)), device=items.device))
    pulls: torch.Tensor = (shares * told).sum(dim=0) * count
    return pulls
