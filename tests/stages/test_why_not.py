"""`crmman explain --why-not`: the reason that an item is not in a list, against the list that `recommend` gives by the same options."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tests.stages.conftest import Ask, Finished
from tests.stages.test_ask import USER, ratings, scores_by_all_ratings
from tests.stages.test_rules import GENRE
from tests.stages.workspace import GENRES, VARIANTS

FAVOURITE = GENRES[int(USER[1:]) % len(GENRES)]


def listed(answer: Any, *options: str) -> list[dict[str, Any]]:
    return list(answer("recommend", "--user", USER, *options)["recommendations"])


def unrated(finished: Finished) -> list[str]:
    return [item for item in GENRE if item not in {*np.concatenate(ratings(finished.workspace.root)).tolist()}]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_score_that_is_too_low_is_taken_apart_beside_the_last_of_the_list(
    finished: Finished, answer: Any, variant: str
) -> None:
    options = ["-k", "3", "--variant", variant]
    best, scores = listed(answer, *options), scores_by_all_ratings(finished.workspace.root, variant)
    in_list = {row["item_id"] for row in best}
    for item in [item for item in unrated(finished) if item not in in_list][::7]:
        found = answer("explain", "--user", USER, "--why-not", f"id:{item}", *options)
        assert [reason["code"] for reason in found["reasons"]] == ["score"]
        assert [(row["rank"], row["item_id"]) for row in found["list"]] == [
            (row["rank"], row["item_id"]) for row in best
        ]
        assert found["score"] == pytest.approx(scores[item], abs=1e-4)
        assert found["rank"] == 1 + sum(scores[other] > scores[item] for other in unrated(finished))
        parts = found["beside_the_last"]
        assert sum(part["contribution"] for part in parts) == pytest.approx(found["score"], abs=1e-9)
        assert sum(part["contribution_of_last"] for part in parts) == pytest.approx(best[-1]["score"], abs=1e-9)
        for part in parts:
            assert part["difference"] == part["contribution"] - part["contribution_of_last"]
        # The largest of all that is negative in its explanation.
        told = answer("explain", "--user", USER, "--item", f"id:{item}", "--variant", variant)["contributions"]
        negative = sorted(one["contribution"] for one in told if one["contribution"] < 0 and one["kind"] != "bias")
        assert [one["contribution"] for one in found["against"]] == pytest.approx(negative[:10])


def test_what_is_printed_of_both_scores_adds_up_column_by_column(finished: Finished, answer: Any, ask: Ask) -> None:
    item = unrated(finished)[5]
    text = ask("explain", "--user", USER, "--why-not", f"id:{item}", "-k", "2").out
    rows = re.findall(r"^(\S.*?) {2,}([+-]?[\d.]+) +([+-]?[\d.]+) +([+-]?[\d.]+)$", text, re.MULTILINE)
    *parts, (name, *score) = rows
    assert name == "score"
    digits = len(score[0].split(".")[1])
    for column in range(3):
        assert f"{sum(float(row[1 + column]) for row in parts):.{digits}f}" == f"{float(score[column]):.{digits}f}"
    for _, mine, last, difference in rows:
        assert f"{float(mine) - float(last):.{digits}f}" == f"{float(difference):.{digits}f}"
    found = answer("explain", "--user", USER, "--why-not", f"id:{item}", "-k", "2")
    assert float(score[0]) == pytest.approx(found["score"], abs=0.5 * 10**-digits + 1e-9)


def test_the_sentence_has_the_difference_that_the_table_has_and_names_nothing_that_is_zero(
    finished: Finished, answer: Any, ask: Ask
) -> None:
    in_list = {row["item_id"] for row in listed(answer, "-k", "3")}
    for item in [item for item in unrated(finished) if item not in in_list]:
        text = ask("explain", "--user", USER, "--why-not", f"id:{item}", "-k", "3").out
        (above,) = re.findall(r" has ([\d.]+) more\.", text)
        *_, difference = re.findall(r"^score .* -?([\d.]+)$", text, re.MULTILINE)
        assert above == difference
        assert not re.search(r"\(0\.0+, ", text)


def test_an_item_of_the_list_is_said_to_be_there(answer: Any, ask: Ask) -> None:
    second = listed(answer)[1]["item_id"]
    found = answer("explain", "--user", USER, "--why-not", f"id:{second}")
    assert [reason["code"] for reason in found["reasons"]] == ["listed"]
    assert found["beside_the_last"] == []
    out = ask("explain", "--user", USER, "--why-not", f"id:{second}").out
    assert out.endswith("\n\nIt is in the list, at place 2 of 10: `--item` explains its score.\n")


def test_what_they_have_rated_and_what_rules_leave_out_is_said(finished: Finished, answer: Any) -> None:
    likes, dislikes = ratings(finished.workspace.root)

    def codes(item: str, *options: str) -> list[str]:
        found = answer("explain", "--user", USER, "--why-not", f"id:{item}", *options)
        return [reason["code"] for reason in found["reasons"]]

    liked = answer("explain", "--user", USER, "--why-not", f"id:{likes[0]}")
    assert liked["reasons"][0]["words"].startswith("They liked it, and rated items are left out")
    assert codes(dislikes[0]) == ["rated"]
    assert codes(likes[0], "--seen", "-k", "60") == ["listed"]
    best = listed(answer)[0]["item_id"]
    assert codes(best, "--without", best) == ["rule"]
    assert codes(best, "--without", best, "--where", f"genre <> '{FAVOURITE}'") == ["rule", "rule"]
    assert codes(likes[0], "--where", f"genre <> '{GENRE[likes[0]]}'") == ["rated", "rule"]
    found = answer("explain", "--user", USER, "--why-not", best, "--without", best)
    assert found["reasons"][0]["words"] == "The rule `without` leaves it out."
    assert found["rules"] == {"without": [best]}


def test_enough_of_its_kind_and_others_that_are_less_alike_are_said(finished: Finished, answer: Any) -> None:
    best = [row["item_id"] for row in listed(answer)]
    assert {GENRE[item] for item in best[:2]} == {FAVOURITE}
    found = answer("explain", "--user", USER, "--why-not", best[1], "--at-most", "1", "--per", "genre")
    assert [reason["code"] for reason in found["reasons"]] == ["at_most"]
    assert f"Film number {best[0][1:]}" in found["reasons"][0]["words"]
    # Who would not come anyway is not kept out by the others of its kind.
    same = [item for item in unrated(finished) if GENRE[item] == FAVOURITE and item not in best[:2]]
    worst = min(same, key=scores_by_all_ratings(finished.workspace.root, "recommended").__getitem__)
    found = answer("explain", "--user", USER, "--why-not", worst, "-k", "2", "--at-most", "2", "--per", "genre")
    assert [reason["code"] for reason in found["reasons"]] == ["score"]
    unlike = [row["item_id"] for row in listed(answer, "--diversity", "1", "-k", "5")]
    out = next(item for item in best[:5] if item not in unlike)
    found = answer("explain", "--user", USER, "--why-not", out, "--diversity", "1", "-k", "5")
    assert [reason["code"] for reason in found["reasons"]] == ["diversity"]


def test_the_place_among_what_rules_leave_is_said_beside_the_place_among_all(finished: Finished, ask: Ask) -> None:
    scores = scores_by_all_ratings(finished.workspace.root, "recommended")
    left = [item for item in unrated(finished) if GENRE[item] != FAVOURITE]
    worst = min(left, key=lambda item: scores[item])
    out = ask("explain", "--user", USER, "--why-not", worst, "--where", f"genre <> '{FAVOURITE}'", "-k", "2").out
    assert f"\nRank {len(left)} of the {len(left)} that the rules allow and they have not rated.\n" in out
    assert "\nby rules: 40 of 60 items (where genre <> " in out
