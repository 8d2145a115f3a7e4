"""Negatives come from where they should, and evenly."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.users.negatives import sample_negatives

LIKED = torch.tensor([[1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]], dtype=torch.bool)
DISLIKED = torch.tensor([[0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], dtype=torch.bool)
USER = torch.tensor([0, 0, 1])


def draw(
    kind: str, number: int = 200, share: float = 0.25, user: torch.Tensor = USER
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    found = sample_negatives(kind, number, share, LIKED, DISLIKED, user, generator)
    assert found.items.shape == found.counts.shape == (len(user), number)
    return found.items, found.counts


def test_disliked_negatives_are_the_users_dislikes_and_none_where_there_are_none() -> None:
    items, counts = draw("disliked")
    assert set(items[:2].flatten().tolist()) == {2, 3}
    assert counts[:2].all()
    assert not counts[2].any()


def test_unseen_negatives_are_neither_liked_nor_disliked() -> None:
    items, counts = draw("unseen")
    assert set(items[0].tolist()) == {4, 5}
    assert set(items[2].tolist()) == {1, 2, 3, 4, 5}
    assert counts.all()


def test_mixed_negatives_keep_the_share_of_dislikes() -> None:
    items, counts = draw("mixed")
    assert counts.all()
    assert [sum(item in (2, 3) for item in row) for row in items[:2].tolist()] == [50, 50]


def test_mixed_negatives_of_a_user_without_dislikes_are_unseen() -> None:
    items, counts = draw("mixed")
    assert counts[2].all()
    assert 0 not in items[2].tolist()


def test_a_user_who_likes_everything_has_no_negatives() -> None:
    for kind in ("disliked", "unseen", "mixed"):
        _, counts = draw(kind, user=torch.tensor([2]))
        assert not counts.any()


@pytest.mark.parametrize("kind", ["disliked", "unseen", "mixed"])
def test_negatives_are_drawn_evenly(kind: str) -> None:
    generator = torch.Generator().manual_seed(2)
    found = sample_negatives(kind, 40, 0.5, LIKED, DISLIKED, torch.zeros(300, dtype=torch.int64), generator)
    times = torch.bincount(found.items.flatten(), minlength=6).double()
    pools = {"disliked": [[2, 3]], "unseen": [[4, 5]], "mixed": [[2, 3], [4, 5]]}[kind]
    for pool in pools:
        assert times[pool].min() / times[pool].max() > 0.9
    assert times.sum() == 12000


opinions = st.lists(st.lists(st.sampled_from("+-."), min_size=5, max_size=5), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(opinions, st.sampled_from(["disliked", "unseen", "mixed"]), st.integers(0, 9))
def test_every_user_gets_each_item_of_the_own_pool_and_nothing_else(
    rows: list[list[str]], kind: str, seed: int
) -> None:
    liked, disliked = (torch.tensor([[cell == sign for cell in row] for row in rows]) for sign in "+-")
    user = torch.arange(len(rows)).repeat_interleave(2)
    found = sample_negatives(kind, 120, 0.5, liked, disliked, user, torch.Generator().manual_seed(seed))
    for position, row in enumerate(rows):
        dislikes = {item for item, cell in enumerate(row) if cell == "-"}
        unseen = {item for item, cell in enumerate(row) if cell == "."}
        halves = {"disliked": [dislikes] * 2, "unseen": [unseen] * 2, "mixed": [dislikes or unseen, unseen]}[kind]
        for positive in (2 * position, 2 * position + 1):
            items, counts = found.items[positive].tolist(), found.counts[positive].tolist()
            for half, pool in enumerate(halves):
                part = slice(60 * half, 60 * half + 60)
                assert set(counts[part]) == {bool(pool)}
                if pool:
                    assert set(items[part]) == pool


def test_the_draws_follow_the_given_generator_alone() -> None:
    first = draw("mixed")[0]
    torch.rand(5)
    assert torch.equal(draw("mixed")[0], first)
