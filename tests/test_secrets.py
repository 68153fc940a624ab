"""Nothing that is logged, raised or printed holds the key, a URL's query or a phone number, whatever goes wrong."""

from __future__ import annotations

import json
import re
import socket
from typing import Any
from urllib.parse import quote

import pytest
from combinations import in_turn
from environment import API_KEY
from loopback import BOTH, WAYS, Ask, RawServer, both_ways, connect, four_ways, get, timeout_for
from told import FORBIDDEN, Capture, assert_nothing_in, captured, forms_of, leak_in, told_by

from airflow_provider_smspartner.exceptions import SMSPartnerError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.models import MessageRef
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

PHONE_NUMBER = "+33639980000"
VENDORS_WORDS = "the vendor quotes " + API_KEY + " and " + PHONE_NUMBER

capture = pytest.fixture(captured)


@pytest.fixture(autouse=True)
def _asyncio_tells_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")


FAULTS: dict[str, Fault | None] = {
    "none": None,
    "reset": Fault.reset(),
    "hang": Fault.hang(5),
    "truncated": Fault.truncated(),
    "html": Fault.html(),
    "fake success": Fault.fake_success(),
    "429": Fault.status(
        429, body=VENDORS_WORDS, retry_after=VENDORS_WORDS.encode("ascii", "ignore").decode()
    ),
    "500": Fault.status(500, body=VENDORS_WORDS),
    "403": Fault.status(403, body=VENDORS_WORDS),
    "redirect": Fault.redirect(f"http://127.0.0.1:1/?apiKey={quote(API_KEY)}"),
    "bad redirect": Fault.redirect(f"http://[{quote(API_KEY)}"),
    "garbage": Fault.body(VENDORS_WORDS.encode()),
    "not an object": Fault.body(json.dumps([VENDORS_WORDS]).encode()),
    "wrong types": Fault.body(
        json.dumps(
            {"success": True, "code": 200, "total": VENDORS_WORDS, "StatutResponse_List": [VENDORS_WORDS]}
        ).encode()
    ),
    "a total": Fault.total(VENDORS_WORDS),
    **{
        f"code {code}, shape {shape}": Fault.error(code, VENDORS_WORDS, shape=shape)
        for code, shape in ((1, 1), (4, 2), (10, 3), (50, 4), (500, 2), (999, 3))
    },
}


@in_turn(fault=FAULTS, ask=BOTH, what=["status_by_tag", "multi_status", "multi_status"])
def test_nothing_leaks(  # noqa: PLR0917 - fixtures
    double: SMSPartnerDouble,
    ask: Ask,
    what: str,
    fault: Fault | None,
    monkeypatch: pytest.MonkeyPatch,
    capture: Capture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    connect(monkeypatch, double, max_attempts=2, timeout=timeout_for(fault))
    campaign = double.add_campaign("spring", size=60, settle_seconds=0)
    if fault is not None:
        double.misbehave(fault, times=None)
    hook = SMSPartnerHook()
    told: list[Any] = []
    try:
        ask(hook, what, "spring" if what == "status_by_tag" else campaign.messages)
    except SMSPartnerError as error:
        told += told_by(error)
    # Only by tag is there a total, and only there is code 4 an error: of a list it is a status.
    harmless = fault is None or (what == "multi_status" and fault.name in ("total", "error 4"))
    assert bool(told) == (not harmless)
    assert len(double.requests) >= 1
    assert_nothing_in([*told, *capture.texts, *capfd.readouterr(), repr(hook), repr(hook._settings)])
    assert ("urllib3.connectionpool" in capture.names) == (ask is get)


@pytest.mark.parametrize("name", ["none", "429", "garbage", "code 10, shape 3"])
def test_nothing_leaks_from_the_connection_test(
    double: SMSPartnerDouble,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capture: Capture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    connect(monkeypatch, double, max_attempts=2)
    if (fault := FAULTS[name]) is not None:
        double.misbehave(fault, times=None)

    ok, message = SMSPartnerHook().test_connection()

    assert ok == (fault is None)
    assert_nothing_in([message, *capture.texts, *capfd.readouterr()])


@both_ways
def test_nothing_leaks_about_a_server_that_is_not_there(
    double: SMSPartnerDouble, ask: Ask, monkeypatch: pytest.MonkeyPatch, capture: Capture
) -> None:
    connect(monkeypatch, double, max_attempts=2)

    with double.down(), pytest.raises(SMSPartnerError) as caught:
        ask(SMSPartnerHook(), "status_by_tag", "spring")
    assert_nothing_in([*told_by(caught.value), *capture.texts])


@four_ways
def test_nothing_leaks_from_a_later_error(double: SMSPartnerDouble, ask: Ask, capture: Capture) -> None:
    double.add_campaign("spring", size=60, settle_seconds=0)
    double.misbehave(Fault.rows(lambda rows: rows))
    double.misbehave(Fault.error(10, VENDORS_WORDS))

    with pytest.raises(SMSPartnerError) as caught:
        ask(SMSPartnerHook(), "status_by_tag", "spring")
    assert_nothing_in([*told_by(caught.value), *capture.texts])


# Each with what was asked in it, where an HTTP library may complain about it.
MIRRORS = {
    "header": b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: 2\r\n\r\n{}",
    "status": b"%b\r\n\r\n",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n{}\r\n",
    "Retry-After": b"HTTP/1.1 503 No\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n",
    "Location": b"HTTP/1.1 302 No\r\nLocation: %b\r\nSet-Cookie: %b\r\nContent-Length: 0\r\n\r\n",
    "Content-Encoding": b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: 0\r\n\r\n",
}


@in_turn(mirror=MIRRORS, ask=BOTH, what=["multi_status", "multi_status", "status_by_tag"])
def test_nothing_leaks_where_the_answer_quotes_the_request(  # noqa: PLR0917 - fixtures
    ask: Ask,
    what: str,
    mirror: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capture: Capture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def answer(client: socket.socket, server: RawServer) -> None:
        head, _, body = server.heads[-1].partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += client.recv(4096)
        quoted = body.replace(b":", b" ") or head.split(b" ")[1]
        client.sendall(mirror.replace(b"%b", quoted))

    with RawServer(answer) as server:
        connection = server.connection(API_KEY, max_attempts=2)
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)
        with pytest.raises(SMSPartnerError) as caught:
            ask(SMSPartnerHook(), what, "spring" if what == "status_by_tag" else [(PHONE_NUMBER, 1)])

        assert what == "multi_status" or all(FORBIDDEN.search(head.decode()) for head in server.heads)
    assert_nothing_in([*told_by(caught.value), *capture.texts, *capfd.readouterr()])


@in_turn(
    messages={
        "no id": [(PHONE_NUMBER, None)],
        "single": [(PHONE_NUMBER,)],
        "mapping": [{"phone_number": PHONE_NUMBER}],
        "only text": PHONE_NUMBER,
    },
    ask=WAYS,
)
def test_no_number_leaks_from_a_bad_message(
    double: SMSPartnerDouble, ask: Ask, messages: Any, capture: Capture
) -> None:
    with pytest.raises(ValueError, match="messages") as caught:
        ask(SMSPartnerHook(), "multi_status", messages)
    assert_nothing_in([*told_by(caught.value), *capture.texts])


def test_nothing_leaks_from_what_is_printed(double: SMSPartnerDouble) -> None:
    with SMSPartnerHook() as hook:
        session = hook.get_conn()
        hook.get_multi_status([(PHONE_NUMBER, 1)])
        client = hook._client
        assert client is not None
        printed = [hook, vars(hook), session, vars(session), client, vars(client)]
        assert_nothing_in(map(repr, [*printed, MessageRef(PHONE_NUMBER, 1)]))


def test_what_is_forbidden_would_be_found() -> None:
    for form in forms_of(API_KEY):
        assert leak_in(f"before {form} after")
    for text in (PHONE_NUMBER, "0639980000", "0033639980000", "to%2033639980000", "%25252b33639980000"):
        assert leak_in(text)
    for text in ("/me?apiKey=", "https://host/path?tag=spring"):
        assert leak_in(text)
    for text in (
        "GET /v1/bulk-status-by-tag HTTP/1.1",
        "again in 0.0006399894980297451 s",
        "<object at 0x7f0639981234>",
        "0192a063-9981-7234-8a06-a06399812345",
    ):
        assert not leak_in(text)
