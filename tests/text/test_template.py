from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.text.template import item_texts, render, template_fields

FULL = {"title": "Heat", "year": "1995", "genres": "Crime", "author": "Mann"}
QUICK = settings(deadline=None, max_examples=200, derandomize=True)
# What an item may have in a column: separators, brackets, quotes, control characters, anything.
TEXTS = st.text(st.sampled_from("aZé9 .,;:|/-–()[]{}<>\"'!?…\0\1\n\\"), max_size=12)


@pytest.mark.parametrize(
    ("template", "missing", "expected"),
    [
        ("{title} ({year}). {genres}", "", "Heat (1995). Crime"),
        ("{title} ({year}). {genres}", "title", "(1995). Crime"),
        ("{title} ({year}). {genres}", "year", "Heat. Crime"),
        ("{title} ({year}). {genres}", "genres", "Heat (1995)."),
        ("{title} ({year}). {genres}", "title year", "Crime"),
        ("{title} ({year}). {genres}", "title genres", "(1995)."),
        ("{title} ({year}). {genres}", "year genres", "Heat"),
        ("{title} ({year}). {genres}", "title year genres", ""),
        ("{title} ({year}). {genres}.", "year", "Heat. Crime."),
        ("{title} ({year}). {genres}.", "genres", "Heat (1995)."),
        ("{title}, {year}, {genres}", "title", "1995, Crime"),
        ("{title}, {year}, {genres}", "year", "Heat, Crime"),
        ("{title}, {year}, {genres}", "genres", "Heat, 1995"),
        ("{title}, {year}, {genres}", "title year", "Crime"),
        ("{title}, {year}, {genres}", "year genres", "Heat"),
        ("{title}, {year}, {genres}", "title genres", "1995"),
        ("{title}, {author}, {year}, {genres}", "author year", "Heat, Crime"),
        ("{title} - {year}", "title", "1995"),
        ("{title} - {year}", "year", "Heat"),
        ("{title} – {year} — {genres}", "year", "Heat – Crime"),
        ("{title} -- {year}", "year", "Heat"),
        ("{title} | {year} | {genres}", "year", "Heat | Crime"),
        ("{title}/{year}/{genres}", "year", "Heat/Crime"),
        ("{title}; {year}; {genres}", "year", "Heat; Crime"),
        ("{title} {year} {genres}", "year", "Heat Crime"),
        ("{title}{year}{genres}", "year", "HeatCrime"),
        ("{title}\n{year}\n{genres}", "year", "Heat\nCrime"),
        ("{title}. {year}. {genres}.", "year", "Heat. Crime."),
        ("{title}. {year}. {genres}.", "genres", "Heat. 1995."),
        ("{title}. {year}. {genres}.", "year genres", "Heat."),
        ("{title}. {year}. {genres}.", "title", "1995. Crime."),
        ("{title} [{year}]", "year", "Heat"),
        ("{title} <{year}>", "year", "Heat"),
        ('{title} "{year}"', "year", "Heat"),
        ("{title} '{year}'", "year", "Heat"),
        ("{title} {{{year}}}", "", "Heat {1995}"),
        ("{title} {{{year}}}", "year", "Heat"),
        ("({year}) {title}", "year", "Heat"),
        ("[{genres}] {title}", "title", "[Crime]"),
        ("{title} ({year}, {genres})", "year", "Heat (Crime)"),
        ("{title} ({year}, {genres})", "genres", "Heat (1995)"),
        ("{title} ({year}, {genres})", "year genres", "Heat"),
        ("{title} ({year}; {genres}; {author})", "year genres author", "Heat"),
        ("{title} ({year}; {genres}; {author})", "genres", "Heat (1995; Mann)"),
        ("{title} ({year} [{genres}])", "year genres", "Heat"),
        ("{title} ({year}) - {genres}", "year", "Heat - Crime"),
        ("{title} ({year}): {genres}", "year", "Heat: Crime"),
        ("{genres}: {title}, {year}", "title", "Crime: 1995"),
        ("{genres}: {title}, {year}", "genres", "Heat, 1995"),
        ("Title: {title}. Year: {year}. Genres: {genres}.", "", "Title: Heat. Year: 1995. Genres: Crime."),
        ("Title: {title}. Year: {year}. Genres: {genres}.", "title", "Year: 1995. Genres: Crime."),
        ("Title: {title}. Year: {year}. Genres: {genres}.", "year", "Title: Heat. Genres: Crime."),
        ("Title: {title}. Year: {year}. Genres: {genres}.", "genres", "Title: Heat. Year: 1995."),
        ("Title: {title}. Year: {year}. Genres: {genres}.", "title year genres", ""),
        ("{title} by {author} ({year})", "author", "Heat (1995)"),
        ("{title} by {author}, {year}", "author", "Heat, 1995"),
        ("{title} by {author}", "author", "Heat"),
        ("{title} ({title})", "title", ""),
        ("{title}{year} {genres}", "year", "Heat Crime"),
        ("{title}, a film", "title", ""),
        ("{title}\0 \1({year})", "year", "Heat"),
    ],
)
def test_missing_fields_take_their_brackets_words_and_separators_along(
    template: str, missing: str, expected: str
) -> None:
    values = {name: "" if name in missing.split() else text for name, text in FULL.items()}
    assert render(template, values) == expected


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        ("{a} {b}", {"a": "Alien -", "b": ""}, "Alien -"),
        ("{a}, {b}", {"a": "", "b": "...And Justice"}, "...And Justice"),
        ("{a}, {b}", {"a": "M*A*S*H: --", "b": ""}, "M*A*S*H: --"),
        ("{a}. {b}", {"a": "", "b": ".hack//Sign"}, ".hack//Sign"),
        ("{a}. {b}", {"a": "", "b": "-18 degrees"}, "-18 degrees"),
        (
            "{a} ({b}). {c}",
            {"a": "Se7en (a.k.a. Seven) - cut", "b": "", "c": "Sci-Fi, ()"},
            "Se7en (a.k.a. Seven) - cut. Sci-Fi, ()",
        ),
        ("{a} ({b})", {"a": "", "b": "()"}, "(())"),
        ("{a}, {b}", {"a": 'He said "" and []', "b": ""}, 'He said "" and []'),
        ("{a}, {b}", {"a": "{b}", "b": ""}, "{b}"),
        ("{a}, {b}", {"a": "\\1 \\g<0>", "b": ""}, "\\1 \\g<0>"),
        ("{a}, {b}", {"a": "  padded ", "b": " \t "}, "padded"),
        ("{a} ({b}). {c}", {"a": "Mother!", "b": "", "c": "Drama"}, "Mother! Drama"),
        ("{a} ({b}). {c}", {"a": "E.T.", "b": "", "c": "Drama"}, "E.T. Drama"),
        ("{a}.com, {b}", {"a": "Yahoo!", "b": ""}, "Yahoo!.com"),
    ],
)
def test_what_stands_in_a_text_is_left_as_it_is(template: str, values: dict[str, str], expected: str) -> None:
    assert render(template, values) == expected


@QUICK
@given(a=TEXTS, b=TEXTS, c=TEXTS)
def test_with_nothing_missing_a_template_is_filled_literally(a: str, b: str, c: str) -> None:
    a, b, c = ("x" + text + "x" for text in (a, b, c))
    assert render("{a} ({b}). {c}", {"a": a, "b": b, "c": c}) == f"{a} ({b}). {c}"


@QUICK
@given(a=TEXTS, b=TEXTS, c=TEXTS, separator=st.sampled_from([", ", " - ", " | ", "; ", "/", " ", ": "]))
def test_the_present_texts_are_joined_by_the_separator(a: str, b: str, c: str, separator: str) -> None:
    rendered = render(separator.join(["{a}", "{b}", "{c}"]), {"a": a, "b": b, "c": c})
    assert rendered == separator.join(text.strip() for text in (a, b, c) if text.strip()).strip()


@QUICK
@given(
    fields=st.lists(
        st.tuples(
            st.sampled_from(["{}", "({})", "[{}]", '"{}"', "by {}", "Label: {}"]), st.sampled_from(["", "x-y. z"])
        ),
        min_size=1,
        max_size=6,
    ),
    separators=st.lists(st.sampled_from([", ", ". ", " - ", " ", "; "]), min_size=6, max_size=6),
)
def test_no_trace_of_a_missing_field_is_left(fields: list[tuple[str, str]], separators: list[str]) -> None:
    template, values = "", {}
    for index, ((form, text), separator) in enumerate(zip(fields, separators, strict=False)):
        template += (separator if index else "") + form.format(f"{{f{index}}}")
        values[f"f{index}"] = text
    rendered = render(template, values)
    present = [form for form, text in fields if text]
    assert rendered.count("x-y. z") == len(present)
    around = rendered.replace("x-y. z", "T")
    assert not re.search(r"\(\s*\)|\[\s*\]|\"\s*\"|[,;]\s*[,;.]|^[\s,;.-]|[\s,;-]$|  |\x00|\x01", around), around
    for form, word in (("by {}", "by "), ("Label: {}", "Label: "), ("({})", "("), ("[{}]", "[")):
        assert around.count(word) == present.count(form)


def test_an_items_texts_are_read_from_columns_of_any_type() -> None:
    items = pl.DataFrame(
        {
            "item": [0, 1, 2],
            "genres": [["Crime", "Drama"], [], None],
            "year": [1995.0, None, float("nan")],
            "score": [1.5, 2.0, None],
            "pages": [3, None, 5],
            "title": ["Heat", None, " "],
        }
    )
    assert item_texts(items, "{title} ({year}). {genres}") == ["Heat (1995). Crime, Drama", "", ""]
    assert item_texts(items, "{score}") == ["1.5", "2.0", ""]
    assert item_texts(items, "{pages}") == ["3", "", "5"]


def test_lists_leave_out_their_nulls() -> None:
    assert item_texts(pl.DataFrame({"genres": [["a", None, "b"]]}), "{genres}") == ["a, b"]


def test_a_column_of_nulls_alone_is_missing_everywhere() -> None:
    items = pl.DataFrame({"title": ["Heat"], "year": [None]})
    assert item_texts(items, "{title} ({year})") == ["Heat"]


def test_an_unknown_column_is_named_beside_the_known_ones() -> None:
    items = pl.DataFrame({"item": [0], "item_id": ["1"], "name": ["Heat"]})
    with pytest.raises(InputError, match=r"^text_template: column title: not found .*expected: item_id, name$"):
        item_texts(items, "{title}")


def test_fields_are_named_in_order_and_may_be_words_of_python() -> None:
    assert template_fields("{movie_title} ({class}). {movie_title}") == ["movie_title", "class", "movie_title"]
    assert template_fields("{a b}") == ["a b"]


@pytest.mark.parametrize("template", ["{a", "a}", "{", "}{"])
def test_braces_that_do_not_match_are_refused(template: str) -> None:
    with pytest.raises(InputError, match=r"^text_template: found '.*expected column names in braces"):
        template_fields(template)


@pytest.mark.parametrize("template", ["{}", "{0}", "{a.b}", "{a[0]}", "{a!r}", "{a:>10}", "{a-b}"])
def test_only_plain_column_names_may_stand_in_braces(template: str) -> None:
    with pytest.raises(InputError, match="expected plain column names in braces"):
        template_fields(template)


@pytest.mark.parametrize("template", ["", "a film", "{{title}}"])
def test_a_template_without_a_field_is_refused(template: str) -> None:
    with pytest.raises(InputError, match="without a field; expected at least one column name"):
        template_fields(template)


@pytest.mark.parametrize(
    ("years", "expected"),
    [
        (["1955.0", None, "", "-750.0"], ["1955", "", "", "-750"]),
        (["1955.0", "1955.5"], ["1955.0", "1955.5"]),
        (["1955.0", "v2.0"], ["1955.0", "v2.0"]),
        ([None, ""], ["", ""]),
    ],
)
def test_a_year_that_a_text_file_has_as_a_decimal_is_a_year(years: list[str | None], expected: list[str]) -> None:
    items = pl.DataFrame({"year": pl.Series(years, dtype=pl.String)})
    assert item_texts(items, "{year}") == expected
