"""What a user can get wrong, said in one line."""


class InputError(ValueError):
    """A user's mistake in parameters, tables or artifacts.

    The message is one line that says what and where: file, column, row or key, what was found and what was expected.
    Stages print it to stderr and exit with code 2, without a traceback.
    """
