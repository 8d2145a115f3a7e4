"""The app `crmman`, and what else is run by hand: none of it is a stage, and no stage imports it."""

from stages.cli.app import main

__all__ = ["main"]
