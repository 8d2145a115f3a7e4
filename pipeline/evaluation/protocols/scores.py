"""What a system says of items for a user: the scores that every protocol ranks by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from pipeline.common.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class CellByCell(Protocol):
    """A table of scores, (users, items), of which cells are asked for, and which need not be there as a whole."""

    def __getitem__(self, cells: tuple[NDArray[np.int64], NDArray[np.int64]], /) -> Any:
        """The scores at these rows and columns, (cells,)."""
        ...


class Scores(NamedTuple):
    """Scores of all items for some users by the question that a protocol asks, each (users, items), finite.

    Attributes:
        preference: which of all items the user will like; `ctr` and `ranking` go by it.
        judgement: which of the rated items the user likes; `impression` goes by it, and asks for what the user rated alone.
    """

    preference: NDArray[np.float32]
    judgement: NDArray[np.float32] | CellByCell


class Scorer(Protocol):
    """Anything that scores all items for some users, from the training split alone."""

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32] | Scores:
        """(users, items), finite; one score for all protocols, or `Scores`."""
        ...


def scores_of(scorer: Scorer, users: NDArray[np.int64]) -> Scores:
    """A system's scores for some users.

    Raises:
        InputError: one of them is not finite.
    """
    found = scorer.score(users)
    scores = found if isinstance(found, Scores) else Scores(found, found)
    for values in {id(values): values for values in scores if isinstance(values, np.ndarray)}.values():
        # The sum is finite only where each of them is, and costs no table of answers; a sum of large numbers may overflow.
        if not np.isfinite(values.sum()) and not np.isfinite(values).all():
            raise not_finite(scorer)
    return scores


def not_finite(scorer: Scorer) -> InputError:
    """What is said of a system whose scores are no numbers."""
    return InputError(
        f"{type(scorer).__name__}: found scores that are not finite, expected numbers; is a learning rate too high?"
    )
