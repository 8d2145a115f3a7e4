"""Item vectors: the modalities that an item is known by, fused (method 1 and 5).

Method:    s = W t'_1 + b;   concat: r = s || p''     average: r = (s + p'') / 2
Extended:  linear: r = sum_m W_m x_m, a concatenation and a linear layer
           gated:  r = sum_m g_m W_m x_m, with M gates g = M softmax_m(a_m^T W_m x_m), so that equal gates are the linear fusion

x_m is the text vector t'_1, the structural vector p'', one-hot for an item's own vector, or the item's bag of knowledge
graph entities N_i, scaled to length 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import nn

from pipeline.common.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

Modality = Literal["text", "structure", "id", "entities"]
Fusion = Literal["concat", "average", "linear", "gated"]
# Standard deviations at the start where all modalities are added up: learned vectors small, so that a vector
# nobody has rated yet is nearly zero, and fixed inputs not much larger.
LEARNED_SPREAD = 0.03
PROJECTED_SPREAD = 0.1


def standardised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each dimension to mean 0 and variance 1 over the items that have a vector; rows of zeros (no text) stay zero.

    [CLS] vectors of any two items point in much the same direction: what all share would drown what sets them apart.

    Args:
        vectors: (M, width).
    """
    present = vectors.any(axis=1)
    result = np.zeros_like(vectors, dtype=np.float32)
    if present.any():
        known = vectors[present].astype(np.float64)
        spread = known.std(axis=0)
        result[present] = (known - known.mean(axis=0)) / np.where(spread > 1e-8, spread, 1.0)
    return result


@dataclass(frozen=True)
class ItemInputs:
    """What items are known by before training.

    Attributes:
        text: [CLS] vectors, (M, d_e).
        structure: p'' (or P, for a model without the GAT), (M, d_k'').
        entities: N_i, (M, entities), 1 where the entity is in it; for the modality `entities`.
        gat: P with edge_index and GAT weights: for `finetune_gat`.
    """

    text: NDArray[np.float32]
    structure: NDArray[np.float32]
    entities: csr_matrix | None = None
    gat: GatInputs | None = None


@dataclass(frozen=True)
class GatInputs:
    """
    Attributes:
        initial: P, (M, d_k).
        edge_index: (2, directed edges).
        weights: of the GAT stage.
        build: makes the encoder for an input width.
    """

    initial: NDArray[np.float32]
    edge_index: NDArray[np.int64]
    weights: dict[str, NDArray[np.float32]]
    build: Callable[[int], nn.Module]


class ItemEncoder(nn.Module):
    """r for all items, (M, width): fixed inputs of the modalities, trainable projections.

    Args:
        inputs: of all items.
        modalities: which of them count, at least one.
        fusion: how they become one vector.
        width: d_h, of the projected text vector and of the learned ones under `concat` and `average`; of r under `linear`
            and `gated`.

    Raises:
        InputError: inputs of different numbers of items, or `average` fusion of different widths.
    """

    def __init__(self, inputs: ItemInputs, modalities: Sequence[Modality], fusion: Fusion, width: int) -> None:
        super().__init__()
        self.modalities: tuple[Modality, ...] = tuple(modalities)
        self.fusion = fusion
        count = len(inputs.text)
        if count != len(inputs.structure):
            raise InputError(
                f"item vectors: found {count} by text and {len(inputs.structure)} by structure; run `dvc repro`"
            )
        added = fusion in ("linear", "gated")
        self.starts_small = added
        self.width = width
        structure_width = inputs.structure.shape[1]
        if "text" in modalities:
            self.register_buffer("text", torch.from_numpy(standardised(inputs.text)), persistent=False)
            self.projection = nn.Linear(inputs.text.shape[1], width, bias=not added)
            nn.init.normal_(
                self.projection.weight, std=(PROJECTED_SPREAD if added else 1.0) * inputs.text.shape[1] ** -0.5
            )
            if not added:
                nn.init.zeros_(self.projection.bias)
        if "structure" in modalities:
            self.structural = _structural(inputs)
            if added:
                self.structure_projection = nn.Parameter(torch.empty(structure_width, width))
                nn.init.normal_(self.structure_projection, std=PROJECTED_SPREAD * structure_width**-0.5)
            elif fusion == "average" and structure_width != width:
                raise InputError(
                    f"fusion: average fusion needs equal widths, found width {width} and structural vectors "
                    f"{structure_width} wide"
                )
        if "id" in modalities:
            self.own = nn.Parameter(torch.randn(count, width) * LEARNED_SPREAD)
        if "entities" in modalities:
            if inputs.entities is None:
                raise ValueError("the modality `entities` needs the items' entities")
            # SciPy's form beside PyTorch's: it gives some of its rows at once, and PyTorch's searches them all.
            self._bags = shared_bags(inputs.entities)
            self.register_buffer("bag", _as_tensor(self._bags), persistent=False)
            self.entity = nn.Parameter(torch.randn(self._bags.shape[1], width) * LEARNED_SPREAD)
        if fusion == "gated":
            self.gates = nn.Parameter(torch.zeros(len(self.modalities), width))
        if fusion == "concat":
            self.width = sum(structure_width if name == "structure" else width for name in self.modalities)

    def forward(self) -> torch.Tensor:
        return self.fuse(self.parts())

    def fuse(self, parts: dict[str, torch.Tensor]) -> torch.Tensor:
        """R out of what `parts` gives, (M, width)."""
        return fuse(list(parts.values()), self.fusion, getattr(self, "gates", None))

    def parts(self, items: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """What each modality says about items, before fusion, each (items, its width).

        Args:
            items: which; None for all.
        """
        return {name: self._part(name, items) for name in self.modalities}

    def _part(self, modality: Modality, items: torch.Tensor | None) -> torch.Tensor:
        def of(rows: torch.Tensor) -> torch.Tensor:
            return rows if items is None else rows.index_select(0, items)

        vectors: torch.Tensor
        if modality == "id":
            vectors = of(self.own)
        elif modality == "entities":
            bag = self.get_buffer("bag") if items is None else _as_tensor(self._bags[items.cpu().numpy()])
            vectors = torch.sparse.mm(bag.to(self.entity), self.entity)
        elif modality == "text":
            vectors = self.projection(of(self.get_buffer("text")))
        else:
            vectors = of(self.structural())
            if self.starts_small:
                vectors = vectors @ self.structure_projection
        return vectors


class _Fixed(nn.Module):
    """p'' standardised, as it came from the GAT stage."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.from_numpy(standardised(vectors)), persistent=False)

    def forward(self) -> torch.Tensor:
        return self.get_buffer("vectors")


class _Finetuned(nn.Module):
    """p'' from a GAT that goes on training with the click loss; mean and spread stay those of the GAT stage's vectors."""

    def __init__(self, structure: NDArray[np.float32], inputs: GatInputs) -> None:
        super().__init__()
        self.gat = inputs.build(inputs.initial.shape[1])
        self.gat.load_state_dict({name: torch.from_numpy(array) for name, array in inputs.weights.items()})
        # As in `standardised`: items without a vector do not count.
        known = torch.from_numpy(structure[structure.any(axis=1)]).double()
        spread, mean = torch.std_mean(known, dim=0, correction=0)
        self.register_buffer("initial", torch.from_numpy(inputs.initial), persistent=False)
        self.register_buffer("edge_index", torch.from_numpy(inputs.edge_index), persistent=False)
        self.register_buffer("mean", mean.float(), persistent=False)
        self.register_buffer("spread", torch.where(spread > 1e-8, spread, 1.0).float(), persistent=False)

    def forward(self) -> torch.Tensor:
        vectors: torch.Tensor = self.gat(self.get_buffer("initial"), self.get_buffer("edge_index"))
        return (vectors - self.get_buffer("mean")) / self.get_buffer("spread")


def _structural(inputs: ItemInputs) -> nn.Module:
    return _Fixed(inputs.structure) if inputs.gat is None else _Finetuned(inputs.structure, inputs.gat)


def shared_bags(entities: csr_matrix) -> csr_matrix:
    """Rows of N_i scaled to length 1, without the entities that only one item has: those could only memorise it.

    Args:
        entities: (M, entities) of ones.

    Returns:
        (M, entities that two items or more have).
    """
    from scipy.sparse import diags

    shared = entities[:, np.flatnonzero(entities.getnnz(axis=0) >= 2)].astype(np.float32)
    sizes = np.maximum(shared.getnnz(axis=1), 1)
    return (diags(sizes**-0.5) @ shared).tocsr().astype(np.float32)


def _as_tensor(matrix: csr_matrix) -> torch.Tensor:
    with_indices = matrix.tocoo()
    where = torch.from_numpy(np.stack([with_indices.row, with_indices.col]).astype(np.int64))
    values = torch.from_numpy(with_indices.data)
    return torch.sparse_coo_tensor(where, values, matrix.shape, check_invariants=False).coalesce()


def fuse(parts: Sequence[torch.Tensor], fusion: Fusion, gates: torch.Tensor | None = None) -> torch.Tensor:
    """R out of the modalities' parts (method 5).

    Args:
        parts: s, p'', ..., each (M, width); of equal widths unless `concat`.
        gates: a, (modalities, width), for `gated`.
    """
    if fusion == "concat":
        return torch.cat(list(parts), dim=1)
    stacked = torch.stack(list(parts))
    if fusion == "average":
        return stacked.mean(dim=0)
    if fusion == "gated":
        assert gates is not None
        shares = torch.einsum("mid,md->mi", stacked, gates).softmax(dim=0)
        return (len(parts) * shares.unsqueeze(-1) * stacked).sum(dim=0)
    return stacked.sum(dim=0)
