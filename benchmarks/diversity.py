"""What `diversity` costs in accuracy: `python -m benchmarks.diversity`, after `make repro`, writes the table of the document.

Lists of ten for the users of the test split by their training histories, out of what they have not rated in training and validation, as in
the protocol `ranking`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.data import DATASET
from benchmarks.render import replace
from pipeline.artifacts.graph import NEIGHBOURS
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.data.dataset import Dataset, blocks
from pipeline.evaluation.comparison.markdown import markdown
from pipeline.evaluation.protocols.split import EARLIER
from pipeline.evaluation.systems.diversity import diversity
from pipeline.graph.matrices import incidence_of
from pipeline.recommend.recommend import recommended_to
from pipeline.recommend.rules import Rules
from pipeline.users.model import Model
from pipeline.users.people import people_of
from stages.shared.data import read_data
from stages.shared.models import read_model
from stages.shared.stage import run_tool

if TYPE_CHECKING:
    from numpy.typing import NDArray

DOCUMENT = Path("docs/recommend_explain_ship.md")
VARIANT, SHARES, TOP, SPLIT = "recommended", (0.0, 0.1, 0.3, 0.5, 0.7, 0.9), 10, "test"
BLOCK = 100


def lists_by(model: Model, data: Dataset, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Users with a like in the split, and their lists, (users, TOP)."""
    users = np.unique(data.liked(SPLIT).users)
    earlier = data.matrix(data.rated(EARLIER[SPLIT]))
    found = []
    for block in blocks(len(users), BLOCK):
        some = users[block]
        known = [earlier[user].indices.astype(np.int64) for user in some]
        lists = recommended_to(model, people_of(data, some, ("train",)), TOP, known, Rules(diversity=share))
        found += [items for items, _ in lists]
    return users, np.stack(found)


def ndcg_of(lists: NDArray[np.int64], liked: Sequence[set[int]]) -> float:
    """Mean over users of NDCG@TOP.

    Args:
        lists: (users, TOP).
        liked: by each of the users.
    """
    discounts = 1 / np.log2(np.arange(2, TOP + 2))
    gains = [
        sum(discount for item, discount in zip(mine.tolist(), discounts, strict=True) if item in likes)
        / discounts[: len(likes)].sum()
        for mine, likes in zip(lists, liked, strict=True)
    ]
    return float(np.mean(gains))


def rows() -> Iterator[list[str]]:
    from scipy.sparse import csr_matrix

    data = read_data(DATASET)
    model = read_model(DATASET, VARIANT, data.items)
    vectors = {
        "item vectors": model.items.numpy(),
        "texts": TEXT_VECTORS.read(DATASET)["vectors"],
        "graph": incidence_of(NEIGHBOURS.read(DATASET), data.items),
    }
    pairs = data.liked(SPLIT)
    for share in SHARES:
        users, lists = lists_by(model, data, share)
        liked = [set(pairs.items[pairs.users == user].tolist()) for user in users]
        ones = np.ones(lists.size, dtype=np.float32)
        place = np.repeat(np.arange(len(users)), TOP)
        listed = csr_matrix((ones, (place, lists.ravel())), shape=(len(users), data.items))
        unlike = [np.nanmean(diversity(listed, of_items)) for of_items in vectors.values()]
        yield [f"{share:g}", *(f"{value:.4f}".removeprefix("0") for value in (ndcg_of(lists, liked), *unlike))]


def table() -> str:
    return markdown(["`diversity`", "NDCG@10", "unlike by item vectors", "by texts", "by graph"], list(rows()))


if __name__ == "__main__":
    run_tool(lambda: replace(DOCUMENT, "diversity", table(), "benchmarks.diversity"))
