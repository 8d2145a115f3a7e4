"""Whatever a stage refuses, `crmman data check` refuses before: small data sets of all sorts, taken through all stages but the text's."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.common.errors import InputError
from pipeline.parameters.data_check.check import DataCheck, Wishes
from pipeline.text.template import item_texts
from tests.parameters.data_check.worlds import checked, tables, write
from tests.stages.workspace import KEY, Workspace, make_workspace

STAGES = (
    "check_tables",
    "fetch",
    "prepare",
    "embed_image",
    "build_graph",
    "init_sdne",
    "train_gat",
    "train_users.recommended",
    "evaluate.recommended",
    "evaluate_baselines.popularity",
    "evaluate_baselines.item-mean",
    "compare",
    "recommend.recommended",
)
EXAMPLES = int(os.environ.get("CRMMAN_EXAMPLES", "12"))
BASELINES = ["item-mean", "popularity"]


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, pl.DataFrame]:
    """The four tables, by a few numbers: how many, how dense, on which scale, by how much the graph joins the items."""
    users, items = draw(st.integers(1, 25)), draw(st.integers(2, 25))
    random = np.random.default_rng(draw(st.integers(0, 10)))
    rated = np.argwhere(random.random((users, items)) < draw(st.sampled_from([0.1, 0.4, 0.7, 0.95])))
    scale = draw(st.sampled_from([[1], [0, 1], [1, 2, 3, 4, 5], [-1e30, 0.5, 1e30], [3, 3, 3, 3, 4]]))
    as_likes = scale in ([1], [0, 1]) and draw(st.booleans())
    interactions = {"user_id": rated[:, 0], "item_id": rated[:, 1]}
    interactions["like" if as_likes else "rating"] = random.choice(scale, len(rated))
    if draw(st.booleans()):
        interactions["timestamp"] = random.integers(0, 3, len(rated))
    if draw(st.integers(0, 3)) == 0:
        interactions["split"] = random.choice(
            draw(st.sampled_from([["train", "test"], ["train", "valid", "test"]])), len(rated)
        )
    tags = draw(st.integers(1, 6))
    facts = [
        (item, "tag", f"t{tag}") for item in range(items) for tag in random.integers(0, tags, draw(st.integers(1, 3)))
    ]
    kept = draw(st.sampled_from([1.0, 0.3]))
    linked = [item for item in range(items) if random.random() < kept] or [0]
    titles = [
        draw(st.sampled_from(["", "a", "a b", "=1+1"])) if items < 5 else f"title {item}" for item in range(items)
    ]
    return {
        "interactions": pl.DataFrame(interactions),
        "items": pl.DataFrame({"item_id": range(items), "title": titles}),
        "kg": pl.DataFrame(
            [(f"e{item}", relation, tail) for item, relation, tail in facts],
            schema=["head", "relation", "tail"],
            orient="row",
        ),
        "item_entities": pl.DataFrame({"item_id": linked, "entity_id": [f"e{item}" for item in linked]}),
    }


def wished() -> st.SearchStrategy[tuple[Wishes, dict[str, Any]]]:
    """What somebody asks for, and filters."""
    wishes = st.builds(
        Wishes,
        like_threshold=st.sampled_from([None, None, 0.5, 3.0, 99.0]),
        s_m=st.sampled_from([None, None, 0, 1, 4]),
        split=st.sampled_from([None, None, "random", "temporal", "temporal-per-user", "given"]),
        feedback=st.sampled_from([None, None, "rated", "liked", "sampled"]),
    )
    filters = st.fixed_dictionaries(
        {
            "min_user_interactions": st.sampled_from([1, 1, 3]),
            "linked_items_only": st.sampled_from([False, False, True]),
        }
    )
    return st.tuples(wishes, filters)


def through_all_stages(
    workspace: Workspace, check: DataCheck, filters: dict[str, Any], stages: tuple[str, ...] = STAGES
) -> None:
    found = check.settings() | filters

    def change(values: dict[str, Any]) -> None:
        entry = values["dataset_defaults"] | found
        entry["train_users"] = {"epochs": 1, "patience": 1, "validate_every": 1}
        values["datasets"] = {KEY: entry}
        values["run_variants"], values["run_baselines"] = ["recommended"], BASELINES
        for section in ("init_sdne", "train_gat"):
            values[section]["epochs"] = 1

    workspace.change_params(change)
    for name in stages:
        if name == "build_graph":
            items = len(pl.read_parquet(workspace.root / f"artifacts/{KEY}/dataset/items.parquet"))
            vectors = np.random.default_rng(0).normal(size=(items, 24)).astype(np.float32)
            TEXT_VECTORS.write({"vectors": vectors}, KEY, workspace.root)
        result = workspace.run(name)
        assert result.code == 0, (name, result.err, found)


# Without shrinking: an example takes seconds.
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(worlds(), wished())
def test_what_a_stage_refuses_is_refused_by_the_check(
    tables: dict[str, pl.DataFrame], asked: tuple[Wishes, dict[str, Any]]
) -> None:
    wishes, filters = asked
    with tempfile.TemporaryDirectory() as folder:
        workspace = make_workspace(Path(folder) / "w")
        check = checked(write(workspace.root / "tables", tables), wishes, **filters)
        event(f"usable: {check.usable}")
        if check.usable:
            through_all_stages(workspace, check, filters)


def of_every_type(count: int) -> pl.DataFrame:
    """Items with a column of each type that a Parquet file may have."""
    return pl.DataFrame({"item_id": range(count)}).with_columns(
        title=pl.format("title {}", "item_id"),
        texts=pl.Series([["comedy", "war"] if item % 3 else ["drama"] for item in range(count)]),
        gaps=pl.Series([None if item % 4 else [None, "war"] for item in range(count)]),
        floats=pl.Series([[0.5 * (item % 2)] for item in range(count)]),
        lists=pl.Series([[["Books", "Crime"], ["Books"]] for _ in range(count)]),
        structs=pl.Series([[{"name": "to-read", "count": item}] for item in range(count)]),
        struct=pl.Series([{"name": "a", "count": item} for item in range(count)]),
        fixed=pl.Series([[item % 2, 1] for item in range(count)], dtype=pl.Array(pl.Int64, 2)),
        kind=pl.Series(["a" if item % 2 else "b" for item in range(count)], dtype=pl.Categorical),
        enum=pl.Series(["a" if item % 2 else "b" for item in range(count)], dtype=pl.Enum(["a", "b"])),
        kinds=pl.Series([["a"] if item % 2 else ["b"] for item in range(count)], dtype=pl.List(pl.Categorical)),
        bytes=pl.Series([b"\xff\x00"] * count),
        length=pl.Series(range(count), dtype=pl.Duration("us")),
        day=pl.Series([0] * count, dtype=pl.Date),
        moment=pl.Series(range(count), dtype=pl.Datetime("us")),
        hour=pl.Series(range(count), dtype=pl.Time),
        price=pl.Series(["1.50"] * count).cast(pl.Decimal(10, 2)),
        told=pl.Series([bool(item % 2) for item in range(count)]),
        nothing=pl.Series([None] * count),
    )


def test_columns_of_every_type_reach_the_report(tmp_path: Path) -> None:
    workspace, made = make_workspace(tmp_path / "w"), tables(24, 40)
    made["items"] = of_every_type(40)
    made["interactions"] = made["interactions"].with_columns(
        pl.col("user_id", "rating").cast(pl.String).cast(pl.Categorical)
    )
    folder = workspace.root / "tables"
    for name, frame in made.items():
        (folder / f"{name}.csv").unlink()
        frame.write_parquet(folder / f"{name}.parquet")
    check = checked(folder)
    assert check.usable, [error.problem for error in check.errors]
    through_all_stages(workspace, check, {"text_template": "{title}. {texts} {kind} {kinds}"}, (*STAGES, "report"))


@pytest.mark.parametrize("column", ["lists", "structs", "struct", "bytes"])
def test_a_text_of_what_is_no_text_is_refused(column: str) -> None:
    with pytest.raises(InputError, match=f"text_template: column {column}: found type"):
        item_texts(of_every_type(3), f"{{{column}}}")
