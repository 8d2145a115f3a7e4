"""Every kind of problem is found, counted, and named by its first place."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources.tables import TablesSource
from pipeline.parameters.data_check.check import Wishes
from pipeline.parameters.data_check.findings import Finding, usual_scale
from tests.parameters.data_check.worlds import checked, tables, write

Change = Callable[[pl.DataFrame], pl.DataFrame]


def put(column: str, *values: tuple[int, object]) -> Change:
    """Other values in some rows of a column, which becomes text."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        found = frame[column].cast(pl.String).to_list()
        for row, value in values:
            found[row] = value
        return frame.with_columns(pl.Series(column, found, dtype=pl.String))

    return change


def errors_of(folder: Path, table: str, change: Change) -> list[Finding]:
    return checked(write(folder, {table: change(tables()[table])})).errors


def test_tables_that_are_right_have_no_error(tmp_path: Path) -> None:
    check = checked(write(tmp_path))
    assert check.errors == []
    assert check.usable


def test_a_header_without_rows_is_one_mistake(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text("user_id,item_id,rating\n")
    (error,) = checked(tmp_path).errors
    assert error.sentence() == f"{tmp_path}/interactions.csv: found no rows, expected at least one"


def test_either_of_ratings_and_likes_can_be_gone_by_as_advised(tmp_path: Path) -> None:
    rated = tables()["interactions"].with_columns(like=pl.lit(1))
    folder = write(tmp_path, {"interactions": rated})
    (error,) = checked(folder).errors
    assert error.advice == "to go by the ratings, --rename like=no_like; to go by the likes, --rename rating=no_rating"
    for theirs, threshold in (("like", True), ("rating", False)):
        check = checked(folder, Wishes(rename={theirs: f"no_{theirs}"}))
        assert check.usable
        assert (check.threshold is not None) == threshold


CASES: dict[str, tuple[str, Change, str, int]] = {
    "no user": (
        "interactions",
        put("user_id", (4, ""), (9, None)),
        "column user_id, line 6: found no value, expected an id",
        2,
    ),
    "blank item": (
        "interactions",
        put("item_id", (4, " ")),
        "column item_id, line 6: found no value, expected an id",
        1,
    ),
    "no number": (
        "interactions",
        put("rating", (2, "good"), (3, "nan"), (5, None)),
        "column rating, line 4: found 'good', expected a number",
        3,
    ),
    "unknown item": (
        "interactions",
        put("item_id", (7, "77")),
        "column item_id, line 9: found item '77', expected one of the items in",
        1,
    ),
    "rated twice": (
        "interactions",
        lambda f: pl.concat([f, f[:3]]),
        "line 106: found user_id u0, item_id 1 a second time, expected it once",
        3,
    ),
    "item twice": ("items", lambda f: pl.concat([f, f[4:5]]), "line 12: found item_id 4 a second time", 1),
    "link twice": (
        "item_entities",
        lambda f: pl.concat([f, f[:1]]),
        "line 12: found item_id 0, entity_id m0 a second time",
        1,
    ),
    "link of an unknown item": (
        "item_entities",
        put("item_id", (0, "77"), (3, "78")),
        "column item_id, line 2: found item '77', expected one of the items in",
        2,
    ),
    "no relation": ("kg", put("relation", (1, " ")), "column relation, line 3: found no value, expected an id", 1),
    "no time": (
        "interactions",
        lambda f: put("timestamp", (3, "today"))(f.with_columns(timestamp=pl.int_range(pl.len()))),
        "column timestamp, line 5: found 'today', expected a number",
        1,
    ),
    "no like": (
        "interactions",
        lambda f: put("like", (0, "2"))(f.drop("rating").with_columns(like=pl.lit(1))),
        "column like, line 2: found '2', expected 0, 1, true or false",
        1,
    ),
    "no split": (
        "interactions",
        lambda f: put("split", (2, "dev"), (4, None))(f.with_columns(split=pl.Series(["train", "test"] * 52))),
        "column split, line 4: found 'dev', expected train, valid or test",
        2,
    ),
    "split by number": (
        "interactions",
        lambda f: f.with_columns(split=pl.lit(1.5)),
        "column split, line 2: found '1.5', expected train, valid or test",
        104,
    ),
    "no tail": ("kg", lambda f: f.drop("tail"), "column tail: not found; the file has: head, relation", 0),
    "neither": (
        "interactions",
        lambda f: f.rename({"rating": "hours"}),
        "column rating, like: found neither, expected exactly one of them",
        0,
    ),
    "reserved": ("items", lambda f: f.rename({"title": "item"}), "column item: the name is reserved", 0),
    "no rows": ("kg", lambda f: f.clear(), "found no rows, expected at least one", 0),
}


@pytest.mark.parametrize("case", CASES)
def test_one_kind_of_problem(case: str, tmp_path: Path) -> None:
    table, change, text, count = CASES[case]
    (found,) = errors_of(tmp_path, table, change)
    assert found.file == str(tmp_path / f"{table}.csv")
    assert found.sentence().startswith(f"{found.file}: {text}")
    assert found.count == count
    # The stages stop at the same.
    with pytest.raises(InputError, match=f"{table}.csv: "):
        TablesSource(type="tables", path=str(tmp_path)).read()


def test_all_kinds_at_once_in_all_tables_and_the_facts_of_what_is_left(tmp_path: Path) -> None:
    plain = tables()
    rated = put("rating", (0, "x"), (1, "y"))(put("user_id", (2, ""))(put("item_id", (3, "99"))(plain["interactions"])))
    folder = write(
        tmp_path,
        {
            "interactions": pl.concat([rated, rated[-1:]]),
            "items": pl.concat([plain["items"], plain["items"][:2]]),
            "item_entities": put("entity_id", (9, None))(plain["item_entities"]),
        },
    )
    check = checked(folder)
    found = {(Path(error.file).stem, error.column, error.count) for error in check.errors}
    assert found == {
        ("interactions", "user_id", 1),
        ("interactions", "rating", 2),
        ("interactions", "item_id", 1),
        ("interactions", "", 1),
        ("items", "", 2),
        ("item_entities", "entity_id", 1),
    }
    assert not check.usable
    assert check.counts is not None
    assert (check.counts.interactions, check.counts.items) == (len(plain["interactions"]) - 4, 10)
    assert check.counts.items_with_entity == 9


def test_the_first_row_is_counted_as_its_file_counts(tmp_path: Path) -> None:
    folder = write(tmp_path, left_out=("items",))
    tables()["items"].with_columns(title=pl.lit("two\nlines")).write_csv(folder / "items.csv")
    frame = pl.read_csv(folder / "items.csv")
    pl.concat([frame, frame[3:4]]).write_csv(folder / "items.csv")
    (found,) = checked(folder).errors
    assert found.row == "line 22"
    (folder / "items.csv").unlink()
    pl.concat([tables()["items"], tables()["items"][3:4]]).write_parquet(folder / "items.parquet")
    (found,) = checked(folder).errors
    assert found.row == "row 10"


@pytest.mark.parametrize(
    ("ids", "hint"),
    [
        (lambda c: pl.concat_str(c.cast(pl.String), pl.lit(".0")), "differently"),
        (lambda c: pl.concat_str(pl.lit("00"), c.cast(pl.String)), "differently"),
        (lambda c: pl.concat_str(pl.lit("tt"), c.cast(pl.String)), "are both keyed by the same ids?"),
    ],
)
def test_ids_written_in_another_way_are_told_from_ids_of_something_else(
    ids: Callable[[pl.Expr], pl.Expr], hint: str, tmp_path: Path
) -> None:
    (found,) = errors_of(tmp_path, "interactions", lambda f: f.with_columns(item_id=ids(pl.col("item_id"))))
    assert found.count == len(tables()["interactions"])
    assert hint in found.advice


def test_a_decimal_comma_is_recognised(tmp_path: Path) -> None:
    (found,) = errors_of(tmp_path, "interactions", put("rating", (0, "4,5"), (1, "3,0")))
    assert "write decimals with a point, not a comma" in found.advice


def test_a_column_with_another_name_is_proposed_and_can_be_renamed(tmp_path: Path) -> None:
    names = {"user_id": "userId", "item_id": "Movie ID"}
    folder = write(tmp_path, {"interactions": tables()["interactions"].rename(names)})
    user, item = checked(folder).errors
    assert "--rename userId=user_id" in user.advice
    assert "--rename 'Movie ID=item_id'" in item.advice
    renamed = checked(folder, Wishes(rename={"userId": "user_id", "Movie ID": "item_id"}))
    assert renamed.usable
    assert renamed.source["rename"] == {"userId": "user_id", "Movie ID": "item_id"}
    with pytest.raises(InputError, match=r"source\.rename: found 'nobody'"):
        checked(folder, Wishes(rename={"nobody": "user_id"}))


def test_a_file_with_semicolons_is_recognised(tmp_path: Path) -> None:
    folder = write(tmp_path)
    tables()["kg"].write_csv(folder / "kg.csv", separator=";")
    (found,) = checked(folder).errors
    assert found.sentence() == f"{folder}/kg.csv: line 1: the fields look separated by ';', expected ','"
    assert found.advice.startswith("save the file with commas as .csv, or with tabs as .tsv, ")


def as_in_europe(frame: pl.DataFrame, mark: str, quote: str) -> str:
    """As a spreadsheet of most of Europe, or R's write.csv2, writes a table."""
    rows = [frame.columns, *([str(value).replace(".", ",") for value in row] for row in frame.rows())]
    return "\ufeff" + "".join(mark.join(f"{quote}{value}{quote}" for value in row) + "\r\n" for row in rows)


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_another_separator_is_told_by_the_header_also_where_values_have_commas(
    mark: str, quote: str, tmp_path: Path
) -> None:
    ratings = tables()["interactions"].with_columns(pl.col("rating") + 0.5)
    folder = write(tmp_path)
    path = folder / "interactions.csv"
    path.write_text(as_in_europe(ratings, mark, quote), newline="")
    (found,) = checked(folder).errors
    assert found.sentence() == f"{path}: line 1: the fields look separated by {mark!r}, expected ','"
    if mark == "\t":
        assert found.advice == "rename it interactions.tsv"
        path = path.rename(folder / "interactions.tsv")
        (found,) = checked(folder).errors
        assert found.advice == "write decimals with a point, not a comma"
        path.write_text(path.read_text().replace(",", "."))
    else:
        assert found.advice == (
            "save the file with commas as .csv, or with tabs as .tsv, text that contains the separator in double quotes, and a point "
            "before decimals"
        )
        path.write_text(path.read_text().replace(",", ".").replace(mark, ","))
    assert checked(folder).usable


def test_a_tab_file_called_csv_with_commas_in_its_titles_is_renamed(tmp_path: Path) -> None:
    items = tables()["items"].with_columns(pl.format("{}, the", "title"))
    folder = write(tmp_path, left_out=("items",))
    items.write_csv(folder / "items.csv", separator="\t", quote_style="never")
    (found,) = checked(folder).errors
    assert found.advice == "rename it items.tsv"
    (folder / "items.csv").rename(folder / "items.tsv")
    assert checked(folder).usable


def test_a_comma_file_called_tsv_is_renamed(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "kg.csv").rename(folder / "kg.tsv")
    (found,) = checked(folder).errors
    assert found.sentence() == f"{folder}/kg.tsv: line 1: the fields look separated by ',', expected '\\t'"
    assert found.advice == "rename it kg.csv"


@pytest.mark.parametrize("line", ["sep=,", "sep=;", '"sep=,"', "SEP=\t"])
def test_a_line_that_tells_excel_the_separator_is_to_be_removed(line: str, tmp_path: Path) -> None:
    folder = write(tmp_path)
    text = (folder / "items.csv").read_text()
    (folder / "items.csv").write_text(f"\ufeff{line}\r\n{text}", newline="")
    (found,) = checked(folder).errors
    assert "line 1: found 'sep=" in found.sentence().lower().replace('"', "")
    assert found.problem.endswith("which is for spreadsheets only, expected the header")
    assert found.advice == "remove this line"


def test_fields_between_spaces_are_recognised(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "kg.csv").write_text((folder / "kg.csv").read_text().replace(",", " "))
    found = checked(folder).errors
    assert {error.column for error in found} == {"head", "relation", "tail"}
    assert all(error.advice.startswith("the fields look separated by spaces: save") for error in found)


@pytest.mark.parametrize("line", ["", "1;2;3"])
def test_a_line_without_the_separator_is_told_from_one_with_too_many(line: str, tmp_path: Path) -> None:
    folder = write(tmp_path)
    text = (folder / "kg.csv").read_text()
    (folder / "kg.csv").write_text(f"{text}{line}\n{text.splitlines()[1]}x\n")
    (found,) = checked(folder).errors
    assert found.advice == "remove the line if it is empty, or write the header's separator between its fields"


def test_a_name_with_another_separator_in_it_is_no_mistake(tmp_path: Path) -> None:
    changed = tables()["items"].rename({"title": "title; a|b"})
    assert checked(write(tmp_path, {"items": changed})).usable
    assert checked(write(tmp_path, {"items": tables()["items"].select("item_id")})).usable


def test_rows_that_a_quote_has_taken_into_a_text_are_a_warning(tmp_path: Path) -> None:
    lines = {3: '3,"7 inch single', 5: '5,The 12"'}
    for name, more, found in (
        ("swallowed", lines, True),
        ("two columns of one text", {3: '3,"Film, a comedy', 5: '5,and a drama"'}, True),
        ("a text of two lines", {3: '3,"Film, a comedy\nand more, at last"'}, False),
        ("lines", {3: '3,"Film\nof\nlines"'}, False),
    ):
        folder = write(tmp_path / name)
        rows = (folder / "items.csv").read_text().splitlines()
        rows = [more.get(place - 1, row) for place, row in enumerate(rows)]
        (folder / "items.csv").write_text("\n".join(rows))
        warnings = [warning for warning in checked(folder).warnings if "look like rows" in warning.problem]
        assert [(warning.column, warning.row) for warning in warnings] == ([("title", "line 5")] if found else [])


def test_spaces_around_ids_are_a_warning(tmp_path: Path) -> None:
    change = put("user_id", (0, " u0"), (5, "u0 "))
    check = checked(write(tmp_path, {"interactions": change(tables()["interactions"])}))
    assert check.usable
    (found,) = [warning for warning in check.warnings if "spaces" in warning.problem]
    assert (found.column, found.row, found.count) == ("user_id", "line 2", 2)


def test_ids_with_accents_of_their_own_are_a_warning(tmp_path: Path) -> None:
    change = put("user_id", (0, "e\u0301lan"), (5, "\u00e9lan"))
    check = checked(write(tmp_path, {"interactions": change(tables()["interactions"])}))
    assert check.usable
    (found,) = [warning for warning in check.warnings if "NFD" in warning.problem]
    assert (found.column, found.row, found.count) == ("user_id", "line 2", 1)


def test_links_to_entities_without_a_triple_are_counted(tmp_path: Path) -> None:
    change = put("entity_id", (1, "nobody"), (4, "nothing"))
    check = checked(write(tmp_path / "some", {"item_entities": change(tables()["item_entities"])}))
    assert check.usable
    (found,) = [warning for warning in check.warnings if "no triple" in warning.problem]
    assert (found.count, found.column) == (2, "entity_id")
    every = checked(
        write(tmp_path / "all", {"item_entities": tables()["item_entities"].with_columns(entity_id="item_id")})
    )
    assert any("found no entity that" in error.problem for error in every.errors)


def test_triples_that_are_there_twice_are_a_warning(tmp_path: Path) -> None:
    kg = tables()["kg"]
    check = checked(write(tmp_path, {"kg": pl.concat([kg, kg[:4]])}))
    assert check.usable
    assert any("4 repeated triples count once" in warning.sentence() for warning in check.warnings)


RATINGS = [1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize(
    ("ratings", "usual"),
    [
        (RATINGS * 72, None),
        (RATINGS * 72 + [1e20], (1, 5)),
        (RATINGS * 72 + [1e20, 2e20, -1e20], (1, 5)),
        (RATINGS * 72 + [-999.0] * 15, (1, 5)),
        (RATINGS * 72 + [55.0], (1, 5)),
        # Half of all and more: that is how the scale is.
        (RATINGS * 72 + [99.0] * 200, None),
        (RATINGS * 72 + [0.0, 10.0], None),
        ([1.0] * 360, None),
        ([1.0] * 360 + [0.0], None),
        ([1.0] * 360 + [5.0], (1, 1)),
        # Plays of songs: a long tail, each a little beyond the one before.
        ([float(round(1.2**number)) for number in range(50) for _ in range(50 - number)], None),
        ([], None),
        ([3.0], None),
    ],
)
def test_the_usual_scale_is_what_nearly_all_ratings_lie_in(
    ratings: list[float], usual: tuple[float, float] | None
) -> None:
    for order in (ratings, ratings[::-1]):
        assert usual_scale(pl.Series("rating", order, dtype=pl.Float64)) == usual


def test_a_rating_that_is_a_scale_of_its_own_is_a_warning(tmp_path: Path) -> None:
    change = put("rating", (3, "1e20"), (7, "-400"))
    check = checked(write(tmp_path / "far", {"interactions": change(tables()["interactions"])}))
    assert check.usable
    (found,) = [warning for warning in check.warnings if "far from the scale" in warning.problem]
    assert found.sentence() == (
        f"{tmp_path}/far/interactions.csv: column rating, line 5: found 1e+20, far from the scale of the others, 1 to 5 (and 1 more row)"
    )
    assert not [warning for warning in checked(write(tmp_path / "near")).warnings if "far" in warning.problem]


def test_what_the_check_lets_through_the_stages_take_and_what_it_refuses_they_refuse(tmp_path: Path) -> None:
    """Values put anywhere: the check says "can be used" exactly where the reader raises nothing."""
    draw = random.Random(3)
    values = ["", None, " ", "x", "1", "1.5", "0", "nan", "u1", "true", "99", "m1", "é"]
    outcomes = []
    for number in range(60):
        changed = {}
        for name in draw.sample(sorted(tables()), draw.choice([1, 1, 2])):
            frame = tables()[name]
            column = draw.choice(frame.columns)
            changed[name] = put(column, (draw.randrange(len(frame)), draw.choice(values)))(frame)
        folder = write(tmp_path / str(number), changed)
        check = checked(folder)
        try:
            TablesSource(type="tables", path=str(folder)).read()
        except InputError as error:
            first = str(error)
            assert not check.usable, first
            assert any(first.split(": found")[0] in found.sentence() for found in check.errors), first
        else:
            assert check.usable, check.errors
        outcomes.append(check.usable)
    assert 5 < sum(outcomes) < 55
