"""Kinds of artifacts: a table, tensors, numbers, a curve, a text, lines. The modules beside this package name each of them.

Nothing else reads or writes them. Writing is atomic (a temporary name, then a move) and deterministic
(same content, same bytes: Parquet sorted by a unique key, safetensors with one metadata key, JSON with rounded
numbers). Reading checks everything again, since a damaged cache object comes back without a word: that columns, types and values are
what they should be, that the bytes are those that were written and of the artifact that is asked for, that all that is read together
is made of the same versions of what it is made of (`seal`, `versions`), and that it is the version that its stage wrote last, where
something has noted which (`noted`). Figures (JSON), curves (TSV) and texts have no seal: DVC
draws and git keeps all that is in them, and no stage reads what another has written of them.

Artifacts of one data set live in ``artifacts/<dataset>/``, figures in ``metrics/`` and ``plots/``; every method takes the
data set's name and the workspace's root.
"""

from pipeline.artifacts.kinds.artifact import DEFAULT_GROUP, DEFAULT_STRUCTURE, HERE, Artifact, only
from pipeline.artifacts.kinds.noted import as_noted
from pipeline.artifacts.kinds.numbers import Numbers
from pipeline.artifacts.kinds.table import Columns, Table
from pipeline.artifacts.kinds.tensors import Tensors
from pipeline.artifacts.kinds.texts import CURVE_DIGITS, Curve, Lines, Text
from pipeline.artifacts.kinds.vectors import Vectors
from pipeline.artifacts.kinds.versions import together

__all__ = [
    "CURVE_DIGITS",
    "DEFAULT_GROUP",
    "DEFAULT_STRUCTURE",
    "HERE",
    "Artifact",
    "Columns",
    "Curve",
    "Lines",
    "Numbers",
    "Table",
    "Tensors",
    "Text",
    "Vectors",
    "as_noted",
    "only",
    "together",
]
