"""Full ranking of the catalogue for the users of the test split.

Two kinds of work. Either all ways start from the same vectors, whose inner products are the scores, so that ranking and metrics are
compared; or each asks the model itself for the scores. Ours always does more than the others: it also has the protocols `ctr` and
`impression`, coverage, and the places of all held-out items with ties without favour, where the others look at the first twenty.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.case import Bound, Case, Figures, Way
from benchmarks.trained_model import PAIRS, VECTORS, of_default_data, of_synthetic, read_data, read_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PEERS = ".venv-peers"
# RecBole's own default, and as many scores at once as ours.
THEIR_BATCH, OUR_BATCH = 4096, 4_000_000
LOOP, ASKING = "a loop over users", "a loop over users that asks the model"
RECBOLE = "RecBole's full-sort evaluation"
# Bytes of a score, and of what marks it as a candidate.
SCORE, MARK = 4, 1


class InnerProducts:
    """A scorer whose scores are those of given vectors."""

    def __init__(self, folder: Path) -> None:
        import numpy as np

        self.users, self.items = (np.load(folder / name) for name in VECTORS)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = self.users[users] @ self.items.T
        return scores


def with_vectors(folder: Path) -> tuple[Any, Any]:
    from pipeline.evaluation.metrics.evaluated import evaluate_split

    return evaluate_split, (InnerProducts(folder), read_data(folder), "test")


def with_model(folder: Path) -> tuple[Any, Any]:
    from pipeline.evaluation.metrics.evaluated import evaluate_split

    model = read_model(folder)
    return evaluate_split, (model, model.data, "test")


def ours(ready: tuple[Any, Any]) -> Figures:
    evaluate, arguments = ready
    found = evaluate(*arguments)
    return {name: found.value(f"ranking.{name}") for name in ("ndcg@10", "recall@20", "hit@10")}


def known_and_wanted(folder: Path) -> tuple[list[Any], list[Any]]:
    """For each user the items of earlier splits, and the likes of the test split."""
    import numpy as np

    pairs = np.load(folder / PAIRS)
    users = len(np.load(folder / VECTORS[0]))

    def by_user(found: Any) -> list[Any]:
        order = np.argsort(found[0], kind="stable")
        return np.split(found[1][order], np.cumsum(np.bincount(found[0], minlength=users))[:-1])

    return by_user(np.concatenate([pairs["train"], pairs["valid"]], axis=1)), by_user(pairs["test"])


def scores_by_vectors(folder: Path) -> tuple[Callable[[int], Any], Any]:
    import numpy as np

    users, items = (np.load(folder / name) for name in VECTORS)
    return lambda user: items @ users[user], known_and_wanted(folder)


def scores_by_model(folder: Path) -> tuple[Callable[[int], Any], Any]:
    import numpy as np

    model = read_model(folder)
    return lambda user: model.score(np.array([user])).preference[0].copy(), known_and_wanted(folder)


def loop(ready: tuple[Callable[[int], Any], Any]) -> Figures:
    """One user at a time: scores of all items, the known ones last, sorted, and the metrics of the list."""
    import numpy as np

    scores_of, (known, wanted) = ready
    discounts = 1 / np.log2(np.arange(2, 12))
    values = []
    for user, likes in enumerate(wanted):
        if not len(likes):
            continue
        scores = scores_of(user)
        scores[known[user]] = -np.inf
        hits = np.isin(np.argsort(-scores)[:20], likes)
        values.append(
            (
                (hits[:10] * discounts).sum() / discounts[: len(likes)].sum(),
                hits.sum() / len(likes),
                float(hits[:10].any()),
            )
        )
    return dict(zip(("ndcg@10", "recall@20", "hit@10"), np.mean(values, axis=0).tolist(), strict=True))


def recbole(folder: Path, batch: int) -> tuple[Any, Any]:
    from benchmarks.peers.full_sort import prepared

    return prepared(folder, batch)


def by_recbole(ready: tuple[Any, Any]) -> Figures:
    from benchmarks.peers.full_sort import evaluated

    return evaluated(*ready)


def size(folder: Path) -> tuple[int, int, int]:
    import numpy as np

    users, items = (np.load(folder / name, mmap_mode="r").shape for name in VECTORS)
    return users[0], items[0], items[1]


def bound_of_vectors(folder: Path) -> Bound:
    """A product of user and item vectors, and each score read once where it is made."""
    users, items, width = size(folder)
    return Bound(
        operations=2.0 * users * items * width,
        moved=float(SCORE * (2 * users * items + (users + items) * width) + MARK * users * items),
        counted=f"{users:,} users x {items:,} items x width {width}, a multiplication and an addition each; vectors once; each score "
        "written and read once, with a byte that says whether it is a candidate",
    )


def bound_of_model(folder: Path) -> Bound:
    """As above, for each of the two questions that the model answers."""
    users, items, width = size(folder)
    return Bound(
        operations=2 * 2.0 * users * items * width,
        moved=float(2 * SCORE * (2 * users * items + (users + items) * width) + MARK * users * items),
        counted=f"{users:,} users x {items:,} items x width {width} for each of two questions (preference, judgement), a multiplication "
        "and an addition each; vectors once; each score written and read once, with a byte that says whether it is a candidate",
    )


def of_vectors(
    task: str,
    inputs: Callable[[Path], None],
    *,
    seconds: float,
    runs: int,
    mebibytes: int = 6144,
    measure: str = "seconds",
) -> Case:
    return Case(
        stage="evaluate",
        task=task,
        ours=Way("ours", with_vectors, ours, warm=1),
        alternatives=(
            Way(
                LOOP,
                scores_by_vectors,
                loop,
                note="numpy: inner products, the whole list sorted, metrics of its first 20",
            ),
            Way(
                f"{RECBOLE}, its default",
                partial(recbole, batch=THEIR_BATCH),
                by_recbole,
                note=f"1.2.1, eval_batch_size {THEIR_BATCH:,}",
                environment=PEERS,
            ),
            Way(
                f"{RECBOLE}, large batches",
                partial(recbole, batch=OUR_BATCH),
                by_recbole,
                note=f"eval_batch_size {OUR_BATCH:,}, as many scores at once as ours",
                environment=PEERS,
            ),
        ),
        inputs=inputs,
        aims={LOOP: 10} if measure == "seconds" else None,
        measure=measure,
        unit="MiB" if measure == "mebibytes" else "s",
        runs=runs,
        seconds=seconds,
        mebibytes=mebibytes,
        bound=bound_of_vectors if measure == "seconds" else None,
    )


def of_model(task: str, inputs: Callable[[Path], None], *, seconds: float, runs: int) -> Case:
    return Case(
        stage="evaluate",
        task=task,
        ours=Way("ours", with_model, ours, warm=1),
        alternatives=(
            Way(
                ASKING,
                scores_by_model,
                loop,
                note="`TrainedModel.score` of one user, the list sorted, metrics of its first 20",
            ),
        ),
        inputs=inputs,
        aims={ASKING: 10},
        runs=runs,
        seconds=seconds,
        bound=bound_of_model,
    )


SYNTHETIC = partial(of_synthetic, users=5_000, items=20_000, interactions=500_000)
LARGE = "5,000 users x 20,000 items"

CASES = (
    of_vectors("ml-100k, from given vectors", of_default_data, seconds=60, runs=5),
    of_model("ml-100k, with the model", of_default_data, seconds=60, runs=5),
    of_vectors(f"{LARGE}, from given vectors", SYNTHETIC, seconds=60, runs=3),
    of_model(f"{LARGE}, with the model", SYNTHETIC, seconds=60, runs=3),
    of_vectors(f"{LARGE}, from given vectors, memory", SYNTHETIC, seconds=60, runs=1, measure="mebibytes"),
)
