"""Steam: how many hours people played games.

| layout | files | notes |
|---|---|---|
| Kaggle's | steam-200k.csv | no header: user, game, `purchase` or `play`, hours (1.0 for a purchase), 0; games go by their titles |
| UCSD's | ..._users_items.json, steam_games.json, also .gz | Python dicts; minutes; some users are there twice, some games have no id |
| UCSD's | steam_reviews.json, steam_games.json, also .gz | Python dicts; hours as text, which some reviews lack; users go by `username` |

Whoever played a game for long enough likes it. The graph is genres, tags, features, developers and publishers of steam_games.json, where it
is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

import polars as pl
from pydantic import Field

from pipeline.common.errors import InputError, quoted
from pipeline.data.feedback import Feedback
from pipeline.data.sources.files import DataFile, Files, FilesSource
from pipeline.data.sources.item_triples import item_triples
from pipeline.data.sources.objects import frame_of, needed, objects_in
from pipeline.data.sources.tidy import RawTable, TidyTables, tidy

CSV = re.compile(r"steam-?\w*\.csv(\.gz)?", re.IGNORECASE)
OWNED, GAMES = re.compile(r".*users_items\.json(\.gz)?"), re.compile(r"(output_)?steam_games\.json(\.gz)?")
REVIEWS = re.compile(r"(output_)?steam_reviews\.json(\.gz)?")
OF_CSV = ("user_id", "item_id", "what", "hours", "nothing")
PLAYED = {"user_id": pl.String, "item_id": pl.String, "title": pl.String, "hours": pl.Float64}
LISTS, TEXTS = ("genres", "tags", "specs"), ("developer", "publisher")
HOURS = re.compile(r"\d+(\.\d*)?")
TAGS_IN_TEXT = 5
MINUTES = 60

Treated = Literal["drop", "like", "dislike"]


class SteamSource(FilesSource):
    type: Literal["steam"] = Field(
        description="Hours of play on Steam: steam-200k.csv, or UCSD's users_items.json or steam_reviews.json"
    )
    min_hours: float = Field(default=1.0, gt=0, description="A game played for at least this many hours is liked")
    fewer_hours: Literal["drop", "dislike"] = Field(
        default="drop", description="Games played for fewer hours: dropped, or disliked"
    )
    never_played: Treated = Field(
        default="drop", description="Games that somebody owns but never played: dropped, liked or disliked"
    )

    def read(self) -> TidyTables:
        """Read and check the data set.

        Raises:
            InputError: files are missing, a line cannot be read, or a table does not pass the checks.
        """
        files = self.files()
        # Who owns what is more than who reviewed it.
        file = _first(files, OWNED) or _first(files, REVIEWS) or _first(files, CSV)
        if file is None:
            raise InputError(
                f"{self.path}: found {files.named()}; expected steam-200k.csv, ..._users_items.json(.gz) or steam_reviews.json(.gz) there"
            )
        remarks: list[str] = []
        owned = _played(file, remarks)
        likes = self._likes(owned, str(file), remarks)
        titles = owned.unique("item_id", keep="first", maintain_order=True)
        games = _first(files, GAMES)
        interactions = RawTable(likes, str(file))
        feedback: Feedback = "liked" if likes["like"].all() else "rated"
        if games is None:
            items = RawTable(titles.select("item_id", "title"), str(file))
            tables = tidy(interactions, items, None, None, mend=True, feedback=feedback)
        else:
            items, known = read_games(games, titles)
            kg, links = item_triples(items.frame, "game", known, items.file)
            tables = tidy(interactions, items, kg, links, mend=True, feedback=feedback)
        tables.remarks[:0] = remarks
        return tables

    def _likes(self, owned: pl.DataFrame, file: str, remarks: list[str]) -> pl.DataFrame:
        """user_id, item_id, like, by hours of play; each pair once."""
        pairs = owned.group_by("user_id", "item_id", maintain_order=True).agg(pl.col("hours").max())
        played = pl.col("hours") > 0
        like = pl.when(played).then(pl.col("hours") >= self.min_hours).otherwise(self.never_played == "like")
        left_out = pl.when(played).then(~like & (self.fewer_hours == "drop")).otherwise(self.never_played == "drop")
        found = pairs.with_columns(like=like, left_out=left_out)
        fewer, never = (
            len(found.filter("left_out", condition)) for condition in (pl.col("hours") > 0, pl.col("hours") <= 0)
        )
        if fewer:
            remarks.append(f"{file}: {fewer} games played for less than {self.min_hours:g} hours are left out")
        if never:
            remarks.append(f"{file}: {never} games that were never played are left out")
        kept = found.filter(~pl.col("left_out")).select("user_id", "item_id", "like")
        if kept.is_empty():
            raise InputError(f"{file}: found no game played for {self.min_hours:g} hours; expected a lower min_hours")
        return kept


def _first(files: Files, pattern: re.Pattern[str]) -> DataFile | None:
    return next((file for file in files if pattern.fullmatch(file.name)), None)


def _played(file: DataFile, remarks: list[str]) -> pl.DataFrame:
    """PLAYED, in any of the layouts."""
    if OWNED.fullmatch(file.name):
        return _of_users(file)
    return _of_reviews(file, remarks) if REVIEWS.fullmatch(file.name) else _of_csv(file)


def _of_csv(file: DataFile) -> pl.DataFrame:
    """
    Raises:
        InputError: a line has other fields than it should.
    """
    try:
        frame = pl.read_csv(file.content(), has_header=False, infer_schema=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise InputError(f"{file}: not a readable table: {' '.join(str(error).split())[:160]}") from None
    if frame.width not in (len(OF_CSV) - 1, len(OF_CSV)):
        raise InputError(f"{file}: found {frame.width} columns, expected user, game, purchase or play, hours, 0")
    frame.columns = list(OF_CSV[: frame.width])
    hours = frame["hours"].cast(pl.Float64, strict=False)
    for name, bad, expected in (
        ("user_id", frame["user_id"].is_null(), "an id"),
        ("item_id", frame["item_id"].is_null(), "a title"),
        ("what", ~frame["what"].is_in(["purchase", "play"]).fill_null(value=False), "purchase or play"),
        ("hours", hours.is_null(), "a number"),
    ):
        if bad.any():
            row = int(bad.arg_true()[0])
            raise InputError(
                f"{file}: column {name}, line {row + 1}: found {quoted(str(frame[name][row]))}, expected {expected}"
            )
    # Who bought a game is there with 1.0, which are no hours.
    of_play = pl.when(pl.col("what") == "play").then(hours).otherwise(0.0)
    return frame.select("user_id", "item_id", title="item_id", hours=of_play)


def _of_users(file: DataFile) -> pl.DataFrame:
    def rows() -> Iterator[tuple[Any, ...]]:
        for number, user in objects_in(file):
            where = f"{file}: line {number}"
            who = str(needed(user, "user_id", (str, int), where))
            for game in needed(user, "items", (list,), where):
                if not isinstance(game, dict):
                    raise InputError(f"{where}: key items: found {quoted(str(game))}, expected objects")
                minutes = needed(game, "playtime_forever", (int, float), where)
                title = str(game.get("item_name") or "") or None
                yield who, str(needed(game, "item_id", (str, int), where)), title, minutes / MINUTES

    return frame_of(rows(), PLAYED)


def _of_reviews(file: DataFile, remarks: list[str]) -> pl.DataFrame:
    unknown = 0

    def rows() -> Iterator[tuple[Any, ...]]:
        nonlocal unknown
        for number, review in objects_in(file):
            where = f"{file}: line {number}"
            if review.get("hours") in (None, ""):
                unknown += 1
                continue
            text = str(needed(review, "hours", (str, int, float), where)).replace(",", "")
            if not HOURS.fullmatch(text):
                raise InputError(f"{where}: key hours: found {quoted(text)}, expected a number")
            who = str(needed(review, "username", (str, int), where))
            yield who, str(needed(review, "product_id", (str, int), where)), None, float(text)

    found = frame_of(rows(), PLAYED)
    if unknown:
        remarks.append(f"{file}: {unknown} reviews do not say how long the game was played, and are left out")
    return found


def read_games(file: DataFile, owned: pl.DataFrame) -> tuple[RawTable, dict[str, pl.Series]]:
    """Games that somebody owns as item_id, title, developer, genres, tags; and beside them what the graph is made of.

    Args:
        owned: item_id, title; what steam_games.json lacks goes by this title.

    Raises:
        InputError: a line holds no object.
    """
    wanted = set(owned["item_id"])

    def rows() -> Iterator[tuple[Any, ...]]:
        for _, game in objects_in(file):
            # Some have no id.
            number = str(game.get("id") or "")
            if number in wanted:
                lists = (game.get(name) for name in LISTS)
                yield (
                    number,
                    game.get("title") or game.get("app_name"),
                    *([str(one) for one in found] if isinstance(found, list) else [] for found in lists),
                    *(str(game[name]) if game.get(name) else None for name in TEXTS),
                )

    schema: dict[str, Any] = {"item_id": pl.String, "named": pl.String} | dict.fromkeys(LISTS, pl.List(pl.String))
    schema |= dict.fromkeys(TEXTS, pl.String)
    found = frame_of(rows(), schema).unique("item_id", keep="first", maintain_order=True)
    games = owned.select("item_id", "title").join(found, on="item_id", how="left", maintain_order="left")
    known = {singular: games[name] for name, singular in zip(LISTS, ("genre", "tag", "feature"), strict=True)}
    shown = [pl.col(name).list.head(TAGS_IN_TEXT).list.join(", ").replace("", None) for name in LISTS[:2]]
    frame = games.select("item_id", pl.coalesce("named", "title").alias("title"), "developer", *shown)
    return RawTable(frame, str(file)), known | {name: games[name] for name in TEXTS}


def is_steam(files: Files) -> bool:
    """Whether a folder holds Steam's hours in one of the three layouts."""
    if _first(files, OWNED) is not None or _first(files, REVIEWS) is not None:
        return True
    file = _first(files, CSV)
    line = file.first_line().decode("utf-8", errors="replace") if file else ""
    return re.match(r'\d+,("[^"]*"|[^,]*),(purchase|play),', line) is not None
