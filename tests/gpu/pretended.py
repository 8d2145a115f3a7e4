"""A device that is none, for tests of what a GPU would meet: its tensors compute on the CPU, and refuse to be mixed with the CPU's.

Its name is ``meta``, the one device besides the CPU that every build of PyTorch knows. Here tensors of it have values. What is refused:
an operation on tensors of both devices (but for single numbers, and for places to index by, as on a GPU), and ``numpy()``. What is counted:
where a GPU would have to be waited for.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.optim import optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
CPU = torch.device("cpu")
aten = torch.ops.aten
# Copies between devices, and operations that take indices from either.
COPIES = {aten._to_copy.default, aten.copy_.default, aten.set_.source_Tensor}
INDEXING = {
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
    aten._unsafe_index.Tensor,
}
# Operations whose result is as large as values say.
SIZED = {
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.unique_dim.default,
    aten.repeat_interleave.Tensor,
    aten._coalesce.default,
}


class Pretended(torch.Tensor):
    """A tensor of the device; ``held`` has its values."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Pretended:
        strided = held.layout == torch.strided
        found: Pretended = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            held.shape,
            strides=held.stride() if strided else None,
            storage_offset=held.storage_offset() if strided else None,
            dtype=held.dtype,
            layout=held.layout,
            device=DEVICE,
            requires_grad=False,
            dispatch_layout=not strided,
        )
        found.held = held
        return found

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"Pretended({tuple(self.shape)}, {self.dtype})"

    def tolist(self) -> Any:
        # PyTorch refuses it for subclasses; a GPU's tensors are copied.
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})

    __torch_function__ = torch._C._disabled_torch_function_impl


class PretendedDevice(TorchDispatchMode):
    """
    Attributes:
        waits: where a GPU would have been waited for, file and line, and how often.
        indexed: operations that took places from the CPU, likewise: each is a copy that nothing says.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.indexed: Counter[str] = Counter()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Loading the compiler takes longer than the tests.
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {}, self)


def _computed(func: Any, args: Any, kwargs: Any, mode: PretendedDevice | None = None) -> Any:
    given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
    ours = [one for one in given if isinstance(one, Pretended)]
    theirs = [one for one in given if not isinstance(one, Pretended)]
    target = kwargs.get("device")
    target = None if target is None else torch.device(target)
    if ours and mode and _waits(func, args, target):
        mode.waits[_caller()] += 1
    if ours and theirs and func not in COPIES:
        wrong = [one for one in theirs if one.dim() or func is None]
        if func in INDEXING:
            values = [one for one in tree_leaves((args[0], *args[2:])) if isinstance(one, torch.Tensor)]
            places = [one for one in wrong if not any(one is value for value in values)]
            if mode:
                mode.indexed[_caller()] += len(places)
            if isinstance(args[0], Pretended):
                wrong = [one for one in wrong if any(one is value for value in values)]
        if wrong:
            raise RuntimeError(f"{func}: found tensors of both devices, expected those of one: {_caller()}")
    to_device = bool(ours) if target is None else target == DEVICE
    if func is aten.copy_.default or func is aten.set_.source_Tensor:
        to_device = isinstance(args[0], Pretended)
    if target is not None:
        kwargs = kwargs | {"device": CPU}
    result = func(*tree_map(_held, args), **tree_map(_held, kwargs))
    if not to_device:
        return result
    # What is changed in its place stays the tensor that it is.
    same = {id(one.held): one for one in ours}
    return tree_map(lambda one: _wrapped(one, same), result)


def _waits(func: Any, args: Any, target: torch.device | None) -> bool:
    """Whether a GPU would have to be waited for: numbers are asked for, or copied, or decide how large a tensor is."""
    if func in INDEXING:
        return any(isinstance(one, torch.Tensor) and one.dtype == torch.bool for one in args[1] if one is not None)
    return func in SIZED or target == CPU or (func is aten.copy_.default and not isinstance(args[0], Pretended))


def _held(one: Any) -> Any:
    return one.held if isinstance(one, Pretended) else one


def _wrapped(one: Any, same: dict[int, Pretended]) -> Any:
    if not isinstance(one, torch.Tensor) or isinstance(one, Pretended):
        return one
    return same.get(id(one)) if id(one) in same else Pretended(one)


def _caller() -> str:
    """The nearest line of this project."""
    frame = sys._getframe(1)
    while frame is not None and "/pipeline/" not in frame.f_code.co_filename:
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return "a test"
    return f"{frame.f_code.co_filename.rpartition('/pipeline/')[2]}:{frame.f_lineno}"


class _Generator(torch.Generator):
    """One of the CPU, whatever the device."""

    def __new__(cls, device: torch.device | str = "cpu") -> _Generator:
        return super().__new__(cls)


@contextmanager
def pretended_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedDevice]:
    """Inside, tensors of `DEVICE` have values."""
    monkeypatch.setattr(torch, "Generator", _Generator)
    # A wrapper's tensors cannot be those of inference; what is asked for is the same.
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)
    # Fused steps are for devices that are named.
    monkeypatch.setattr(optimizer, "_get_fused_kernels_supported_devices", lambda: ["cpu", DEVICE.type])
    with PretendedDevice() as mode:
        yield mode
