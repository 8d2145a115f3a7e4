"""What is held of several systems: each has what its own tables have, and what they share is there once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.evaluation.metrics.evaluated import evaluate_split
from pipeline.evaluation.systems.several import Systems
from pipeline.evaluation.systems.system import SystemTables, evaluate_system, pairs_of, per_user_of
from tests.evaluation.worlds import planted_dataset, without_ties

USERS, ITEMS = 40, 60
DATA = planted_dataset(USERS, ITEMS)
PARTS = {name: evaluate_system(name, without_ties(USERS, ITEMS, seed), DATA) for seed, name in enumerate("bac")}


def test_each_system_has_what_its_own_tables_have_in_the_order_in_which_they_come() -> None:
    found = Systems.joined(PARTS.values())
    for part in (found.per_user, found.pairs, found.item_slices, found.facts, found.lists):
        assert list(part) == ["b", "a", "c"]
    for seed, (system, tables) in enumerate(PARTS.items()):
        assert found.per_user[system].keys() == per_user_of(tables.per_user)[system].keys()
        for key, values in per_user_of(tables.per_user)[system].items():
            np.testing.assert_array_equal(found.per_user[system][key].users, values.users)
            np.testing.assert_array_equal(found.per_user[system][key].values, values.values)
        for protocol, pairs in pairs_of(tables.pairs)[system].items():
            for name in ("users", "labels", "scores"):
                np.testing.assert_array_equal(getattr(found.pairs[system][protocol], name), getattr(pairs, name))
        scored = evaluate_split(without_ties(USERS, ITEMS, seed), DATA, "test").scored
        np.testing.assert_array_equal(found.pairs[system]["ctr"].scores, scored.ctr.scores)
        assert found.facts[system] == dict(tables.facts.select("fact", "value").iter_rows())
        assert found.lists[system].equals(tables.lists.select("user", "item"))
        for (_, name, protocol, metric), values in found.item_slices[system].items():
            part = tables.item_slices.filter(slice=name, protocol=protocol, metric=metric)
            assert (part["user"].to_list(), part["value"].to_list()) == (values.users.tolist(), values.values.tolist())
        assert sum(len(values.users) for values in found.item_slices[system].values()) == len(tables.item_slices)


def test_users_and_labels_that_systems_have_alike_are_held_once() -> None:
    found = Systems.joined(PARTS.values())
    for protocol in ("ctr", "impression"):
        first, *others = (pairs[protocol] for pairs in found.pairs.values())
        assert all(other.users is first.users and other.labels is first.labels for other in others)
    first, *others = (values["ranking", "ndcg@10"] for values in found.per_user.values())
    assert all(other.users is first.users for other in others)


def test_tables_are_asked_for_one_after_another() -> None:
    """One that has been taken over is not held any more when the next one is read."""
    alive: list[str] = []

    class Tables(SystemTables):
        def __del__(self) -> None:
            alive.remove(self.facts["system"][0])

    def read() -> Iterator[SystemTables]:
        for name, tables in PARTS.items():
            alive.append(name)
            yield Tables(**vars(tables))
            assert len(alive) <= 2

    Systems.joined(read())
    assert alive == []
