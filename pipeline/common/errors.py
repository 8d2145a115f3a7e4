"""What a user can get wrong, said in one line."""

import json
import re
from typing import Any

# Of an error with all that it quotes, and of each of these.
LONGEST_LINE, LONGEST_QUOTED = 2000, 200
# What a terminal would obey: control characters but line breaks and tabs, and what turns the direction of the text after it.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# Who asks for a URL, with their password; it may hold what a URL should not.
_WHO = re.compile(r"(?<=://)(?:[^/\s'\"]+|[^/\s:'\"]+:[^\s'\"]*)@")


class InputError(ValueError):
    """A user's mistake in parameters, tables or artifacts.

    The message is one line that says what and where: file, column, row or key, what was found and what was expected.
    Stages print it to stderr and exit with code 2, without a traceback.
    """


def printable(text: str) -> str:
    """Text whose control characters are shown as escapes, and passwords in URLs as `***`."""
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], without_passwords(text))


def without_passwords(text: str) -> str:
    return _WHO.sub("***@", text)


def quoted(value: object) -> str:
    """A value that somebody has written, as an error has it."""
    return shortened(repr(value))


def shortened(text: str, longest: int = LONGEST_QUOTED) -> str:
    return text if len(text) <= longest else f"{text[:longest]} ..."


def as_json(value: Any) -> str:
    """JSON for people and programs: of other scripts as they are, but for what a terminal would obey."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """Text for a line of a terminal, of at most `LONGEST_LINE` characters."""
    return shortened(printable(" ".join(text.split())), LONGEST_LINE)
