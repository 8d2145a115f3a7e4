"""Does the link from items to entities make sense? Facts of the right entities tell an item's category.

Items often come with categories (genres, years, publishers), and a knowledge graph mostly knows something of the kind.
With the right link, "has the genre m.0hcr" then goes along with "Animation". A link that is keyed by the ids of another
data set gives every item the facts of another one: nothing else notices, all shapes are right, and the structure of the
graph means nothing. Here the best agreement of any fact with any category is set against what links drawn at random give.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

from pipeline.common.random_streams import stream
from pipeline.common.sorted_unique import sorted_unique
from pipeline.graph.triples import linked_triples

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEPARATORS = ("|", ",", " ")
COLUMN_LIMIT = 200
FACT_ITEMS = 10
TOKENS_PER_ITEM = 10
SHARES = (0.01, 0.5)
PERMUTATIONS = 20
# Agreement that could hardly be missed: a wrong link can lie above chance a little, since neighbouring ids are alike.
FLOOR = 0.3
# Of more items so many are drawn: three standard errors of a correlation are then .01.
MOST_ITEMS = 100_000
# Cells of facts x categories that are held at once.
BLOCK_CELLS = 10_000_000


@dataclass(frozen=True)
class LinkEvidence:
    """
    Attributes:
        best: highest |phi| of any fact and any category; 0 to 1.
        by_chance: the highest of links drawn at random.
        fact: relation and entity of the best, e.g. ``genre m.0hcr``; with ``<`` before it where the item is the tail.
        category: column and token of the best, e.g. ``class=Animation``.
    """

    best: float
    by_chance: float
    fact: str
    category: str

    def warnings(self) -> list[str]:
        if self.best >= FLOOR and self.best > self.by_chance:
            return []
        return [
            f"item_entities: no fact of the knowledge graph correlates with any category of the items: the best is "
            f"{self.fact} with {self.category}, correlation {self.best:.2f}, links drawn at random reach {self.by_chance:.2f} "
            f"(below {max(FLOOR, self.by_chance):.2f}); is the link keyed by the ids of another data set?"
        ]


def link_warnings(kg: pl.DataFrame, item_entities: pl.DataFrame, items: pl.DataFrame, seed: int) -> list[str]:
    """A warning when the link looks wrong; none where the items have no categories or the graph no common facts."""
    evidence = link_evidence(kg, item_entities, items, seed)
    return [] if evidence is None else evidence.warnings()


def link_evidence(kg: pl.DataFrame, item_entities: pl.DataFrame, items: pl.DataFrame, seed: int) -> LinkEvidence | None:
    """The best correlation (phi) of a fact with a category over the linked items, and the best of `PERMUTATIONS` links by chance.

    Args:
        kg: head, relation, tail.
        item_entities: item_id, entity_id.
        items: item_id and any other columns.

    Returns:
        None where there is no category or no fact that enough items share.
    """
    if len(items) > MOST_ITEMS:
        drawn = stream(seed, "items of the link check").choice(len(items), MOST_ITEMS, replace=False)
        items = items.sort("item_id")[np.sort(drawn)]
    facts, fact_names, linked = _facts(kg, item_entities, items)
    if not len(fact_names):
        return None
    categories, category_names = _categories(linked)
    if not len(category_names):
        return None
    best, fact, category = _best_agreement(facts, categories)
    random = stream(seed, "link check")
    by_chance = max(_best_agreement(facts, categories[random.permutation(len(linked))])[0] for _ in range(PERMUTATIONS))
    return LinkEvidence(best, by_chance, fact_names[fact], category_names[category])


def _facts(
    kg: pl.DataFrame, item_entities: pl.DataFrame, items: pl.DataFrame
) -> tuple[csr_matrix, list[str], pl.DataFrame]:
    """Linked items x facts (0/1), names of the facts, and the linked items; facts of `FACT_ITEMS` items and more."""
    linked = items.unique("item_id").sort("item_id").with_columns(row=pl.int_range(pl.len(), dtype=pl.Int32))
    held = linked_triples(kg, item_entities.join(linked.select("item_id", "row"), on="item_id", how="inner"))
    # Only items with a fact: whether an item has any would go along with its age or language, whatever the link.
    with_fact = np.zeros(len(linked), dtype=bool)
    with_fact[held.rows] = True
    rows = (np.cumsum(with_fact) - 1)[held.rows]
    linked = linked.filter(with_fact)
    relations, entities = len(held.relation_names), len(held.other_names)
    numbers = (held.inverse * np.int64(relations) + held.relations) * entities + held.others
    facts, place, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    # Most facts are of a few items: they go first, and then what an item has by several triples counts once.
    often = counts[place] >= FACT_ITEMS
    held_once = sorted_unique(rows[often] * np.int64(len(facts)) + place[often])
    rows, place = np.divmod(held_once, max(len(facts), 1))
    counts = np.bincount(place, minlength=len(facts))
    common = (counts >= FACT_ITEMS) & (counts < len(linked))
    kinds, others = np.divmod(facts[common], max(entities, 1))
    inverse, kinds = np.divmod(kinds, max(relations, 1))
    names = pl.DataFrame(
        {
            "before": np.where(inverse, "< ", ""),
            "relation": held.relation_names.gather(kinds),
            "other": held.other_names.gather(others),
        }
    ).select(fact=pl.format("{}{} {}", "before", "relation", "other"))["fact"]
    order = names.arg_sort().to_numpy()
    column = np.full(len(facts), -1)
    column[np.flatnonzero(common)[order]] = np.arange(len(order))
    kept = column[place] >= 0
    matrix = csr_matrix((np.ones(int(kept.sum())), (rows[kept], column[place[kept]])), shape=(len(linked), len(order)))
    return matrix, names.gather(order).to_list(), linked.drop("row")


def _categories(linked: pl.DataFrame) -> tuple[NDArray[np.float64], list[str]]:
    """Items x categories (0/1), at most `COLUMN_LIMIT` of the commonest, and their names."""
    found = [part for name in linked.columns if name != "item_id" for part in _tokens(linked[name])]
    found = sorted(found, key=lambda part: -len(part[1]))[:COLUMN_LIMIT]
    table = np.zeros((len(linked), len(found)))
    for column, (_, rows) in enumerate(found):
        table[rows, column] = 1
    return table, [name for name, _ in found]


def _tokens(column: pl.Series) -> list[tuple[str, NDArray[np.int64]]]:
    """Tokens of a column that looks categorical, and the rows of each; none of another column.

    A column looks categorical when, under some separator, most of its tokens are ones that 1% of the items have and an
    item has few of them: a title's words are mostly rarer, and a description has many. Of its tokens, those of 1% to
    50% of the items count. Of a column of lists the tokens are their elements.
    """
    low, high = max(SHARES[0] * len(column), FACT_ITEMS), SHARES[1] * len(column)
    fewest, chosen = len(column) + 1, None
    for tokens in _ways_to_split(column):
        common = tokens.filter(pl.len().over("token") >= low)
        few_each = len(tokens) <= TOKENS_PER_ITEM * len(column)
        # The right separator makes many values of few tokens; of equals the first, which leaves words together.
        if few_each and 2 * len(common) > len(tokens) and tokens["token"].n_unique() < fewest:
            fewest, chosen = tokens["token"].n_unique(), common
    if chosen is None:
        return []
    parts = chosen.filter(pl.len().over("token") <= high).group_by("token").agg("row").sort("token")
    return [(f"{column.name}={token}", np.array(rows)) for token, rows in parts.iter_rows()]


def _ways_to_split(column: pl.Series) -> Iterator[pl.DataFrame]:
    """Rows and their tokens: the elements of lists, or what each separator makes of texts; nothing of what is no text."""
    rows = pl.DataFrame({"row": np.arange(len(column)), "token": column})
    if isinstance(column.dtype, pl.Array):
        rows = rows.with_columns(pl.col("token").arr.to_list())
    of_lists = isinstance(rows["token"].dtype, pl.List)
    if of_lists:
        rows = rows.explode("token")
    dtype = rows["token"].dtype
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object, pl.Duration):
        return
    rows = rows.with_columns(pl.col("token").cast(pl.String))
    for separator in SEPARATORS:
        tokens = rows if of_lists else rows.with_columns(pl.col("token").str.split(separator)).explode("token")
        tokens = tokens.with_columns(pl.col("token").str.strip_chars())
        yield tokens.filter(pl.col("token").is_not_null() & (pl.col("token") != "")).unique()
        if of_lists:
            return


def _best_agreement(facts: csr_matrix, categories: NDArray[np.float64]) -> tuple[float, int, int]:
    """Highest |phi| of a fact's and a category's indicators, and the two columns; phi is Pearson's correlation of two 0/1 columns."""
    count = len(categories)
    have, of = np.asarray(facts.sum(axis=0)).ravel(), categories.sum(axis=0)
    best = (-1.0, 0, 0)
    by_fact = facts.T.tocsr()
    size = max(BLOCK_CELLS // categories.shape[1], 1)
    for start in range(0, len(have), size):
        part = have[start : start + size, None]
        both = by_fact[start : start + size] @ categories
        spread = np.sqrt(part * (count - part) * of * (count - of))
        agreement = np.abs(count * both - part * of) / spread
        fact, category = np.unravel_index(int(agreement.argmax()), agreement.shape)
        if agreement[fact, category] > best[0]:
            best = float(agreement[fact, category]), start + int(fact), int(category)
    return best
