"""Tables and published data sets as people have them, and worse: every reader, `data check`, and the stages that read them."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import polars as pl
from hypothesis import assume
from hypothesis import strategies as st

from pipeline.artifacts.data import SOURCE_INTERACTIONS, SOURCE_ITEM_ENTITIES, SOURCE_ITEMS, SOURCE_KG
from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.sources import SourceConfig
from tests.data.sources import (
    test_amazon,
    test_atomic,
    test_book_crossing,
    test_goodreads,
    test_goodreads_ucsd,
    test_hetrec_lastfm,
    test_kgcn,
    test_mind,
    test_movielens,
    test_steam,
)
from tests.faults.campaign import Draw
from tests.faults.damaged import damaged
from tests.faults.outcome import expect, expect_printable, expect_well_or_one_line, no_traceback_kept
from tests.faults.world import World
from tests.in_process import Result, run_module
from tests.parameters.data_check import worlds
from tests.repository import ROOT
from tests.stages.workspace import KEY, Workspace, planted_tables

CELLS = (
    *(
        "",
        " ",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "1e20",
        "-1",
        "0",
        "1e-320",
        "9" * 40,
        "1,5",
        "1_0",
        "0x1",
        "NULL",
        "None",
    ),
    *(
        "true",
        "é",
        "\u202eabc",
        "\x1b[2J",
        "=1+1",
        "@x",
        "a\x00b",
        "\ufeffx",
        "\u2028",
        "x" * 5000,
        '"',
        "'",
        "a,b",
        "a\tb",
    ),
    *("a\nb", "a\rb", "\\", "{title}", "{}", "<script>", "../../x", "1970-01-01", "2024-02-30", "5.0", "٣", "½", "𝟓"),
)
NO_NUMBERS = (b"nan", b"NaN", b"inf", b"-inf", b"1e400")
# In names of files with ratings; and endings of those with a row in a line.
RATED, TEXTS = ("rating", "inter"), (".csv", ".dat", ".inter", ".data", ".txt")
LINES = (
    "repeat",
    "repeat",
    "delete",
    "cut",
    "cell",
    "swap",
    "blank",
    "bytes",
    "header",
    "quote",
    "join",
)
# What somebody's tables may be, by their endings; Parquet also in parts.
FORMS = ("csv", "parquet", "jsonl", "csv.gz", "parts")
# Types that a Parquet table may have.
TYPES: tuple[Callable[[pl.Expr], pl.Expr], ...] = (
    lambda column: column.cast(pl.Categorical),
    lambda column: column.cast(pl.Binary),
    lambda column: pl.concat_list(column),
    lambda column: pl.struct(column.alias("inside")),
    lambda column: pl.lit(None, pl.Null),
    lambda column: pl.int_range(pl.len()).cast(pl.Duration),
    lambda column: pl.int_range(pl.len()).cast(pl.Date),
    lambda column: pl.int_range(pl.len()).cast(pl.Time),
    lambda column: pl.int_range(pl.len()).cast(pl.Datetime),
    lambda column: pl.int_range(pl.len()).cast(pl.Decimal(10, 2)),
    lambda column: pl.int_range(pl.len()).cast(pl.UInt64) + 2**63,
    lambda column: pl.lit(True),
    lambda column: column.cast(pl.Float64, strict=False),
    lambda column: pl.lit(2.0) ** pl.int_range(pl.len()).cast(pl.Float64),
    lambda column: pl.lit("x"),
    lambda column: pl.lit(float("nan")),
    lambda column: column.first(),
)


def folders(world: World) -> dict[str, Path]:
    """A data set in each form that a reader knows."""
    made = world.scratch / "readers"
    made.mkdir()
    for name in (
        "atomic",
        "book-crossing",
        "book-crossing in commas",
        "kgcn",
        "kgcn of books",
        "hetrec-lastfm",
        "goodreads",
        "steam",
    ):
        (made / name).mkdir()
    test_atomic.folder_of(made / "atomic")
    test_book_crossing.published(made / "book-crossing")
    test_book_crossing.commas(made / "book-crossing in commas")
    test_kgcn.raw(made / "kgcn", ratings__csv=test_kgcn.CSV)
    test_kgcn.raw(made / "kgcn of books", BX_Book_Ratings__csv=test_kgcn.BOOKS)
    test_hetrec_lastfm.folder_of(made / "hetrec-lastfm")
    test_amazon.write(
        made / "amazon of 2014",
        reviews_Toys_5__json__gz=test_amazon.as_json(test_amazon.REVIEWS_2014),
        meta_Toys__json__gz=test_amazon.as_python(test_amazon.META_2014),
    )
    test_amazon.write(
        made / "amazon of 2023",
        All_Beauty__jsonl=test_amazon.as_json(test_amazon.REVIEWS_2023),
        meta_All_Beauty__jsonl=test_amazon.as_json(test_amazon.META_2023),
    )
    test_goodreads.folder_of(made / "goodreads")
    test_goodreads_ucsd.published(made / "goodreads-ucsd")
    test_mind.folder_of(made / "mind")
    test_mind.both(made / "mind in parts")
    (made / "steam" / "australian_users_items.json").write_text(test_steam.USERS)
    (made / "steam" / "steam_games.json").write_text(test_steam.GAMES)
    (made / "steam reviews").mkdir()
    (made / "steam reviews" / "steam_reviews.json").write_text(test_steam.REVIEWS)
    layouts = {"dat": test_movielens.DAT, "csv": test_movielens.CSV, "old": test_movielens.OLD}
    for layout, files in layouts.items():
        test_movielens.folder_of(made / f"movielens as {layout}", files)
    for form in FORMS:
        write_tables(made / f"tables as {form}", worlds.tables(), form)
    return {path.name: path for path in made.iterdir()}


def write_tables(folder: Path, tables: Mapping[str, pl.DataFrame], form: str) -> None:
    folder.mkdir(parents=True)
    for name, frame in tables.items():
        if form == "parquet":
            frame.write_parquet(folder / f"{name}.parquet")
        elif form == "parts":
            (folder / f"{name}.parquet").mkdir()
            for part in range(2):
                frame[part::2].write_parquet(folder / f"{name}.parquet" / f"part-{part}.parquet")
        else:
            text = frame.write_ndjson() if form == "jsonl" else frame.write_csv()
            (folder / f"{name}.{form}").write_bytes(gzip.compress(text.encode()) if "gz" in form else text.encode())


def read_by_reader(world: World, draw: Draw) -> None:
    """Every reader gives tables that hold what all later stages rely on, or one line."""
    made = world.once(folders)
    name = draw(st.sampled_from(sorted(made)))
    folder = world.scratch / "read by a reader"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made[name], folder)
    for _ in range(draw(st.integers(1, 2))):
        spoil(draw, folder)
    path = _zipped(draw, folder) if draw(st.integers(0, 3)) == 0 and not name.startswith("tables") else folder
    values = {"source": {"type": name.split()[0], "path": str(path)}}
    try:
        tables = validated(SourceConfig, values, "").source.read()
    except InputError as error:
        expect("\n" not in str(error), f"several lines: {error}")
        expect(len(str(error)) < 2000, f"{len(str(error))} characters: {str(error)[:300]}")
        return
    for table, frame in (
        (SOURCE_INTERACTIONS, tables.interactions),
        (SOURCE_ITEMS, tables.items),
        (SOURCE_KG, tables.kg),
        (SOURCE_ITEM_ENTITIES, tables.item_entities),
    ):
        table.encoded(frame, table.path, folder)


def checked_and_staged(world: World, draw: Draw) -> None:
    """`data check` of tables says what is wrong, and what it lets pass every stage takes."""
    folder = world.scratch / "tables of somebody"
    shutil.rmtree(folder, ignore_errors=True)
    write_tables(folder / "tables", planted_tables(), draw(st.sampled_from(FORMS)))
    for _ in range(draw(st.integers(1, 2))):
        spoil(draw, folder / "tables")
    before = _contents(folder)
    with no_traceback_kept(world.scratch / "temporary of inputs"):
        result = run_module("stages.cli", "data", "check", "tables", folder=folder)
        usable = _expect_check(result)
        expect(_contents(folder) == before, "data check wrote something")
        for name in ("params.yaml", "ablations/params.yaml"):
            (folder / name).parent.mkdir(exist_ok=True)
            # `data add` keeps the layout of a file that somebody wrote.
            shutil.copy((ROOT if usable else world.finished.root) / name, folder / name)
        workspace = Workspace(folder)
        if usable:
            added = run_module("stages.cli", "data", "add", "mine", "tables", "--profile", "fast", folder=folder)
            expect(added.code == 0, f"data add refuses what data check lets pass: {added.err}")
        key = "mine" if usable else KEY
        taken = usable
        for run in ("check_tables", "fetch", "prepare", "build_graph"):
            result = workspace.run(run, key)
            well = expect_well_or_one_line(result, 2)
            expect(well or not taken, f"{run} refuses what those before it let pass: {result.err}")
            if not well:
                break
            # What is joined in the graph is seen by `data check` alone before it is.
            taken = usable or run in ("check_tables", "fetch")


def _expect_check(result: Result) -> bool:
    """Whether it says that the tables can be used. If not, it says why, or in one line that they cannot be read."""
    expect(result.code in (0, 2), f"exit code {result.code}: {result.err}")
    expect("Traceback" not in result.err and "this is a bug" not in result.err, result.err)
    expect_printable(result.out + result.err)
    longest = max(map(len, result.out.splitlines()), default=0)
    expect(longest < 3000, f"a line of {longest} characters: {result.out[:300]}")
    if result.code == 0:
        expect("can be used" in result.out.splitlines()[-1], result.out[-500:])
    elif result.err:
        expect_well_or_one_line(result, 2)
    else:
        expect("cannot be used: " in result.out, result.out)
    return result.code == 0


def spoil(draw: Draw, folder: Path) -> None:
    """One thing wrong with one file of a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assume(files)
    path = draw(st.sampled_from(files))
    kind = draw(st.sampled_from(["lines", "lines", "bytes", "file", "column", "column", "number"]))
    rated = [each for each in files if any(word in each.name.lower() for word in RATED) and each.suffix in TEXTS]
    if kind == "number" and rated:
        path = draw(st.sampled_from(rated))
        path.write_bytes(_of_a_number(draw, path.read_bytes()))
    elif kind == "file":
        _of_the_file(draw, path)
    elif kind == "bytes":
        path.write_bytes(damaged(draw, path.read_bytes()))
    elif path.suffix == ".parquet":
        _of_a_column(draw, path)
    elif path.suffix == ".gz":
        # It may have been damaged before.
        with suppress(OSError, EOFError, zlib.error):
            path.write_bytes(gzip.compress(_of_the_lines(draw, gzip.decompress(path.read_bytes()))))
    else:
        path.write_bytes(_of_the_lines(draw, path.read_bytes()))


def _of_the_file(draw: Draw, path: Path) -> None:
    content = path.read_bytes()
    change = draw(
        st.sampled_from(
            ["gone", "folder", "link", "circle", "utf-16", "latin", "bom", "crlf", "cr", "twice", "other", "null"]
        )
    )
    if change in ("gone", "folder", "link", "circle"):
        path.unlink()
    if change == "folder":
        path.mkdir()
    elif change == "link":
        path.symlink_to("nowhere")
    elif change == "circle":
        path.symlink_to(path.name)
    elif change == "other":
        endings = [
            each for each in (".tsv", ".csv", ".parquet", ".jsonl", ".gz", ".txt", ".CSV") if each != path.suffix
        ]
        shutil.copy(path, path.with_suffix(draw(st.sampled_from(endings))))
    elif change not in ("gone",):
        path.write_bytes(
            {
                "utf-16": lambda: content.decode("utf-8", "replace").encode("utf-16"),
                "latin": lambda: content.decode("utf-8", "replace").encode("latin-1", "replace"),
                "bom": lambda: b"\xef\xbb\xbf" + content,
                "crlf": lambda: content.replace(b"\n", b"\r\n"),
                "cr": lambda: content.replace(b"\n", b"\r"),
                "twice": lambda: content + content,
                "null": lambda: b"\x00" * len(content),
            }[change]()
        )


def _of_a_column(draw: Draw, path: Path) -> None:
    try:
        frame = pl.read_parquet(path)
    # It may have been damaged before; polars has no common base class of errors.
    except (Exception, pl.exceptions.PanicException):
        return
    if not frame.width:
        return
    column = draw(st.sampled_from(frame.columns))
    change = draw(st.sampled_from(["type", "type", "cell", "drop", "rename", "empty", "more", "repeat", "repeat"]))
    try:
        if change == "type":
            frame = frame.with_columns(draw(st.sampled_from(TYPES))(pl.col(column)).alias(column))
        elif change == "cell":
            row, cell = draw(st.integers(0, max(len(frame) - 1, 0))), draw(st.sampled_from(CELLS))
            here = pl.int_range(pl.len()) == row
            frame = frame.with_columns(
                pl.when(here).then(pl.lit(cell)).otherwise(pl.col(column).cast(pl.String)).alias(column)
            )
        elif change == "drop":
            frame = frame.drop(column)
        elif change == "rename":
            frame = frame.rename({column: draw(st.sampled_from(CELLS))})
        elif change == "empty":
            frame = frame.head(0)
        elif change == "repeat":
            frame = pl.concat([frame, frame.head(1)])
        else:
            frame = frame.with_columns(pl.lit(draw(st.sampled_from(CELLS))).alias(draw(st.sampled_from(CELLS))))
        content = io.BytesIO()
        frame.write_parquet(content)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        # No such table can be.
        assume(False)
    path.write_bytes(content.getvalue())


def _of_the_lines(draw: Draw, content: bytes) -> bytes:
    lines = content.split(b"\n")
    place = draw(st.integers(0, len(lines) - 1))
    line, kind = lines[place], draw(st.sampled_from(LINES))
    separator = _separator(lines[0])
    cell = draw(st.one_of(st.sampled_from(CELLS), st.text(max_size=8))).encode(errors="surrogatepass")
    cells = line.split(separator)
    cells[draw(st.integers(0, len(cells) - 1))] = cell
    at = draw(st.integers(0, len(line)))
    changed = {
        "repeat": [line, line],
        "delete": [],
        "cut": [line[:at]],
        "cell": [separator.join(cells)],
        "swap": [lines[draw(st.integers(0, len(lines) - 1))]],
        "blank": [line, b""],
        "bytes": [line[:at] + cell + line[at:]],
        "header": [lines[0], line],
        "quote": [line[:at] + b'"' + line[at:]],
        "join": [line + separator + line],
    }[kind]
    return b"\n".join([*lines[:place], *changed, *lines[place + 1 :]])


def _of_a_number(draw: Draw, content: bytes) -> bytes:
    """One of the last two numbers of a row is none: ratings and times stand behind ids, which may be numbers as well."""
    lines = content.split(b"\n")
    place = draw(st.integers(0, len(lines) - 1))
    cells = lines[place].split(_separator(lines[0]))
    numbers = [index for index, each in enumerate(cells) if _is_number(each)]
    assume(numbers)
    cells[draw(st.sampled_from(numbers[-2:]))] = draw(st.sampled_from(NO_NUMBERS))
    lines[place] = _separator(lines[0]).join(cells)
    return b"\n".join(lines)


def _separator(header: bytes) -> bytes:
    return next((mark for mark in (b"::", b"\t", b"|", b";", b",") if mark in header), b",")


def _is_number(cell: bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _zipped(draw: Draw, folder: Path) -> Path:
    """The folder as a zip, perhaps a damaged one."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as archive:
        for file in sorted(folder.iterdir()):
            if file.is_file():
                archive.write(file, file.name)
    if draw(st.booleans()):
        path.write_bytes(damaged(draw, path.read_bytes()))
    return path


def _contents(folder: Path) -> dict[str, bytes | str]:
    def of(path: Path) -> bytes | str:
        return os.readlink(path) if path.is_symlink() else path.read_bytes()

    return {str(path): of(path) for path in sorted(_files(folder))}


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_symlink() or path.is_file():
            yield path
