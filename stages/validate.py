"""Check the whole of params.yaml and ablations/params.yaml, before a stage starts and any output is replaced (`pipeline.parameters`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.artifacts.parameters import PARAMETERS_CHECKED
from pipeline.common.ablation import FILE
from pipeline.common.config import read_yaml
from pipeline.common.errors import InputError
from pipeline.data.sources.remote import is_remote
from pipeline.image.settings import ImageConfig
from pipeline.parameters.params import Parameters, read_parameters
from pipeline.text.settings import TextConfig
from stages import PARAMS
from stages.guard import show
from stages.shared.stage import Stage, run_tool

ABLATIONS = Path("ablations/dvc.yaml")
STAGE = Stage("validate", writes=(PARAMETERS_CHECKED,))


def main() -> None:
    parameters = read_parameters(PARAMS)
    for text in absent_paths(parameters):
        show(f"warning: {text}", error=True)
    # DVC takes no file of its own as a dependency: what is listed there is looked at whenever the parameters change.
    if ABLATIONS.is_file():
        check_bases(parameters, read_yaml(ABLATIONS)["stages"]["train_users"]["params"])
    # The same content whatever the parameters: stages that read other keys stay as they are.
    PARAMETERS_CHECKED.write("params.yaml has been checked\n")


def absent_paths(parameters: Parameters) -> list[str]:
    """A line for each file or folder that the parameters name and that is not here: it stops the stages that need it, and no others."""
    sources = {
        f"datasets.{name}.source.path": (entry.source.path, f"the stages of {name}")
        for name, entry in parameters.datasets.items()
    }
    sections: dict[str, TextConfig | ImageConfig] = {
        "embed_text": parameters.embed_text,
        "embed_image": parameters.embed_image,
    }
    encoders = {f"{stage}.encoder": (section.encoder, stage) for stage, section in sections.items()}
    for name, entry in parameters.datasets.items():
        for stage in sections:
            if "encoder" in entry.changes.get(stage, {}):
                encoders[f"datasets.{name}.{stage}.encoder"] = entry.changes[stage]["encoder"], f"{stage}@{name}"
    # A hub id has one slash inside; what starts like a path is a folder.
    named = sources | {key: found for key, found in encoders.items() if found[0].startswith((".", "/", "~"))}
    return [
        f"{PARAMS}: {key}: found {path!r}, which does not exist; {who} will stop"
        for key, (path, who) in named.items()
        if not is_remote(path) and not Path(path).exists()
    ]


def check_bases(parameters: Parameters, listed: list[Any]) -> None:
    """DVC knows what every ablation takes over: a matrix cannot tell it, so that the file lists all variants for each.

    Args:
        listed: `params` of the stage that trains ablations: keys of params.yaml, and a mapping for the other file.

    Raises:
        InputError: one is of another variant, whose changes would leave its old model standing.
    """
    known = [key.removeprefix("variants.") for key in map(str, listed) if key.startswith("variants.")]
    for name, ablation in parameters.ablations.items():
        if ablation.of not in known:
            raise InputError(
                f"{FILE}: ablations.{name}.of: found {ablation.of!r}, which is not among the params of train_users in "
                f"{ABLATIONS}; add variants.{ablation.of} there, or name one of: {', '.join(known)}"
            )


if __name__ == "__main__":
    with STAGE.touching():
        run_tool(main)
