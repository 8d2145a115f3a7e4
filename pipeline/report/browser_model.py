"""A model small enough to run in a page: scores and contributions there are those of Python, for whatever is liked and disliked.

Without attention a view is a sum, so that its heads fold into one matrix K for each view, and item j of a history of n
contributes to candidate c

    n^(gamma - 1) · r_j^T K r_c  +  v B_jc  +  terms,   K = scale · sum over heads of share · w · W^V W^O

where heads of a term fold likewise, since a term is linear in its weights:

    overlap     n^(gamma' - 1) · sum_e w_relation(e) F_je F_ce
    together    n^(gamma' - 1) · w C_jc / sqrt(n_j n_c)
    popularity  n^(gamma' - 1) · x_c^T A x_j

A preference is the sum of all contributions and of the candidate's bias. EASE's item-to-item weights B have items squared numbers,
which is most of what a page holds: in half precision, each off by at most 1/2048 of itself,
which moves scores by about a thousandth at most. F and C are sparse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix

from pipeline.report.packed import packed
from pipeline.users.co_rating import ItemWeights
from pipeline.users.model import Model
from pipeline.users.shares import co_rating_share, head_shares
from pipeline.users.terms.overlap import Overlap
from pipeline.users.terms.popularity import Popularity, with_a_one
from pipeline.users.terms.term import PairTerm
from pipeline.users.terms.together import Together

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What a model may take of the page's file: with more, a browser takes seconds to open it.
BYTES_AT_MOST = 40_000_000
# Of the cells of a matrix, above which it is stored whole.
SPARSE_BELOW = 1 / 3


class BrowserModel(NamedTuple):
    """
    Attributes:
        arrays: `items` R, (M, d); `biases`, (M,); `pull.<view>` K, (d, d); `co_rating` B, (M, M); `around` F;
            `around.relation` and `around.entity` of its columns; `overlap.<view>` w, (relations,); `together.<view>` C;
            `ratings.<view>` n, (M,); `features` x, (M, features), ones in the last column; `popularity.<view>` A; those that the
            model has. A sparse matrix is three arrays: `<name>.start` of its rows, `<name>.column`, `<name>.value`.
        exponents: view, and "<view>.<term>", to gamma.
        weights: "co_rating.<view>" to v, one for each item of the view; "together.<view>" to w.
        relations: names.
    """

    arrays: dict[str, NDArray[np.floating[Any]]]
    exponents: dict[str, float]
    weights: dict[str, float]
    relations: tuple[str, ...]

    @property
    def about(self) -> dict[str, Any]:
        """All but the arrays."""
        return {name: value for name, value in self._asdict().items() if name != "arrays"}

    @property
    def size(self) -> int:
        """Bytes of the page's file."""
        return sum(len(packed(array)["data"]) for name, array in self.arrays.items())


def for_page(model: Model) -> BrowserModel | str:
    """A model as a page computes it; or why it cannot run in a page."""
    if not all(view.is_sum for view in model.scorer.each_view().values()):
        return "its views use attention"
    count, width = model.items.shape
    vectors = count * width * 4
    # Looked at before anything of this size is made.
    squared = count**2 * 2 if isinstance(model.co_rating, torch.Tensor) else 0
    found = fold(model) if max(vectors, squared) * 4 / 3 <= BYTES_AT_MOST else None
    size = found.size if found else (vectors + squared) * 4 / 3
    if size > BYTES_AT_MOST:
        return f"it takes {size / 1e6:.0f} MB of the page, which has room for {BYTES_AT_MOST / 1e6:.0f} MB"
    assert found is not None
    return found


def fold(model: Model) -> BrowserModel:
    """
    Args:
        model: one without attention.
    """
    scorer, shares = model.scorer, head_shares(model)
    rows = {head: scorer.heads.index(head) for head in shares}
    arrays: dict[str, NDArray[np.floating[Any]]] = {"items": _numbers(model.items)}
    exponents: dict[str, float] = {}
    weights: dict[str, float] = {}
    relations: tuple[str, ...] = ()
    with torch.inference_mode():
        biases = torch.zeros(len(model.items), dtype=torch.float64)
        for head, share in shares.items():
            if head in scorer.item_bias:
                biases = biases + share * scorer.item_bias[head].cpu().double()
        arrays["biases"] = _numbers(biases)
        if model.co_rating is not None:
            arrays |= _halved(model.co_rating)
        for place, (name, view) in enumerate(scorer.each_view().items()):
            read = torch.zeros_like(view.value, dtype=torch.float64)
            for head, share in shares.items():
                read = read + view.output[head].double() * (share * scorer.weights[rows[head], place].double())
            arrays[f"pull.{name}"] = _numbers(view.value.double() @ read * scorer.scale)
            exponents[name] = float(view.exponent)
            if model.co_rating is not None:
                weights[f"co_rating.{name}"] = co_rating_share(model, name)
            for part, term in scorer.terms_of(name).items():
                exponents[f"{name}.{part}"] = float(term.exponent)
                arrays |= _of_term(term, shares)
                if isinstance(term, Overlap):
                    relations = term.known.around.names
                if isinstance(term, Together):
                    weights[f"together.{name}"] = float(_folded(term, shares))
    return BrowserModel(arrays, exponents, weights, relations)


def _of_term(term: PairTerm, shares: Mapping[str, float]) -> dict[str, NDArray[np.float32]]:
    name, known = term.view, term.known
    if isinstance(term, Overlap):
        around = {"around.relation": known.around.relation, "around.entity": known.around.entity}
        return {
            **_sparse("around", known.around.weights),
            **{key: places.astype(np.float32) for key, places in around.items()},
            f"overlap.{name}": _folded(term, shares),
        }
    if isinstance(term, Together):
        together = known.together[name]
        counts = together.counts.copy()
        counts.data = np.rint(counts.data * np.sqrt(np.repeat(together.ratings, np.diff(counts.indptr))))
        return {**_sparse(f"together.{name}", counts), f"ratings.{name}": together.ratings}
    assert isinstance(term, Popularity)
    return {"features": with_a_one(known.features.whole), f"popularity.{name}": _folded(term, shares)}


def _folded(term: PairTerm, shares: Mapping[str, float]) -> NDArray[np.float32]:
    """Sum over heads of share · weights."""
    weights = {head: term.weights[head].detach().cpu().double() for head in shares}  # type: ignore[index]
    total = sum(share * weights[head] for head, share in shares.items())
    assert isinstance(total, torch.Tensor)
    return _numbers(total)


def _halved(weights: ItemWeights) -> dict[str, NDArray[np.floating[Any]]]:
    """Item-to-item weights in half precision."""
    if isinstance(weights, torch.Tensor):
        values = _numbers(weights)
        if np.count_nonzero(values) >= SPARSE_BELOW * values.size:
            return {"co_rating": values.astype(np.float16)}
        weights = csr_matrix(values)
    found = _sparse("co_rating", weights)
    return {**found, "co_rating.value": found["co_rating.value"].astype(np.float16)}


def _sparse(name: str, matrix: csr_matrix) -> dict[str, NDArray[np.float32]]:
    parts = {"start": matrix.indptr, "column": matrix.indices, "value": matrix.data}
    return {f"{name}.{part}": values.astype(np.float32) for part, values in parts.items()}


def _numbers(values: torch.Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values.detach().float().cpu().numpy()
    return found
