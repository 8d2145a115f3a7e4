"""EfficientNet-Lite0 up to its pooled features (Tan and Le 2019; "lite": no squeeze-and-excitation, ReLU6 in place of swish).

    stem    ReLU6(BN(conv 3x3, stride 2)): 32 maps of half the size
    block   x -> BN(project(ReLU6(BN(depthwise(ReLU6(BN(expand(x)))))))), plus x where both have the same shape
    head    ReLU6(BN(conv 1x1)): 1280 maps, of which the mean over all places is the vector

Parameters are called as in the published weights. timm has the network as well, but needs torchvision, and what the package index has of
that works beside PyTorch for CUDA alone.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

# Kernel, stride of the first block, expansion, maps, blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM, WIDTH, CLASSES = 32, 1280, 1000
# Of batch normalisation, as the weights were trained.
EPSILON = 1e-3


class EfficientNetLite0(nn.Module):
    """Frozen: batch normalisation by the stored means and variances alone."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _conv(3, STEM, 3, 2), _norm(STEM)
        blocks, before = [], STEM
        for kernel, stride, expansion, maps, count in STAGES:
            for number in range(count):
                blocks.append(_Block(before, maps, kernel, stride if number == 0 else 1, expansion))
                before = maps
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = _conv(before, WIDTH, 1), _norm(WIDTH)
        self._fc = nn.Linear(WIDTH, CLASSES)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """
        Args:
            pixels: (images, 3, height, width), from -1 to 1.

        Returns:
            (images, 1280).
        """
        states = functional.relu6(self._bn0(_same(self._conv_stem, pixels)))
        for block in self._blocks:
            states = block(states)
        found: torch.Tensor = functional.relu6(self._bn1(self._conv_head(states))).mean(dim=(2, 3))
        return found

    def classified(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits of ImageNet's classes, (images, 1000): what the weights were trained for."""
        found: torch.Tensor = self._fc(self(pixels))
        return found


class _Block(nn.Module):
    def __init__(self, before: int, maps: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = before * expansion
        self._expands, self._adds = expansion > 1, stride == 1 and before == maps
        if self._expands:
            self._expand_conv, self._bn0 = _conv(before, inside, 1), _norm(inside)
        self._depthwise_conv, self._bn1 = _conv(inside, inside, kernel, stride, groups=inside), _norm(inside)
        self._project_conv, self._bn2 = _conv(inside, maps, 1), _norm(maps)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        inner = functional.relu6(self._bn0(self._expand_conv(states))) if self._expands else states
        inner = functional.relu6(self._bn1(_same(self._depthwise_conv, inner)))
        inner = self._bn2(self._project_conv(inner))
        found: torch.Tensor = states + inner if self._adds else inner
        return found


def _conv(before: int, maps: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, maps, kernel, stride, groups=groups, bias=False)


def _norm(maps: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(maps, eps=EPSILON)


def _same(conv: nn.Conv2d, states: torch.Tensor) -> torch.Tensor:
    """Padded so that the output has a place for each stride of the input; what is odd goes to the right and below, as in TensorFlow."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    padding = []
    for size in (states.shape[3], states.shape[2]):
        missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        padding += [missing // 2, missing - missing // 2]
    found: torch.Tensor = conv(functional.pad(states, padding))
    return found
