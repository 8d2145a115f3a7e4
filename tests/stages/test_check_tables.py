"""What is checked are the tables of the source that params.yaml names now, not those that an earlier run has left."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.artifacts.data import SOURCE_ITEMS, TABLES_CHECKED
from pipeline.common.errors import InputError
from stages.check_tables import STAGE, main
from stages.shared.stage import Settings
from tests.repository import ROOT


def test_a_new_template_is_tried_on_the_new_source_and_not_on_the_columns_that_were_fetched_before(
    recbole_wheel: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(recbole_wheel.parent))
    params = (ROOT / "params.yaml").read_text().replace("path: pipeline/", f"path: {ROOT}/pipeline/")
    Path("params.yaml").write_text(params)
    left = SOURCE_ITEMS.at("ml-100k")
    left.parent.mkdir(parents=True)
    pl.DataFrame({"item_id": ["1"], "name": ["of the source before"]}).write_parquet(left)
    main("ml-100k", Settings(STAGE, "ml-100k"))
    assert TABLES_CHECKED.at("ml-100k").is_file()
    Path("params.yaml").write_text(params.replace("{movie_title} ({release_year}). {class}", "{name}"))
    with pytest.raises(InputError, match=r"text_template: .*\bname\b.*movie_title"):
        main("ml-100k", Settings(STAGE, "ml-100k"))
