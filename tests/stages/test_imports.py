"""What stages load: those that compute without PyTorch start without it, since it takes longer to load than they run."""

from __future__ import annotations

import subprocess
import sys

from tests.repository import ROOT

WITHOUT_PYTORCH = (
    "validate",
    "check_tables",
    "fetch",
    "prepare",
    "build_graph",
    "derive_graph",
    "add_items",
    "evaluate_baselines",
    "compare",
    "compare_ablations",
    "report",
)


def test_stages_that_need_no_pytorch_do_not_load_it() -> None:
    code = (
        f"import importlib, sys; [importlib.import_module(f'stages.{{name}}') for name in {WITHOUT_PYTORCH}]; "
        "print(sorted({'torch', 'torch_geometric', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
