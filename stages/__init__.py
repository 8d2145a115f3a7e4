"""The pipeline's stages: each reads its settings and artifacts, calls `pipeline`, and writes artifacts."""

import os
from pathlib import Path

PARAMS = Path("params.yaml")
CHECKPOINTS = Path(".checkpoints")


# A sum that is split over threads has other last digits for every number of them, so each sum is taken by one thread, on every
# machine and whatever its environment says. What is independent runs side by side: see pipeline/common/side_by_side.py.
for library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{library}_NUM_THREADS"] = "1"
# Idle OpenMP threads that spin take the cores from those that work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What cuBLAS needs for results that are the same every time.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
# The tokenizer's threads would warn of every process that is started beside them.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
