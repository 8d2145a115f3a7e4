"""Text that would run somewhere: in a page, in a terminal, in a spreadsheet. And command lines that nobody would write."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
from hypothesis import strategies as st

from pipeline.artifacts.data import ITEMS, USERS
from pipeline.report.compose import Tables, compose
from pipeline.report.page.render import render
from tests.faults.campaign import Draw, TrialNotPossibleError
from tests.faults.outcome import expect, expect_one_line, expect_printable, expect_well_or_one_line
from tests.faults.world import World
from tests.report import world as reported
from tests.report.test_in_browser import CHROMIUM, DRAWN, FLAGS, PATIENCE_MS
from tests.stages.workspace import KEY

HIT = "window.hit=1"
SCRIPTS = (
    f"<script>{HIT}</script>",
    f"</script><script>{HIT}</script>",
    f"<img src=x onerror={HIT}>",
    f"\"><svg onload='{HIT}'>",
    f"'><body onload={HIT}>",
    f"</title><script>{HIT}</script>",
    f"</style><script>{HIT}</script>",
    f"</textarea><img src=x onerror={HIT}>",
    f"<!--<script>{HIT}",
    f"--><script>{HIT}</script>",
    f"<![CDATA[<script>{HIT}</script>]]>",
    f"javascript:{HIT}",
    f"<a href='javascript:{HIT}' autofocus onfocus={HIT}>x</a>",
    f"<iframe srcdoc='<script>parent.{HIT}</script>'>",
    f"<details open ontoggle={HIT}>",
    f"<input autofocus onfocus={HIT}>",
    f"<math><mtext></p><img src onerror={HIT}>",
    f"`${{{HIT}}}`",
    f"${{{HIT}}}",
    f"{{{{ {HIT} }}}}",
    "{% for x in y %}",
    "{{ 7*7 }}",
    f'";{HIT};//',
    f"';{HIT};//",
    f"\\u003cscript\\u003e{HIT}\\u003c/script\\u003e",
    f"\\x3cscript\\x3e{HIT}",
    f"&lt;script&gt;{HIT}&lt;/script&gt;",
    "<link rel=stylesheet href=http://127.0.0.1:9/x.css>",
    "<img src=http://127.0.0.1:9/x.png>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "<base href=http://127.0.0.1:9/>",
    "url(http://127.0.0.1:9/x)",
    "</div></main></body></html>",
    "a\u2028b\u2029c",
    "\ufeff\u202eabc\u0000",
    "__proto__",
    "constructor",
    "toString",
    "<b>bold</b>",
    "&",
    "'",
    '"',
    "\\",
    "\\\\'\"`",
    "$&",
    "$'",
    "x" * 2000,
    "\n",
    "",
)
SEQUENCES = (
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x1b[31mred",
    "\x9b2J",
    "\r\x1b[K",
    "\x07",
    "\x08" * 9,
    "\x00",
    "\x7f",
    "\u202eabc\u2066",
)
ESCAPES = (
    *SEQUENCES,
    *(
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "=cmd|'/c calc'!A0",
        '=HYPERLINK("http://x")',
        "; ls",
        "$(ls)",
        "`ls`",
    ),
    *(
        "a,b",
        'a"b',
        "a\nb",
        "a\r\nb",
        "[red]x[/red]",
        "%s %d",
        "{0}",
        "é" * 100,
        "x" * 3000,
        "\u2028",
        "\ufeff",
        " ",
        "",
    ),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
WHOLE = (
    ("recommend", "--user", "u7"),
    ("recommend", "--like", "Film number 3", "--dislike", "id:i4"),
    ("recommend", "--user", "u7", "--output", "\x1b[2J/"),
    ("similar", "--item", "id:i3", "--output", "\x1b[2J/\u202e.csv"),
    ("recommend", "--user", "u7", "--dataset", "no such"),
    ("explain", "--user", "u7", "--item", "Film number 3"),
    ("similar", "--item", "id:i3"),
    ("similar", "--item", "Film number 3", "--dataset", KEY),
)
BEGUN = ((), ("recommend",), ("explain",), ("similar",), ("recommend", "--user", "u1"))
ARGUMENTS = (
    *(
        "--user",
        "--item",
        "--like",
        "--dislike",
        "-k",
        "--count",
        "--parts",
        "--paths",
        "--dataset",
        "--variant",
        "--format",
    ),
    *(
        "--output",
        "--by",
        "--help",
        "--",
        "-",
        "--user=",
        "recommend",
        "explain",
        "similar",
        "data",
        "check",
        "u1",
        "id:i3",
    ),
    *(
        "Film number 3",
        "film",
        "id:",
        "id:i999",
        "0",
        "-1",
        "1",
        "3",
        "9" * 30,
        "nan",
        "json",
        "csv",
        "parquet",
        "table",
    ),
    *(
        "structure",
        "text",
        "../../x",
        "/",
        ".",
        "x.json",
        "no/x.csv",
        "x.parquet",
        "crmman",
        "recommended",
        "small",
        "",
    ),
)


def in_a_page(world: World, draw: Draw) -> None:
    """The report of names that would run: nothing runs, nothing is asked for, nothing is said on the console."""
    browser = world.once(_browser)
    variant = draw(st.sampled_from(["plain", "terms"]))
    text = st.sampled_from(SCRIPTS)
    chosen = [draw(text) for _ in range(12)]
    path = world.scratch / "page.html"
    path.write_text(_page(variant, chosen), encoding="utf-8")
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    try:
        _expect_silence(context, path)
    finally:
        context.close()


def _page(variant: str, chosen: list[str]) -> str:
    """The report of a small data set in which every text is one of those given, or ends with it."""

    def spoilt(frame: pl.DataFrame, but: tuple[str, ...] = ()) -> pl.DataFrame:
        texts = [name for name, dtype in frame.schema.items() if dtype == pl.String and name not in but]
        return frame.with_columns(
            pl.Series(name, [f"{chosen[(row + column) % len(chosen)]}{row}" for row in range(len(frame))])
            for column, name in enumerate(texts)
        )

    tables = reported.tables([variant])
    hostile = Tables(
        **{
            **vars(tables),
            "items": spoilt(tables.items, ("year", "item_id")),
            "users": spoilt(tables.users),
            "source_kg": spoilt(tables.source_kg, ("head",)),
            "entities": spoilt(tables.entities),
            "warnings": chosen,
        }
    )
    shown = reported.shown(variant)
    reasons = shown.reasons.with_columns(
        pl.when(pl.col(name).is_null()).then(None).otherwise(pl.lit(chosen[at])).alias(name)
        for at, name in enumerate(("relation", "entity"))
    )
    return render(
        compose(
            chosen[0],
            hostile,
            {variant: type(shown)(**{**vars(shown), "reasons": reasons})},
            reported.TEMPLATE,
            4.0,
            s_m=1,
            seed=42,
        )
    )


def _expect_silence(context: Any, path: Path) -> None:
    tab, said, asked = context.new_page(), [], []
    tab.set_default_timeout(PATIENCE_MS)
    tab.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    tab.goto(path.resolve().as_uri())
    tab.wait_for_function(DRAWN)
    for words in ("a", "<", "script", "1"):
        tab.fill("#search", words)
        for kind in ("like", "dislike"):
            button = tab.locator(f"#found .{kind}").first
            if button.count():
                button.click()
    for summary in tab.locator("summary:visible").all()[:20]:
        summary.click()
    expect(tab.evaluate("() => window.hit === undefined"), "a script ran")
    expect(asked == [path.resolve().as_uri()], f"asked for {asked}")
    expect(not said, f"said {said}")
    expect(
        tab.locator("script[src], link:not([href^='data:']), iframe, base, object, embed").count() == 0,
        "an element came in",
    )


def _browser(world: World) -> Any:
    from playwright.sync_api import sync_playwright

    chromium = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if chromium is None:
        raise TrialNotPossibleError("no Chromium on the path: `apt-get install chromium` brings one")
    playwright = world.closing.enter_context(sync_playwright())
    browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
    world.closing.callback(browser.close)
    return browser


def in_a_terminal(world: World, draw: Draw) -> None:
    """Titles and ids that a terminal or a spreadsheet would obey, in every form that `crmman` answers in."""
    sandbox = world.sandbox("hostile")
    word = st.one_of(st.sampled_from(SEQUENCES), st.sampled_from(ESCAPES), st.text(max_size=6))
    words = draw(st.lists(word, min_size=1, max_size=3))
    with sandbox.trial() as root:
        items, users = ITEMS.read(KEY, root), USERS.read(KEY, root)
        titles = [f"{words[place % len(words)]}{title}" for place, title in enumerate(items["title"])]
        ITEMS.write(items.with_columns(title=pl.Series(titles, dtype=pl.String)), KEY, root)
        USERS.write(users.with_columns(user_id=pl.lit(words[0]) + pl.col("user_id")), KEY, root)
        user = f"{words[0]}u7"
        verb = draw(
            st.sampled_from(
                [
                    ["recommend", f"--user={user}"],
                    ["explain", f"--user={user}", "--item", "id:i9"],
                    ["similar", "--item", "id:i9"],
                    ["recommend", f"--like={titles[3]}"],
                    ["similar", f"--item={titles[9]}"],
                ]
            )
        )
        form = draw(st.sampled_from(["table", "json", "csv"]))
        # A null byte cannot be in a command line.
        if any("\x00" in word for word in verb):
            return
        # The model is of other titles and ids, and would be refused beside these.
        with patch("pipeline.artifacts.kinds.versions.check"):
            result = sandbox.crmman(*verb, "--format", form)
        if not expect_well_or_one_line(result, 2):
            expect(verb[1].startswith(("--like=", "--item=")), f"ids are known: {result.err}")
            return
        expect_printable(result.err)
        if form == "table":
            expect_printable(result.out)
        elif form == "json":
            expect(isinstance(json.loads(result.out), dict), "no object")
            expect_printable(result.out)
        else:
            _expect_cells(result.out)


def _expect_cells(text: str) -> None:
    """No cell of text begins as a formula does."""
    for row in csv.DictReader(io.StringIO(text, newline="")):
        for name, cell in row.items():
            if name in ("title", "reason", "item_id", "user_id", "kind", "through") and cell:
                expect(not cell.startswith(FORMULA), f"{name}: a spreadsheet would run {cell[:100]!r}")


def command_line(world: World, draw: Draw) -> None:
    """Any words after `crmman`, or a command with perhaps another word in it: an answer, or one line."""
    word = st.one_of(st.sampled_from(ARGUMENTS), st.text(max_size=6))
    if draw(st.booleans()):
        words = list(draw(st.sampled_from(WHOLE)))
        if draw(st.booleans()):
            words[draw(st.integers(0, len(words) - 1))] = draw(word)
    else:
        words = [*draw(st.sampled_from(BEGUN)), *draw(st.lists(word, max_size=7))]
    sandbox = world.sandbox("hostile")
    before = {path.name for path in sandbox.root.iterdir()}
    try:
        with sandbox.trial():
            result = sandbox.crmman(*words)
            expect_well_or_one_line(result, 2)
            sandbox.expect_files(world.files)
    finally:
        for path in sandbox.root.iterdir():
            if path.name not in before:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def output_anywhere(world: World, draw: Draw) -> None:
    """`--output` into what is no regular file of somebody's own: it is written into, or one line; it stays what it was."""
    sandbox = world.sandbox("hostile")
    folder = world.scratch / "of somebody"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    kind = draw(
        st.sampled_from(["file", "private", "link", "links", "nowhere", "circle", "folder", "below a file", "terminal"])
    )
    path = folder / "out.csv"
    real = folder / "real.csv"
    ours = theirs = None
    if kind in ("file", "private", "below a file"):
        path.write_text("old")
    if kind == "private":
        path.chmod(0o600)
    elif kind == "link":
        real.write_text("old")
        path.symlink_to(real)
    elif kind == "links":
        real.write_text("old")
        (folder / "middle").symlink_to("real.csv")
        path.symlink_to(folder / "middle")
    elif kind == "nowhere":
        path.symlink_to(real)
    elif kind == "circle":
        path.symlink_to(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "terminal":
        # The one device that a test may have.
        ours, theirs = os.openpty()
        path.symlink_to(os.ttyname(theirs))
    was = os.lstat(path)
    target = path / "below.csv" if kind == "below a file" else path
    try:
        with sandbox.trial():
            result = sandbox.crmman("recommend", "--user", "u7", "-k", "2", "--format", "csv", "--output", str(target))
        if kind in ("circle", "folder", "below a file"):
            expect_one_line(result, 2)
        else:
            expect(result.code == 0, result.err)
        now = os.lstat(path)
        expect(stat.S_IFMT(now.st_mode) == stat.S_IFMT(was.st_mode), "it is no longer what it was")
        expect(stat.S_IMODE(now.st_mode) == stat.S_IMODE(was.st_mode), "its mode is another")
        if kind in ("file", "private", "link", "links", "nowhere"):
            expect(path.read_text().startswith("rank,"), f"not written: {path.read_text()[:100]}")
        expect({each.name for each in folder.iterdir()} <= {"out.csv", "real.csv", "middle"}, "something is left over")
    finally:
        for handle in (ours, theirs):
            if handle is not None:
                os.close(handle)
