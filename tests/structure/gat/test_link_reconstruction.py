"""The reconstruction loss against PyTorch Geometric's, and the pairs that it is computed over."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch_geometric.nn import GAE

from pipeline.structure.gat.link_reconstruction import Links, distinct, reconstruction_loss
from tests.graphs import directed, two_communities

torch.set_num_threads(1)  # on small tensors a second thread costs more than it does


def graph(seed: int, items: int, share: float) -> NDArray[np.int64]:
    """Both directions of some of all pairs, at least of one."""
    random = np.random.default_rng(seed)
    pairs = [pair for pair in combinations(range(items), 2) if random.random() < share] or [(0, 1)]
    once = np.array(pairs).T
    return np.concatenate([once, once[::-1]], axis=1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    items=st.integers(3, 12),
    share=st.floats(0, 0.9),
    width=st.integers(1, 9),
    scale=st.sampled_from([0.1, 1.0, 6.0]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_loss_and_gradient_are_those_of_gae(
    seed: int, items: int, share: float, width: int, scale: float, dtype: torch.dtype
) -> None:
    edges = graph(seed, items, share)
    links = Links(edges, items)
    if not links.count:
        return
    others = links.others(np.random.default_rng(seed))
    torch.manual_seed(seed)
    codes = (scale * torch.randn(items, width, dtype=dtype)).requires_grad_()
    found = reconstruction_loss(codes, links.edges, others)
    plain = GAE(torch.nn.Identity()).recon_loss(codes, torch.from_numpy(edges), torch.from_numpy(others.by_row()))
    tolerances = {"atol": 1e-5, "rtol": 1e-4} if dtype == torch.float32 else {"atol": 1e-9, "rtol": 1e-7}
    torch.testing.assert_close(found, plain, **tolerances)
    (mine,), (theirs,) = torch.autograd.grad(3 * found, codes), torch.autograd.grad(3 * plain, codes)
    torch.testing.assert_close(mine, theirs, **tolerances)


def test_gradients_are_those_of_finite_differences() -> None:
    links = Links(graph(0, 7, 0.4), 7)
    others = links.others(np.random.default_rng(0))
    codes = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: reconstruction_loss(z, links.edges, others), codes)


def test_any_number_of_cores_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    links = Links(directed(two_communities(size=60)), 123)
    others = links.others(np.random.default_rng(0))
    torch.manual_seed(0)
    given_ = torch.randn(123, 10)
    found = []
    for cores in (1, 2, 5):
        monkeypatch.setattr("pipeline.structure.gat.sorted_pairs.cores_here", lambda cores=cores: cores)
        codes = given_.clone().requires_grad_()
        loss = reconstruction_loss(codes, links.edges, others)
        found.append((loss.item(), torch.autograd.grad(loss, codes)[0].numpy().tobytes()))
    assert len(set(found)) == 1


def test_where_the_machine_code_does_not_reach_it_is_gaes() -> None:
    edges = graph(1, 9, 0.4)
    links = Links(edges, 9)
    others = links.others(np.random.default_rng(0))
    codes = torch.randn(9, 4, dtype=torch.bfloat16)
    pairs = (torch.from_numpy(pairs.by_row()) for pairs in (links.edges, others))
    assert torch.equal(
        reconstruction_loss(codes, links.edges, others), GAE(torch.nn.Identity()).recon_loss(codes, *pairs)
    )


def test_codes_that_are_no_numbers_have_no_loss() -> None:
    links = Links(graph(1, 9, 0.4), 9)
    codes = torch.zeros(9, 4)
    codes[0, 0] = float("nan")
    assert reconstruction_loss(codes, links.edges, links.others(np.random.default_rng(0))).isnan()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), items=st.integers(3, 12), share=st.floats(0, 1))
def test_other_pairs_are_different_ones_without_an_edge(seed: int, items: int, share: float) -> None:
    edges = graph(seed, items, share)
    links = Links(edges, items)
    pairs = [tuple(pair) for pair in links.others(np.random.default_rng(seed)).by_row().T.tolist()]
    without = set(permutations(range(items), 2)) - {tuple(pair) for pair in edges.T.tolist()}
    assert len(pairs) == len(set(pairs)) == links.count == min(edges.shape[1], len(without))
    assert set(pairs) <= without
    assert [tuple(pair) for pair in links.edges.by_row().T.tolist()] == sorted(
        tuple(pair) for pair in edges.T.tolist() if pair[0] < pair[1]
    )


def test_other_pairs_are_equally_likely() -> None:
    edges = graph(5, 6, 0.3)
    links = Links(edges, 6)
    random = np.random.default_rng(0)
    rounds = 4000
    met = Counter(tuple(pair) for _ in range(rounds) for pair in links.others(random).by_row().T.tolist())
    expected = rounds * links.count / (30 - edges.shape[1])
    assert len(met) == 30 - edges.shape[1]
    # Six standard deviations of a binomial.
    assert max(abs(count - expected) for count in met.values()) < 6 * expected**0.5


@pytest.mark.parametrize(("population", "size"), [(6, 0), (6, 2), (6, 3), (6, 4), (6, 6)])
def test_every_set_of_numbers_is_equally_likely(population: int, size: int) -> None:
    random = np.random.default_rng(0)
    rounds = 4000
    met = Counter(tuple(distinct(population, size, random).tolist()) for _ in range(rounds))
    assert set(met) == set(combinations(range(population), size))
    expected = rounds / comb(population, size)
    assert max(abs(count - expected) for count in met.values()) < 6 * expected**0.5
