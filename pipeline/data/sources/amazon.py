"""Amazon Reviews as the McAuley Lab publishes them, one category in a folder: ratings, and metadata where they are there.

| year | ratings | metadata |
|---|---|---|
| 2014 | reviews_X.json: reviewerID, asin, overall, unixReviewTime; or ratings_X.csv: user, item, rating, time | meta_X.json, Python dicts |
| 2018 | X.json likewise; or X.csv: item, user, rating, time | meta_X.json; some titles are pieces of a web page |
| 2023 | X.jsonl: user_id, parent_asin, rating, timestamp; or X.csv, or X.train.csv, X.valid.csv, X.test.csv, with a header | meta_X.jsonl |

Each of them packed (.gz) or not. Where there is a table of ratings the reviews are not read. In 2023 products of several colours or sizes
have a `parent_asin`, which is the item, and times are milliseconds. The CSV files of 2014 and 2018 have no header, and their first two
columns the other way round: which of them is the item is told by the metadata, or by how ASINs look.

The graph is brands (in 2023: stores), categories, and the products that others bought or looked at as well.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import polars as pl
from pydantic import Field

from pipeline.common.errors import InputError, shortened
from pipeline.data.sources.delimited import read_table_of
from pipeline.data.sources.files import PACKED, DataFile, Files, FilesSource
from pipeline.data.sources.item_triples import item_triples
from pipeline.data.sources.objects import frame_of, needed, objects_in
from pipeline.data.sources.tidy import RawTable, TidyTables, items_of, tidy

META = re.compile(r"(raw_)?meta_.+\.jsonl?(\.gz)?", re.IGNORECASE)
REVIEWS = re.compile(r"(?!(raw_)?meta_).+\.jsonl?(\.gz)?", re.IGNORECASE)
TABLE = re.compile(r".+\.csv(\.gz)?", re.IGNORECASE)
PART = re.compile(r".+\.(train|valid|test)\.csv(\.gz)?", re.IGNORECASE)
HEADER = ("user_id", "parent_asin", "rating", "timestamp")
# user, item, rating, time, in either order of the first two.
ROW = re.compile(r"[A-Z0-9]{8,},[A-Z0-9]{8,},[1-5](\.0)?,\d{9,10}\s*")
ASIN_LETTERS = 10
RATED = {"user_id": pl.String, "item_id": pl.String, "rating": pl.Float64, "timestamp": pl.Float64}
LISTS = ("categories", "also_bought", "also_viewed")
PRODUCTS: dict[str, Any] = {"item_id": pl.String, "title": pl.String, "brand": pl.String, "description": pl.String}
PRODUCTS |= dict.fromkeys(LISTS, pl.List(pl.String))
TAG = re.compile(r"<[^>]*>")
# Of a script that was taken for a title or a category.
SCRIPT = re.compile(r"getTime|function\s*\(|\{[^}]*[:;][^}]*\}")
# "Visit Amazon's Jane Austen Page", "by Sony".
BRAND = re.compile(r"^(?:visit amazon's\s+(.+?)\s+page|by\s+(.+))$", re.IGNORECASE)
# A BERT reads some hundred words at most.
LONGEST_DESCRIPTION = 1000
MILLISECONDS = 1000
# Seconds since 1970 of a time that is none in seconds: the year 5138.
LATEST = 1e11


class AmazonSource(FilesSource):
    type: Literal["amazon"] = Field(description="Amazon Reviews of 2014, 2018 or 2023: one category in a folder")
    unrated: Literal["drop", "keep"] = Field(
        default="drop", description="Products in the metadata that nobody rated: dropped, or kept like other items"
    )

    def read(self) -> TidyTables:
        """Read and check the data set.

        Raises:
            InputError: files are missing, a line cannot be read, or a table does not pass the checks.
        """
        files = self.files()
        meta = files.only(META, "category")
        ratings = self._ratings(files, meta)
        remarks: list[str] = []
        if meta is None:
            tables = tidy(ratings, items_of(ratings), None, None, mend=True, feedback="rated")
        else:
            wanted = set(ratings.frame["item_id"]) if self.unrated == "drop" else None
            products, known = read_products(meta, wanted, remarks)
            kg, links = item_triples(products.frame, "product", known, products.file)
            tables = tidy(ratings, products, kg, links, mend=True, feedback="rated")
        tables.remarks[:0] = remarks
        return tables

    def _ratings(self, files: Files, meta: DataFile | None) -> RawTable:
        parts = [file for file in files if PART.fullmatch(file.name) and is_ratings(file)]
        if parts:
            names = [str(PART.fullmatch(file.name)[1]).lower() for file in parts]  # type: ignore[index]
            if len(set(names)) < len(names):
                raise InputError(f"{self.path}: found {_names(parts)}, expected one category; set path to its folder")
            read = [read_table(file).with_columns(split=pl.lit(part)) for part, file in zip(names, parts, strict=True)]
            return RawTable(pl.concat(read), str(parts[0]))
        tables = [file for file in files if TABLE.fullmatch(file.name) and is_ratings(file)]
        if len(tables) > 1:
            raise InputError(f"{self.path}: found {_names(tables)}, expected one of them; set path to its folder")
        if tables:
            return RawTable(read_table(tables[0], None if meta is None else _asins(meta)), str(tables[0]))
        reviews = files.only(REVIEWS, "category")
        if reviews is None:
            there = _names(list(files)) or "nothing"
            raise InputError(
                f"{self.path}: found {there}; expected ratings as .csv, or reviews as .json(l), packed or not"
            )
        return RawTable(frame_of(_reviews(reviews), RATED), str(reviews))


def _names(files: list[DataFile]) -> str:
    return shortened(" and ".join(sorted(file.name for file in files)), 200)


def _reviews(file: DataFile) -> Iterator[tuple[Any, ...]]:
    for number, review in objects_in(file):
        where = f"{file}: line {number}"
        of_2023 = "parent_asin" in review
        user, rating, time = (
            ("user_id", "rating", "timestamp") if of_2023 else ("reviewerID", "overall", "unixReviewTime")
        )
        yield (
            str(needed(review, user, (str,), where)),
            str(needed(review, "parent_asin" if of_2023 else "asin", (str,), where)),
            float(needed(review, rating, (int, float), where)),
            _seconds(float(needed(review, time, (int, float), where))),
        )


def _seconds(time: float) -> float:
    return time / MILLISECONDS if time > LATEST else time


def is_ratings(file: DataFile) -> bool:
    """Whether a CSV has ratings of one of the three layouts."""
    line = file.first_line().decode("utf-8-sig", errors="replace").strip()
    return ROW.fullmatch(line) is not None or set(HEADER) <= set(line.split(","))


def read_table(file: DataFile, asins: set[str] | None = None) -> pl.DataFrame:
    """user_id, item_id, rating, timestamp of a table of ratings, with or without a header.

    Args:
        asins: of the metadata, by which the column of the item is known.

    Raises:
        InputError: a line has other fields than it should.
    """
    content = file.content() if not (file.zipped and file.name.endswith(PACKED)) else b"".join(file.lines())
    if ROW.fullmatch(content[: content.find(b"\n")].decode("utf-8", errors="replace")) is None:
        table = read_table_of(content, str(file), ".csv")
        columns = table.frame.select(HEADER).rename({"parent_asin": "item_id"})
        first = 2
    else:
        try:
            columns = pl.read_csv(io.BytesIO(content), has_header=False, infer_schema=False)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise InputError(f"{file}: not a readable table: {' '.join(str(error).split())[:160]}") from None
        if columns.width != len(HEADER):
            raise InputError(f"{file}: found {columns.width} columns, expected user, item, rating and time")
        columns.columns = ["user_id", "item_id", "rating", "timestamp"]
        if _item_is_first(columns["user_id"], columns["item_id"], asins):
            columns.columns = ["item_id", "user_id", "rating", "timestamp"]
        first = 1
    numbers = columns.with_columns(pl.col("rating", "timestamp").cast(pl.Float64, strict=False))
    for name in RATED:
        if numbers[name].has_nulls():
            row = int(numbers[name].is_null().arg_true()[0])
            expected = "a number" if name in ("rating", "timestamp") else "an id"
            raise InputError(
                f"{file}: column {name}, line {row + first}: found {shortened(repr(columns[name][row]), 40)}, expected {expected}"
            )
    time = pl.col("timestamp")
    seconds = pl.when(time > LATEST).then(time / MILLISECONDS).otherwise(time)
    return numbers.select("user_id", "item_id", "rating", timestamp=seconds)


def _item_is_first(one: pl.Series, other: pl.Series, asins: set[str] | None) -> bool:
    if asins:
        known = [column.is_in(list(asins)).mean() or 0 for column in (one, other)]
        return bool(known[0] > known[1])  # type: ignore[operator]
    lengths = [(column.str.len_chars() == ASIN_LETTERS).mean() for column in (one, other)]
    return bool(lengths[0] > lengths[1])  # type: ignore[operator]


def _asins(meta: DataFile) -> set[str]:
    return {str(product.get("asin")) for _, product in objects_in(meta)}


def read_products(file: DataFile, wanted: set[str] | None, remarks: list[str]) -> tuple[RawTable, dict[str, pl.Series]]:
    """Products as item_id, title, brand, categories, description; and beside them what the graph is made of.

    Args:
        wanted: products to read; None: all.
        remarks: what is left out is said there.

    Raises:
        InputError: a line holds no object, or one without an id.
    """
    left = 0

    def rows() -> Iterator[tuple[Any, ...]]:
        nonlocal left
        for number, product in objects_in(file):
            name = "parent_asin" if "parent_asin" in product else "asin"
            item = str(needed(product, name, (str,), f"{file}: line {number}"))
            if wanted is None or item in wanted:
                yield item, *_described(product)
            else:
                left += 1

    found = frame_of(rows(), PRODUCTS).unique("item_id", keep="first", maintain_order=True)
    if left:
        remarks.append(f"{file}: {left} products that nobody rated are left out (unrated)")
    if found.is_empty():
        raise InputError(f"{file}: found none of the products that were rated, expected most of them there")
    also = {name: found[name].list.eval(pl.format("product:{}", pl.element())) for name in LISTS[1:]}
    known = {"brand": found["brand"], "category": found["categories"]} | also
    shown = pl.col("categories").list.join(", ").replace("", None)
    return RawTable(found.select("item_id", "title", "brand", shown, "description"), str(file)), known


def _described(product: Mapping[str, Any]) -> tuple[Any, ...]:
    """Title, brand, description, categories, and products that are bought and looked at as well, of whatever year."""
    related, details = (
        value if isinstance(value := product.get(name), Mapping) else {} for name in ("related", "details")
    )
    brand = _plain(product.get("brand") or product.get("store") or details.get("Brand"))
    if brand and (said := BRAND.match(brand)):
        brand = said[1] or said[2]
    categories = product.get("categories") or product.get("category") or []
    description = " ".join(filter(None, map(_plain, _flat(product.get("description")))))
    return (
        _plain(product.get("title")),
        brand,
        description[:LONGEST_DESCRIPTION] or None,
        list(dict.fromkeys(filter(None, map(_plain, _flat(categories))))),
        _flat(related.get("also_bought") or product.get("also_buy") or product.get("bought_together")),
        _flat(related.get("also_viewed") or product.get("also_view")),
    )


def _flat(value: Any) -> list[str]:
    """The texts in a text or in a list of these, or of lists."""
    if isinstance(value, list):
        return [text for one in value for text in _flat(one)]
    return [str(value)] if isinstance(value, str) and value else []


def _plain(value: Any) -> str | None:
    """A text without HTML; None where it is a piece of a script, or nothing."""
    if not isinstance(value, str):
        return None
    # Entities of entities: &amp;amp; stands in titles.
    text = html.unescape(html.unescape(value))
    text = " ".join(TAG.sub(" ", text).split())
    return None if not text or SCRIPT.search(text) else text


def is_amazon(files: Files) -> bool:
    """Whether a folder holds reviews of Amazon in one of the three layouts."""
    listed = list(files)
    if any(TABLE.fullmatch(file.name) and is_ratings(file) for file in listed):
        return True
    for file in listed:
        if REVIEWS.fullmatch(file.name):
            line = file.first_line().decode("utf-8", errors="replace")
            if all(key in line for key in ("reviewerID", "asin", "overall")) or all(
                key in line for key in ("parent_asin", "user_id")
            ):
                return True
    return False
