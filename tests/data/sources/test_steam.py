from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.sources import TidyTables
from pipeline.data.sources.steam import SteamSource

CSV = (
    '151603712,"The Elder Scrolls V Skyrim",purchase,1.0,0\n151603712,"The Elder Scrolls V Skyrim",play,273.0,0\n'
    '151603712,"Warhammer 40,000 Dawn of War II",purchase,1.0,0\n'
    "151603712,Spore,purchase,1.0,0\n151603712,Spore,play,0.3,0\n"
    "5250,Spore,purchase,1.0,0\n5250,Spore,play,14.9,0\n5250,Spore,play,2.0,0\n"
)
USERS = (
    "{'user_id': '76561197970982479', 'items_count': 2, 'steam_id': '76561197970982479', 'user_url': 'http://steamcommunity.com/x', "
    "'items': [{'item_id': '10', 'item_name': 'Counter-Strike', 'playtime_forever': 600, 'playtime_2weeks': 0}, "
    "{'item_id': '20', 'item_name': \"Day's \\u2122\", 'playtime_forever': 0, 'playtime_2weeks': 0}]}\n"
    "{'user_id': 'js41637', 'items_count': 1, 'steam_id': '1', 'user_url': 'u', 'items': [{'item_id': '20', "
    "'item_name': \"Day's \\u2122\", 'playtime_forever': 90, 'playtime_2weeks': 0}]}\n"
    "{'user_id': 'js41637', 'items_count': 1, 'steam_id': '1', 'user_url': 'u', 'items': [{'item_id': '20', "
    "'item_name': \"Day's \\u2122\", 'playtime_forever': 90, 'playtime_2weeks': 0}]}\n"
    # Three quarters of an hour.
    "{'user_id': 'once', 'items_count': 1, 'steam_id': '3', 'user_url': 'u', 'items': [{'item_id': '10', "
    "'item_name': 'Counter-Strike', 'playtime_forever': 45, 'playtime_2weeks': 0}]}\n"
    "{'user_id': 'nobody', 'items_count': 0, 'steam_id': '2', 'user_url': 'u', 'items': []}\n"
)
GAMES = (
    "{u'publisher': u'Valve', u'genres': [u'Action'], u'app_name': u'Counter-Strike', u'title': u'Counter-Strike', u'url': u'u', "
    "u'release_date': u'2000-11-01', u'tags': [u'Action', u'FPS'], u'specs': [u'Multi-player'], u'price': 9.99, u'early_access': False, "
    "u'id': u'10', u'developer': u'Valve'}\n"
    "{u'app_name': u'no id', u'price': u'Free'}\n"
    "{u'app_name': u'Not owned', u'id': u'99', u'genres': [u'Indie']}\n"
)
# Hours are texts, and not in all; `user_id` is in some.
REVIEWS = (
    "{u'username': u'Chaos Syren', u'hours': u'0.1', u'products': u'41', u'product_id': u'725280', u'page_order': 0, "
    "u'date': u'2017-12-17', u'text': u'This would not be acceptable as an \"entry\"', u'early_access': False, u'page': 1}\n"
    "{u'username': u'Ariman1', u'hours': u'1,213.5', u'products': u'1386', u'product_id': u'10', u'page_order': 1, "
    "u'date': u'2017-08-02', u'text': u'Addictive', u'early_access': False, u'page': 1, u'user_id': u'76561197970982479'}\n"
    "{u'username': u'Ariman1', u'hours': u'20', u'product_id': u'10', u'date': u'2017-08-03', u'text': u'Still'}\n"
    "{u'username': u'Ariman1', u'product_id': u'20', u'date': u'2017-08-03', u'text': u'no hours'}\n"
    "{u'username': u'\\u2122', u'hours': u'7.5', u'product_id': u'20', u'date': u'2016-02-29', u'text': u''}\n"
)


def read(path: Path, **settings: object) -> TidyTables:
    return validated(SteamSource, {"type": "steam", "path": str(path), **settings}, "").read()


def pairs(tables: TidyTables) -> set[tuple[str, str, bool]]:
    return set(tables.interactions.select("user_id", "item_id", "like").rows())


def of_csv(folder: Path, text: str = CSV) -> Path:
    (folder / "steam-200k.csv").write_text(text)
    return folder


def test_hours_make_likes_of_kaggles_file(tmp_path: Path) -> None:
    tables = read(of_csv(tmp_path))
    assert pairs(tables) == {
        ("151603712", "The Elder Scrolls V Skyrim", True),
        ("5250", "Spore", True),
    }
    assert tables.feedback == "liked"
    assert tables.kg.is_empty()
    assert tables.items.columns == ["item_id", "title"]
    assert "Warhammer 40,000 Dawn of War II" in tables.items["title"]
    assert [remark.split(": ", 1)[1] for remark in tables.remarks] == [
        "1 games played for less than 1 hours are left out",
        "1 games that were never played are left out",
    ]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"fewer_hours": "dislike"}, {("Spore", False)}),
        ({"never_played": "like"}, {("Warhammer 40,000 Dawn of War II", True)}),
        ({"never_played": "dislike", "min_hours": 0.2}, {("Warhammer 40,000 Dawn of War II", False), ("Spore", True)}),
    ],
)
def test_what_was_played_less_or_never_is_what_is_said(
    settings: dict[str, object], expected: set[tuple[str, bool]], tmp_path: Path
) -> None:
    tables = read(of_csv(tmp_path), **settings)
    found = {(item, like) for user, item, like in pairs(tables) if user == "151603712"}
    assert found == expected | {("The Elder Scrolls V Skyrim", True)}
    assert tables.feedback == ("liked" if all(like for _, like in expected) else "rated")


def test_dicts_of_python_are_read_packed_or_not(tmp_path: Path) -> None:
    (tmp_path / "australian_users_items.json.gz").write_bytes(gzip.compress(USERS.encode()))
    alone = read(tmp_path)
    assert pairs(alone) == {("76561197970982479", "10", True), ("js41637", "20", True)}
    assert alone.kg.is_empty()
    assert alone.items.rows() == [("10", "Counter-Strike"), ("20", "Day's ™")]
    (tmp_path / "steam_games.json").write_text(GAMES)
    tables = read(tmp_path)
    assert pairs(tables) == pairs(alone)
    assert tables.items.rows() == [
        ("10", "Counter-Strike", "Valve", "Action", "Action, FPS"),
        ("20", "Day's ™", None, None, None),
    ]
    assert set(tables.kg.select("relation", "tail").rows()) == {
        ("genre", "Action"),
        ("tag", "Action"),
        ("tag", "FPS"),
        ("feature", "Multi-player"),
        ("developer", "Valve"),
        ("publisher", "Valve"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{CSV}5250,Spore,rented,1.0,0\n", "column what, line 9: found 'rented', expected purchase or play"),
        (f"{CSV}5250,Spore,play,much,0\n", "column hours, line 9: found 'much', expected a number"),
        ("5250,Spore,play,0.1,0\n", "found no game played for 1 hours; expected a lower min_hours"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as found:
        read(of_csv(tmp_path, text))
    assert message in str(found.value)


def test_a_line_that_is_no_object_is_named(tmp_path: Path) -> None:
    (tmp_path / "a_users_items.json").write_text(USERS + "{'user_id': 'x', 'items': [\n")
    with pytest.raises(InputError, match=r"a_users_items\.json: line 6: found neither JSON nor a Python dict"):
        read(tmp_path)
    (tmp_path / "a_users_items.json").write_text(USERS.replace("'playtime_forever': 600", "'playtime_forever': None"))
    with pytest.raises(InputError, match=r"line 1: key playtime_forever: found None, expected a number"):
        read(tmp_path)


def test_reviews_are_read_by_their_hours(tmp_path: Path) -> None:
    (tmp_path / "steam_reviews.json.gz").write_bytes(gzip.compress(REVIEWS.encode()))
    (tmp_path / "steam_games.json").write_text(GAMES)
    tables = read(tmp_path)
    assert pairs(tables) == {("Ariman1", "10", True), ("™", "20", True)}
    # Of what steam_games.json lacks nothing is known but its number.
    assert dict(tables.items.select("item_id", "title").rows()) == {"725280": None, "10": "Counter-Strike", "20": None}
    assert [remark.split(": ", 1)[1] for remark in tables.remarks] == [
        "1 reviews do not say how long the game was played, and are left out",
        "1 games played for less than 1 hours are left out",
    ]
    assert read(tmp_path, fewer_hours="dislike").feedback == "rated"
    # Who owns what is more than who reviewed it.
    (tmp_path / "australian_users_items.json").write_text(USERS)
    assert ("js41637", "20", True) in pairs(read(tmp_path))


def test_hours_of_a_review_that_are_no_number_are_named(tmp_path: Path) -> None:
    (tmp_path / "steam_reviews.json").write_text(REVIEWS.replace("u'7.5'", "u'some'"))
    with pytest.raises(InputError, match=r"steam_reviews\.json: line 5: key hours: found 'some', expected a number"):
        read(tmp_path)
