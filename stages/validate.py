"""Check the whole of params.yaml before any stage starts and before any output is replaced."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts.parameters import PARAMETERS_CHECKED
from pipeline.common.config import read_yaml
from pipeline.common.errors import InputError
from pipeline.parameters.params import Parameters, read_parameters
from stages.stage import PARAMS, run_tool

ABLATIONS = Path("ablations/dvc.yaml")


def main() -> None:
    parameters = read_parameters(PARAMS)
    check_paths(parameters)
    # DVC takes no file of its own as a dependency: what is listed there is looked at whenever params.yaml changes.
    if ABLATIONS.is_file():
        check_bases(parameters, read_yaml(ABLATIONS)["stages"]["train_users"]["params"])
    # The same content whatever the parameters: stages that read other keys stay as they are.
    PARAMETERS_CHECKED.write("params.yaml has been checked\n")


def check_paths(parameters: Parameters) -> None:
    """Files and folders that the parameters name exist.

    Raises:
        InputError: one does not; DVC would say so without naming the key.
    """
    named = {f"datasets.{name}.source.path": entry.source.path for name, entry in parameters.datasets.items()}
    encoders = {"embed_text.encoder": parameters.embed_text.encoder}
    for name, entry in parameters.datasets.items():
        if "encoder" in entry.changes.get("embed_text", {}):
            encoders[f"datasets.{name}.embed_text.encoder"] = entry.changes["embed_text"]["encoder"]
    # A hub id has one slash inside; what starts like a path is a folder.
    named |= {key: encoder for key, encoder in encoders.items() if encoder.startswith((".", "/", "~"))}
    for key, path in named.items():
        if not Path(path).exists():
            raise InputError(f"{PARAMS}: {key}: found {path!r}, which does not exist; expected a file or folder")


def check_bases(parameters: Parameters, listed: list[str]) -> None:
    """DVC knows what every ablation takes over: a matrix cannot tell it, so that the file lists all variants for each.

    Args:
        listed: `params` of the stage that trains ablations.

    Raises:
        InputError: one is of another variant, whose changes would leave its old model standing.
    """
    known = [key.removeprefix("variants.") for key in listed if key.startswith("variants.")]
    for name, ablation in parameters.ablations.items():
        if ablation.of not in known:
            raise InputError(
                f"{PARAMS}: ablations.{name}.of: found {ablation.of!r}, which is not among the params of train_users in "
                f"{ABLATIONS}; add variants.{ablation.of} there, or name one of: {', '.join(known)}"
            )


if __name__ == "__main__":
    run_tool(main)
