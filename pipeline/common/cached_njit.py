"""numba's compiler, where its cache can be written and where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any


def cached_njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit`, which keeps what it has compiled beside the source or in the home folder, for later processes.

    Where neither can be written (a read-only installation, another user's), or what is kept there is damaged, each process compiles
    for itself.
    """
    # It takes as long to load as all else that a stage loads.
    from numba import njit

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            found = njit(cache=True, **options)(function)
        except RuntimeError:
            return njit(**options)(function)
        found._cache = _Kept(found._cache)
        return found

    return compiled


class _Kept:
    """What numba keeps of a function, where a file that cannot be read is none, and one that cannot be written is left out."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def load_overload(self, signature: Any, target: Any) -> Any:
        try:
            return self._cache.load_overload(signature, target)
        # Whatever pickle makes of a file that was cut or is another.
        except Exception:
            with suppress(OSError):
                self._cache.flush()
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        # As above, and a full disk.
        with suppress(Exception):
            self._cache.save_overload(signature, compiled)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)
