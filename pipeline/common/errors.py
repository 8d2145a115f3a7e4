"""What a user can get wrong, said in one line."""

import json
import re
from typing import Any

# Of an error with all that it quotes, and of each of these.
LONGEST_LINE, LONGEST_QUOTED = 2000, 200
# Of a title, or another name or text of an item, wherever it is shown; what is longer is cut.
LONGEST_TITLE = 300
# What a terminal would obey: control characters but line breaks and tabs, and what turns the direction of the text after it.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# A URL behind its scheme, as far as the next space; and as far as a text goes.
_URL, _REST = re.compile(r"(?<=://)\S+", re.ASCII), re.compile(r"(?<=://).+")


class InputError(ValueError):
    """A user's mistake in parameters, tables or artifacts.

    The message is one line that says what and where: file, column, row or key, what was found and what was expected.
    Stages print it to stderr and exit with code 2, without a traceback.
    """


class MachineError(RuntimeError):
    """What is wrong with a machine or a cluster, and no mistake in parameters, tables or artifacts: one line, and exit code 1."""


def printable(text: str) -> str:
    """Text whose control characters are shown as escapes."""
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def without_secrets(text: str) -> str:
    """Text that has the scheme, the host and the path of each URL, and `***` for who asks for it and what is behind a `?`."""
    return _URL.sub(lambda found: _address(found[0]), text)


def _address(url: str) -> str:
    """
    Args:
        url: what is behind its scheme, and marks behind that as a sentence has them.
    """
    bare = url.rstrip("'\")>]}.,:;")
    place = re.split("[?#&]", bare, maxsplit=1)
    _, at, address = place[0].rpartition("@")
    if "@" in bare[len(place[0]) :]:
        # A password with such a mark in it, or an address behind it: who knows.
        return f"***{url[len(bare) :]}"
    return f"{'***@' if at else ''}{address}{'?***' if len(place) > 1 else ''}{url[len(bare) :]}"


def quoted(value: object) -> str:
    """A value that somebody has written, as an error has it. A URL that is one may have spaces in it, which no URL should."""
    secret = _REST if isinstance(value, str) else _URL
    return shortened(secret.sub(lambda found: _address(found[0]), repr(value)))


def shortened(text: str, longest: int = LONGEST_QUOTED) -> str:
    return text if len(text) <= longest else f"{text[:longest]} ..."


def as_json(value: Any) -> str:
    """JSON for people and programs: of other scripts as they are, but for what a terminal would obey."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """A message for a line of a terminal, of at most `LONGEST_LINE` characters."""
    return shortened(printable(" ".join(without_secrets(text).split())), LONGEST_LINE)
