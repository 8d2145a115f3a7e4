"""Published data sets as people have them, in their true layouts: from `data check` to `recommend`."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.artifacts.data import INTERACTIONS, SOURCE_KG
from tests.data.sources.test_goodreads_ucsd import book, interaction
from tests.data.sources.test_goodreads_ucsd import write as write_ucsd
from tests.in_process import run_module
from tests.stages.added import NAME, added
from tests.stages.workspace import GENRES, RUNS, planted_tables

TO_A_MODEL = [
    name
    for name in RUNS
    if name.split(".")[0] in ("check_tables", "fetch", "prepare", "embed_text", "embed_image", "build_graph")
]
TO_A_MODEL += ["init_sdne", "train_gat", "train_users.recommended"]
START = 1_400_000_000


def planted() -> list[tuple[int, int, int, str]]:
    """User and item by their numbers, rating, and the item's genre."""
    rated = planted_tables()["interactions"]
    numbers = rated.select(pl.col("user_id", "item_id").str.slice(1).cast(pl.Int64), "rating")
    return [(user, item, rating, GENRES[item % len(GENRES)]) for user, item, rating in numbers.rows()]


def items() -> list[tuple[int, str]]:
    return sorted({(item, genre) for _, item, _, genre in planted()})


def asin(item: int) -> str:
    return f"B{item:09d}"


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def amazon_2014(folder: Path) -> None:
    reviews = [
        {"reviewerID": f"A{user:012d}", "asin": asin(item), "helpful": [0, 0], "reviewText": "…", "overall": float(rating),
         "summary": "s", "unixReviewTime": START + user, "reviewTime": "05 13, 2014"}
        for user, item, rating, _ in planted()
    ]  # fmt: skip
    products = [
        {"asin": asin(item), "title": f"{genre.title()}'s film &amp; {item}", "price": 9.99, "brand": f"{genre} brand {item % 2}",
         "categories": [["Movies", genre]], "related": {"also_bought": [asin((item + 3) % 60), asin((item + 6) % 60)]}}
        for item, genre in items()
    ]  # fmt: skip
    (folder / "reviews_Movies_5.json.gz").write_bytes(gzip.compress(lines(reviews)))
    python = "".join(f"{product!r}\n" for product in products)
    (folder / "meta_Movies.json.gz").write_bytes(gzip.compress(python.encode()))


def amazon_2023(folder: Path) -> None:
    table = "".join(
        f"A{user:027d},{asin(item)},{rating}.0,{1000 * (START + user)}\n" for user, item, rating, _ in planted()
    )
    (folder / "Movies_and_TV.csv").write_text(f"user_id,parent_asin,rating,timestamp\n{table}")
    products = [
        {"main_category": "Movies", "title": f"{genre.title()} film {item}", "features": [], "description": [f"A {genre}."],
         "store": f"{genre} studio {item % 2}", "categories": ["Movies", genre], "details": {"Run time": "1 hour"},
         "parent_asin": asin(item), "bought_together": None}
        for item, genre in items()
    ]  # fmt: skip
    (folder / "meta_Movies_and_TV.jsonl").write_bytes(lines(products))


def mind(folder: Path) -> None:
    """In train everybody but five, in dev these; what each liked first is their history."""
    for part, of_part in (("train", range(35)), ("dev", range(35, 40))):
        inside = folder / f"MINDsmall_{part}"
        inside.mkdir()
        rows = []
        for user in of_part:
            clicks = [(item, rating >= 4) for one, item, rating, _ in planted() if one == user]
            history = [item for item, like in clicks if like][:4]
            shown = " ".join(f"N{item}-{int(like)}" for item, like in clicks if item not in history)
            before = " ".join(f"N{item}" for item in history)
            rows.append(f"{len(rows) + 1}\tU{user}\t11/{10 + user % 5}/2019 9:05:58 AM\t{before}\t{shown}\n")
        (inside / "behaviors.tsv").write_text("".join(rows))
        news = []
        for item, genre in items():
            entities = [
                {
                    "Label": f"The {name}",
                    "Type": "P",
                    "WikidataId": f"Q{number}",
                    "Confidence": 1.0,
                    "SurfaceForms": [name],
                }
                for number, name in ((len(genre) * 10 + item % 2, genre), (1000 + item, f"own {item}"))
            ]
            news.append(
                f'N{item}\t{genre}\t{genre}news\tA "{genre}" headline, {item}\t\thttps://assets.msn.com/{item}.html\t'
                f"{json.dumps(entities)}\t[]\n"
            )
        (inside / "news.tsv").write_text("".join(news))


def goodbooks(folder: Path) -> None:
    """Goodreads' numbers are those of other books."""
    rated = "".join(f"{user + 1},{item + 1},{rating}\n" for user, item, rating, _ in planted())
    (folder / "ratings.csv").write_text(f"user_id,book_id,rating\n{rated}")
    books = "".join(
        f'{item + 1},{60 - item},{60 - item},{item + 900},7,,,"{genre} author {item % 2}, Co Author",{1990 + item % 20}.0,,'
        f'"Book {item} ({genre.title()} Saga, #{item})",en-US\n'
        for item, genre in items()
    )
    header = "book_id,goodreads_book_id,best_book_id,work_id,books_count,isbn,isbn13,authors,original_publication_year,original_title,title"
    (folder / "books.csv").write_text(f"{header},language_code\n{books}")
    tags = "".join(f"{60 - item},{GENRES.index(genre)},500\n{60 - item},3,9000\n" for item, genre in items())
    (folder / "book_tags.csv").write_text(f"goodreads_book_id,tag_id,count\n{tags}")
    (folder / "tags.csv").write_text(
        "tag_id,tag_name\n" + "".join(f"{n},{g}\n" for n, g in enumerate((*GENRES, "to-read")))
    )
    (folder / "to_read.csv").write_text("user_id,book_id\n1,2\n")


def steam(folder: Path) -> None:
    users: dict[int, list[dict[str, object]]] = {}
    for user, item, rating, genre in planted():
        minutes = {1: 0, 2: 0, 3: 30}.get(rating, 60 * rating)
        game = {
            "item_id": str(item),
            "item_name": f"{genre}'s game {item}",
            "playtime_forever": minutes,
            "playtime_2weeks": 0,
        }
        users.setdefault(user, []).append(game)
    owned = [
        {"user_id": f"u{user}", "items_count": len(games), "steam_id": "7", "items": games}
        for user, games in users.items()
    ]
    python = "".join(f"{user!r}\n" for user in owned)
    (folder / "australian_users_items.json.gz").write_bytes(gzip.compress(python.encode()))
    games = [
        {"publisher": f"{genre} works", "genres": [genre], "app_name": "x", "title": f"{genre}'s game {item}",
         "tags": [genre, f"tag {item % 4}"],
         "specs": ["Single-player"], "price": "Free To Play", "early_access": False, "id": str(item), "developer": f"{genre} {item % 3}"}
        for item, genre in items()
    ]  # fmt: skip
    python = "".join(f"{game!r}\n" for game in games)
    (folder / "steam_games.json").write_text(python)


def steam_reviews(folder: Path) -> None:
    steam(folder)
    (folder / "australian_users_items.json.gz").unlink()
    hours = {1: None, 2: "0.0", 3: "0.5"}
    rows = [
        {"username": f"user {user}", "hours": hours.get(rating, f"{1000 * rating:,}.1"), "products": "7", "product_id": str(item),
         "date": "2017-12-17", "text": "…", "early_access": False}
        for user, item, rating, _ in planted()
    ]  # fmt: skip
    (folder / "steam_reviews.json.gz").write_bytes(gzip.compress("".join(f"{row!r}\n" for row in rows).encode()))


def goodreads_ucsd(folder: Path) -> None:
    """With books on shelves that were not rated."""
    rated = [interaction(f"{user:032x}", str(item + 100), rating) for user, item, rating, _ in planted()]
    shelved = [interaction(f"{user:032x}", "9999", 0) for user in range(40)]
    books = [
        book(str(item + 100), title=f"Book {item} ({genre.title()} Saga, #{item})", authors=[{"author_id": str(item % 6), "role": ""}],
             series=[str(7 + item % 3)], popular_shelves=[{"count": "900", "name": "to-read"}, {"count": "70", "name": genre}],
             publication_year=str(1990 + item % 20), similar_books=[str(100 + (item + 3) % 60)], language_code="eng")
        for item, genre in items()
    ]  # fmt: skip
    authors = [{"author_id": str(one), "name": f"Author {one}"} for one in range(6)]
    write_ucsd(
        folder,
        goodreads_interactions_poetry=[*rated, *shelved],
        goodreads_books_poetry=books,
        goodreads_book_authors=authors,
    )


@pytest.mark.parametrize(
    ("kind", "write", "feedback"),
    [
        ("amazon", amazon_2014, "rated"),
        ("amazon", amazon_2023, "rated"),
        ("mind", mind, "rated"),
        ("goodreads", goodbooks, "rated"),
        ("steam", steam, "liked"),
        ("steam", steam_reviews, "liked"),
        ("goodreads-ucsd", goodreads_ucsd, "rated"),
    ],
)
def test_from_the_published_files_to_recommendations(
    kind: str, write: Callable[[Path], None], feedback: str, tmp_path: Path
) -> None:
    (tmp_path / NAME).mkdir()
    write(tmp_path / NAME)
    checked = run_module("stages.cli", "data", "check", NAME, folder=tmp_path)
    assert checked.code == 0, checked.out
    assert checked.out.startswith(f"{NAME}: {kind}\n")
    workspace, _, entry = added(tmp_path)
    assert entry["source"] == {"type": kind, "path": NAME}
    assert entry["feedback"] == feedback
    assert entry["split"] == ("given" if kind == "mind" else "random")
    for name, result in workspace.run_all(TO_A_MODEL, NAME).items():
        assert result.code == 0, (name, result.err)
    table = INTERACTIONS.read(NAME, tmp_path)
    liked = sum(rating >= 4 for _, _, rating, _ in planted())
    assert int(table["like"].sum()) == liked
    assert len(table) == (liked if feedback == "liked" else len(planted()))
    answer = run_module(
        "stages.cli", "recommend", "--dataset", NAME, "--like", _title(kind, write), "-k", "3", folder=tmp_path
    )
    assert answer.code == 0, answer.err
    assert "because you liked" in answer.out
    if kind == "mind":
        assert ("Q60", "label", "The comedy") in SOURCE_KG.read(NAME, tmp_path).rows()


def _title(kind: str, write: Callable[[Path], None]) -> str:
    titles = {amazon_2014: "Horror's film & 1", amazon_2023: "Horror film 1", mind: 'A "horror" headline, 1'}
    return titles.get(write, "Book 1 (Horror Saga, #1)" if kind.startswith("goodreads") else "horror's game 1")
