from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.common.config import look_up, read_yaml, validated
from pipeline.common.errors import InputError
from pipeline.data.sources import SourceConfig, TidyTables
from pipeline.data.sources.atomic import atomic_table
from pipeline.data.sources.recbole_wheel import INSIDE, RecboleWheelSource, fetch_wheel

ROOT = Path(__file__).parents[3]
GENRES = ("Horror", "Western", "Animation")


def settings() -> RecboleWheelSource:
    values = look_up(read_yaml(ROOT / "params.yaml"), ("datasets", "ml-100k"), "params.yaml")
    source = validated(SourceConfig, {"source": values["source"]}, "params.yaml: ").source
    assert isinstance(source, RecboleWheelSource)
    return source.model_copy(update={"path": str(ROOT / source.path)})


@pytest.fixture(scope="module")
def offline(recbole_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> pytest.MonkeyPatch:
    """Let pip find the wheel that this session has already fetched, and nothing else; downloads go into an empty folder."""
    with pytest.MonkeyPatch.context() as environment:
        environment.chdir(tmp_path_factory.mktemp("downloads_here"))
        environment.setenv("PIP_NO_INDEX", "1")
        environment.setenv("PIP_FIND_LINKS", str(recbole_wheel.parent))
        yield environment


@pytest.fixture(scope="module")
def ml_100k(offline: pytest.MonkeyPatch) -> TidyTables:
    return settings().read()


def best_correlations(tables: TidyTables, links: pl.DataFrame) -> dict[str, float]:
    """For each MovieLens genre the best phi coefficient with any genre of the knowledge graph, over all items."""
    items = tables.items["item_id"].to_list()
    facts: dict[str, set[str]] = {}
    for head, tail in tables.kg.filter(pl.col("relation") == "film.film.genre").select("head", "tail").iter_rows():
        facts.setdefault(head, set()).add(tail)
    entities = dict(links.select("item_id", "entity_id").iter_rows())
    kg_genres = sorted({genre for genres in facts.values() for genre in genres})
    column = {genre: index for index, genre in enumerate(kg_genres)}
    has = np.zeros((len(items), len(kg_genres)))
    for row, item in enumerate(items):
        for genre in facts.get(entities.get(item, ""), ()):
            has[row, column[genre]] = 1
    has = has[:, has.std(axis=0) > 0]
    best = {}
    for name in GENRES:
        said = np.array([name in text.split() for text in tables.items["class"]], dtype=float)
        best[name] = max(float(np.corrcoef(said, has[:, index])[0, 1]) for index in range(has.shape[1]))
    return best


def test_the_pinned_wheel_gives_movielens_100k(ml_100k: TidyTables) -> None:
    assert len(ml_100k.interactions) == 100_000
    assert ml_100k.interactions["user_id"].n_unique() == 943
    assert len(ml_100k.items) == 1682
    assert len(ml_100k.kg) == 91_631
    assert len(ml_100k.item_entities) == 1505
    assert ml_100k.interactions["rating"].unique().sort().to_list() == [1, 2, 3, 4, 5]
    assert not ml_100k.interactions["timestamp"].has_nulls()
    first = ml_100k.items.filter(pl.col("item_id") == "1").row(0, named=True)
    assert first == {
        "item_id": "1",
        "movie_title": "Toy Story",
        "release_year": "1995",
        "class": "Animation Children's Comedy",
    }


def test_kg_genres_agree_with_movielens_genres_through_the_corrected_link(ml_100k: TidyTables) -> None:
    best = best_correlations(ml_100k, ml_100k.item_entities)
    assert min(best.values()) > 0.7, best


def test_kg_genres_have_nothing_to_do_with_movielens_genres_through_the_link_in_the_wheel(
    ml_100k: TidyTables, recbole_wheel: Path
) -> None:
    with zipfile.ZipFile(recbole_wheel) as archive:
        links = atomic_table(archive.read(f"{INSIDE}.link"), "ml-100k.link").frame
    # Enough of its links name items of the data set for a right one to show.
    assert links["item_id"].is_in(ml_100k.items["item_id"].to_list()).sum() > 1000
    best = best_correlations(ml_100k, links)
    assert max(best.values()) < 0.2, best


def test_another_checksum_is_refused(offline: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = settings()
    with pytest.raises(InputError, match=rf"^recbole-1.2.1-.*whl: found sha256 {source.sha256}, expected {'0' * 64}$"):
        fetch_wheel(source.version, "0" * 64, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_was_fetched_is_read_again_without_pip_as_long_as_it_is_whole(
    offline: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = settings()
    wheel = fetch_wheel(source.version, source.sha256, tmp_path)
    assert wheel.parent == tmp_path / source.sha256[:12]
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    assert fetch_wheel(source.version, source.sha256, tmp_path) == wheel
    wheel.write_bytes(wheel.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"^recbole==1\.2\.1: pip could not fetch"):
        fetch_wheel(source.version, source.sha256, tmp_path)


def test_a_wheel_that_pip_cannot_find_is_one_line_with_pips_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(
        InputError, match=r"^recbole==0\.0\.0: pip could not fetch the wheel: ERROR: .*recbole"
    ) as error:
        fetch_wheel("0.0.0", "0" * 64, tmp_path)
    assert "\n" not in str(error.value)


def test_a_missing_item_to_entity_table_is_named(offline: pytest.MonkeyPatch) -> None:
    source = settings().model_copy(update={"path": "nowhere.csv"})
    with pytest.raises(InputError, match=r"^nowhere\.csv: file not found; expected the item-to-entity table"):
        source.read()


def test_a_wheel_without_the_data_set_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = "recbole-9.9.9-py3-none-any.whl"
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("recbole-9.9.9.dist-info/METADATA", "Metadata-Version: 2.1\nName: recbole\nVersion: 9.9.9\n")
        archive.writestr("recbole-9.9.9.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("recbole-9.9.9.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    sha256 = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    source = RecboleWheelSource(type="recbole-wheel", version="9.9.9", sha256=sha256, path="links.csv")
    with pytest.raises(InputError, match=r"ml-100k\.inter: not found in the wheel; expected MovieLens-100K there$"):
        source.read()
