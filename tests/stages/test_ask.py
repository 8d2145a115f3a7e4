"""The command line `crmman` on a small trained workspace, its `main` called with the arguments that a shell would give."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import typer

from pipeline.artifacts import data as data_artifacts
from pipeline.artifacts.graph import EDGES
from pipeline.artifacts.users import MODEL
from pipeline.common.errors import CONTROLS
from pipeline.data.dataset import Dataset
from pipeline.users.model import Model
from pipeline.users.settings import VariantConfig
from pipeline.users.trained import TrainedModel
from stages.cli.app import app
from tests.artifacts.forged import forget_versions
from tests.stages.conftest import Ask, Finished
from tests.stages.workspace import ITEMS, KEY, ROOT, VARIANTS, Workspace, assert_a_mistake_in_one_line

USER = "u7"


def ratings(root: Path, user: str = USER) -> tuple[list[str], list[str]]:
    """Ids of the items that a user liked and disliked, out of the source's table."""
    rows = pl.read_csv(root / "tables" / "interactions.csv").filter(pl.col("user_id") == user)
    return tuple(rows.filter((pl.col("rating") >= 4) == liked)["item_id"].to_list() for liked in (True, False))  # type: ignore[return-value]


def options(likes: list[str], dislikes: list[str]) -> list[str]:
    return [
        text for word, ids in (("--like", likes), ("--dislike", dislikes)) for i in ids for text in (word, f"id:{i}")
    ]


def scores_by_all_ratings(root: Path, variant: str, user: str = USER) -> dict[str, float]:
    """Of every item, by the model that evaluation sees, over a data set whose training split is everything."""
    items, users = data_artifacts.ITEMS.read(KEY, root), data_artifacts.USERS.read(KEY, root)
    interactions = data_artifacts.INTERACTIONS.read(KEY, root).with_columns(split=pl.lit("train"))
    data = Dataset(interactions, data_artifacts.UNRATED_CANDIDATES.read(KEY, root), len(users), len(items))
    stored = MODEL.of(variant=variant)
    config = VariantConfig.model_validate(stored.about(KEY, root)["variant"])
    model = TrainedModel(Model.from_arrays(stored.read(KEY, root), config, len(items)), data)
    scores = model.score(np.array([users["user_id"].to_list().index(user)]))[0][0]
    return dict(zip(items["item_id"], scores.tolist(), strict=True))


@pytest.mark.parametrize("variant", VARIANTS)
def test_recommendations_are_the_unrated_items_with_the_highest_scores(finished: Finished, answer, variant) -> None:
    found = answer("recommend", "--user", USER, "-k", "5", "--variant", variant)
    likes, dislikes = ratings(finished.workspace.root)
    scores = scores_by_all_ratings(finished.workspace.root, variant)
    best = sorted((item for item in scores if item not in {*likes, *dislikes}), key=lambda item: -scores[item])[:5]
    assert [row["item_id"] for row in found["recommendations"]] == best
    assert [row["rank"] for row in found["recommendations"]] == [1, 2, 3, 4, 5]
    for row in found["recommendations"]:
        assert row["score"] == pytest.approx(scores[row["item_id"]], abs=1e-4)
        assert row["from_likes"] + row["from_dislikes"] + row["from_biases"] == pytest.approx(row["score"], abs=1e-9)
        assert row["title"] == f"Film number {row['item_id'][1:]}"
        assert row["reason"].startswith(("because you ", "in spite of your "))
        assert_adds_up(row["reason"], row["score"])
    assert (found["dataset"], found["variant"]) == (KEY, variant)
    assert found["person"] == {"user_id": USER, "likes": len(likes), "dislikes": len(dislikes)}


def test_somebody_unseen_with_a_users_ratings_is_told_what_the_user_is_told(finished: Finished, answer) -> None:
    likes, dislikes = ratings(finished.workspace.root)
    known, unseen = answer("recommend", "--user", USER), answer("recommend", *options(likes, dislikes))
    assert unseen["recommendations"] == known["recommendations"]
    assert [row["item_id"] for row in unseen["person"]["likes"]] == likes


def test_titles_are_matched_forgivingly_and_what_was_matched_is_shown(ask: Ask) -> None:
    result = ask("recommend", "--like", "FILM  number, 3", "--like", "id:i4", "--dislike", "flim number 12", "-k", "3")
    assert result.err == "note: 'flim number 12' is taken to mean Film number 12 id:i12\n"
    heading, _, columns, *rows = result.out.splitlines()
    assert heading == (
        f"{KEY}, recommended: for somebody who liked Film number 3 and Film number 4, and disliked Film number 12"
    )
    assert columns.split() == ["rank", "title", "score", "why"]
    assert len(rows) == 3
    for number, row in enumerate(rows, 1):
        found = re.fullmatch(r" +(\d+)  (Film number \d+) +(-?\d+\.\d{2,})  (.*)", row)
        assert found
        assert int(found[1]) == number
        assert found[2] not in ("Film number 3", "Film number 4", "Film number 12")
        reason = r"(because you (liked|disliked)|in spite of your (liking|disliking)) Film number \d+ \([+-]\d\.\d+\).*"
        assert re.fullmatch(reason, found[4])
        assert_adds_up(found[4], float(found[3]))


def test_all_that_is_left_is_recommended_where_less_is_left_than_asked_for(ask: Ask, answer) -> None:
    asked = [f"id:i{item}" for item in range(ITEMS)]
    likes = [text for item in asked[:-2] for text in ("--like", item)]
    assert len(answer("recommend", *likes)["recommendations"]) == 2
    likes += [text for item in asked[-2:] for text in ("--like", item)]
    assert answer("recommend", *likes)["recommendations"] == []
    assert ask("recommend", *likes).code == 0


def test_the_default_is_the_first_data_set_and_the_first_trained_of_the_variants_that_run(
    finished: Finished, ask: Ask, tmp_path
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values["datasets"].update(zoo=values["datasets"][KEY]))
    copy.change_params(lambda values: values.update(run_variants=["crmman", "recommended"]))
    MODEL.of(variant="crmman").at(KEY, copy.root).unlink()
    assert ask("recommend", "--user", USER, workspace=copy).out.startswith(f"{KEY}, recommended: ")
    assert_a_mistake_in_one_line(
        ask("recommend", "--user", USER, "--variant", "crmman", workspace=copy),
        "found the variant 'crmman', which has not been trained on it; expected one of: recommended, random-graph",
    )
    for variant in (*VARIANTS, "random-graph"):
        MODEL.of(variant=variant).at(KEY, copy.root).unlink(missing_ok=True)
    assert_a_mistake_in_one_line(
        ask("recommend", "--user", USER, workspace=copy), f"{KEY}: found no trained model", "run `dvc repro`"
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("run_variants", "recommended"),
        ("run_variants", None),
        ("run_variants", [["a"]]),
        ("variants", None),
        ("variants", ["recommended"]),
        ("datasets", None),
        ("datasets", {}),
        ("datasets", {KEY: None}),
        ("datasets", {1: {}}),
    ],
)
def test_parameters_that_a_stage_would_refuse_a_verb_refuses(
    finished: Finished, ask: Ask, tmp_path, key: str, value: object
) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    copy.change_params(lambda values: values.update({key: value}))
    for arguments in (
        ["recommend", "--user", "u1"],
        ["explain", "--user", "u1", "--item", "i1"],
        ["similar", "--item", "i1"],
    ):
        assert_a_mistake_in_one_line(ask(*arguments, workspace=copy), f"params.yaml: {key}")


@pytest.mark.parametrize("verb", ["recommend", "explain", "similar"])
def test_every_format_says_the_same(ask: Ask, tmp_path, verb: str) -> None:
    arguments = {
        "recommend": ["recommend", "--user", USER, "-k", "4"],
        "explain": ["explain", "--user", USER, "--item", "i9"],
        "similar": ["similar", "--item", "i9", "-k", "4"],
    }[verb]
    rows = {"recommend": "recommendations", "explain": "contributions", "similar": "similar"}[verb]
    expected = json.loads(ask(*arguments, "--format", "json").out)[rows]
    csv = pl.read_csv(io.StringIO(ask(*arguments, "--format", "csv").out)).to_dicts()
    path = tmp_path / "answer.parquet"
    assert ask(*arguments, "--output", str(path)).out == ""
    for found in (csv, pl.read_parquet(path).to_dicts()):
        assert [{name: value for name, value in row.items() if value is not None} for row in found] == expected
    text = ask(*arguments, "--format", "table", "--output", str(tmp_path / "answer.csv"))
    assert (tmp_path / "answer.csv").read_text() == ask(*arguments).out
    assert text.out == ""
    for name in ("answer.json", "answer.JSON"):
        assert ask(*arguments, "--output", str(tmp_path / name)).code == 0
        assert json.loads((tmp_path / name).read_text())[rows] == expected
    files = ["answer.JSON", "answer.csv", "answer.json", "answer.parquet"]
    assert sorted(path.name for path in tmp_path.iterdir()) == files


def assert_adds_up(reason: str, score: float) -> None:
    """The numbers of a sentence add up to the score with as many digits."""
    numbers = re.findall(r"\(([+-]?\d+\.(\d+))\)", reason)
    assert numbers
    digits = len(numbers[0][1])
    assert sum(float(number) for number, _ in numbers) == pytest.approx(float(f"{score:.{digits}f}"), abs=1e-9)


def printed_sum(text: str) -> dict[str, list[float]]:
    """The numbers of each kind in the table that `explain` prints, its subtotal first."""
    groups: dict[str, list[float]] = {}
    for label, number in re.findall(r"^(.+?)  +([+-]?\d+\.\d+)$", text, re.MULTILINE):
        if label.startswith("  "):
            list(groups.values())[-1].append(float(number))
        else:
            groups[label] = [float(number)]
    return groups


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("parts", ["1", "4", "100"])
def test_an_explanation_adds_up_to_the_score_in_full_and_as_printed(ask: Ask, answer, variant: str, parts: str) -> None:
    asked = ["--user", USER, "--variant", variant]
    best = answer("recommend", *asked, "-k", "1")["recommendations"][0]
    told = answer("explain", *asked, "--item", best["item_id"])
    assert told["score"] == pytest.approx(best["score"], abs=1e-9)
    assert sum(row["contribution"] for row in told["contributions"]) == pytest.approx(best["score"], abs=1e-5)
    assert told["rank"] == 1
    for kind, total in (("like", "from_likes"), ("dislike", "from_dislikes"), ("bias", "from_biases")):
        mine = [row["contribution"] for row in told["contributions"] if row["kind"] == kind]
        assert sum(mine) == pytest.approx(best[total], abs=1e-9)
        assert [abs(value) for value in mine] == sorted(map(abs, mine), reverse=True)
    text = ask("explain", *asked, "--item", best["item_id"], "--parts", parts).out
    groups = printed_sum(text)
    (score,) = groups.pop("score")
    # What has a line of its own is in the sentence as it is printed there.
    assert_adds_up(text.splitlines()[3], score)
    assert score == pytest.approx(best["score"], abs=0.00051)
    assert sum(subtotal for subtotal, *_ in groups.values()) == pytest.approx(score, abs=1e-9)
    for subtotal, *lines in groups.values():
        assert sum(lines) == pytest.approx(subtotal, abs=1e-9)
    assert ("item bias of meet" in text) == (variant == "recommended")
    assert ("… and " in text) == (parts != "100")


def test_a_rated_item_is_left_out_of_its_own_explanation(finished: Finished, ask: Ask, answer) -> None:
    likes, dislikes = ratings(finished.workspace.root)
    for item, kind in ((likes[0], "liked"), (dislikes[0], "disliked")):
        told = answer("explain", "--user", USER, "--item", f"id:{item}")
        assert told["left_out_of_its_own_explanation"] == kind
        assert item not in {row.get("item_id") for row in told["contributions"]}
        rest = options([i for i in likes if i != item], [i for i in dislikes if i != item])
        unseen = answer("explain", *rest, "--item", f"id:{item}")
        assert unseen["left_out_of_its_own_explanation"] is None
        assert (unseen["score"], unseen["rank"]) == (told["score"], told["rank"])
        assert unseen["contributions"] == told["contributions"]
        assert (
            f"They {kind} it: it is left out of their history here"
            in ask("explain", "--user", USER, "--item", item).out
        )
        unrated = sorted(answer("recommend", *rest, "-k", "100")["recommendations"], key=lambda row: row["rank"])
        assert [row["item_id"] for row in unrated][told["rank"] - 1] == item
        assert len(unrated) == told["of_unrated"]


def test_paths_lead_to_the_items_that_pull_most_over_what_both_share(finished: Finished, ask: Ask, answer) -> None:
    tables = finished.workspace.root / "tables"
    kg = pl.read_csv(tables / "kg.csv").rows()
    links = dict(pl.read_csv(tables / "item_entities.csv").iter_rows())

    def around(item_id: str) -> set[str]:
        film = links.get(item_id)
        return {tail for head, _, tail in kg if head == film} | {head for head, _, tail in kg if tail == film}

    told = answer("explain", "--user", USER, "--item", "i9", "--paths", "4")
    pulls = {row["item_id"]: row["contribution"] for row in told["contributions"] if "item_id" in row}
    strongest = sorted(pulls, key=lambda item: -pulls[item])[:4]
    assert [path["with"]["item_id"] for path in told["paths"]] == strongest
    for path in told["paths"]:
        shared = around("i9") & around(path["with"]["item_id"])
        assert {entity["entity"] for entity in path["shared"]} == shared
        for entity in path["shared"]:
            assert entity["name"] == entity["entity"]
            assert entity["items"] == sum(entity["entity"] in around(f"i{item}") for item in range(ITEMS))
    text = ask("explain", "--user", USER, "--item", "i9", "--paths", "4").out
    for path in told["paths"]:
        count = len(path["shared"])
        said = f"{count} shared {'entity' if count == 1 else 'entities'}"
        if not around(path["with"]["item_id"]):
            said = "no entity for it"
        assert re.search(rf"^  {path['with']['title']}, which they (dis)?liked: {said}$", text, re.MULTILINE)
    named = next(entity for path in told["paths"] for entity in path["shared"])
    assert f"{named['name']} (of {named['items']} items)" in text
    assert "knowledge graph" not in ask("explain", "--user", USER, "--item", "i9", "--paths", "0").out


def test_an_item_without_an_entity_is_said_to_have_none(ask: Ask) -> None:
    last = f"Film number {ITEMS - 1}"
    assert f"The knowledge graph has no entity for {last}." in ask("explain", "--like", "id:i3", "--item", last).out
    text = ask("explain", "--like", last, "--item", "Film number 3").out
    assert f"  {last}, which they liked: no entity for it" in text


@pytest.mark.parametrize("by", ["text", "structure", "both"])
def test_similar_items_fall_in_cosine_and_show_what_they_share(finished: Finished, answer, ask: Ask, by: str) -> None:
    rows = answer("similar", "--item", "Film number 9", "--by", by, "-k", "100")["similar"]
    root = finished.workspace.root
    edges = EDGES.read(KEY, root)
    ids = data_artifacts.ITEMS.read(KEY, root)["item_id"].to_list()
    joined = ids if by == "text" else [ids[item] for item in {*edges["source"], *edges["target"]}]
    assert {row["item_id"] for row in rows} == {*joined} - {"i9"}
    cosines = [row["cosine"] for row in rows]
    assert cosines == sorted(cosines, reverse=True)
    assert set(rows[0]) - {"rank", "item_id", "title", "cosine"} == {
        *(["by_text", "by_structure"] if by == "both" else []),
        *(["shared_entities"] if by != "text" else []),
    }
    if by == "both":
        for row in rows:
            assert row["cosine"] == pytest.approx((row["by_text"] + row["by_structure"]) / 2)
    if by != "text":
        shared = {row["item_id"]: row["shared_entities"] for row in rows}
        for source, target, overlap in edges.iter_rows():
            pair = {ids[source], ids[target]}
            if "i9" in pair:
                (other,) = pair - {"i9"}
                assert shared[other] == overlap
    table = ask("similar", "--item", "i9", "--by", by, "-k", "2").out.splitlines()
    assert table[0] == f"{KEY}: like Film number 9, by {'text and structure' if by == 'both' else by}"
    assert table[3].split()[:4] == ["1", *rows[0]["title"].split()]
    assert f"{rows[0]['cosine']:.3f}" in table[3]
    assert len(table) == 5


MISTAKES: dict[str, tuple[list[str], str]] = {
    "nobody": (["recommend"], "found no user, expected --user with an id, or --like and --dislike with titles"),
    "both": (["recommend", "--user", "u1", "--like", "i1"], "found --user and --like or --dislike"),
    "user": (["recommend", "--user", "u999"], "user 'u999': found no such user in small"),
    "item": (["explain", "--user", "u1", "--item", "Solaris"], "item 'Solaris': found no such title"),
    "id": (["recommend", "--like", "id:999"], "item 'id:999': found no item with the id '999'"),
    "ambiguous": (["similar", "--item", "number"], "item 'number': found 60 items, expected one, so take its id: Film"),
    "twice": (["recommend", "--like", "i1", "--dislike", "film number 1"], "'Film number 1' both liked and disliked"),
    "data set": (["similar", "--dataset", "big", "--item", "i1"], "params.yaml: datasets.big: key not found"),
    "variant": (
        ["recommend", "--variant", "crm", "--user", "u1"],
        "the variant 'crm', which params.yaml does not have",
    ),
    "format": (["recommend", "--user", "u1", "--format", "xml"], "'xml' is not one of"),
    "parquet": (["recommend", "--user", "u1", "--format", "parquet"], "--format parquet: found no --output"),
    "by": (["similar", "--item", "i1", "--by", "taste"], "'taste' is not one of"),
    "count": (["recommend", "--user", "u1", "-k", "0"], "'-k'"),
    "counting": (["recommend", "--user", "u1", "-k", "9" * 20], "'-k'"),
    "letters": (["recommend", "--like", "a" * 10_000], f"item '{'a' * 199} ...: found no such title"),
    "folder": (
        ["recommend", "--user", "u1", "--output", "folder/"],
        "--output folder/: found a folder, expected a file",
    ),
    "output of stages": (
        ["recommend", "--user", "u1", "--output", "plots/../artifacts/small/mine.csv"],
        "--output plots/../artifacts/small/mine.csv: found a path in artifacts/, which only stages write to",
    ),
    "output among the tables": (
        ["similar", "--item", "i1", "--output", "plots/../tables/lists.csv"],
        "--output plots/../tables/lists.csv: found a path in tables, where the tables of small are",
    ),
    "output over params.yaml": (
        ["similar", "--item", "i1", "--output", "plots/../params.yaml"],
        "--output plots/../params.yaml: found a file that the answer is made of",
    ),
    **{
        f"output over {file}": (
            ["similar", "--item", "i1", "--output", f"plots/../{file}"],
            f"--output plots/../{file}: found a file that the answer is made of",
        )
        for file in ("ablations/params.yaml", "dvc.yaml", "dvc.lock", "ablations/dvc.yaml", "ablations/dvc.lock")
    },
    "output": (["recommend", "--user", "u1", "--output", "no/such/folder.csv"], "cannot be written: No such file"),
    "verb": (["recomend"], "No such command 'recomend'"),
    "option": (["recommend", "--usr", "u1"], "No such option: --usr"),
    "missing": (["explain", "--user", "u1"], "found no item, expected --item or --why-not with a title or id"),
    "item and why not": (
        ["explain", "--user", "u1", "--item", "i1", "--why-not", "i2"],
        "--why-not: found --item as well",
    ),
    "entities": (["explain", "--user", "u1", "--why-not", "i2", "--entities"], "--entities: found --why-not as well"),
    "no edge": (
        ["similar", "--item", f"i{ITEMS - 1}"],
        "has no edge in the item graph, so nothing can be similar to it by",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(finished: Finished, ask: Ask, name: str) -> None:
    arguments, message = MISTAKES[name]
    result = ask(*arguments)
    assert_a_mistake_in_one_line(result, message)
    assert result.out == ""
    assert finished.workspace.files() == finished.files


@pytest.mark.parametrize(
    "arguments",
    [["recommend", "--user", "u1"], ["explain", "--user", "u1", "--item", "i1"], ["similar", "--item", "i1"]],
    ids=lambda arguments: arguments[0],
)
def test_where_nothing_has_run_it_says_what_to_run(fresh: Workspace, ask: Ask, tmp_path, arguments: list[str]) -> None:
    assert_a_mistake_in_one_line(ask(*arguments, workspace=fresh), "artifact not found; `dvc repro` makes it")
    assert fresh.files() == {}
    elsewhere = Workspace(tmp_path)
    assert_a_mistake_in_one_line(ask(*arguments, workspace=elsewhere), "params.yaml: file not found")


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(ask: Ask, tmp_path) -> None:
    (tmp_path / "folder.csv").mkdir()
    result = ask("recommend", "--user", USER, "--output", str(tmp_path / "folder.csv"))
    assert_a_mistake_in_one_line(result, "cannot be written: Is a directory")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def commands_of(command: Any, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield names
    for name, each in getattr(command, "commands", {}).items():
        yield from commands_of(each, (*names, name))


def test_help_has_an_example_of_each_verb_that_works(ask: Ask, fresh: Workspace) -> None:
    for arguments in ([], ["--help"]):
        overview = ask(*arguments, workspace=fresh)
        assert overview.code == 0
        assert all(verb in overview.out for verb in ("recommend", "explain", "similar"))
    # Of all commands there are, groups of them included.
    for names in commands_of(typer.main.get_command(app), ()):
        result = ask(*names, "--help", workspace=fresh)
        assert result.code == 0
        assert f"For example:\n    crmman {' '.join(names)}" in result.out
    for verb in ("recommend", "explain", "similar"):
        result = ask(verb, "--help", workspace=fresh)
        assert result.code == 0
        examples = result.out.split("For example:\n")[1].splitlines()
        assert all(line.strip().startswith(f"crmman {verb} --") for line in examples)
        options_of = set(re.findall(r"(--?\w[\w-]*)", result.out.split("For example:")[0]))
        for line in examples:
            assert set(re.findall(r" (--?\w[\w-]*)", line)) <= options_of


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        # `crmman --help`.
        ("app", {"torch", "polars", "numpy", "scipy", "transformers", "rapidfuzz", "pydantic", "rich"}),
        # What needs no model.
        ("ask.similar", {"torch", "transformers"}),
    ],
)
def test_nothing_heavy_is_imported_where_it_is_not_needed(module: str, heavy: set[str]) -> None:
    code = f"import sys, stages.cli.{module}; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_a_reader_that_stops_reading_is_no_failure_to_talk_about(finished: Finished) -> None:
    process = finished.workspace.start("cli", "similar", "--item", "i1")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait() == 1


def test_stopped_by_the_keyboard_is_exit_code_130(ask: Ask, monkeypatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stages.cli.ask.similar.similar", interrupted)
    result = ask("similar", "--item", "i1")
    assert (result.code, result.out, result.err) == (130, "", "stopped\n")


def test_titles_that_a_terminal_would_obey_are_shown_as_escapes(finished: Finished, ask: Ask, tmp_path) -> None:
    copy = finished.workspace.copy(tmp_path / "copy")
    items = data_artifacts.ITEMS.read(KEY, copy.root)
    data_artifacts.ITEMS.write(items.with_columns(title="\x1b[2J\u202e\x9b" + pl.col("title")), KEY, copy.root)
    forget_versions(copy.root)
    for arguments in (
        ["recommend", "--user", USER],
        ["explain", "--user", USER, "--item", "id:i9"],
        ["similar", "--item", "id:i9"],
    ):
        result = ask(*arguments, workspace=copy)
        assert result.code == 0, result.err
        assert r"\x1b[2J\u202e\x9bFilm number" in result.out
        assert not CONTROLS.search(result.out + result.err)
    noted = ask("similar", "--item", "film number 9", workspace=copy)
    assert r"\x1b[2J" in noted.err + noted.out
    assert not CONTROLS.search(noted.err)


def test_a_narrow_terminal_breaks_the_reasons_and_nothing_else(finished: Finished, ask: Ask, monkeypatch) -> None:
    wide = ask("recommend", "--user", USER, "-k", "3").out
    monkeypatch.setattr("stages.cli.ask.output._width", lambda: 60)
    narrow = ask("recommend", "--user", USER, "-k", "3").out
    assert narrow.split() == wide.split()
    assert max(map(len, narrow.splitlines()[2:])) <= 60 < max(map(len, wide.splitlines()))


def test_a_full_disk_is_no_mistake_of_who_named_a_file_on_it(ask: Ask, monkeypatch, tmp_path) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("stages.cli.ask.output.write_users_file", full)
    result = ask("similar", "--item", "i1", "--output", str(tmp_path / "similar.csv"))
    assert result.code == 1
    assert result.err.startswith(
        f"error: {tmp_path}/similar.csv: cannot be written: No space left on device (the disk at "
    )
    assert result.err.count("\n") == 1
