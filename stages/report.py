"""Write one HTML file about a data set and its models: charts, figures, recommendations with reasons, and a model to try."""

from __future__ import annotations

import polars as pl
from pydantic import Field

from pipeline.artifacts.data import INTERACTIONS, ITEMS, SOURCE_ITEM_ENTITIES, SOURCE_KG, USERS
from pipeline.artifacts.evaluation import DIFFERENCES, INTERVALS, SLICES, WARNINGS
from pipeline.artifacts.graph import ENTITIES, THRESHOLDS
from pipeline.artifacts.image import THUMBNAILS
from pipeline.artifacts.recommend import (
    SHOWCASE,
    SHOWCASE_MODEL,
    SHOWCASE_REASONS,
    SHOWCASE_RECOMMENDATIONS,
)
from pipeline.artifacts.report import CURVE_PLOT, REPORT, THRESHOLDS_PLOT
from pipeline.common.errors import InputError, quoted
from pipeline.image.settings import ImageConfig
from pipeline.parameters.runs import RunVariants
from pipeline.report.compose import Shown, Tables, compose
from pipeline.report.page.render import render
from pipeline.report.plots import learning_curve_plot, thresholds_plot
from pipeline.report.vega import start_bundling
from pipeline.text.settings import TextTemplateConfig
from stages.shared.no_longer_run import clear_no_longer_run
from stages.shared.stage import Reads, Settings, Stage, run_stage, say


class ReportConfig(TextTemplateConfig):
    """What of a data set's settings the report tells."""

    like_threshold: float | None = Field(description="A rating at or above it is a like")
    s_m: int = Field(description="Items are joined when they share more than this many entities")


STAGE = Stage(
    "report",
    settings=Reads(run=RunVariants, dataset=ReportConfig, stage=ImageConfig, section="embed_image"),
    reads=(
        ITEMS,
        USERS,
        INTERACTIONS,
        SOURCE_KG,
        SOURCE_ITEM_ENTITIES,
        ENTITIES,
        THRESHOLDS,
        INTERVALS,
        DIFFERENCES,
        SLICES,
        WARNINGS,
        THUMBNAILS,
        *SHOWCASE,
    ),
    writes=(THRESHOLDS_PLOT, CURVE_PLOT, REPORT),
)


def main(dataset: str, settings: Settings) -> None:
    run, config = settings.run(RunVariants), settings.dataset(ReportConfig)
    start_bundling()
    tables = Tables(
        items=ITEMS.read(dataset),
        users=USERS.read(dataset),
        interactions=INTERACTIONS.read(dataset),
        source_kg=SOURCE_KG.read(dataset),
        source_item_entities=SOURCE_ITEM_ENTITIES.read(dataset),
        entities=ENTITIES.read(dataset),
        thresholds=THRESHOLDS.read(dataset),
        intervals=INTERVALS.read(dataset),
        differences=DIFFERENCES.read(dataset),
        slices=SLICES.read(dataset),
        warnings=WARNINGS.read(dataset),
    )
    variants = {name: read_shown(dataset, name) for name in run.run_variants}
    compared = tables.intervals["system"].unique()
    for name in run.run_variants:
        if name not in compared:
            raise InputError(
                f"{INTERVALS.at(dataset)}: found no figures of {quoted(name)}, expected those of run_variants; `dvc repro` compares them"
            )
    thumbnails = dict(THUMBNAILS.read(dataset).iter_rows())
    report = compose(
        dataset,
        tables,
        variants,
        config.text_template,
        config.like_threshold,
        config.s_m,
        run.seed,
        thumbnails,
        settings.stage(ImageConfig).report_megabytes * 1e6,
    )
    THRESHOLDS_PLOT.write(thresholds_plot(tables.thresholds, config.s_m, len(tables.items)), dataset)
    for name, shown in variants.items():
        CURVE_PLOT.of(variant=name).write(learning_curve_plot(shown.curve, shown.about["best_epoch"]), dataset)
    page = render(report)
    REPORT.write(page, dataset)
    clear_no_longer_run(dataset, "report", SHOWCASE_MODEL, run.run_variants)
    played = f"{report.playable} runs in it" if report.playable else "no model can run in it"
    if thumbnails:
        played += f"; {len(report.posters)} of {len(thumbnails)} images"
    say(dataset, "report", f"{REPORT.at(dataset)}: {len(page.encode()) / 1e6:.1f} MB; {played}")


def read_shown(dataset: str, variant: str) -> Shown:
    model = SHOWCASE_MODEL.of(variant=variant)
    about = model.about(dataset)
    return Shown(
        model.read(dataset),
        about,
        pl.DataFrame(dict(about["curve"])),
        SHOWCASE_RECOMMENDATIONS.of(variant=variant).read(dataset),
        SHOWCASE_REASONS.of(variant=variant).read(dataset),
    )


if __name__ == "__main__":
    run_stage(STAGE, main)
