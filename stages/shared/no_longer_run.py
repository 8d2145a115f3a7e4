"""What is no longer run, and has left something in a folder that a stage reads as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Collection

from pipeline.artifacts.kinds import Artifact, noted
from stages.shared.stage import say


def clear_no_longer_run(dataset: str, stage: str, of_each: Artifact, run: Collection[str]) -> None:
    """Remove what variants or baselines have left. DVC notes the whole folder as what the stage has read, and another clone, which is
    sent only what is run, would have another folder, and run the stage again. Of what stages of DVC wrote its cache has a copy, which
    comes back when it is run again.

    Args:
        of_each: lies in a folder of its own for each.
        run: the names of those that are run.
    """
    folder = of_each.of(variant="any").at(dataset).parents[1]
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in run:
            shutil.rmtree(path)
            say(dataset, stage, f"removed {path}: {path.name} is no longer run")


def clear_former(dataset: str, stage: str, former: Artifact) -> None:
    """Remove a file of a stage that is no longer run, for the same reason. What DVC has not noted was made by hand and stays."""
    path = former.at(dataset)
    if noted.has(former.name(dataset)) and path.is_file():
        path.unlink()
        say(dataset, stage, f"removed {path}: its stage is no longer run")
