"""The page in a real Chromium, from disk: it loads in silence, and what one clicks is what Python computes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.explain.contributions import contributions_of
from pipeline.users.people import Person, preference_of
from tests.report.browser import Browser, executable
from tests.report.world import CONFIGS, HOSTILE, ITEMS, items, model, page, report

PLAYABLE = [name for name in CONFIGS if name != "attentive"]
TITLES = items()["title"].to_list()
RECOMMENDED = 10


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium = executable()
    if chromium is None:
        pytest.skip("no Chromium on the path: `apt-get install chromium` brings one")
    started = Browser(chromium, tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def opened(
    browser: Browser, folder: Path, *variants: str, width: int = 1200, dark: bool = False, phone: bool = False
) -> Path:
    path = folder / f"{'-'.join(variants)}.html"
    path.write_text(page(*variants), encoding="utf-8")
    browser.open(path, width, dark=dark, phone=phone)
    return path


def search(browser: Browser, words: str) -> list[str]:
    """Titles that are found when these words are typed."""
    browser.click("#search")
    browser.run("document.getElementById('search').select()")
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="Delete", code="Delete", windowsVirtualKeyCode=46)
    browser.write(words)
    found: list[str] = browser.run("[...document.querySelectorAll('#found b')].map((name) => name.textContent)")
    return found


def rate(browser: Browser, kind: str, title: str) -> None:
    """Search for a title and click like or dislike where it is found."""
    search(browser, title)
    browser.click(f"#found [data-item='{TITLES.index(title)}'] .{kind}")


def recommended(browser: Browser) -> list[tuple[int, float]]:
    """Items and scores, from the first on."""
    pairs = browser.run(
        "[...document.querySelectorAll('#recommended > li')].map((row) => [Number(row.dataset.item), Number(row.dataset.score)])"
    )
    return [(int(item), float(score)) for item, score in pairs]


def assert_recommended(browser: Browser, name: str, likes: list[str], dislikes: list[str]) -> None:
    """The ten best items of the model for such a person, their scores to 1e-4, and reasons of the parts that Python finds."""
    person = Person(
        *(np.array([TITLES.index(title) for title in titles], dtype=np.int64) for titles in (likes, dislikes))
    )
    scores = preference_of(model(name), [person])[0]
    best = [item for item in np.argsort(-scores, kind="stable") if item not in np.concatenate(person)][:RECOMMENDED]
    found = recommended(browser)
    assert [item for item, _ in found] == best
    assert [score for _, score in found] == pytest.approx(scores[best].tolist(), abs=1e-4)
    why = browser.run("[...document.querySelectorAll('#recommended .why')].map((line) => line.textContent)")
    parts = contributions_of(model(name), person, np.array(best))
    for row, line in enumerate(why):
        for titles, of_kind, kind in ((likes, parts.likes, "liked"), (dislikes, parts.dislikes, "disliked")):
            if titles:
                strongest = max(
                    zip(of_kind[row], titles, strict=True), key=lambda part: part[0] * np.sign(of_kind[row].sum())
                )
                words = "because you" if of_kind[row].sum() >= 0 else "in spite of your"
                kind_of_words = kind if of_kind[row].sum() >= 0 else kind.replace("liked", "liking")
                assert f"{words} {kind_of_words} {strongest[1]} ({signed(strongest[0])})" in line
        if parts.bias[row]:
            assert line.endswith(f"for anybody ({signed(parts.bias[row])})")


def signed(number: float) -> str:
    return f"{'−' if number < 0 else '+'}{abs(number):.2f}"


def test_it_loads_from_disk_in_silence_and_asks_the_network_for_nothing(browser: Browser, folder: Path) -> None:
    path = opened(browser, folder, "attentive", "plain")
    assert browser.complaints == []
    assert browser.requests == [path.resolve().as_uri()]
    drawn = browser.run(
        "[...document.querySelectorAll('[data-chart]')].map((place) => place.querySelectorAll('path').length)"
    )
    assert len(drawn) == len(report("attentive", "plain").charts)
    assert min(drawn) > 1


def test_the_driver_hears_complaints_and_requests(browser: Browser, folder: Path) -> None:
    path = folder / "bad.html"
    path.write_text(
        "<script>console.error('no'); fetch('file:///nowhere').catch(() => 0); throw new Error('thrown')</script>"
    )
    browser.open(path)
    assert any("no" in complaint for complaint in browser.complaints)
    assert any("thrown" in complaint for complaint in browser.complaints)
    assert browser.requests == [path.resolve().as_uri(), "file:///nowhere"]


def test_titles_are_text_wherever_they_show(browser: Browser, folder: Path) -> None:
    opened(browser, folder, "plain")
    rate(browser, "like", HOSTILE)
    assert browser.run("document.querySelector('#taste li').firstChild.textContent") == HOSTILE
    assert browser.run("document.querySelector('#recommended .why').textContent").startswith(
        ("because you liked </script>", "in spite")
    )
    place = report("plain").charts["map"]
    point = next(row for source in place["data"] for row in source.get("values", []) if row["title"] == HOSTILE)
    hover(browser, point["x"], point["y"])
    assert HOSTILE in browser.run("document.querySelector('.tip').textContent")
    assert browser.run("document.querySelectorAll('img').length + document.querySelectorAll('.tip b').length") == 0
    assert browser.run("typeof window.hit") == "undefined"
    assert browser.complaints == []


def hover(browser: Browser, x: float, y: float) -> None:
    """Put the mouse over a place of the map, whose axes go from -1.05 to 1.05."""
    left, top, width, height = browser.run(
        "(() => { const it = document.querySelector('[data-chart=map]'); it.scrollIntoView({block: 'center', behavior: 'instant'});"
        "const box = it.querySelector('svg').getBoundingClientRect(); return [box.x, box.y, box.width, box.height]; })()"
    )
    middle = (left + width * (x + 1.05) / 2.1, top + height * (1.05 - y) / 2.1)
    browser.point_at(middle[0] + 30, middle[1])
    browser.point_at(*middle)
    browser.wait_for("!document.querySelector('.tip').hidden")


@pytest.mark.parametrize("name", PLAYABLE)
def test_recommendations_follow_what_is_liked_and_disliked_to_the_models_own_digits(
    browser: Browser, folder: Path, name: str
) -> None:
    opened(browser, folder, name)
    assert_recommended(browser, name, [], [])
    rate(browser, "like", "Alien")
    first = recommended(browser)
    assert_recommended(browser, name, ["Alien"], [])
    rate(browser, "like", "Film number 12")
    rate(browser, "dislike", "Amélie")
    assert_recommended(browser, name, ["Alien", "Film number 12"], ["Amélie"])
    assert recommended(browser) != first
    # From among what is recommended.
    item = recommended(browser)[0][0]
    browser.click(f"#recommended [data-item='{item}'] .dislike")
    assert_recommended(browser, name, ["Alien", "Film number 12"], ["Amélie", TITLES[item]])
    browser.click(f"#taste [data-item='{TITLES.index('Film number 12')}'] button")
    browser.click(f"#taste [data-item='{item}'] button")
    browser.click(f"#taste [data-item='{TITLES.index('Amélie')}'] button")
    assert recommended(browser) == first
    browser.click("#clear")
    assert_recommended(browser, name, [], [])
    assert browser.complaints == []


def test_a_search_finds_titles_by_their_start_then_by_words_whatever_the_accents(
    browser: Browser, folder: Path
) -> None:
    opened(browser, folder, "plain")
    assert search(browser, "birds") == ["Birds of Paradise", "The Birds"]
    assert search(browser, "AMELIE") == ["Amélie"]
    assert sorted(search(browser, "irds")) == ["Birds of Paradise", "The Birds"]
    assert search(browser, "no such title") == []
    assert not browser.run("document.getElementById('nothing').hidden")
    assert len(search(browser, "film")) == 6
    rate(browser, "like", "The Birds")
    assert search(browser, "birds") == ["Birds of Paradise"]


def test_a_title_is_liked_or_disliked_and_not_both(browser: Browser, folder: Path) -> None:
    opened(browser, folder, "plain")
    rate(browser, "like", "Alien")
    chips = "[...document.querySelectorAll('#taste li')].map((chip) => [chip.className, chip.firstChild.textContent])"
    assert browser.run(chips) == [["likes", "Alien"]]
    browser.run(f"rateAgain = document.querySelector('#taste [data-item=\"{TITLES.index('Alien')}\"] button').click()")
    rate(browser, "dislike", "Alien")
    assert browser.run(chips) == [["dislikes", "Alien"]]


def test_a_genre_can_be_seen_alone(browser: Browser, folder: Path) -> None:
    opened(browser, folder, "plain")
    faint = (
        "[...document.querySelectorAll('[data-chart=map] .mark-symbol path')]"
        ".filter((point) => Number(point.getAttribute('opacity')) < 0.2).length"
    )
    assert browser.run(faint) == 0
    genres = [
        button["g"]
        for button in browser.run("[...document.querySelectorAll('[data-genre]')].map((b) => ({g: b.dataset.genre}))")
    ]
    assert genres == list(report("plain").genres)
    browser.click(f"[data-genre={json.dumps(genres[0])}]")
    browser.wait_for(f"{faint} > 0")
    points = [row for source in report("plain").charts["map"]["data"] for row in source.get("values", [])]
    assert len(points) == ITEMS
    assert browser.run(faint) == sum(row["genre"] != genres[0] for row in points)
    browser.click(f"[data-genre={json.dumps(genres[0])}]")
    browser.wait_for(f"{faint} === 0")


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_needs_no_scrolling_to_the_side(browser: Browser, folder: Path, width: int) -> None:
    opened(browser, folder, "attentive", "plain", width=width, phone=True)
    rate(browser, "like", HOSTILE)
    assert browser.run("document.documentElement.scrollWidth") == width
    assert browser.run("innerWidth") == width
    wide = "[...document.querySelectorAll('svg, p, h1, h2, h3, button, input')].filter((it) => !it.closest('.scroll')"
    assert browser.run(f"{wide} && it.getBoundingClientRect().right > {width}).length") == 0


def test_charts_follow_the_width_of_the_window(browser: Browser, folder: Path) -> None:
    opened(browser, folder, "plain", width=1200)
    browser.call("Emulation.setDeviceMetricsOverride", width=390, height=900, deviceScaleFactor=1, mobile=True)
    browser.wait_for("document.documentElement.scrollWidth === 390")


def test_it_is_dark_where_the_system_is(browser: Browser, folder: Path) -> None:
    colours = (
        "['color', 'backgroundColor'].map((name) => getComputedStyle(document.body)[name].match(/[0-9]+/g).map(Number))"
    )
    axis = "getComputedStyle(document.querySelector('[data-chart=edges] .role-axis-label text')).fill"
    light, dark = {}, {}
    for found, is_dark in ((light, False), (dark, True)):
        opened(browser, folder, "plain", dark=is_dark)
        found["ink"], found["paper"] = browser.run(colours)
        found["axis"] = browser.run(axis)
    assert min(light["paper"]) > 240
    assert max(light["ink"]) < 60
    assert max(dark["paper"]) < 40
    assert min(dark["ink"]) > 200
    assert light["axis"] != dark["axis"]


def test_a_page_without_a_model_to_run_is_silent_too(browser: Browser, folder: Path) -> None:
    opened(browser, folder, "attentive")
    assert browser.complaints == []
    assert "No model of this run can be computed in a page" in browser.run("document.getElementById('try').textContent")
