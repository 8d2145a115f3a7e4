"""Check the whole of params.yaml before any stage starts and before any output is replaced."""

from __future__ import annotations

from pipeline.artifacts import PARAMETERS_CHECKED
from pipeline.params import read_parameters
from stages.stage import PARAMS, run_tool


def main() -> None:
    read_parameters(PARAMS)
    # The same content whatever the parameters: stages that read other keys stay as they are.
    PARAMETERS_CHECKED.write("params.yaml has been checked\n")


if __name__ == "__main__":
    run_tool(main)
