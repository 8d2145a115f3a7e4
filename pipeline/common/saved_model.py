"""Models of transformers that somebody has saved: in a folder, or on the hub."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from huggingface_hub.constants import ENDPOINT
from transformers.utils import logging

from pipeline.common.errors import InputError

HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
# Gives what prepares the input, the model, and names of weights that it lacks.
Load = Callable[..., tuple[Any, Any, Sequence[str]]]


def saved_model(encoder: str, folder: Path, packaged: str, load: Load) -> tuple[Any, Any]:
    """What prepares a model's input, and the model.

    Args:
        encoder: as the setting names it.
        folder: where it is, if it is one.
        packaged: what else the setting may name.
        load: is called with the folder or the hub id, and with what makes loading safe.

    Raises:
        InputError: it is nowhere, cannot be loaded, or lacks weights.
    """
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise InputError(
                f"encoder: found the folder {encoder!r} without a config.json; expected a saved transformers model"
            )
        return _loaded(encoder, folder, packaged, load, local_files_only=True)
    try:
        # What the hub's cache holds needs no network.
        return _loaded(encoder, encoder, packaged, load, local_files_only=True)
    except InputError:
        _require_hub(encoder, packaged)
        return _loaded(encoder, encoder, packaged, load, local_files_only=False)


def _loaded(encoder: str, saved: str | Path, packaged: str, load: Load, *, local_files_only: bool) -> tuple[Any, Any]:
    """Nothing of what is loaded is run: no code beside the weights, without a question, and no pickle that is more than tensors."""
    expected = f"expected {packaged}, a model folder or a hub id"
    try:
        prepares, model, missing = load(saved, local_files_only=local_files_only, trust_remote_code=False)
    except MemoryError:
        raise
    # Whatever transformers and its helpers make of what somebody has saved.
    except Exception as error:
        raise InputError(
            f"encoder: found {encoder!r}, which cannot be loaded; {expected}: {' '.join(str(error).split())[:160]}"
        ) from None
    # They would be random. The pooler is no part of what is read here, and many models are saved without one.
    absent = sorted(name for name in missing if not name.startswith("pooler."))
    if absent:
        raise InputError(
            f"encoder: found {encoder!r}, whose weights lack {absent[0]} (and {len(absent) - 1} more); {expected}"
        )
    return prepares, model


def _require_hub(encoder: str, packaged: str) -> None:
    """Ask once, since the hub's client would go on asking for most of a minute."""
    expected = f"expected {packaged}, a folder with a model, or a hub id"
    if not HUB_ID.fullmatch(encoder):
        raise InputError(f"encoder: found {encoder!r}, which is neither a folder nor a possible hub id; {expected}")
    try:
        urlopen(Request(ENDPOINT, method="HEAD"), timeout=10).close()
    except HTTPError:
        pass  # an answer, if not a friendly one
    except (OSError, ValueError):
        raise InputError(
            f"encoder: found {encoder!r}, which is neither a folder nor in the hub's cache, and {ENDPOINT} cannot be reached; {expected}"
        ) from None
