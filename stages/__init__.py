"""The pipeline's stages: each reads its settings and artifacts, calls `pipeline`, and writes artifacts."""

import os
import signal
import sys
from pathlib import Path

PARAMS = Path("params.yaml")
CHECKPOINTS = Path(".checkpoints")
# The exit code of Ctrl-C, as shells have it.
INTERRUPTED = 130
# Who started this process; another number later on says that they have ended.
PARENT = os.getppid()


def stop_at_once(*_: object) -> None:
    os.write(2, b"stopped\n")
    os._exit(INTERRUPTED)


# Ctrl-C while a stage or `crmman` imports what it needs, which may take seconds: nothing has been begun, and a traceback tells
# nothing. `stages.guard` takes over from here. Whoever imports this package for something else keeps their own handler.
if Path(sys.argv[0]).name in ("-m", "crmman") and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, stop_at_once)

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
# Where processes train together and do not find one another PyTorch prints pages of its own; what there is to say is said in one line.
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")
