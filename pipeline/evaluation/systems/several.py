"""Several systems beside each other, as a comparison holds them: of each its numbers, and what they share once.

At 100,000 items the tables of one system take a gigabyte, and those of nine were most of what `compare` held.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from pipeline.evaluation.protocols.split import PerUser, ScoredPairs
from pipeline.evaluation.systems.slices import POPULARITY, Slices
from pipeline.evaluation.systems.system import SystemTables, pairs_of, per_user_of, values_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Systems:
    """
    Attributes:
        per_user: by system, in the order in which they came: (protocol, metric) to values.
        pairs: by system: protocol to its scored pairs.
        item_slices: by system, as `by_item` has them.
        facts: by system: fact to value.
        lists: by system: user, item.
    """

    per_user: dict[str, dict[tuple[str, str], PerUser]]
    pairs: dict[str, dict[str, ScoredPairs]]
    item_slices: dict[str, Slices]
    facts: dict[str, dict[str, float]]
    lists: dict[str, pl.DataFrame]

    @classmethod
    def joined(cls, parts: Iterable[SystemTables]) -> Systems:
        """
        Args:
            parts: taken one after another: one that is read when its turn comes need not be held with the others.
        """
        found, once = cls({}, {}, {}, {}, {}), _Once()
        for part in parts:
            for system, values in per_user_of(part.per_user).items():
                found.per_user[system] = {key: once.of_users(each) for key, each in values.items()}
            for system, pairs in pairs_of(part.pairs).items():
                found.pairs[system] = {
                    protocol: ScoredPairs(once.of(each.users), once.of(each.labels), each.scores)
                    for protocol, each in pairs.items()
                }
            keys = ("system", "slice", "protocol", "metric")
            for (system, *key), sliced in part.item_slices.partition_by(
                *keys, as_dict=True, maintain_order=True
            ).items():
                name, protocol, metric = map(str, key)
                of_system = found.item_slices.setdefault(str(system), {})
                of_system[POPULARITY, name, protocol, metric] = once.of_users(values_of(sliced))
            for system, fact, value in part.facts.select("system", "fact", "value").iter_rows():
                found.facts.setdefault(system, {})[fact] = value
            for (system,), lists in part.lists.partition_by("system", as_dict=True, maintain_order=True).items():
                found.lists[str(system)] = lists.select("user", "item")
        return found


class _Once:
    """Arrays that several systems have alike are the same one."""

    def __init__(self) -> None:
        self._known: list[NDArray[Any]] = []

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        for known in self._known:
            if known.dtype == array.dtype and np.array_equal(known, array):
                return known
        self._known.append(array)
        return array

    def of_users(self, values: PerUser) -> PerUser:
        return PerUser(self.of(values.users), values.values)
