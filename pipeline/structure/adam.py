"""Adam and AdamW without PyTorch's compiler (Kingma, Ba, ICLR 2015; Loshchilov, Hutter, ICLR 2019).

An optimiser of `torch.optim` loads the compiler when it is made and when it steps, only to tell it to keep out: that takes about as long
as loading PyTorch. The arithmetic is a function of its own there, `torch.optim.adam.adam`, which is called here: the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class Adam:
    """What this project uses of `torch.optim.Adam` and `torch.optim.AdamW`, by the same names.

    Attributes:
        param_groups: ``params``, ``lr``, ``betas`` and ``weight_decay`` of each; they count anew in each step.
        fused: as given.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor] | Iterable[dict[str, Any]],
        lr: float,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled: bool = False,
        fused: bool | None = None,
    ) -> None:
        """
        Args:
            parameters: tensors, or groups with ``params`` and settings of their own.
            weight_decay: of Adam a penalty on the squares, of AdamW what each step takes of the weights.
            decoupled: AdamW.
            fused: all parameters in one pass; PyTorch's own choice if not given.
        """
        import torch

        given: list[Any] = list(parameters)
        groups = [{"params": given}] if given and isinstance(given[0], torch.Tensor) else given
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay}
        self.param_groups: list[dict[str, Any]] = [
            defaults | group | {"params": list(group["params"])} for group in groups
        ]
        self.fused = fused
        self._epsilon, self._decoupled = epsilon, decoupled
        self._state: dict[torch.Tensor, tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters():
            parameter.grad = None

    def step(self) -> None:
        """Move the parameters that have a gradient."""
        import torch
        from torch.optim.adam import adam

        with torch.no_grad():
            for group in self.param_groups:
                first, second = group["betas"]
                moved = [parameter for parameter in group["params"] if parameter.grad is not None]
                steps, means, squares = ([self._of(parameter)[part] for parameter in moved] for part in range(3))
                adam(
                    moved,
                    [parameter.grad for parameter in moved],
                    means,
                    squares,
                    [],
                    steps,
                    fused=self.fused,
                    decoupled_weight_decay=self._decoupled,
                    amsgrad=False,
                    beta1=first,
                    beta2=second,
                    lr=group["lr"],
                    weight_decay=group["weight_decay"],
                    eps=self._epsilon,
                    maximize=False,
                )

    def _of(self, parameter: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Number of steps, and means of the gradient and of its square."""
        import torch

        if parameter not in self._state:
            # All in one pass, the number of steps is where the parameter is; otherwise it is a number on the CPU.
            device = parameter.device if self.fused else torch.device("cpu")
            steps = torch.zeros((), dtype=torch.float32, device=device)
            self._state[parameter] = (steps, torch.zeros_like(parameter), torch.zeros_like(parameter))
        return self._state[parameter]

    def state_dict(self) -> dict[str, Any]:
        """What a stopped run needs to go on: settings of the groups, and steps and means of each parameter in their order."""
        return {
            "groups": [
                {name: value for name, value in group.items() if name != "params"} for group in self.param_groups
            ],
            "state": [self._state.get(parameter) for parameter in self._parameters()],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict` of an optimiser of as many parameters."""
        for group, settings in zip(self.param_groups, state["groups"], strict=True):
            group.update(settings)
        self._state = {}
        for parameter, kept in zip(self._parameters(), state["state"], strict=True):
            if kept is not None:
                steps, means, squares = kept
                device = parameter.device if self.fused else steps.device
                self._state[parameter] = (
                    steps.detach().clone().to(device),
                    means.detach().clone().to(parameter.device),
                    squares.detach().clone().to(parameter.device),
                )

    def _parameters(self) -> list[torch.Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]
