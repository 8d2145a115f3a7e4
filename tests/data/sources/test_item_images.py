"""Which item has which image: by its id or a column, in a folder or a zip, and one line for what is wrong."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

import polars as pl
import pytest

from pipeline.common.config import validated
from pipeline.common.errors import InputError
from pipeline.data.sources import SourceConfig
from pipeline.data.sources import item_images as module
from pipeline.data.sources.item_images import images_in
from tests.parameters.data_check.worlds import write

ITEMS = pl.DataFrame(
    {
        "item_id": ["1", "2", "3", "4"],
        "poster": ["a.png", "sub/b.png", None, " a.png "],
        "address": ["http://host/x/a.png?w=3", "https://host/%62.png", "", "http://host/"],
        "number": [7, 8, 9, None],
    }
)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "posters" / "sub").mkdir(parents=True)
    for name in ("1.jpg", "3.jpg", "a.png", "b.png", "sub/b.png", "p-8.gif"):
        (tmp_path / "posters" / name).write_bytes(name.encode())
    return tmp_path


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{item_id}.jpg", {"1": "1.jpg", "3": "3.jpg"}),
        ("{poster}", {"1": "a.png", "2": "sub/b.png", "4": "a.png"}),
        ("{address}", {"1": "a.png", "2": "b.png"}),
        ("p-{number}.gif", {"2": "p-8.gif"}),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_files_are_found_by_what_they_are_called(
    folder: Path, template: str, expected: dict[str, str], *, packed: bool
) -> None:
    place = "posters"
    if packed:
        place = "posters.zip"
        with zipfile.ZipFile(folder / place, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((folder / "posters").rglob("*.*")):
                archive.write(path, f"all/{path.relative_to(folder / 'posters')}")
        if template == "{address}":
            # Two files of the zip are called so.
            expected = {"1": "a.png"}
        if template == "{poster}":
            expected = {"1": "a.png", "4": "a.png"}
    found, remarks = images_in(folder, place, template, ITEMS)
    assert dict(found.select("item_id", "sha256").iter_rows()) == {
        item: digest(name.encode()) for item, name in expected.items()
    }
    for item, path, inside, _ in found.iter_rows():
        assert (path, inside) == (
            (str(folder / place), f"all/{expected[item]}") if packed else (str(folder / place / expected[item]), "")
        )
    (said,) = remarks
    assert said.startswith(f"{folder / place}: {4 - len(expected)} of 4 items have no image, such as ")


def test_images_may_lie_beside_the_tables(folder: Path) -> None:
    found, _ = images_in(folder / "posters", "", "{item_id}.jpg", ITEMS)
    assert found["item_id"].to_list() == ["1", "3"]


def test_what_cannot_be_read_is_counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "posters" / "2.jpg").write_bytes(b"x" * 100)
    monkeypatch.setattr(module, "LARGEST", 50)
    found, remarks = images_in(folder, "posters", "{item_id}.jpg", ITEMS)
    assert found["item_id"].to_list() == ["1", "3"]
    assert remarks[1].endswith(": 1 images cannot be read, such as 2.jpg: found more than 0 MB")
    with zipfile.ZipFile(folder / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.jpg", bytes(2000))
        archive.writestr("2.jpg", b"two")
    content = bytearray((folder / "z.zip").read_bytes())
    # The packed bytes of the first file.
    content[37] ^= 0xFF
    (folder / "z.zip").write_bytes(content)
    monkeypatch.setattr(module, "LARGEST", 10_000)
    found, remarks = images_in(folder, "z.zip", "{item_id}.jpg", ITEMS)
    assert found["item_id"].to_list() == ["2"]
    assert "1 images cannot be read, such as 1.jpg: " in remarks[1]


@pytest.mark.parametrize(
    ("place", "template", "said"),
    [
        (
            "posters",
            "{title}.jpg",
            "source.image: column title: not found among the items' columns; expected some of: item_id, ",
        ),
        ("posters", "{item_id}.webp", "posters: found none of the images, such as 1.webp of item 1; expected some"),
        ("gone", "{item_id}.jpg", "gone: not found; expected a folder or a zip with images there"),
        ("posters/1.jpg", "{item_id}.jpg", "1.jpg: not a readable zip: "),
    ],
)
def test_what_is_wrong_is_one_line(folder: Path, place: str, template: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        images_in(folder, place, template, ITEMS)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "name",
    ["../secret.jpg", "/etc/passwd", "sub/../../secret.jpg", "a\0.png", "x" * 300 + ".png", "http://h/" + "x" * 300],
)
def test_a_name_that_can_be_no_file_here_is_counted_and_not_followed(folder: Path, name: str, *, packed: bool) -> None:
    (folder / "secret.jpg").write_bytes(b"secret")
    place = "z.zip" if packed else "posters"
    with zipfile.ZipFile(folder / "z.zip", "w") as archive:
        archive.writestr("a.png", b"a.png")
        archive.writestr("../secret.jpg", b"secret")
    items = pl.DataFrame({"item_id": ["1", "2"], "poster": [name, "a.png"]})
    found, (said,) = images_in(folder, place, "{poster}", items)
    assert found["item_id"].to_list() == ["2"]
    assert f"{place}: 1 of 2 items have no image, such as " in said
    assert len(said) < 300 + len(str(folder))
    with pytest.raises(InputError, match="found none of the images, such as ") as error:
        images_in(folder, place, "{poster}", items[:1])
    assert len(str(error.value)) < 300 + len(str(folder))


def test_a_link_to_a_folder_is_refused_which_dvc_does_not_look_behind(folder: Path, tmp_path: Path) -> None:
    """It looks into the files that links lead to, and behind a link that is the data set's folder itself."""
    data = tmp_path / "data"
    (data / "linked").mkdir(parents=True)
    (data / "posters").symlink_to(folder / "posters")
    (data / "linked" / "sub").symlink_to(folder / "posters" / "sub")
    (data / "linked" / "1.jpg").symlink_to(folder / "posters" / "1.jpg")
    with zipfile.ZipFile(tmp_path / "real.zip", "w") as archive:
        archive.writestr("1.jpg", b"one")
    (data / "z.zip").symlink_to(tmp_path / "real.zip")
    (tmp_path / "all").symlink_to(data)
    for place, template, link in (("posters", "{item_id}.jpg", "posters"), ("linked", "{poster}", "linked/sub")):
        with pytest.raises(InputError, match=re.escape(f"{data / link}: found a link to a folder, behind which DVC")):
            images_in(data, place, template, ITEMS)
    for way, place in ((data, "linked"), (data, "z.zip"), (tmp_path / "all", "linked")):
        assert images_in(way, place, "{item_id}.jpg", ITEMS)[0]["item_id"].to_list() == ["1"]


def test_a_column_of_lists_names_no_files(folder: Path) -> None:
    with pytest.raises(InputError, match="column poster: found type List"):
        images_in(folder, "posters", "{poster}", pl.DataFrame({"item_id": ["1"], "poster": [["a"]]}))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"image": "poster"},
            "image: found 'poster', expected the name of a file with a column of the items in braces",
        ),
        ({"image": "{item_id:>9}.jpg"}, "image: found '{item_id:>9}.jpg', expected the name of a file"),
        ({"image": "{item_id.__class__}"}, "expected the name of a file"),
        ({"image": "{item_id"}, "image: found '{item_id': expected '}' before end of string; expected column names"),
        ({"images": "posters"}, "image: found nothing, expected the names of the files in images"),
        (
            {"images": "../posters", "image": "{item_id}.jpg"},
            "images: found '../posters', expected a folder or zip in that",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        validated(SourceConfig, {"source": {"type": "tables", "path": "x", **settings}}, "")


def test_a_source_finds_them_beside_its_tables(tmp_path: Path) -> None:
    folder = write(tmp_path / "d")
    (folder / "3.jpg").write_bytes(b"three")
    source = {"type": "tables", "path": str(folder), "image": "{item_id}.jpg"}
    tables = validated(SourceConfig, {"source": source}, "").read()
    assert tables.images.rows() == [("3", str(folder / "3.jpg"), "", digest(b"three"))]
    assert "9 of 10 items have no image" in tables.remarks[-1]
