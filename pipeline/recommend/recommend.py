"""The best items that somebody does not know yet, with the contributions to their scores: of every user, or of a few people."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
import torch

from pipeline.common.blocks import MapBlocks, Shown
from pipeline.common.side_by_side import here
from pipeline.common.top_columns import best_columns
from pipeline.data.dataset import blocks
from pipeline.explain.causes import MainCauses
from pipeline.explain.contributions import KINDS, NO_ITEM, Contributions, Explainer
from pipeline.explain.parts import PARTS
from pipeline.explain.strongest import StrongestContributions, strongest_contributions
from pipeline.recommend.rerank import Diversity, reranked
from pipeline.recommend.rules import NO_RULES, Rules
from pipeline.users.co_rating import scores_by
from pipeline.users.coordinates import Weighed
from pipeline.users.model import Model
from pipeline.users.people import Person, histories_of, preference_of, ragged
from pipeline.users.shares import co_rating_share

if TYPE_CHECKING:
    from numpy.typing import NDArray
# Cells of the users x items score matrix held at once, whatever the number of users.
BLOCK_CELLS = 8_000_000
# Users whose contributions are worked out at once, among whom those with histories of similar length are brought together, and how
# many contributions they may have at most: fewer users where many items and reasons are asked for.
BLOCK_USERS, BLOCK_PARTS = 4096, 4_000_000
# Candidates for each place of a list that rules put together; so many times more where they leave too few.
POOL, MORE = 5, 4
_here = threading.local()


class Recommended(NamedTuple):
    """What some users are recommended.

    Attributes:
        users: indices, (users,).
        items: indices, best first, items of equal score in their own order; `NO_ITEM` after the last, (users, top).
        scores: by `preference`, (users, top).
        contributions: to these scores.
        vectors: users as vectors whose inner products with the items' are the scores but for biases, EASE's weights and terms,
            (users, width); None where candidates weigh histories themselves.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int32]
    scores: NDArray[np.float32]
    contributions: StrongestContributions
    vectors: NDArray[np.float32] | None


class ForOne(NamedTuple):
    """What one person is recommended.

    Attributes:
        items: indices, best first, items of equal score in their own order, (items,).
        contributions: of everything they rated to the scores of these.
    """

    items: NDArray[np.int64]
    contributions: Contributions


def recommended(
    model: Model,
    people: Sequence[Person],
    top: int,
    named: int,
    rules: Rules = NO_RULES,
    map_blocks: MapBlocks | None = None,
    shown: Shown | None = None,
) -> Iterator[Recommended]:
    """Recommendations for all users, some at a time, by all that they rated, which is left out of them but by the rule `seen`.

    Memory does not grow with users times items.

    Args:
        people: the users, by index.
        top: items for each user, fewer where fewer are unrated.
        named: the strongest likes, and as many dislikes, that are named; the contributions of the others are added up.
        map_blocks: who works on blocks of users; this machine if not given. The result does not depend on it.
        shown: in a bar, if at all.
    """
    size = min(BLOCK_USERS, max(BLOCK_PARTS // (top * (2 * named + 3)), 1))
    if rules.seen:
        # A history for each item of a list.
        size = max(size // top, 1)
    users = list(blocks(len(people), size))
    mine = [people[block[0] : block[-1] + 1] for block in users]
    best = _Best(Explainer(model), top, rules)
    for block, found in zip(
        users, (map_blocks or here(model.device))(_told, mine, best, named, shown=shown), strict=True
    ):
        yield Recommended(block, *found)


def _told(
    people: Sequence[Person], best: _Best, named: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], StrongestContributions, NDArray[np.float32] | None]:
    """Of a block of users: `items`, `scores`, `contributions` and `vectors` of `Recommended`."""
    with torch.inference_mode():
        found = best.of(people)
        told = (
            _strongest_without_itself(best.explainer, people, found.items, named)
            if best.rules.seen
            else strongest_contributions(best.explainer, found.weighed, found.items, named)
        )
    return found.items, found.scores, told, None if found.users is None else found.users.float().cpu().numpy()


def recommended_to(
    model: Model,
    people: Sequence[Person],
    top: int,
    known: Sequence[NDArray[np.int64]] | None = None,
    rules: Rules = NO_RULES,
) -> list[ForOne]:
    """Recommendations for a few people, with the contribution of every item of their histories.

    Args:
        top: items for each, fewer where fewer are left.
        known: for each the items that are no candidates, those that they rated among them; just these if not given, and
            none by the rule `seen`.
    """
    best = _Best(Explainer(model), top, rules)
    with torch.inference_mode():
        found = best.of(people, known)
        told = (
            [_without_itself(best.explainer, *one) for one in zip(people, found.items, strict=True)]
            if rules.seen
            else best.explainer.contributions(found.weighed, found.items)
        )
    return [
        ForOne(items[items != NO_ITEM].astype(np.int64), contributions)
        for items, contributions in zip(found.items, told, strict=True)
    ]


def _without_itself(explainer: Explainer, person: Person, items: NDArray[np.int32]) -> Contributions:
    """Contributions to the scores of items of which some may be in the person's history: nothing explains itself."""
    asked = items[items != NO_ITEM]
    shorter = [person.without(item) for item in asked.tolist()]
    told = explainer.contributions(explainer.weighed(*histories_of(shorter, explainer.model.device)), asked[:, None])

    def of_all(history: NDArray[np.int64], of_one: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        values = np.zeros((len(asked), len(history)))
        for row, (item, one) in enumerate(zip(asked, of_one, strict=True)):
            values[row, history != item] = one[0]
        return values

    return Contributions(
        of_all(person.likes, [one.likes for one in told]),
        of_all(person.dislikes, [one.dislikes for one in told]),
        {head: np.concatenate([one.biases[head] for one in told]) for head in told[0].biases} if told else {},
        {part: of_all(person.likes, [one.parts_of_likes[part] for one in told]) for part in explainer.parts},
        {part: of_all(person.dislikes, [one.parts_of_dislikes[part] for one in told]) for part in explainer.parts},
    )


def _strongest_without_itself(
    explainer: Explainer, people: Sequence[Person], items: NDArray[np.int32], named: int
) -> StrongestContributions:
    """The same of many people: each item of a list has a history of its own."""
    shorter = [person.without(item) for person, mine in zip(people, items.tolist(), strict=True) for item in mine]
    weighed = explainer.weighed(*histories_of(shorter, explainer.model.device))
    kinds, *found, causes = strongest_contributions(explainer, weighed, items.reshape(-1, 1), named)
    shape = (*items.shape, len(kinds))
    whose, values = (one.reshape(shape) for one in found)
    return StrongestContributions(kinds, whose, values, MainCauses(*(one.reshape(shape) for one in causes)))


class _Found(NamedTuple):
    """The best items of some people, their scores, and what was needed to find them."""

    items: NDArray[np.int32]
    scores: NDArray[np.float32]
    weighed: Weighed
    users: torch.Tensor | None


class _Best:
    """The best items: what is known is crossed out of blocks of scores, which are all made in one place."""

    def __init__(self, explainer: Explainer, top: int, rules: Rules) -> None:
        self.explainer, self._top, self.rules = explainer, top, rules
        self._model = explainer.model
        allowed = rules.allowed
        self._refused = None if allowed is None else np.flatnonzero(~allowed)
        self._diversity = (
            Diversity(rules.diversity, self._model.items.float().cpu().numpy()) if rules.diversity else None
        )

    def of(self, people: Sequence[Person], known: Sequence[NDArray[np.int64]] | None = None) -> _Found:
        """
        Args:
            known: items that are no candidates; if not given those that they rated, or none by the rule `seen`.
        """
        weighed = self.explainer.weighed(*histories_of(people, self._model.device))
        users = self.explainer.users(weighed)
        crossed_out = [ragged(known, self._model.device)] if known is not None else [weighed.likes, weighed.dislikes]
        if self.rules.seen and known is None:
            crossed_out = []
        count = len(self._model.items)
        # Candidates that weigh histories themselves take items x items for each block, however few its users are.
        rows = max(BLOCK_CELLS // count, count if users is None else 1)
        items = np.full((len(people), self._top), NO_ITEM, dtype=np.int32)
        best = np.zeros(items.shape, dtype=np.float32)
        for block in blocks(len(people), rows):
            first, last = int(block[0]), int(block[-1]) + 1
            scores = (
                self._by_vectors(users[first:last], weighed, first, last)
                if users is not None and not self.rules.seen
                else preference_of(self._model, people[first:last], leave_one_out=self.rules.seen)
            )
            for history in crossed_out:
                mine = history.of(first, last)
                scores[mine.user.cpu().numpy(), mine.items.cpu().numpy()] = -np.inf
            if self._refused is not None:
                scores[:, self._refused] = -np.inf
            columns = self._listed(scores)
            row, place = (columns != NO_ITEM).nonzero()
            items[first:last] = columns
            best[first + row, place] = scores[row, columns[row, place]]
        return _Found(items, best, weighed, users)

    def _listed(self, scores: NDArray[np.float32]) -> NDArray[np.int32]:
        """The items of each list, (people, top), `NO_ITEM` after the last.

        Args:
            scores: (people, M), minus infinity where an item is no candidate.
        """
        if self.rules.at_most is None and self._diversity is None:
            return best_columns(scores, self._top)
        found = np.full((len(scores), self._top), NO_ITEM, dtype=np.int32)
        waiting, size = np.arange(len(scores)), POOL * self._top
        while len(waiting):
            size = min(size, scores.shape[1])
            short = []
            pools = best_columns(scores if len(waiting) == len(scores) else scores[waiting], size)
            for row, pool in zip(waiting.tolist(), pools, strict=True):
                candidates = pool[pool != NO_ITEM]
                told = scores[row, candidates]
                listed = reranked(candidates, told, self._top, self.rules.at_most, self._diversity)
                found[row, : len(listed)] = listed
                if len(listed) < self._top and len(candidates) == size < scores.shape[1]:
                    short.append(row)
            waiting, size = np.array(short, dtype=np.int64), size * MORE
        return found

    def _by_vectors(self, users: torch.Tensor, weighed: Weighed, first: int, last: int) -> NDArray[np.float32]:
        """`preference` of all items for the users from ``first`` up to ``last``, in the place of the block before."""
        scores = self.explainer.scores(users, out=_place_for(len(users), self._model.items))
        together = self._model.co_rating
        for name, (history, _) in weighed.by_view.items():
            if together is not None:
                added = scores_by(together, history.of(first, last))
                scores.add_(added, alpha=co_rating_share(self._model, name))
            for term in self._model.scorer.terms_of(name).values():
                for head, added in term.scores(history.of(first, last)).items():
                    scores.add_(added, alpha=self.explainer.shares.get(head, 0.0))
        found: NDArray[np.float32] = scores.cpu().numpy()
        return found


def _place_for(users: int, items: torch.Tensor) -> torch.Tensor:
    """For the scores of all items for some users, (users, M): the thread's own, and the same one again as long as it is large enough.

    Large arrays that come and go between small ones that stay make the heap grow.
    """
    place: torch.Tensor | None = getattr(_here, "scores", None)
    if (
        place is None
        or (place.device, place.dtype) != (items.device, items.dtype)
        or place.numel() < users * len(items)
    ):
        place = _here.scores = items.new_empty(users * len(items))
    return place[: users * len(items)].view(users, len(items))


class Ids(NamedTuple):
    """What users, items and the graph are called in the source, by index.

    Attributes:
        entities: of ENTITIES; empty for a model without terms, relations likewise.
    """

    users: pl.Series
    items: pl.Series
    relations: pl.Series = pl.Series([], dtype=pl.String)
    entities: pl.Series = pl.Series([], dtype=pl.String)


def recommendation_table(found: Iterable[Recommended], ids: Ids) -> pl.DataFrame:
    """The rows of RECOMMENDATIONS: ids are the source's own, and the contributions to an item's score add up to it.

    Texts in reasons are places in a list of names, an Enum, until they are written: a text takes 16 bytes, and there are five in each.

    Args:
        found: of one block of users at least.
    """
    names = [_enumerated(each) for each in (pl.Series(KINDS), ids.items, pl.Series(PARTS), ids.relations, ids.entities)]
    return pl.concat([_rows(one, ids, *names) for one in found])


def _enumerated(names: pl.Series) -> pl.Series:
    return names.cast(pl.Enum(names.unique(maintain_order=True)))


def _rows(
    found: Recommended,
    ids: Ids,
    kinds: pl.Series,
    items: pl.Series,
    parts: pl.Series,
    relations: pl.Series,
    entities: pl.Series,
) -> pl.DataFrame:
    """Of one block; contributions of zero are left out."""
    causes = found.contributions.causes
    user, place = (found.items != NO_ITEM).nonzero()
    values = found.contributions.values[user, place]
    row, column = values.nonzero()
    told = pl.DataFrame(
        {
            "row": row,
            "reasons": pl.DataFrame(
                {
                    "kind": kinds.gather(found.contributions.kinds[column]),
                    "item_id": _ids(items, found.contributions.items[user, place][row, column]),
                    "part": values[row, column],
                    "by": _ids(parts, causes.part[user, place][row, column]),
                    "relation": _ids(relations, causes.relation[user, place][row, column]),
                    "entity": _ids(entities, causes.entity[user, place][row, column]),
                }
            ).to_struct(),
        }
    )
    lists = told.group_by(pl.col("row").set_sorted(), maintain_order=True).agg("reasons")
    recommendations = pl.DataFrame(
        {
            "row": np.arange(len(user)),
            "user_id": ids.users.gather(found.users[user]),
            "rank": (place + 1).astype(np.int32),
            "item_id": ids.items.gather(found.items[user, place]),
            "score": found.scores[user, place],
        }
    )
    joined = recommendations.join(lists, on="row", how="left", maintain_order="left")
    return joined.select("user_id", "rank", "item_id", "score", pl.col("reasons").fill_null([]))


def _ids(names: pl.Series, places: NDArray[np.integer]) -> pl.Series:
    """Null for `NO_ITEM`."""
    return names.gather(pl.Series(places.astype(np.int32)).replace(NO_ITEM, None))
