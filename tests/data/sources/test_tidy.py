from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.data.dates import seconds_of
from pipeline.data.sources.tidy import RawTable, TidyTables, tidy

PAIRS = {"user_id": ["u", "v"], "item_id": ["a", "b"]}
RATED = pl.DataFrame({**PAIRS, "rating": [4, 5]})
ITEMS = pl.DataFrame({"item_id": ["a", "b", "c"], "title": ["x", None, "z"]})
KG = pl.DataFrame({"head": ["e", "e"], "relation": ["r", "s"], "tail": ["f", "f"]})
LINKS = pl.DataFrame({"item_id": ["a", "b"], "entity_id": ["e", "e"]})


def tables(
    interactions: pl.DataFrame = RATED,
    items: pl.DataFrame = ITEMS,
    kg: pl.DataFrame = KG,
    links: pl.DataFrame = LINKS,
    **allowed: Any,
) -> TidyTables:
    """Interactions count rows from 0, as Parquet does, the others lines, as text files do."""
    return tidy(
        RawTable(interactions, "interactions.parquet"),
        RawTable(items, "items.csv", 2),
        RawTable(kg, "kg.tsv", 2),
        RawTable(links, "links.csv", 2),
        **allowed,
    )


def test_the_four_tables_get_their_stored_types() -> None:
    tidied = tables(RATED.with_columns(timestamp=pl.Series([1, 2])))
    assert tidied.interactions.schema == {
        "user_id": pl.String,
        "item_id": pl.String,
        "rating": pl.Float32,
        "like": pl.Boolean,
        "timestamp": pl.Float64,
        "split": pl.String,
    }
    assert tidied.interactions.rows() == [("u", "a", 4.0, None, 1.0, None), ("v", "b", 5.0, None, 2.0, None)]
    assert tidied.items.equals(ITEMS)
    assert tidied.kg.equals(KG)
    assert tidied.item_entities.equals(LINKS)
    assert tidied.remarks == []


def test_a_given_split_has_its_three_words_and_no_others() -> None:
    for column in (pl.Series(["test", "train"]), pl.Series(["test", "train"], dtype=pl.Categorical)):
        found = tables(RATED.with_columns(split=column)).interactions["split"]
        assert (found.dtype, found.to_list()) == (pl.String, ["test", "train"])
    for value, shown in (("Test", "'Test'"), (None, "no value"), ("", "''")):
        with pytest.raises(
            InputError,
            match=rf"^interactions\.parquet: column split, row 1: found {shown}, expected train, valid or test$",
        ):
            tables(RATED.with_columns(split=pl.Series(["train", value])))
    with pytest.raises(
        InputError, match=r"^interactions\.parquet: column split: found type Int64, expected train, valid or test$"
    ):
        tables(RATED.with_columns(split=pl.Series([0, 1])))


def test_integer_and_string_ids_are_the_same_ids() -> None:
    tidied = tables(
        pl.DataFrame({"user_id": [1, 2], "item_id": [10, 20], "rating": [1, 2]}),
        pl.DataFrame({"item_id": ["10", "20"]}),
        pl.DataFrame({"head": [7], "relation": [0], "tail": ["f"]}),
        pl.DataFrame({"item_id": pl.Series([10], dtype=pl.UInt8), "entity_id": [7]}),
    )
    assert tidied.interactions["item_id"].to_list() == ["10", "20"]
    assert tidied.kg.rows() == [("7", "0", "f")]
    assert tidied.item_entities.rows() == [("10", "7")]


def test_categorical_ids_are_strings() -> None:
    tidied = tables(RATED.with_columns(pl.col("user_id").cast(pl.Categorical)))
    assert tidied.interactions["user_id"].dtype == pl.String


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ([1.0, 2.0], "Float64"),
        ([True, False], "Boolean"),
        ([["x"], ["y"]], r"List\(String\)"),
        ([b"x", b"y"], "Binary"),
        ([Decimal("1.5"), Decimal("2")], "Decimal"),
        ([datetime.date(2020, 1, 1)] * 2, "Date"),
    ],
)
def test_ids_that_are_neither_integers_nor_strings_are_refused(ids: list[object], found: str) -> None:
    frame = RATED.with_columns(user_id=pl.Series(ids))
    with pytest.raises(
        InputError,
        match=rf"^interactions\.parquet: column user_id: found type {found}.*, expected integers or strings$",
    ):
        tables(frame)


@pytest.mark.parametrize(
    ("name", "table", "column"),
    [
        ("interactions", "interactions.parquet", "user_id"),
        ("interactions", "interactions.parquet", "item_id"),
        ("items", "items.csv", "item_id"),
        ("kg", "kg.tsv", "head"),
        ("kg", "kg.tsv", "relation"),
        ("kg", "kg.tsv", "tail"),
        ("links", "links.csv", "item_id"),
        ("links", "links.csv", "entity_id"),
    ],
)
def test_a_missing_column_a_missing_id_and_an_empty_table_are_named(name: str, table: str, column: str) -> None:
    frame = {"interactions": RATED, "items": ITEMS, "kg": KG, "links": LINKS}[name]
    rest = ", ".join(other for other in frame.columns if other != column) or "none"
    with pytest.raises(InputError, match=rf"^{table}: column {column}: not found; the file has: {rest}$"):
        tables(**{name: frame.drop(column)})
    place = "row 1" if name == "interactions" else "line 3"
    for nothing in (None, "", "  "):
        damaged = frame.with_columns(
            pl.when(pl.int_range(pl.len()) == 1).then(pl.lit(nothing)).otherwise(column).alias(column)
        )
        with pytest.raises(InputError, match=rf"^{table}: column {column}, {place}: found no value, expected an id$"):
            tables(**{name: damaged})
    with pytest.raises(InputError, match=rf"^{table}: found no rows, expected at least one$"):
        tables(**{name: frame.head(0)})


def test_a_column_without_any_id_is_refused_at_its_first_row() -> None:
    with pytest.raises(InputError, match="column user_id, row 0: found no value, expected an id"):
        tables(RATED.with_columns(user_id=None))


@pytest.mark.parametrize("column", ["rating", "timestamp"])
@pytest.mark.parametrize(
    ("value", "found"),
    [(None, "no value"), (float("nan"), "nan"), (float("inf"), "inf"), (float("-inf"), "-inf")],
)
def test_numbers_are_there_and_finite(column: str, value: float | None, found: str) -> None:
    frame = RATED.with_columns(pl.Series(column, [1.0, value]))
    with pytest.raises(
        InputError, match=rf"^interactions\.parquet: column {column}, row 1: found {found}, expected a number$"
    ):
        tables(frame)


@pytest.mark.parametrize("text", ["x", "", " 4", "4,5", "nan", "inf"])
def test_texts_that_are_no_numbers_are_shown(text: str) -> None:
    with pytest.raises(InputError, match=rf"column rating, row 1: found '?{text}'?, expected a number"):
        tables(pl.DataFrame({**PAIRS, "rating": ["4", text]}))


def test_a_rating_too_large_to_store_is_refused() -> None:
    with pytest.raises(InputError, match=r"column rating, row 0: found 1e\+39, expected a number"):
        tables(pl.DataFrame({**PAIRS, "rating": [1e39, 1.0]}))
    assert tables(RATED.with_columns(timestamp=1e39)).interactions["timestamp"][0] == 1e39


@pytest.mark.parametrize("column", ["rating", "timestamp"])
@pytest.mark.parametrize("value", [True, ["4"], b"4", {"a": 4}, datetime.time(1), datetime.timedelta(1)])
def test_columns_that_hold_no_numbers_are_refused(column: str, value: object) -> None:
    frame = RATED.with_columns(pl.Series(column, [value, value]))
    with pytest.raises(InputError, match=rf"^interactions\.parquet: column {column}: found type .*, expected numbers$"):
        tables(frame)


def test_numbers_may_be_texts_integers_or_decimals() -> None:
    for ratings in (["4", "4.5"], [Decimal("4"), Decimal("4.5")]):
        assert tables(pl.DataFrame({**PAIRS, "rating": ratings})).interactions["rating"].to_list() == [4.0, 4.5]


def test_dates_become_seconds_since_1970_in_universal_time() -> None:
    moment = datetime.datetime(2020, 1, 1, 12, 0, 0, 500_000)
    stamps = pl.Series([moment, moment])
    for column in (stamps, stamps.cast(pl.Datetime("ns")), stamps.cast(pl.Datetime("ms"))):
        assert tables(RATED.with_columns(timestamp=column)).interactions["timestamp"][0] == 1577880000.5
    in_berlin = stamps.dt.replace_time_zone("Europe/Berlin")
    assert tables(RATED.with_columns(timestamp=in_berlin)).interactions["timestamp"][0] == 1577876400.5
    day = pl.Series([datetime.date(2020, 1, 1)] * 2)
    assert tables(RATED.with_columns(timestamp=day)).interactions["timestamp"][0] == 1577836800.0
    with pytest.raises(InputError, match="column rating: found type Date, expected numbers"):
        tables(RATED.with_columns(rating=day))


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["0", "1", "x"])])
def test_what_is_stored_as_categories_is_read_as_text(dtype: pl.DataType | type[pl.DataType]) -> None:
    of = pl.Series(["1", "0"], dtype=dtype)
    assert tables(RATED.with_columns(rating=of, timestamp=of)).interactions["rating"].to_list() == [1.0, 0.0]
    assert tables(RATED.drop("rating").with_columns(like=of)).interactions["like"].to_list() == [True, False]
    with pytest.raises(InputError, match="column rating, row 1: found 'x', expected a number"):
        tables(RATED.with_columns(rating=pl.Series(["1", "x"], dtype=dtype)))


@pytest.mark.parametrize("likes", [[True, False], [1, 0], [1.0, 0.0], ["1", "0"], ["1.0", "0"], ["TRUE", "false"]])
def test_likes_may_be_booleans_numbers_or_words(likes: list[object]) -> None:
    tidied = tables(pl.DataFrame({**PAIRS, "like": likes})).interactions
    assert tidied["like"].to_list() == [True, False]
    assert tidied["rating"].null_count() == 2


@pytest.mark.parametrize(
    ("value", "found"),
    [(2, "2"), (0.5, "0.5"), (float("nan"), "nan"), (None, "no value"), ("yes", "'yes'"), ("", "''")],
)
def test_a_like_is_yes_or_no(value: object, found: str) -> None:
    first = "1" if isinstance(value, str) else True if value is None else 1
    frame = pl.DataFrame({**PAIRS, "like": [first, value]}, strict=False)
    with pytest.raises(
        InputError, match=rf"^interactions\.parquet: column like, row 1: found {found}, expected 0, 1, true or false$"
    ):
        tables(frame)


def test_a_column_of_likes_that_can_hold_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"column like: found type Date, expected 0, 1, true or false"):
        tables(pl.DataFrame({**PAIRS, "like": [datetime.date(2020, 1, 1)] * 2}))


def test_a_table_has_ratings_or_likes() -> None:
    with pytest.raises(InputError, match="columns rating, like: found both, expected exactly one of them"):
        tables(RATED.with_columns(like=True))
    with pytest.raises(InputError, match="columns rating, like: found neither, expected exactly one of them"):
        tables(RATED.drop("rating"))


def test_repeated_rows_are_named_by_their_second_place() -> None:
    twice = pl.DataFrame({"user_id": ["u", "u", "u"], "item_id": ["a", "b", "a"], "rating": [1, 2, 3]})
    with pytest.raises(
        InputError, match=r"^interactions\.parquet: row 2: found user_id u, item_id a a second time, expected it once$"
    ):
        tables(twice)
    with pytest.raises(InputError, match=r"^items\.csv: line 5: found item_id a a second time"):
        tables(items=pl.concat([ITEMS, ITEMS]))
    with pytest.raises(InputError, match=r"^links\.csv: line 4: found item_id a, entity_id e a second time"):
        tables(links=pl.concat([LINKS, LINKS]))


def test_an_item_may_have_several_entities() -> None:
    links = pl.DataFrame({"item_id": ["a", "a"], "entity_id": ["e", "f"]})
    assert tables(links=links).item_entities.equals(links)


def test_repeated_triples_count_once_and_are_mentioned() -> None:
    tidied = tables(kg=pl.concat([KG, KG.head(1)]))
    assert tidied.kg.equals(KG)
    assert tidied.remarks == ["kg.tsv: 1 repeated triples count once (a graph is a set of triples)"]


def test_an_unknown_item_is_named_where_it_stands() -> None:
    with pytest.raises(
        InputError,
        match=r"^interactions\.parquet: column item_id, row 1: found item 'z', expected one of the items in items\.csv$",
    ):
        tables(RATED.with_columns(item_id=pl.Series(["a", "z"])))
    with pytest.raises(InputError, match=r"^links\.csv: column item_id, line 3: found item 'z', expected one of"):
        tables(links=LINKS.with_columns(item_id=pl.Series(["a", "z"])))
    with pytest.raises(
        InputError, match=r"found item ' b  ', .* items\.csv \(without the spaces around it, it is one\)$"
    ):
        tables(RATED.with_columns(item_id=pl.Series(["a", " b  "])))


def test_links_of_unknown_items_are_left_out_with_a_remark_where_that_is_allowed() -> None:
    links = pl.DataFrame({"item_id": ["z", "a", "y"], "entity_id": ["e", "e", "e"]})
    tidied = tables(links=links, links_may_name_unknown_items=True)
    assert tidied.item_entities.rows() == [("a", "e")]
    assert tidied.remarks == ["links.csv: 2 links of items that are not in the data set are left out"]
    with pytest.raises(
        InputError, match=r"^links\.csv: found no link of the items in items\.csv, expected at least one"
    ):
        tables(links=links.filter(pl.col("item_id") != "a"), links_may_name_unknown_items=True)


def test_the_name_of_the_dense_index_is_reserved() -> None:
    with pytest.raises(InputError, match=r"^items\.csv: column item: the name is reserved"):
        tables(items=ITEMS.with_columns(item=1))


def test_a_row_knows_its_line_where_earlier_rows_have_several() -> None:
    assert RawTable(ITEMS, "f").row(1) == "row 1"
    assert RawTable(ITEMS, "f", 2).row(1) == "line 3"
    assert RawTable(ITEMS, "f", 2, lines=[2, 5, 6]).row(1) == "line 5"


def test_a_published_data_set_is_mended_and_each_change_is_remarked() -> None:
    rated = pl.DataFrame(
        {
            "user_id": ["u", "v", "u", "u", "v"],
            "item_id": ["a", "b", "a", "unknown", "b"],
            "rating": [4, 5, 1, 2, 3],
            "timestamp": [20, 30, 10, 10, 30],
        }
    )
    repeated_items = pl.concat([ITEMS, pl.DataFrame({"item_id": ["a"], "title": ["again"]})])
    repeated_links = pl.concat([LINKS, LINKS[:1], pl.DataFrame({"item_id": ["unknown"], "entity_id": ["e"]})])
    mended = tables(rated, repeated_items, links=repeated_links, mend=True)
    # Of u's ratings of a the later one; of v's two of b, at the same time, the one further down.
    assert sorted(mended.interactions.select("user_id", "item_id", "rating").rows()) == [
        ("u", "a", 4.0),
        ("v", "b", 3.0),
    ]
    assert mended.items.equals(ITEMS)
    assert mended.item_entities.equals(LINKS)
    assert mended.remarks == [
        "items.csv: 1 repeated items: the first of each counts",
        "links.csv: 1 repeated links: the first of each counts",
        "interactions.parquet: 1 of 5 interactions with items that items.csv lacks are left out",
        "interactions.parquet: 2 repeated interactions: the latest of each counts",
        "links.csv: 1 links of items that are not in the data set are left out",
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86400.0),
        ("1970-01-01 00:01", 60.0),
        ("1970-01-01T00:01:30.5", 90.5),
        ("1970-01-01T00:01:30Z", 90.0),
        ("1970-01-01T02:01:30+02:00", 90.0),
        ("1969-12-31 22:01:30-0200", 90.0),
        ("2019-05-01T12:30:00Z", 1556713800.0),
        ("2024-02-29", 1709164800.0),
    ],
)
def test_dates_are_seconds_since_1970(text: str, seconds: float) -> None:
    column = pl.Series([text] * len(RATED))
    assert tables(RATED.with_columns(timestamp=column)).interactions["timestamp"][0] == seconds


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2200, 1, 1), timezones=st.timezones()),
    st.sampled_from(["T", " "]),
)
def test_dates_are_those_that_python_reads(moment: datetime.datetime, separator: str) -> None:
    text = moment.replace(microsecond=0).isoformat(sep=separator)
    assume(re.search(r"[+-]\d{2}:\d{2}$", text))
    found = seconds_of(pl.Series([text]))[0]
    assert found == datetime.datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    "text", ["2019-02-30", "05/01/2019", "2019-05-01 25:00", "2019-05", "yesterday", "2019-05-01T1:2:3"]
)
def test_what_is_no_date_is_named(text: str) -> None:
    column = pl.Series(["2019-05-01", *[text] * (len(RATED) - 1)])
    with pytest.raises(
        InputError, match=r"column timestamp, row 1: found .*, expected seconds since 1970, or a date such as"
    ):
        tables(RATED.with_columns(timestamp=column))


def test_seconds_beside_dates_are_neither() -> None:
    column = pl.Series(["1556713800", *["2019-05-01"] * (len(RATED) - 1)])
    with pytest.raises(InputError, match="column timestamp, row 1: found '2019-05-01', expected a number"):
        tables(RATED.with_columns(timestamp=column))


def test_without_timestamps_the_last_of_repeated_interactions_counts() -> None:
    rated = pl.DataFrame({"user_id": [1, 1, 1], "item_id": ["a", "b", "a"], "rating": [4, 5, 1]})
    mended = tables(rated, mend=True).interactions
    assert sorted(mended.select("item_id", "rating").rows()) == [("a", 1.0), ("b", 5.0)]


def test_nothing_is_mended_where_nothing_is_wrong() -> None:
    mended, plain = tables(mend=True), tables()
    assert mended.interactions.equals(plain.interactions)
    assert (mended.items.equals(plain.items), mended.remarks) == (True, [])


def test_a_published_data_set_knows_most_of_the_items_rated() -> None:
    rated = pl.DataFrame({"user_id": ["u"] * 3, "item_id": ["a", "x", "y"], "rating": [1, 2, 3]})
    message = "^interactions.parquet: found {} of {} interactions with items that items.csv lacks, expected most of its"
    with pytest.raises(InputError, match=message.format(2, 3)):
        tables(rated, mend=True)
    assert len(tables(rated, mend=True, least_known=0.3).interactions) == 1
    with pytest.raises(InputError, match=message.format(2, 2)):
        tables(rated[1:], mend=True, least_known=0.0)


def test_a_row_that_is_mended_away_changes_no_line_of_those_below_it() -> None:
    items = pl.DataFrame({"item_id": ["a", "a", ""], "title": ["x", "y", "z"]})
    with pytest.raises(InputError, match=r"^items\.csv: column item_id, line 4: found no value"):
        tables(items=items, mend=True)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 2)), min_size=1, max_size=6), st.booleans(), st.booleans())
def test_the_first_repeat_is_named_whatever_the_ids_are(
    pairs: list[tuple[int, int]], texts: bool, sorted_: bool
) -> None:
    pairs = sorted(pairs) if sorted_ else pairs
    rated = pl.DataFrame(pairs, schema={"user_id": pl.Int64, "item_id": pl.Int64}, orient="row").with_columns(
        rating=3.0
    )
    items = pl.DataFrame({"item_id": ["-1", "0", "1", "2"], "title": "x"})
    links = pl.DataFrame({"item_id": ["1"], "entity_id": ["e"]})
    if texts:
        rated = rated.with_columns(pl.col("user_id", "item_id").cast(pl.String))
    repeated = next((place for place, pair in enumerate(pairs) if pair in pairs[:place]), None)
    if repeated is None:
        assert len(tables(rated, items=items, links=links).interactions) == len(pairs)
        return
    user, item = pairs[repeated]
    with pytest.raises(
        InputError, match=rf"^interactions\.parquet: row {repeated}: found user_id {user}, item_id {item} a second"
    ):
        tables(rated, items=items, links=links)
