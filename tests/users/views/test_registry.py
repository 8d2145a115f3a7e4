"""Which view a setting means, and which settings are refused."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from pipeline.common.errors import InputError
from pipeline.users.views.candidate_attention import MAX_ITEMS, CandidateAttention
from pipeline.users.views.names import Attention
from pipeline.users.views.plain_sum import PlainSum
from pipeline.users.views.registry import VIEWS, build_view
from pipeline.users.views.self_attention import SelfAttention

SETTINGS: dict[str, Any] = {
    "width": 6,
    "attention_heads": 3,
    "outputs": ["meet", "judge"],
    "exponent": 0.25,
    "learn_exponent": True,
    "items": 10,
}


def test_every_name_of_the_settings_has_a_view() -> None:
    assert set(VIEWS) == set(get_args(Attention))


@pytest.mark.parametrize(
    ("attention", "kind"), [("none", PlainSum), ("self", SelfAttention), ("candidate", CandidateAttention)]
)
def test_every_kind_of_attention_is_built_as_asked_for(attention: Any, kind: type[Any]) -> None:
    view = build_view(attention, **SETTINGS)
    assert isinstance(view, kind)
    assert set(view.output) == {"meet", "judge"}
    assert float(view.exponent.detach()) == 0.25
    assert view.exponent.requires_grad
    assert getattr(view, "heads", 3) == 3


@pytest.mark.parametrize("attention", ["self", "candidate"])
def test_heads_that_do_not_divide_the_width_are_refused(attention: Any) -> None:
    with pytest.raises(
        InputError, match=r"^attention_heads: found 4, expected a divisor of the item vector's width 6$"
    ):
        build_view(attention, **SETTINGS | {"attention_heads": 4})


def test_without_attention_heads_need_not_divide_the_width() -> None:
    assert isinstance(build_view("none", **SETTINGS | {"attention_heads": 4}), PlainSum)


def test_candidate_attention_is_refused_for_a_large_catalogue_and_the_others_are_not() -> None:
    limit = MAX_ITEMS
    build_view("candidate", **SETTINGS | {"items": limit})
    for attention in ("none", "self"):
        build_view(attention, **SETTINGS | {"items": limit + 1})  # type: ignore[arg-type]
    with pytest.raises(
        InputError,
        match=rf"^attention: found candidate with {limit + 1} items, expected at most {limit}; use self or none$",
    ):
        build_view("candidate", **SETTINGS | {"items": limit + 1})
