"""The neighbourhood embeddings of karateclub, made to give the same vectors every time and errors in one line."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import linalg
from scipy.sparse.csgraph import connected_components

from pipeline.common.errors import InputError
from pipeline.common.random_streams import stream
from pipeline.structure.settings import StructureConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix


def karateclub_embedding(adjacency: csr_matrix, config: StructureConfig, seed: int) -> NDArray[np.float32]:
    """Vectors by a karateclub class. karateclub is GPLv3: it is imported here only, when it is asked for.

    Raises:
        InputError: no such argument, the method fails on this graph, or karateclub is not installed.
    """
    import networkx as nx

    try:
        from karateclub.node_embedding import neighbourhood
    except ImportError as error:
        raise InputError(
            f"method: found {config.method}, but karateclub cannot be imported ({error}); expected sdne, or "
            "`pip install --no-deps karateclub==1.3.3` in this environment"
        ) from None
    kind = getattr(neighbourhood, config.method)
    arguments: dict[str, Any] = {"dimensions": config.dimensions, "seed": seed}
    accepted = inspect.signature(kind).parameters
    for name in config.karateclub_options:
        if name not in accepted:
            raise InputError(
                f"karateclub_options: found {name!r}, expected arguments of {config.method}: {', '.join(accepted)}"
            )
    # More than one worker makes word2vec's result depend on the scheduler.
    arguments |= {"workers": 1, "verbose": False}
    # LINE takes edges // mini_batch_size steps an epoch, which is none on a small graph.
    arguments |= {"mini_batch_size": max(2, min(128, adjacency.nnz // 2))}
    model = kind(**({name: value for name, value in arguments.items() if name in accepted} | config.karateclub_options))
    _check_diffusion(model, adjacency, config.method)
    graph = nx.from_scipy_sparse_array(adjacency)
    try:
        with _seeded_arpack(seed):
            model.fit(graph)
    except (
        ValueError,
        ArithmeticError,
        IndexError,
        TypeError,
        AttributeError,
        KeyError,
        RuntimeError,
        np.linalg.LinAlgError,
    ) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"method: {config.method} fails on this graph ({type(error).__name__}: {reason}); expected another method or other options"
        ) from None
    vectors = np.asarray(model.get_embedding(), dtype=np.float32)
    if not np.isfinite(vectors).all():
        raise InputError(
            f"method: {config.method} gives vectors that are not finite on this graph; expected another method or other options"
        )
    return vectors


def _check_diffusion(model: Any, adjacency: csr_matrix, method: str) -> None:
    """Diff2Vec spreads from every node until it has met ``diffusion_cover`` others, for ever where there are fewer."""
    cover = getattr(model, "diffusion_cover", 0)
    smallest = int(np.bincount(connected_components(adjacency, directed=False)[1]).min())
    if isinstance(cover, int | float) and cover > smallest:
        raise InputError(
            f"method: {method} needs diffusion_cover ({cover}) connected items around every item, found a component of {smallest}; "
            "expected another method, a lower diffusion_cover in karateclub_options, or a lower s_m"
        )


@contextmanager
def _seeded_arpack(seed: int) -> Iterator[None]:
    """Seed scipy's sparse eigensolvers within: they draw from a generator of their own, which karateclub knows nothing of."""
    solvers = {name: getattr(linalg, name) for name in ("eigsh", "svds")}
    try:
        for name, solver in solvers.items():
            if "rng" in inspect.signature(solver).parameters:
                setattr(linalg, name, partial(solver, rng=stream(seed, "arpack")))
        yield
    finally:
        for name, solver in solvers.items():
            setattr(linalg, name, solver)
