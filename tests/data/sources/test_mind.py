from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.sources import TidyTables
from pipeline.data.sources.mind import MindSource

# As published, quotes in titles, empty abstracts, lines without the last columns.
NEWS = (
    'N1\tlifestyle\tlifestyleroyals\tThe Brands Queen Elizabeth, "Prince" Charles Swear By\tShop the notebooks.\t'
    "https://assets.msn.com/labs/mind/AAGH0ET.html\t"
    '[{"Label": "Prince Philip, Duke of Edinburgh", "Type": "P", "WikidataId": "Q80976", "Confidence": 1.0, '
    '"OccurrenceOffsets": [48], "SurfaceForms": ["Prince Philip"]}]\t[]\n'
    'N2\tsports\tfootball_nfl\tQuote "unclosed\t\thttps://assets.msn.com/labs/mind/B.html\t[]\t'
    '[{"Label": "National Football League", "Type": "O", "WikidataId": "Q1215884", "Confidence": 1.0, '
    '"OccurrenceOffsets": [1], "SurfaceForms": ["NFL"]}]\n'
    "N3\tsports\tfootball_nfl\tThird\tabstract\thttps://assets.msn.com/labs/mind/C.html\n"
    "N4\tweather\tweathertopstories\tFourth\t\thttps://assets.msn.com/labs/mind/D.html\t\t\n"
)
BEHAVIORS = (
    "1\tU1\t11/11/2019 9:05:58 AM\tN1 N2\tN3-1 N4-0\n"
    "2\tU2\t11/12/2019 6:11:30 PM\t\tN1-0 N2-1\n"
    # Not clicked first, clicked later; and the other way round.
    "3\tU2\t11/13/2019 7:00:00 PM\tN2\tN1-1 N2-0 N4-0\n"
)
DEV_NEWS = "N5\tsports\ttennis\tFifth\tabstract\thttps://assets.msn.com/E.html\t[]\t[]\n"
DEV_BEHAVIORS = "1\tU1\t11/15/2019 8:00:00 AM\tN1 N2 N3\tN5-1 N4-0 N3-0\n2\tU3\t11/15/2019 9:00:00 AM\tN1\tN5-0 N2-1\n"


def folder_of(folder: Path, news: str = NEWS, behaviors: str = BEHAVIORS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "news.tsv").write_text(news)
    (folder / "behaviors.tsv").write_text(behaviors)
    (folder / "entity_embedding.vec").write_text("Q80976\t0.1\t0.2\n")
    return folder


def both(root: Path) -> Path:
    folder_of(root / "MINDsmall_train")
    folder_of(root / "MINDsmall_dev", DEV_NEWS + NEWS, DEV_BEHAVIORS)
    return root


def read(path: Path, **settings: object) -> TidyTables:
    return validated(MindSource, {"type": "mind", "path": str(path), **settings}, "").read()


def pairs(tables: TidyTables) -> set[tuple[str, str, bool]]:
    return set(tables.interactions.select("user_id", "item_id", "like").rows())


def test_what_was_clicked_is_liked_and_what_was_not_is_disliked(tmp_path: Path) -> None:
    tables = read(folder_of(tmp_path))
    assert pairs(tables) == {
        ("U1", "N1", True),
        ("U1", "N2", True),
        ("U1", "N3", True),
        ("U1", "N4", False),
        ("U2", "N1", True),
        ("U2", "N2", True),
        ("U2", "N4", False),
    }
    assert tables.feedback == "rated"
    assert tables.interactions["split"].null_count() == len(tables.interactions)
    # 11 November 2019, 09:05:58.
    assert tables.interactions.filter(user_id="U1", item_id="N3")["timestamp"].item() == 1573463158.0
    (remark,) = tables.remarks
    # U2: N2 in its history and again, N1 and N2 once more.
    assert remark.endswith(
        "3 of 10 clicks and impressions are of news that the same user had already: each pair counts once, as clicked if it ever was"
    )


def test_items_and_graph_are_those_of_the_news(tmp_path: Path) -> None:
    tables = read(folder_of(tmp_path))
    assert tables.items.row(0) == (
        "N1",
        "lifestyle",
        "lifestyleroyals",
        'The Brands Queen Elizabeth, "Prince" Charles Swear By',
        "Shop the notebooks.",
    )
    assert tables.items.row(1)[3:] == ('Quote "unclosed', None)
    assert set(tables.kg.filter(head="news:N2").rows()) == {
        ("news:N2", "category", "sports"),
        ("news:N2", "subcategory", "football_nfl"),
        ("news:N2", "mentions", "Q1215884"),
    }
    # What entities are called is a triple by which names are found.
    assert set(tables.kg.filter(relation="label").select("head", "tail").rows()) == {
        ("Q80976", "Prince Philip, Duke of Edinburgh"),
        ("Q1215884", "National Football League"),
    }
    assert ("N1", "news:N1") in tables.item_entities.rows()


def test_of_two_folders_dev_is_the_test_split(tmp_path: Path) -> None:
    tables = read(both(tmp_path))
    split = {
        (user, item): part for user, item, part in tables.interactions.select("user_id", "item_id", "split").rows()
    }
    assert split["U1", "N3"] == "train"  # clicked there, and shown once more in dev
    assert split["U3", "N1"] == "train"  # what somebody of dev had clicked before
    assert (split["U1", "N5"], split["U3", "N5"], split["U3", "N2"]) == ("test", "test", "test")
    assert split["U1", "N4"] == "train"  # not clicked in either: once
    assert ("U1", "N3", True) in pairs(tables)
    assert tables.items["item_id"].to_list() == ["N1", "N2", "N3", "N4", "N5"]
    alone = read(tmp_path, parts="dev")
    assert alone.interactions["split"].null_count() == len(alone.interactions)
    assert ("U1", "N5", True) in pairs(alone)
    assert ("U2", "N1", True) not in pairs(alone)


def test_what_was_not_clicked_may_be_left_out(tmp_path: Path) -> None:
    tables = read(folder_of(tmp_path), not_clicked="drop")
    assert tables.interactions["like"].all()
    assert tables.feedback == "liked"


@pytest.mark.parametrize(
    ("news", "behaviors", "message"),
    [
        (
            NEWS,
            "1\tU1\t11/11/2019 9:05:58 AM\tN1\tN3 N4\n",
            "behaviors.tsv: line 1: found 'N3', expected news with the outcome",
        ),
        (NEWS, f"{BEHAVIORS}4\tU1\tyesterday\tN1\tN3-1\n", "column time, line 4: found no such value"),
        (NEWS, f"{BEHAVIORS}4\tU1\n", "behaviors.tsv: "),
        ("N1\tsports\n", BEHAVIORS, "news.tsv: line 1: found 2 fields"),
        (NEWS.replace("[{", "[", 1), BEHAVIORS, "news.tsv: line 1: found the entities "),
    ],
)
def test_a_line_that_cannot_be_read_is_named(news: str, behaviors: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as found:
        read(folder_of(tmp_path, news, behaviors))
    assert message in str(found.value)
    assert "\n" not in str(found.value)


def test_a_part_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^source\.parts: found dev, expected one of the parts"):
        read(folder_of(tmp_path), parts="dev")
