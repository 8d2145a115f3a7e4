"""What our implementations share: inputs, clicks, negatives, TransE, the loss, and users whom nobody knows."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
import torch
from scipy.sparse import csr_matrix

from benchmarks.peers.export import export
from benchmarks.peers.models.clicks import NOTHING, clicked, not_liked
from benchmarks.peers.models.inputs import NO_ENTITY, inputs_of, neighbours_of, words_of
from benchmarks.peers.models.learner import NEGATIVES, OurLearner, cross_entropy
from benchmarks.peers.models.transe import corrupt, margin_loss, transe
from benchmarks.peers.train import validated_users
from benchmarks.peers.unknown_users import PopularityForUnknown
from pipeline.data.dataset import Dataset
from tests.benchmarks.peers.test_export import INTERACTIONS, ITEMS, KG, LINKS
from tests.benchmarks.peers.toy import INPUTS, LIKES


def test_inputs_are_the_graph_and_the_links_that_recbole_gets_and_titles() -> None:
    exported = export(INTERACTIONS, ITEMS, KG, LINKS)
    likes = csr_matrix((2, 4), dtype=np.float32)
    inputs = inputs_of(exported, likes, ITEMS.with_columns(title=pl.Series(["A", None, "C", "D"])))
    assert inputs.titles == ["A", "", "C", "D"]
    assert (inputs.entities, inputs.relations, inputs.triples.shape) == (4, 2, (3, 3))
    # a and c are linked, to films x and y, whose facts these are.
    assert (inputs.entity_of != NO_ENTITY).tolist() == [True, False, True, False]
    film_x, film_y = inputs.entity_of[[0, 2]]
    assert inputs.triples[:, 0].tolist() == [film_x, film_y, film_x]
    assert inputs.triples[0, 1:].tolist() == inputs.triples[1, 1:].tolist()  # both by someone
    assert inputs.triples[2, 1] != inputs.triples[0, 1]


def test_words_that_one_title_has_are_one_word_and_an_empty_title_has_it_too() -> None:
    rows, count = words_of(INPUTS.titles, 3)
    # house 2, red 3, the 4
    assert rows.tolist() == [[4, 3, 2], [4, 2, 0], [1, 0, 0], [3, 1, 3], [1, 0, 0]]
    assert count == 5


def test_neighbours_are_those_of_both_directions() -> None:
    for entity, found in enumerate(neighbours_of(INPUTS.triples, INPUTS.entities)):
        expected = [(r, t) for h, r, t in INPUTS.triples.tolist() if h == entity]
        expected += [(r, h) for h, r, t in INPUTS.triples.tolist() if t == entity]
        assert sorted(map(tuple, found.tolist())) == sorted(expected)


def test_clicks_are_training_likes_and_some_of_too_many() -> None:
    rows = clicked(LIKES, 3, np.random.default_rng(0))
    assert rows[0].tolist() == [0, 1, 4]
    assert rows[1].tolist() == [2, NOTHING, NOTHING]
    assert len(set(rows[2])) == 3
    assert set(rows[2]) < {0, 1, 2, 3}


def test_what_is_drawn_against_a_like_is_any_item_that_the_user_does_not_like() -> None:
    users = np.repeat([0, 1, 2], 200)
    drawn = not_liked(users, 2, LIKES, np.random.default_rng(0))
    assert drawn.shape == (600, 2)
    for user in range(3):
        assert set(drawn[users == user].ravel()) == set(np.flatnonzero(LIKES[user].toarray().ravel() == 0))


def test_the_loss_of_transe_is_its_equation() -> None:
    rng = np.random.default_rng(0)
    facts, corrupted = (rng.normal(size=(3, 5, 4)) for _ in range(2))

    def distance(head: list[float], relation: list[float], tail: list[float]) -> float:
        return math.sqrt(sum((h + r - t) ** 2 for h, r, t in zip(head, relation, tail, strict=True)))

    losses = [
        max(0.0, 0.5 + distance(*facts[:, one].tolist()) - distance(*corrupted[:, one].tolist())) for one in range(5)
    ]
    assert min(losses) == 0 < max(losses)
    found = margin_loss(tuple(torch.from_numpy(facts)), tuple(torch.from_numpy(corrupted)), 0.5)
    assert found.item() == pytest.approx(sum(losses) / 5)


def test_a_corrupted_fact_has_another_head_or_another_tail() -> None:
    triples = np.tile(INPUTS.triples, (100, 1))
    changed = corrupt(triples, INPUTS.entities, np.random.default_rng(0)) != triples
    assert not changed[:, 1].any()
    assert not (changed[:, 0] & changed[:, 2]).any()
    assert changed[:, 0].mean() == pytest.approx(changed[:, 2].mean(), abs=0.1)


def test_transe_brings_facts_nearer_than_others() -> None:
    # Twelve entities in a ring, and the relation that leads to the next.
    ring = np.array([[place, 0, (place + 1) % 12] for place in range(12)])
    vectors = transe(ring, 12, 1, 8, 300, np.random.default_rng(0)).numpy()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    steps = vectors[(np.arange(12) + 1) % 12] - vectors
    apart = np.linalg.norm(vectors[:, None] + steps.mean(0) - vectors, axis=2)
    true = apart[np.arange(12), (np.arange(12) + 1) % 12]
    assert true.max() < np.median(apart)


def test_the_loss_is_the_cross_entropy_of_a_like_against_what_was_drawn() -> None:
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])
    terms = [-math.log(1 / (1 + math.exp(-x))) for x in (2.0, 0.0)]
    terms += [-math.log(1 - 1 / (1 + math.exp(-x))) for x in (-1.0, 0.5, 3.0, -2.0)]
    assert cross_entropy(logits).item() == pytest.approx(sum(terms) / 6)


class Remembers(torch.nn.Module):
    """A table of logits, users x items, and what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(torch.zeros(LIKES.shape))
        self.asked: list[tuple[torch.Tensor, ...]] = []

    def forward(self, users: torch.Tensor, candidates: torch.Tensor, left_out: torch.Tensor) -> torch.Tensor:
        self.asked.append((users, candidates, left_out))
        return self.table[users[:, None], candidates]

    def score_all(self) -> object:
        return lambda user: self.table[user]


def test_an_epoch_shows_each_like_once_leaves_it_out_and_learns() -> None:
    model = Remembers()
    learner = OurLearner(model, LIKES, 0.1, 0, {})
    losses: list[float] = []
    before = learner.state()
    for epoch in range(30):
        learner.train_an_epoch(epoch, lambda loss: losses.append(loss.item()))
    users, candidates, left_out = model.asked[0]
    assert candidates.shape == (len(users), 1 + NEGATIVES)
    torch.testing.assert_close(candidates[:, 0], left_out)
    assert sorted(zip(users.tolist(), left_out.tolist(), strict=True)) == sorted(
        zip(*(ends.tolist() for ends in LIKES.nonzero()), strict=True)
    )
    assert losses[-1] < losses[0]
    scores = learner.scorer.score(np.array([2, 0]))
    np.testing.assert_array_equal(scores > 0, LIKES[[2, 0]].toarray() > 0)
    learner.restore(before)
    assert not learner.scorer.score(np.array([0, 1, 2])).any()


def test_users_without_a_training_like_get_what_is_popular() -> None:
    likes = csr_matrix(np.array([[1, 0, 1], [0, 0, 0], [1, 0, 0]], dtype=np.float32))

    class OfKnown:
        def score(
            self, users: np.ndarray[tuple[int], np.dtype[np.int64]]
        ) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
            assert 1 not in users
            return np.repeat(users[:, None], 3, axis=1).astype(np.float32)

    scorer = PopularityForUnknown(OfKnown(), likes)
    assert scorer.score(np.array([2, 1, 0])).tolist() == [[2, 2, 2], [2, 0, 1], [0, 0, 0]]
    assert scorer.score(np.array([1])).tolist() == [[2, 0, 1]]


def test_validation_asks_users_with_a_like_to_train_on_and_one_to_find() -> None:
    rows = [(0, 0, True, "train"), (0, 1, True, "valid"), (1, 0, True, "train"), (2, 1, True, "valid")]
    rows += [(3, 0, True, "train"), (3, 1, False, "valid"), (4, 0, False, "train"), (4, 1, True, "valid")]
    schema = {"user": pl.Int32, "item": pl.Int32, "like": pl.Boolean, "split": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(rating=None)
    candidates = frame.select("user", "item", "split").clear()
    assert validated_users(Dataset(frame, candidates, 5, 2), 0).tolist() == [0]
