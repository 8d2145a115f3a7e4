"""Charts as Vega specifications that take their colours from the page's style sheet, and the library that draws them.

Vega-Lite is compiled here: what does not fit together shows when the page is made, not when it is read. Colours are CSS
variables: a chart drawn as SVG goes light and dark with the page, without being drawn again.
"""

from __future__ import annotations

import sys
from functools import cache
from subprocess import PIPE, CalledProcessError, Popen
from typing import Any

import vl_convert

Spec = dict[str, Any]
INK, FAINT, LINES, ACCENT, GOOD = "var(--ink)", "var(--faint)", "var(--line)", "var(--c1)", "var(--good)"
# Systems and genres; what comes after them is grey.
COLOURS = tuple(f"var(--c{number})" for number in range(1, 9))
GREY = "var(--grey)"
BUNDLE = """
import sys, vl_convert
sys.stdout.reconfigure(encoding="utf-8", newline="")
sys.stdout.write(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
"""
_FONT = "system-ui, sans-serif"
_CONFIG: Spec = {
    "background": "transparent",
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "gridColor": LINES,
        "labelColor": FAINT,
        "titleColor": FAINT,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelPadding": 6,
    },
    "axisX": {"grid": False},
}


def drawn(values: list[Spec], height: int | str, about: str, **parts: Any) -> Spec:
    """A chart as wide as its place in the page, as a Vega specification.

    Args:
        values: rows of the chart's table.
        height: in pixels, or "container".
        about: what is shown, for those who do not see it.
        parts: of the Vega-Lite specification: mark and encoding, or layer; params.
    """
    spec = {
        "data": {"values": values},
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "description": about,
        "config": _CONFIG,
        **parts,
    }
    compiled: Spec = vl_convert.vegalite_to_vega(spec)
    # An address, if one that nobody asks: a page without any is easier to trust.
    compiled.pop("$schema", None)
    return compiled


def start_bundling() -> None:
    """Begin to make `library` in a process of its own: it takes seconds, in which this one can do something else."""
    _bundling()


@cache
def library() -> str:
    """Vega's JavaScript, which defines `vegaEmbed` in the page.

    Raises:
        CalledProcessError: it could not be made.
    """
    process = _bundling()
    code, complaint = process.communicate()
    if process.returncode:
        raise CalledProcessError(process.returncode, "vl_convert", code, complaint)
    return code


@cache
def _bundling() -> Popen[str]:
    # Not a thread: the library keeps the interpreter to itself while it works.
    return Popen([sys.executable, "-c", BUNDLE], stdout=PIPE, stderr=PIPE, encoding="utf-8")
