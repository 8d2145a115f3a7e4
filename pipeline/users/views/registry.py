"""Every attention by its name in params.yaml."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.users.views.candidate_attention import CandidateAttention
from pipeline.users.views.names import Attention
from pipeline.users.views.plain_sum import PlainSum
from pipeline.users.views.self_attention import SelfAttention
from pipeline.users.views.view import View

VIEWS: dict[Attention, type[View]] = {"none": PlainSum, "self": SelfAttention, "candidate": CandidateAttention}


def build_view(
    attention: Attention,
    width: int,
    attention_heads: int,
    outputs: Sequence[str],
    exponent: float,
    learn_exponent: bool,
    items: int,
) -> View:
    """
    Args:
        attention: none: a sum; self: between the items of the history; candidate: from each candidate to the history.
        width: d, of the item vectors.
        attention_heads: must divide it; of no use to `none`.
        outputs: names of the heads that read the view.
        exponent: gamma, where a history of n items counts as n^gamma times its mean.
        items: of the catalogue.

    Raises:
        InputError: heads do not divide the width, or the catalogue is too large for this attention.
    """
    view = VIEWS[attention]
    view.check(width, attention_heads, items)
    return view(width, attention_heads, outputs, exponent, learn_exponent)
