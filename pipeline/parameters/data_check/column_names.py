"""What people call our columns: the one in a table that is probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import polars as pl

from pipeline.data.sources.tidy import RawTable

ID_COLUMNS = {
    "interactions": ("user_id", "item_id"),
    "items": ("item_id",),
    "kg": ("head", "relation", "tail"),
    "item_entities": ("item_id", "entity_id"),
}
# What people call our columns, in lower case and without separators.
OTHER_NAMES = {
    "user_id": (
        "user",
        "userid",
        "uid",
        "username",
        "customer",
        "customerid",
        "person",
        "player",
        "listener",
        "reader",
        "viewer",
        "buyer",
        "client",
        "member",
        "visitor",
        "account",
        "reviewer",
        "personid",
        "memberid",
        "reviewerid",
        "accountid",
        "visitorid",
        "listenerid",
        "readerid",
        "viewerid",
        "playerid",
        "buyerid",
        "clientid",
    ),
    "item_id": (
        "item",
        "itemid",
        "iid",
        "movieid",
        "filmid",
        "bookid",
        "isbn",
        "productid",
        "product",
        "recipeid",
        "asin",
        "parentasin",
        "sku",
    ),
    "rating": (
        "score",
        "stars",
        "ratings",
        "value",
        "vote",
        "grade",
        "overall",
        "plays",
        "playcount",
        "playtime",
        "listens",
        "clicks",
        "views",
        "hours",
        "count",
        "quantity",
        "weight",
    ),
    "like": ("liked", "likes", "label", "isliked"),
    "timestamp": ("time", "date", "datetime", "ts", "ratedat", "createdat"),
    "head": ("headid", "subject", "source", "from", "entity"),
    "relation": ("relationid", "predicate", "property", "relationship", "type"),
    "tail": ("tailid", "object", "target", "to", "value"),
    "entity_id": ("entity", "entityid", "eid", "node", "nodeid", "qid", "uri", "iri"),
}
# So many different values can hardly be ratings or the like, and such a share of them must be ids of the items.
FEWEST_IDS, SAME_IDS = 10, 0.9
# Ids of what is neither a user nor an item.
OTHER_IDS = (
    "rating",
    "review",
    "row",
    "event",
    "session",
    "order",
    "transaction",
    "interaction",
    "log",
    "entity",
    "link",
)


def near(ours: str, table: str, raw: Mapping[str, RawTable]) -> str | None:
    """The column of a table that is probably meant by a name of ours.

    Args:
        table: its name.
        raw: the tables that could be read, this one among them, by name.
    """
    frame = raw[table].frame
    plain = {_plain(column): column for column in reversed(frame.columns)}
    # In most tables out of a database an id of its own numbers the rows.
    own = plain.pop("id", None) if ours == "item_id" else None
    named = [plain[name] for name in (ours.replace("_", ""), *OTHER_NAMES.get(ours, ())) if name in plain]
    if ours != "item_id":
        return named[0] if named else _alike(ours, plain)
    both = _key_of_both(frame, raw, named)
    if not named:
        return both or _by_values(table, raw) or _item_id(table, frame, plain, own)
    if both is not None and both in named:
        named.insert(0, both)
    # A table out of a database may have somebody else's ids of the items beside its own.
    return (_with_the_rated([*named, own], raw) if table == "items" and own is not None else None) or named[0]


def _key_of_both(frame: pl.DataFrame, raw: Mapping[str, RawTable], named: Sequence[str]) -> str | None:
    """A column by which the items are told apart and which the interactions have as well; one that is `named` so goes first."""
    if "interactions" not in raw or "items" not in raw:
        return None
    rated, items = raw["interactions"].frame, raw["items"].frame
    if "item_id" in (*rated.columns, *items.columns):
        return None
    keys = [
        name
        for name in rated.columns
        if name in frame.columns
        and name in items.columns
        and _plain(name) != "id"
        and not _is_other(_plain(name))
        and _all_differ(items[name])
    ]
    return min(keys, key=lambda name: (name not in named, not _plain(name).endswith("id"))) if keys else None


def _by_values(table: str, raw: Mapping[str, RawTable]) -> str | None:
    """The column of interactions, or of items, of two that hold the same ids, whatever they are called.

    In the items each is there once, and nearly all of the interactions' are there. Of several pairs the one that has most of the items.
    """
    if table not in ("interactions", "items") or not {"interactions", "items"} <= set(raw):
        return None
    rated, items = raw["interactions"].frame, raw["items"].frame
    keys = [name for name in (["item_id"] if "item_id" in items.columns else items.columns) if _all_differ(items[name])]
    best: tuple[float, str, str] | None = None
    for theirs in ["item_id"] if "item_id" in rated.columns else rated.columns:
        if theirs != "item_id" and (_is_other(_plain(theirs)) or rated.schema[theirs].is_nested()):
            continue
        ids = rated[theirs].cast(pl.String, strict=False).drop_nulls().unique()
        for key in keys if len(ids) >= FEWEST_IDS else []:
            known = items[key].cast(pl.String)
            if int(ids.is_in(known.implode()).sum()) >= SAME_IDS * len(ids):
                found = int(known.is_in(ids.implode()).sum()) / len(known), theirs, key
                best = found if best is None or found[0] > best[0] else best
    return None if best is None else best[1] if table == "interactions" else best[2]


def _with_the_rated(names: Sequence[str], raw: Mapping[str, RawTable]) -> str | None:
    """The first of the items' columns in which most of the items are that the interactions name."""
    if "interactions" not in raw:
        return None
    rated = raw["interactions"].frame
    theirs = "item_id" if "item_id" in rated.columns else near("item_id", "interactions", raw)
    if theirs is None or rated.schema[theirs].is_nested():
        return None
    ids = rated[theirs].cast(pl.String, strict=False).drop_nulls().unique()
    items = raw["items"].frame.select(list(dict.fromkeys(names)))
    columns = [column.cast(pl.String, strict=False) for column in items if not column.dtype.is_nested()]
    return next((c.name for c in columns if len(ids) and int(ids.is_in(c.implode()).sum()) > len(ids) / 2), None)


def _item_id(table: str, frame: pl.DataFrame, plain: Mapping[str, str], own: str | None) -> str | None:
    if table == "items" and own is not None:
        return own
    close = _alike("item_id", plain)
    if close is not None:
        return close
    others = [plain[_plain(name)] for name in frame.columns if _plain(name) in plain and _plain(name).endswith("id")]
    others = [name for name in others if not _is_other(_plain(name))]
    if others:
        return others[0]
    # A link's own id may be the item's. In interactions it is not if each is there once.
    return None if own is None or (table == "interactions" and _all_differ(frame[own])) else own


def _all_differ(column: pl.Series) -> bool:
    return (column.dtype.is_integer() or column.dtype == pl.String) and column.n_unique() == len(column)


def _alike(ours: str, plain: Mapping[str, str]) -> str | None:
    close = difflib.get_close_matches(ours.replace("_", ""), plain, n=1, cutoff=0.8)
    return plain[close[0]] if close else None


def _plain(column: str) -> str:
    return "".join(c for c in column.lower() if c.isalnum())


def _is_other(plain: str) -> bool:
    """What is known to be something else than the item."""
    known = {name for ours, names in OTHER_NAMES.items() if ours != "item_id" for name in (_plain(ours), *names)}
    return plain in known or plain.removesuffix("id") in OTHER_IDS
