"""What runs, but not well: said before hours of training and not after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from pipeline.common.errors import quoted, shortened
from pipeline.data.dataset import Dataset
from pipeline.data.settings import DatasetConfig
from pipeline.parameters.data_check.counts import FEW_RATINGS, Counts, Scale
from pipeline.parameters.data_check.findings import Finding
from pipeline.parameters.data_check.suggestions import ASKED, Joining, unusable_names

MANY_WITHOUT = 0.3
# Ratings of 0 are mostly no ratings: Book-Crossing has 0 where somebody only owned a book.
MANY_ZEROS = 0.1
FEW_DISLIKES = 0.02
FEWEST_TO_JUDGE = 20
FEWEST_TEST_LIKES = 100


def cautions_of_texts(counts: Counts, template: str | None, items: pl.DataFrame) -> list[Finding]:
    found = []
    unusable = unusable_names(items)
    if unusable:
        found.append(
            Finding(
                f"items: {_all_named(unusable)} that cannot be used in a text template",
                f"rename {'it' if len(unusable) == 1 else 'them'} to letters, digits and _",
            )
        )
    without = counts.items - counts.items_with_text
    if template is None:
        found.append(
            Finding(
                f"items: found no column of text: items are known only by {'the graph and ' if counts.triples else ''}their ratings",
                "add titles, categories or descriptions",
            )
        )
    elif without > MANY_WITHOUT * counts.items:
        found.append(Finding(f"items: {without:,} of {counts.items:,} have no text", "add titles where you can"))
    return found


def _all_named(columns: Sequence[str]) -> str:
    names = shortened(" and ".join(columns))
    return f"column {names}: found a name" if len(columns) == 1 else f"columns {names}: found names"


def cautions_of_capitals(ids: Mapping[str, pl.Series]) -> list[Finding]:
    """
    Args:
        ids: by what they are of.
    """
    found = []
    for of, column in ids.items():
        known = column.unique().sort()
        # The ids that another one is equal to but for capitals, side by side.
        alike = pl.DataFrame({"id": known, "plain": known.str.to_lowercase()})
        alike = alike.filter(pl.len().over("plain") > 1).sort("plain", "id")
        if len(alike):
            found.append(
                Finding(
                    f"{len(alike):,} ids of {of} differ from another one only in capitals, such as {quoted(alike['id'][0])} and "
                    f"{quoted(alike['id'][1])}: they count as different {of}",
                    "write them alike if they mean the same",
                )
            )
    return found


def cautions_of_ratings(
    counts: Counts, scale: Scale | None, likes: int, config: DatasetConfig, *, counted: bool
) -> list[Finding]:
    """
    Args:
        counted: the ratings are counts, of which none is a dislike.
        config: what is no like, which users are left out, and whether ratings have yet to be split.
    """
    found = []
    count, dislikes = counts.interactions, counts.interactions - likes
    zeros = scale.counts.get("0", 0) if scale is not None and scale.high > 1 and scale.low == 0 else 0
    if config.feedback == "rated" and zeros > MANY_ZEROS * count:
        found.append(
            Finding(
                f"interactions: {zeros:,} of {count:,} ratings are 0 and count as dislikes",
                "if 0 means that somebody did not rate, --not-rated 0 leaves them out",
            )
        )
    if config.feedback != "rated":
        found.append(
            Finding(
                "interactions: found no dislikes: the models have one view (likes) and one question (what will be liked)",
                "add dislikes if there are any"
                + (", or raise the like threshold" if scale is not None and not counted else ""),
            )
        )
    elif dislikes < FEW_DISLIKES * count:
        found.append(
            Finding(
                f"interactions: only {dislikes:,} of {count:,} are dislikes: there is little to learn from them",
                "a higher like threshold gives more",
            )
        )
    is_to_split = config.split != "given" and config.min_user_interactions < FEW_RATINGS
    if is_to_split and counts.users_with_few > counts.users / 2:
        left = counts.users - counts.users_with_few
        found.append(
            Finding(
                f"interactions: {counts.users_with_few:,} of {counts.users:,} users have fewer than {FEW_RATINGS} ratings, "
                "too few to split",
                f"--min-user-interactions {FEW_RATINGS} keeps the other {left:,}" if left else "collect more",
            )
        )
    return found


def caution_of_counts(ratings: pl.Series, as_ratings: float, config: DatasetConfig) -> Finding:
    """Plays, clicks or hours in the column of ratings.

    Args:
        as_ratings: which would be a like if they were ratings.
    """
    middle, high = float(ratings.median()), float(ratings.max())  # type: ignore[arg-type]
    taken = (
        "each is a like"
        if config.like_threshold is None or config.like_threshold <= 1
        else f"those below {config.like_threshold:g} are left out"
    )
    return Finding(
        f"interactions: the ratings look like counts: {ratings.n_unique():,} different ones, half of them up to {middle:g}, the highest "
        f"{high:g}; a low count is not a dislike, so {taken}",
        f"if they are ratings, --like-threshold {as_ratings:g} --feedback rated",
    )


def cautions_of_codes(
    ratings: pl.Series, codes: Sequence[float], scale: Scale | None, config: DatasetConfig
) -> list[Finding]:
    """Ratings that look like none, and what they are taken for.

    Args:
        scale: of the others.
    """
    if scale is None or config.like_threshold is None:
        return []
    found = []
    for code in codes:
        count = int((ratings == code).sum())
        taken = "likes" if code >= config.like_threshold else "dislikes" if config.feedback == "rated" else "no likes"
        found.append(
            Finding(
                f"interactions: {count:,} of {len(ratings):,} ratings are {code:g}, apart from the scale of the others, {scale.low:g} "
                f"to {scale.high:g}: they look like codes for 'not rated', and count as {taken}",
                f"if {code:g} means that somebody did not rate, --not-rated {code:g} leaves them out",
            )
        )
    return found


def cautions_of_splits(data: Dataset) -> list[Finding]:
    """What the splits are too small for."""
    found = []
    judged = data.judged("valid")
    if not judged:
        found.append(
            Finding(
                "validation: no user has both a like and a dislike there: models are chosen by other figures than impression.ndcg@10"
            )
        )
    elif judged < FEWEST_TO_JUDGE:
        found.append(
            Finding(
                f"validation: only {judged} {'user has' if judged == 1 else 'users have'} both a like and a dislike "
                "there: impression figures are rough",
            )
        )
    likes = len(data.of_evaluated(data.liked("test")))
    if likes < FEWEST_TEST_LIKES:
        found.append(Finding(f"test: only {likes} likes to find: all figures are rough, their intervals wide"))
    return found


def cautions_of_graph(with_entity: int, joining: Joining, doubts: Sequence[str]) -> list[Finding]:
    """
    Args:
        with_entity: how many of the graph's items.
        doubts: what `link_check` says.
    """
    found = []
    without = joining.items - with_entity
    if without > MANY_WITHOUT * joining.items:
        found.append(
            Finding(
                f"item_entities: {without:,} of {joining.items:,} items have no entity: the graph says nothing about them",
                "link them, or leave them out with --linked-items-only",
            )
        )
    if not joining.fits and joining.edges:
        found.append(
            Finding(
                f"item graph: s_m {joining.s_m}: {joining.sentence()}; "
                "good values are 1-10% of the pairs and under 30% of the items",
                "" if joining.why == ASKED else joining.why,
            )
        )
    return [*found, *(Finding(doubt) for doubt in doubts)]
