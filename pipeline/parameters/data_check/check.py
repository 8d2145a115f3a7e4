"""The whole check of a folder: what is in it, what it can be used with, and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.dataset import Dataset, evaluated_of
from pipeline.data.prepare import Prepared, prepare, with_likes
from pipeline.data.settings import DatasetConfig
from pipeline.data.sources.facts import graph_of_facts
from pipeline.data.sources.remote import here, written
from pipeline.data.sources.tidy import RawTable, TidyTables
from pipeline.graph.item_graph import neighbour_incidence
from pipeline.graph.link_check import link_warnings
from pipeline.graph.overlap_join import overlap_join
from pipeline.parameters.data_check.cautions import (
    caution_of_counts,
    cautions_of_capitals,
    cautions_of_codes,
    cautions_of_graph,
    cautions_of_ratings,
    cautions_of_splits,
    cautions_of_texts,
)
from pipeline.parameters.data_check.collisions import colliding_numbers
from pipeline.parameters.data_check.counts import Counts, Scale, counts_of, scale_of
from pipeline.parameters.data_check.findings import Examined, Finding, examine, of_links, of_remark
from pipeline.parameters.data_check.folder import MAKE_IT, read_folder
from pipeline.parameters.data_check.images import FoundImages, found_images
from pipeline.parameters.data_check.meaning import are_counts, codes_for_no_rating, like_of_counts
from pipeline.parameters.data_check.suggestions import (
    ASKED,
    Joining,
    Threshold,
    Told,
    joining_at,
    suggested_s_m,
    suggested_template,
    suggested_threshold,
    told_feedback,
)
from pipeline.parameters.data_check.vectors import FoundVectors, found_vectors
from pipeline.text.template import item_texts

T = TypeVar("T")
# The GAT learns from some and is judged on others.
FEWEST_EDGES = 2
# Above any overlap: the table of all S_m is wanted, and not the edges of one.
NO_EDGES = 2**31 - 1


@dataclass(frozen=True)
class Wishes:
    """What the caller decides; the rest is suggested.

    Attributes:
        like_threshold: lowest rating that is a like.
        s_m: overlap above which items are joined.
        text_template: text of an item.
        split: how interactions are split.
        feedback: what is no like.
        rename: column names in the files to ours.
        not_rated: ratings that are none.
        facts: columns of the items that the graph is made of.
    """

    like_threshold: float | None = None
    s_m: int | None = None
    text_template: str | None = None
    split: str | None = None
    feedback: str | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    not_rated: Sequence[float] = ()
    facts: Sequence[str] = ()


@dataclass(frozen=True)
class TableFile:
    """A table that could be read, before anything is left out."""

    file: str
    rows: int
    columns: list[str]


@dataclass(frozen=True)
class DataCheck:
    """
    Attributes:
        source: the `source` of params.yaml that reads the folder.
        files: the tables that could be read, by name; none of a published data set.
        counts, threshold, likes, joining, template: None where an error stands in the way of knowing. Without a graph there is no
            joining, without texts no template.
        likes, zeros: of all interactions, at the threshold.
        feedback: what the zeros are.
        example: the text of the first item that has one.
        split: other than the defaults have it, since it was asked for or is given by a column.
        vectors: that lie beside the tables and can be used, by name; images likewise, where there are some.
        splits: what reading and preparing the data would say.
    """

    source: dict[str, Any]
    files: dict[str, TableFile]
    errors: list[Finding]
    warnings: list[Finding]
    counts: Counts | None = None
    scale: Scale | None = None
    threshold: Threshold | None = None
    likes: int | None = None
    zeros: int | None = None
    feedback: Told | None = None
    joining: Joining | None = None
    template: str | None = None
    example: str = ""
    split: str | None = None
    vectors: dict[str, FoundVectors] = field(default_factory=dict)
    images: FoundImages | None = None
    splits: list[str] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        return not self.errors

    def left_out(self) -> str:
        """What the models do without since there is nothing to read; empty where there is all."""
        views = self.feedback is not None and self.feedback.value != "rated"
        graph = self.counts is not None and not self.counts.triples
        missing = {
            "no texts": ["text"] if self.template is None else [],
            "no knowledge graph": ["structure", "entities", "overlap"] if graph else [],
            "no dislikes": ["the view of dislikes"] if views else [],
        }
        parts = [part for of_what in missing.values() for part in of_what]
        why = ", ".join(what for what, of_what in missing.items() if of_what)
        *first, last = parts or [""]
        return f"{why}: the models do without {', '.join(first)}{' and ' if first else ''}{last}" if parts else ""

    def settings(self) -> dict[str, Any]:
        """The keys of a data set in params.yaml that it does not share with others."""
        found: dict[str, Any] = {
            "source": self.source,
            "text_template": self.template,
            "like_threshold": None if self.threshold is None else _whole(self.threshold.value),
            "feedback": None if self.feedback is None else self.feedback.value,
        }
        found |= {} if self.joining is None else {"s_m": self.joining.s_m}
        return found | ({"split": self.split} if self.split else {})

    def reasons(self) -> dict[str, str]:
        """What stands behind a setting, in a few words."""
        assert self.likes is not None
        assert self.counts is not None
        likes = f"{self.likes / self.counts.interactions:.0%} of the ratings are likes"
        by_column = "each row is a like" if self.source.get("rows_are_likes") else "interactions have `like`"
        return {
            "like_threshold": by_column if self.threshold is None else likes,
            "feedback": "" if self.feedback is None else self.feedback.why,
            "s_m": "" if self.joining is None else self.joining.sentence(),
            "split": "by the column split" if self.split == "given" else "",
        }

    def as_json(self) -> dict[str, Any]:
        return {"usable": self.usable, **asdict(self)}


def check_folder(folder: Path | str, wishes: Wishes, defaults: Mapping[str, Any], seed: int) -> DataCheck:
    """Read a folder's tables and say all that there is to say before they run.

    Args:
        folder: or the address of one in a store.
        defaults: values of `DatasetConfig` but for `like_threshold`, and `leave_out_relations`.
        seed: of the splits.

    Raises:
        InputError: no such folder, or a name to rename that no table has.
    """
    place = here(str(folder))
    found = read_folder(place, wishes.rename, wishes.not_rated, wishes.facts)
    source: dict[str, Any] = {"type": found.type, "path": written(str(folder))}
    if wishes.rename:
        source["rename"] = dict(wishes.rename)
    if wishes.not_rated:
        source["not_rated"] = [_whole(code) for code in wishes.not_rated]
    if wishes.facts:
        source["facts"] = list(wishes.facts)
    if not found.graph:
        source["graph"] = False
    if found.rows_are_likes:
        source["rows_are_likes"] = True
    files = {name: TableFile(table.file, len(table.frame), table.frame.columns) for name, table in found.raw.items()}
    if found.tables is not None:
        examined = Examined([], [], found.tables)
    else:
        examined = examine(
            found.raw,
            found.renamed,
            links_may_name_unknown_items=found.type == "atomic" or not found.described,
            graph=found.graph,
        )
    errors, warnings, tables = found.errors + examined.errors, found.lacking + examined.warnings, examined.tables
    if tables is None:
        return DataCheck(source, files, errors, warnings)
    of_entities = of_links(tables, *(files[name].file if name in files else name for name in ("item_entities", "kg")))
    errors, warnings = errors + of_entities[0], [*warnings, *map(of_remark, tables.remarks), *of_entities[1]]
    if found.tables is None and "kg" in files:
        warnings += colliding_numbers(tables, files["kg"].file)
    vectors, of_vectors = found_vectors(place, tables.items["item_id"])
    warnings += of_vectors
    if vectors:
        source["vectors"] = list(vectors)
    images, of_images = found_images(place, tables.items)
    warnings += of_images
    if images is not None:
        source |= ({"images": images.place} if images.place else {}) | {"image": images.template}
    proposed = graph_of_facts(found.raw["items"], found.proposed) if found.proposed else None
    check = _Check(source, files, errors, warnings, tables, wishes, defaults, seed, proposed).run(
        linked=not of_entities[0]
    )
    return replace(check, vectors=vectors, images=images, splits=[*found.remarks, *check.splits])


def _whole(number: float) -> float | int:
    return int(number) if float(number).is_integer() else number


class _Check:
    """Tables that can be read, taken through what the first stages would do with them."""

    def __init__(
        self,
        source: dict[str, Any],
        files: dict[str, TableFile],
        errors: list[Finding],
        warnings: list[Finding],
        tables: TidyTables,
        wishes: Wishes,
        defaults: Mapping[str, Any],
        seed: int,
        proposed: tuple[RawTable, RawTable] | None = None,
    ) -> None:
        self.proposed = proposed
        self.tables, self.wishes, self.defaults, self.seed = tables, wishes, defaults, seed
        self.errors, self.warnings = errors, warnings
        self.codes: list[float] = []
        self.counts = False
        self.scale = tables.interactions["rating"]
        self.known: dict[str, Any] = {"source": source, "files": files}

    def run(self, *, linked: bool) -> DataCheck:
        """
        Args:
            linked: whether the graph knows any item; where it knows none nothing is to be said of it beside that.
        """
        tables, known = self.tables, self.known
        template = self.wishes.text_template or suggested_template(tables.items)
        texts = self._tried(lambda: item_texts(tables.items, template)) or [""] * len(tables.items)
        known |= {"template": template, "example": next((text for text in texts if text), "")}
        known["counts"] = counts = counts_of(tables, with_text=sum(map(bool, texts)))
        ratings = tables.interactions["rating"]
        of_anybody = not ratings.null_count() and tables.feedback is None
        self.codes = codes_for_no_rating(ratings) if of_anybody else []
        self.scale = ratings.filter(~ratings.is_in(self.codes)) if self.codes else ratings
        known["scale"] = scale_of(self.scale)
        self.warnings += cautions_of_texts(counts, template, tables.items)
        self.warnings += cautions_of_capitals(
            {"users": tables.interactions["user_id"], "items": tables.items["item_id"]}
        )
        prepared = self._prepared(counts)
        if prepared is not None:
            self._splits(prepared)
            if linked:
                self._graph(prepared)
        return DataCheck(errors=self.errors, warnings=self.warnings, **known)

    def _prepared(self, counts: Counts) -> Prepared | None:
        ratings, threshold = self.tables.interactions["rating"], self.wishes.like_threshold
        if not ratings.null_count():
            counted = self.tables.feedback == "liked" or are_counts(self.scale)
            self.counts = counted and self.wishes.feedback in (None, "liked")
            suggested = like_of_counts(self.scale) if self.counts else suggested_threshold(self.scale)
            chosen = suggested if threshold is None else Threshold(threshold, ASKED)
            self.known["threshold"], threshold = chosen, chosen.value
        rated = self._tried(lambda: with_likes(self.tables.interactions, threshold))
        if rated is None:
            return None
        likes = int(rated["like"].sum())
        feedback = Told(self.wishes.feedback, ASKED) if self.wishes.feedback else self._told(rated)
        self.known |= {"likes": likes, "zeros": len(rated) - likes, "feedback": feedback}
        names = DatasetConfig.model_fields
        settings = {name: value for name, value in self.defaults.items() if name in names}
        self.known["split"] = split = self.wishes.split or ("given" if counts.splits else None)
        settings |= {"like_threshold": threshold, "feedback": feedback.value} | ({"split": split} if split else {})
        config = validated(DatasetConfig, settings, "settings of the data set: ")
        self.warnings += cautions_of_ratings(counts, self.known["scale"], likes, config, counted=self.counts)
        if self.counts and self.wishes.feedback is None:
            self.warnings.append(caution_of_counts(self.scale, suggested_threshold(self.scale).value, config))
        self.warnings += cautions_of_codes(ratings, self.codes, self.known["scale"], config)
        tables = self.tables
        return self._tried(lambda: prepare(tables.interactions, tables.items, tables.item_entities, config, self.seed))

    def _told(self, rated: pl.DataFrame) -> Told:
        known = self.tables.feedback
        if known is not None:
            return Told(known, "as its reader knows")
        return Told("liked", "the ratings look like counts") if self.counts else told_feedback(rated)

    def _splits(self, prepared: Prepared) -> None:
        self.known["splits"] = prepared.remarks
        tables = prepared.interactions, prepared.unrated_candidates
        counts = len(prepared.users), len(prepared.items)
        data = Dataset(*tables, *counts, prepared.sampled_zeros, evaluated=evaluated_of(prepared.users))
        self.warnings += cautions_of_splits(data)

    def _say_what_it_would_be(self, kg: RawTable, links: RawTable, items: pl.DataFrame) -> None:
        """Which S_m follows of a graph that is proposed, beside the proposal."""
        incidence = neighbour_incidence(kg.frame, links.frame, items, self.defaults["leave_out_relations"])
        thresholds = overlap_join(incidence, NO_EDGES)[1] if incidence.nnz else pl.DataFrame({"edges": [0]})
        if thresholds["edges"][0]:
            joining = suggested_s_m(thresholds, len(items))
            said = f"; s_m is then {joining.s_m}: {joining.sentence()}"
            self.warnings = [
                replace(each, advice=each.advice + said) if each.advice.startswith(MAKE_IT) else each
                for each in self.warnings
            ]

    def _graph(self, prepared: Prepared) -> None:
        tables, count = self.tables, len(prepared.items)
        if tables.kg.is_empty():
            if self.wishes.s_m is not None:
                self.errors.append(
                    Finding(f"s_m: found {self.wishes.s_m}, but there is no knowledge graph", "leave it out")
                )
            if self.proposed is not None:
                self._say_what_it_would_be(*self.proposed, prepared.items)
            return
        incidence = self._tried(
            lambda: neighbour_incidence(
                tables.kg, tables.item_entities, prepared.items, self.defaults["leave_out_relations"]
            )
        )
        if incidence is None:
            return
        thresholds = overlap_join(incidence, NO_EDGES)[1] if incidence.nnz else pl.DataFrame({"edges": [0]})
        if not thresholds["edges"][0]:
            self.errors.append(
                Finding(
                    "found no two items that share an entity, expected some: the item graph would have no edge",
                    "add facts that several items share, such as categories or makers",
                    "kg",
                )
            )
            return
        wanted = self.wishes.s_m
        joining = suggested_s_m(thresholds, count) if wanted is None else joining_at(wanted, thresholds, count)
        self.known["joining"] = joining
        if joining.density == 1:
            self.errors.append(
                Finding(
                    f"item graph: s_m {joining.s_m}: found an edge between every two items, which tells nothing apart",
                    "take a higher s_m, or add facts that only some items have",
                )
            )
        if joining.edges < FEWEST_EDGES:
            most = f"; s_m 0 has {thresholds['edges'][0]:,}" if wanted else ""
            self.errors.append(
                Finding(
                    f"item graph: s_m {joining.s_m}: found {joining.edges} of the {FEWEST_EDGES} edges that training needs at least{most}",
                    "take a lower s_m" if most else "add facts that more items have in common",
                )
            )
        doubts = link_warnings(tables.kg, tables.item_entities, prepared.items, self.seed)
        linked = tables.item_entities["item_id"].unique()
        with_entity = int(prepared.items["item_id"].is_in(linked.implode()).sum())
        self.warnings += cautions_of_graph(with_entity, joining, doubts)

    def _tried(self, action: Callable[[], T]) -> T | None:
        """What an action gives; None where the data do not allow it, which is kept as an error."""
        try:
            return action()
        except InputError as error:
            self.errors.append(Finding(str(error)))
            return None
