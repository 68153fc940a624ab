"""Whatever is answered: no key, tag, phone number or message id is printed, and at most 20 requests are sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from check.asking import TAG, Check, Checked, about, campaign_of
from environment import API_KEY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import RawServer, connect, response, timeout_for
from test_secrets import FAULTS, mirror, mirror_body, mirror_chunk, mirror_headers, mirror_status
from told import FORBIDDEN

from airflow_provider_smspartner.check.__main__ import main
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


QUOTING: dict[str, Fault] = {
    "statuses": Fault.rows(lambda rows: [row | {"status": QUOTED} for row in rows]),
    "dates": Fault.rows(lambda rows: [row | {"date": QUOTED} for row in rows]),
    "numbers": Fault.rows(lambda rows: [row | {"phoneNumber": QUOTED} for row in rows]),
    "odd rows": Fault.rows(
        lambda rows: [row | {"date": [QUOTED], "code": IDS[0], QUOTED: 1} for row in rows]
    ),
    "a total": Fault.total(int(IDS[0])),
    "headers": Fault.headers(
        {f"X-RateLimit-{TAG}": IDS[0], "RateLimit": QUOTED.encode("ascii", "ignore").decode()}
    ),
    "a retry": Fault.status(429, retry_after=TAG),
}


CASES = {
    f"{name}, {path}": (fault, path)
    for name, fault in {**FAULTS, **QUOTING}.items()
    for path in ("me", "bulk-status-by-tag", "multi-status")
    if fault is None or fault.paths is None or f"/v1/{path}" in fault.paths
}


@pytest.mark.parametrize(("fault", "path"), CASES.values(), ids=CASES)
def test_nothing_is_told(
    known: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch, check: Check, fault: Fault | None, path: str
) -> None:
    connect(monkeypatch, known, timeout=timeout_for(fault))
    if fault is not None:
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


@pytest.mark.parametrize("answer", [mirror, mirror_status, mirror_chunk, mirror_headers, mirror_body])
def test_nothing_is_told_where_the_answer_quotes_the_request(
    answer: Any, monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    with RawServer(answer) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection(API_KEY))
        done = check(*arguments())

        assert 1 <= len(server.heads) <= 2
    assert (done.exit_code, done.out) == (2, "")
    assert_nothing_is_told(done.err)


def sent_with_faults(double: SMSPartnerDouble, check: Check, *faults: tuple[Fault, str]) -> Checked:
    for fault, path in faults:
        double.misbehave(fault, times=None, path=path)
    return check(*about(campaign_of(double, 400)), "--json")


@pytest.mark.parametrize("fault", [Fault.status(503), Fault.fake_success(), Fault.html(), Fault.error(500)])
def test_at_most_20_requests_are_sent(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch, check: Check, fault: Fault
) -> None:
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


def test_a_failed_assumption_goes_before_trouble(double: SMSPartnerDouble, check: Check) -> None:
    done = sent_with_faults(
        double, check, (Fault.ignore_page(), "bulk-status-by-tag"), (Fault.reset(), "multi-status")
    )

    assert done.exit_code == 1


def test_the_ceiling_of_the_connection_is_kept(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    # One a second, the one with the wrong key included.
    connect(monkeypatch, double, requests_per_minute=59)
    waits: list[float] = []
    monkeypatch.setattr("airflow_provider_smspartner._http.bounds.GivingUp.wait", _noting(waits))

    check("--json")

    assert [round(wait) for wait in waits] == [0, 1, 2, 3]


def _noting(waits: list[float]) -> Callable[..., bool]:
    def wait(_: object, seconds: float, *_check: object) -> bool:
        waits.append(seconds)
        return False

    return wait


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
ANSWER = st.fixed_dictionaries(
    {"success": st.booleans()},
    optional={
        "code": JSON,
        "errors": JSON,
        "error": JSON,
        "total": st.integers(0, 5) | JSON,
        "currentPage": st.integers(0, 3) | JSON,
        "StatutResponse_List": st.lists(ROW, max_size=3) | JSON,
        "credits": st.just({}),
    },
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=ANSWER)
def test_any_answer_is_judged(
    known: SMSPartnerDouble, capfd: pytest.CaptureFixture[str], answer: Any
) -> None:
    known.clear_requests()
    known.clear_faults()
    for path in ("bulk-status-by-tag", "multi-status"):
        known.misbehave(Fault.body(json.dumps(answer).encode()), times=None, path=path)

    exit_code = main(arguments())

    out, err = capfd.readouterr()
    assert exit_code in (0, 1, 2)
    assert "In all: " in out
    assert "Traceback" not in err
    assert len(known.requests) <= 20
    assert not re.search(FORBIDDEN, out + err)
    assert TAG not in out + err


def test_an_answer_that_is_too_large(monkeypatch: pytest.MonkeyPatch, check: Check) -> None:
    body = response(b"x", head=b"Content-Encoding: gzip\r\n")
    with RawServer(lambda client, _: client.sendall(body)) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection(API_KEY))
        done = check("--json")

    assert (done.exit_code, done.out) == (2, "")
    assert "compressed body" in done.err
