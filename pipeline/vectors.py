"""The score as an inner product of a user's vector with an item's, for an index that finds an item's nearest vectors.

    preference(u, c) = [u', 1] · [r_c, b_c]   with u' = sum over views and heads of share · W^O^T u,   b_c = sum of share · b_c

so the item vectors are those of the model with one coordinate more. It holds where the view of a user does not depend on the
candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.model import TrainedModel
from pipeline.people import Person, histories_of
from pipeline.reasons import head_shares, view_shares

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.views.view import View


def why_no_vectors(model: TrainedModel) -> str | None:
    """Why scores are not inner products of user vectors with item vectors; None: they are."""
    from pipeline.views.candidate_attention import CandidateAttention

    if model.co_rating is not None:
        return (
            "no vectors: co_rating_l2 gives every pair of items a weight of its own, "
            "so that no user vector and item vector narrower than the catalogue have the score as their inner product"
        )
    if any(isinstance(view, CandidateAttention) for view in model.scorer.views.values()):
        return (
            "no vectors: attention candidate weighs a history anew for each item, "
            "so that a user has no vector that is the same for all of them"
        )
    return None


def item_vectors(model: TrainedModel) -> NDArray[np.float32]:
    """Of all items, (M, width + 1): r_c and, last, what item biases add to the score."""
    import torch

    with torch.inference_mode():
        bias = model.items.new_zeros(len(model.items))
        for head, share in head_shares(model).items():
            if head in model.scorer.item_bias:
                bias = bias + share * model.scorer.item_bias[head]
        found: NDArray[np.float32] = torch.cat([model.items, bias.unsqueeze(1)], dim=1).float().cpu().numpy()
    return found


def user_vectors(model: TrainedModel, people: Sequence[Person]) -> NDArray[np.float32]:
    """Of some people, (people, width + 1), for a model of which `why_no_vectors` says nothing; the last coordinate is 1."""
    import torch

    from pipeline.histories import merged

    with torch.inference_mode():
        likes, dislikes = histories_of(people, model.device)
        width = model.items.shape[1]
        # A view scores any candidate by an inner product: by unit vectors it gives the user's own coordinates.
        unit = torch.eye(width, dtype=model.items.dtype, device=model.device)
        total = model.items.new_zeros(len(people), width)
        for name, module in model.scorer.views.items():
            view: View = module  # type: ignore[assignment]
            history = {"likes": likes, "dislikes": dislikes}[name] if name != "rated" else merged(likes, dislikes)
            scores = view.scores(unit, model.items, history)
            for head, share in view_shares(model, name).items():
                total = total + scores[head] * share
        found: NDArray[np.float32] = torch.cat([total, total.new_ones(len(people), 1)], dim=1).float().cpu().numpy()
    return found
