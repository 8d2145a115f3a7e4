"""A trained RecBole model as a `pipeline.evaluation.protocols.split.Scorer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from recbole.data.interaction import Interaction

from benchmarks.peers.identifiers import UNKNOWN, in_our_columns, places
from pipeline.data.dataset import blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

# User-item pairs scored at once: KGCN and RippleNet hold some kilobytes for each.
PAIRS_AT_ONCE = 100_000


class RecBoleScorer:
    """Scores by `full_sort_predict` where a model has one, else by `predict` over all pairs, in our indices."""

    def __init__(self, model: Any, dataset: Any, users: int, items: int) -> None:
        """
        Args:
            model: a RecBole model.
            dataset: the RecBole data set it was made for.
            users: how many users we have; items likewise.
        """
        self._model = model
        self._users = places(dataset.field2id_token["user_id"], users)
        self._items = places(dataset.field2id_token["item_id"], items)

    def score(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        assert (self._users[users] != UNKNOWN).all(), "RecBole knows users with a like alone"
        self._model.eval()
        size = max(PAIRS_AT_ONCE // self._model.n_items, 1)
        with torch.no_grad():
            parts = [self._all_items(self._users[users[part]]) for part in blocks(len(users), size)]
        return in_our_columns(np.concatenate(parts), self._items)

    def forget(self) -> None:
        """Drop what the model keeps between calls of `full_sort_predict`: its weights have changed."""
        for name in ("restore_user_e", "restore_item_e", "restore_entity_e"):
            if hasattr(self._model, name):
                setattr(self._model, name, None)

    def _all_items(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        """(users, RecBole's items)."""
        chosen = torch.from_numpy(users)
        shortcut = SHORTCUTS.get(type(self._model).__name__)
        if shortcut is not None:
            scores = shortcut(self._model, chosen)
        else:
            try:
                scores = self._model.full_sort_predict(Interaction({"user_id": chosen}))
            except NotImplementedError:  # the base class has one that only says so
                scores = self._by_pairs(chosen)
        return scores.reshape(len(users), self._model.n_items).numpy()

    def check_shortcut(self) -> None:
        """Scores of a few users by a shortcut are those of `predict`."""
        known = self._users[self._users != UNKNOWN][:2]
        if type(self._model).__name__ in SHORTCUTS:
            self._model.eval()
            with torch.no_grad():
                short, long = self._all_items(known), self._by_pairs(torch.from_numpy(known)).reshape(2, -1).numpy()
            np.testing.assert_allclose(short, long, rtol=1e-3, atol=1e-4)

    def _by_pairs(self, users: torch.Tensor) -> torch.Tensor:
        count = self._model.n_items
        pairs = {"user_id": users.repeat_interleave(count), "item_id": torch.arange(count).repeat(len(users))}
        scores: torch.Tensor = self._model.predict(Interaction(pairs))
        return scores


def _mkr_scores(model: Any, users: torch.Tensor) -> torch.Tensor:
    """`MKR.predict` for all items: the item side is the same for all users, and costs a 64 x 64 matrix for each item.

    It is kept until the weights change, under the name that RecBole's other models keep theirs under: see `forget`.
    """
    if getattr(model, "restore_item_e", None) is None:
        items = torch.arange(model.n_items)
        model.restore_item_e, _ = model.cc_unit(
            [model.item_embeddings_lookup(items), model.entity_embeddings_lookup(items)]
        )
    scores: torch.Tensor = model.user_mlp(model.user_embeddings_lookup(users)) @ model.restore_item_e.T
    return scores


def _cfkg_scores(model: Any, users: torch.Tensor) -> torch.Tensor:
    """`CFKG.predict` for all items, with its default loss: the inner product of user plus relation and item."""
    assert model.loss_function == "inner_product"
    wanting = model.user_embedding(users) + model.relation_embedding.weight[-1]
    scores: torch.Tensor = wanting @ model.entity_embedding.weight[: model.n_items].T
    return scores


# Models without `full_sort_predict` whose `predict` does the same work again for every pair.
SHORTCUTS = {"MKR": _mkr_scores, "CFKG": _cfkg_scores}
