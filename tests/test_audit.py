from __future__ import annotations

import json

import pytest

from tests.audit import audit

REPORT = json.dumps(
    {
        "dependencies": [
            {"name": "numpy", "version": "2.0", "vulns": []},
            {"name": "torch", "skip_reason": "not found"},
            {
                "name": "requests",
                "version": "2.0",
                "vulns": [
                    {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.1"], "description": "Leaks\n headers."},
                    {"id": "GHSA-2", "aliases": [], "fix_versions": [], "description": ""},
                ],
            },
        ],
        "fixes": [],
    }
)
NOTHING_WRONG = json.dumps({"dependencies": [{"name": "numpy", "version": "2.0", "vulns": []}]})
NOTHING_KNOWN = json.dumps({"dependencies": [{"name": "numpy", "skip_reason": "not found"}]})
FIRST = "constraints.txt: requests 2.0: PYSEC-1, mended in 2.1: Leaks headers."
SECOND = "constraints.txt: requests 2.0: GHSA-2, mended in no version yet: "


def test_a_known_vulnerability_is_an_error_unless_a_reason_excepts_it() -> None:
    assert audit(lambda _: REPORT) == (1, [FIRST, SECOND])
    assert audit(lambda _: REPORT, {"CVE-1": "no request is made"}) == (1, [SECOND])
    assert audit(lambda _: REPORT, {"PYSEC-1": "why", "GHSA-2": "why"}) == (0, [])
    assert audit(lambda _: NOTHING_WRONG) == (0, [])


def test_another_service_is_asked_where_one_cannot_be_reached() -> None:
    asked: list[str] = []

    def report(service: str) -> str | None:
        asked.append(service)
        return REPORT if service == "osv" else None

    assert audit(report)[0] == 1
    assert asked == ["pypi", "osv"]


@pytest.mark.parametrize("report", [None, NOTHING_KNOWN], ids=["no network", "an index without such data"])
def test_what_cannot_be_asked_for_is_said_and_no_error(report: str | None) -> None:
    code, (line,) = audit(lambda _: report)
    assert code == 0
    assert line == "constraints.txt: not checked for known vulnerabilities: pip-audit cannot reach its data"
