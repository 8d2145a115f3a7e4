"""A user's mistake: exit code 2, one line on stderr, and not a file touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
import torch

from pipeline.artifacts.data import ITEMS, SOURCE_INTERACTIONS, SOURCE_ITEM_ENTITIES, SOURCE_ITEMS, SOURCE_KG
from pipeline.artifacts.evaluation import PAIRS, PER_USER
from pipeline.artifacts.graph import EDGES, NEIGHBOURS, THRESHOLDS
from pipeline.artifacts.structure import INITIAL_VECTORS, edges_of
from pipeline.artifacts.text import TEXT_VECTORS
from pipeline.artifacts.users import MODEL
from pipeline.common.ablation import FILE, SECTIONS
from tests.in_process import run_module
from tests.stages.conftest import Finished
from tests.stages.locks import note_all
from tests.stages.workspace import (
    ABLATION,
    KEY,
    STRUCTURE,
    Result,
    Workspace,
    assert_a_mistake_in_one_line,
    make_workspace,
    planted_tables,
)


def test_an_unknown_data_set_is_named_with_those_there_are(finished: Finished) -> None:
    names = ["fetch", "train_users.crmman", f"train_gat.{STRUCTURE}", "compare"]
    for name, result in finished.workspace.run_all(names, dataset="smal").items():
        assert_a_mistake_in_one_line(result, "params.yaml: datasets.smal: key not found", f"one of: {KEY}")
        assert result.out == "", name
    assert finished.workspace.files() == finished.files


def test_an_unknown_variant_or_structure_is_named_with_those_there_are(finished: Finished) -> None:
    named = {
        (
            "train_users",
            "--variant",
            "recommend",
        ): "--variant: found 'recommend', expected one of: crmman, recommended, random-graph",
        (
            "init_sdne",
            "--structure",
            "walks",
        ): "params.yaml: structures.walks: key not found; expected one of: random-graph",
        (
            "evaluate",
            "--variant",
            "recommend",
        ): "--variant: found 'recommend', expected one of: crmman, recommended, random-graph",
    }
    for (stage, *arguments), message in named.items():
        result = finished.workspace.call(stage, "--dataset", KEY, *arguments)
        assert_a_mistake_in_one_line(result, message)
    assert finished.workspace.files() == finished.files


def test_a_missing_artifact_is_named_with_what_makes_it(fresh: Workspace) -> None:
    first_read = {
        "prepare": SOURCE_INTERACTIONS,
        "embed_text": ITEMS,
        "embed_image": ITEMS,
        "build_graph": SOURCE_KG,
        "init_sdne": EDGES,
        "train_gat": INITIAL_VECTORS,
        f"derive_graph.{STRUCTURE}": EDGES,
        f"init_sdne.{STRUCTURE}": edges_of(STRUCTURE),
        "train_users.crmman": ITEMS,
        "evaluate.crmman": ITEMS,
        "evaluate_baselines.ease": NEIGHBOURS,
        "compare": ITEMS,
        "report": ITEMS,
        "recommend.crmman": ITEMS,
    }
    results = fresh.run_all(first_read)
    for stage, artifact in first_read.items():
        assert_a_mistake_in_one_line(results[stage], f"{artifact.at(KEY)}: artifact not found", "`dvc repro`")
    assert fresh.files() == {}


def test_a_wrong_parameter_stops_the_stage_that_reads_it_before_anything_is_replaced(
    finished: Finished, tmp_path
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    changes: dict[str, tuple[tuple[str, ...], Any, str]] = {
        "fetch": (("datasets", KEY, "source", "type"), "wheel", "datasets.small.source.type: found 'wheel'"),
        "prepare": (
            ("datasets", KEY, "split_fractions"),
            [0.6, 0.2, 0.3],
            "datasets.small.split_fractions: found [0.6, 0.2, 0.3]",
        ),
        "embed_text": (("embed_text", "pooling"), "max", "embed_text.pooling: found 'max'"),
        "embed_image": (("embed_image", "batch_images"), 0, "embed_image.batch_images: found 0"),
        "build_graph": (("datasets", KEY, "s_m"), -1, "datasets.small.s_m: found -1"),
        "init_sdne": (("init_sdne", "alfa"), 0.1, "init_sdne.alfa: found an unknown key"),
        "train_gat": (("train_gat", "heads"), 0, "train_gat.heads: found 0"),
        "train_users.crmman": (("variants", "crmman", "fusion"), "sum", "variants.crmman.fusion: found 'sum'"),
        "train_users.recommended": (("variants", "recommended", "heads"), [], "variants.recommended.heads: found []"),
        f"derive_graph.{STRUCTURE}": (
            ("structures", STRUCTURE, "edges"),
            1,
            f"structures.{STRUCTURE}.edges: found 1",
        ),
        "evaluate_baselines.ease": (("baselines", "ease", "l2"), [], "baselines.ease.l2: found []"),
        "compare": (("compare", "bootstrap_samples"), 2.5, "compare.bootstrap_samples: found 2.5"),
        "compare_ablations": (("ablations",), 1, "ablations: found 1"),
        "recommend.crmman": (("recommend", "top"), 0, "recommend.top: found 0"),
    }

    def change(values: dict[str, Any]) -> None:
        for keys, value, _ in changes.values():
            section = values
            for key in keys[:-1]:
                section = section[key]
            section[keys[-1]] = value

    copy.change_params(change)
    results = copy.run_all(["validate", *changes])
    for stage, (_, _, message) in changes.items():
        file = FILE if message.startswith(SECTIONS) else "params.yaml"
        assert_a_mistake_in_one_line(results[stage], f"error: {file}: {message}")
    assert_a_mistake_in_one_line(results["validate"], "params.yaml: ", "more)")
    assert copy.files() == finished.files


def test_a_section_that_is_no_mapping_is_one_line(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values.update(embed_text=None))
    copy.change_params(lambda values: values["datasets"][KEY].update(init_sdne=3))
    copy.change_params(lambda values: values["structures"].update({STRUCTURE: "x"}))
    for name, message in (
        ("embed_text", "params.yaml: embed_text: found None, expected a mapping of keys to values"),
        ("init_sdne", "params.yaml: init_sdne: found 3, expected a mapping of keys to values"),
        (f"train_gat.{STRUCTURE}", "found 'x', expected a mapping of keys to values"),
    ):
        assert_a_mistake_in_one_line(copy.run(name), message)
    assert copy.files() == finished.files


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("variants",), None, "params.yaml: variants: found None, expected a mapping"),
        (("variants", "crmman"), "x", "params.yaml: variants.crmman: found 'x', expected a mapping"),
        (("datasets", KEY, "train_users"), [1], f"datasets.{KEY}.train_users: found [1], expected a mapping"),
        (
            ("datasets", KEY, "train_users", "crmman"),
            3,
            f"datasets.{KEY}.train_users.crmman: found 3, expected a mapping",
        ),
    ],
)
@pytest.mark.parametrize("variant", ["recommended", ABLATION])
def test_settings_of_a_variant_that_are_no_mapping_are_one_line(
    finished: Finished, tmp_path, variant: str, keys: tuple[str, ...], value: object, message: str
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")

    def change(values: dict[str, Any]) -> None:
        section = values
        for key in keys[:-1]:
            section[key] = section.get(key) or {}
            section = section[key]
        section[keys[-1]] = value

    copy.change_params(change)
    assert_a_mistake_in_one_line(copy.run(f"train_users.{variant}"), message)
    copy.change_params(lambda values: values.pop("variants"))
    assert_a_mistake_in_one_line(copy.run(f"train_users.{variant}"), "params.yaml: variants: key not found")
    assert copy.files() == finished.files


def test_a_mistake_in_another_stages_part_stops_no_stage(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values["compare"].update(bootstrap_samples=0))
    copy.change_params(lambda values: values["variants"]["crmman"].update(fusion="sum"))
    copy.change_params(lambda values: values["structures"].update(other={}))
    names = ("prepare", f"derive_graph.{STRUCTURE}", "evaluate.recommended")
    assert {name: result.code for name, result in copy.run_all(names).items()} == dict.fromkeys(names, 0)
    assert copy.files() == finished.files


def test_cuda_where_there_is_none_is_said_in_one_line(finished: Finished, tmp_path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values.update(device="cuda"))
    for result in copy.run_all(
        ["embed_text", "train_users.recommended", "evaluate.crmman", "recommend.crmman"]
    ).values():
        assert_a_mistake_in_one_line(result, "device: found cuda", "expected cpu or auto")
    assert copy.files() == finished.files


def _blank(column: str, row: int, value: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    index = pl.int_range(pl.len())
    return lambda frame: frame.with_columns(pl.when(index == row).then(pl.lit(value)).otherwise(column).alias(column))


TABLES: dict[str, tuple[str, Callable[[pl.DataFrame], pl.DataFrame], tuple[str, ...]]] = {
    "missing column": ("kg", lambda f: f.drop("tail"), ("tables/kg.csv: column tail: not found",)),
    "not a number": (
        "interactions",
        _blank("rating", 0, "nan"),
        ("tables/interactions.csv: column rating, line 2: found", "expected a number"),
    ),
    "repeated interaction": (
        "interactions",
        lambda f: pl.concat([f, f[:1]]),
        ("tables/interactions.csv: line 1098: found user_id u0, item_id", "a second time"),
    ),
    "unknown item": (
        "interactions",
        _blank("item_id", 9, "i999"),
        ("tables/interactions.csv: column item_id, line 11: found item 'i999'", "tables/items.csv"),
    ),
}


def test_a_bad_table_is_named_by_file_column_and_line_and_the_stored_ones_stay(finished: Finished, tmp_path) -> None:
    copies = {name: finished.workspace.copy(tmp_path / str(number)) for number, name in enumerate(TABLES)}
    for name, (table, change, _) in TABLES.items():
        copies[name].change_table(table, change)
    for name, (_, _, parts) in TABLES.items():
        assert_a_mistake_in_one_line(copies[name].run("fetch"), *parts)
        assert copies[name].files() == finished.files


def test_a_threshold_that_no_rating_reaches_leaves_the_prepared_data_as_they_are(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values["datasets"][KEY].update(like_threshold=6))
    for stage in ("check_tables", "prepare"):
        assert_a_mistake_in_one_line(
            copy.run(stage), "like_threshold: found 6, which no rating reaches; expected a number from 1.0 to 5.0"
        )
    assert copy.files() == finished.files


def test_a_text_template_with_an_unknown_column_is_refused_before_anything_is_encoded(
    finished: Finished, tmp_path
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values["datasets"][KEY].update(text_template="{titel}"))
    for stage in ("check_tables", "embed_text"):
        assert_a_mistake_in_one_line(copy.run(stage), "text_template: column titel: not found among the items' columns")
    assert copy.files() == finished.files


@pytest.mark.parametrize(
    ("s_m", "tail", "message", "found"),
    [
        (0, pl.col("head"), "kg: found no two items that share an entity", False),
        (50, pl.lit("all the same"), "s_m: found 50, which leaves no edge: no two items share more than 1", True),
    ],
)
def test_a_graph_without_an_edge_is_said_with_the_table_that_shows_a_better_s_m(
    s_m: int, tail: pl.Expr, message: str, found: bool, tmp_path
) -> None:
    workspace = make_workspace(tmp_path)
    workspace.change_params(lambda values: values["datasets"][KEY].update(s_m=s_m))
    tables = planted_tables()
    linked = tables["item_entities"].select(head="entity_id", relation=pl.lit("is"))
    SOURCE_KG.write(linked.with_columns(tail=pl.concat_str(pl.lit("fact "), tail)), KEY, tmp_path)
    SOURCE_ITEM_ENTITIES.write(tables["item_entities"], KEY, tmp_path)
    ITEMS.write(tables["items"].with_row_index("item").cast({"item": pl.Int32}), KEY, tmp_path)
    assert_a_mistake_in_one_line(workspace.run("build_graph"), message)
    assert (THRESHOLDS.read(KEY, tmp_path)["edges"].sum() > 0) == found


def test_a_model_of_another_version_is_said_with_what_trains_it_anew(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    model = MODEL.of(variant="crmman")
    about = model.about(KEY, copy.root)
    about["variant"]["of_old"] = 1
    model.write(model.read(KEY, copy.root), KEY, copy.root, about=about)
    line = f"{model.at(KEY)}: variant.of_old: "
    results: dict[str, Result] = copy.run_all(["evaluate.crmman", "recommend.crmman"])
    for result in results.values():
        assert_a_mistake_in_one_line(result, line, "another version trained it; `dvc repro` trains it again")


def test_a_model_that_was_stored_before_a_setting_came_is_read(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    model = MODEL.of(variant="crmman")
    about = model.about(KEY, copy.root)
    del about["variant"]["catalogue_sample"], about["curve"]
    model.write(model.read(KEY, copy.root), KEY, copy.root, about=about)
    assert copy.run("evaluate.crmman").code == 0
    figures = PER_USER.of(variant="crmman")
    assert figures.read(KEY, copy.root).equals(figures.read(KEY, finished.workspace.root))
    # Only the report shows how it was trained.
    assert_a_mistake_in_one_line(
        copy.run("recommend.crmman"), f"{model.at(KEY)}: found no curve, as in a file of another"
    )


def test_what_was_made_of_another_split_is_refused_by_whoever_reads_both(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values.update(seed=7))
    assert copy.run("prepare").code == 0
    before, split = copy.files(), f"artifacts/{KEY}/dataset/interactions.parquet"
    model = MODEL.of(variant="recommended")
    for stage, old in (
        ("evaluate.recommended", model.at(KEY)),
        ("recommend.recommended", model.at(KEY)),
        ("compare", "left_out.txt"),
    ):
        assert_a_mistake_in_one_line(
            copy.run(stage), f"{old}: made from another version of {split} than the one there now; run `dvc repro`"
        )
    assert copy.files() == before
    # Items are the same in every split.
    assert copy.run("train_gat").code == 0


def test_what_was_made_of_other_items_is_refused_by_whoever_reads_both(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_table("items", lambda items: items.with_columns(title=pl.col("title") + "!"))
    for stage in ("fetch", "prepare"):
        assert copy.run(stage).code == 0
    old = f"{TEXT_VECTORS.at(KEY)}: made from another version of {ITEMS.at(KEY)} than the one there now"
    assert_a_mistake_in_one_line(copy.run("train_users.crmman"), old)
    assert_a_mistake_in_one_line(run_module("stages.cli", "similar", "--item", "id:i9", folder=copy.root), old)


def test_structural_vectors_of_another_item_graph_are_refused_by_who_trains_with_them(
    finished: Finished, tmp_path
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values["datasets"][KEY].update(s_m=values["datasets"][KEY]["s_m"] + 1))
    assert copy.run("build_graph").code == 0
    for variant in ("crmman", "recommended"):
        result = copy.run(f"train_users.{variant}")
        assert_a_mistake_in_one_line(result, f"{INITIAL_VECTORS.at(KEY)}: made from another version of {EDGES.at(KEY)}")


def test_a_file_that_goes_with_the_others_but_is_not_what_its_stage_wrote_last_is_refused(
    finished: Finished, tmp_path
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    note_all(copy.root, f"of@{KEY}")
    copy.change_params(lambda values: values["datasets"][KEY].update(text_template="{genre}"))
    copy.change_table("interactions", lambda ratings: ratings.head(-40))
    copy.change_table("items", lambda items: items.with_columns(genre=pl.lit("drama")))
    other = finished.workspace.copy(tmp_path / "other")
    for stage, reader, of in (
        ("embed_text", "train_users.recommended", TEXT_VECTORS),
        ("fetch", "prepare", SOURCE_INTERACTIONS),
        ("fetch", "prepare", SOURCE_ITEMS),
    ):
        path, content = of.at(KEY, copy.root), of.at(KEY, other.root).read_bytes()
        # By the tables or the template that there are now.
        assert copy.run(stage).code == 0
        changed = path.read_bytes()
        assert changed != content
        for other_file in other.files():
            (copy.root / other_file).write_bytes((other.root / other_file).read_bytes())
        path.write_bytes(changed)
        before = copy.files()
        assert_a_mistake_in_one_line(
            copy.run(reader),
            f"error: {of.at(KEY)}: found another version than dvc.lock has of it; "
            f"run `dvc repro`, which makes it again, or `dvc commit of@{KEY}` to keep this one",
        )
        assert copy.files() == before
        path.write_bytes(content)
        assert copy.run(reader).code == 0


def test_a_damaged_artifact_is_named(finished: Finished, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    model = MODEL.of(variant="crmman")
    for_pairs = PAIRS.of(group="baselines", variant="als")
    for artifact in (SOURCE_KG, INITIAL_VECTORS, TEXT_VECTORS, model, for_pairs):
        path = artifact.at(KEY, copy.root)
        path.write_bytes(path.read_bytes()[:-40])
    before = copy.files()
    named = {
        "build_graph": SOURCE_KG,
        "train_gat": INITIAL_VECTORS,
        "train_users.crmman": TEXT_VECTORS,
        "evaluate.crmman": model,
        "compare": for_pairs,
        "recommend.crmman": model,
    }
    results: dict[str, Result] = copy.run_all(named)
    for stage, artifact in named.items():
        assert_a_mistake_in_one_line(results[stage], f"{artifact.at(KEY)}: found other bytes than were written")
    assert copy.files() == before
