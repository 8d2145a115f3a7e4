from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.artifacts.graph import EDGES, ENTITIES
from pipeline.artifacts.kinds import Curve, Lines, Numbers, Table, Tensors, Text, Vectors, only
from pipeline.artifacts.kinds.table import ROW_GROUP
from pipeline.artifacts.recommend import RECOMMENDATIONS
from pipeline.artifacts.structure import STRUCTURE_VECTORS, edges_of, structure_names
from pipeline.common.errors import InputError
from tests.artifacts.every import EVERY
from tests.artifacts.forged import forge_table, forge_tensors, forge_text
from tests.common.test_files import files_of_at_most

SCORES = Table(
    "out/{dataset}/scores.parquet",
    {"user": pl.Int32, "item": pl.Int32, "score": pl.Float32, "note": pl.String},
    key=("user", "item"),
    nullable=frozenset({"note"}),
)
OPEN = Table("out/{dataset}/open.parquet", {"item": pl.Int32}, key=("item",), more=True)
VECTORS = Tensors("out/{dataset}/vectors.safetensors", {"vectors": 2})
WEIGHTS = Tensors("out/{dataset}/weights.safetensors")
FIGURES = Numbers("out/{dataset}.json")
CURVE = Curve("out/{dataset}/curve.tsv", ("epoch", "loss"))
NOTE = Text("out/note.txt")
REMARKS = Lines("out/{dataset}/remarks.txt")
VECTOR_TABLES = Vectors("out/{dataset}/vectors/v")
OF_VARIANT = Table(
    "out/{dataset}/{group}/{variant}/{structure}.parquet", {"item": pl.Int32}, key=("item",), not_empty=False
)

FRAME = pl.DataFrame(
    {"user": [0, 0, 1], "item": [2, 3, 1], "score": [0.5, -1.0, 2.0], "note": ["a", None, "c"]},
    schema=dict(SCORES.columns),
)
MATRIX = np.arange(6, dtype=np.float32).reshape(3, 2)


PERHAPS = Table(
    "out/{dataset}/perhaps.parquet", {"item": pl.Int32, "rating": pl.Float32}, ("item",), frozenset({"rating"})
)


def refusal(action: Any) -> str:
    with pytest.raises(InputError) as error:
        action()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("number", [float("nan"), float("-inf")])
def test_a_value_that_may_be_missing_is_a_number_where_it_is_none(tmp_path: Path, number: float) -> None:
    frame = pl.DataFrame({"item": [0, 1], "rating": [None, 2.0]}, schema=dict(PERHAPS.columns))
    PERHAPS.write(frame, "d", tmp_path)
    assert PERHAPS.read("d", tmp_path).equals(frame)
    wrong = frame.with_columns(rating=pl.Series([None, number], dtype=pl.Float32))
    assert f"column rating, row 1: found {number}, expected a value" in refusal(
        lambda: PERHAPS.write(wrong, "d", tmp_path)
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    SCORES.write(FRAME, "d", tmp_path)
    assert SCORES.read("d", tmp_path).equals(FRAME)
    assert SCORES.at("d", tmp_path) == tmp_path / "out" / "d" / "scores.parquet"
    VECTORS.write({"vectors": MATRIX}, "d", tmp_path, about={"heads": 4})
    np.testing.assert_array_equal(VECTORS.read("d", tmp_path)["vectors"], MATRIX)
    assert VECTORS.about("d", tmp_path) == {"heads": 4}
    FIGURES.write({"a": {"b": 0.5}}, "d", tmp_path)
    assert FIGURES.read("d", tmp_path) == {"a": {"b": 0.5}}
    CURVE.write(pl.DataFrame({"loss": [0.5, 0.25], "epoch": [1, 2], "more": [0, 0]}), "d", tmp_path)
    # Plain columns, for DVC to draw.
    assert CURVE.at("d", tmp_path).read_text() == "epoch\tloss\n1\t0.500000\n2\t0.250000\n"
    NOTE.write("naïve\n", root=tmp_path)
    assert NOTE.at("", tmp_path).read_text(encoding="utf-8") == "naïve\n"
    for lines in (["b", "a naïve one", "b"], ["one"], []):
        REMARKS.write(lines, "d", tmp_path)
        assert REMARKS.read("d", tmp_path) == lines
        first, *rest = REMARKS.at("d", tmp_path).read_text().splitlines()
        assert (first.partition(", sha256:")[0], rest) == (f"{len(lines)} lines", lines)


def test_a_failing_write_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    NOTE.write("old", root=tmp_path)
    with files_of_at_most(1000), pytest.raises(OSError, match="too large"):
        NOTE.write("new" * 1000, root=tmp_path)
    assert NOTE.at("", tmp_path).read_text() == "old"
    assert os.listdir(tmp_path / "out") == ["note.txt"]


def test_a_refused_write_leaves_the_old_file(tmp_path: Path) -> None:
    SCORES.write(FRAME, "d", tmp_path)
    VECTORS.write({"vectors": MATRIX}, "d", tmp_path)
    FIGURES.write({"a": 1}, "d", tmp_path)
    refusal(lambda: SCORES.write(FRAME.head(0), "d", tmp_path))
    refusal(lambda: VECTORS.write({"vectors": MATRIX * np.nan}, "d", tmp_path))
    refusal(lambda: FIGURES.write({"a": float("nan")}, "d", tmp_path))
    assert len(SCORES.read("d", tmp_path)) == 3
    assert np.isfinite(VECTORS.read("d", tmp_path)["vectors"]).all()
    assert FIGURES.read("d", tmp_path) == {"a": 1}


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    NOTE.write("text", root=tmp_path)
    (tmp_path / "other").write_text("text")
    assert NOTE.at("", tmp_path).stat().st_mode == (tmp_path / "other").stat().st_mode


@settings(deadline=None, max_examples=30, derandomize=True)
@given(order=st.permutations(range(3)))
def test_a_table_has_the_same_bytes_whatever_the_order_of_its_rows(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    SCORES.write(FRAME, "d", folder / "a")
    in_chunks = pl.concat([FRAME[index : index + 1] for index in order], rechunk=False)
    SCORES.write(in_chunks.select("note", "item", "score", "user"), "d", folder / "b")
    assert SCORES.at("d", folder / "a").read_bytes() == SCORES.at("d", folder / "b").read_bytes()
    assert SCORES.read("d", folder / "b").equals(FRAME)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 6, 7])
def test_a_table_written_in_pieces_is_the_table_in_order(
    tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.artifacts.kinds.table.ROW_GROUP", 3)
    frame = pl.DataFrame({"item": pl.Series(range(rows), dtype=pl.Int32), "text": [f"t{row}" for row in range(rows)]})
    table = replace(OPEN, not_empty=False)
    for order in (frame, frame.reverse(), pl.concat([frame[rows // 2 :], frame[: rows // 2]], rechunk=False)):
        table.write(order, "d", tmp_path)
        assert table.read("d", tmp_path).equals(frame)
        footer = pyarrow.parquet.read_metadata(table.at("d", tmp_path))
        sizes = [footer.row_group(place).num_rows for place in range(footer.num_row_groups)]
        assert sizes == [min(3, rows - start) for start in range(0, rows, 3)]
    # In two pieces.
    twice = pl.concat([frame, frame])
    assert not rows or "found a repeated key" in refusal(lambda: table.write(twice, "d", tmp_path))


def test_texts_in_lists_may_be_an_enum_until_they_are_written_and_not_in_a_file(tmp_path: Path) -> None:
    reason = {"kind": "like", "item_id": "b", "part": 0.5, "by": None, "relation": None, "entity": None}
    rows = {
        "user_id": ["u", "v"],
        "rank": [1, 1],
        "item_id": ["a", "b"],
        "score": [1.0, 2.0],
        "reasons": [[reason], []],
    }
    texts = pl.DataFrame(rows, schema=dict(RECOMMENDATIONS.columns))
    kinds = pl.Enum(["dislike", "like"])
    inner = [
        pl.Field(each.name, kinds if each.name == "kind" else each.dtype)
        for each in texts.schema["reasons"].inner.fields  # type: ignore[attr-defined]
    ]
    places = texts.cast({"reasons": pl.List(pl.Struct(inner))})
    table = RECOMMENDATIONS.of(variant="v")
    table.write(texts, "d", tmp_path)
    content = table.at("d", tmp_path).read_bytes()
    table.write(places, "d", tmp_path)
    assert table.at("d", tmp_path).read_bytes() == content
    assert table.read("d", tmp_path).equals(texts)
    forge_table(table, places, "d", tmp_path)
    assert "column reasons: found type" in refusal(lambda: table.read("d", tmp_path))


def test_tensors_have_the_same_bytes_whatever_the_order_of_names_and_notes(tmp_path: Path) -> None:
    arrays = {name: MATRIX + index for index, name in enumerate("abcd")}
    WEIGHTS.write(arrays, "d", tmp_path / "a", about={"x": 1, "y": 2})
    reversed_arrays = {name: np.asfortranarray(arrays[name]) for name in reversed(arrays)}
    WEIGHTS.write(reversed_arrays, "d", tmp_path / "b", about={"y": 2, "x": 1})
    assert WEIGHTS.at("d", tmp_path / "a").read_bytes() == WEIGHTS.at("d", tmp_path / "b").read_bytes()


def test_tensors_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    names = [f"tensor {number:02}" for number in range(20)]
    WEIGHTS.write(dict.fromkeys(reversed(names), MATRIX), "d", tmp_path)
    assert list(WEIGHTS.read("d", tmp_path)) == names


def test_tensors_carry_one_metadata_key_since_more_come_in_random_order(tmp_path: Path) -> None:
    WEIGHTS.write({"a": MATRIX}, "d", tmp_path, about={"x": 1, "y": 2})
    content = WEIGHTS.at("d", tmp_path).read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert list(header["__metadata__"]) == ["about"]
    words = json.loads(header["__metadata__"]["about"])
    assert list(words) == ["about", "seal"]
    assert words["about"] == {"x": 1, "y": 2}


def test_numbers_are_rounded_so_that_noise_is_no_change(tmp_path: Path) -> None:
    FIGURES.write({"a": 0.1234564, "b": {"c": np.float32(0.5), "d": np.int64(3), "e": True}, "f": -1e-9}, "x", tmp_path)
    FIGURES.write({"a": 0.1234561, "b": {"c": 0.5 + 1e-9, "d": 3, "e": 1}, "f": 1e-9}, "y", tmp_path)
    assert FIGURES.at("x", tmp_path).read_text() == FIGURES.at("y", tmp_path).read_text()
    assert FIGURES.read("x", tmp_path) == {"a": 0.123456, "b": {"c": 0.5, "d": 3, "e": 1}, "f": 0.0}
    assert FIGURES.at("x", tmp_path).read_text().endswith("}\n")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_are_finite(tmp_path: Path, number: float) -> None:
    assert "expected finite numbers only" in refusal(lambda: FIGURES.write({"a": {"b": number}}, "d", tmp_path))
    assert not FIGURES.at("d", tmp_path).exists()


def test_a_missing_artifact_says_what_makes_it(tmp_path: Path) -> None:
    for artifact in (SCORES, VECTORS, FIGURES, REMARKS):
        message = refusal(lambda artifact=artifact: artifact.read("d", tmp_path))
        assert message == f"{artifact.at('d', tmp_path)}: artifact not found; " + (
            "`dvc repro` makes it, `dvc checkout dvc.yaml` brings a cached one back"
        )
    assert "artifact not found" in refusal(lambda: VECTORS.about("d", tmp_path))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.drop("score"), "column score: not found; expected columns: user, item, score, note"),
        (FRAME.with_columns(pl.col("item").cast(pl.Int64)), "column item: found type Int64, expected Int32"),
        (FRAME.with_columns(score=pl.lit("x")), "column score: found type String, expected Float32"),
        (FRAME.with_columns(extra=1), "column extra: unknown; expected columns: user, item, score, note"),
        (FRAME.with_columns(user=pl.Series([0, None, 1], dtype=pl.Int32)), "column user, row 1: found None, expected a value"),
        (FRAME.with_columns(score=pl.Series([0, 1, np.nan], dtype=pl.Float32)), "column score, row 2: found nan, expected a value"),
        (FRAME.with_columns(score=pl.Series([-np.inf, 1, 2], dtype=pl.Float32)), "column score, row 0: found -inf, expected a value"),
        (FRAME.head(0), "found no rows, expected at least one"),
        (pl.concat([FRAME, FRAME.head(1)]), "found a repeated key, expected user, item to identify each row"),
    ],
)  # fmt: skip
def test_a_table_on_disk_that_is_not_what_it_should_be_is_refused(
    tmp_path: Path, frame: pl.DataFrame, message: str
) -> None:
    forge_table(SCORES, frame, "d", tmp_path)
    assert refusal(lambda: SCORES.read("d", tmp_path)) == f"{SCORES.at('d', tmp_path)}: {message}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.col("item").cast(pl.Int64), "column item: found type Int64"),
        (pl.lit(None, dtype=pl.Float32).alias("score"), "column score, row 0: found None"),
        (pl.lit(7, dtype=pl.Int32).alias("item"), "found a repeated key"),
    ],
)
def test_what_would_be_refused_on_reading_is_not_written(tmp_path: Path, change: pl.Expr, message: str) -> None:
    assert message in refusal(lambda: SCORES.write(FRAME.with_columns(change), "d", tmp_path))
    assert not SCORES.at("d", tmp_path).exists()


def test_an_open_table_keeps_further_columns_and_may_have_missing_values_there(tmp_path: Path) -> None:
    frame = pl.DataFrame({"title": ["b", None], "item": [1, 0]}, schema={"title": pl.String, "item": pl.Int32})
    OPEN.write(frame, "d", tmp_path)
    assert OPEN.read("d", tmp_path).rows(named=True) == [{"item": 0, "title": None}, {"item": 1, "title": "b"}]


def test_what_is_no_parquet_file_is_refused(tmp_path: Path) -> None:
    forge_text(SCORES, "PAR1 SEAL PAR1", "d", tmp_path)
    message = refusal(lambda: SCORES.read("d", tmp_path))
    assert message.startswith(f"{SCORES.at('d', tmp_path)}: not a readable Parquet file: ")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"other": MATRIX}, "tensor vectors: not found; expected: vectors"),
        ({"vectors": MATRIX[0]}, "tensor vectors: found 1 dimensions, expected 2"),
        ({"vectors": MATRIX.astype(np.float64)}, "tensor vectors: found type float64, expected float32"),
        ({"vectors": MATRIX.astype(np.int32)}, "tensor vectors: found type int32, expected float32"),
        ({"vectors": np.array([[1, 2], [3, np.nan]], np.float32)}, "tensor vectors, position [1, 1]: found nan, expected a finite number"),
        ({"vectors": np.array([[1, -np.inf]], np.float32)}, "tensor vectors, position [0, 1]: found -inf, expected a finite number"),
    ],
)  # fmt: skip
def test_tensors_that_are_not_what_they_should_be_are_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    path = VECTORS.at("d", tmp_path)
    assert refusal(lambda: VECTORS.write(arrays, "d", tmp_path)) == f"{path}: {message}"
    assert not path.exists()
    forge_tensors(VECTORS, arrays, "d", tmp_path)
    assert refusal(lambda: VECTORS.read("d", tmp_path)) == f"{path}: {message}"


@pytest.mark.parametrize("text", ["SEAL", '\x05\0\0\0\0\0\0\0{"a":SEAL'])
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, text: str) -> None:
    forge_text(VECTORS, text, "d", tmp_path)
    for action in (VECTORS.read, VECTORS.about):
        message = refusal(lambda action=action: action("d", tmp_path))
        assert message.startswith(f"{VECTORS.at('d', tmp_path)}: not a readable safetensors file: ")


@pytest.mark.parametrize("words", ["{}", '{{"seal": "{}"}}', '{{"about": 3, "seal": "{}"}}'])
def test_tensors_without_notes_say_so_in_one_line(tmp_path: Path, words: str) -> None:
    forge_tensors(VECTORS, {"vectors": MATRIX}, "d", tmp_path, words)
    assert "not a readable safetensors file" in refusal(lambda: VECTORS.about("d", tmp_path))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": "x"}', '{"a": null}', '{"a": NaN}', "\xe9"])
def test_a_file_that_holds_no_object_of_numbers_is_refused(tmp_path: Path, text: str) -> None:
    path = FIGURES.at("d", tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="latin-1")
    assert refusal(lambda: FIGURES.read("d", tmp_path)).startswith(f"{path}: ")


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\r", "\v", "\x1c", "\x85", "\u2028", "\t"])
def test_a_line_stays_one_whatever_breaks_it(tmp_path: Path, separator: str) -> None:
    REMARKS.write([f"a{separator}title", "", "next"], "d", tmp_path)
    assert REMARKS.read("d", tmp_path) == ["a title", "", "next"]


def test_an_artifact_of_a_variant_of_a_group_and_of_a_structure_is_the_same_one_at_its_own_place(
    tmp_path: Path,
) -> None:
    mine = OF_VARIANT.of(variant="a", group="ablations").of(structure="structures/b")
    assert mine.at("d", tmp_path) == tmp_path / "out/d/ablations/a/structures/b.parquet"
    assert isinstance(mine, Table)
    assert (mine.columns, mine.key, mine.not_empty) == (OF_VARIANT.columns, OF_VARIANT.key, False)
    assert OF_VARIANT.path == "out/{dataset}/{group}/{variant}/{structure}.parquet"
    frame = pl.DataFrame({"item": [1, 0]}, schema={"item": pl.Int32})
    mine.write(frame, "d", tmp_path)
    assert mine.read("d", tmp_path)["item"].to_list() == [0, 1]
    assert not OF_VARIANT.of(variant="b", group="ablations", structure="structures/b").at("d", tmp_path).exists()


def test_without_a_group_and_a_structure_an_artifact_is_at_that_of_the_pipeline_and_never_without_its_variant() -> None:
    assert OF_VARIANT.of(variant="a").at("d") == Path("out/d/variants/a/structure.parquet")
    with pytest.raises(KeyError, match="variant"):
        OF_VARIANT.at("d")


def test_tensors_that_do_not_tell_what_they_should_are_refused(tmp_path: Path) -> None:
    told = Tensors("out/{dataset}/told.safetensors", told=("epoch", "curve"))
    told.write({"a": MATRIX}, "d", tmp_path, about={"epoch": 1})
    assert f"{told.at('d', tmp_path)}: found no curve, as in a file of another version" in refusal(
        lambda: told.about("d", tmp_path)
    )
    told.write({"a": MATRIX}, "d", tmp_path, about={"epoch": 1, "curve": []})
    assert told.about("d", tmp_path) == {"epoch": 1, "curve": []}


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", ".."])
def test_no_name_leads_elsewhere(name: str) -> None:
    assert refusal(lambda: OF_VARIANT.of(variant=name)) == (
        f"variant: found {name!r}, which leads elsewhere; expected a name of params.yaml"
    )


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", ".."])
def test_no_name_of_a_data_set_leads_elsewhere(tmp_path: Path, name: str) -> None:
    for action in (lambda: SCORES.write(FRAME, name, tmp_path), lambda: SCORES.read(name, tmp_path)):
        assert "leads elsewhere" in refusal(action)
    assert not list(tmp_path.iterdir())


def test_structural_vectors_made_in_another_way_and_their_graph_have_places_of_their_own() -> None:
    own, other = structure_names(None), structure_names("walks")
    assert STRUCTURE_VECTORS.of(**own).at("d") == STRUCTURE_VECTORS.at("d")
    assert STRUCTURE_VECTORS.of(**other).at("d") == Path("artifacts/d/structures/walks/vectors.safetensors")
    assert edges_of(None).at("d") == EDGES.at("d")
    edges = edges_of("walks")
    assert edges.at("d") == Path("artifacts/d/structures/walks/edges.parquet")
    assert (edges.columns, edges.holds.keys()) == (EDGES.columns, EDGES.holds.keys())


def test_a_rule_about_places_holds_beyond_the_first_rows_that_are_written_together(tmp_path: Path) -> None:
    count = 2 * ROW_GROUP + 5
    frame = pl.DataFrame({"entity": pl.Series(range(count), dtype=pl.Int32)}).with_columns(
        entity_id=pl.format("e{}", "entity")
    )
    ENTITIES.write(frame, "d", tmp_path)
    assert ENTITIES.read("d", tmp_path).equals(frame)
    gap = frame.filter(pl.col("entity") != ROW_GROUP + 3)
    with pytest.raises(InputError, match=f"row {ROW_GROUP + 3}: found .*expected numbers from 0 without a gap"):
        ENTITIES.write(gap, "d", tmp_path)


def test_a_table_that_may_be_empty_is_written_and_read_without_rows(tmp_path: Path) -> None:
    empty = OF_VARIANT.of(variant="a")
    empty.write(pl.DataFrame(schema={"item": pl.Int32}), "d", tmp_path)
    assert empty.read("d", tmp_path).is_empty()


def test_no_two_artifacts_share_a_place() -> None:
    kinds = (Table, Tensors, Numbers, Curve, Text, Lines)
    places = [value.path for value in EVERY.values() if isinstance(value, kinds)]
    assert len(places) > 20
    assert len(set(places)) == len(places)


def test_every_table_has_a_key_among_its_columns() -> None:
    for table in [value for value in EVERY.values() if isinstance(value, Table)]:
        assert table.key
        assert set(table.key) <= set(table.columns)
        assert not set(table.key) & table.nullable


@pytest.mark.parametrize(
    ("source", "target", "overlap", "expected"),
    [
        (3, 1, 2, "0 <= source < target"),
        (2, 2, 2, "0 <= source < target"),
        (-1, 2, 2, "0 <= source < target"),
        (0, 1, 0, "an overlap"),
    ],
)
def test_an_edge_that_cannot_be_is_refused_when_written_and_when_read(
    tmp_path: Path, source: int, target: int, overlap: int, expected: str
) -> None:
    frame = pl.DataFrame({"source": [source], "target": [target], "overlap": [overlap]}, schema=dict(EDGES.columns))
    with pytest.raises(InputError, match=rf"edges.parquet: row 0: found .*, expected {expected}"):
        EDGES.write(frame, "small", tmp_path)
    forge_table(EDGES, frame, "small", tmp_path)
    with pytest.raises(InputError, match=rf"expected {expected}"):
        EDGES.read("small", tmp_path)


def vector_tables(width: int = 2, users: Any = MATRIX) -> tuple[pl.DataFrame, pl.DataFrame]:
    items = np.arange(2 * width, dtype=np.float32).reshape(2, width)
    return (
        pl.DataFrame({"item_id": ["b", "a"], "vector": items}),
        pl.DataFrame({"user_id": ["x", "z", "y"], "vector": users}),
    )


def test_vectors_are_two_tables_or_one_line_and_never_both(tmp_path: Path) -> None:
    folder = VECTOR_TABLES.at("d", tmp_path)
    for _ in range(2):
        VECTOR_TABLES.write(vector_tables(), "d", tmp_path)
        items, users = VECTOR_TABLES.read("d", tmp_path)
        assert sorted(os.listdir(folder)) == ["item_vectors.parquet", "user_vectors.parquet"]
        assert isinstance(items, pl.DataFrame)
        assert items.schema == {"item_id": pl.String, "vector": pl.Array(pl.Float32, 2)}
        assert items.rows() == [("a", [2.0, 3.0]), ("b", [0.0, 1.0])]
        assert isinstance(users, pl.DataFrame)
        np.testing.assert_array_equal(users["vector"].to_numpy(), MATRIX[[0, 2, 1]])
        VECTOR_TABLES.write("no vectors: for a reason", "d", tmp_path)
        assert VECTOR_TABLES.read("d", tmp_path) == "no vectors: for a reason"
        assert os.listdir(folder) == ["no-vectors.txt"]
    # No temporary folder is left, and others may read this one.
    assert os.listdir(folder.parent) == [folder.name]
    (tmp_path / "other").mkdir()
    assert folder.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_vectors_are_fixed_size_lists_to_whoever_reads_the_files(tmp_path: Path) -> None:
    VECTOR_TABLES.write(vector_tables(), "d", tmp_path)
    for name in ("item_vectors", "user_vectors"):
        schema = pyarrow.parquet.read_schema(VECTOR_TABLES.at("d", tmp_path) / f"{name}.parquet")
        found = schema.field("vector").type
        assert pyarrow.types.is_fixed_size_list(found)
        assert (found.list_size, found.value_type) == (2, pyarrow.float32())


@pytest.mark.parametrize(
    ("users", "message"),
    [
        (MATRIX * np.nan, "found ('x', [nan, nan]), expected finite numbers"),
        ([1, 2, 3], "column vector: found type Int64, expected Array"),
        ([[1.0, 2.0], [3.0, 4.0], None], "column vector: found type List(Float64), expected Array"),
    ],
)
def test_what_are_no_vectors_is_not_written_and_the_old_ones_stay(tmp_path: Path, users: Any, message: str) -> None:
    VECTOR_TABLES.write(vector_tables(), "d", tmp_path)
    assert message in refusal(lambda: VECTOR_TABLES.write(vector_tables(users=users), "d", tmp_path))
    assert not isinstance(VECTOR_TABLES.read("d", tmp_path), str)
    assert os.listdir(VECTOR_TABLES.at("d", tmp_path).parent) == ["v"]


def test_vectors_of_different_runs_or_types_or_with_a_file_missing_are_refused(tmp_path: Path) -> None:
    path = VECTOR_TABLES.at("d", tmp_path)
    assert refusal(lambda: VECTOR_TABLES.read("d", tmp_path)) == (
        f"{path}/item_vectors.parquet: artifact not found; `dvc repro` makes it, `dvc checkout dvc.yaml` brings a cached one back"
    )
    VECTOR_TABLES.write(vector_tables(width=3), "d", tmp_path)
    assert refusal(lambda: VECTOR_TABLES.read("d", tmp_path)) == (
        f"{path}: found Array(Float32, shape=(3,)) of items and Array(Float32, shape=(2,)) of users, "
        "expected float32 vectors of one width; run `dvc repro`"
    )
    items, users = vector_tables()
    VECTOR_TABLES.write(tuple(t.cast({"vector": pl.Array(pl.Float64, 2)}) for t in (items, users)), "d", tmp_path)  # type: ignore[arg-type]
    assert "expected float32 vectors" in refusal(lambda: VECTOR_TABLES.read("d", tmp_path))
    (path / "user_vectors.parquet").unlink()
    assert "user_vectors.parquet: artifact not found" in refusal(lambda: VECTOR_TABLES.read("d", tmp_path))


@pytest.mark.parametrize(
    ("reasons", "message"),
    [
        ([{"kind": "like", "item_id": "a", "part": float("nan")}], "expected parts that are numbers"),
        ([{"kind": "like", "item_id": "a", "part": 1}], "column reasons: found type List(Struct("),
    ],
)
def test_recommendations_may_be_none_and_their_parts_are_numbers(
    tmp_path: Path, reasons: list[dict[str, Any]], message: str
) -> None:
    table = RECOMMENDATIONS.of(variant="v")
    table.write(pl.DataFrame(schema=dict(table.columns)), "d", tmp_path)
    assert table.read("d", tmp_path).is_empty()
    row = {"user_id": ["u"], "rank": [1], "item_id": ["i"], "score": [0.5]}
    types = {name: dtype for name, dtype in table.columns.items() if name != "reasons"}
    frame = pl.DataFrame(row, schema=types)
    none = frame.with_columns(reasons=pl.lit([], dtype=table.columns["reasons"]))
    table.write(none, "d", tmp_path)
    assert table.read("d", tmp_path)["reasons"].to_list() == [[]]
    part = pl.Float32 if isinstance(reasons[0]["part"], float) else pl.Int64
    words = dict.fromkeys(("by", "relation", "entity"), pl.String)
    kind = pl.List(pl.Struct({"kind": pl.String, "item_id": pl.String, "part": part} | words))
    wrong = frame.with_columns(reasons=pl.Series([reasons], dtype=kind))
    assert message in refusal(lambda: table.write(wrong, "d", tmp_path))
    assert table.read("d", tmp_path)["reasons"].to_list() == [[]]


def test_a_stage_touches_what_it_declares_and_nothing_else(tmp_path: Path) -> None:
    made, other = Lines("made/{dataset}/{variant}.txt"), Lines("other/{dataset}.txt")
    baselines = Lines("evaluation/{dataset}/{group}/{variant}.txt")
    for artifact in (other, baselines.of(group="baselines", variant="all")):
        artifact.write(["text"], "d", tmp_path)
    with only("stage", reads=[baselines.of(group="baselines")], writes=[made]):
        made.of(variant="a").write(["text"], "d", tmp_path)
        assert made.of(variant="a").read("d", tmp_path) == ["text"]
        assert baselines.of(group="baselines", variant="all").read("d", tmp_path) == ["text"]
        with pytest.raises(AssertionError, match=r"^stage stage reads other/\{dataset\}\.txt without declaring it"):
            other.read("d", tmp_path)
        with pytest.raises(AssertionError, match=r"^stage stage reads evaluation/"):
            baselines.of(group="variants", variant="all").read("d", tmp_path)
        with pytest.raises(AssertionError, match=r"^stage stage writes evaluation/"):
            baselines.of(group="baselines", variant="all").write(["text"], "d", tmp_path)
    assert other.read("d", tmp_path) == ["text"]


def test_the_vectors_of_a_stage_are_two_tables_of_one_artifact(tmp_path: Path) -> None:
    vectors = Vectors("vectors/{dataset}")
    with only("stage", reads=[], writes=[vectors]):
        vectors.write("there are none", "d", tmp_path)
        assert vectors.read("d", tmp_path) == "there are none"
