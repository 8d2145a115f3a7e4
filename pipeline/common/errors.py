"""What a user can get wrong, said in one line."""

import re

# Of an error, with all that it quotes.
LONGEST_LINE = 2000
# What a terminal would obey: control characters but line breaks and tabs, and what turns the direction of the text after it.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class InputError(ValueError):
    """A user's mistake in parameters, tables or artifacts.

    The message is one line that says what and where: file, column, row or key, what was found and what was expected.
    Stages print it to stderr and exit with code 2, without a traceback.
    """


def printable(text: str) -> str:
    """Text whose control characters are shown as escapes."""
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """Text for a line of a terminal, of at most `LONGEST_LINE` characters."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} ..."
