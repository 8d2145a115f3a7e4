"""SDNE: one pass against the same autoencoder on a dense matrix, and the whole stage against methods of karateclub."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.case import Bound, Case, Figures, Way
from benchmarks.data import DATASET, copy_artifacts

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_matrix

    from pipeline.structure.sdne.network import Autoencoder, Losses

GRAPH = "graph.npz"
PASSES = "passes.json"
EDGES_PER_ITEM = 20
SEED = 42
MOST_PASSES = 60
AUC, RANK, LOSS = "reconstruction AUC", "effective rank", "loss of the last pass"
DENSE, WHOLE = "a dense matrix", "ours, rows whole"


def of_default_data(folder: Path) -> None:
    """The item graph of the default data set."""
    from scipy.sparse import save_npz

    from pipeline.artifacts.data import ITEMS
    from pipeline.artifacts.graph import EDGES
    from pipeline.graph.matrices import adjacency

    copy_artifacts(folder, EDGES, ITEMS)
    save_npz(folder / GRAPH, adjacency(EDGES.read(DATASET), len(ITEMS.read(DATASET))))


def of_synthetic(folder: Path, items: int) -> None:
    """A made-up item graph: ends of edges drawn with Zipf shares, `EDGES_PER_ITEM` to an item on average but for repeats."""
    import numpy as np
    from scipy.sparse import csr_matrix, save_npz

    from benchmarks.synthetic import by_rank

    random = np.random.default_rng(0)
    number, shares = random.permutation(items), by_rank(items)
    source, target = number[random.choice(items, (2, EDGES_PER_ITEM * items // 2), p=shares)]
    apart = source != target
    source, target = source[apart], target[apart]
    ends = (np.r_[source, target], np.r_[target, source])
    graph = csr_matrix((np.ones(len(ends[0]), dtype=np.float32), ends), shape=(items, items))
    graph.data[:] = 1
    save_npz(folder / GRAPH, graph)


def settings(profile: str, **changes: object) -> Any:
    """Of the stage, as params.yaml has them (with one of its profiles, or ``""``), with changes."""
    from pipeline.common.config import read_yaml
    from pipeline.structure.settings import StructureConfig

    values = read_yaml(Path("params.yaml"))
    of_profile = values["profiles"][profile].get("init_sdne", {}) if profile else {}
    return StructureConfig(**{**values["init_sdne"], **of_profile, **changes})


def graph(folder: Path) -> csr_matrix:
    from scipy.sparse import load_npz

    loaded = load_npz(folder / GRAPH).tocsr()
    loaded.sort_indices()
    return loaded


@dataclass(frozen=True)
class Ready:
    fit: Callable[[], Any]
    graph: csr_matrix


def ours(folder: Path, profile: str, changes: dict[str, object]) -> Ready:
    """A model, and the libraries that it needs already at work."""
    from pipeline.structure.sdne.estimator import SDNE
    from pipeline.structure.sdne.settings import SdneConfig

    config = settings(profile, **changes)
    chosen = {name: getattr(config, name) for name in SdneConfig.model_fields}
    loaded = graph(folder)
    SDNE(dimensions=config.dimensions, **{**chosen, "epochs": 1}).fit_adjacency(loaded[:200, :200].tocsr())
    model = SDNE(dimensions=config.dimensions, seed=SEED, **chosen)
    return Ready(lambda: fitted(model, loaded), loaded)


def fitted(model: Any, loaded: csr_matrix) -> float:
    model.fit_adjacency(loaded)
    return float(model.history[-1]["loss"])


def dense(folder: Path, profile: str, changes: dict[str, object]) -> Ready:
    """The matrix itself in memory, and PyTorch's layers, loss and Adam as one would write them down."""
    import torch

    config = settings(profile, **changes)
    loaded = graph(folder)
    matrix = torch.from_numpy(loaded.toarray())
    dense_fit(matrix[:200, :200].contiguous(), config.model_copy(update={"epochs": 1}))
    return Ready(lambda: dense_fit(matrix, config), loaded)


def dense_fit(matrix: torch.Tensor, config: Any) -> float:
    """Trains from the weights and by the batches that ours has, and encodes all items. The loss of the last pass."""
    import torch

    from pipeline.common.random_streams import stream, torch_seed
    from pipeline.structure.sdne.network import build_autoencoder

    torch.manual_seed(torch_seed(SEED, "sdne"))
    count = len(matrix)
    network = build_autoencoder(count, config.hidden_widths, config.dimensions, config.activation)
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    for epoch in range(config.epochs):
        total = 0.0
        order = torch.from_numpy(stream(SEED, "sdne", epoch).permutation(count))
        for batch in torch.split(order, config.batch_size):
            rows = matrix[batch]
            losses = dense_losses(network, rows, rows[:, batch], config.beta)
            pairs = count * (count - 1) / max(len(batch) * (len(batch) - 1), 1)
            second, first = losses.second_order * count / len(batch), losses.first_order * pairs
            loss = (second + config.alpha * first + config.nu * losses.l2) / count
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(batch) / count
    with torch.no_grad():
        for start in range(0, count, config.batch_size):
            network.encoder(matrix[start : start + config.batch_size])
    return total


def dense_losses(network: Autoencoder, rows: torch.Tensor, among: torch.Tensor, beta: float) -> Losses:
    """The three terms over a batch, by autograd over whole rows. The tests hold ours against it.

    Args:
        rows: (batch, M), adjacency rows.
        among: (batch, batch), adjacency among the nodes of the batch.
    """
    import torch

    from pipeline.structure.sdne.network import Losses

    codes = network.encoder(rows)
    error = (network.decoder(codes) - rows) * (1 + (beta - 1) * rows)
    # sum over edges of ||y_i - y_j||^2 = sum_i deg_i ||y_i||^2 - sum_ij a_ij y_i.y_j: the Laplacian's quadratic form.
    first = (among.sum(dim=1) * codes.square().sum(dim=1)).sum() - (codes * (among @ codes)).sum()
    weights = [parameter for parameter in network.parameters() if parameter.dim() == 2]
    l2 = torch.stack([weight.square().sum() for weight in weights]).sum() / 2
    return Losses(error.square().sum(), first, l2)


def fit(ready: Ready) -> Figures:
    return {"items": ready.graph.shape[0], "edges": ready.graph.nnz // 2, LOSS: ready.fit()}


def embedded(ready: tuple[csr_matrix, Any]) -> Figures:
    """The stage: vectors, and how well they reconstruct the graph."""
    from pipeline.structure.embed import embed_graph

    loaded, config = ready
    figures = embed_graph(loaded, config, SEED).figures
    return {"width": figures["width"], AUC: figures["reconstruction_auc"], RANK: figures["effective_rank"]}


def method(folder: Path, name: str) -> tuple[csr_matrix, Any]:
    return graph(folder), settings("standard", method=name)


def passes(folder: Path, name: str) -> tuple[csr_matrix, Any]:
    """SDNE with as many passes as `with_passes` found to be enough."""
    enough = json.loads((folder / PASSES).read_text())[name]
    return graph(folder), settings("standard", epochs=enough, tolerance=0.0)


def with_passes(folder: Path, name: str) -> None:
    """The default item graph, and the fewest passes of SDNE after which it reconstructs at least as well as another method."""
    of_default_data(folder)
    wanted = embedded(method(folder, name))[AUC]
    for enough in range(1, MOST_PASSES + 1):
        (folder / PASSES).write_text(json.dumps({name: enough}))
        if embedded(passes(folder, name))[AUC] >= wanted:
            return
    raise ValueError(f"{MOST_PASSES} passes of SDNE do not reach the AUC of {name}, {wanted}")


def bound(folder: Path, profile: str, changes: dict[str, object]) -> Bound:
    """The products of the layers of a fit; the weights and what Adam keeps of them, in and out in every step."""
    config = settings(profile, **changes)
    loaded = graph(folder)
    items, entries = loaded.shape[0], loaded.nnz
    widths: list[int] = [*config.hidden_widths, config.dimensions]
    first = widths[0]
    columns = min(config.sampled_columns, items) or items
    steps = -(-items // config.batch_size)
    inner = sum(left * right for left, right in pairwise(widths))
    # Forwards a product, backwards two; the first layer sums rows at the entries, and needs no gradient of its input.
    a_pass = 6 * items * columns * first + 4 * entries * first + 2 * 6 * items * inner
    coding = 2 * entries * first + 2 * items * inner
    if config.sampled_columns:
        a_pass += 6 * entries * first
    adam = steps * 2 * items * first * 4 * 7
    return Bound(
        operations=config.epochs * a_pass + coding,
        moved=config.epochs * adam,
        counted=f"{config.epochs} x 6 x {items:,} rows x {columns:,} columns x {first} in the last layer, forwards and twice backwards, "
        f"and the sums over {entries:,} entries in the first; in each of {steps} steps a pass the two matrices by items, their gradient "
        "and both moments are read and all but the gradient written, 7 x 4 bytes a number; "
        "the batch's reconstruction stays in the cache",
    )


LARGE: dict[str, Any] = {"profile": "large", "changes": {"epochs": 1}}
LARGE_WHOLE: dict[str, Any] = {"profile": "large", "changes": {"epochs": 1, "sampled_columns": 0}}
STANDARD: dict[str, Any] = {"profile": "", "changes": {"epochs": 1}}
ALL_PASSES: dict[str, Any] = {"profile": "", "changes": {"tolerance": 0.0}}
SAME = "the same first weights, batches and losses"


def equal_auc(name: str, runs: int) -> Case:
    return Case(
        stage="init_sdne",
        task=f"ml-100k, as well reconstructed as by {name}",
        ours=Way("ours", partial(passes, name=name), embedded, warm=1),
        alternatives=(
            Way(
                f"karateclub's {name}",
                partial(method, name=name),
                embedded,
                warm=1,
                note="entries told by inner products",
            ),
        ),
        inputs=partial(with_passes, name=name),
        told=(AUC, RANK),
        runs=runs,
    )


CASES = (
    Case(
        stage="init_sdne",
        task="one pass, 10,000 items, profile large",
        ours=Way("ours", partial(ours, **LARGE), fit),
        alternatives=(
            Way(WHOLE, partial(ours, **LARGE_WHOLE), fit),
            Way(DENSE, partial(dense, **LARGE_WHOLE), fit, note=f"{SAME} as ours with rows whole"),
        ),
        inputs=partial(of_synthetic, items=10_000),
        aims={DENSE: 3},
        told=(LOSS,),
        runs=3,
        bound=partial(bound, **LARGE),
    ),
    Case(
        stage="init_sdne",
        task="one pass, 10,000 items, rows whole",
        ours=Way("ours", partial(ours, **STANDARD), fit),
        alternatives=(Way(DENSE, partial(dense, **STANDARD), fit, note=SAME),),
        inputs=partial(of_synthetic, items=10_000),
        aims={DENSE: 3},
        runs=3,
        bound=partial(bound, **STANDARD),
    ),
    Case(
        stage="init_sdne",
        task="one pass, 20,000 items, peak memory",
        ours=Way("ours", partial(ours, **LARGE), fit),
        alternatives=(
            Way(WHOLE, partial(ours, **LARGE_WHOLE), fit),
            Way(DENSE, partial(dense, **LARGE_WHOLE), fit, note=f"{SAME} as ours with rows whole"),
        ),
        inputs=partial(of_synthetic, items=20_000),
        aims={DENSE: 3},
        measure="mebibytes",
        unit="MiB",
        told=(LOSS,),
        runs=1,
        seconds=240,
    ),
    Case(
        stage="init_sdne",
        task="ml-100k, all passes",
        ours=Way("ours", partial(ours, **ALL_PASSES), fit),
        alternatives=(Way(DENSE, partial(dense, **ALL_PASSES), fit, note=SAME),),
        inputs=of_default_data,
        aims={DENSE: 3},
        runs=3,
        bound=partial(bound, **ALL_PASSES),
    ),
    equal_auc("NetMF", runs=3),
    equal_auc("DeepWalk", runs=1),
)
