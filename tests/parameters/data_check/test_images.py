"""`data check` finds images by the items' ids or by a column, and damaged ones among them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl
import pytest

from pipeline.common.config import validated
from pipeline.data.sources import SourceConfig, item_images
from pipeline.parameters.data_check.images import FoundImages
from pipeline.parameters.data_check.text import shown_check
from tests.image.images import file_of, noise
from tests.parameters.data_check.worlds import checked, tables, write


def test_files_called_by_ids_are_proposed_and_damaged_ones_told(tmp_path: Path) -> None:
    folder = write(tmp_path / "d")
    (folder / "posters").mkdir()
    for item in range(8):
        (folder / "posters" / f"{item}.png").write_bytes(file_of(noise(item), "PNG"))
    (folder / "posters" / "5.png").write_bytes(b"no image")
    (folder / "posters" / "readme.txt").write_text("posters")
    found = checked(folder)
    assert found.images == FoundImages("posters", "{item_id}.png", 8, 8, 1)
    assert found.settings()["source"] == {"type": "tables", "path": str(folder)} | {
        "images": "posters",
        "image": "{item_id}.png",
    }
    assert "8  posters/{item_id}.png, of 80% of the items" in shown_check(found)
    (said,) = [finding.sentence() for finding in found.warnings if "images" in finding.problem]
    assert said.endswith("posters: found 1 of 8 images that cannot be read, the first is '5.png': not a readable image")


def with_column(values: list[str | None], name: str = "cover") -> dict[str, pl.DataFrame]:
    return {"items": tables()["items"].with_columns(pl.Series(name, values, dtype=pl.String))}


@pytest.mark.parametrize(
    ("column", "template"),
    [
        ("Image-URL-M", "{Image-URL-M}"),
        ("the cover", "{the cover}"),
        ("größe/€", "{größe/€}"),
        *((name, None) for name in ("0", "a.b", "a[0]", "a}", "a{", "a!r", "a:9")),
    ],
)
def test_a_column_is_proposed_by_any_name_that_a_template_can_have(
    tmp_path: Path, column: str, template: str | None
) -> None:
    folder = write(tmp_path / "d", with_column([f"p{item}.png" for item in range(10)], column))
    (folder / "covers").mkdir()
    for item in range(10):
        (folder / "covers" / f"p{item}.png").write_bytes(file_of(noise(item), "PNG"))
    found = checked(folder)
    assert (found.images.template if found.images else None) == template
    source = found.settings()["source"]
    assert len(validated(SourceConfig, {"source": source}, "").read().images) == (10 if template else 0)


def test_files_named_by_a_column_are_found_in_a_zip(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", with_column([f"http://host/p{item}.JPG" for item in range(9)] + [None]))
    with zipfile.ZipFile(folder / "covers.zip", "w") as archive:
        for item in range(9):
            archive.writestr(f"covers/p{item}.JPG", file_of(noise(item), "JPEG"))
    found = checked(folder)
    assert found.images == FoundImages("covers.zip", "{cover}", 9, 9, 0)


def test_what_fetch_would_not_unpack_is_not_unpacked_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "d")
    with zipfile.ZipFile(folder / "covers.zip", "w") as archive:
        for item in range(8):
            archive.writestr(f"{item}.png", file_of(noise(item), "PNG"))
        archive.writestr("8.png", bytes(100_001), zipfile.ZIP_DEFLATED)
        archive.writestr("9.png", b"", zipfile.ZIP_LZMA)
    monkeypatch.setattr(item_images, "LARGEST", 100_000)
    found = checked(folder)
    assert found.images == FoundImages("covers.zip", "{item_id}.png", 10, 10, 2)
    (said,) = [finding.problem for finding in found.warnings if "images" in finding.problem]
    assert said == "found 2 of 10 images that cannot be read, the first is '8.png': found more than 0 MB"


def test_a_link_to_a_folder_is_told_and_not_proposed(tmp_path: Path) -> None:
    folder = write(tmp_path / "d")
    (tmp_path / "posters").mkdir()
    for item in range(10):
        (tmp_path / "posters" / f"{item}.png").write_bytes(file_of(noise(item), "PNG"))
    (folder / "posters").symlink_to(tmp_path / "posters")
    found = checked(folder)
    assert found.images is None
    assert "image" not in found.settings()["source"]
    (said,) = [finding.sentence() for finding in found.warnings if "link" in finding.problem]
    assert said.startswith(f"{folder}/posters: found a link to a folder, behind which DVC does not look")


def test_a_link_that_leads_nowhere_is_told_at_which_dvc_would_stop(tmp_path: Path) -> None:
    folder = write(tmp_path / "d")
    (folder / "posters").mkdir()
    for item in range(8):
        (folder / "posters" / f"{item}.png").write_bytes(file_of(noise(item), "PNG"))
    (folder / "posters" / "8.png").symlink_to("gone.png")
    (folder / "posters" / "9.png").symlink_to("9.png")
    found = checked(folder)
    assert found.images == FoundImages("posters", "{item_id}.png", 8, 8, 0)
    (said,) = [finding.sentence() for finding in found.warnings if "links" in finding.problem]
    assert said == f"{folder}/posters/8.png: found 2 links that lead nowhere"


def test_names_without_files_are_a_warning(tmp_path: Path) -> None:
    for values, said in (
        (
            [f"p{item}.jpg" for item in range(10)],
            "column cover: found names of images, such as 'p0.jpg', and no folder",
        ),
        ([f"http://h/p{item}.jpg" for item in range(10)], "column cover: found addresses of images, such as"),
    ):
        found = checked(write(tmp_path / said[22:27], with_column(values)))
        assert found.images is None
        assert "image" not in found.settings()["source"]
        assert any(said in finding.sentence() for finding in found.warnings)


def test_without_images_nothing_is_said(tmp_path: Path) -> None:
    folder = write(tmp_path / "d")
    (folder / "logo.png").write_bytes(file_of(noise(0), "PNG"))
    (folder / "old").mkdir()
    (folder / "broken.zip").write_bytes(b"PK")
    found = checked(folder)
    assert found.images is None
    assert "\n  images" not in shown_check(found)
    assert not any("image" in finding.problem for finding in found.warnings)
