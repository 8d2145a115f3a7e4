"""numba's compiler, where its cache can be written and where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def cached_njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit`, which keeps what it has compiled beside the source or in the home folder, for later processes.

    Where neither can be written (a read-only installation, another user's), each process compiles for itself.
    """
    # It takes as long to load as all else that a stage loads.
    from numba import njit

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:
            return njit(**options)(function)

    return compiled
