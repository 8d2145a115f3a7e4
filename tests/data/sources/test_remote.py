"""Copies of what lies in a store, by a real S3 server."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.common.errors import InputError
from pipeline.data.sources.movielens import MovieLensSource
from pipeline.data.sources.remote import here, written
from pipeline.data.sources.tables import TablesSource
from tests.recipes import write_recipes
from tests.s3 import SECRET, Bucket, s3_here

ADDRESS = "s3://shop/tables"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with s3_here(tmp_path_factory.mktemp("home")) as bucket:
        yield bucket


@pytest.fixture
def bucket(server: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """With two files and a folder of parts, seen from an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in server.names():
        server.files.rm(name)
    server.put("tables/kg.csv", b"head,relation,tail\n")
    server.put("tables/items.csv", b"item_id\n1\n")
    server.put("tables/interactions.parquet/part.0.parquet", b"0")
    return server


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by the name of each file that is fetched."""
    names: list[str] = []
    copy = shutil.copyfileobj

    def spy(original: Any, file: Any, *sizes: int) -> None:
        names.append(original.path)
        copy(original, file, *sizes)

    monkeypatch.setattr("shutil.copyfileobj", spy)
    return names


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_path_of_this_machine_is_itself() -> None:
    assert here("some/folder") == Path("some/folder")
    assert (written("some/folder/"), written("s3://shop/tables/")) == ("some/folder", ADDRESS)


def test_what_is_fetched_is_what_has_changed(bucket: Bucket, fetched: list[str]) -> None:
    folder = here(ADDRESS)
    assert folder == Path("downloads/s3/shop/tables")
    assert contents(folder) == {
        "kg.csv": b"head,relation,tail\n",
        "items.csv": b"item_id\n1\n",
        "interactions.parquet/part.0.parquet": b"0",
    }
    assert len(fetched) == 3
    assert here(f"{ADDRESS}/") == folder
    assert len(fetched) == 3
    bucket.put("tables/items.csv", b"item_id\n2\n")
    bucket.remove("tables/interactions.parquet/part.0.parquet")
    assert contents(here(ADDRESS)) == {"kg.csv": b"head,relation,tail\n", "items.csv": b"item_id\n2\n"}
    assert fetched[3:] == ["shop/tables/items.csv"]
    assert not (folder / "interactions.parquet").exists()


def test_a_copy_that_somebody_has_spoilt_is_fetched_again(bucket: Bucket, fetched: list[str]) -> None:
    folder = here(ADDRESS)
    (folder / "items.csv").write_bytes(b"item_id\n")
    (folder / "kg.csv").unlink()
    (folder / "of somebody.csv").touch()
    here(ADDRESS)
    assert sorted(fetched[3:]) == ["shop/tables/items.csv", "shop/tables/kg.csv"]
    assert sorted(contents(folder)) == ["interactions.parquet/part.0.parquet", "items.csv", "kg.csv"]


def test_a_file_that_becomes_a_folder_and_the_other_way(bucket: Bucket) -> None:
    bucket.put("tables/items.csv/part", b"1")
    bucket.remove("tables/items.csv")
    bucket.put("tables/interactions.parquet", b"2")
    bucket.remove("tables/interactions.parquet/part.0.parquet")
    expected = {"kg.csv": b"head,relation,tail\n", "items.csv/part": b"1", "interactions.parquet": b"2"}
    assert contents(here(ADDRESS)) == expected


def test_one_file_by_its_address(bucket: Bucket) -> None:
    assert here(f"{ADDRESS}/items.csv").read_bytes() == b"item_id\n1\n"
    bucket.put("tables/items.csv", b"item_id\n3\n")
    assert here(f"{ADDRESS}/items.csv").read_bytes() == b"item_id\n3\n"


def test_readers_read_there(bucket: Bucket, tmp_path: Path, ml_1m_zip: Path) -> None:
    write_recipes(tmp_path / "recipes")
    bucket.put_folder(tmp_path / "recipes", "recipes")
    near, far = (TablesSource(type="tables", path=path).read() for path in ("recipes", "s3://shop/recipes"))
    for name in ("interactions", "items", "kg", "item_entities"):
        assert getattr(near, name).equals(getattr(far, name))
    bucket.put("ml-1m.zip", ml_1m_zip.read_bytes())
    local, copied = (
        MovieLensSource(type="movielens", path=path).read() for path in (str(ml_1m_zip), "s3://shop/ml-1m.zip")
    )
    assert local.interactions.equals(copied.interactions)


@pytest.fixture
def ml_1m_zip(tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "ratings.dat").write_text("1::1::5::978300760\n1::2::3::978300761\n2::1::4::978300762\n")
    (folder / "movies.dat").write_text("1::Toy Story (1995)::Animation|Comedy\n2::Jumanji (1995)::Adventure\n")
    return Path(shutil.make_archive(str(tmp_path / "ml-1m"), "zip", folder))


@pytest.mark.parametrize(
    "address",
    [
        f"s3://me:{SECRET}@shop/tables",
        f"s3://shop/tables?key={SECRET}",
        "s3://shop/../tables",
        "s3://shop//tables",
        "s3://",
        "ftp://shop/tables",
    ],
)
def test_what_is_no_address_of_a_store(address: str) -> None:
    with pytest.raises(InputError, match="found no address of a store, expected s3://, gs://, hdfs://") as refused:
        here(address)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("address", ["s3://shop/nothing", "s3://no-such-bucket/tables"])
def test_nothing_there(bucket: Bucket, address: str) -> None:
    with pytest.raises(InputError, match=f"^{address}: found nothing there, expected a file, or a folder"):
        here(address)


def test_a_name_that_no_file_can_have(bucket: Bucket) -> None:
    bucket.files.call_s3("put_object", Bucket="shop", Key="tables/../../over", Body=b"x")
    with pytest.raises(
        InputError, match=r"s3://shop/tables: found the name 'shop/tables/../../over', expected one that"
    ):
        here(ADDRESS)
    assert not Path("downloads").exists()


def test_no_credentials(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(
        InputError, match=r"s3://shop/tables: cannot be read: .*credentials; access is set by AWS_PROFILE"
    ):
        here(ADDRESS)


def test_no_way_there(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(
        InputError, match=r"s3://shop/tables: cannot be read: Could not connect .*; access is set by"
    ) as said:
        here(ADDRESS)
    assert SECRET not in str(said.value)


def test_a_store_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(
        InputError, match=r"gs://shop/tables: what reads gs:// is not installed; install it: pip install '\.\[gs\]'"
    ):
        here("gs://shop/tables")


def test_it_changes_while_it_is_copied(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copyfileobj

    def and_then(original: Any, file: Any, *sizes: int) -> None:
        copy(original, file, *sizes)
        bucket.put("tables/kg.csv", b"another\n")

    with monkeypatch.context() as patched:
        patched.setattr("shutil.copyfileobj", and_then)
        with pytest.raises(InputError, match="s3://shop/tables: found files that changed while they were copied"):
            here(ADDRESS)
    assert (here(ADDRESS) / "kg.csv").read_bytes() == b"another\n"


def test_no_room(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5))
    with pytest.raises(
        InputError, match=r"s3://shop/tables: found 0\.0 GB to copy, expected at most the 0\.0 GB that are free"
    ):
        here(ADDRESS)


def test_a_writer_that_was_killed_leaves_no_half_copy(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(original: Any, file: Any, *_: int) -> None:
        file.write(original.read(1))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shutil.copyfileobj", half)
        with pytest.raises(KeyboardInterrupt):
            here(ADDRESS)
    assert contents(Path("downloads")) == {}
    assert len(contents(here(ADDRESS))) == 3
