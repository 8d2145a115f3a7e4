"""A view of a user: what one kind of history, likes or dislikes, says about every item of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pipeline.common.errors import InputError
from pipeline.users.views.view import View

Attention = Literal["none", "self", "candidate"]
# Items squared are held at once by candidate-aware attention, several times over while it is trained.
CANDIDATE_ATTENTION_MAX_ITEMS = 12_000


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
        InputError: heads do not divide the width, or the catalogue is too large for candidate-aware attention.
    """
    from pipeline.users.views.candidate_attention import CandidateAttention
    from pipeline.users.views.plain_sum import PlainSum
    from pipeline.users.views.self_attention import SelfAttention

    if attention == "none":
        return PlainSum(width, outputs, exponent, learn_exponent)
    if width % attention_heads:
        raise InputError(
            f"attention_heads: found {attention_heads}, expected a divisor of the item vector's width {width}"
        )
    if attention == "self":
        return SelfAttention(width, attention_heads, outputs, exponent, learn_exponent)
    if items > CANDIDATE_ATTENTION_MAX_ITEMS:
        raise InputError(
            f"attention: found candidate with {items} items, expected at most {CANDIDATE_ATTENTION_MAX_ITEMS}; use self or none"
        )
    return CandidateAttention(width, attention_heads, outputs, exponent, learn_exponent)
