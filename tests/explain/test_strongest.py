"""The strongest contributions of many users against all of those of one user at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.explain import strongest as module
from pipeline.explain.contributions import KINDS, NO_ITEM, Explainer, contributions_of
from pipeline.explain.strongest import strongest, strongest_contributions
from pipeline.users.model import Model
from pipeline.users.people import Person, histories_of, people_of
from pipeline.users.views import self_attention
from tests.explain.test_contributions import ITEMS, VARIANTS, data, doubled, model, people, person

Told = list[tuple[str, int, float]]


def one_by_one(of: Model, somebody: Person, candidates: Sequence[int], named: int) -> list[Told]:
    """What is told of each candidate, by `contributions_of` and a sort."""
    found = contributions_of(of, somebody, np.array(candidates, dtype=np.int64))
    told = []
    for row in range(len(candidates)):
        by_kind: dict[str, Told] = {kind: [] for kind in KINDS}
        for kind, items, parts in (
            ("like", somebody.likes, found.likes[row]),
            ("dislike", somebody.dislikes, found.dislikes[row]),
        ):
            ordered = sorted(zip(items.tolist(), parts.tolist(), strict=True), key=lambda one: -abs(one[1]))
            by_kind[kind] = [(kind, *one) for one in ordered[:named]]
            by_kind[f"other {kind}s"] = [(f"other {kind}s", NO_ITEM, sum(part for _, part in ordered[named:]))]
        by_kind["bias"] = [("bias", NO_ITEM, float(found.bias[row]))]
        told.append([part for parts in by_kind.values() for part in parts if part[2]])
    return told


def at_once(of: Model, everybody: Sequence[Person], candidates: np.ndarray, named: int) -> list[list[Told]]:
    explainer = Explainer(of)
    with torch.inference_mode():
        found = strongest_contributions(
            explainer, explainer.weighed(*histories_of(everybody, "cpu")), candidates, named
        )
    assert found.items.dtype == np.int32
    assert found.values.dtype == np.float32
    kinds = [KINDS[kind] for kind in found.kinds]
    return [
        [
            [told for told in zip(kinds, items, parts, strict=True) if told[2]]
            for items, parts in zip(*of_user, strict=True)
        ]
        for of_user in zip(found.items.tolist(), found.values.tolist(), strict=True)
    ]


def assert_the_same(found: Told, expected: Told) -> None:
    assert [told[:2] for told in found] == [told[:2] for told in expected]
    np.testing.assert_allclose([told[2] for told in found], [told[2] for told in expected], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", VARIANTS)
@given(everybody=st.lists(people(), min_size=1, max_size=6), named=st.integers(0, 4), seed=st.integers(0, 99))
@settings(max_examples=8, deadline=None)
def test_contributions_are_those_of_one_user_at_a_time(
    name: str, everybody: list[Person], named: int, seed: int
) -> None:
    of, random = doubled(name), np.random.default_rng(seed)
    candidates = np.stack([random.permutation(ITEMS)[:3] for _ in everybody]).astype(np.int32)
    with pytest.MonkeyPatch.context() as patch:
        # Chunks of a few users each, and of one.
        patch.setattr(module, "CHUNK_NUMBERS", 60)
        patch.setattr(self_attention, "CHUNK_CELLS", 150)
        found = at_once(of, everybody, candidates, named)
    for somebody, items, mine in zip(everybody, candidates.tolist(), found, strict=True):
        for told, expected in zip(mine, one_by_one(of, somebody, items, named), strict=True):
            assert_the_same(told, expected)


@pytest.mark.parametrize("name", VARIANTS)
def test_contributions_of_every_user_in_single_precision(name: str) -> None:
    of, everybody = model(name), people_of(data(), np.arange(12))
    candidates = np.tile(np.arange(ITEMS, dtype=np.int32), (12, 1))
    for somebody, mine in zip(everybody, at_once(of, everybody, candidates, 100), strict=True):
        found = contributions_of(of, somebody, np.arange(ITEMS))
        for row, told in enumerate(mine):
            assert sum(part for _, _, part in told) == pytest.approx(found.score[row], abs=1e-4)
            parts = {item: part for _, item, part in told if item != NO_ITEM}
            for items, expected in ((somebody.likes, found.likes), (somebody.dislikes, found.dislikes)):
                np.testing.assert_allclose([parts.get(i, 0.0) for i in items.tolist()], expected[row], atol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_nothing_is_told_of_an_empty_place(name: str) -> None:
    everybody = [person([1, 2], [3]), person([], [])]
    candidates = np.array([[5, NO_ITEM], [NO_ITEM, NO_ITEM]], dtype=np.int32)
    (first, *empty), others = at_once(doubled(name), everybody, candidates, 2)
    assert first
    assert empty == [[]]
    assert others == [[], []]


@pytest.mark.parametrize("name", ["candidate-attention", "candidate-attention-of-two-heads", "self-attention"])
def test_contributions_where_attention_sees_hardly_anything_of_a_history(name: str) -> None:
    """Some logits lie so far below the catalogue's highest that they are held at the floor."""
    of, everybody = model(name, 6.0), [person([1, 2, 3], [4, 5]), person([7], [8]), person([0, 9], [])]
    candidates = np.tile(np.arange(ITEMS, dtype=np.int32), (3, 1))
    for somebody, mine in zip(everybody, at_once(of, everybody, candidates, 0), strict=True):
        found = contributions_of(of, somebody, np.arange(ITEMS))
        for row, told in enumerate(mine):
            parts = {kind: part for kind, _, part in told}
            scale = max(abs(found.likes).max(), abs(found.dislikes).max(initial=0.0))
            expected = found.likes[row].sum(), found.dislikes[row].sum()
            for kind, value in zip(("other likes", "other dislikes"), expected, strict=True):
                assert parts.get(kind, 0.0) == pytest.approx(value, abs=1e-4 * scale)


def test_the_strongest_come_first_equals_in_the_order_of_items_and_zeros_not_at_all() -> None:
    contributions = np.array(
        [[[0.25, -2.0, 1.0, 0.5], [1.0, 1.0, 1.0, 0.0]], [[-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]
    )
    places, parts, others = strongest(contributions, 2)
    assert places.tolist() == [[[1, 2], [0, 1]], [[0, NO_ITEM], [NO_ITEM, NO_ITEM]]]
    assert parts.tolist() == [[[-2.0, 1.0], [1.0, 1.0]], [[-1.0, 0.0], [0.0, 0.0]]]
    assert others.tolist() == [[0.75, 1.0], [0.0, 0.0]]
