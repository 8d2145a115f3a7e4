"""Digests of sums that stages take, on data of their own: `python -m tests.stages.sums CORES`.

They are large enough for PyTorch and MKL to split them, with other last digits, where a stage lets them.
"""

from __future__ import annotations

# First, as where `python -m stages.NAME` runs a module of it.
import stages  # noqa: F401

# isort: split
import hashlib
import sys
from unittest.mock import patch

import numpy as np
import torch
from scipy.sparse import random as random_matrix
from threadpoolctl import threadpool_info

from pipeline.structure.sdne.estimator import SDNE


def digest(name: str, *arrays: np.ndarray) -> None:
    print(name, hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest())


def main() -> None:
    rng = np.random.default_rng(0)
    links = random_matrix(900, 900, 0.02, random_state=1, format="csr")
    links = ((links + links.T) > 0).astype(np.float32)
    links.setdiag(0)
    links.eliminate_zeros()
    sdne = SDNE(dimensions=64, hidden_widths=[256], epochs=2, batch_size=256, seed=0)
    sdne.fit_adjacency(links)
    digest("init_sdne", sdne.get_embedding())

    weight = torch.nn.Parameter(torch.from_numpy(rng.normal(size=(1700, 128)).astype(np.float32)))
    users = torch.from_numpy(rng.normal(size=(256, 128)).astype(np.float32))
    loss = torch.nn.functional.cross_entropy(users @ weight.T, torch.arange(256)) + weight.square().sum()
    loss.backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    digest("train_users", loss.detach().numpy(), weight.grad.numpy())

    found = {each["num_threads"] for each in threadpool_info()} | {torch.get_num_threads()}
    print("threads", sorted(found))


if __name__ == "__main__":
    with patch("os.sched_getaffinity", lambda process: set(range(int(sys.argv[1])))):
        main()
