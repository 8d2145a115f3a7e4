"""Products in fewer digits where a run allows it (`precision`), and all digits for what is more than a product.

Inside `products` PyTorch's autocast takes matrix products in bfloat16. Weights, gradients, sums over many numbers and losses stay as they
are; so do operations of our own (exact leave-one-out, sums by sparse matrices, compiled loops), which say so by `in_full`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch.utils._pytree import tree_map

from pipeline.common.settings import Precision

P = ParamSpec("P")
Result = TypeVar("Result")
KINDS = ("cpu", "cuda")


def products(precision: Precision, device: torch.device | str) -> AbstractContextManager[object]:
    """Inside, matrix products are in that precision; nothing changes for float32."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, torch.bfloat16)


def widened(values: torch.Tensor) -> torch.Tensor:
    """In float32 what `products` has narrowed; all else as it is."""
    return values.float() if values.dtype == torch.bfloat16 else values


def in_full(work: Callable[P, Result]) -> Callable[P, Result]:
    """A function that computes in all digits of what it is given, inside `products` as well."""

    @wraps(work)
    def whole(*given: P.args, **named: P.kwargs) -> Result:
        kind = narrow_on()
        if kind is None:
            return work(*given, **named)
        with torch.autocast(kind, enabled=False):
            wide_given, wide_named = tree_map(_wide, (given, named))
            return work(*wide_given, **wide_named)

    return whole


def narrow_on() -> str | None:
    """The kind of device whose products are narrow here; None outside of `products`."""
    return next((one for one in KINDS if torch.is_autocast_enabled(one)), None)


def _wide(one: object) -> object:
    return widened(one) if isinstance(one, torch.Tensor) else one
