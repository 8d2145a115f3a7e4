"""Known vulnerabilities of the pinned packages, for `make lint`: each is an error, but for those that a reason excepts.

What cannot be asked for, without a network or behind an index that has no such data, is said in a line and is no error.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from tests.repository import ROOT

CONSTRAINTS = "constraints.txt"
PATIENCE_SECONDS = 180
# The name of a vulnerability (PYSEC-..., GHSA-..., CVE-...) to why it is none here. One that is no longer found is to go.
EXCEPTED: Mapping[str, str] = {}


def found_by_pip_audit(service: str) -> str | None:
    """The report of pip-audit, as JSON; None where it cannot reach its data."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / CONSTRAINTS), "--no-deps", "--disable-pip"),
        *("--vulnerability-service", service, "--format", "json", "--progress-spinner", "off", "--timeout", "10"),
    ]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    # Of vulnerabilities and of a network that is not there the exit code is the same; a report is there of the former alone.
    return asked.stdout if asked.stdout.startswith("{") else None


def _answers(text: str | None) -> tuple[list[Any], list[str]]:
    """Packages of which there is an answer, and the names of those of which there is none: an index of one's own may know of none."""
    packages = json.loads(text)["dependencies"] if text else []
    answered = [each for each in packages if "skip_reason" not in each]
    return answered, sorted(each["name"] for each in packages if "skip_reason" in each)


def audit(report: Callable[[str], str | None], excepted: Mapping[str, str] = EXCEPTED) -> tuple[int, list[str]]:
    """Exit code, and lines to print.

    Args:
        report: gives the report by a service of vulnerabilities, or None.
    """
    packages, unknown = _answers(report("pypi"))
    if not packages:
        packages, unknown = _answers(report("osv"))
    if not packages:
        return 0, [f"{CONSTRAINTS}: not checked for known vulnerabilities: pip-audit cannot reach its data"]
    found: dict[str, str] = {}
    for package in packages:
        for one in package["vulns"]:
            names = {one["id"], *one.get("aliases", [])}
            if not names & excepted.keys():
                found[one["id"]] = _line(package, one)
    lines = [f"{CONSTRAINTS}: no answer about known vulnerabilities of {', '.join(unknown)}"] if unknown else []
    return (1 if found else 0), [*found.values(), *lines]


def _line(package: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    mended = ", ".join(one.get("fix_versions", [])) or "no version yet"
    about = " ".join(str(one.get("description", "")).split())[:200]
    return f"{CONSTRAINTS}: {package['name']} {package['version']}: {one['id']}, mended in {mended}: {about}"


def main() -> None:
    code, lines = audit(found_by_pip_audit)
    for line in lines:
        print(line, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
