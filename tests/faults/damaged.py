"""Damaged artifacts, and other artifacts in their place."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import polars as pl
from hypothesis import assume
from hypothesis import strategies as st

from pipeline.artifacts.graph import EDGES, RELATIONS
from pipeline.artifacts.kinds import Lines, Table, Tensors, Vectors
from pipeline.artifacts.kinds.seal import AGAIN, Seal, check_seal
from pipeline.artifacts.structure import GAT_WEIGHTS
from pipeline.artifacts.users import REFIT
from pipeline.common.errors import InputError
from tests.artifacts.forged import renamed
from tests.faults.campaign import Draw
from tests.faults.outcome import expect, expect_printable, expect_well_or_one_line
from tests.faults.world import Found, World, files_of, fits, stage_of
from tests.stages.locks import note_all
from tests.stages.workspace import ALL_RUNS, KEY

DAMAGE = ("flip", "cut", "zeros", "junk", "more", "twice", "empty", "shifted")
SEALED = (Table, Tensors, Vectors, Lines)
VERBS = (
    ("recommend", "--user", "u7"),
    ("explain", "--user", "u7", "--item", "id:i3"),
    ("similar", "--item", "id:i3"),
)


def damaged(draw: Draw, content: bytes) -> bytes:
    """Other bytes than these."""
    kind = draw(st.sampled_from(DAMAGE))
    place = draw(st.integers(0, max(len(content) - 1, 0)))
    length = draw(st.integers(1, 600))
    before, after = content[:place], content[place:]
    other = {
        "flip": lambda: before + bytes([after[0] ^ (1 << length % 8)]) + after[1:] if after else b"x",
        "cut": lambda: before,
        "zeros": lambda: before + bytes(len(after[:length])) + after[length:],
        "junk": lambda: before + draw(st.binary(min_size=1, max_size=40)) + after[1:],
        "more": lambda: content + draw(st.binary(min_size=1, max_size=40)),
        "twice": lambda: before + after[:length] + after,
        "empty": lambda: b"",
        "shifted": lambda: before + after[length:],
    }[kind]()
    assume(other != content)
    return other


def readers(world: World) -> list[tuple[str, Found]]:
    """Each run, with each file that it may read."""
    return [
        (run, found)
        for run in ALL_RUNS
        for found in files_of(list(stage_of(run).reads), world.files)
        if fits(run, found.names)
    ]


def every(world: World) -> list[Found]:
    """Each file that some stage reads, or that is sealed for whoever reads it."""
    sealed = [
        found
        for run in ALL_RUNS
        for found in files_of([each for each in stage_of(run).writes if isinstance(each, SEALED)], world.files)
        if not found.file.endswith(Vectors.none)
    ]
    return list({found.file: found for found in (*sealed, *(found for _, found in world.once(readers)))}.values())


def read_damaged(world: World, draw: Draw) -> None:
    """A damaged file, by its own reader."""
    found = draw(st.sampled_from(world.once(every)))
    expect_refused(found, damaged(draw, (world.finished.root / found.file).read_bytes()), world)


def read_foreign(world: World, draw: Draw) -> None:
    """A file that is whole, but of another data set, variant or way to make it."""
    found = draw(st.sampled_from(world.once(every)))
    alike = [
        each.file
        for each in world.once(every)
        if each.artifact.general == found.artifact.general
        and each.file != found.file
        and Path(each.file).name == Path(found.file).name
    ]
    other = draw(st.sampled_from(["of another data set", *alike]))
    content = (world.finished.root / (other if other in alike else found.file)).read_bytes()
    if other not in alike:
        content = renamed(content, Path(found.file).suffix, found.file.replace(KEY, "other", 1))
    expect_refused(found, content, world)


def expect_refused(found: Found, content: bytes, world: World) -> None:
    """Its reader says in a line that it is not what was written."""
    root = world.scratch / "read"
    path = root / found.file
    path.parent.mkdir(parents=True, exist_ok=True)
    for beside in (world.finished.root / found.file).parent.glob("*_vectors.parquet"):
        shutil.copy(beside, path.parent)
    path.write_bytes(content)
    reads = [found.artifact.read, *([found.artifact.about] if isinstance(found.artifact, Tensors) else [])]  # type: ignore[attr-defined]
    for read in reads:
        try:
            read(KEY, root)
        except InputError as error:
            expect("\n" not in str(error), f"several lines: {error}")
            expect(str(path) in str(error), f"{found.file} is not named: {error}")
            expect_printable(str(error))
        else:
            expect(False, f"{found.file}: read as if nothing were wrong with it")


class Swap(NamedTuple):
    """A file that a run reads, to be put there in another version.

    Attributes:
        part: what it is to be made of another version of; None: it is itself another one than others are made of.
    """

    run: str
    found: Found
    part: str | None


def of_another_version(world: World, draw: Draw) -> None:
    """A file that is whole and has the right name, but is not the one that goes with the others: a line, or the same bytes."""
    of_kind = {kind: found for kind, found in world.once(swaps).items() if found}
    swap = draw(st.sampled_from(of_kind[draw(st.sampled_from(sorted(of_kind)))]))
    sandbox = world.sandbox("damaged")
    with sandbox.trial():
        path = sandbox.root / swap.found.file
        path.write_bytes(another_version(path.read_bytes(), swap))
        before = sandbox.workspace.files()
        assert before != world.files
        if not expect_well_or_one_line(result := sandbox.run(swap.run), 2):
            expect("made from another" in result.err, result.err)
        sandbox.expect_files(before)


def not_as_noted(world: World, draw: Draw) -> None:
    """The same of files of which nothing else tells that they are of another version, where DVC has noted what their stages wrote."""
    run, found = draw(st.sampled_from(world.once(told_by_a_note_alone)))
    sandbox = world.sandbox("noted")
    # `recommend` removes what is noted of a refit that is no longer run, and none is run here.
    note_all(sandbox.root, but=Path(REFIT.path).name)
    with sandbox.trial():
        path = sandbox.root / found.file
        path.write_bytes(another_version(path.read_bytes(), Swap(run, found, None)))
        before = sandbox.workspace.files()
        if not expect_well_or_one_line(result := sandbox.run(run), 2):
            expect("found another version than dvc.lock has of it" in result.err, result.err)
        sandbox.expect_files(before)


def told_by_a_note_alone(world: World) -> list[tuple[str, Found]]:
    others = {
        (swap.run, swap.found.file) for found in world.once(swaps).values() for swap in found if swap.part is None
    }
    return [
        (run, found)
        for run, found in world.once(readers)
        if (run, found.file) not in others and is_read(run, found) and not in_a_folder(found)
    ]


def in_a_folder(found: Found) -> bool:
    """Whether the file lies in a folder that is an output as a whole, of which DVC notes no files."""
    return any(
        part in found.file
        for part in ("/variants/", "/baselines/", "/evaluation/ablations/", "/showcase/", "/vectors/", "/added/")
    )


def another_version(content: bytes, swap: Swap) -> bytes:
    """The content of the file, sealed as another version."""
    file = Path(swap.found.file)
    if swap.part is not None:
        made_of = check_seal(content, swap.found.file, file).made_of
        return renamed(content, file.suffix, swap.found.file, made_of=made_of | {swap.part: made_of[swap.part][::-1]})
    frame = pl.read_parquet(content).head(-1) if file.suffix == ".parquet" else None
    return renamed(content, file.suffix, swap.found.file, frame)


def swaps(world: World) -> dict[str, list[Swap]]:
    """By the kind of the file: those that something tells which the same run reads."""
    parts = {
        found.file: check_seal((world.finished.root / found.file).read_bytes(), found.file, Path()).made_of
        for found in world.once(every)
        if found.artifact.name(KEY) == found.file
    }
    kinds: dict[str, list[Swap]] = {}
    for run in ALL_RUNS:
        mine = [found for reader, found in world.once(readers) if reader == run and is_read(run, found)]
        for found in mine:
            beside = {part for each in mine if each.file != found.file for part in parts[each.file]}
            traced = {each.file for each in mine if each.artifact.traced} - {found.file}
            # Of a table of nothing, that of added items, there is no other version.
            content = (world.finished.root / found.file).read_bytes()
            other = found.file in beside and another_version(content, Swap(run, found, None)) != content
            told = [None] if other else []
            told += sorted(parts[found.file].keys() & (beside | traced))
            kinds.setdefault(found.artifact.general, []).extend(Swap(run, found, part) for part in told)
    return kinds


def is_read(run: str, found: Found) -> bool:
    """What some settings alone read (a GAT that trains with the users, `refit`, a graph by rarity) no run reads here."""
    if run.startswith("derive_graph") and found.artifact.path != EDGES.at(KEY).as_posix():
        return False
    if run.startswith("train_users") and found.artifact.path == RELATIONS.at(KEY).as_posix():
        return run == "train_users.recommended"
    return Path(found.file).name not in {Path(one.path).name for one in (GAT_WEIGHTS, REFIT)}


def stage_meets_damage(world: World, draw: Draw) -> None:
    """A stage that is given a damaged file: a line, or the same bytes where it does without that file; nothing else changes."""
    run, found = draw(st.sampled_from(world.once(readers)))
    sandbox = world.sandbox("damaged")
    with sandbox.trial():
        path = sandbox.root / found.file
        path.write_bytes(damaged(draw, path.read_bytes()))
        before = sandbox.workspace.files()
        if not expect_well_or_one_line(result := sandbox.run(run), 2):
            expect(f"{found.file}: " in result.err and AGAIN in result.err, f"{found.file}: {result.err}")
        sandbox.expect_files(before)


def verb_meets_damage(world: World, draw: Draw) -> None:
    """The same of what somebody asks of a model."""
    verb = draw(st.sampled_from(VERBS))
    sandbox = world.sandbox("damaged")
    answer = world.once(answers)[verb]
    # Mostly of those that it reads.
    others = [each.file for each in world.once(every) if "/evaluation/" not in each.file]
    name = draw(st.sampled_from(others if draw(st.integers(0, 4)) == 1 else answer.read))
    with sandbox.trial():
        path = sandbox.root / name
        path.write_bytes(damaged(draw, path.read_bytes()))
        before = sandbox.workspace.files()
        result = sandbox.crmman(*verb)
        if expect_well_or_one_line(result, 2):
            expect(result.out == answer.out, f"{name}: another answer: {result.out}")
        else:
            expect(f"{name}: " in result.err and AGAIN in result.err, f"{name}: {result.err}")
        sandbox.expect_files(before)


class Answered(NamedTuple):
    """What a verb answers where nothing is damaged, and which files it reads for that."""

    out: str
    read: list[str]


def answers(world: World) -> dict[tuple[str, ...], Answered]:
    sandbox = world.sandbox("damaged")

    def answer(verb: tuple[str, ...]) -> Answered:
        read: dict[str, None] = {}

        def noted(content: bytes, name: str, path: Path) -> Seal:
            read[name] = None
            return check_seal(content, name, path)

        with patch("pipeline.artifacts.kinds.artifact.check_seal", noted):
            return Answered(sandbox.crmman(*verb).out, list(read))

    return {verb: answer(verb) for verb in VERBS}
