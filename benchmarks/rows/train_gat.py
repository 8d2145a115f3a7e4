"""Epochs of the graph attention network over all edges at once, against PyTorch Geometric's layers, loss and pairs.

Each way draws pairs without an edge in its own way. The loss is over pairs that are in a file, the same for all: so that it must agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.case import Bound, Case, Figures, Way
from benchmarks.data import DATASET, copy_artifacts

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRAPH = "graph.npz"
# P of the pipeline.
INPUT_WIDTH = 64


def of_default_data(folder: Path) -> None:
    """The item graph of the default data set."""
    from pipeline.artifacts.data import ITEMS
    from pipeline.artifacts.graph import EDGES
    from pipeline.graph.matrices import edge_index

    copy_artifacts(folder, EDGES, ITEMS)
    _write(folder, edge_index(EDGES.read(DATASET)), len(ITEMS.read(DATASET)))


def of_synthetic(folder: Path, items: int, edges: int) -> None:
    """A made-up graph, ends of edges drawn like `benchmarks.synthetic` draws items; ``edges`` counts both directions."""
    import numpy as np

    from benchmarks.synthetic import by_rank

    random = np.random.default_rng(0)
    rank_of, shares = random.permutation(items), by_rank(items)
    found = np.empty(0, dtype=np.int64)
    while len(found) < edges // 2:
        ends = rank_of[random.choice(items, (2, edges), p=shares)]
        low, high = ends.min(axis=0), ends.max(axis=0)
        found = np.union1d(found, (low * items + high)[low < high])
    once = np.stack(np.divmod(np.sort(random.permutation(found)[: edges // 2]), items))
    _write(folder, np.concatenate([once, once[::-1]], axis=1), items)


def _write(folder: Path, edges: NDArray[Any], items: int) -> None:
    import numpy as np

    from pipeline.structure.gat.link_reconstruction import Links
    from pipeline.structure.gat.sorted_pairs import SortedPairs

    random = np.random.default_rng(1)
    others = Links(edges, items).others(random)
    assert isinstance(others, SortedPairs)
    vectors = random.normal(size=(items, INPUT_WIDTH)).astype(np.float32)
    np.savez(folder / GRAPH, vectors=vectors, edges=edges, others=others.by_row())


@dataclass(frozen=True)
class Ready:
    """A model and what it is trained on.

    Attributes:
        loss: of the encoder's vectors; draws pairs, and takes those of the file.
    """

    encoder: Any
    vectors: Any
    edges: Any
    loss: Callable[[Any], Any]
    optimiser: Any


def config() -> Any:
    from pipeline.common.config import look_up, read_yaml
    from pipeline.structure.gat.settings import GatConfig

    keys = ("train_gat",)
    return GatConfig.model_validate(look_up(read_yaml(Path("params.yaml")), keys, "params.yaml"))


def prepared(folder: Path, plain_layers: bool, plain_loss: bool) -> Ready:
    """Our layers and loss, or PyTorch Geometric's; all with the same weights to start from."""
    import numpy as np
    import torch
    from torch_geometric.nn import GAE
    from torch_geometric.utils import negative_sampling

    from pipeline.structure.gat.link_reconstruction import Links, reconstruction_loss
    from pipeline.structure.gat.network import TwoLayerGat
    from pipeline.structure.gat.sorted_pairs import sorted_pairs

    loaded = dict(np.load(folder / GRAPH))
    vectors, edges = torch.from_numpy(loaded["vectors"]), torch.from_numpy(loaded["edges"])
    items = len(vectors)
    torch.manual_seed(2)
    encoder = TwoLayerGat(INPUT_WIDTH, config())
    if plain_layers:
        encoder = _plain(encoder)
    if plain_loss:
        model, others = GAE(torch.nn.Identity()), torch.from_numpy(loaded["others"])

        def loss(codes: torch.Tensor) -> torch.Tensor:
            negative_sampling(edges, items)
            found: torch.Tensor = model.recon_loss(codes, edges, others)
            return found
    else:
        links, pairs, random = (
            Links(loaded["edges"], items),
            sorted_pairs(loaded["others"][0], loaded["others"][1], (items, items)),
            np.random.default_rng(3),
        )

        def loss(codes: torch.Tensor) -> torch.Tensor:
            links.others(random)
            return reconstruction_loss(codes, links.edges, pairs)

    return Ready(encoder, vectors, edges, loss, torch.optim.Adam(encoder.parameters(), lr=config().learning_rate))


def _plain(encoder: Any) -> Any:
    """PyTorch Geometric's layers with the same weights: a message for each edge."""
    import torch
    from torch.nn.functional import dropout, elu
    from torch_geometric.nn import GATConv

    settings = config()

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            shared = {"heads": settings.heads, "negative_slope": settings.negative_slope, "bias": False}
            self.first = GATConv(INPUT_WIDTH, settings.hidden_width, concat=True, **shared)
            self.second = GATConv(settings.heads * settings.hidden_width, settings.output_width, concat=False, **shared)

        def forward(self, vectors: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
            for layer in (self.first, self.second):
                vectors = elu(layer(dropout(vectors, settings.dropout, self.training), edge_index))
            return vectors

    plain = Plain()
    plain.load_state_dict(encoder.state_dict())
    return plain


def epochs(ready: Ready, number: int) -> Figures:
    """Forward, loss, backward and step, the same dropout in every way; the last epoch's loss and length of the gradient."""
    import torch

    torch.manual_seed(4)
    for _ in range(number):
        ready.optimiser.zero_grad(set_to_none=True)
        loss = ready.loss(ready.encoder(ready.vectors, ready.edges))
        loss.backward()
        ready.optimiser.step()
    length = torch.stack([weight.grad.norm() for weight in ready.encoder.parameters()]).norm()
    return {"loss": float(loss.detach()), "length of the gradient": float(length)}


def bound(folder: Path, number: int) -> Bound:
    """Products with the weights, and the vectors that edges and pairs read and add up."""
    import numpy as np

    settings, loaded = config(), np.load(folder / GRAPH)
    items, directed, others = len(loaded["vectors"]), loaded["edges"].shape[1], loaded["others"].shape[1]
    out, first, second = (
        settings.output_width,
        settings.heads * settings.hidden_width,
        settings.heads * settings.output_width,
    )
    edges, pairs = directed + items, directed / 2 + others
    products = 2 * items * (2 * INPUT_WIDTH * first + 3 * first * second)
    operations = products + 6 * edges * (first + second) + 6 * pairs * out
    moved = 4 * (
        edges * (first + second + first + out) + 2 * pairs * out + 3 * items * (INPUT_WIDTH + 3 * first + second + out)
    )
    return Bound(
        number * operations,
        number * moved,
        f"{number} x: {edges:,} edges and loops, {pairs:,.0f} pairs of the loss, {items:,} items. The products of both layers with their "
        f"weights, forward and twice backward (the first layer once); for an edge its source's {first} and {second} numbers times their "
        f"share forward, twice as much backward, where it reads its target's {first} and {out}; for a pair a product of {out} numbers and "
        "two multiples, each of which reads a vector; items' vectors in and out of products and sums, forward and twice backward. Reads of "
        "edges and pairs count as from memory, although caches hold some",
    )


def case(task: str, inputs: Callable[[Path], None], number: int, runs: int) -> Case:
    plain = "GATConv and GAE.recon_loss, full batch"
    work = partial(epochs, number=number)
    return Case(
        stage="train_gat",
        task=task,
        ours=Way("ours", partial(prepared, plain_layers=False, plain_loss=False), work, warm=1),
        alternatives=(
            Way(
                plain,
                partial(prepared, plain_layers=True, plain_loss=True),
                work,
                warm=1,
                note="PyTorch Geometric, float32, with its negative_sampling: what this stage did before",
            ),
            Way(
                "GATConv with our loss and pairs",
                partial(prepared, plain_layers=True, plain_loss=False),
                work,
                warm=1,
                note="what the layers alone make of it",
            ),
        ),
        inputs=inputs,
        aims={plain: 2.0},
        runs=runs,
        bound=partial(bound, number=number),
    )


CASES = (
    case("10 epochs, ml-100k", of_default_data, number=10, runs=5),
    case("an epoch, 20,000 items, 600,000 edges", partial(of_synthetic, items=20_000, edges=600_000), number=1, runs=3),
)
