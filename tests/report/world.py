"""A small data set with titles that would break a careless page, models that nobody trained, and the report of it all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import polars as pl
import torch

from pipeline.data.dataset import Dataset
from pipeline.image.reading import thumbnail
from pipeline.report.browser_model import for_page
from pipeline.report.compose import Shown, Tables, compose
from pipeline.report.page.render import Report, render
from pipeline.report.people import chosen_people, showcase_of
from pipeline.users.model import Model, build_scorer
from pipeline.users.settings import VariantConfig
from tests.evaluation.worlds import dataset, random_rows, unrated_rows
from tests.image.images import noise
from tests.users.knowing import known
from tests.users.test_settings import EXTENDED
from tests.users.test_settings import VARIANTS as SETTINGS
from tests.users.test_trained import config

ITEMS, USERS, WIDTH = 40, 25, 8
HOSTILE = "</script><img src=x onerror=\"window.hit = 'title'\">"
ENTITY_IDS = pl.Series([f"http://graph/<Entity_{number}>" for number in range(6)])
HOSTILE_GENRE = "\"'><b>bold</b>"
TEMPLATE = "{title} ({year}). {genre}"
# Wider than a phone.
RANKING = ("ndcg@5", "ndcg@10", "recall@10", "recall@20", "hit@10", "coverage@10")
FIGURES = (("ctr", "auc"), ("impression", "mrr"), *(("ranking", metric) for metric in RANKING))
CONFIGS: dict[str, VariantConfig] = {
    "attentive": config(SETTINGS["crmman"], width=WIDTH),
    "plain": config(EXTENDED, width=WIDTH),
    "merged": config(EXTENDED, views="merged", width=WIDTH),
    "likes": config(EXTENDED, views="likes", heads=["like"], width=WIDTH),
    "together": config(EXTENDED, co_rating_l2=1.0, co_rating_share=1.5, width=WIDTH),
    "merged-together": config(EXTENDED, views="merged", co_rating_l2=1.0, co_rating_share=0.5, width=WIDTH),
    "unbiased": config(EXTENDED, biases=False, width=WIDTH),
    "terms": config(
        EXTENDED, terms=["overlap", "together", "popularity"], co_rating_l2=1.0, co_rating_share=1.0, width=WIDTH
    ),
    "merged-terms": config(EXTENDED, views="merged", terms=["overlap", "popularity"], width=WIDTH),
    "likes-and-terms": config(
        EXTENDED, views="likes", heads=["like", "judge"], terms=["together", "overlap"], width=WIDTH
    ),
}


@cache
def rows() -> pl.DataFrame:
    found = random_rows(USERS, ITEMS, 0.5, 1)
    return pl.DataFrame(found, schema_overrides={"user": pl.Int32, "item": pl.Int32, "rating": pl.Float32})


@cache
def data() -> Dataset:
    return dataset(rows().to_dicts(), unrated_rows(rows().to_dicts(), USERS, ITEMS, 1), USERS, ITEMS)


@cache
def items() -> pl.DataFrame:
    titles = [f"Film number {item}" for item in range(ITEMS)]
    titles[:6] = [HOSTILE, "Amélie", "The Birds", "Birds of Paradise", "a\u2028b & <!-- ${x} {{ y }} \\", "Alien"]
    genres = ["comedy|drama", "horror", HOSTILE_GENRE, "western|comedy"]
    return pl.DataFrame(
        {
            "item": pl.Series(range(ITEMS), dtype=pl.Int32),
            "item_id": [f"i{item}" for item in range(ITEMS)],
            "title": titles,
            "year": [str(1990 + item % 20) for item in range(ITEMS)],
            "genre": [genres[item % 4] for item in range(ITEMS)],
        }
    )


@cache
def model(name: str) -> Model:
    torch.manual_seed(5)
    variant = CONFIGS[name]
    vectors = torch.randn(ITEMS, WIDTH * (2 if variant.fusion == "concat" else 1))
    scorer = build_scorer(variant, vectors.shape[1], data(), known(data()) if variant.knows else None)
    for key, parameter in scorer.named_parameters():
        parameter.requires_grad_(False)
        if not key.endswith("exponent"):
            torch.nn.init.normal_(parameter, std=0.4)
    together = 0.1 * torch.randn(ITEMS, ITEMS).fill_diagonal_(0.0)
    return Model(
        scorer.eval(),
        vectors,
        co_rating=together if variant.co_rating_l2 else None,
        judge_share=variant.judge_share,
        co_rating_share=variant.co_rating_share,
    )


@cache
def shown(name: str) -> Shown:
    trained = model(name)
    in_page = for_page(trained)
    folded = None if isinstance(in_page, str) else in_page
    found = showcase_of(trained, data(), chosen_people(data()), ENTITY_IDS)
    curve = pl.DataFrame(
        {
            "epoch": [1, 2, 3],
            "loss": [4.0, 3.0, 2.0],
            "ctr_user_auc": [0.5, 0.6, 0.55],
            "impression_ndcg@10": [0.7, 0.8, 0.75],
            "ranking_ndcg@10": [0.1, 0.2, 0.15],
        }
    )
    about = {
        "best_epoch": 2,
        "refused": "" if folded else in_page,
        "merged": "rated" in trained.scorer.views,
        **(folded.about if folded else {}),
    }
    arrays = folded.arrays if folded else {"items": trained.items.numpy()}
    return Shown(arrays, about, curve, found.recommendations, found.reasons)


def tables(variants: Sequence[str]) -> Tables:
    systems = [*variants, "als", "popularity"]
    random = np.random.default_rng(3)
    figures = [
        (system, protocol, metric, value, None if metric == "coverage@10" else value - 0.02, value + 0.02, 20)
        for protocol, metric in FIGURES
        for system in systems
        for value in (float(random.uniform(0.1, 0.9)),)
    ]
    schema = {"system": pl.String, "protocol": pl.String, "metric": pl.String, "value": pl.Float64}
    interval = {"low": pl.Float64, "high": pl.Float64, "users": pl.Int32}
    intervals = pl.DataFrame(figures, schema=schema | interval, orient="row")
    differences = pl.DataFrame(
        [(name, "ctr", "auc", against, 0.1, 0.05, 0.15, 20) for name in variants for against in ("als", "popularity")],
        schema={"system": pl.String, "protocol": pl.String, "metric": pl.String, "against": pl.String}
        | {"difference": pl.Float64}
        | interval,
        orient="row",
    )
    slices = pl.DataFrame(
        [
            (by, name, system, protocol, metric, value, value - 0.1, value + 0.1, 9)
            for by, names, protocol, metric in (
                ("item popularity", ("cold", "tail", "head"), "ranking", "recall@100"),
                ("history length", ("short", "middle", "long"), "ranking", "ndcg@10"),
            )
            for name in names
            for system in systems
            for value in (float(random.uniform(0.2, 0.8)),)
        ],
        schema={"slice_by": pl.String, "slice": pl.String} | schema | interval,
        orient="row",
    )
    return Tables(
        items=items(),
        users=pl.DataFrame(
            {"user": pl.Series(range(USERS), dtype=pl.Int32), "user_id": [f"<u{user}>" for user in range(USERS)]}
        ),
        interactions=rows(),
        source_kg=pl.DataFrame({"head": ["a", "b"], "relation": ["r", "s"], "tail": ["c", "d"]}),
        entities=pl.DataFrame({"entity": pl.Series(range(6), dtype=pl.Int32), "entity_id": ENTITY_IDS}),
        source_item_entities=pl.DataFrame({"item_id": ["i0", "i1"], "entity_id": ["a", "b"]}),
        thresholds=pl.DataFrame(
            {"s_m": [0, 1, 2], "edges": [500, 90, 0], "density": [0.6, 0.11, 0.0], "isolated_items": [1, 9, 40]}
        ),
        intervals=intervals,
        differences=differences,
        slices=slices,
        warnings=[f"als is above plain by <i>{HOSTILE}</i>"],
    )


@cache
def report(*variants: str, posters_limit: float = 0.0) -> Report:
    of_variants = {name: shown(name) for name in variants}
    return compose("small<b>", tables(variants), of_variants, TEMPLATE, 4.0, 1, 42, thumbnails(), posters_limit)


@cache
def thumbnails() -> dict[int, bytes]:
    """Of every item but each seventh."""
    return {item: thumbnail(noise(item), 60) for item in range(ITEMS) if item % 7}


@cache
def page_with_posters(*variants: str) -> str:
    return render(report(*variants, posters_limit=1e6))


@cache
def page(*variants: str) -> str:
    return render(report(*variants))
