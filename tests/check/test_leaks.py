"""Whatever is answered: no key, tag, phone number or message id is printed, and at most 20 requests are sent."""

from __future__ import annotations

import re
import socket

import pytest
from check.asking import TAG, Check, Checked, about, campaign_of
from environment import API_KEY
from hypothesis import strategies as st
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


def arguments() -> list[str]:
    pairs = [f"--message={number}:{message_id}" for number, message_id in zip(NUMBERS, IDS, strict=True)]
    return ["--tag", TAG, *pairs]


@pytest.fixture
def known(double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> SMSPartnerDouble:
    """A double that knows the tag and the messages."""
    connect(monkeypatch, double)
    for number, message_id in zip(NUMBERS, IDS, strict=True):
        double.add_message(number, message_id, "Waiting", tag=TAG)
    return double


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
def test_nothing_is_shown(known: SMSPartnerDouble, check: Check, fault: Fault, path: str) -> None:
    known.misbehave(fault, times=None, path=path)

    done = check(*arguments())
    as_json = check(*arguments(), "--json")

    assert done.exit_code in (0, 1, 2)
    assert_nothing_is_told(done.out, done.err, as_json.out, as_json.err)
    assert len(known.requests) <= 40
    if done.out:
        assert f"Requests: {as_json.report['requests']['sent']} of at most 20" in done.out
    else:
        assert (path, done.exit_code) == ("me", 2)
        assert done.err.count("error: ") == 1
        assert "Traceback" not in done.err


def test_nothing_is_shown_where_the_answer_quotes_the_request(
    monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    def mirror(client: socket.socket, server: RawServer) -> None:
        asked = server.heads[-1]
        client.sendall(response(asked, status="500 " + asked.splitlines()[0].decode()))

    with RawServer(mirror) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection(API_KEY))
        done = check(*arguments())

        assert 1 <= len(server.heads) <= 2
    assert (done.exit_code, done.out) == (2, "")
    assert_nothing_is_told(done.err)


def sent_with_faults(double: SMSPartnerDouble, check: Check, *faults: tuple[Fault, str]) -> Checked:
    for fault, path in faults:
        double.misbehave(fault, times=None, path=path)
    return check(*about(campaign_of(double, 400)), "--json")


def test_at_most_20_requests_are_sent(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    fault = Fault.status(503)
    connect(monkeypatch, double, max_attempts=1000)
    # Every page comes at the second try, and so does the account; lists never do.
    for path in ("me", *["bulk-status-by-tag"] * 6):
        double.misbehave(fault, path=path)
        double.misbehave(Fault.headers({}), path=path)

    done = sent_with_faults(double, check, (fault, "multi-status"))

    requests = done.report["requests"]
    assert len(double.requests) == requests["sent"] == requests["limit"] == 20
    assert done.exit_code == 1
    assert done.finding("wrong key: code")["seen"] == "all 20 requests were used up"
    assert done.finding("wrong key: code")["could_not_ask"] is True


def test_nothing_more_is_asked_after_429(double: SMSPartnerDouble, check: Check) -> None:
    done = sent_with_faults(double, check, (Fault.status(429), "multi-status"))

    assert done.exit_code == 2
    assert done.finding("unknown tag")["seen"] == "too many requests (HTTP 429)"
    assert done.finding("rate limit")["seen"] == "no such header; HTTP 429: 2"
    assert done.finding("page parameter")["verdict"] == "holds"
    assert "(HTTP 429)" in done.err
    paths = [each.path for each in double.requests]
    assert paths[-2:] == ["/v1/multi-status"] * 2


def test_nothing_more_is_asked_once_the_connection_is_lost(double: SMSPartnerDouble, check: Check) -> None:
    done = sent_with_faults(double, check, (Fault.reset(), "bulk-status-by-tag"))

    assert done.exit_code == 2
    assert len(double.requests) == 3
    for name in ("page parameter", "total", "completeness of a list", "unknown tag", "wrong key: code"):
        assert done.finding(name)["seen"] == "no answer came"
        assert done.finding(name)["could_not_ask"] is True
    assert "2 requests without a whole answer" in done.finding("latency: min / median / max")["seen"]
    assert done.report["requests"]["answers"] == {"HTTP 200": 1, "no answer": 2}
    assert "connection was reset" in done.err


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from([*NUMBERS, TAG, *map(int, IDS)]),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3),
    max_leaves=6,
)
ROW = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("success", "code", "phoneNumber", "messageId", "status", "date", "stopSms", "stopSMS"), JSON
    ),
)
