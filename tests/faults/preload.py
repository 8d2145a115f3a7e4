"""All that a stage imports, for processes that start with it: importing starts no thread."""

import os
import threading

os.environ["OMP_NUM_THREADS"] = "1"

from tqdm import tqdm

from stages import (  # noqa: F401
    build_graph,
    check_tables,
    compare,
    compare_ablations,
    derive_graph,
    evaluate,
    fetch,
    init_sdne,
    prepare,
    recommend,
    refit,
    train_gat,
    train_users,
)
from tests.stages import workspace  # noqa: F401

# The lock between processes that it would make is left over where one is killed.
tqdm.set_lock(threading.RLock())
