"""`make audit`: which licences it lets pass, and what it says of vulnerabilities, known or not to be asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from audit import Package, UnreachableError, is_allowed, licence_faults, vulnerabilities

pytestmark = pytest.mark.release

ROOT = Path(__file__).parents[2]
RULES = {
    "allowed": ["MIT", "Apache-2.0", "BSD License"],
    "exceptions": {"sealed": {"licence": "MPL-2.0", "reason": "is not changed"}},
}
SEALED = Package("sealed", "1.0", "MPL-2.0")
KNOWN_FAULT = {
    "id": "PYSEC-2026-1",
    "summary": "It breaks.",
    "affected": [
        {
            "package": {"name": "broken", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("MIT; BSD License", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT; GNU General Public License (GPL)", False),
        ("GPL-3.0-only AND MIT OR MIT", False),
        ("MITRE", False),
        ("", False),
    ],
)
def test_which_licences_are_allowed(licence: str, *, expected: bool) -> None:
    assert is_allowed(licence, RULES["allowed"]) is expected


@pytest.mark.parametrize(
    ("packages", "faults"),
    [
        ([Package("fine", "1.0", "MIT"), SEALED], []),
        ([SEALED, Package("other", "2.0", "MPL-2.0")], ["other 2.0 is MPL-2.0, which is not allowed"]),
        (
            [Package("sealed", "2.0", "GPL-3.0-only")],
            ["sealed 2.0 is GPL-3.0-only, not MPL-2.0 any longer"],
        ),
        ([], ["sealed is not installed, and needs no exception"]),
    ],
    ids=["fine", "another package", "another licence", "not installed"],
)
def test_an_exception_is_for_a_package_and_its_licence(packages: list[Package], faults: list[str]) -> None:
    assert licence_faults(packages, RULES) == faults


@contextmanager
def database(answer: dict[str, Any], status: int = 200) -> Iterator[tuple[str, list[Any]]]:
    """A database of vulnerabilities that answers all alike, and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()


@pytest.fixture
def pip_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pip_audit", reason="pip-audit is of the group release, which `make test` installs")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.mark.usefixtures("pip_audit")
def test_a_known_vulnerability_is_reported() -> None:
    with database({"vulns": [KNOWN_FAULT]}) as (address, asked):
        found = vulnerabilities([Package("broken", "1.0", "MIT")], address)

    assert found == ["broken 1.0: PYSEC-2026-1, mended in 1.1"]
    assert asked == [{"package": {"name": "broken", "ecosystem": "PyPI"}, "version": "1.0"}]


@pytest.mark.usefixtures("pip_audit")
def test_a_database_that_fails_is_no_clean_bill() -> None:
    with database({}, status=503) as (address, _), pytest.raises(UnreachableError):
        vulnerabilities([Package("a", "1.0", "MIT")], address)
