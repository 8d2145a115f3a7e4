"""Rules of a shop: which items may be in a list at all, how many of a kind, and how unlike one another they are to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.common.errors import InputError, quoted, shortened
from pipeline.data.elements import elements_of
from pipeline.recommend.condition import holds_of
from pipeline.recommend.rerank import AtMost
from pipeline.recommend.settings import RULES_FOLDER, RulesConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

ID = "id:"


@dataclass(frozen=True)
class Rules:
    """
    Attributes:
        allow: by the setting that says so, which items may be recommended, (M,) each; all of them hold.
        at_most: of one kind.
        diversity: how much it counts beside the score, from 0 to 1.
        seen: whether what somebody has rated may be recommended to them.
        words: all of it.
        remarks: what somebody should know of how it was read.
    """

    allow: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    at_most: AtMost | None = None
    diversity: float = 0.0
    seen: bool = False
    words: str = ""
    remarks: Sequence[str] = ()

    @property
    def allowed(self) -> NDArray[np.bool_] | None:
        """Which items may be recommended, (M,); None: all."""
        return np.logical_and.reduce(list(self.allow.values())) if self.allow else None


NO_RULES = Rules()


def rules_of(
    config: RulesConfig, items: pl.DataFrame, called: Callable[[str], str], *, anywhere: bool = False
) -> Rules:
    """
    Args:
        items: item_id and any other columns; row is index.
        called: what a setting is called where it was given, for errors.
        anywhere: files of ids may be anywhere, and not in `RULES_FOLDER` alone.

    Raises:
        InputError: an id, a file, a condition or a column that there is not; no item is left.
    """
    columns = items.drop("item", strict=False)
    allow: dict[str, NDArray[np.bool_]] = {}
    remarks: list[str] = []
    for setting in ("only", "without"):
        entries = getattr(config, setting)
        if entries:
            try:
                named, told = _named(entries, items["item_id"], anywhere)
            except InputError as error:
                raise InputError(f"{called(setting)}: {error}") from None
            allow[setting] = named if setting == "only" else ~named
            remarks += told
    if config.where:
        try:
            allow["where"] = holds_of(config.where, columns)
        except InputError as error:
            raise InputError(f"{called('where')}: {error}") from None
    rules = Rules(allow, _at_most(config, columns, called), config.diversity, config.seen)
    left = len(items) if rules.allowed is None else int(rules.allowed.sum())
    if not left:
        alone = ", ".join(f"{called(setting)} leaves {int(mask.sum()):,}" for setting, mask in allow.items())
        raise InputError(f"found no item that the rules allow, expected some of {len(items):,}: {alone}")
    words = _in_words(config, {setting: int(mask.sum()) for setting, mask in allow.items()}, left, len(items))
    return Rules(allow, rules.at_most, rules.diversity, rules.seen, words, tuple(remarks))


def shortfall(found: pl.Series, people: int, top: int) -> list[str]:
    """How many got less than was asked for, in a line, if any did.

    Args:
        found: whose each item of all lists is.
        people: who asked.
        top: how many items for each.
    """
    counts = found.value_counts()["count"]
    fewer = people - int((counts >= top).sum())
    if not fewer:
        return []
    said = (
        f"found {len(found):,} of {top:,} items"
        if people == 1
        else f"{fewer:,} of {people:,} people get fewer than {top:,} items, and {people - len(counts):,} none"
    )
    return [f"{said}: the rules and their own ratings leave no more"]


def _at_most(config: RulesConfig, items: pl.DataFrame, called: Callable[[str], str]) -> AtMost | None:
    if not config.at_most:
        return None
    if config.per not in items.columns:
        known = shortened(", ".join(items.columns))
        raise InputError(f"{called('per')}: found {quoted(config.per)}, expected a column of the items: {known}")
    elements = elements_of(items[config.per])
    if elements is None:
        found = items[config.per].dtype
        raise InputError(
            f"{called('per')}: found {config.per} of type {found}, expected text, numbers, dates or lists of these"
        )
    return AtMost.of(config.at_most, elements)


def _named(entries: Sequence[str | int], ids: pl.Series, anywhere: bool) -> tuple[NDArray[np.bool_], list[str]]:
    """Which items are named, by their ids or in files, (M,); and what was found in files that is no item."""
    index = {item_id: place for place, item_id in enumerate(ids.to_list())}
    named = np.zeros(len(ids), dtype=np.bool_)
    remarks: list[str] = []
    for text in map(str, entries):
        item_id = text if text in index else text.removeprefix(ID)
        if item_id in index:
            named[index[item_id]] = True
            continue
        path = Path(text)
        if not _is_file(path, anywhere):
            where = "" if anywhere else f" in {RULES_FOLDER}/"
            raise InputError(
                f"found {quoted(text)}, expected the id of an item, or a file{where} with an id on each line"
            )
        listed = _lines(path)
        known = [index[item_id] for item_id in listed if item_id in index]
        if listed and not known:
            raise InputError(
                f"{path}: line 1: found {quoted(listed[0])}, expected the id of an item; of {len(listed):,} found none that is one"
            )
        if len(known) < len(listed):
            remarks.append(
                f"{path}: {len(listed) - len(known):,} of {len(listed):,} ids are not ids of items and change nothing"
            )
        named[known] = True
    return named, remarks


def _is_file(path: Path, anywhere: bool) -> bool:
    try:
        inside = anywhere or path.resolve().is_relative_to(Path(RULES_FOLDER).resolve())
        return inside and path.is_file()
    # What no file can be called: too long, or with a zero in it; and links that go in a circle.
    except (OSError, ValueError, RuntimeError):
        return False


def _lines(path: Path) -> list[str]:
    """Ids in a file, each once; a heading `item_id` is none."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; expected an id on each line") from None
    found = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    return found[1:] if found[:1] == ["item_id"] else found


def _in_words(config: RulesConfig, counts: Mapping[str, int], left: int, items: int) -> str:
    allowing = [
        *([f"only {counts['only']:,}"] if "only" in counts else []),
        *([f"without {items - counts['without']:,}"] if "without" in counts else []),
        *([f"where {config.where}"] if "where" in counts else []),
    ]
    said = [
        *([f"{left:,} of {items:,} items ({', '.join(allowing)})"] if allowing else []),
        *([f"at most {config.at_most} per {config.per}"] if config.at_most else []),
        *([f"diversity {config.diversity:g}"] if config.diversity else []),
        *(["rated items left in"] if config.seen else []),
    ]
    return "; ".join(said)
