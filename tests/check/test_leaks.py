"""Whatever is answered: no key, tag, phone number or message id is printed, and at most 20 requests are sent."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from check.asking import TAG, Check, about
from environment import API_KEY
from loopback import RawServer, connect, response
from told import FORBIDDEN

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

IDS = ("777001001", "777001002")
NUMBERS = ("+33639980001", "+33639980002")
OURS = re.compile("|".join([TAG, *IDS]), re.IGNORECASE)
QUOTED = f"{API_KEY} {TAG} {IDS[0]} {NUMBERS[0]}"


def assert_nothing_is_told(*texts: str) -> None:
    for text in texts:
        for pattern in (FORBIDDEN, OURS):
            found = pattern.search(text)
            assert not found, text


@pytest.fixture
def known(double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> SMSPartnerDouble:
    """A double that knows the tag and the messages."""
    connect(monkeypatch, double)
    for number, message_id in zip(NUMBERS, IDS, strict=True):
        double.add_message(number, message_id, "Waiting", tag=TAG)
    return double


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    path = tmp_path / "sent.csv"
    pairs = [",".join(pair) for pair in zip(NUMBERS, IDS, strict=True)]
    path.write_text("\n".join(["phone_number,message_id", *pairs]))
    return ["--tag", TAG, "--messages", str(path)]


ELSEWHERE = f"http://127.0.0.1:1/{TAG}?apiKey={API_KEY}"
CASES: dict[str, tuple[Fault, str]] = {
    "statuses": (Fault.rows(lambda rows: [row | {"status": QUOTED} for row in rows]), "bulk-status-by-tag"),
    "dates": (Fault.rows(lambda rows: [row | {"date": QUOTED} for row in rows]), "multi-status"),
    "numbers": (Fault.rows(lambda rows: [row | {"phoneNumber": QUOTED} for row in rows]), "multi-status"),
    "odd rows": (
        Fault.rows(lambda rows: [row | {"date": [QUOTED], "code": IDS[0], QUOTED: 1} for row in rows]),
        "multi-status",
    ),
    "a total": (Fault.total(int(IDS[0])), "bulk-status-by-tag"),
    "headers": (
        Fault.headers({f"X-RateLimit-{TAG}": IDS[0], "RateLimit": QUOTED.encode("ascii", "ignore").decode()}),
        "me",
    ),
    "a retry": (Fault.status(429, retry_after=TAG), "bulk-status-by-tag"),
    "an error of the account": (Fault.error(10, QUOTED), "me"),
    "errors of a list": (Fault.error(40, QUOTED, shape=2), "multi-status"),
    "an error of a tag": (Fault.error(40, QUOTED, shape=4), "bulk-status-by-tag"),
    "a page": (Fault.status(502, body=QUOTED), "multi-status"),
    "a redirect": (Fault.redirect(ELSEWHERE), "me"),
    "no JSON": (Fault.body(QUOTED.encode()), "bulk-status-by-tag"),
    "no HTTP": (Fault.raw(QUOTED.encode()), "me"),
}


@pytest.mark.parametrize(("fault", "path"), CASES.values(), ids=CASES)
def test_nothing_is_shown(
    known: SMSPartnerDouble, check: Check, arguments: list[str], fault: Fault, path: str
) -> None:
    known.misbehave(fault, times=None, path=path)

    for option in ([], ["--json"]):
        known.clear_requests()
        done = check(*arguments, *option)

        assert done.exit_code in (0, 1)
        assert "limit and time" in done.out
        assert_nothing_is_told(done.out, done.err)
        assert len(known.requests) <= 20


def test_nothing_is_shown_where_the_answer_quotes_the_request(
    monkeypatch: pytest.MonkeyPatch, check: Check, arguments: list[str]
) -> None:
    def mirror(client: socket.socket, server: RawServer) -> None:
        asked = server.heads[-1]
        client.sendall(response(asked, status="500 " + asked.splitlines()[0].decode()))

    with RawServer(mirror) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection(API_KEY))
        done = check(*arguments)

        assert 1 <= len(server.heads) <= 20
    assert done.exit_code == 1
    assert_nothing_is_told(done.out, done.err)


@pytest.mark.parametrize(
    ("fault", "path", "seen"),
    [
        (Fault.status(429), "multi-status", "an answer that can't be used (HTTP 429)"),
        (Fault.reset(), "bulk-status-by-tag", "no answer came"),
    ],
    ids=["limit", "lost"],
)
def test_nothing_more_is_asked(
    known: SMSPartnerDouble, check: Check, fault: Fault, path: str, seen: str
) -> None:
    known.misbehave(fault, times=None, path=path)

    done = check("--tag", TAG, "--json")

    assert done.exit_code == 1
    assert [each.path for each in known.requests][-2:] == [f"/v1/{path}"] * 2
    assert done.seen("account") == "success"
    assert done.seen("wrong key") == f"nothing: {seen}"
    assert done.err.count("error: ") == 1


def test_a_request_is_tried_twice_at_most(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, check: Check
) -> None:
    connect(monkeypatch, double, max_attempts=1000)
    arguments = list(about(double, tmp_path, size=400))
    for path in ("me", *["bulk-status-by-tag"] * 6, *["multi-status"] * 2):
        double.misbehave(Fault.status(503), path=path)
        double.misbehave(Fault.headers({}), path=path)

    done = check(*arguments)

    assert (done.exit_code, len(double.requests)) == (0, 19)
