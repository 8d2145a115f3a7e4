"""The page without a browser: everything is in it, nothing is fetched, and text from the data stays text."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.metrics.registry import compared_in
from pipeline.explain.words import shared_by
from pipeline.report.packed import packed
from pipeline.report.page.render import as_json, browser_data, in_script, render
from tests.report.world import HOSTILE, ITEMS, items, page, report, shown

VARIANTS = ("attentive", "plain")
VOID = {"meta", "link", "input", "br", "img", "hr"}


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


class Page(HTMLParser):
    """Elements with their attributes, texts under ids and tags, scripts; refuses elements that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.strong: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.texts.append(data)
            if self.open[-1] == "strong":
                self.strong.append(data)

    @property
    def text(self) -> str:
        return flat("".join(self.texts))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def found() -> Page:
    return Page(page(*VARIANTS))


def test_the_sections_come_in_the_order_in_which_they_are_asked_for(found: Page) -> None:
    ids = [section["id"] for section in found.of("section")]
    assert ids == ["data-set", "graph", "map", "learning", "figures", "strengths", "people", "try"]
    assert [link["href"] for link in found.of("a")] == [f"#{name}" for name in ids]


def test_every_chart_has_its_place_and_every_place_its_chart(found: Page) -> None:
    places = [attributes["data-chart"] for attributes in found.of("div") if "data-chart" in attributes]
    assert sorted(places) == sorted(report(*VARIANTS).charts)
    assert set(json.loads(found.scripts[0])["charts"]) == set(places)


def test_nothing_is_fetched(found: Page) -> None:
    addresses = [
        value
        for _, attributes in found.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "poster", "action")
    ]
    assert all(address == "data:," or address.startswith("#") for address in addresses if address is not None)
    (policy,) = [meta["content"] for meta in found.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    style = re.search(r"<style>(.*?)</style>", page(*VARIANTS), re.DOTALL)
    assert style is not None
    assert not re.search(r"url\(|@import", style[1])


def test_text_from_the_data_is_text(found: Page) -> None:
    assert found.of("img") == []
    assert HOSTILE not in page(*VARIANTS)
    # In a warning and among the reasons.
    assert f"als is above plain by <i>{HOSTILE}</i>" in found.text
    assert "small<b>" in found.text
    assert "User <u" in found.text
    assert json.loads(found.scripts[0])["model"]["titles"] == items()["title"].to_list()


def test_what_the_data_is_and_how_s_m_was_chosen(found: Page) -> None:
    for number in report(*VARIANTS).key_numbers:
        assert f"{number.label}{number.value}".replace(" ", "") in found.text.replace(" ", "")
    assert "A like is a rating of 4 or more" in found.text
    assert "takes Sm = 1 (ringed): 90 edges" in found.text


def test_every_figure_is_in_its_table_with_its_interval_and_the_best_in_bold(found: Page) -> None:
    for table in report(*VARIANTS).tables:
        assert table.explained in found.text
        for row in table.rows:
            line = "".join(
                f"{cell.value}{ {'+': '+', '-': '−', '': ''}[cell.mark] }" + (f"±{cell.spread}" if cell.spread else "")
                for cell in row.cells
            )
            assert f"{row.system}{line}" in found.text
        for column, metric in enumerate(table.metrics):
            best = [row.cells[column].value for row in table.rows if row.cells[column].best]
            assert bool(best) == (metric in compared_in(table.protocol))
            assert set(best) <= set(found.strong)
            assert not {row.cells[column].value for row in table.rows} - set(best) & set(found.strong)


def test_every_user_is_there_with_items_scores_and_reasons(found: Page) -> None:
    portraits = report(*VARIANTS).portraits
    assert len(portraits) == 12
    assert "A dozen users" in found.text
    for portrait in portraits:
        assert f"User {portrait.user_id} {portrait.likes} likes, {portrait.dislikes} dislikes" in found.text
        for pick in portrait.picks:
            assert flat(f"{pick.score:.2f}{pick.title}{pick.verdict}") in found.text
            said = "".join(f"{piece.words}{piece.title} ({piece.number.replace('-', '−')})" for piece in pick.why)
            assert flat(said) in found.text


def test_the_first_variant_recommends_and_the_first_that_can_runs_in_the_page() -> None:
    both = report("attentive", "plain")
    assert (both.shown, both.playable, both.refused) == ("attentive", "plain", {"attentive": "its views use attention"})
    text = Page(page("attentive", "plain")).text
    assert "attentive knows only their training split" in text
    assert "plain runs in this page" in text
    assert "attentive cannot run here: its views use attention." in text
    first = report("together", "plain", "attentive")
    assert (first.shown, first.playable, first.refused) == ("together", "together", {})


def test_where_no_model_can_run_the_page_says_so_in_its_place() -> None:
    alone = Page(page("attentive"))
    assert report("attentive").playable is None
    assert (
        "No model of this run can run in a page: attentive: its views use attention. In a terminal any of them answers: "
        'crmman recommend --like "a title".'
    ) in alone.text
    assert not [attributes for attributes in alone.of("input") if attributes.get("id") == "search"]
    assert json.loads(alone.scripts[0])["model"] == {}


def test_the_same_report_gives_the_same_text() -> None:
    assert render(report(*VARIANTS)) == page(*VARIANTS)


@pytest.mark.parametrize("name", ["together", "terms"])
def test_a_model_goes_into_the_page_and_comes_out_the_same(name: str) -> None:
    folded = shown(name)
    columns = len(folded.arrays.get("around.entity", ()))
    names = [f"e{number}" for number in range(columns)]
    found = browser_data(folded.arrays, folded.about, names, ["t"] * ITEMS, [""] * ITEMS, np.arange(ITEMS))
    types = set()
    for key, array in folded.arrays.items():
        one = found["arrays"][key]
        values = np.frombuffer(base64.b64decode(one["data"]), dtype=np.dtype(one["type"]).newbyteorder("<"))
        np.testing.assert_array_equal(values.reshape(one["shape"]).astype(np.float32), array)
        types.add(one["type"])
    assert types == ({"float16", "float32", "uint16"} if columns else {"float16", "float32"})
    assert found["bytes"] == sum(len(one["data"]) for one in found["arrays"].values())
    assert (found["exponents"], found["weights"]) == (folded.about["exponents"], folded.about["weights"])
    assert found["relations"] == [shared_by(relation) for relation in folded.about["relations"]]
    assert found["entities"] == names


@pytest.mark.parametrize(
    ("values", "kind"),
    [([0, 65535], "uint16"), ([0, 65536], "uint32"), ([0.5], "float32"), ([-1], "float32"), ([], "float32")],
)
def test_numbers_are_packed_as_small_as_they_stay_whole(values: list[float], kind: str) -> None:
    found = packed(np.array(values, dtype=np.float32))
    assert found["type"] == kind
    numbers = np.frombuffer(base64.b64decode(found["data"]), dtype=np.dtype(kind).newbyteorder("<"))
    assert numbers.tolist() == values


@given(st.text())
def test_json_in_a_script_is_read_back_and_ends_no_script(text: str) -> None:
    found = as_json({"a": [text]})
    assert not set(found) & set("<>&\u2028\u2029")
    assert json.loads(found) == {"a": [text]}


def test_code_in_a_script_ends_no_script() -> None:
    assert (
        in_script("a = '</script>' + '</SCRIPT ' + '<!--' + '</b>'")
        == r"a = '<\/script>' + '<\/SCRIPT ' + '<\!--' + '</b>'"
    )
