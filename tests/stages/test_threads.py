"""The number of threads changes no result: stages sum on one thread, whatever the machine and its environment say.

Sums are large enough here that PyTorch and MKL would split them, with other last digits, if a stage let them.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.repository import ROOT

# What stages call, on data of their own. The package `stages` comes first, as where `python -m stages.NAME` runs a module of it.
SUMS = """
import sys
import stages
import hashlib, os
os.sched_getaffinity = lambda process: set(range(int(sys.argv[1])))
import numpy as np, torch
from scipy.sparse import random as random_matrix
from threadpoolctl import threadpool_info

def digest(name, *arrays):
    print(name, hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest())

rng = np.random.default_rng(0)
from pipeline.structure.sdne.estimator import SDNE
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
loss.backward()
digest("train_users", loss.detach().numpy(), weight.grad.numpy())

found = {each["num_threads"] for each in threadpool_info()} | {torch.get_num_threads()}
print("threads", sorted(found))
"""


def printed(threads: int) -> dict[str, str]:
    names = ("OMP", "MKL", "OPENBLAS", "POLARS_MAX", "NUMBA")
    environment = os.environ | {f"{name}_{'' if '_' in name else 'NUM_'}THREADS": str(threads) for name in names}
    command = [sys.executable, "-c", SUMS, str(threads)]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return dict(line.split(maxsplit=1) for line in result.stdout.splitlines())


def test_any_number_of_threads_gives_the_bytes_of_one() -> None:
    found = printed(3)
    assert found["threads"] == "[1]"
    assert found == printed(1)
