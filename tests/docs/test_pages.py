"""The pages: what they link to and name is there, and the site needs no network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

from pipeline.artifacts.evaluation import METRICS
from pipeline.evaluation.comparison.markdown import number
from pipeline.evaluation.metrics.registry import compared_in
from tests.docs.console import NOT_RUN, PAGES, typed
from tests.repository import ROOT

PLACES = {
    "films",
    "recipes",
    "recipes with mistakes",
    "dvc",
    "dvc, s_m changed",
    "dvc, another clone",
    "dvc, without git",
}
FOLDERS = ("pipeline", "stages", "tests", "benchmarks", "docs", "ablations", "metrics")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_console_block_says_where_it_runs_or_why_it_does_not(page: Path) -> None:
    places = [one.place for one in typed(page)]
    assert None not in places
    assert {place for place in places if place and not place.startswith(NOT_RUN)} <= PLACES


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert len(links) > 10
    for link in links:
        file, _, anchor = link.partition("#")
        assert (ROOT / file).exists(), link
        headings = re.findall(r"^#+ (.*)$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in headings}


def test_every_page_is_in_the_navigation_and_the_built_site_fetches_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Pages left out of the navigation, links and anchors that lead nowhere: `validation` in mkdocs.yml has warnings for them.
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path), strict=True))
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == []
    pages = list(tmp_path.rglob("*.html"))
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} <= {page.stem for page in pages}
    fetched = (
        r"""<(script|img|iframe)\s(?=[^>]*\bsrc=["']?(https?:)?//)""",
        r"""<link\s(?=[^>]*\brel=["']?(stylesheet|preconnect|preload|icon))(?=[^>]*\bhref=["']?(https?:)?//)""",
    )
    assert [page.name for page in pages if re.search("|".join(fetched), page.read_text("utf-8"))] == []
    styles = [page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.css")]
    assert [text for text in styles if re.search(r"url\([\"']?(?:https?:)?//", text)] == []


def test_the_tours_table_has_the_committed_figures() -> None:
    text = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    metrics = METRICS.read("ml-100k", ROOT)
    (table,) = re.findall(r"```text\n(ctr .*?)```", text, re.DOTALL)
    found = 0
    for part in table.split("\n\n"):
        (protocol, *names), *rows = (line.split() for line in part.splitlines())
        for system, *cells in rows if protocol in ("ctr", "impression", "ranking") else ():
            figures = [cell.lstrip("*") for cell in cells if not cell.startswith("±")]
            assert figures == [number(metrics[system][protocol][name]) for name in names], (system, protocol)
            best = [max(metrics[one][protocol][name] for one in metrics) for name in names]
            starred = [metrics[system][protocol][name] == top for name, top in zip(names, best, strict=True)]
            compared = [name in compared_in(protocol) for name in names]
            marks = [cell.startswith("*") for cell in cells if not cell.startswith("±")]
            assert marks == [star and there for star, there in zip(starred, compared, strict=True)], (system, protocol)
            found += 1
    assert found == 3 * len(metrics)
