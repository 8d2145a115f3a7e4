"""Posters in the page: inside it, within a size, beside their titles, and none where items have none."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest

from pipeline.report.page.render import render
from pipeline.report.posters import posters_of
from tests.report.test_page import Page
from tests.report.world import HOSTILE, ITEMS, items, page, page_with_posters, report, thumbnails

RATINGS = np.array([3, 9, 0, 9, 5])
SMALL = {item: bytes([item]) * 30 for item in (0, 1, 3, 4)}
# An address of 30 bytes.
LENGTH = len("data:image/webp;base64,") + 40


def test_what_is_recommended_comes_first_and_then_what_is_rated_most() -> None:
    assert list(posters_of(SMALL, [4, 2], RATINGS, 1e6, playable=True)) == [4, 1, 3, 0]
    assert list(posters_of(SMALL, [4, 2], RATINGS, 1e6, playable=False)) == [4]
    found = posters_of(SMALL, [], RATINGS, 1e6, playable=True)
    assert base64.b64decode(found[3].removeprefix("data:image/webp;base64,")) == SMALL[3]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(0, []), (3 * LENGTH - 1, []), (3 * LENGTH, [4]), (4 * LENGTH - 1, [4]), (4 * LENGTH, [4, 1])],
)
def test_each_counts_as_often_as_it_is_in_the_page(limit: float, expected: list[int]) -> None:
    assert list(posters_of(SMALL, [4, 4], RATINGS, limit, playable=True)) == expected


@pytest.mark.parametrize("limit", [0, 400, 1_500, 3_000, 1e6])
def test_the_page_holds_no_more_of_them_than_it_may(limit: float) -> None:
    found = report("plain", posters_limit=limit)
    images = re.findall(r"data:image/webp;base64,[\w+/=]+", render(found))
    assert sum(map(len, images)) <= limit
    assert set(images) == set(found.posters.values())


def test_each_stands_beside_its_title_in_the_page() -> None:
    found = Page(page_with_posters("plain"))
    images = [attributes for tag, attributes in found.elements if tag == "img"]
    picks = [pick for portrait in report("plain").portraits for pick in portrait.picks]
    assert [image["alt"] for image in images] == [pick.title for pick in picks if pick.item in thumbnails()]
    titles = items()["title"].to_list()
    for image in images:
        address = image["src"] or ""
        item = titles.index(image["alt"])
        assert base64.b64decode(address.removeprefix("data:image/webp;base64,")) == thumbnails()[item]
    empty = [attributes for tag, attributes in found.elements if tag == "span" and attributes.get("class") == "poster"]
    assert len(images) + len(empty) == len(picks)


def test_without_posters_nothing_of_them_is_in_the_page() -> None:
    assert report("plain").posters == {}
    found = Page(page("plain"))
    assert not any(tag == "img" for tag, _ in found.elements)
    assert not any(attributes.get("class") in ("poster", "posters") for _, attributes in found.elements)


def test_a_title_is_no_markup_as_an_alternative_either() -> None:
    assert HOSTILE in items()["title"].to_list()
    assert HOSTILE not in page_with_posters("plain")
    assert len(report("plain", posters_limit=1e6).posters) == ITEMS - 6
