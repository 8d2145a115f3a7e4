from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest

from tests.audit import CONSTRAINTS, audit, found_by_pip_audit
from tests.repository import ROOT

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
UNKNOWN = "constraints.txt: no answer about known vulnerabilities of torch"


def test_a_known_vulnerability_is_an_error_unless_a_reason_excepts_it() -> None:
    assert audit(lambda _: REPORT) == (1, [FIRST, SECOND, UNKNOWN])
    assert audit(lambda _: REPORT, {"CVE-1": "no request is made"}) == (1, [SECOND, UNKNOWN])
    assert audit(lambda _: REPORT, {"PYSEC-1": "why", "GHSA-2": "why"}) == (0, [UNKNOWN])
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


class Osv(BaseHTTPRequestHandler):
    """Answers as https://api.osv.dev does, of one vulnerable package."""

    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = question["package"]["name"]
        self.asked.append(f"{name}=={question['version']}")
        package = {"name": name, "ecosystem": "PyPI"}
        affected = [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "99"}]}]}]
        answer = {"vulns": [{"id": "GHSA-3", "summary": "Leaks.", "affected": affected}]} if name == "numpy" else {}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def osv(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Osv) as server:
        monkeypatch.setenv("PIP_AUDIT_OSV_URL", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@pytest.mark.usefixtures("osv")
def test_pip_audit_itself_finds_what_its_data_has_of_a_pinned_version() -> None:
    pinned = [line.strip() for line in (ROOT / CONSTRAINTS).read_text().splitlines()]
    (numpy,) = (line for line in pinned if line.startswith("numpy=="))
    code, lines = audit(lambda service: found_by_pip_audit(service) if service == "osv" else None)
    assert code == 1
    assert lines[0] == f"{CONSTRAINTS}: {numpy.replace('==', ' ')}: GHSA-3, mended in 99: Leaks."
    assert numpy in Osv.asked
    assert len(Osv.asked) > len([line for line in pinned if "==" in line]) / 2
