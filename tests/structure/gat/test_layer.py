"""The attention-weighted sum against a dense one, and the layer against PyTorch Geometric's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import GATConv

from pipeline.structure.gat.attention_sum import attention_sum
from pipeline.structure.gat.layer import AttentionGraph, AttentionLayer, attention_graph
from pipeline.structure.gat.sorted_pairs import sorted_pairs

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does

SIZES: dict[str, Any] = {
    "seed": st.integers(0, 10_000),
    "sources": st.integers(1, 12),
    "left_out": st.integers(0, 4),
    "edges": st.integers(0, 60),
    "heads": st.integers(1, 3),
    "width": st.integers(1, 9),
    "concat": st.booleans(),
}


def drawn(seed: int, sources: int, targets: int, edges: int) -> torch.Tensor:
    """Source and target of each edge, some of them self loops, some of them twice; items without an edge are likely."""
    random = np.random.default_rng(seed)
    return torch.from_numpy(np.stack([random.integers(sources, size=edges), random.integers(targets, size=edges)]))


def dense_sum(
    x: torch.Tensor, s: torch.Tensor, t: torch.Tensor, edge_index: torch.Tensor, slope: float, concat: bool
) -> torch.Tensor:
    """With a matrix of all targets and sources for each head."""
    times = torch.zeros(len(t), len(s), dtype=x.dtype)
    times.index_put_((edge_index[1], edge_index[0]), torch.ones(edge_index.shape[1], dtype=x.dtype), accumulate=True)
    heads = []
    for head, vectors in enumerate(x.chunk(s.shape[1], dim=1)):
        logits = torch.nn.functional.leaky_relu(t[:, head, None] + s[None, :, head], slope)
        weights = times * logits.exp()
        heads.append(weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-300) @ vectors)
    return torch.cat(heads, dim=1) if concat else torch.stack(heads).mean(dim=0)


def inputs(seed: int, sources: int, targets: int, heads: int, width: int) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    shapes = ((sources, heads * width), (sources, heads), (targets, heads))
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(**SIZES, slope=st.sampled_from([0.0, 0.2, 0.9]))
def test_sums_and_gradients_are_those_of_dense_matrices(
    seed: int, sources: int, left_out: int, edges: int, heads: int, width: int, concat: bool, slope: float
) -> None:
    targets = max(sources - left_out, 1)
    edge_index = drawn(seed, sources, targets, edges)
    given_ = inputs(seed, sources, targets, heads, width)
    pairs = sorted_pairs(edge_index[1].numpy(), edge_index[0].numpy(), (targets, sources))
    found = attention_sum(*given_, pairs, slope, concat=concat)
    expected = dense_sum(*given_, edge_index, slope, concat)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-10)
    weights = torch.randn_like(expected)
    gradients = [torch.autograd.grad((weights * out).sum(), given_) for out in (found, expected)]
    for mine, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize("concat", [True, False])
def test_gradients_are_those_of_finite_differences(concat: bool) -> None:
    edge_index = drawn(1, 6, 4, 25)
    pairs = sorted_pairs(edge_index[1].numpy(), edge_index[0].numpy(), (4, 6))
    assert torch.autograd.gradcheck(
        lambda *given_: attention_sum(*given_, pairs, 0.2, concat=concat), inputs(2, 6, 4, 2, 3)
    )


def test_large_logits_do_not_overflow() -> None:
    pairs = sorted_pairs(np.array([0, 0]), np.array([0, 1]), (1, 2))
    x, s, t = torch.tensor([[1.0], [2.0]]), torch.tensor([[900.0], [1000.0]]), torch.tensor([[50.0]])
    assert attention_sum(x, s, t, pairs, 0.2, concat=True).tolist() == [[2.0]]
    assert attention_sum(x, -s, t, pairs, 0.2, concat=True).item() == pytest.approx(1.0)


def test_what_is_no_number_stays_so() -> None:
    pairs = sorted_pairs(np.array([0, 1]), np.array([0, 1]), (2, 2))
    x, s = torch.tensor([[1.0], [2.0]]), torch.tensor([[float("nan")], [0.0]])
    assert attention_sum(x, s, s, pairs, 0.2, concat=True).isnan().tolist() == [[True], [False]]


def test_any_number_of_cores_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    edge_index = drawn(0, 300, 300, 4000)
    graph = attention_graph(edge_index, 300)
    torch.manual_seed(0)
    x, s, t = torch.randn(300, 24), torch.randn(300, 3), torch.randn(300, 3)
    found = []
    for cores in (1, 2, 5):
        monkeypatch.setattr("pipeline.structure.gat.sorted_pairs.cores_here", lambda cores=cores: cores)
        given_ = [value.clone().requires_grad_() for value in (x, s, t)]
        assert graph.pairs is not None
        out = attention_sum(*given_, graph.pairs, 0.2, concat=True)
        found.append([out.detach(), *torch.autograd.grad(out.square().sum(), given_)])
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert one.numpy().tobytes() == other.numpy().tobytes()


def both(heads: int, width: int, concat: bool, dtype: torch.dtype) -> tuple[AttentionLayer, GATConv]:
    """The layer, and PyTorch Geometric's with its parameters."""
    layer = AttentionLayer(5, width, heads=heads, concat=concat, negative_slope=0.3).to(dtype)
    theirs = GATConv(5, width, heads=heads, concat=concat, negative_slope=0.3, bias=False).to(dtype)
    theirs.load_state_dict(layer.state_dict())
    return layer, theirs


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    **{name: SIZES[name] for name in SIZES if name != "left_out"}, dtype=st.sampled_from([torch.float32, torch.float64])
)
def test_the_layer_and_its_gradients_are_gatconvs(
    seed: int, sources: int, edges: int, heads: int, width: int, concat: bool, dtype: torch.dtype
) -> None:
    torch.manual_seed(seed)
    layer, theirs = both(heads, width, concat, dtype)
    vectors = torch.randn(sources, 5, dtype=dtype, requires_grad=True)
    edge_index = drawn(seed, sources, sources, edges)
    found = layer(vectors, attention_graph(edge_index, sources))
    expected = theirs(vectors, edge_index)
    tolerances = {"atol": 1e-5, "rtol": 1e-4} if dtype == torch.float32 else {"atol": 1e-12, "rtol": 1e-10}
    torch.testing.assert_close(found, expected, **tolerances)
    weights = torch.randn_like(expected)
    gradients = [
        torch.autograd.grad((weights * out).sum(), [vectors, *model.parameters()])
        for out, model in ((found, layer), (expected, theirs))
    ]
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other, **tolerances)


def test_where_the_machine_code_does_not_reach_it_is_gatconv() -> None:
    edge_index = drawn(3, 8, 8, 30)
    layer, theirs = both(2, 3, True, torch.bfloat16)
    vectors = torch.randn(8, 5, dtype=torch.bfloat16)
    assert torch.equal(layer(vectors, attention_graph(edge_index, 8)), theirs(vectors, edge_index))
    layer, theirs = both(2, 3, True, torch.float32)
    elsewhere = AttentionGraph(edge_index, attention_graph(edge_index, 8).with_loops, None)
    assert torch.equal(layer(vectors.float(), elsewhere), theirs(vectors.float(), edge_index))


def test_an_edge_of_an_item_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected 0 to 7"):
        attention_graph(torch.tensor([[0, 8], [8, 0]]), 8)
