from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.artifacts.data import INTERACTIONS, SAMPLED_ZEROS, UNRATED_CANDIDATES, USERS
from pipeline.common.errors import InputError
from pipeline.common.random_streams import stream
from pipeline.data.prepare import Prepared, _sample_unrated, prepare, with_likes
from pipeline.data.settings import DatasetConfig
from pipeline.data.splits import SPLITS

SCHEMA = {
    "user_id": pl.String,
    "item_id": pl.String,
    "rating": pl.Float32,
    "like": pl.Boolean,
    "timestamp": pl.Float64,
}
QUICK = settings(deadline=None, max_examples=40, derandomize=True)


def config(**changes: Any) -> DatasetConfig:
    values = {
        "feedback": "rated",
        "like_threshold": 4.0,
        "min_user_interactions": 1,
        "min_item_interactions": 0,
        "linked_items_only": False,
        "split": "random",
        "split_fractions": [0.6, 0.2, 0.2],
        "evaluated_users": 0,
    }
    return DatasetConfig(**(values | changes))


def world(users: int = 12, items: int = 30, share: float = 0.5, seed: int = 0) -> pl.DataFrame:
    """Each user rates about a share of the items, 1 to 5; timestamps repeat now and then."""
    draw = random.Random(seed)
    rows = [
        (f"u{user}", str(item), float(draw.randint(1, 5)), None, float(draw.randint(0, 50)))
        for user in range(users)
        for item in range(items)
        if draw.random() < share
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def items_of(count: int = 30) -> pl.DataFrame:
    return pl.DataFrame(
        {"item_id": [str(item) for item in range(count)], "title": [f"t{item}" for item in range(count)]}
    )


LINKS = pl.DataFrame({"item_id": ["0", "1"], "entity_id": ["e", "f"]})


def prepared(interactions: pl.DataFrame, items: pl.DataFrame | None = None, seed: int = 0, **changes: Any) -> Prepared:
    return prepare(interactions, items_of() if items is None else items, LINKS, config(**changes), seed)


def with_ids(result: Prepared) -> pl.DataFrame:
    """The interactions under the ids of the source."""
    return result.interactions.join(result.users, on="user").join(result.items.select("item", "item_id"), on="item")


def likes_in(result: Prepared, split: str) -> pl.DataFrame:
    return result.interactions.filter((pl.col("split") == split) & pl.col("like"))


def test_a_rating_at_the_threshold_is_a_like_and_one_below_it_a_dislike() -> None:
    rated = world().head(3).with_columns(rating=pl.Series([3.9, 4.0, 4.1], dtype=pl.Float32))
    assert with_likes(rated, 4.0)["like"].to_list() == [False, True, True]
    # 4.1 is no number of float32: the threshold is compared in the ratings' own precision.
    assert with_likes(rated, 4.1)["like"].to_list() == [False, False, True]


def test_a_table_of_likes_keeps_them() -> None:
    liked = world().head(3).with_columns(rating=None, like=pl.Series([True, False, True])).cast(SCHEMA)
    assert with_likes(liked, None)["like"].to_list() == [True, False, True]


def test_a_threshold_belongs_to_ratings_and_to_them_alone() -> None:
    rated = world()
    liked = rated.with_columns(rating=None, like=True).cast(SCHEMA)
    with pytest.raises(
        InputError, match=r"^like_threshold: found null, but the interactions have ratings; expected the"
    ):
        with_likes(rated, None)
    with pytest.raises(
        InputError, match=r"^like_threshold: found 4, but .* like column and no ratings; expected null$"
    ):
        with_likes(liked, 4.0)


def test_a_threshold_that_no_rating_reaches_comes_with_the_range() -> None:
    with pytest.raises(
        InputError, match=r"^like_threshold: found 6, which no rating reaches; expected a number from 1\.0 to 5\.0$"
    ):
        with_likes(world(), 6.0)


def test_a_table_without_a_like_is_refused() -> None:
    disliked = world().with_columns(rating=None, like=False).cast(SCHEMA)
    with pytest.raises(InputError, match=r"^interactions: column like: found no likes, expected some$"):
        prepared(disliked, like_threshold=None)


def test_users_and_items_get_dense_indices_in_the_order_of_their_ids() -> None:
    result = prepared(world())
    # Numbers by number, others by text: 2 before 10, u10 before u2.
    assert result.items["item_id"].to_list() == [str(item) for item in range(30)]
    assert result.items["item"].to_list() == list(range(30))
    assert result.items.columns == ["item", "item_id", "title"]
    assert result.users["user_id"].to_list() == sorted(f"u{user}" for user in range(12))
    assert result.users["user"].to_list() == list(range(12))


def test_numbers_come_before_words_and_leading_zeros_make_another_id() -> None:
    items = pl.DataFrame({"item_id": ["b", "10", "a", "2", "02", *map(str, range(100, 125))]})
    interactions = (
        world()
        .with_columns(item_id=(pl.col("item_id").cast(pl.Int64) % 25 + 100).cast(pl.String))
        .unique(["user_id", "item_id"], keep="first", maintain_order=True)
    )
    ordered = prepared(interactions, items).items["item_id"].to_list()
    assert ordered == ["02", "2", "10", *map(str, range(100, 125)), "a", "b"]


def test_interactions_keep_their_ratings_and_likes() -> None:
    interactions = world()
    result = with_ids(prepared(interactions))
    expected = {(user, item): (rating, rating >= 4) for user, item, rating, _, _ in interactions.iter_rows()}
    found = {(row["user_id"], row["item_id"]): (row["rating"], row["like"]) for row in result.iter_rows(named=True)}
    assert found == expected


def test_types_are_those_of_the_artifacts() -> None:
    result = prepared(world())
    for frame, table in (
        (result.interactions, INTERACTIONS),
        (result.users, USERS),
        (result.unrated_candidates, UNRATED_CANDIDATES),
    ):
        assert dict(frame.schema) == dict(table.columns)
    assert result.items.schema["item"] == pl.Int32


@QUICK
@given(
    order=st.randoms(use_true_random=False),
    split=st.sampled_from(["random", "temporal", "temporal-per-user"]),
    seed=st.integers(0, 5),
)
def test_the_order_of_input_rows_makes_no_difference(order: random.Random, split: str, seed: int) -> None:
    interactions, items = world(), items_of()
    first = prepared(interactions, items, seed, split=split)
    shuffled = interactions[order.sample(range(len(interactions)), len(interactions))]
    second = prepared(shuffled, items[order.sample(range(30), 30)], seed, split=split)
    assert second.interactions.equals(first.interactions)
    assert second.unrated_candidates.equals(first.unrated_candidates)
    assert second.items.equals(first.items)
    assert second.users.equals(first.users)


def test_the_seed_decides_the_random_split() -> None:
    first, again, other = (prepared(world(), seed=seed).interactions["split"].to_list() for seed in (1, 1, 2))
    assert first == again
    assert first != other


@QUICK
@given(
    fractions=st.sampled_from([[0.6, 0.2, 0.2], [0.8, 0.1, 0.1], [0.7, 0.1, 0.2], [0.5, 0.25, 0.25]]),
    split=st.sampled_from(["random", "temporal"]),
    seed=st.integers(0, 99),
)
def test_a_split_over_all_interactions_has_the_fractions(fractions: list[float], split: str, seed: int) -> None:
    interactions = world(seed=seed)
    result = prepared(interactions, split=split, split_fractions=fractions, seed=seed)
    count = len(interactions)
    first, second = round(count * fractions[0]), round(count * (fractions[0] + fractions[1]))
    sizes = Counter(result.interactions["split"])
    if len(result.interactions) == count:
        assert [sizes[part] for part in SPLITS] == [first, second - first, count - second]
    else:
        assert all(
            sizes[part] <= size for part, size in zip(SPLITS, (first, second - first, count - second), strict=True)
        )


def test_three_fifths_and_a_fifth_of_five_are_three_and_one() -> None:
    # .6 + .2 is below .8 in floating point.
    interactions = world(users=8, share=1.0).filter(pl.col("item_id").cast(pl.Int64) < 5)
    result = prepared(interactions, split="temporal-per-user", like_threshold=1.0)
    for part, expected in zip(SPLITS, (3, 1, 1), strict=True):
        counts = result.interactions.filter(pl.col("split") == part).group_by("user").len()["len"]
        assert counts.to_list() == [expected] * 8


def test_a_random_split_draws_from_all_users_and_items_alike() -> None:
    interactions = world(users=60, items=30, share=0.8)
    table = prepared(interactions, seed=3).interactions
    for column in ("user", "item"):
        shares = table.group_by(column).agg((pl.col("split") == "train").mean())["split"].to_numpy()
        assert abs(shares.mean() - 0.6) < 0.02
        assert shares.std() > 0.03
    halves = [
        table.filter(condition)["split"].eq("train").mean() for condition in (pl.col("user") < 30, pl.col("user") >= 30)
    ]
    assert all(abs(half - 0.6) < 0.05 for half in halves)


@QUICK
@given(seed=st.integers(0, 99))
def test_a_temporal_split_trains_on_the_oldest(seed: int) -> None:
    interactions = world(seed=seed)
    rows = sorted(interactions.iter_rows(), key=lambda row: (row[4], row[0], int(row[1])))
    count = len(rows)
    first, second = round(count * 0.6), round(count * 0.8)
    expected = {
        (user, item): "train" if place < first else "valid" if place < second else "test"
        for place, (user, item, *_) in enumerate(rows)
    }
    result = with_ids(prepared(interactions, split="temporal", seed=seed))
    found = {(row["user_id"], row["item_id"]): row["split"] for row in result.iter_rows(named=True)}
    assert found == {pair: part for pair, part in expected.items() if pair[0] in set(result["user_id"])}


@QUICK
@given(seed=st.integers(0, 99))
def test_a_temporal_split_within_each_user_trains_on_the_users_oldest(seed: int) -> None:
    interactions = world(seed=seed)
    result = with_ids(prepared(interactions, split="temporal-per-user", seed=seed))
    found = {(row["user_id"], row["item_id"]): row["split"] for row in result.iter_rows(named=True)}
    for user in set(result["user_id"]):
        own = [row for row in interactions.iter_rows() if row[0] == user]
        own.sort(key=lambda row: (row[4], int(row[1])))
        first, second = np.rint(len(own) * 0.6), np.rint(len(own) * (0.6 + 0.2))
        for place, (_, item, *_) in enumerate(own):
            assert found[user, item] == ("train" if place < first else "valid" if place < second else "test")


@pytest.mark.parametrize("split", ["temporal", "temporal-per-user"])
def test_a_temporal_split_needs_timestamps(split: str) -> None:
    interactions = world().with_columns(timestamp=None).cast(SCHEMA)
    with pytest.raises(InputError, match=rf"^split: found {split}, but the interactions have no timestamp column"):
        prepared(interactions, split=split)
    prepared(interactions)


def given_split(interactions: pl.DataFrame, *parts: str, seed: int = 0) -> pl.DataFrame:
    draw = random.Random(seed)
    return interactions.with_columns(split=pl.Series([draw.choice(parts) for _ in range(len(interactions))]))


def splits_of(result: Prepared) -> dict[tuple[str, str], str]:
    return {(row["user_id"], row["item_id"]): row["split"] for row in with_ids(result).iter_rows(named=True)}


def test_a_given_split_is_kept_row_for_row() -> None:
    interactions = given_split(world(), *SPLITS)
    expected = {(row[0], row[1]): row[-1] for row in interactions.iter_rows()}
    result = prepared(interactions.sample(fraction=1, shuffle=True, seed=3), split="given")
    assert splits_of(result) == expected
    assert not any("valid" in remark for remark in result.remarks)


def test_without_a_valid_it_is_cut_from_train_by_seed_and_test_stays() -> None:
    interactions = given_split(world(), "train", "test")
    expected = {(row[0], row[1]): row[-1] for row in interactions.iter_rows()}
    result = prepared(interactions, split="given", split_fractions=[0.5, 0.3, 0.2])
    found = splits_of(result)
    assert {pair for pair, part in found.items() if part == "test"} == {
        p for p, part in expected.items() if part == "test"
    }
    # The rule of `random`, over the rows of train: a permutation by the seed, valid beside train as 3 to 5.
    training = [
        (user, item)
        for user in sorted(set(interactions["user_id"]))
        for item in map(str, range(30))
        if expected.get((user, item)) == "train"
    ]
    place = stream(0, "split").permutation(len(training))
    valid = {pair for pair, at in zip(training, place, strict=True) if at >= np.rint(len(training) * 0.5 / 0.8)}
    assert {pair for pair, part in found.items() if part == "valid"} == valid
    assert (
        f"the given split has no valid: {len(valid)} of its {len(training)} training interactions were drawn by seed for it"
        in result.remarks
    )
    assert splits_of(prepared(interactions.reverse(), split="given", split_fractions=[0.5, 0.3, 0.2])) == found
    assert splits_of(prepared(interactions, split="given", seed=1)) != splits_of(prepared(interactions, split="given"))


def test_what_a_given_split_lacks_is_a_mistake() -> None:
    with pytest.raises(InputError, match=r"^split: found given, but the interactions have no column split; expected "):
        prepared(world(), split="given")
    with pytest.raises(InputError, match=r"^split: found given, but the interactions have no column split; expected "):
        prepared(world().with_columns(split=pl.lit(None, dtype=pl.String)), split="given")
    for parts, lacking in ((("train", "valid"), "test"), (("valid", "test"), "train")):
        with pytest.raises(
            InputError, match=rf"^interactions: column split: found no row with {lacking}, expected some$"
        ):
            prepared(given_split(world(), *parts), split="given")
    sour = given_split(world(), *SPLITS).with_columns(
        rating=pl.when(pl.col("split") == "test").then(1.0).otherwise("rating").cast(pl.Float32)
    )
    with pytest.raises(InputError, match=r"^interactions: found no like in the test split .* by the column split$"):
        prepared(sour, split="given")


def test_a_given_split_that_is_not_read_is_said() -> None:
    interactions = given_split(world(), *SPLITS)
    assert "the interactions have a column split, which split random does not read" in prepared(interactions).remarks
    assert splits_of(prepared(interactions)) == splits_of(prepared(world()))
    assert not any("column split" in remark for remark in prepared(world()).remarks)


def test_everybody_of_a_given_split_stays_whatever_they_like_in_training() -> None:
    rows = [
        ("new", "3", 5.0, None, 0.0, "test"),
        ("sour", "3", 1.0, None, 0.0, "test"),
        ("sour", "4", 1.0, None, 0.0, "train"),
    ]
    more = pl.DataFrame(rows, schema=SCHEMA | {"split": pl.String}, orient="row")
    result = prepared(pl.concat([given_split(world(), *SPLITS), more]), split="given")
    assert {"new", "sour"} <= set(result.users["user_id"])
    assert {("new", "3"), ("sour", "3"), ("sour", "4")} <= set(splits_of(result))
    without = 14 - len(set(likes_in(result, "train")["user"]))
    assert without >= 2
    assert any(
        remark.startswith(f"{without} of 14 users have no like in training; they stay, because the split was given")
        for remark in result.remarks
    )


def test_what_filters_take_from_a_given_test_split_is_said() -> None:
    few = pl.DataFrame(
        [("few", "3", 5.0, None, 0.0, "train"), ("few", "4", 5.0, None, 0.0, "test")],
        schema=SCHEMA | {"split": pl.String},
        orient="row",
    )
    interactions = pl.concat([given_split(world(), *SPLITS), few])
    of_test = len(interactions.filter(pl.col("split") == "test"))
    words = f"1 of the {of_test} test interactions of the given split are left out by these filters"
    assert any(words in remark for remark in prepared(interactions, split="given", min_user_interactions=3).remarks)
    known = [str(item) for item in range(20)]
    links = pl.DataFrame({"item_id": known, "entity_id": known})
    linked = prepare(interactions, items_of(), links, config(split="given", linked_items_only=True), 0)
    lost = len(interactions.filter(pl.col("split") == "test", ~pl.col("item_id").is_in(known)))
    assert any(f"{lost} of the {of_test} test interactions" in remark for remark in linked.remarks)
    assert not any("filters" in remark for remark in prepared(interactions, split="given").remarks)


def test_users_without_a_like_in_training_are_dropped_and_counted() -> None:
    sour = pl.DataFrame(
        [("sour", str(item), 1.0, None, float(item)) for item in range(10)]
        + [("late", str(item), 5.0 if item == 9 else 1.0, None, float(item)) for item in range(10)],
        schema=SCHEMA,
        orient="row",
    )
    result = prepared(pl.concat([world(), sour]), split="temporal-per-user")
    assert result.users["user_id"].to_list() == sorted(f"u{user}" for user in range(12))
    assert "2 of 14 users have no like in training and are dropped" in result.remarks
    assert set(likes_in(result, "train")["user"]) == set(range(12))
    # Their interactions took part in the split all the same: who is dropped is known only after it.
    assert not any("dropped" in remark for remark in prepared(world(), split="temporal-per-user").remarks)


def test_no_user_with_a_like_in_training_is_a_mistake() -> None:
    rows = [("u", str(item), 5.0 if item == 9 else 1.0, None, float(item)) for item in range(10)]
    with pytest.raises(InputError, match=r"^interactions: found no user with a like in training; lower like_threshold"):
        prepared(pl.DataFrame(rows, schema=SCHEMA, orient="row"), split="temporal-per-user")


@pytest.mark.parametrize(("liked", "part"), [((0, 9), "valid"), ((0, 7), "test")])
def test_a_split_without_a_like_is_a_mistake(liked: tuple[int, int], part: str) -> None:
    rows = [("u", str(item), 5.0 if item in liked else 1.0, None, float(item)) for item in range(10)]
    with pytest.raises(
        InputError,
        match=rf"^interactions: found no like in the {part} split of users .* \[0\.6, 0\.2, 0\.2\]",
    ):
        prepared(pl.DataFrame(rows, schema=SCHEMA, orient="row"), split="temporal")


def test_linked_items_only_leaves_out_items_without_an_entity_and_their_interactions() -> None:
    links = pl.DataFrame({"item_id": [str(item) for item in range(20)] + ["0"], "entity_id": ["e"] * 20 + ["f"]})
    result = prepare(world(), items_of(), links, config(linked_items_only=True), 0)
    assert result.items["item_id"].to_list() == [str(item) for item in range(20)]
    assert set(with_ids(result)["item_id"]) <= {str(item) for item in range(20)}
    assert len(result.interactions) == len(world().filter(pl.col("item_id").cast(pl.Int64) < 20))
    assert "10 of 30 items have no entity and are left out (linked_items_only)" in result.remarks
    assert len(prepare(world(), items_of(), links, config(), 0).items) == 30


def test_items_nobody_rated_stay_unless_items_need_interactions() -> None:
    items = items_of(40)
    assert len(prepared(world(), items).items) == 40
    result = prepared(world(), items, min_item_interactions=1)
    assert len(result.items) == 30
    assert "10 of 40 items have too few interactions and are left out" in result.remarks


@QUICK
@given(
    seed=st.integers(0, 999),
    share=st.floats(0.3, 0.9),
    users_need=st.integers(1, 6),
    items_need=st.integers(0, 6),
)
def test_filters_go_on_until_every_user_and_item_left_has_enough(
    seed: int, share: float, users_need: int, items_need: int
) -> None:
    draw = random.Random(seed)
    pairs = {(user, item) for user in range(10) for item in range(10) if draw.random() < share}
    left = set(pairs)
    while True:
        by_user, by_item = Counter(user for user, _ in left), Counter(item for _, item in left)
        kept = {(u, i) for u, i in left if by_user[u] >= users_need and by_item[i] >= items_need}
        if kept == left:
            break
        left = kept
    rows = [(f"u{user}", str(item), None, True, None) for user, item in sorted(pairs)]
    interactions = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    filters = {"min_user_interactions": users_need, "min_item_interactions": items_need, "like_threshold": None}
    if not left:
        with pytest.raises(InputError, match=r"^interactions: found none left after the filters; lower min_user_inter"):
            prepared(interactions, **filters)
        return
    if len(left) < 5:
        return
    catalogue = {item for _, item in left} if items_need else set(range(30))
    if Counter(user for user, _ in left).most_common(1)[0][1] == len(catalogue):
        # Somebody rated all that is left: the ctr protocol may have no candidates, which is a mistake of its own.
        return
    try:
        result = prepared(interactions, **filters)
    except InputError as error:
        # Those whose likes fell into a held-out split may have rated everything, even where others have not.
        if "found no item left unrated" not in str(error):
            raise
        return
    assert set(result.items["item_id"]) == {str(item) for item in catalogue}
    trained = set(result.users["user_id"])
    found = set(with_ids(result).select("user_id", "item_id").iter_rows())
    assert found == {(f"u{user}", str(item)) for user, item in left if f"u{user}" in trained}
    if len(left) < len(pairs):
        text = f"{len(pairs) - len(left)} of {len(pairs)} interactions belong to users or items with too few and are left out"
        assert text in result.remarks


@QUICK
@given(seed=st.integers(0, 99))
def test_each_later_like_has_an_item_that_its_user_never_rated(seed: int) -> None:
    result = prepared(world(seed=seed, share=0.4), seed=seed)
    candidates = result.unrated_candidates
    rated = set(result.interactions.select("user", "item").iter_rows())
    drawn = list(candidates.select("user", "item").iter_rows())
    assert len(drawn) == len(set(drawn))
    assert not rated & set(drawn)
    assert candidates["item"].is_between(0, 29).all()
    for part in ("valid", "test"):
        wanted = Counter(likes_in(result, part)["user"])
        assert Counter(candidates.filter(pl.col("split") == part)["user"]) == wanted
    assert set(candidates["split"]) == {"valid", "test"}


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.integers(1, 6), st.integers(2, 40), st.floats(0.1, 1.0), st.integers(0, 1000))
def test_candidates_are_those_that_a_list_of_every_users_unrated_items_gives(
    users: int, items: int, share: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    user, item = np.nonzero(random.random((users, items)) < share)
    drawn = random.choice(SPLITS, len(user), p=[0.4, 0.3, 0.3])
    # Every user has something, as after the filters.
    kept = pl.DataFrame({"user": np.unique(user, return_inverse=True)[1], "item": item, "split": drawn})
    if kept.is_empty():
        return
    table = kept.select(
        pl.col("user", "item").cast(pl.Int32), pl.Series("like", random.random(len(user)) < 0.6), "split"
    )
    found, short = _sample_unrated(table, items, seed)
    rows, lacking = [], 0
    draws = stream(seed, "unrated")
    for number in range(table["user"].n_unique()):
        own = table.filter(pl.col("user") == number)
        unrated = np.setdiff1d(np.arange(items), own["item"].to_numpy())
        valid, test = (own.filter(pl.col("like") & (pl.col("split") == split)).height for split in SPLITS[1:])
        chosen = draws.choice(unrated, size=min(valid + test, len(unrated)), replace=False).tolist()
        lacking += valid + test - len(chosen)
        cut = len(chosen) * valid // max(valid + test, 1)
        rows += [(number, each, "valid" if place < cut else "test") for place, each in enumerate(chosen)]
    assert (found.rows(), short) == (rows, lacking)
    assert found.schema == {"user": pl.Int32, "item": pl.Int32, "split": pl.String}


def test_candidates_are_drawn_from_all_unrated_items_alike() -> None:
    drawn: Counter[int] = Counter()
    for seed in range(60):
        drawn.update(prepared(world(users=20, share=0.3), items_of(60), seed).unrated_candidates["item"].to_list())
    rated_less, never_rated = (
        np.array([drawn[item] for item in part], dtype=float) for part in (range(30), range(30, 60))
    )
    # An item that no one rated can be drawn for each user, one of the first thirty for about seven in ten.
    assert never_rated.min() > 0.6 * never_rated.mean()
    assert 0.55 < rated_less.mean() / never_rated.mean() < 0.85


def test_a_user_who_rated_nearly_everything_gets_what_is_left_in_the_same_shares() -> None:
    interactions = world(users=4, share=1.0, seed=1).filter(
        ~((pl.col("user_id") == "u0") & pl.col("item_id").is_in(["3", "5", "7", "9"]))
    )
    result = prepared(interactions, like_threshold=1.0, split="temporal-per-user")
    candidates = result.unrated_candidates
    assert set(candidates["user"]) == {0}
    assert sorted(candidates["item"]) == [3, 5, 7, 9]
    # 5 likes in validation and 5 in test share 4 items.
    assert Counter(candidates["split"]) == {"valid": 2, "test": 2}
    short = len(likes_in(result, "valid")) + len(likes_in(result, "test")) - 4
    assert any(remark.startswith(f"{short} likes of users who rated almost everything") for remark in result.remarks)


def test_the_last_remark_counts_what_is_left() -> None:
    result = prepared(world())
    likes = int(result.interactions["like"].sum())
    total = len(result.interactions)
    assert result.remarks[-1] == f"12 users, 30 items, {total} interactions: {likes} likes, {total - likes} dislikes"


def labelled(users: int = 12, items: int = 30) -> pl.DataFrame:
    """Each user likes some items, and as many zeros were drawn from the rest."""
    draw = random.Random(4)
    rows = []
    for user in range(users):
        some = draw.sample(range(items), 16)
        rows += [(f"u{user}", str(item), None, place < 8, None) for place, item in enumerate(some)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def zeros_of(result: Prepared) -> dict[tuple[str, str], str]:
    frame = result.sampled_zeros.join(result.users, on="user").join(result.items.select("item", "item_id"), on="item")
    return {(row["user_id"], row["item_id"]): row["split"] for row in frame.iter_rows(named=True)}


def test_zeros_that_somebody_drew_are_negatives_of_validation_and_test_and_nothing_else() -> None:
    interactions = labelled()
    rated = prepared(interactions, like_threshold=None)
    sampled = prepared(interactions, like_threshold=None, feedback="sampled")
    likes = {(user, item) for user, item, _, like, _ in interactions.iter_rows() if like}
    # Each pair stays in the split that it would be in as a rating.
    assert splits_of(sampled) == {pair: part for pair, part in splits_of(rated).items() if pair in likes}
    assert zeros_of(sampled) == {
        pair: part for pair, part in splits_of(rated).items() if pair not in likes and part != "train"
    }
    assert sampled.interactions["like"].all()
    of_training = 12 * 8 - len(sampled.sampled_zeros)
    assert any(
        remark.startswith(f"{12 * 8} zeros were sampled") and f"{of_training} of training are left out" in remark
        for remark in sampled.remarks
    )
    assert len(rated.sampled_zeros) == 0
    assert sampled.sampled_zeros.schema == {name: SAMPLED_ZEROS.columns[name] for name in SAMPLED_ZEROS.columns}


def test_where_likes_alone_were_given_the_rest_is_left_out() -> None:
    interactions = labelled()
    liked = prepared(interactions, like_threshold=None, feedback="liked")
    assert splits_of(liked) == splits_of(prepared(interactions.filter("like"), like_threshold=None))
    assert len(liked.sampled_zeros) == 0
    assert "96 of 192 interactions are not likes and are left out (feedback: liked)" in liked.remarks
    # Of ratings, those below the threshold.
    rated = prepared(world(), feedback="liked")
    assert {row["rating"] for row in rated.interactions.iter_rows(named=True)} == {4.0, 5.0}


def test_zeros_that_somebody_drew_make_no_history_longer() -> None:
    few = pl.DataFrame(
        [("few", str(item), None, item < 3, None) for item in range(6)] + [("u0", "99", None, False, None)],
        schema=SCHEMA,
        orient="row",
    )
    items = items_of(100)
    interactions = pl.concat([labelled(), few])
    for least, stays in ((3, True), (4, False)):
        result = prepared(interactions, items, like_threshold=None, feedback="sampled", min_user_interactions=least)
        assert ("few" in set(result.users["user_id"])) == stays
        assert stays or not any(user == "few" for user, _ in zeros_of(result))
    # Where the split is given everybody stays, but for whom the filter leaves out.
    given = given_split(interactions, *SPLITS)
    result = prepared(given, items, like_threshold=None, feedback="sampled", split="given", min_user_interactions=4)
    assert not any(user == "few" for user, _ in zeros_of(result))
    assert "few" not in set(result.users["user_id"])
    # An item that nobody likes has no interaction, whatever was drawn.
    result = prepared(interactions, items, like_threshold=None, feedback="sampled", min_item_interactions=1)
    assert "99" not in set(result.items["item_id"])
    known = [str(item) for item in range(20)]
    links = pl.DataFrame({"item_id": known, "entity_id": known})
    linked = prepare(
        interactions, items, links, config(like_threshold=None, feedback="sampled", linked_items_only=True), 5
    )
    assert set(linked.items["item_id"]) == set(known)
    assert {item for _, item in zeros_of(linked)} <= set(known)
    assert zeros_of(linked)


def test_a_given_split_of_drawn_zeros_keeps_its_whole_test() -> None:
    interactions = given_split(labelled(), "train", "test")
    expected = {(row[0], row[1]): (row[3], row[-1]) for row in interactions.iter_rows()}
    result = prepared(interactions, like_threshold=None, feedback="sampled", split="given")
    found = {pair: (True, part) for pair, part in splits_of(result).items()}
    found |= {pair: (False, part) for pair, part in zeros_of(result).items()}
    of_test = {pair: kind for pair, kind in expected.items() if kind[1] == "test"}
    assert {pair: kind for pair, kind in found.items() if kind[1] == "test"} == of_test
    assert not any("filters" in remark for remark in result.remarks)
    # Zeros of training say nothing to anybody.
    whole = given_split(labelled(), *SPLITS)
    without = whole.filter((pl.col("split") != "train") | pl.col("like"))
    some, others = (
        prepared(frame, like_threshold=None, feedback="sampled", split="given") for frame in (whole, without)
    )
    for table in ("interactions", "unrated_candidates", "sampled_zeros", "users", "items"):
        assert getattr(some, table).equals(getattr(others, table))
    liked = prepared(interactions, like_threshold=None, feedback="liked", split="given")
    assert not any("filters" in remark for remark in liked.remarks)


def test_some_users_are_drawn_of_whom_figures_are() -> None:
    whole, some = prepared(world()), prepared(world(), evaluated_users=4)
    assert some.interactions.equals(whole.interactions)
    assert some.items.equals(whole.items)
    drawn = some.users.filter("evaluated")["user"].to_list()
    held_out = whole.interactions.filter((pl.col("split") != "train") & pl.col("like"))["user"]
    assert len(drawn) == 4
    assert set(drawn) <= set(held_out.to_list())
    assert some.users.drop("evaluated").equals(whole.users)
    assert some.unrated_candidates.equals(whole.unrated_candidates.filter(pl.col("user").is_in(drawn)))
    assert any("figures are of 4 users" in remark for remark in some.remarks)
    assert prepared(world(), evaluated_users=4).users.equals(some.users)
    others = [prepared(world(), seed=seed, evaluated_users=4).users.filter("evaluated") for seed in range(5)]
    assert len({tuple(other["user_id"]) for other in others}) > 1


@pytest.mark.parametrize("count", [0, 12, 1000])
def test_nobody_is_drawn_where_all_would_be(count: int) -> None:
    whole, some = prepared(world()), prepared(world(), evaluated_users=count)
    assert some.users.equals(whole.users)
    assert some.unrated_candidates.equals(whole.unrated_candidates)


def test_drawn_users_without_a_like_in_a_split_are_refused() -> None:
    rows = [("a", "0", "train"), ("a", "1", "valid"), ("b", "0", "train"), ("b", "2", "test")]
    given_split = pl.DataFrame(
        {
            "user_id": [row[0] for row in rows],
            "item_id": [row[1] for row in rows],
            "rating": pl.Series([5.0] * 4, dtype=pl.Float32),
            "like": pl.Series([None] * 4, dtype=pl.Boolean),
            "timestamp": pl.Series([None] * 4, dtype=pl.Float64),
            "split": [row[2] for row in rows],
        }
    )
    with pytest.raises(
        InputError, match=r"evaluated_users: found 1, none of whom has a like in the (valid|test) split"
    ):
        prepared(given_split, split="given", evaluated_users=1)
