"""The page in a real Chromium, from disk: it loads in silence, and what one clicks is what Python computes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from pipeline.explain.causes import main_causes_of
from pipeline.explain.contributions import Explainer
from pipeline.explain.sentence import Named, Piece, pieces
from pipeline.explain.words import in_words
from pipeline.recommend.recommend import recommended_to
from pipeline.users.people import Person, preference_of
from tests.report.world import CONFIGS, HOSTILE, ITEMS, items, model, page, page_with_posters, report, thumbnails

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 60_000
PLAYABLE = [name for name in CONFIGS if name != "attentive"]
TITLES = items()["title"].to_list()
ENTITIES = [f"<Entity {number}>" for number in range(6)]
RECOMMENDED = 10
DRAWN = "() => [...document.querySelectorAll('[data-chart]')].every((place) => place.querySelector('svg'))"


class Opened:
    """A page from disk, its charts drawn, and what it said and asked for.

    Attributes:
        tab: the page.
        address: where it lies.
        complaints: errors and warnings on the console, and what was thrown.
        requests: addresses, that of the page itself among them.
    """

    def __init__(self, context: BrowserContext, path: Path) -> None:
        self.tab, self.address = context.new_page(), path.resolve().as_uri()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.tab.set_default_timeout(PATIENCE_MS)
        self.tab.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", self._asked)
        self.tab.goto(self.address)
        self.tab.wait_for_function(DRAWN)

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def run(self, script: str) -> Any:
        """Value of an expression of JavaScript."""
        return self.tab.evaluate(script)

    def search(self, words: str) -> list[str]:
        """Titles that are found when these words are typed."""
        self.tab.fill("#search", words)
        return self.tab.locator("#found b").all_text_contents()

    def rate(self, kind: str, title: str) -> None:
        """Search for a title and click like or dislike where it is found."""
        self.search(title)
        self.tab.click(f"#found [data-item='{TITLES.index(title)}'] .{kind}")

    def recommended(self) -> list[tuple[int, float]]:
        """Items and scores, from the first on."""
        rows = "[...document.querySelectorAll('#recommended > li')]"
        pairs = self.run(f"{rows}.map((row) => [Number(row.dataset.item), Number(row.dataset.score)])")
        return [(int(item), float(score)) for item, score in pairs]


Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if chromium is None:
        pytest.skip("no Chromium on the path: `apt-get install chromium` brings one")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    contexts: list[BrowserContext] = []

    def open_page(*variants: str, width: int = 1200, dark: bool = False, phone: bool = False, text: str = "") -> Opened:
        path = tmp_path / f"{'-'.join(variants)}.html"
        path.write_text(text or page(*variants), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", is_mobile=phone
        )
        contexts.append(context)
        return Opened(context, path)

    yield open_page
    for context in contexts:
        context.close()


def assert_recommended(found: Opened, name: str, likes: list[str], dislikes: list[str]) -> None:
    """The ten best items of the model for such a person, their scores to 1e-3, and the sentences of Python."""
    person = Person(
        *(np.array([TITLES.index(title) for title in titles], dtype=np.int64) for titles in (likes, dislikes))
    )
    scores = preference_of(model(name), [person])[0]
    best = [item for item in np.argsort(-scores, kind="stable") if item not in np.concatenate(person)][:RECOMMENDED]
    shown = found.recommended()
    assert [item for item, _ in shown] == best
    assert [score for _, score in shown] == pytest.approx(scores[best].tolist(), abs=1e-3)
    ((items, contributions),) = recommended_to(model(name), [person], RECOMMENDED)
    causes = main_causes_of(Explainer(model(name)), person, items, contributions)
    merged = "rated" in model(name).scorer.views
    for row, line in enumerate(found.tab.locator("#recommended .why").all_text_contents()):
        told: list[list[Named]] = []
        for kind, titles, values, mine in (
            ("like", likes, contributions.likes, causes.likes),
            ("dislike", dislikes, contributions.dislikes, causes.dislikes),
        ):
            words = [cause and in_words(cause, kind, merged, ENTITIES.__getitem__) for cause in mine[row]]  # type: ignore[arg-type]
            told.append(
                [
                    Named(title, value, cause or "")
                    for title, value, cause in zip(
                        titles, values[row].tolist(), words or [None] * len(titles), strict=True
                    )
                ]
            )
        bias, score = float(contributions.bias[row]), float(contributions.score[row])
        # Item-to-item weights are in half precision there, which can turn the last digit.
        assert_same_sentence(line, pieces(*told, bias, score), 0.01 if model(name).co_rating is not None else 0.0)


def assert_same_sentence(line: str, expected: list[Piece], off: float) -> None:
    """Word for word, and number for number but for so much."""
    number = re.compile(r" \(([+−]?\d+\.\d\d)((?:, [^)]*)?)\)")
    *words, last = number.split(line)[::3]
    assert words == [f"{piece.words}{piece.title}" for piece in expected]
    assert last == ""
    numbers, causes = (number.split(line)[place::3] for place in (1, 2))
    assert causes == [f", {piece.cause}" if piece.cause else "" for piece in expected]
    assert [float(shown.replace("−", "-")) for shown in numbers] == pytest.approx(
        [float(piece.number) for piece in expected], abs=off + 1e-9
    )
    assert not any(re.fullmatch(r"[+−]0\.00", shown) for shown in numbers)


def test_it_loads_from_disk_in_silence_and_asks_the_network_for_nothing(opened: Open) -> None:
    found = opened("attentive", "plain")
    assert found.complaints == []
    assert found.requests == [found.address]
    drawn = found.run(
        "[...document.querySelectorAll('[data-chart]')].map((place) => place.querySelectorAll('path').length)"
    )
    assert len(drawn) == len(report("attentive", "plain").charts)
    assert min(drawn) > 1


def test_complaints_and_requests_are_heard(opened: Open) -> None:
    found = opened(
        "bad",
        text="<script>console.error('no'); fetch('file:///nowhere').catch(() => 0); throw new Error('thrown')</script>",
    )
    found.tab.wait_for_load_state("networkidle")
    assert any("no" in complaint for complaint in found.complaints)
    assert any("thrown" in complaint for complaint in found.complaints)
    assert found.requests == [found.address, "file:///nowhere"]


def test_titles_are_text_wherever_they_show(opened: Open) -> None:
    found = opened("plain")
    found.rate("like", HOSTILE)
    assert found.run("document.querySelector('#taste li').firstChild.textContent") == HOSTILE
    assert found.run("document.querySelector('#recommended .why').textContent").startswith(
        ("because you liked </script>", "in spite")
    )
    place = report("plain").charts["map"]
    point = next(row for source in place["data"] for row in source.get("values", []) if row["title"] == HOSTILE)
    hover(found.tab, point["x"], point["y"])
    assert HOSTILE in found.run("document.querySelector('.tip').textContent")
    assert found.run("document.querySelectorAll('img').length + document.querySelectorAll('.tip b').length") == 0
    assert found.run("typeof window.hit") == "undefined"
    assert found.complaints == []


def hover(tab: Page, x: float, y: float) -> None:
    """Put the mouse over a place of the map, whose axes go from -1.05 to 1.05."""
    drawing = tab.locator("[data-chart=map] svg").first
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] * (x + 1.05) / 2.1, box["y"] + box["height"] * (1.05 - y) / 2.1)
    tab.mouse.move(middle[0] + 30, middle[1])
    tab.mouse.move(*middle)
    tab.wait_for_function("() => !document.querySelector('.tip').hidden")


@pytest.mark.parametrize("name", PLAYABLE)
def test_recommendations_follow_what_is_liked_and_disliked_to_the_models_own_digits(opened: Open, name: str) -> None:
    found = opened(name)
    assert_recommended(found, name, [], [])
    found.rate("like", "Alien")
    first = found.recommended()
    assert_recommended(found, name, ["Alien"], [])
    found.rate("like", "Film number 12")
    found.rate("dislike", "Amélie")
    assert_recommended(found, name, ["Alien", "Film number 12"], ["Amélie"])
    assert found.recommended() != first
    # From among what is recommended.
    item = found.recommended()[0][0]
    found.tab.click(f"#recommended [data-item='{item}'] .dislike")
    assert_recommended(found, name, ["Alien", "Film number 12"], ["Amélie", TITLES[item]])
    # So many that some of each kind are "others".
    more = [title for title in ("The Birds", "Film number 20", "Film number 30") if title != TITLES[item]][:2]
    for title in more:
        found.rate("like", title)
    assert_recommended(found, name, ["Alien", "Film number 12", *more], ["Amélie", TITLES[item]])
    for title in (*more, "Film number 12", TITLES[item], "Amélie"):
        found.tab.click(f"#taste [data-item='{TITLES.index(title)}'] button")
    assert found.recommended() == first
    found.tab.click("#clear")
    assert_recommended(found, name, [], [])
    assert found.complaints == []


def test_a_search_finds_titles_by_their_start_then_by_words_whatever_the_accents(opened: Open) -> None:
    found = opened("plain")
    assert found.search("birds") == ["Birds of Paradise", "The Birds"]
    assert found.search("AMELIE") == ["Amélie"]
    assert sorted(found.search("irds")) == ["Birds of Paradise", "The Birds"]
    assert found.search("no such title") == []
    assert not found.run("document.getElementById('nothing').hidden")
    assert len(found.search("film")) == 6
    found.rate("like", "The Birds")
    assert found.search("birds") == ["Birds of Paradise"]


def test_a_title_is_liked_or_disliked_and_not_both(opened: Open) -> None:
    found = opened("plain")
    found.rate("like", "Alien")
    chips = "[...document.querySelectorAll('#taste li')].map((chip) => [chip.className, chip.firstChild.textContent])"
    assert found.run(chips) == [["likes", "Alien"]]
    found.tab.click(f"#taste [data-item='{TITLES.index('Alien')}'] button")
    found.rate("dislike", "Alien")
    assert found.run(chips) == [["dislikes", "Alien"]]


def test_a_genre_can_be_seen_alone(opened: Open) -> None:
    found = opened("plain")
    faint = (
        "[...document.querySelectorAll('[data-chart=map] .mark-symbol path')]"
        ".filter((point) => Number(point.getAttribute('opacity')) < 0.2).length"
    )
    assert found.run(faint) == 0
    genres = found.run("[...document.querySelectorAll('[data-genre]')].map((button) => button.dataset.genre)")
    assert genres == list(report("plain").genres)
    found.tab.click(f"[data-genre={json.dumps(genres[0])}]")
    found.tab.wait_for_function(f"() => {faint} > 0")
    points = [row for source in report("plain").charts["map"]["data"] for row in source.get("values", [])]
    assert len(points) == ITEMS
    assert found.run(faint) == sum(row["genre"] != genres[0] for row in points)
    found.tab.click(f"[data-genre={json.dumps(genres[0])}]")
    found.tab.wait_for_function(f"() => {faint} === 0")


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_needs_no_scrolling_to_the_side(opened: Open, width: int) -> None:
    found = opened("attentive", "plain", width=width, phone=True)
    found.rate("like", HOSTILE)
    assert found.run("document.documentElement.scrollWidth") == width
    assert found.run("innerWidth") == width
    wide = "[...document.querySelectorAll('svg, p, h1, h2, h3, button, input')].filter((it) => !it.closest('.scroll')"
    assert found.run(f"{wide} && it.getBoundingClientRect().right > {width}).length") == 0


def test_charts_follow_the_width_of_the_window(opened: Open) -> None:
    found = opened("plain", width=1200)
    found.tab.set_viewport_size({"width": 390, "height": 900})
    found.tab.wait_for_function("() => document.documentElement.scrollWidth === 390")


def test_it_is_dark_where_the_system_is(opened: Open) -> None:
    colours = (
        "['color', 'backgroundColor'].map((name) => getComputedStyle(document.body)[name].match(/[0-9]+/g).map(Number))"
    )
    axis = "getComputedStyle(document.querySelector('[data-chart=edges] .role-axis-label text')).fill"
    light, dark = {}, {}
    for seen, is_dark in ((light, False), (dark, True)):
        found = opened("plain", dark=is_dark)
        seen["ink"], seen["paper"] = found.run(colours)
        seen["axis"] = found.run(axis)
    assert min(light["paper"]) > 240
    assert max(light["ink"]) < 60
    assert max(dark["paper"]) < 40
    assert min(dark["ink"]) > 200
    assert light["axis"] != dark["axis"]


def test_a_page_without_a_model_to_run_is_silent_too(opened: Open) -> None:
    found = opened("attentive")
    assert found.complaints == []
    assert "No model of this run can run in a page" in found.run("document.getElementById('try').textContent")


def test_the_page_reads_numbers_in_half_precision_as_numpy_does(opened: Open) -> None:
    expected = np.arange(2**16, dtype=np.uint16).view(np.float16)
    found = np.array(opened("plain").run("Array.from(HALVES)"), dtype=float)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(found[finite], expected[finite].astype(float))


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_keeps_anybody_out(opened: Open, dark: bool) -> None:
    """What axe-core finds in the page as it opens, and with something rated: contrast, names, roles, order of headings."""
    found = opened("terms", "plain", dark=dark)
    for rated in (False, True):
        if rated:
            found.rate("like", TITLES[3])
            found.rate("dislike", TITLES[4])
        said = [f"{one['impact']}: {one['id']}" for one in Axe().run(found.tab).response["violations"]]
        assert said == []


@pytest.mark.parametrize(("width", "dark"), [(1200, True), (360, False)])
def test_posters_are_drawn_beside_their_titles_and_keep_nobody_out(opened: Open, width: int, dark: bool) -> None:
    found = opened("plain", width=width, dark=dark, text=page_with_posters("plain"))
    found.rate("like", TITLES[3])
    drawn = """(list) => [...document.querySelectorAll(`#${list} li`)].map((row) => {
        const image = row.querySelector("img.poster");
        return [Number(row.dataset.item), image ? image.alt : null, image ? image.naturalHeight : 0];
    })"""
    for rows in ("found", "recommended"):
        for item, alt, height in found.tab.evaluate(drawn, rows):
            assert (alt, height) == ((TITLES[item], 60) if item in thumbnails() else (None, 0))
    assert not found.run("[...document.querySelectorAll('#people img')].some((image) => !image.naturalHeight)")
    assert found.run("document.documentElement.scrollWidth <= window.innerWidth")
    assert [f"{one['impact']}: {one['id']}" for one in Axe().run(found.tab).response["violations"]] == []
    assert found.complaints == []
    assert found.requests == [found.address]


def test_it_is_used_with_the_keys_alone(opened: Open) -> None:
    found = opened("plain")
    where = "now.closest('ul, ol')?.id ?? now.id, now.className, Number(now.closest('li')?.dataset.item ?? -1)"
    focus = f"((now) => [{where}])(document.activeElement)"
    found.tab.focus("#search")
    found.tab.keyboard.type(TITLES[5])
    found.tab.keyboard.press("Tab")
    assert found.run(focus) == ["found", "like", 5]
    found.search("")
    found.tab.focus("#found li:nth-child(2) .dislike")
    found.tab.keyboard.press("Enter")
    # The next row has taken the place of the one that was rated, and what is recommended says so to those who listen.
    second = int(found.run("document.querySelector('#found li:nth-child(2)').dataset.item"))
    assert found.run(focus) == ["found", "dislike", second]
    assert found.tab.text_content("#hint[aria-live]") == "Recommended to you, who rated 1"
    found.tab.focus("#recommended li:nth-child(3) .like")
    found.tab.keyboard.press("Enter")
    assert found.run(focus)[:2] == ["recommended", "like"]
    found.tab.focus("#taste li:last-child button")
    found.tab.keyboard.press("Enter")
    assert found.run(focus)[0] == "taste"
    found.tab.keyboard.press("Enter")
    assert found.run(focus)[0] == "hint"
