"""Both clients against a vendor in trouble: what is asked again, how often, for how long, and what is not."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from clocks import FakeClock
from combinations import in_turn, pairs
from loopback import BOTH, ONE_ROW, Ask, RawServer, Start, both_ways, response, said, timeout_for

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

# A fault that may pass, with the code and HTTP status that its error has.
TRANSIENT = {
    "reset": (Fault.reset(), None, None),
    "hang": (Fault.hang(5), None, None),
    "truncated": (Fault.truncated(), None, None),
    "html of a gateway": (Fault.html(502), None, 502),
    "429": (Fault.status(429), None, 429),
    "code 500": (Fault.error(500), 500, 200),
    "redirect nowhere": (Fault.redirect("http://[", 308), None, 308),
}
QUESTIONS = {"by tag": ("status_by_tag", "spring"), "by list": ("multi_status", [("+33639980000", 1001)])}
# Each half with each question.
ASKED = {f"{half}, {name}": (ask, *each) for half, ask in BOTH.items() for name, each in QUESTIONS.items()}
Asked = tuple[Ask, str, Any]


class TestTriedAgain:
    """Which trouble may pass is the policy's to say, and the protocol's: here both halves keep to it."""

    @in_turn(trouble=TRANSIENT, asked=ASKED, times={"twice": 2, "for ever": None, "once": 1})
    def test_up_to_max_attempts_in_total_or_until_it_passes(
        self, start: Start, asked: Asked, trouble: tuple[Any, ...], times: int | None
    ) -> None:
        (ask, *question), (fault, code, http_status) = asked, trouble
        double = start({"max_attempts": 3, "timeout": timeout_for(fault)})
        double.add_campaign("spring", size=1, settle_seconds=0)
        double.misbehave(fault, times=times)

        if times:
            (row,) = ask(SMSPartnerHook(), *question)
            assert row["status"] == "Delivered"
        else:
            with pytest.raises(
                SMSPartnerUnavailableError, match=r"Gave up after 3 tries in \d+ s\."
            ) as caught:
                ask(SMSPartnerHook(), *question)
            assert (caught.value.code, caught.value.http_status) == (code, http_status)
        assert len(double.requests) == (times + 1 if times else 3)

    @in_turn(ask=BOTH, configured=[{}, {"max_attempts": 1}])
    def test_five_times_by_default_and_never_on_demand(
        self, start: Start, ask: Ask, configured: dict[str, int], caplog: pytest.LogCaptureFixture
    ) -> None:
        tries = configured.get("max_attempts", 5)
        double = start(configured)
        double.misbehave(Fault.status(503), times=None)

        with pytest.raises(SMSPartnerUnavailableError, match=rf"Gave up after {tries} tr(y|ies)"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert len(double.requests) == tries
        announced = [record.getMessage() for record in caplog.records if record.name == policy.__name__]
        assert [re.sub(r".*\(HTTP 503\).* again in [\d.]+ s ", "", text) for text in announced] == [
            f"(try {number} of 5)." for number in range(2, tries + 1)
        ]

    @both_ways
    def test_after_a_reset_of_a_kept_connection(self, start: Start, ask: Ask) -> None:
        double = start({"max_attempts": 2}, page_size=1)
        double.add_campaign("spring", size=2, settle_seconds=0)
        double.misbehave(Fault.rows(lambda rows: rows))
        double.misbehave(Fault.reset(), times=None)

        with pytest.raises(SMSPartnerUnavailableError, match="2 tries"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert len(double.requests) == 3

    @in_turn(total=[150, 30, 200], ask=BOTH)
    def test_until_the_time_of_a_call_is_over(
        self, start: Start, ask: Ask, total: int, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", total)
        double = start({"max_attempts": 1000})
        double.misbehave(Fault.status(503, retry_after=60), times=None)
        tries = 1 + total // 60

        with pytest.raises(SMSPartnerUnavailableError, match="Gave up after") as caught:
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert clock.passed == pytest.approx(60 * (tries - 1))
        assert len(double.requests) == tries
        assert caught.value.http_status == 503

    @both_ways
    def test_but_not_where_its_turn_is_beyond_that_time(
        self, start: Start, ask: Ask, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.5)
        double = start({"requests_per_minute": 60})
        double.misbehave(Fault.status(503), times=None)

        with pytest.raises(SMSPartnerUnavailableError, match="Gave up after 2 tries in"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert len(double.requests) == 1


@in_turn(
    refused={
        "credentials": (Fault.error(10, http_status=400), SMSPartnerCredentialsError),
        "request": (Fault.error(50, http_status=400), SMSPartnerRequestError),
        "not found": (Fault.error(4), SMSPartnerNotFoundError),
    },
    ask=BOTH,
)
def test_a_refusal_is_not_asked_again(
    double: SMSPartnerDouble, ask: Ask, refused: tuple[Fault, type[SMSPartnerError]]
) -> None:
    fault, kind = refused
    double.misbehave(fault, times=None)

    with pytest.raises(kind):
        ask(SMSPartnerHook(), "status_by_tag", "nobody")
    assert len(double.requests) == 1


HEAD = b"HTTP/1.1 200 OK\r\n"
ODD_ANSWERS = {
    "a long status line": b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n",
    "a bad length": HEAD + b"Content-Length: many\r\n\r\n{}",
    "a header without a colon": HEAD + b"nonsense\r\nContent-Length: 2\r\n\r\n{}",
    "header bytes": HEAD + b"X-\xff\x00: \xff\r\nContent-Length: 2\r\n\r\n{}",
    "a cookie": response(b"{}", head=b"Set-Cookie: \xff=;;;\r\n"),
}


@pytest.mark.filterwarnings("default::urllib3.exceptions.HTTPWarning")
@pairs(ask=BOTH, answer=ODD_ANSWERS)
def test_any_answer_ends_in_an_error_of_ours(
    ask: Ask, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(said(answer)) as server:
        connection = server.connection("test-key", max_attempts=2)
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)
        with pytest.raises(SMSPartnerError):
            ask(SMSPartnerHook(), "status_by_tag", "spring")


@both_ways
def test_usual_ways_to_write_a_body(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in gzip.compress(ONE_ROW)) + b"0\r\n\r\n"
    head = HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    with RawServer(said(head + chunks)) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("test-key"))
        assert len(ask(SMSPartnerHook(), "status_by_tag", "spring")) == 1


class TestWhereItGoes:
    @in_turn(asked=ASKED, status=[301, 302, 307])
    def test_redirects_are_not_followed(self, start: Start, asked: Asked, status: int) -> None:
        ask, *question = asked
        with RawServer(said(response(ONE_ROW))) as elsewhere:
            double = start({"max_attempts": 2})
            double.misbehave(Fault.redirect(f"{elsewhere.url}/v1/bulk-status-by-tag", status), times=None)

            with pytest.raises(SMSPartnerUnavailableError, match="redirect"):
                ask(SMSPartnerHook(), *question)
            assert elsewhere.heads == []

    @pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
    def test_headers(self, double: SMSPartnerDouble, asked: Asked) -> None:
        ask, *question = asked
        double.add_campaign("spring", size=1)
        ask(SMSPartnerHook(), *question)

        headers = double.requests[0].headers
        assert headers["User-Agent"] == policy.user_agent()
        assert headers["Accept"] == "application/json"
        assert headers.get("Content-Type") == ("application/json" if "multi_status" in question else None)

    @both_ways
    def test_the_path_of_the_base_url(self, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
        with RawServer(said(response(ONE_ROW))) as server:
            connection = server.connection("k+/=&").replace(server.url, f"{server.url}/proxied/v2/")
            monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)
            ask(SMSPartnerHook(), "status_by_tag", "a+b&c")

            assert server.heads[0].startswith(b"GET /proxied/v2/bulk-status-by-tag?apiKey=k%2B")

    @both_ways
    def test_cookies_are_not_kept(self, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
        unavailable = response(b"", status="503 No", head=b"Set-Cookie: a=b; Path=/\r\n")
        with RawServer(said(unavailable)) as server:
            monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("key-1", max_attempts=2))
            with pytest.raises(SMSPartnerUnavailableError):
                ask(SMSPartnerHook(), "status_by_tag", "spring")
            assert [b"cookie" in head.lower() for head in server.heads] == [False, False]
