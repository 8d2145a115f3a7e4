"""PyTorch's optimisers, without PyTorch's compiler.

They load it to tell it to keep out of a few of their methods, and that takes nearly as long as PyTorch itself. Nothing here is
compiled: these methods are taken as they are inside the wrappers that load it.
"""

from __future__ import annotations

from inspect import unwrap

import torch


class Adam(torch.optim.Adam):
    add_param_group = unwrap(torch.optim.Adam.add_param_group)
    zero_grad = unwrap(torch.optim.Adam.zero_grad)
    state_dict = unwrap(torch.optim.Adam.state_dict)
    load_state_dict = unwrap(torch.optim.Adam.load_state_dict)
    # Its wrapper turns gradients off as well.
    step = torch.no_grad()(unwrap(torch.optim.Adam.step))


class AdamW(Adam, torch.optim.AdamW):
    """The methods of the one, and the weight decay of the other."""


class SparseAdam(torch.optim.SparseAdam):
    add_param_group = unwrap(torch.optim.SparseAdam.add_param_group)
    zero_grad = unwrap(torch.optim.SparseAdam.zero_grad)
    state_dict = unwrap(torch.optim.SparseAdam.state_dict)
    load_state_dict = unwrap(torch.optim.SparseAdam.load_state_dict)
    step = torch.no_grad()(unwrap(torch.optim.SparseAdam.step))
