"""Item-to-item weights with a zero diagonal, in closed form: what EASE is made of (Steck, WWW 2019).

What else is known of items can be stacked under X as further rows, which item weights must then explain as well: with F items x features,
sqrt(alpha) F^T adds alpha ||F^T - F^T B||^2 (Jeunen, Van Balen, Goethals, RecSys 2020). Items that nobody rated have weights then.

Of many items, each has weights of the items most often rated by the same users alone (fsSLIM: Ning, Karypis, ICDM 2011). With all other
items as its neighbours this is EASE: there, too, each column is the ridge regression of an item on the others.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.common.cached_njit import cached_njit
from pipeline.data.dataset import blocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

# Numbers in the matrices that are solved at once.
BATCH_CELLS = 4_000_000


def stacked(history: csr_matrix, features: csr_matrix, weight: float) -> csr_matrix:
    """X with sqrt(weight) F^T under it; X itself with weight 0.

    Args:
        history: X, users x items.
        features: F, items x features.
        weight: alpha, >= 0.
    """
    from scipy.sparse import vstack

    return vstack([history, np.sqrt(weight) * features.T.astype(np.float64)]).tocsr() if weight else history


def item_weights(history: csr_matrix, l2: float) -> NDArray[np.float32]:
    """B = argmin ||X - X B||^2 + l2 ||B||^2 with diag(B) = 0: B_ij = -P_ij / P_jj for i != j, P = (X^T X + l2 I)^-1.

    Items with a column of zeros in X have only zeros in B, so they are left out of the matrix that is inverted.

    Args:
        history: X, users x items.
        l2: > 0.

    Returns:
        (items, items).
    """
    rated = np.flatnonzero(history.getnnz(axis=0))
    result = np.zeros((history.shape[1], history.shape[1]), dtype=np.float32)
    if not len(rated):
        return result
    columns = history[:, rated].astype(np.float64)
    inverse = inverse_of((columns.T @ columns).toarray(), l2)
    weights = inverse / -inverse.diagonal()
    np.fill_diagonal(weights, 0.0)
    if len(rated) == len(result):
        return weights.astype(np.float32)
    result[np.ix_(rated, rated)] = weights
    return result


def neighbour_weights(history: csr_matrix, l2: float, neighbours: int) -> csr_matrix:
    """B as above, where column i may differ from zero only at the items most often rated with i.

    Those are the items with the largest entries of X^T X in size, zeros left out, the lower index first of equals; or all others, if
    there are no more. With S these items and G = X^T X, the column is (G_SS + l2 I)^-1 G_Si.

    Args:
        history: X, users x items.
        l2: > 0.
        neighbours: how many items.

    Returns:
        (items, items), float32.
    """
    from scipy.sparse import csr_matrix

    columns = history.astype(np.float64)
    gram = (columns.T @ columns).tocsr()
    gram.sort_indices()
    items = gram.shape[0]
    kept = [_largest(gram, item, neighbours) for item in range(items)]
    sizes = np.array([len(chosen) for chosen in kept])
    rows, columns_of, values = [], [], []
    # Items with as many neighbours side by side: matrices of one size hold few numbers that are there for the shape alone.
    order = np.argsort(sizes, kind="stable")
    order = order[sizes[order] > 0]
    for batch in blocks(len(order), max(BATCH_CELLS // max(int(sizes.max(initial=1)) ** 2, 1), 1)):
        those = order[batch]
        width = sizes[those[-1]]
        chosen = np.full((len(those), width), -1)
        for place, item in enumerate(those):
            chosen[place, : sizes[item]] = kept[item]
        left = np.zeros((len(those), width, width))
        right = np.zeros((len(those), width))
        _compiled()(those, chosen, gram.indptr, gram.indices, gram.data, left, right)
        left[:, range(width), range(width)] += l2
        solved = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        column, entry = np.nonzero(chosen >= 0)
        rows.append(chosen[column, entry])
        columns_of.append(those[column])
        values.append(solved[column, entry].astype(np.float32))
    if not rows:
        return csr_matrix((items, items), dtype=np.float32)
    return csr_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns_of))), shape=(items, items)
    )


def _largest(gram: csr_matrix, item: int, most: int) -> NDArray[np.int64]:
    """Ascending, the other items with the largest entries of a row, in size: zeros only where there is room for all."""
    if most >= gram.shape[0] - 1:
        return np.delete(np.arange(gram.shape[0]), item)
    where = slice(gram.indptr[item], gram.indptr[item + 1])
    others, sizes = gram.indices[where], np.abs(gram.data[where])
    other = others != item
    others, sizes = others[other], sizes[other]
    return np.sort(others[np.argsort(-sizes, kind="stable")[:most]]).astype(np.int64)


@cache
def _compiled() -> Callable[..., None]:
    compiled: Callable[..., None] = cached_njit(nogil=True)(_fill)
    return compiled


def _fill(items: Any, chosen: Any, starts: Any, others: Any, values: Any, left: Any, right: Any) -> None:
    """G_SS and G_Si of some items; zeros where an item has fewer neighbours than the widest.

    Args:
        chosen: S of each item, ascending, then -1, (batch, width).
        starts: where each row of G begins in `others`, ascending in a row, and `values`.
        left: (batch, width, width), filled in; right: (batch, width).
    """
    for number in range(len(items)):
        for one in range(chosen.shape[1]):
            row = chosen[number, one]
            if row < 0:
                break
            found = others[starts[row] : starts[row + 1]]
            place = np.searchsorted(found, items[number])
            if place < len(found) and found[place] == items[number]:
                right[number, one] = values[starts[row] + place]
            for other in range(one, chosen.shape[1]):
                column = chosen[number, other]
                if column < 0:
                    break
                place = np.searchsorted(found, column)
                if place < len(found) and found[place] == column:
                    left[number, one, other] = left[number, other, one] = values[starts[row] + place]


def inverse_of(gram: NDArray[np.float64], l2: float) -> NDArray[np.float64]:
    """(gram + l2 I)^-1 of a positive semidefinite matrix, which is overwritten; l2 > 0."""
    from scipy.linalg.lapack import dpotrf, dpotri

    gram[np.diag_indices_from(gram)] += l2
    # The inverse out of the Cholesky factor itself takes a third of the time of solving for the unit matrix, and less
    # than putting it together from eigenvectors, even if those are shared by several l2. What LAPACK reads by columns has
    # one triangle of the symmetric matrix where the other one was, and needs no copy.
    half, failed = dpotrf(gram.T, lower=True, clean=True, overwrite_a=True)
    assert not failed, "a positive semidefinite matrix with l2 on its diagonal has a Cholesky factor"
    half, _ = dpotri(half, lower=True, overwrite_c=True)
    inverse: NDArray[np.float64] = half + half.T
    inverse[np.diag_indices_from(inverse)] /= 2
    return inverse
