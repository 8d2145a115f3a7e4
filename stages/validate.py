"""Check the whole of params.yaml before any stage starts and before any output is replaced."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts import PARAMETERS_CHECKED
from pipeline.errors import InputError
from pipeline.params import Parameters, read_parameters
from stages.stage import PARAMS, run_tool


def main() -> None:
    check_paths(read_parameters(PARAMS))
    # The same content whatever the parameters: stages that read other keys stay as they are.
    PARAMETERS_CHECKED.write("params.yaml has been checked\n")


def check_paths(parameters: Parameters) -> None:
    """Files and folders that the parameters name exist.

    Raises:
        InputError: one does not; DVC would say so without naming the key.
    """
    named = {f"datasets.{name}.source.path": entry.source.path for name, entry in parameters.datasets.items()}
    for name, profile in parameters.profiles.items():
        encoder = profile.embed_text.encoder
        # A hub id has one slash inside; what starts like a path is a folder.
        if encoder.startswith((".", "/", "~")):
            named[f"profiles.{name}.embed_text.encoder"] = encoder
    for key, path in named.items():
        if not Path(path).exists():
            raise InputError(f"{PARAMS}: {key}: found {path!r}, which does not exist; expected a file or folder")


if __name__ == "__main__":
    run_tool(main)
