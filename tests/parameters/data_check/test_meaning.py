"""What the numbers in a column `rating` mean: codes for no rating, and counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources.tables import TablesSource
from pipeline.parameters.data_check.check import DataCheck, Wishes
from pipeline.parameters.data_check.meaning import are_counts, codes_for_no_rating
from pipeline.parameters.data_check.text import shown_check
from tests.parameters.data_check.worlds import checked, tables, write


def ratings(values: dict[float, int]) -> pl.Series:
    return pl.Series("rating", [value for value, count in values.items() for _ in range(count)], dtype=pl.Float32)


def each(values: Any, count: int = 10) -> dict[float, int]:
    return dict.fromkeys(values, count)


STARS = each(range(1, 6))


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (STARS, []),
        (STARS | {-1: 12}, [-1]),
        (STARS | {-1: 1}, [-1]),
        (each(range(1, 11)) | {-1: 25}, [-1]),
        (each(np.arange(0.5, 5.5, 0.5)) | {-1: 12}, [-1]),
        (STARS | {-2: 3, -1: 12}, [-2, -1]),
        (STARS | {-99: 12}, [-99]),
        (STARS | {9: 12}, [9]),
        (STARS | {-5: 1}, []),
        (STARS | {-400: 1}, []),
        (STARS | {-400: 10}, [-400]),
        (STARS | {-1: 12, 99: 3}, [-1, 99]),
        # Jester: -10 to 10 in hundredths, 99 where a joke was not rated.
        (each(np.round(np.arange(-10, 10, 0.25), 2)) | {99: 300}, [99]),
        (each(np.round(np.arange(-10, 10, 0.25), 2)) | {-99: 300}, [-99]),
        # 0 is apart from a scale that does not begin at its first step.
        (each(range(2, 11)) | {0: 30}, [0]),
        (each(np.arange(1, 5.5, 0.5)) | {0: 30}, [0]),
        (each(range(20, 101, 10)) | {0: 30}, [0]),
        # Scales as they are.
        (each(range(6)) | {0: 60}, []),
        (each(np.arange(0, 5.5, 0.5)), []),
        (each([-1, 1]), []),
        (each([-1, 0, 1]), []),
        (each(range(-2, 3)), []),
        (each(range(-5, 6)), []),
        (each(range(1, 10)), []),
        (each([0, 5, 10]), []),
        (each(range(0, 101, 3)), []),
        (each([0, 1]), []),
        ({3: 5}, []),
        ({-1: 5}, []),
        ({-1: 5, 4: 5}, []),
    ],
)
def test_codes_for_no_rating_are_told_from_ratings(values: dict[float, int], codes: list[float]) -> None:
    assert codes_for_no_rating(ratings(values)) == codes


def with_ratings(folder: Path, code: float, share: int = 5) -> Path:
    """Every so many-th rating is a code; a like is 4 or 5."""
    coded = pl.when(pl.int_range(pl.len()) % share == 0).then(pl.lit(code)).otherwise("rating")
    return write(folder, {"interactions": tables()["interactions"].with_columns(rating=coded)})


def of_codes(check: DataCheck) -> list[str]:
    return [
        f"{warning.problem} -> {warning.advice}"
        for warning in check.warnings
        if "codes for 'not rated'" in warning.problem
    ]


@pytest.mark.parametrize(("code", "taken"), [(-1, "dislikes"), (99, "likes"), (-9, "dislikes")])
def test_a_code_is_counted_and_the_advice_leaves_it_out(code: float, taken: str, tmp_path: Path) -> None:
    folder = with_ratings(tmp_path, code)
    check = checked(folder)
    assert of_codes(check) == [
        f"interactions: 21 of 104 ratings are {code}, apart from the scale of the others, 1 to 5: they look like codes for 'not rated', "
        f"and count as {taken} -> if {code} means that somebody did not rate, --not-rated {code} leaves them out"
    ]
    assert check.scale is not None
    assert (check.scale.low, check.scale.high) == (1, 5)
    assert check.threshold is not None
    assert (check.threshold.value, check.threshold.why) == (4, "the upper third of 1 to 5")
    right = checked(folder, Wishes(not_rated=[code]))
    assert right.usable
    assert of_codes(right) == []
    assert right.counts is not None
    assert right.counts.interactions == 83
    kept = [rating for place, rating in enumerate(tables()["interactions"]["rating"]) if place % 5]
    assert right.likes == sum(rating >= 4 for rating in kept)
    assert right.zeros == sum(rating < 4 for rating in kept)
    assert right.settings()["source"]["not_rated"] == [code]
    assert f"note: {folder}/interactions.csv: 21 of 104 interactions are left out" in shown_check(right)
    read = TablesSource(**right.settings()["source"]).read()
    assert read.interactions["rating"].to_list() == kept
    assert len(read.remarks) == 1


def test_zeros_that_may_be_no_ratings_are_left_out_by_the_advice(tmp_path: Path) -> None:
    folder = with_ratings(tmp_path, 0)
    (found,) = [warning for warning in checked(folder).warnings if "ratings are 0" in warning.problem]
    assert found.advice == "if 0 means that somebody did not rate, --not-rated 0 leaves them out"
    right = checked(folder, Wishes(not_rated=[0.0]))
    assert right.zeros == sum(
        rating < 4 for place, rating in enumerate(tables()["interactions"]["rating"]) if place % 5
    )


def test_a_mistake_in_what_is_kept_is_named_by_its_line(tmp_path: Path) -> None:
    folder = with_ratings(tmp_path, -1)
    lines = (folder / "interactions.csv").read_text().splitlines()
    lines[3] = lines[3].rpartition(",")[0] + ",good"
    (folder / "interactions.csv").write_text("\n".join(lines))
    (found,) = checked(folder, Wishes(not_rated=[-1])).errors
    assert (found.column, found.row) == ("rating", "line 4")


def test_ratings_to_leave_out_where_there_are_likes_are_refused(tmp_path: Path) -> None:
    made = tables()["interactions"].drop("rating").with_columns(like=pl.lit(1))
    with pytest.raises(
        InputError, match=r"source\.not_rated: found -1, but .*interactions\.csv has likes and no ratings"
    ):
        checked(write(tmp_path, {"interactions": made}), Wishes(not_rated=[-1]))


def long_tail(count: int, middle: float) -> list[float]:
    """Numbers about a median, a few of them a hundred times it."""
    return [middle * float(np.exp(place)) for place in np.linspace(-3, 5, count)]


PLAYS = [round(value) + 1 for value in long_tail(200, 20)]
HOURS = [round(value, 1) + 0.1 for value in long_tail(200, 4)]
CLICKS = [count for count, often in zip(range(1, 9), (300, 90, 40, 20, 11, 6, 3, 1), strict=True) for _ in range(often)]


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        (PLAYS, True),
        (HOURS, True),
        (CLICKS, True),
        ([0] * 300 + PLAYS, True),
        ([round(value) for value in long_tail(500, 200)], True),
        ([1, 2, 3, 4, 5] * 20, False),
        ([1] * 60 + [2] * 20 + [3] * 10 + [4] * 5 + [5] * 3, False),
        (list(range(1, 11)) * 20, False),
        ([1] * 100 + list(range(2, 11)) * 5, False),
        (list(range(101)), False),
        (list(np.arange(0, 5.5, 0.5)) * 10, False),
        (list(np.arange(-10, 10, 0.25)), False),
        ([0, 1] * 10, False),
        ([7], False),
    ],
)
def test_counts_are_told_from_ratings(values: list[float], counts: bool) -> None:
    assert are_counts(pl.Series("rating", values, dtype=pl.Float32)) == counts


def with_values(folder: Path, values: list[float]) -> Path:
    made = tables(users=20, items=20)
    count = len(made["interactions"])
    evenly = np.sort(np.asarray(values, dtype=float))[np.linspace(0, len(values) - 1, count).astype(int)]
    drawn = np.random.default_rng(0).permutation(evenly)
    return write(folder, made | {"interactions": made["interactions"].with_columns(rating=pl.Series(drawn))})


@pytest.mark.parametrize(("values", "lowest"), [(PLAYS, 1), (HOURS, min(HOURS)), (CLICKS, 1)])
def test_every_count_is_proposed_as_a_like(values: list[float], lowest: float, tmp_path: Path) -> None:
    check = checked(with_values(tmp_path, values))
    assert check.usable
    (found,) = [warning for warning in check.warnings if "look like counts" in warning.problem]
    assert found.problem.endswith("a low count is not a dislike, so each is a like")
    assert check.counts is not None
    assert (check.likes, check.zeros) == (check.counts.interactions, 0)
    settings = check.settings()
    assert settings["feedback"] == "liked"
    assert settings["like_threshold"] == pytest.approx(lowest)
    assert "(a count; each row is a like); 0 zeros\n" in shown_check(check)
    # The advice, for whom they are ratings.
    words = found.advice.split()
    asked = Wishes(like_threshold=float(words[words.index("--like-threshold") + 1]), feedback=words[-1])
    rated = checked(tmp_path, asked)
    assert rated.usable
    assert not any("look like counts" in warning.problem for warning in rated.warnings)
    assert rated.zeros
    assert rated.settings()["feedback"] == "rated"
    halves = checked(tmp_path, Wishes(feedback="rated"))
    assert halves.settings()["like_threshold"] == pytest.approx(asked.like_threshold)


def test_counts_that_somebody_says_are_likes_are_all_of_them(tmp_path: Path) -> None:
    check = checked(with_values(tmp_path, PLAYS), Wishes(feedback="liked"))
    assert check.settings()["like_threshold"] == 1
    assert check.zeros == 0
    assert not any("look like counts" in warning.problem for warning in check.warnings)


def test_plays_in_the_layout_of_kgcn_are_likes(tmp_path: Path) -> None:
    rows = [(user, item) for user in range(20) for item in range(20) if (user + item) % 3]
    plays = [PLAYS[place % len(PLAYS)] for place in range(len(rows))]
    lines = [f"{user}\t{item}\t{count}" for (user, item), count in zip(rows, plays, strict=True)]
    (tmp_path / "user_artists.dat").write_text("\n".join(["userID\tartistID\tweight", *lines, ""]))
    (tmp_path / "item_index2entity_id.txt").write_text("".join(f"{item}\t{item}\n" for item in range(20)))
    (tmp_path / "kg.txt").write_text("".join(f"{item}\tgenre\t{100 + item % 4}\n" for item in range(20)))
    check = checked(tmp_path)
    assert check.usable
    assert (check.likes, check.zeros) == (len(rows), 0)
    assert check.settings()["feedback"] == "liked"
    assert checked(tmp_path, Wishes(feedback="rated")).zeros


def test_counts_below_a_threshold_are_left_out_and_no_dislikes(tmp_path: Path) -> None:
    check = checked(with_values(tmp_path, PLAYS), Wishes(like_threshold=5))
    assert check.settings()["feedback"] == "liked"
    (found,) = [warning for warning in check.warnings if "look like counts" in warning.problem]
    assert found.problem.endswith("so those below 5 are left out")
    assert any("are not likes and are left out (feedback: liked)" in note for note in check.splits)


def test_a_code_beside_counts_is_told_from_them(tmp_path: Path) -> None:
    check = checked(with_values(tmp_path, [*PLAYS, *[-1] * 40]))
    assert check.settings()["feedback"] == "liked"
    assert check.settings()["like_threshold"] == 1
    assert len(of_codes(check)) == 1


def test_likes_that_are_other_numbers_are_read_as_ratings_by_the_advice(tmp_path: Path) -> None:
    like = pl.when(pl.col("rating") >= 4).then(1).otherwise(-1)
    made = tables()["interactions"].with_columns(like=like).drop("rating")
    (found,) = checked(write(tmp_path, {"interactions": made})).errors
    assert found.advice == (
        "if they are numbers and the high ones are likes, --rename like=rating; otherwise write 0 or 1"
    )
    check = checked(tmp_path, Wishes(rename={"like": "rating"}))
    assert check.usable
    assert (check.likes, check.zeros) == (int((made["like"] == 1).sum()), int((made["like"] == -1).sum()))


def test_rows_without_a_rating_are_likes_and_a_pair_counts_once(tmp_path: Path) -> None:
    made = tables()["interactions"].drop("rating")
    folder = write(tmp_path, {"interactions": pl.concat([made, made.head(3)])})
    check = checked(folder)
    assert check.usable, check.errors
    assert "there is no column rating or like: each row is a like" in [found.problem for found in check.warnings]
    assert (check.likes, check.zeros) == (len(made), 0)
    assert "  100%, each row is a like; 0 zeros\n" in shown_check(check)
    assert check.reasons()["like_threshold"] == "each row is a like"
    assert check.settings()["feedback"] == "liked"
    source = check.settings()["source"]
    assert source["rows_are_likes"] is True
    read = TablesSource(**source).read()
    assert read.interactions["like"].all()
    assert len(read.interactions) == len(made)
    assert f"3 of {len(made) + 3} rows have a pair that a later row repeats: each pair counts once" in read.remarks[0]
    # What could be a rating under another name is asked for.
    (found,) = checked(write(tmp_path, {"interactions": made.with_columns(hours=pl.lit(2.5))})).errors
    assert found.advice == "if that is it, --rename hours=rating"
    with pytest.raises(
        InputError, match=r"^source\.rows_are_likes: found true, but .* has a column rating; expected false"
    ):
        TablesSource(**(source | {"rename": {"hours": "rating"}})).read()
    made = made.with_columns(like=pl.lit(1))
    assert checked(write(tmp_path, {"interactions": made})).settings()["feedback"] == "liked"
