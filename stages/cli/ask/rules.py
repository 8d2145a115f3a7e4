"""By which rules a verb recommends: those of params.yaml, and what was asked for in place of some of them."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from pipeline.common.errors import InputError
from pipeline.recommend.condition import EXAMPLE
from pipeline.recommend.rules import Rules, rules_of, shortfall
from pipeline.recommend.settings import WITHOUT_RULES, RulesConfig
from stages import PARAMS
from stages.cli.ask.trained import Trained
from stages.guard import show


class RuleOptions(NamedTuple):
    """Settings of `RulesConfig` as they were asked for; None: as params.yaml has them.

    Attributes:
        nightly: whether params.yaml counts at all.
    """

    only: list[str] | None = None
    without: list[str] | None = None
    where: str | None = None
    at_most: int | None = None
    per: str | None = None
    diversity: float | None = None
    seen: bool | None = None
    nightly: bool = True

    @property
    def given(self) -> dict[str, object]:
        # Typer has an empty list where an option that can be repeated is not there.
        return {name: value for name in RulesConfig.model_fields if (value := getattr(self, name)) not in (None, [])}


class AskedRules(NamedTuple):
    """
    Attributes:
        rules: as the items have them.
        heading: a line that says them, or nothing.
        record: `rules`, with the settings that are any, for programs; or nothing.
    """

    rules: Rules
    heading: str
    record: dict[str, object]

    def note_shortfall(self, found: pl.Series, people: int, count: int) -> None:
        """Say that somebody gets less than was asked for, where it may be due to the rules.

        Args:
            found: whose each item of all lists is.
        """
        for text in shortfall(found, people, count) if self.rules.words else []:
            show(f"note: {text}", error=True)


def asked_rules(trained: Trained, options: RuleOptions) -> AskedRules:
    """
    Raises:
        InputError: as `rules_of`; or one of --at-most and --per without the other.
    """
    if options.where is not None and not options.where.strip():
        # As of a shell's variable that is not set: no rule is not what was asked for.
        raise InputError(f"--where: found nothing, expected a condition such as {EXAMPLE}")
    base = trained.nightly if options.nightly else WITHOUT_RULES
    settings = {name: getattr(base, name) for name in RulesConfig.model_fields} | options.given
    if options.given.get("at_most") == 0:
        # Any number, whatever column `params.yaml` says.
        settings["per"] = ""
    if bool(settings["at_most"]) != bool(settings["per"]):
        there, missing = ("--at-most", "--per") if settings["at_most"] else ("--per", "--at-most")
        raise InputError(f"{missing}: found nothing beside {there}, expected both, such as --at-most 2 --per author")
    config = RulesConfig.model_validate(settings)

    def called(setting: str) -> str:
        return f"--{setting.replace('_', '-')}" if setting in options.given else f"{PARAMS}: recommend.{setting}"

    rules = rules_of(config, trained.catalogue.items, called, anywhere=True)
    for remark in rules.remarks:
        show(f"note: {remark}", error=True)
    record = {name: value for name, value in config.model_dump().items() if value != getattr(WITHOUT_RULES, name)}
    return AskedRules(rules, f"by rules: {rules.words}\n" if record else "", {"rules": record} if record else {})
