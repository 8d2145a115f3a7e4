from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.sources import TidyTables
from pipeline.data.sources.amazon import AmazonSource

REVIEWS_2014 = [
    {"reviewerID": "A2SUAM1J3GNN3B", "asin": "0000013714", "reviewerName": 'J. "Mac"', "helpful": [2, 3], "reviewText": "I bought\nthis",
     "overall": 5.0, "summary": "Heavenly", "unixReviewTime": 1252800000, "reviewTime": "09 13, 2009"},
    {"reviewerID": "A1VXOAVRGKGEAK", "asin": "B00004SQM9", "overall": 2.0, "unixReviewTime": 1252800001},
    {"reviewerID": "A1VXOAVRGKGEAK", "asin": "0000013714", "overall": 1.0, "unixReviewTime": 1252800002},
    {"reviewerID": "A1VXOAVRGKGEAK", "asin": "0000013714", "overall": 4.0, "unixReviewTime": 1252800003},
]  # fmt: skip
# As it is published: Python's dicts, not JSON, keys that are missing.
META_2014 = [
    {"asin": "0000013714", "title": "Girl's Ballet Tutu &amp; More", "price": 3.17, "imUrl": "http://ecx.images-amazon.com/images/I/51.jpg",
     "related": {"also_bought": ["B00JHONN1S", "B00004SQM9"], "also_viewed": ["B002BZX8Z6"]}, "salesRank": {"Toys & Games": 211836},
     "brand": "Coxlures", "categories": [["Sports & Outdoors", "Other Sports"], ["Sports & Outdoors", "Dance"]]},
    {"asin": "B00004SQM9", "description": "It's \"good\".", "categories": [["Sports & Outdoors"]]},
    {"asin": "B0NOBODY00", "title": "Nobody's", "categories": [["Books"]]},
]  # fmt: skip
JUNK = "\n\n                \n                    var aPageStart = (new Date()).getTime();\n"
META_2018 = [
    {"category": ["Sports", "Dance", "</span></span></span>", "Imported"], "description": ["A <b>tutu</b>.", "", "Two."],
     "title": "Tutu &amp;amp; <span>More</span>", "also_buy": ["B00JHONN1S"], "also_view": [], "brand": "by\n    \n    Coxlures",
     "feature": ["x"], "rank": "1", "asin": "0000013714", "tech1": "", "fit": "", "price": "$3.17"},
    {"category": [], "description": [], "title": JUNK, "brand": "Visit Amazon's Jane Austen Page", "asin": "B00004SQM9"},
    {"category": ["again"], "title": "The same once more", "brand": "", "asin": "B00004SQM9"},
]  # fmt: skip
REVIEWS_2023 = [
    {"rating": 5.0, "title": "Such", "text": "great", "images": [], "asin": "B00YQ6X8EO", "parent_asin": "B00YQ6X8E0",
     "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ", "timestamp": 1588687728923, "helpful_vote": 0, "verified_purchase": True},
    {"rating": 2.0, "title": "", "text": "", "images": [], "asin": "B081TJ8YS3", "parent_asin": "B081TJ8YS3",
     "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ", "timestamp": 1588615855070, "helpful_vote": 1, "verified_purchase": True},
]  # fmt: skip
META_2023 = [
    {"main_category": "All Beauty", "title": "Howard LC0008 Leather Conditioner", "average_rating": 4.8, "rating_number": 10,
     "features": ["Cleans"], "description": ["For leather.", "Good."], "price": None, "images": [], "store": "Howard Products",
     "categories": ["Beauty", "Care"], "details": {"Brand": "Howard"}, "parent_asin": "B00YQ6X8E0", "bought_together": None},
    {"main_category": "All Beauty", "title": "Second", "features": [], "description": [], "store": None,
     "categories": [],
     "details": {"Brand": "Yes To"}, "parent_asin": "B081TJ8YS3", "bought_together": None},
]  # fmt: skip


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return folder


def as_json(rows: list[dict[str, object]]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def as_python(rows: list[dict[str, object]]) -> str:
    return "".join(f"{row!r}\n" for row in rows)


def read(path: Path, **settings: object) -> TidyTables:
    return validated(AmazonSource, {"type": "amazon", "path": str(path), **settings}, "").read()


def rated(tables: TidyTables) -> list[tuple[object, ...]]:
    return sorted(tables.interactions.select("user_id", "item_id", "rating", "timestamp").rows())


RATED = [
    ("A1VXOAVRGKGEAK", "0000013714", 4.0, 1252800003.0),
    ("A1VXOAVRGKGEAK", "B00004SQM9", 2.0, 1252800001.0),
    ("A2SUAM1J3GNN3B", "0000013714", 5.0, 1252800000.0),
]
TABLE = "".join(f"{row['reviewerID']},{row['asin']},{row['overall']},{row['unixReviewTime']}\n" for row in REVIEWS_2014)


def test_2014(tmp_path: Path) -> None:
    meta = as_python(META_2014)
    assert "'" in meta
    tables = read(write(tmp_path, reviews_Toys_5__json__gz=as_json(REVIEWS_2014), meta_Toys__json__gz=meta))
    assert rated(tables) == RATED
    assert tables.feedback == "rated"
    assert tables.items.rows() == [
        ("0000013714", "Girl's Ballet Tutu & More", "Coxlures", "Sports & Outdoors, Other Sports, Dance", None),
        ("B00004SQM9", None, None, "Sports & Outdoors", 'It\'s "good".'),
    ]
    assert set(tables.kg.filter(head="product:0000013714").select("relation", "tail").rows()) == {
        ("brand", "Coxlures"),
        ("category", "Sports & Outdoors"),
        ("category", "Other Sports"),
        ("category", "Dance"),
        ("also_bought", "product:B00JHONN1S"),
        # Another item itself.
        ("also_bought", "product:B00004SQM9"),
        ("also_viewed", "product:B002BZX8Z6"),
    }
    assert "1 products that nobody rated are left out (unrated)" in tables.remarks[0]
    assert read(tmp_path, unrated="keep").items["item_id"].to_list() == ["0000013714", "B00004SQM9", "B0NOBODY00"]


@pytest.mark.parametrize("with_meta", [True, False])
@pytest.mark.parametrize("item_first", [True, False])
def test_tables_without_a_header_in_either_order(tmp_path: Path, *, item_first: bool, with_meta: bool) -> None:
    """2014 has the user first, 2018 the item."""
    rows = [line.split(",") for line in TABLE.splitlines()]
    text = "".join(
        ",".join([item, user, *rest] if item_first else [user, item, *rest]) + "\n" for user, item, *rest in rows
    )
    meta = {"meta_Toys__json": as_python(META_2014)} if with_meta else {}
    tables = read(write(tmp_path, ratings_Toys__csv=text, **meta))
    assert rated(tables) == RATED
    assert tables.kg.is_empty() == (not with_meta)


def test_2018_has_pieces_of_web_pages(tmp_path: Path) -> None:
    tables = read(write(tmp_path, Toys_5__json__gz=as_json(REVIEWS_2014), meta_Toys__json__gz=as_json(META_2018)))
    assert rated(tables) == RATED
    assert tables.items.rows() == [
        ("0000013714", "Tutu & More", "Coxlures", "Sports, Dance, Imported", "A tutu . Two."),
        ("B00004SQM9", None, "Jane Austen", None, None),
    ]
    assert ("product:0000013714", "also_bought", "product:B00JHONN1S") in tables.kg.rows()


def test_2023_goes_by_parents_and_milliseconds(tmp_path: Path) -> None:
    tables = read(write(tmp_path, All_Beauty__jsonl=as_json(REVIEWS_2023), meta_All_Beauty__jsonl=as_json(META_2023)))
    assert rated(tables) == [
        ("AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B00YQ6X8E0", 5.0, 1588687728.923),
        ("AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B081TJ8YS3", 2.0, 1588615855.07),
    ]
    assert tables.items.rows() == [
        ("B00YQ6X8E0", "Howard LC0008 Leather Conditioner", "Howard Products", "Beauty, Care", "For leather. Good."),
        ("B081TJ8YS3", "Second", "Yes To", None, None),
    ]


def test_2023_has_tables_and_a_published_split(tmp_path: Path) -> None:
    header = "user_id,parent_asin,rating,timestamp"
    row = "AGK,B00YQ6X8E0,5.0,1588687728923"
    other = "AGL,B081TJ8YS3,2.0,1588615855070"
    tables = read(write(tmp_path / "one", All_Beauty__csv__gz=f"{header}\n{row}\n{other}\n"))
    assert rated(tables)[0] == ("AGK", "B00YQ6X8E0", 5.0, 1588687728.923)
    assert tables.items["item_id"].to_list() == ["B00YQ6X8E0", "B081TJ8YS3"]
    split = {
        f"All_Beauty__{part}__csv": f"{header},history\nAGK,{item},5.0,1588687728923,A B\n"
        for part, item in (("train", "B1"), ("valid", "B2"), ("test", "B3"))
    }
    tables = read(write(tmp_path / "split", **split))
    found = dict(tables.interactions.select("item_id", "split").rows())
    assert found == {"B1": "train", "B2": "valid", "B3": "test"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"reviews_Toys__json": '{"reviewerID": "A", "asin": "B", "overall": "five"}\n'}, "line 1: key overall: found 'five', expected a"),
        ({"reviews_Toys__json": '{"asin": "B", "overall": 5}\n'}, "line 1: key reviewerID: found None, expected a text"),
        ({"reviews_Toys__json": "[1]\n"}, "reviews_Toys.json: line 1: found neither JSON nor a Python dict: found list"),
        ({"reviews_Toys__json": as_json(REVIEWS_2014), "meta_Toys__json": "{'title': 'x'}\n"}, "meta_Toys.json: line 1: key asin"),
        ({"ratings_Toys__csv": f"{TABLE}A1VXOAVRGKGEAK,B00004SQM9,good,1\n"}, "column rating, line 5: found 'good', expected a number"),
        ({"meta_A__json": "{}", "meta_B__json": "{}"}, "found meta_A.json and meta_B.json, expected one category"),
        ({"meta_A__json": as_python(META_2014)}, "expected ratings as .csv, or reviews"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_that_says_where(files: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as found:
        read(write(tmp_path, **files))
    assert message in str(found.value)
    assert "\n" not in str(found.value)


def test_a_file_that_is_packed_and_damaged_is_one_line(tmp_path: Path) -> None:
    folder = write(tmp_path, reviews_Toys__json__gz=as_json(REVIEWS_2014))
    path = folder / "reviews_Toys.json.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"reviews_Toys\.json\.gz: cannot be read"):
        read(folder)
