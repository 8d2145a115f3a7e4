"""Scores of all heads against the formulas, written out in Python."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from pipeline.users.scorer import DISLIKES_START, Biases, TwoViews, judgement, preference
from tests.users.views.slow import ragged, slow_score, vectors, without

WIDTH, ITEMS = 4, 9
LIKES = [[0, 1, 2], [3], [], [8]]
DISLIKES = [[4, 5], [], [6, 7, 8], [0]]
NAMES: dict[str, tuple[str, ...]] = {"both": ("likes", "dislikes"), "likes": ("likes",), "merged": ("rated",)}
KINDS: Any = list(NAMES)
PLAIN: dict[str, object] = {"attention": "none", "attention_heads": 1, "exponent": 0.0, "learn_exponent": False}


def model(
    kind: Any,
    heads: Any = ("meet", "judge"),
    attention: str = "none",
    biases: bool = True,
    scale: float = 0.5,
) -> TwoViews:
    torch.manual_seed(4)
    settings: dict[str, object] = {
        "attention": attention,
        "attention_heads": 2,
        "exponent": 0.5,
        "learn_exponent": True,
    }
    starts = Biases({head: torch.zeros(ITEMS) for head in heads}, 0.6) if biases else None
    made = TwoViews(WIDTH, ITEMS, heads, kind, settings, starts, scale).double()
    for name, parameter in made.named_parameters():
        if not name.endswith("exponent"):
            torch.nn.init.normal_(parameter, std=0.7)
    return made


def slow(
    made: TwoViews,
    items: torch.Tensor,
    head: str,
    candidate: int,
    histories: dict[str, list[int]],
    left_out: bool = False,
) -> float:
    """head(u, c) = scale · sum_view w_head,view r_c . u_view + b_c"""
    row = made.heads.index(head)  # type: ignore[arg-type]
    total = float(made.item_bias[head][candidate].detach()) if head in made.item_bias else 0.0
    for place, name in enumerate(NAMES[made.kind]):
        history = without(histories[name], candidate) if left_out else histories[name]
        score = slow_score(made.views[name], items, items, history, candidate, head)  # type: ignore[arg-type]
        total += float(made.weights[row, place].detach()) * made.scale * score
    return total


def assert_as_written(made: TwoViews, leave_one_out: bool) -> None:
    items = vectors(ITEMS, WIDTH)
    found = made(items, ragged(LIKES), ragged(DISLIKES), leave_one_out=leave_one_out)
    assert list(found) == list(made.heads)
    for head, scores in found.items():
        for user, (likes, dislikes) in enumerate(zip(LIKES, DISLIKES, strict=True)):
            histories = {"likes": likes, "dislikes": dislikes, "rated": likes + dislikes}
            expected = [slow(made, items, head, c, histories, leave_one_out) for c in range(ITEMS)]
            assert scores[user].tolist() == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize("attention", ["none", "self", "candidate"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_head_weighs_the_views_and_leaves_an_item_out_of_the_view_it_sits_in(
    kind: Any, attention: str, leave_one_out: bool
) -> None:
    assert_as_written(model(kind, attention=attention), leave_one_out)


@pytest.mark.parametrize("leave_one_out", [False, True])
def test_the_methods_click_has_one_head_and_no_bias(leave_one_out: bool) -> None:
    made = model("both", heads=("click",), attention="self", biases=False, scale=WIDTH**-0.5)
    assert not made.item_bias
    assert made.leniency(torch.tensor([1.0]), torch.tensor([1.0])) is None
    assert_as_written(made, leave_one_out)


def test_three_heads_are_scored_at_once() -> None:
    assert_as_written(model("both", heads=("like", "meet", "judge")), True)


def test_scores_without_dropout_are_the_same_every_time_and_with_it_are_not() -> None:
    made, items, histories = model("both"), vectors(ITEMS, WIDTH), (ragged(LIKES), ragged(DISLIKES))
    assert torch.equal(made(items, *histories)["meet"], made(items, *histories)["meet"])
    assert not torch.equal(made(items, *histories, drop=0.5)["meet"], made(items, *histories, drop=0.5)["meet"])


def test_dropout_falls_on_candidates_and_on_histories_each_by_itself() -> None:
    # All items are vectors of ones and the views are identities: a score counts the dimensions that both roles kept,
    # each kept value doubled. With one mask for both roles, item 0 would keep all that its history keeps.
    torch.manual_seed(0)
    made = TwoViews(64, 200, ["click"], "both", PLAIN, None, 0.25)
    kept = made(torch.ones(200, 64), ragged([[0]]), ragged([[]]), drop=0.5)["click"][0].detach() / made.scale / 4
    assert torch.equal(kept, kept.round())
    assert kept[1:].std() > 1
    assert kept[0] < 28
    assert kept.max() < 64


def test_views_start_with_the_weights_of_their_heads() -> None:
    heads: Any = ["like", "meet", "judge"]
    made = TwoViews(WIDTH, ITEMS, heads, "both", PLAIN, None, 1.0)
    assert made.weights.tolist() == [pytest.approx([1, DISLIKES_START[head]]) for head in heads]
    assert TwoViews(WIDTH, ITEMS, ["click"], "both", PLAIN, None, 1.0).weights.tolist() == [[1, 1]]
    assert TwoViews(WIDTH, ITEMS, heads, "merged", PLAIN, None, 1.0).weights.tolist() == [[1]] * 3


def test_biases_start_where_they_are_told_to() -> None:
    starts = {"meet": torch.arange(ITEMS).float(), "judge": -torch.arange(ITEMS).float()}
    made = TwoViews(WIDTH, ITEMS, ["meet", "judge"], "both", PLAIN, Biases(starts, 0.6), 1.0)
    assert {head: bias.tolist() for head, bias in made.item_bias.items()} == {
        head: start.tolist() for head, start in starts.items()
    }
    with torch.no_grad():
        made.item_bias["meet"] += 1
    # What was handed in is not what is trained.
    assert starts["meet"].tolist() == list(range(ITEMS))


@pytest.mark.parametrize(("likes", "dislikes"), [(0, 0), (3, 0), (0, 4), (7, 2), (400, 100)])
def test_leniency_is_the_log_odds_of_the_damped_like_rate_against_everybodys(likes: int, dislikes: int) -> None:
    start = torch.zeros(ITEMS)
    made = TwoViews(WIDTH, ITEMS, ["meet", "judge"], "both", PLAIN, Biases({"meet": start, "judge": start}, 0.6), 1.0)
    with torch.no_grad():
        made.leniency_weight.fill_(0.7)
    found = made.leniency(torch.tensor([float(likes)]), torch.tensor([float(dislikes)]))
    assert found is not None
    rate = (likes + 5 * 0.6) / (likes + dislikes + 5)
    assert found.item() == pytest.approx(0.7 * (math.log(rate / (1 - rate)) - math.log(0.6 / 0.4)), abs=1e-5)


def test_a_model_without_judge_knows_no_leniency() -> None:
    made = TwoViews(WIDTH, ITEMS, ["meet"], "both", PLAIN, Biases({"meet": torch.zeros(ITEMS)}, 0.6), 1.0)
    assert made.leniency(torch.tensor([1.0]), torch.tensor([1.0])) is None


def test_the_catalogue_is_ranked_by_click_or_like_or_by_meet_and_a_share_of_judge() -> None:
    click, like, meet, judge = (vectors(2, 3, seed) for seed in range(4))
    assert torch.equal(preference({"click": click}, 0.5), click)
    assert torch.equal(preference({"like": like}, 0.5), like)
    assert torch.equal(preference({"meet": meet}, 0.5), meet)
    assert torch.equal(preference({"meet": meet, "judge": judge}, 0.25), meet + judge / 4)
    assert torch.equal(preference({"judge": judge, "meet": meet, "like": like}, 0.25), like)


def test_what_was_rated_is_told_apart_by_judge_where_there_is_one() -> None:
    click, like, meet, judge = (vectors(2, 3, seed) for seed in range(4))
    bias = torch.tensor([10.0, -5.0], dtype=torch.float64)
    assert torch.equal(judgement({"meet": meet, "judge": judge}, None), judge)
    shifted = judgement({"like": like, "meet": meet, "judge": judge}, bias)
    assert torch.equal(shifted, torch.stack([judge[0] + 10, judge[1] - 5]))
    assert torch.equal(judgement({"meet": meet, "judge": judge}, None, 0.5), judge + meet / 2)
    assert torch.equal(judgement({"like": like, "judge": judge}, bias, 0.5), judge + like / 2 + bias.unsqueeze(1))
    assert torch.equal(judgement({"meet": meet}, None, 0.5), meet)
    assert torch.equal(judgement({"click": click}, None), click)
    assert torch.equal(judgement({"like": like, "meet": meet}, None), like)
    assert torch.equal(judgement({"meet": meet}, None), meet)
