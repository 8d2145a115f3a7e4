"""Likes, titles and a graph small enough to count by hand."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.peers.models.inputs import NO_ENTITY, Inputs

LIKES = csr_matrix(
    np.array(
        [
            [1, 1, 0, 0, 1],
            [0, 0, 1, 0, 0],
            [1, 1, 1, 1, 0],
        ],
        dtype=np.float32,
    )
)
# Items 0, 1, 3 have the entities 4, 0, 2; entity 5 is in no fact of theirs.
INPUTS = Inputs(
    likes=LIKES,
    titles=["The Red House", "the house", "", "Red river, red sea", "Alone"],
    entity_of=np.array([4, 0, NO_ENTITY, 2, NO_ENTITY]),
    triples=np.array([[4, 0, 1], [4, 1, 3], [0, 0, 1], [2, 1, 0], [5, 0, 3], [4, 1, 1]]),
    entities=6,
    relations=2,
)
