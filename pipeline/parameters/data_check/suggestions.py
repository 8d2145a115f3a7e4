"""Settings that a data set asks for: from which rating on something is a like, S_m, and the text of an item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log
from typing import Any

import polars as pl

from pipeline.graph.item_graph import DENSITY_WARNING, ISOLATED_WARNING
from pipeline.text.template import template_fields
from pipeline.text.title import called_title, mean_length, title_column, year_column

# A like is a rating in the upper third of the scale, unless nearly all or hardly any would be.
UPPER_THIRD = 2 / 3
LIKED_SHARES = (0.2, 0.9)
# At a share of edges below it the item graph says little (design of S_m: 1% to 10% of the pairs).
DENSITY_FLOOR = 0.01
# A user who likes half of what there is has fewer zeros than likes.
DRAWN_SHARE = 0.9
FEWEST_USERS = 10
ASKED = "as asked for"
# The GAT takes the whole graph at once: a million edges are some seconds and gigabytes an epoch.
MOST_EDGES = 1_000_000

NO_TEXT = (
    "url",
    "link",
    "image",
    "img",
    "cover",
    "poster",
    "isbn",
    "asin",
    "imdb",
    "tmdb",
    "uri",
    "path",
    "email",
    "hash",
)
# In names of columns that say what an item is.
TELLING = (
    "overview",
    "description",
    "summary",
    "abstract",
    "plot",
    "synopsis",
    "beschreibung",
    "inhalt",
    "genre",
    "categor",
    "kategorie",
    "tags",
    "keyword",
    "author",
    "director",
    "artist",
)
FLAGS = ("true", "false", "yes", "no", "y", "n", "t", "f", "0", "1", "ja", "nein", "oui", "non")
# Above it a share is of nearly all; of fewer rows it may be chance.
MOSTLY, FEWEST_ROWS = 0.9, 10
MOST_FIELDS = 6
FEWEST_FILLED = 0.05


@dataclass(frozen=True)
class Threshold:
    value: float
    why: str


def suggested_threshold(ratings: pl.Series) -> Threshold:
    """The lowest rating that is a like: the first in the upper third of the scale, or else the one nearest to half of all.

    Args:
        ratings: as they are stored, none missing.
    """
    values = ratings.unique().sort()
    low, high = float(values[0]), float(values[-1])
    cut = low + UPPER_THIRD * (high - low)
    value = float(values.filter(values >= cut - 1e-6 * abs(high - low))[0])
    share = int((ratings >= value).sum()) / len(ratings)
    if LIKED_SHARES[0] <= share <= LIKED_SHARES[1]:
        return Threshold(shortest(value), f"the upper third of {low:g} to {high:g}")
    counts = ratings.value_counts().sort(ratings.name)
    shares = 1 - (counts["count"].cum_sum() - counts["count"]) / len(ratings)
    # The lowest rating of all would make everything a like.
    nearest = int((shares[1:] - 0.5).abs().arg_min()) + 1 if len(shares) > 1 else 0  # type: ignore[arg-type]
    value = float(counts[ratings.name][nearest])
    return Threshold(
        shortest(value),
        f"the upper third of {low:g} to {high:g} holds {share:.0%} of the ratings; from {value:g} on it is {shares[nearest]:.0%}",
    )


def shortest(value: float) -> float:
    """The shortest number that is the same rating: 3.6 and not 3.5999999046."""
    return float(str(pl.Series([value], dtype=pl.Float32).cast(pl.String)[0]))


@dataclass(frozen=True)
class Told:
    """What the zeros are (`pipeline.data.feedback`), and by what that can be told."""

    value: str
    why: str


def told_feedback(rated: pl.DataFrame) -> Told:
    """What the zeros of somebody's table are: drawn, where there are as many as likes for nearly every user.

    Publishers draw one zero for each like. People who rate do not give as many dislikes as likes, user by user.

    Args:
        rated: user_id and like of every interaction.
    """
    if rated["like"].all():
        return Told("liked", "there are only likes")
    of_users = rated.group_by("user_id").agg(balance=pl.col("like").cast(pl.Int32).sum() * 2 - pl.len().cast(pl.Int32))
    share = int((of_users["balance"] == 0).sum()) / len(of_users)
    if share >= DRAWN_SHARE and len(of_users) >= FEWEST_USERS:
        return Told("sampled", f"as many zeros as likes for {share:.1%} of the users: they were sampled")
    return Told("rated", "likes and dislikes were given")


@dataclass(frozen=True)
class Joining:
    """An S_m and what it makes of the item graph.

    Attributes:
        items: isolated or not.
        fits: edges and isolated items are within what is good.
    """

    s_m: int
    edges: int
    density: float
    isolated_items: int
    items: int
    fits: bool
    why: str

    def sentence(self) -> str:
        return (
            f"{self.edges:,} edges, {percent(self.density)} of the pairs, "
            f"{self.isolated_items:,} of {self.items:,} items isolated"
        )


def suggested_s_m(thresholds: pl.DataFrame, items: int) -> Joining:
    """The S_m with 1% to 10% of the pairs as edges and fewer than 30% of the items isolated, the highest of several.

    Where none is like that, or it has too many edges to train on, the one that is least far off.

    Args:
        thresholds: s_m, edges, density, isolated_items, as `overlap_join` gives them; some S_m has an edge.
        items: how many there are.
    """
    rows = [row for row in thresholds.iter_rows(named=True) if row["edges"]]
    off = {row["s_m"]: _off(row, items) for row in rows}
    fitting = [row for row in rows if not off[row["s_m"]]]
    chosen = fitting[-1] if fitting else min(rows, key=lambda row: (sum(off[row["s_m"]].values()), row["s_m"]))
    why = "good: 1-10% of the pairs, under 30% of the items" if fitting else _nearest(chosen, off)
    return _joining(chosen, items, bool(fitting), why)


def joining_at(s_m: int, thresholds: pl.DataFrame, items: int) -> Joining:
    """What a given S_m makes of the item graph."""
    at = thresholds.filter(pl.col("s_m") == s_m)
    if at.is_empty():
        return Joining(s_m, 0, 0.0, items, items, False, ASKED)
    row = at.row(0, named=True)
    return _joining(row, items, bool(row["edges"]) and not _off(row, items), ASKED)


def _joining(row: dict[str, Any], items: int, fits: bool, why: str) -> Joining:
    return Joining(row["s_m"], row["edges"], row["density"], row["isolated_items"], items, fits, why)


def percent(share: float) -> str:
    """Two digits that mean something: 14%, 4%, 0.62%, 0.0041%."""
    return f"{float(f'{100 * share:.2g}'):.10g}%"


def _off(row: dict[str, Any], items: int) -> dict[str, float]:
    """In what an S_m misses the aims, and by how much (logarithm of the ratio)."""
    isolated = row["isolated_items"] / items
    off = {
        f"joins only {percent(row['density'])} of the pairs": log(DENSITY_FLOOR / row["density"]),
        f"joins {percent(row['density'])} of the pairs": log(row["density"] / DENSITY_WARNING),
        f"isolates {isolated:.1%} of the items": log(isolated / ISOLATED_WARNING) if isolated else -inf,
        f"has {row['edges']:,} edges, slow to train on": log(row["edges"] / MOST_EDGES),
    }
    return {what: by for what, by in off.items() if by > 0 or (by == 0 and "isolated" in what)}


def _nearest(chosen: dict[str, Any], off: dict[int, dict[str, float]]) -> str:
    near = [s_m for s_m in (chosen["s_m"] - 1, chosen["s_m"], chosen["s_m"] + 1) if s_m in off]
    return (
        f"no S_m fits: {'; '.join(f'{s_m} {_listed(list(off[s_m]))}' for s_m in near)}; {chosen['s_m']} is the nearest"
    )


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def suggested_template(items: pl.DataFrame) -> str | None:
    """`{title} ({year}). {genres}`, out of the columns that look like text; None where no column does.

    Args:
        items: item_id and any other columns.
    """
    texts = [name for name in items.columns if name != "item_id" and _is_text(items[name])]
    year = year_column(items, [name for name in items.columns if _filled(items[name]) and _may_be_named(name)])
    texts = [name for name in texts if name != year and not _is_dump(items[name])]
    telling = [name for name in texts if not _says_little(items[name])] or texts
    called = called_title(items, [name for name in texts if not items.schema[name].is_nested()])
    title = called or title_column(items, telling)
    others = [name for name in telling if name != title and not _repeats(items, name, title)]
    others = _that_say_most(items, others, MOST_FIELDS - 2)
    first = [f"{{{title}}} ({{{year}}})" if year else f"{{{title}}}"] if title is not None else []
    if not first and year and others:
        others = [*others, year]
    template = ". ".join([*first, *(f"{{{name}}}" for name in others)])
    return template or None


def _that_say_most(items: pl.DataFrame, names: Sequence[str], most: int) -> list[str]:
    """So many of the columns: those called a description or a genre (`TELLING`), the longest, and the shortest; shortest first."""
    length = {name: mean_length(items[name]) for name in names}
    longest = max(names, key=lambda name: length[name], default=None)

    def place(name: str) -> tuple[bool, bool, float]:
        return not any(word in name.lower() for word in TELLING), name != longest, length[name]

    # What is short says the most in the few words that BERT reads.
    return sorted(sorted(names, key=place)[:most], key=lambda name: length[name])


def unusable_names(items: pl.DataFrame) -> list[str]:
    """Columns of text whose names cannot stand in a template."""
    return [name for name in items.columns if _looks_like_text(items[name]) and not _may_be_named(name)]


def _is_text(column: pl.Series) -> bool:
    return _may_be_named(column.name) and _looks_like_text(column)


def _looks_like_text(column: pl.Series) -> bool:
    name = column.name.lower()
    if name.endswith("id") or any(word in NO_TEXT for word in _words(name)) or not _filled(column):
        return False
    if column.dtype == pl.List(pl.String):
        return True
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return False
    texts = column.cast(pl.String).drop_nulls().head(1000)
    letters = texts.str.contains(r"\p{L}{2}").mean()
    addresses = texts.str.contains(r"^\s*(https?://|www\.)").mean()
    return float(letters or 0) > 0.5 and float(addresses or 0) < 0.5  # type: ignore[arg-type]


def _is_dump(column: pl.Series) -> bool:
    """Lists or objects as JSON or Python writes them, or flags: nothing that anybody would read."""
    if column.dtype.is_nested():
        return False
    texts = _sample(column)
    return _share(texts.str.contains(r"(?s)^\s*(\[.*\]|\{.*\})\s*$")) > 0.5 or _share(texts.is_in(FLAGS)) > MOSTLY


def _says_little(column: pl.Series) -> bool:
    """Codes, such as `en`, `en-GB` or `B0012X`, names of files, or the same text nearly everywhere."""
    if column.dtype.is_nested():
        return False
    texts = _sample(column)
    if len(texts) >= FEWEST_ROWS and int(texts.value_counts()["count"].max()) > MOSTLY * len(texts):  # type: ignore[arg-type]
        return True
    return (
        _share(
            texts.str.contains(r"^(\S{1,3}|[a-z]{2}[-_][a-z]{2}|\S*\d\S*|\S*\.(jpe?g|png|gif|webp|svg|pdf|mp[34]))$")
        )
        > MOSTLY
    )


def _sample(column: pl.Series) -> pl.Series:
    """Some of a column's texts, without spaces around them and in lower case."""
    texts = column.cast(pl.String).str.strip_chars().str.to_lowercase()
    return texts.filter(texts != "").head(1000)


def _share(true: pl.Series) -> float:
    return float(true.mean() or 0)  # type: ignore[arg-type]


def _words(name: str) -> Sequence[str]:
    return "".join(c if c.isalnum() else " " for c in name).split()


def _filled(column: pl.Series) -> bool:
    filled = column.is_not_null()
    if column.dtype == pl.String:
        filled &= column.str.strip_chars() != ""
    return int(filled.sum()) > FEWEST_FILLED * len(column)


def _may_be_named(name: str) -> bool:
    try:
        return template_fields(f"{{{name}}}") == [name]
    except ValueError:
        return False


def _repeats(items: pl.DataFrame, name: str, title: str | None) -> bool:
    """A column whose values mostly stand in the title's already."""
    if title is None or items.schema[name] != pl.String or items.schema[title] != pl.String:
        return False
    both = items.select(a=pl.col(title).str.to_lowercase(), b=pl.col(name).str.to_lowercase()).drop_nulls().head(1000)
    if both.is_empty():
        return False
    words = both.select(
        share=pl.col("b").str.split(" ").list.set_intersection(pl.col("a").str.extract_all(r"[\p{L}\d']+")).list.len()
        / pl.col("b").str.split(" ").list.len()
    )
    return float(words["share"].mean() or 0) > 0.8  # type: ignore[arg-type]
