"""A trained model for ways to score with: that of the default data set, or one of any size with weights at random."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.data import DATASET, VECTORS_ALONE, copy_artifacts, settings_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.data.dataset import Dataset
    from pipeline.users.model import Model
    from pipeline.users.people import Person
    from pipeline.users.trained import TrainedModel

VECTORS, PAIRS = ("users.npy", "items.npy"), "pairs.npz"


def of_default_data(folder: Path) -> None:
    """The data set with its model, and its vectors (see `write_vectors`)."""
    from pipeline.artifacts.data import INTERACTIONS, ITEMS, UNRATED_CANDIDATES, USERS
    from pipeline.artifacts.users import MODEL

    copy_artifacts(folder, ITEMS, USERS, INTERACTIONS, UNRATED_CANDIDATES, MODEL.of(variant=VECTORS_ALONE))
    write_vectors(folder)


def of_synthetic(folder: Path, users: int, items: int, interactions: int) -> None:
    """A made-up data set with a model of `VECTORS_ALONE` whose weights are drawn, as artifacts of the default data set's name."""
    import numpy as np
    import torch

    from benchmarks.synthetic import generate
    from pipeline.artifacts.data import INTERACTIONS, ITEMS, UNRATED_CANDIDATES, USERS
    from pipeline.artifacts.users import MODEL
    from pipeline.common.config import validated
    from pipeline.data.dataset import Dataset
    from pipeline.data.prepare import prepare
    from pipeline.data.settings import DatasetConfig
    from pipeline.users.model import build_scorer
    from pipeline.users.settings import VariantConfig

    tables = generate(users, items, interactions, seed=0)
    config = DatasetConfig(
        feedback="rated",
        like_threshold=4.0,
        min_user_interactions=1,
        min_item_interactions=0,
        linked_items_only=False,
        split="random",
        split_fractions=[0.6, 0.2, 0.2],
        evaluated_users=0,
    )
    rated = tables["interactions"].with_columns(like=None, timestamp=None)
    made = prepare(rated, tables["items"], tables["item_entities"], config, seed=0)
    ITEMS.write(made.items, DATASET, folder)
    USERS.write(made.users, DATASET, folder)
    INTERACTIONS.write(made.interactions, DATASET, folder)
    UNRATED_CANDIDATES.write(made.unrated_candidates, DATASET, folder)

    data = Dataset(made.interactions, made.unrated_candidates, len(made.users), len(made.items))
    # However few ratings a user has.
    settings = settings_of(VECTORS_ALONE) | {"terms": [], "count_biases": False, "targets": "all"}
    variant = validated(VariantConfig, settings, "params.yaml: ")
    torch.manual_seed(0)
    scorer = build_scorer(variant, variant.width, data)
    arrays: dict[str, Any] = {f"scorer.{name}": value.numpy() for name, value in scorer.state_dict().items()}
    drawn = np.random.default_rng(0).normal(size=(len(made.items), variant.width))
    arrays["items"] = drawn.astype(np.float32)
    about = {"variant": variant.model_dump(), "best_epoch": 0, "curve": []}
    MODEL.of(variant=VECTORS_ALONE).write(arrays, DATASET, folder, about=about)
    write_vectors(folder)


def read_data(folder: Path) -> Dataset:
    from pipeline.artifacts.data import INTERACTIONS, ITEMS, UNRATED_CANDIDATES, USERS
    from pipeline.data.dataset import Dataset

    parts = (ITEMS, USERS, INTERACTIONS, UNRATED_CANDIDATES)
    items, users, interactions, unrated = (part.read(DATASET, folder) for part in parts)
    return Dataset(interactions, unrated, len(users), len(items))


def read_model(folder: Path) -> TrainedModel:
    from pipeline.artifacts.users import MODEL
    from pipeline.common.config import validated
    from pipeline.users.model import Model
    from pipeline.users.settings import VariantConfig
    from pipeline.users.trained import TrainedModel

    stored = MODEL.of(variant=VECTORS_ALONE)
    config = validated(VariantConfig, stored.about(DATASET, folder)["variant"], "variant: ")
    data = read_data(folder)
    return TrainedModel(Model.from_arrays(stored.read(DATASET, folder), config, data.items), data)


def write_vectors(folder: Path) -> None:
    """Vectors of users (by their training histories) and items whose inner products are the model's scores, and the pairs to rank.

    `PAIRS` has `train` and `valid`, which a user is known by, and `test`, the likes that are looked for; each (2, pairs).
    """
    import numpy as np

    from pipeline.recommend.vectors import item_vectors
    from pipeline.users.people import people_of

    trained = read_model(folder)
    model, data = trained.model, trained.data
    people = people_of(data, np.arange(data.users), ("train",))
    for name, vectors in zip(VECTORS, (user_vectors(model, people), item_vectors(model)), strict=True):
        np.save(folder / name, vectors)
    known = [data.rated((split,)) for split in ("train", "valid")]
    train, valid, test = (np.stack([found.users, found.items]) for found in (*known, data.liked("test")))
    np.savez(folder / PAIRS, train=train, valid=valid, test=test)


def user_vectors(model: Model, people: Sequence[Person]) -> NDArray[np.float32]:
    """Users beside `item_vectors`, as the stage `recommend` writes them, (users, width + 1)."""
    import torch

    from pipeline.explain.contributions import Explainer
    from pipeline.recommend.vectors import with_ones
    from pipeline.users.people import histories_of

    explainer = Explainer(model)
    with torch.inference_mode():
        found = explainer.users(explainer.weighed(*histories_of(people, model.device)))
    assert found is not None
    return with_ones(found.float().cpu().numpy())
