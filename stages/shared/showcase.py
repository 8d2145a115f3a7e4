"""What the report shows of one variant: some users' recommendations with reasons, and the model as a page can compute it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.artifacts.recommend import SHOWCASE_MODEL, SHOWCASE_REASONS, SHOWCASE_RECOMMENDATIONS
from pipeline.artifacts.users import MODEL
from pipeline.common.errors import InputError
from pipeline.report.browser_model import for_page
from pipeline.report.people import chosen_people, showcase_of
from pipeline.users.model import Model

if TYPE_CHECKING:
    import polars as pl

    from pipeline.data.dataset import Dataset


def write_showcase(dataset: str, variant: str, data: Dataset, model: Model, entity_ids: pl.Series) -> str:
    """Write it, and say what there is.

    Args:
        entity_ids: of ENTITIES.
    """
    in_page = for_page(model)
    folded = None if isinstance(in_page, str) else in_page
    found = showcase_of(model, data, chosen_people(data), entity_ids)
    stored = MODEL.of(variant=variant)
    trained = stored.about(dataset)
    if "curve" not in trained:
        raise InputError(f"{stored.at(dataset)}: found no curve, as in a file of another version; run `dvc repro`")
    about = {
        "best_epoch": trained["best_epoch"],
        "curve": trained["curve"],
        "merged": "rated" in model.scorer.views,
        "refused": "" if folded else in_page,
    }
    SHOWCASE_MODEL.of(variant=variant).write(
        folded.arrays if folded else {"items": model.items.cpu().numpy()},
        dataset,
        about=about | (folded.about if folded else {}),
    )
    SHOWCASE_RECOMMENDATIONS.of(variant=variant).write(found.recommendations, dataset)
    SHOWCASE_REASONS.of(variant=variant).write(found.reasons, dataset)
    where = f"{folded.size / 1e6:.1f} MB in a page" if folded else f"not in a page: {in_page}"
    return f"{found.recommendations['user'].n_unique()} users; {where}"
