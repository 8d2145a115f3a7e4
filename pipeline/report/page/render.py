"""One HTML file out of everything: style, scripts, charts and data inside, nothing to be fetched.

The template escapes every value. What scripts read is JSON in which no character can end the script element, and they put
it on the page as text, never as HTML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.explain.words import shared_by
from pipeline.report.figures import ProtocolTable
from pipeline.report.key_numbers import KeyNumber
from pipeline.report.packed import packed
from pipeline.report.portraits import Portrait
from pipeline.report.vega import Spec, library

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HERE = Path(__file__).parent
SCRIPTS = ("charts.js", "model.js", "taste.js")


@dataclass(frozen=True)
class Report:
    """What the page shows.

    Attributes:
        shown: the variant whose items are drawn, and that recommends.
        charts: name to Vega specification; the template knows the names.
        variant_colours: variant to its colour, in the order of the legends.
        colours: the same, with the best baseline's.
        genres: genre to its colour; empty where no column tells genres.
        genre_column: that column.
        drawn: how many items are drawn; 0 for all.
        panels: charts of slices and their titles.
        findings: sentences on where the model is good and bad.
        playable: name of the variant that runs in the page; None where none can.
        refused: variant to why it cannot run in the page.
        model: what `browser_data` makes of that variant; empty without one.
        posters: item to the address of its image, which holds the image itself; empty where items have none.
    """

    dataset: str
    like_threshold: float | None
    s_m: int
    edges: int
    key_numbers: list[KeyNumber]
    split: str
    shown: str
    charts: Mapping[str, Spec]
    variant_colours: Mapping[str, str]
    colours: Mapping[str, str]
    genres: Mapping[str, str]
    genre_column: str | None
    drawn: int
    tables: list[ProtocolTable]
    slices_explained: str
    panels: list[tuple[str, str]]
    findings: list[str]
    warnings: list[str]
    portraits: list[Portrait]
    playable: str | None
    refused: Mapping[str, str]
    model: Mapping[str, Any]
    posters: Mapping[int, str] = field(default_factory=dict)


def render(report: Report) -> str:
    """The page; the same report gives the same text."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page: str = environment.get_template("page.html").render(
        report=report,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        library=in_script(library()),
        scripts=[in_script((HERE / name).read_text(encoding="utf-8")) for name in SCRIPTS],
        data=as_json(
            {"charts": report.charts, "model": report.model, "posters": report.posters if report.playable else {}}
        ),
    )
    return page


def as_json(content: object) -> str:
    """JSON that can stand in a script element, whatever text is in it."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def in_script(code: str) -> str:
    """JavaScript that can stand in a script element: what would end it means the same, in a string, with the slash escaped."""
    return re.sub("</(script)", r"<\\/\1", code, flags=re.IGNORECASE).replace("<!--", r"<\!--")


def browser_data(
    arrays: Mapping[str, NDArray[np.float32]],
    about: Mapping[str, Any],
    entities: Sequence[str],
    titles: list[str],
    details: list[str],
    ratings: NDArray[np.int64],
) -> dict[str, Any]:
    """A model as the page's script reads it.

    Args:
        arrays: of a `BrowserModel`.
        about: its `exponents`, `weights` and `relations`.
        entities: names of those that the columns of `around` are of.
        titles: of the items.
        details: what else is said of them.
        ratings: of each item, (M,): what a search puts first among equals.
    """
    data = {name: packed(array) for name, array in sorted(arrays.items())}
    return {
        "arrays": data,
        "exponents": dict(about["exponents"]),
        "weights": dict(about["weights"]),
        "relations": [shared_by(name) for name in about["relations"]],
        "entities": list(entities),
        "titles": titles,
        "details": details,
        "ratings": ratings.tolist(),
        "bytes": sum(len(one["data"]) for one in data.values()),
    }
