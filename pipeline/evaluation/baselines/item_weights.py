"""Item-to-item weights with a zero diagonal, in closed form: what EASE is made of (Steck, WWW 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix


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
