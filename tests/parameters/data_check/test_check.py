"""Counts against a plain count, what is warned of, what is refused, and how it is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.common.errors import InputError
from pipeline.parameters.data_check.check import DataCheck, Wishes
from pipeline.parameters.data_check.text import shown_check
from tests.parameters.data_check.worlds import checked, tables, write
from tests.recipes import recipe_tables, write_recipes

Tables = dict[str, pl.DataFrame]


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> DataCheck:
    return checked(write_recipes(tmp_path_factory.mktemp("data") / "recipes"))


def test_facts_are_those_of_a_plain_count(recipes: DataCheck) -> None:
    plain = recipe_tables()
    ratings = plain["interactions"].rows()
    counts = recipes.counts
    assert counts is not None
    users, rated = {user for user, _, _ in ratings}, {item for _, item, _ in ratings}
    assert (counts.users, counts.items, counts.interactions) == (len(users), 200, len(ratings))
    assert counts.density == pytest.approx(len(ratings) / (len(users) * 200))
    assert counts.items_rated == len(rated)
    assert (counts.items_with_text, counts.items_with_entity) == (200, 199)
    heads, relations, tails = (set(column) for column in zip(*plain["kg"].rows(), strict=True))
    assert (counts.triples, counts.relations, counts.entities) == (1000, len(relations), len(heads | tails))
    of_user = [sum(user == each for each, _, _ in ratings) for user in users]
    assert counts.ratings_of_users == np.median(of_user)
    assert counts.users_with_few == sum(count < 5 for count in of_user)
    assert not counts.timestamps
    assert recipes.likes == sum(stars >= 4 for _, _, stars in ratings)
    assert recipes.zeros == sum(stars < 4 for _, _, stars in ratings)
    assert recipes.scale is not None
    assert recipes.scale.counts == {str(n): sum(stars == n for _, _, stars in ratings) for n in range(1, 6)}


def test_settings_are_those_of_the_data_set(recipes: DataCheck) -> None:
    assert recipes.usable
    assert recipes.joining is not None
    assert recipes.joining.fits
    settings = recipes.settings()
    assert settings["source"]["type"] == "tables"
    assert settings["text_template"] == "{name}. {tags}"
    assert (settings["like_threshold"], settings["s_m"]) == (4, recipes.joining.s_m)
    assert isinstance(settings["like_threshold"], int)
    assert set(settings) == {"source", "text_template", "like_threshold", "feedback", "s_m"}


def test_a_given_split_is_proposed_where_there_is_one(tmp_path: Path) -> None:
    plain = recipe_tables()["interactions"]
    parts = ["train", "valid", "test", "train"]
    given = plain.with_columns(split=pl.Series([parts[row % 4] for row in range(len(plain))]))
    folder = write_recipes(tmp_path / "r")
    given.write_csv(folder / "interactions.csv")
    check = checked(folder)
    assert check.counts is not None
    assert check.counts.splits == {part: given["split"].to_list().count(part) for part in ("train", "valid", "test")}
    assert check.settings()["split"] == "given"
    assert "by the column split\n" in shown_check(check)
    other = checked(folder, Wishes(split="random"))
    assert other.settings()["split"] == "random"
    assert "by the column split, which is not read\n" in shown_check(other)
    assert "note: the interactions have a column split, which split random does not read\n" in shown_check(other)
    with pytest.raises(InputError, match=r"^settings of the data set: split: found 'mine', expected 'random', "):
        checked(folder, Wishes(split="mine"))


def drawn_zeros(frames: Tables, unlike: int = 0) -> Tables:
    """Likes alone, and as many zeros as likes for all users but some."""
    random = np.random.default_rng(1)
    rows = []
    for place, (user, part) in enumerate(sorted(frames["interactions"].partition_by("user_id", as_dict=True).items())):
        liked = part["item_id"].to_list()
        others = [item for item in frames["items"]["item_id"] if item not in liked]
        zeros = random.choice(others, len(liked) + (place < unlike), replace=False)
        rows += [(user[0], item, 1) for item in liked] + [(user[0], int(item), 0) for item in zeros]
    return frames | {"interactions": pl.DataFrame(rows, schema=["user_id", "item_id", "like"], orient="row")}


def test_zeros_that_somebody_drew_are_told_from_dislikes(tmp_path: Path, recipes: DataCheck) -> None:
    assert recipes.feedback is not None
    assert recipes.feedback.value == recipes.settings()["feedback"] == "rated"
    assert recipes.feedback.why == "likes and dislikes were given"
    count = 2 * len(recipe_tables()["interactions"])
    for unlike, value in ((0, "sampled"), (5, "sampled"), (6, "rated")):
        check = checked(write(tmp_path / str(unlike), drawn_zeros(recipe_tables(), unlike)))
        assert check.feedback is not None
        assert check.settings()["feedback"] == check.feedback.value == value, check.feedback
        # 45 of 50 users is nearly every one.
        assert value == "rated" or f"for {(50 - unlike) / 50:.1%} of the users" in check.feedback.why
    sampled = checked(tmp_path / "0")
    assert (sampled.likes, sampled.zeros) == (count // 2, count // 2)
    assert "train_users" not in sampled.settings()
    assert f"; {count // 2:,} zeros\n" in shown_check(sampled)
    assert " sampled: as many zeros as likes for 100.0% of the users" in shown_check(sampled)
    liked = checked(write(tmp_path / "liked", likes_only(recipe_tables())))
    assert liked.settings()["feedback"] == "liked"


def test_what_the_zeros_are_can_be_said_and_a_reader_may_know(tmp_path: Path) -> None:
    folder = write(tmp_path / "r", drawn_zeros(recipe_tables()))
    asked = checked(folder, Wishes(feedback="rated"))
    assert asked.settings()["feedback"] == "rated"
    with pytest.raises(InputError, match=r"feedback: found 'drawn', expected 'rated', 'liked' or 'sampled'$"):
        checked(folder, Wishes(feedback="drawn"))
    kgcn = tmp_path / "kgcn"
    kgcn.mkdir()
    rows = [(user, item) for user in range(12) for item in range(9) if (user + item) % 3]
    (kgcn / "ratings_final.txt").write_text("".join(f"{u}\t{i}\t{int((u * i) % 4 > 1)}\n" for u, i in rows))
    (kgcn / "kg_final.txt").write_text("".join(f"{item}\t0\t{20 + item % 3}\n" for item in range(9)))
    check = checked(kgcn)
    assert check.feedback is not None
    assert (check.feedback.value, check.feedback.why) == ("sampled", "as its reader knows")


def test_a_threshold_and_an_s_m_that_are_given_are_kept(tmp_path: Path) -> None:
    check = checked(write_recipes(tmp_path / "r"), Wishes(like_threshold=3, s_m=2, text_template="{tags}"))
    ratings = recipe_tables()["interactions"]["rating"]
    assert check.likes == int((ratings >= 3).sum())
    assert check.settings() | {"source": None} == {
        "source": None,
        "text_template": "{tags}",
        "like_threshold": 3,
        "feedback": "rated",
        "s_m": 2,
    }
    assert check.joining is not None
    assert not check.joining.fits
    assert any("item graph: s_m 2" in warning.problem for warning in check.warnings)


def test_all_is_there_as_json(recipes: DataCheck) -> None:
    content = json.loads(json.dumps(recipes.as_json()))
    assert content["usable"] is True
    assert content["counts"]["items_with_entity"] == 199
    assert content["joining"]["s_m"] == recipes.settings()["s_m"]
    assert content["threshold"]["value"] == 4


def test_the_text_has_facts_suggestions_and_the_verdict(recipes: DataCheck) -> None:
    lines = shown_check(recipes).splitlines()
    assert lines[0].endswith("recipes: tables")
    assert lines[-1] == "can be used"
    shown = {line.split()[0]: line for line in lines[1:-1]}
    assert {"users", "items", "interactions", "ratings", "likes", "triples", "s_m", "text"} <= set(shown)
    assert "199 (100%) with an entity" in shown["items"]
    assert "from 4 on (the upper third of 1 to 5)" in shown["likes"]
    assert "österreichisch" in shown["text"] or "provençal" in shown["text"]


def likes_only(frames: Tables) -> Tables:
    return frames | {"interactions": frames["interactions"].drop("rating").with_columns(like=pl.lit(1))}


def zeros(frames: Tables) -> Tables:
    rating = pl.when(pl.int_range(pl.len()) % 3 == 0).then(0).otherwise("rating")
    return frames | {"interactions": frames["interactions"].with_columns(rating=rating)}


def few_each(frames: Tables) -> Tables:
    few = frames["interactions"].filter(
        (pl.int_range(pl.len()).over("user_id") < 4) | (pl.col("user_id").str.ends_with("0"))
    )
    return frames | {"interactions": few}


def half_linked(frames: Tables) -> Tables:
    return frames | {"item_entities": frames["item_entities"].head(100)}


def no_text(frames: Tables) -> Tables:
    return frames | {"items": frames["items"].select("item_id")}


def half_without_text(frames: Tables) -> Tables:
    name = pl.when(pl.col("item_id") < 1100).then("name")
    return frames | {"items": frames["items"].select("item_id", name=name)}


def bad_name(frames: Tables) -> Tables:
    return frames | {"items": frames["items"].rename({"tags": "my-tags"})}


def two_bad_names(frames: Tables) -> Tables:
    items = frames["items"].rename({"tags": "my-tags"})
    return frames | {"items": items.with_columns(items["my-tags"].alias("a.b"))}


def capitals(frames: Tables) -> Tables:
    first = pl.when(pl.int_range(pl.len()) == 0).then(pl.col("user_id").str.to_uppercase()).otherwise("user_id")
    users = frames["interactions"].with_columns(user_id=pl.format("user {}", "user_id")).with_columns(user_id=first)
    return frames | {"interactions": users}


def wrong_links(frames: Tables) -> Tables:
    links = frames["item_entities"]
    mixed = np.random.default_rng(0).permutation(len(links))
    return frames | {"item_entities": links.with_columns(entity_id=links["entity_id"][mixed])}


def few_dislikes(frames: Tables) -> Tables:
    like = (pl.int_range(pl.len()) % 150 != 0).cast(pl.Int8)
    return frames | {"interactions": frames["interactions"].drop("rating").with_columns(like=like)}


CAUTIONS: dict[str, tuple[Callable[[Tables], Tables], str]] = {
    "likes only": (likes_only, "found no dislikes"),
    "few dislikes": (few_dislikes, "only 11 of 1,517 are dislikes"),
    "zeros": (zeros, "506 of 1,517 ratings are 0"),
    "few each": (few_each, "45 of 50 users have fewer than 5 ratings"),
    "half linked": (half_linked, "100 of 200 items have no entity"),
    "no text": (no_text, "found no column of text"),
    "half without text": (half_without_text, "100 of 200 have no text"),
    "bad name": (bad_name, "column my-tags: found a name that cannot be used in a text template"),
    "two bad names": (two_bad_names, "columns my-tags and a.b: found names that cannot be used in a text template"),
    "capitals": (capitals, "2 ids of users differ from another one only in capitals, such as 'USER "),
    "wrong links": (wrong_links, "no fact of the knowledge graph correlates with any category"),
}


@pytest.mark.parametrize("case", CAUTIONS)
def test_what_runs_but_not_well_is_warned_of(case: str, tmp_path: Path, recipes: DataCheck) -> None:
    change, text = CAUTIONS[case]
    assert not any(text in warning.problem for warning in recipes.warnings)
    check = checked(write(tmp_path, change(recipe_tables())))
    assert check.usable, check.errors
    assert any(text in warning.problem for warning in check.warnings), [w.problem for w in check.warnings]


def test_without_dislikes_nothing_but_the_threshold_is_set(tmp_path: Path) -> None:
    check = checked(write(tmp_path, likes_only(recipe_tables())))
    assert check.settings()["like_threshold"] is None
    assert "train_users" not in check.settings()
    assert any("chosen by other figures" in warning.problem for warning in check.warnings)


def test_filters_that_are_given_count(tmp_path: Path) -> None:
    check = checked(write(tmp_path, half_linked(recipe_tables())), linked_items_only=True)
    assert check.joining is not None
    assert check.joining.items == 100
    assert not any("have no entity" in warning.problem for warning in check.warnings)
    few = checked(write(tmp_path / "few", few_each(recipe_tables())), min_user_interactions=5)
    assert not any("have fewer than 5" in warning.problem for warning in few.warnings)


REFUSED: dict[str, tuple[Tables, Wishes, str]] = {
    "no likes": (
        {"interactions": tables()["interactions"].drop("rating").with_columns(like=pl.lit(0))},
        Wishes(),
        "column like: found no likes",
    ),
    "threshold too high": ({}, Wishes(like_threshold=9), "like_threshold: found 9, which no rating reaches"),
    "threshold without ratings": (
        {"interactions": tables()["interactions"].drop("rating").with_columns(like=pl.lit(1))},
        Wishes(like_threshold=4),
        "like_threshold: found 4, but the interactions have a like column",
    ),
    "unknown column": ({}, Wishes(text_template="{titel}"), "text_template: column titel: not found"),
    "no template": ({}, Wishes(text_template="{title"), "text_template: found '{title'"),
    "s_m too high": ({}, Wishes(s_m=50), "item graph: s_m 50: found 0 of the 2 edges"),
    "nothing shared": (
        {
            "kg": pl.DataFrame(
                {"head": [f"m{i}" for i in range(10)], "relation": "is", "tail": [f"t{i}" for i in range(10)]}
            )
        },
        Wishes(),
        "found no two items that share an entity",
    ),
    "all the same": (
        {"kg": pl.DataFrame({"head": [f"m{i}" for i in range(10)], "relation": "is", "tail": "t"})},
        Wishes(),
        "item graph: s_m 0: found an edge between every two items",
    ),
    "one pair": (
        {"kg": pl.DataFrame({"head": ["m0", "m1"], "relation": "is", "tail": "t"})},
        Wishes(),
        "item graph: s_m 0: found 1 of the 2 edges",
    ),
    "everybody rated everything": (
        {
            "interactions": pl.DataFrame(
                [(f"u{u}", i, 1 + (u + i) % 5) for u in range(9) for i in range(10)],
                schema=["user_id", "item_id", "rating"],
                orient="row",
            )
        },
        Wishes(),
        "found no item left unrated",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_stages_would_stop_at_is_refused(case: str, tmp_path: Path) -> None:
    changed, wishes, text = REFUSED[case]
    check = checked(write(tmp_path, changed), wishes)
    assert not check.usable
    assert any(text in error.sentence() for error in check.errors), [error.sentence() for error in check.errors]
    assert shown_check(check).splitlines()[-1].startswith("cannot be used: ")


def test_no_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: folder not found"):
        checked(tmp_path / "nowhere")


def test_findings_are_printed_with_what_to_do_on_lines_of_their_own(tmp_path: Path) -> None:
    wrong = tables()["interactions"].with_columns(user_id=pl.lit("a\nb"), rating=pl.lit("x\ny"))
    lines = shown_check(checked(write(tmp_path, {"interactions": wrong}))).splitlines()
    (error,) = [line for line in lines if line.startswith("error: ") and "rating" in line]
    assert error.endswith(
        "interactions.csv: column rating, line 2: found 'x\\ny', expected a number (and 103 more rows)"
    )
    assert lines[lines.index(error) + 1] == "  -> correct it, or remove these rows"
