from __future__ import annotations

import subprocess
import sys

from pipeline.common.random_streams import stream, torch_seed

DRAW = (
    "from pipeline.common.random_streams import stream; print(stream(42, 'split', 3).integers(10**9, size=4).tolist())"
)


def test_a_stream_is_the_same_in_every_process() -> None:
    first = subprocess.run([sys.executable, "-c", DRAW], capture_output=True, text=True, check=True).stdout
    assert first.strip() == str(stream(42, "split", 3).integers(10**9, size=4).tolist())


def test_seed_purpose_and_step_each_give_another_stream() -> None:
    streams = [(seed, purpose, step) for seed in (0, 1) for purpose in ("split", "negatives") for step in (0, 1)]
    drawn = {tuple(stream(*which).integers(10**9, size=4).tolist()) for which in streams}
    assert len(drawn) == len(streams)
    assert len({torch_seed(*which) for which in streams}) == len(streams)


def test_a_torch_seed_is_a_small_non_negative_integer_that_repeats() -> None:
    seeds = [torch_seed(seed, "weights") for seed in range(50)]
    assert seeds == [torch_seed(seed, "weights") for seed in range(50)]
    assert all(isinstance(seed, int) and 0 <= seed < 2**31 for seed in seeds)
