from __future__ import annotations

import base64
import gzip
import hashlib
import io
import threading
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.common.memory import memory_of_machine
from pipeline.data.sources.atomic import atomic_table
from pipeline.data.sources.delimited import read_table
from pipeline.data.sources.files import (
    DOWNLOADS,
    UNWATCHED,
    DataFile,
    FilesSource,
    _request,
    content_of,
    downloaded,
    refuse_endless_line,
)
from pipeline.data.sources.lines import read_columns, read_lines

MINE = {"type": "any", "path": "here"}


def zip_of(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def source(path: Path, **more: object) -> FilesSource:
    return validated(FilesSource, {"type": "any", "path": str(path), **more}, "")


@contextmanager
def served(content: bytes, *, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """A server on this machine that gives the content for every address, and the addresses it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_file_is_found_in_the_folder_or_in_a_folder_in_it_whatever_the_case(tmp_path: Path) -> None:
    (tmp_path / "ml-1m").mkdir()
    (tmp_path / "ml-1m" / "ratings.dat").write_text("deep")
    assert source(tmp_path).files().get("Ratings.DAT").content() == b"deep"
    (tmp_path / "RATINGS.dat").write_text("here")
    assert source(tmp_path).files().get("ratings.dat").content() == b"here"


def test_the_first_name_that_is_there_counts(tmp_path: Path) -> None:
    for name in ("b.csv", "c.csv"):
        (tmp_path / name).write_text(name)
    found = source(tmp_path).files().find("a.csv", "c.csv", "b.csv")
    assert found is not None
    assert found.content() == b"c.csv"
    assert source(tmp_path).files().find("a.csv") is None


def test_a_file_in_a_zip_is_found_and_named_with_its_zip(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "ml.zip", **{"ml/u1/ratings": "deeper", "ml/ratings": "in it"})
    file = source(path).files().get("ratings")
    assert (str(file), file.content()) == (f"{path}:ml/ratings", b"in it")


def test_hidden_files_are_not_meant(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "ml.zip", **{"__MACOSX/ratings": "not", ".ratings": "nor", "a/.b/ratings": "this"})
    assert source(path).files().get("ratings").content() == b"this"
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "ratings").write_text("not")
    assert source(tmp_path).files().find("ratings") is None


def test_two_files_equally_deep_are_named(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "all.zip", **{"data/book/kg": "1", "data/movie/kg": "2"})
    with pytest.raises(
        InputError, match=r"all\.zip: found data/book/kg and data/movie/kg, expected one kg; set path to its folder$"
    ):
        source(path).files().get("kg")


def test_a_missing_file_is_named_with_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(InputError, match=r": found x\.csv; expected a\.csv or b\.csv there$"):
        source(tmp_path).files().get("a.csv", "b.csv")
    with pytest.raises(InputError, match=r": found nothing; expected a\.csv there$"):
        source(zip_of(tmp_path / "empty.zip")).files().get("a.csv")


def test_what_is_neither_folder_nor_zip_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: not found; expected a folder or a zip there$"):
        source(tmp_path / "nowhere").files()
    (tmp_path / "page.zip").write_text("<html>")
    with pytest.raises(InputError, match=r"page\.zip: not a readable zip: .*; expected a folder or a zip$"):
        source(tmp_path / "page.zip").files()


def test_a_damaged_file_in_a_zip_is_named(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "ml.zip", ratings="1::2::3::4\n" * 100)
    path.write_bytes(path.read_bytes().replace(b"1::2::3::4", b"1::2::3::5", 1))
    with pytest.raises(InputError, match=r"ml\.zip:ratings: cannot be read: .*CRC") as error:
        source(path).files().get("ratings").content()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_url_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    archive = zip_of(tmp_path / "my ml.zip", **{"ml/ratings": "1::2"})
    monkeypatch.chdir(tmp_path)
    with served(archive.read_bytes()) as (address, asked):
        url = archive.as_uri() if scheme == "file" else f"{address}/a/my%20ml.zip?raw=1"
        mine = source(Path("downloads"), url=url, sha256=checksum(archive))
        kept = DOWNLOADS / checksum(archive)[:12] / "my ml.zip"
        for _ in range(2):
            file = mine.files().get("ratings")
            assert (str(file), file.content()) == (f"{kept}:ml/ratings", b"1::2")
        assert everything(DOWNLOADS) == [kept.parent.name, f"{kept.parent.name}/my ml.zip"]
        assert asked == ([] if scheme == "file" else ["/a/my%20ml.zip?raw=1"])


def test_a_damaged_download_is_fetched_again(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "ml.zip", ratings="1::2")
    kept = downloaded(archive.as_uri(), checksum(archive), tmp_path / "kept")
    kept.write_bytes(archive.read_bytes()[:-1])
    assert downloaded(archive.as_uri(), checksum(archive), tmp_path / "kept") == kept
    assert kept.read_bytes() == archive.read_bytes()


def test_a_wrong_checksum_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "ml.zip", ratings="1::2")
    kept = downloaded(archive.as_uri(), checksum(archive), tmp_path / "kept")
    before = everything(tmp_path)
    with served(archive.read_bytes()) as (address, _), pytest.raises(InputError) as error:
        downloaded(f"{address}/ml.zip", "0" * 64, tmp_path / "kept")
    assert str(error.value) == f"{address}/ml.zip: found sha256 {checksum(archive)}, expected {'0' * 64}"
    assert everything(tmp_path) == before
    # One that was right stays when it cannot be replaced.
    kept.write_bytes(b"damaged")
    archive.write_bytes(b"other")
    with pytest.raises(InputError, match="found sha256"):
        downloaded(archive.as_uri(), kept.parent.name + "0" * 52, tmp_path / "kept")
    assert everything(tmp_path) == before


def test_what_cannot_be_downloaded_is_one_line_with_the_reason_and_leaves_nothing(tmp_path: Path) -> None:
    gone = pytest.raises(InputError, match=r"^http://127\S+/ml\.zip: cannot be downloaded: .*Not Found")
    with served(b"gone", status=404) as (address, _), gone:
        downloaded(f"{address}/ml.zip", "0" * 64, tmp_path / "kept")
    with pytest.raises(InputError, match=r"^http://127\S+/ml\.zip: cannot be downloaded: .*refused"):
        downloaded(f"{address}/ml.zip", "0" * 64, tmp_path / "kept")
    with pytest.raises(InputError, match=r"^file:///nowhere/ml\.zip: cannot be downloaded: .*No such file"):
        downloaded("file:///nowhere/ml.zip", "0" * 64, tmp_path / "kept")
    assert everything(tmp_path) == ["kept"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "ml.zip", ratings="1::2")
    with pytest.raises(InputError, match=r"ml\.zip: cannot be written: (Not a directory|File exists)$"):
        downloaded(archive.as_uri(), checksum(archive), archive)


def test_a_url_and_its_checksum_go_together() -> None:
    assert validated(FilesSource, MINE, "").url is None
    cases = [
        ({"url": "https://x/y.zip"}, "p: sha256: found nothing, expected the checksum of the file at url"),
        ({"sha256": "0" * 64}, "p: url: found nothing, expected the address of the zip that sha256 belongs to"),
        ({"url": "ftp://x/y.zip", "sha256": "0" * 64}, "p: url: found 'ftp://x/y.zip', expected a string that matches"),
        ({"url": "https://x/y.zip", "sha256": "0"}, "p: sha256: found '0', expected a string that matches"),
    ]
    for changes, message in cases:
        with pytest.raises(InputError) as error:
            validated(FilesSource, MINE | changes, "p: ")
        assert str(error.value).startswith(message)


def test_a_file_of_ones_own_is_one_in_the_folder_or_zip_that_path_names(tmp_path: Path) -> None:
    (tmp_path / "kg").mkdir()
    (tmp_path / "kg" / "films.kg").write_text("mine")
    assert source(tmp_path).own_file("kg/films.kg", "kg_triples").content() == b"mine"
    with pytest.raises(
        InputError, match=r"^source\.kg_triples: found 'films\.kg', which \S+ does not have; expected a file there$"
    ):
        source(tmp_path).own_file("films.kg", "kg_triples")


def test_a_file_that_unpacks_to_far_more_than_it_takes_is_refused_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.data.sources.files.MUCH", 50_000)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("much.csv", bytes(200_000))
        archive.writestr("small.csv", bytes(50_000))
        archive.writestr("dense.csv", np.random.default_rng(0).bytes(60_000))
    much, small, dense = (DataFile(path, name, zipped=True) for name in ("much.csv", "small.csv", "dense.csv"))
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda archive, name: name.encode())
    with pytest.raises(
        InputError, match=r"bomb.zip:much.csv: found 0 MB in 0.0 MB of the zip, expected at most 100 times as"
    ):
        much.content()
    allowed = source(path, largest_ratio=10_000).files()
    assert allowed.get("much.csv").content() == b"much.csv"
    assert (small.content(), dense.content()) == (b"small.csv", b"dense.csv")


def test_a_packed_file_that_unpacks_to_far_more_than_it_takes_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.data.sources.files.MUCH", 50_000)
    monkeypatch.setattr("pipeline.data.sources.files.CHUNK", 10_000)
    path = tmp_path / "kg.csv.gz"
    path.write_bytes(gzip.compress(bytes(1_000_000)))
    with pytest.raises(InputError) as error:
        content_of(path)
    assert str(error.value) == (
        f"{path}: found more than 0 MB in 0.0 MB, expected at most 100 times as much; if that is right, unpack it"
    )
    for content in (b"", bytes(50_000), np.random.default_rng(0).bytes(60_000)):
        # In two members, as `cat` of two packed files gives them.
        path.write_bytes(gzip.compress(content[:100]) + gzip.compress(content[100:]))
        assert content_of(path) == content
    monkeypatch.setattr("pipeline.common.memory.memory_of_machine", lambda: 200_000)
    path.write_bytes(gzip.compress(bytes(49_000)))
    with pytest.raises(InputError, match=r"kg\.csv\.gz: found a table that takes some .* expected at most the"):
        content_of(path)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
def test_a_packed_file_that_is_damaged_or_cut_is_read_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, cut: bool
) -> None:
    content = bytearray(gzip.compress(b"a,b\n1,2\n" * 20))
    content[place % len(content)] = value
    path = tmp_path_factory.mktemp("gz") / "a.csv.gz"
    path.write_bytes(content[: place % len(content)] if cut else content)
    with suppress(InputError):
        read_table(path)


def test_a_declared_size_that_is_a_lie_is_no_way_around(tmp_path: Path) -> None:
    path = tmp_path / "lie.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bytes(200_000))
    content = path.read_bytes()
    path.write_bytes(content.replace((200_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    with pytest.raises(InputError, match=r"lie.zip:a.csv: cannot be read: "):
        DataFile(path, "a.csv", zipped=True).content()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_unpacks_to_more_than_it_is_asked_for_is_not_unpacked(tmp_path: Path, method: int) -> None:
    path = tmp_path / "small.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.csv", bytes(50_000_000))
    assert path.stat().st_size < 20_000
    file = DataFile(path, "a.csv", zipped=True)
    tracemalloc.start()
    assert file.first_line() == b""
    with pytest.raises(InputError, match=r"small\.zip:a\.csv: found a zip packed in an unusual way"):
        file.content()
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("url", ["http://[::1/x.zip", "http://[x]/a.zip"])
def test_what_is_no_url_is_one_line(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^http://.*: found no URL: .*; expected one such as https://host/file.zip$"):
        downloaded(url, "0" * 64, tmp_path)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_zip_with_a_byte_changed_is_read_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int
) -> None:
    content = bytearray(ZIPPED)
    content[place % len(content)] = value
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    path.write_bytes(content)
    # Whatever else it raises fails the test; names may have changed too.
    with suppress(InputError):
        files = FilesSource(type="x", path=str(path)).files()
        for name in ("a.csv", "b.csv"):
            files.get(name).content()


def _zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.csv", "a,b\n1,2\n" * 20, zipfile.ZIP_DEFLATED)
        archive.writestr("b.csv", "a,b\n1,2\n" * 20)
    return buffer.getvalue()


ZIPPED = _zipped()


def test_a_password_in_a_url_is_sent_where_it_belongs_and_never_said(tmp_path: Path) -> None:
    request = _request("http://me:se%40cret@host:81/a/ml.zip?x=1")
    assert request.full_url == "http://host:81/a/ml.zip?x=1"
    assert request.host == "host:81"
    assert base64.b64decode(request.unredirected_hdrs["Authorization"].removeprefix("Basic ")) == b"me:se@cret"
    assert not _request("http://host/ml.zip").unredirected_hdrs
    for url in (
        "http://me:secret@127.0.0.1:1/ml.zip",
        "https://me:secret@nowhere.invalid/ml.zip",
        "http://127.0.0.1:1/ml.zip?token=secret",
        "http://me:se'/secret@[x/ml.zip",
    ):
        with pytest.raises(InputError, match=r"^https?://(\*\*\*@)?[\w.:\[]+/ml\.zip(\?\*\*\*)?: ") as error:
            downloaded(url, "0" * 64, tmp_path)
        assert "secret" not in str(error.value)


def test_a_line_without_an_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.data.sources.files.LONGEST_LINE", 10)
    for content in (b"", b"1234567890", b"1234567890\n" * 5, b"a\n" * 50 + b"1234567890"):
        refuse_endless_line(content, "x.dat")
    for content, line in ((b"12345678901", 1), (b"a\nb\n12345678901\nc\n", 3), (b"a\n" * 50 + b"12345678901", 51)):
        with pytest.raises(InputError) as error:
            refuse_endless_line(content, "x.dat")
        assert str(error.value) == f"x.dat: line {line}: found more than 10 bytes, expected a line of a table"
    path = tmp_path / "ratings.csv"
    path.write_text("a,b\n12345678901,2\n")
    for read in (
        lambda: read_table(path),
        lambda: read_lines(DataFile(path, path.name), "utf-8"),
        lambda: read_columns(DataFile(path, path.name), ",", {"a": pl.Int64, "b": pl.Int64}),
        lambda: atomic_table(path.read_bytes(), str(path)),
    ):
        with pytest.raises(InputError, match=r"line 2: found more than 10 bytes"):
            read()


def test_what_this_machine_cannot_hold_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, archive, parquet = tmp_path / "a.csv", tmp_path / "a.zip", tmp_path / "a.parquet"
    text.write_text("a,b\n" + "1,2\n" * 1000)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(text, "a.csv")
    # Equal rows take next to nothing in a file.
    pl.DataFrame({"a": [1] * 100_000, "b": ["x"] * 100_000}).write_parquet(parquet)
    reads = {
        str(text): lambda: read_table(text),
        f"{archive}:a.csv": lambda: DataFile(archive, "a.csv", zipped=True).content(),
        str(parquet): lambda: read_table(parquet),
    }
    for read in reads.values():
        read()
    monkeypatch.setattr("pipeline.common.memory.memory_of_machine", lambda: 15_000)
    for where, read in reads.items():
        with pytest.raises(InputError, match=r"expected at most the 0\.0 GB of memory of this machine") as error:
            read()
        assert str(error.value).startswith(f"{where}: found a table that takes some ")
    monkeypatch.setattr("pipeline.common.memory.memory_of_machine", lambda: 7_000_000)
    reads[str(text)]()
    with pytest.raises(InputError, match=r"a\.parquet: found a table"):
        read_table(parquet)


def test_the_memory_of_the_machine_is_that_of_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [tmp_path / "max", tmp_path / "limit"]
    monkeypatch.setattr("pipeline.common.memory.LIMITS", limits)
    whole = memory_of_machine()
    assert whole is not None
    assert whole > 1e8
    limits[0].write_text("max\n")
    assert memory_of_machine() == whole
    limits[1].write_text("1000000\n")
    assert memory_of_machine() == 1_000_000
    monkeypatch.setattr("os.sysconf", lambda name: 0)
    limits[1].unlink()
    assert memory_of_machine() is None


def test_a_file_behind_a_link_to_a_folder_is_refused_where_it_is_read(tmp_path: Path) -> None:
    """DVC does not look there: a change of the file would run nothing again."""
    data = tmp_path / "data"
    (data / "real").mkdir(parents=True)
    (data / "real" / "a.csv").write_text("a\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.csv").write_text("b\n")
    (data / "linked").symlink_to(tmp_path / "elsewhere")
    (data / "c.csv").symlink_to(tmp_path / "elsewhere" / "b.csv")
    (tmp_path / "link").symlink_to(data)
    files = source(tmp_path / "link").files()
    assert [files.get(name).content() for name in ("a.csv", "c.csv")] == [b"a\n", b"b\n"]
    behind = files.get("b.csv")
    for read in (behind.content, behind.first_line, lambda: list(behind.lines())):
        with pytest.raises(InputError) as error:
            read()
        assert str(error.value) == f"{tmp_path}/link/linked: {UNWATCHED}"
