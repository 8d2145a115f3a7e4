from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.errors import InputError
from pipeline.recommend.titles import Titles, article_first, plain, without_article

QUICK = settings(deadline=None, max_examples=150, derandomize=True)

# (id, title, year): remakes, the same film twice, articles at the end, names in brackets, numbers as titles.
FILMS: list[tuple[str, str, int | None]] = [
    ("1", "Toy Story", 1995),
    ("2", "Alien", 1979),
    ("3", "Aliens", 1986),
    ("4", "Alien 3", 1992),
    ("5", "Alien: Resurrection", 1997),
    ("6", "Birds, The", 1963),
    ("7", "Misérables, Les", 1995),
    ("8", "Postino, Il (The Postman)", 1994),
    ("9", "Seven (Se7en)", 1995),
    ("10", "Sabrina", 1954),
    ("11", "Sabrina", 1995),
    ("12", "Chasing Amy", 1997),
    ("13", "Chasing Amy", 1997),
    ("14", "Godfather: Part II, The", 1974),
    ("187", "Godfather, The", 1972),
    ("330", "187", 1997),
    ("15", "2001: A Space Odyssey", 1968),
    ("16", "M*A*S*H", 1970),
    ("17", "Empire Strikes Back, The", 1980),
    ("18", "Devil's Advocate, The", 1997),
    ("19", "Romeo & Juliet", None),
    ("20", "Die Hard", 1988),
    ("21", "Star Trek IV: The Voyage Home", 1986),
    ("22", "Good, The Bad and The Ugly, The", 1966),
    ("23", "Fanny och Alexander (1982)", None),
    ("24", "Rocky 5", 1990),
    ("25", "WALL-E", 2008),
    ("26", "八月の狂詩曲", 1991),
]
CATALOGUE = Titles(*map(list, zip(*FILMS, strict=True)))


def found(text: str) -> str:
    return CATALOGUE.ids[CATALOGUE.find(text)]


@pytest.mark.parametrize(
    ("text", "item_id"),
    [
        ("Toy Story", "1"),
        ("  toy   STORY ", "1"),
        ("ToyStory", "1"),
        ("Toy Story (1995)", "1"),
        ("toy story 1995", "1"),
        ("Toy Story [1996]", "1"),  # a year beside it
        ("Toy Story [1994]", "1"),
        ("Toy Storry", "1"),
        ("Alien", "2"),
        ("Aliens", "3"),
        ("alien 3", "4"),
        ("Alein", "2"),
        ("The Birds", "6"),
        ("birds", "6"),
        ("Birds, the", "6"),
        ("les miserables", "7"),
        ("MISÉRABLES", "7"),
        ("Miserables, Les", "7"),
        ("Il Postino", "8"),
        ("postino", "8"),
        ("The Postman", "8"),
        ("se7en", "9"),
        ("seven (se7en)", "9"),
        ("Sabrina 1954", "10"),
        ("sabrina (1995)", "11"),
        ("Sabrina, 1996", "11"),
        ("godfather 2", "14"),
        ("Godfather Part II", "14"),
        ("the godfather", "187"),
        ("187 (1997)", "330"),
        ("2001", "15"),
        ("2001 a space odyssey (1968)", "15"),
        ("mash", "16"),
        ("M.A.S.H.", "16"),
        ("empire strikes", "17"),
        ("Empire Stikes Back", "17"),
        ("devils advocate", "18"),
        ("Devil’s Advocate", "18"),
        ("Romeo and Juliet", "19"),
        ("romeo & juliet 1996", "19"),  # of which no year is known
        ("die hard", "20"),
        ("Star Trek 4", "21"),
        ("voyage home", "21"),
        ("Hard", "20"),
        ("the good the bad and the ugly", "22"),
        ("fanny och alexander", "23"),
        ("Fanny och Alexander 1982", "23"),
        ("Wall·E", "25"),
        ("walle", "25"),
        ("八月の狂詩曲", "26"),
        ("id:12", "12"),
        ("id: 330", "330"),
        ("12", "12"),
    ],
)
def test_a_title_is_found_as_people_type_it(text: str, item_id: str) -> None:
    assert found(text) == item_id


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Sabrina", "found 2 items, expected one, so add the year or take its id: Sabrina (1954) id:10, Sabrina (1995) id:11"),
        ("Chasing Amy", "found 2 items, expected one, so take its id: Chasing Amy (1997) id:12, Chasing Amy (1997) id:13"),
        # A title that is the id of another item.
        ("187", "found 2 items, expected one, so add the year or take its id: Godfather, The (1972) id:187, 187 (1997) id:330"),
        ("Sabrina 1960", "found none from 1960, but Sabrina (1954) id:10, Sabrina (1995) id:11"),
        ("Alien 5", "found no such title; nearest: Alien (1979) id:2"),  # a number is no typo
        ("Rocky 6", "found no such title"),
        ("Sarafina", "found no such title"),  # Sabrina is another name
        ("Wale", "found no such title"),  # too short for a typo
        ("xyzzyx", "found no such title"),
        ("id:999", "found no item with the id '999'"),
        ("  ?! ", "found no letter or digit"),
        ("", "found no letter or digit"),
    ],
)  # fmt: skip
def test_what_is_no_single_item_is_said_with_candidates_and_their_ids(text: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        CATALOGUE.find(text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("toy story", True),
        ("id:1", True),
        ("1", True),
        ("Toy Story (1995)", True),
        ("the birds 1963", True),
        ("birds", True),
        ("se7en", False),
        ("Toy Story 1996", False),
        ("Toy Storry", False),
        ("empire strikes", False),
        ("Star Trek 4", False),
    ],
)
def test_what_was_typed_is_the_whole_title_or_less(text: str, named: bool) -> None:
    assert CATALOGUE.names(text, CATALOGUE.find(text)) == named


def test_a_list_of_candidates_ends_somewhere() -> None:
    many = Titles([str(number) for number in range(50)], ["The Same"] * 50, [None] * 50)
    with pytest.raises(InputError, match=r"found 50 items.*The Same id:9 and 40 more$"):
        many.find("same")


def test_every_title_with_its_year_or_its_id_finds_its_item() -> None:
    for item, (item_id, _, _) in enumerate(FILMS):
        assert CATALOGUE.find(f"id:{item_id}") == item
        if CATALOGUE.shown(item) != "Chasing Amy (1997)":
            assert CATALOGUE.find(CATALOGUE.shown(item)) == item


@QUICK
@given(st.sampled_from(FILMS), st.data())
def test_case_accents_and_punctuation_never_matter(film: tuple[str, str, int | None], data: st.DataObject) -> None:
    item_id, title, year = film
    typed = "".join(
        data.draw(st.sampled_from([c.lower(), c.upper()])) for c in title.replace("é", "e").replace("'", "")
    )
    wanted = CATALOGUE.matches(title)
    assert CATALOGUE.matches(typed.replace("-", data.draw(st.sampled_from(["-", " ", "–"])))) == wanted
    assert item_id in {CATALOGUE.ids[item] for item in wanted}
    if year is not None:
        assert item_id in {CATALOGUE.ids[item] for item in CATALOGUE.matches(f"{typed} ({year})")}


@QUICK
@given(st.text(max_size=30))
def test_any_text_is_an_item_or_a_mistake_in_one_line(text: str) -> None:
    try:
        assert 0 <= CATALOGUE.find(text) < len(FILMS)
    except InputError as error:
        assert "item " in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("  Amélie & the Devil's — Advocate, Part II!", "amelie and the devils advocate part 2"),
        ("Straße Ærø Łódź", "strasse aero lodz"),
        ("I, Robot; Malcolm X; Henry V", "i robot malcolm x henry v"),
        ("***", ""),
    ],
)
def test_plain(given_text: str, expected: str) -> None:
    assert plain(given_text) == expected


def test_articles() -> None:
    assert article_first("Enfer, L'") == "L' Enfer"
    assert article_first("Crazy, Stupid, Love") == "Crazy, Stupid, Love"
    bare = {"A Room": "room", "Room, A": "room", "The": "the", "Theatre, The": "theatre", "Die Hard": "die hard"}
    assert {title: without_article(title) for title in bare} == bare


def test_shown_with_the_year_and_short_where_the_title_is_enough() -> None:
    shown = {found(text): text for text in ("Toy Story (1995)", "Sabrina (1954)", "Romeo & Juliet")}
    for item_id, text in shown.items():
        assert CATALOGUE.shown(CATALOGUE.ids.index(item_id)) == text
    short = {"1": "Toy Story", "10": "Sabrina (1954)", "19": "Romeo & Juliet", "23": "Fanny och Alexander"}
    assert {item_id: CATALOGUE.short(CATALOGUE.ids.index(item_id)) for item_id in short} == short


def test_an_item_without_a_title_goes_by_its_id() -> None:
    titles = Titles(["a7", "b8"], [None, "  "], [None, 1990])
    assert [titles.shown(0), titles.shown(1)] == ["a7", "b8 (1990)"]
    assert titles.find("A7") == 0
