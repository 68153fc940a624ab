"""Both clients against a vendor in trouble: what is asked again, how often, for how long, and what is not."""

from __future__ import annotations

import gzip
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from loopback import ONE_ROW, Ask, RawServer, Start, both_ways, connect, response, said, timeout_for

from airflow_provider_smspartner import __version__
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

# A fault that may pass, with the code and HTTP status that its error tells.
TRANSIENT = {
    "reset": (Fault.reset(), None, None),
    "hang": (Fault.hang(5), None, None),
    "truncated": (Fault.truncated(), None, None),
    "html": (Fault.html(), None, 200),
    "html of a gateway": (Fault.html(502), None, 502),
    "fake success": (Fault.fake_success(), None, 200),
    "429": (Fault.status(429), None, 429),
    "500": (Fault.status(500), None, 500),
    "503": (Fault.status(503), None, 503),
    "code 500": (Fault.error(500), 500, 200),
    "code 500, HTTP 500": (Fault.error(500, http_status=500), 500, 500),
    "garbage": (Fault.body(b"\x00\xff\xfe"), None, 200),
    "nothing": (Fault.body(b""), None, 200),
    "not an object": (Fault.body(b"[]"), None, 200),
    "redirect": (Fault.redirect("http://127.0.0.1:1/"), None, 302),
    "redirect nowhere": (Fault.redirect("http://[", 308), None, 308),
}

transient = pytest.mark.parametrize(("fault", "code", "http_status"), TRANSIENT.values(), ids=TRANSIENT)
QUESTIONS = {"status_by_tag": "spring", "multi_status": [("+33639980000", 1001)]}
questions = pytest.mark.parametrize(("what", "argument"), QUESTIONS.items(), ids=QUESTIONS)


class TestTriedAgain:
    @both_ways
    @questions
    @transient
    def test_up_to_max_attempts_in_total(  # noqa: PLR0917
        self, start: Start, ask: Ask, what: str, argument: Any, fault: Fault, code: int, http_status: int
    ) -> None:
        double = start({"max_attempts": 3, "timeout": timeout_for(fault)})
        double.misbehave(fault, times=None)

        with pytest.raises(SMSPartnerUnavailableError, match=r"Gave up after 3 tries in \d s\.") as caught:
            ask(SMSPartnerHook(), what, argument)
        assert len(double.requests) == 3
        assert (caught.value.code, caught.value.http_status) == (code, http_status)

    @both_ways
    @questions
    @transient
    def test_until_it_passes(  # noqa: PLR0917
        self, start: Start, ask: Ask, what: str, argument: Any, fault: Fault, code: int, http_status: int
    ) -> None:
        double = start({"max_attempts": 3, "timeout": timeout_for(fault)})
        double.add_campaign("spring", size=1, settle_seconds=0)
        double.misbehave(fault, times=2)

        (row,) = ask(SMSPartnerHook(), what, argument)
        assert row["status"] == "Delivered"
        assert len(double.requests) == 3

    @both_ways
    def test_five_tries_by_default_and_a_single_one_on_demand(
        self, double: SMSPartnerDouble, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        double.misbehave(Fault.status(503), times=None)
        with pytest.raises(SMSPartnerUnavailableError, match="Gave up after 5 tries"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert len(double.requests) == 5

        double.clear_requests()
        connect(monkeypatch, double, max_attempts=1)
        with pytest.raises(SMSPartnerUnavailableError, match=r"Gave up after 1 try in \d s\."):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert len(double.requests) == 1

    @both_ways
    def test_a_reset_of_a_kept_connection(self, start: Start, ask: Ask) -> None:
        double = start({"max_attempts": 2}, page_size=1)
        double.add_campaign("spring", size=2, settle_seconds=0)
        double.misbehave(Fault.rows(lambda rows: rows))
        double.misbehave(Fault.reset(), times=None)

        with pytest.raises(SMSPartnerUnavailableError, match="2 tries"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert len(double.requests) == 3

    @both_ways
    def test_nobody_listens(
        self, ask: Ask, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect(monkeypatch, double, max_attempts=2)

        with (
            double.down(),
            pytest.raises(SMSPartnerUnavailableError, match=r"could not be reached.*2 tries") as caught,
        ):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert (caught.value.code, caught.value.http_status) == (None, None)

    @both_ways
    def test_each_try_is_announced(self, start: Start, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
        double = start({"max_attempts": 2})
        double.misbehave(Fault.status(503), times=None)

        with pytest.raises(SMSPartnerUnavailableError):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        (text,) = [record.getMessage() for record in caplog.records if record.name == policy.__name__]
        assert "(HTTP 503)" in text
        assert text.endswith("Asking /bulk-status-by-tag again in 0.0 s (try 2 of 2).")


class TestAskedOnce:
    @both_ways
    @questions
    @pytest.mark.parametrize("http_status", [200, 400, 401])
    @pytest.mark.parametrize("code", [1, 10, 20, 30, 40, 96])
    def test_credentials(  # noqa: PLR0917
        self, double: SMSPartnerDouble, ask: Ask, what: str, argument: Any, code: int, http_status: int
    ) -> None:
        double.misbehave(Fault.error(code, http_status=http_status), times=None)

        with pytest.raises(SMSPartnerCredentialsError) as caught:
            ask(SMSPartnerHook(), what, argument)
        assert (caught.value.code, caught.value.http_status) == (code, http_status)
        assert len(double.requests) == 1

    @both_ways
    @pytest.mark.parametrize("http_status", [200, 400])
    @pytest.mark.parametrize("code", [2, 3, 5, 6, 9, 50, 90])
    def test_refused_requests(self, double: SMSPartnerDouble, ask: Ask, code: int, http_status: int) -> None:
        double.misbehave(Fault.error(code, http_status=http_status), times=None)

        with pytest.raises(SMSPartnerRequestError) as caught:
            ask(SMSPartnerHook(), "multi_status", [("+33639980000", 1)])
        assert (caught.value.code, caught.value.http_status) == (code, http_status)
        assert len(double.requests) == 1

    @both_ways
    @pytest.mark.parametrize("http_status", [401, 403])
    def test_refused_access_without_a_code(
        self, double: SMSPartnerDouble, ask: Ask, http_status: int
    ) -> None:
        double.misbehave(Fault.status(http_status), times=None)

        with pytest.raises(SMSPartnerError):
            ask(SMSPartnerHook(), "status_by_tag", "spring")

    @both_ways
    def test_not_found(self, double: SMSPartnerDouble, ask: Ask) -> None:
        with pytest.raises(SMSPartnerNotFoundError):
            ask(SMSPartnerHook(), "status_by_tag", "nobody")
        assert len(double.requests) == 1


class TestRetryAfter:
    @both_ways
    def test_seconds(self, double: SMSPartnerDouble, ask: Ask) -> None:
        double.add_campaign("spring", size=1)
        double.misbehave(Fault.status(429, retry_after=1))

        ask(SMSPartnerHook(), "status_by_tag", "spring")

        assert 0.99 <= double.requests[1].at - double.requests[0].at < 2

    @both_ways
    def test_a_date(self, double: SMSPartnerDouble, ask: Ask) -> None:
        double.add_campaign("spring", size=1)
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        double.misbehave(Fault.status(503, retry_after=date))

        ask(SMSPartnerHook(), "status_by_tag", "spring")

        # A date has whole seconds only.
        assert 0.5 <= double.requests[1].at - double.requests[0].at < 3


class TestTotalTime:
    @both_ways
    def test_a_body_that_drips(self, start: Start, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 1.0)
        # A busy machine may be late with a byte: that must not end the try.
        double = start({"timeout": 60})
        double.misbehave(Fault.drip(0.1), times=None)

        began = time.monotonic()
        with pytest.raises(SMSPartnerUnavailableError, match="Gave up after 1 try in"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert 0.9 < time.monotonic() - began < 20

    @both_ways
    def test_a_time_out_longer_than_that(
        self, start: Start, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.5)
        double = start({"timeout": 60})
        double.misbehave(Fault.hang(50), times=None)

        began = time.monotonic()
        with pytest.raises(SMSPartnerUnavailableError, match="Gave up after 1 try"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert time.monotonic() - began < 20

    @both_ways
    def test_no_wait_beyond_it(
        self, double: SMSPartnerDouble, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 30)
        double.misbehave(Fault.status(503, retry_after=60), times=None)

        began = time.monotonic()
        with pytest.raises(SMSPartnerUnavailableError, match="Gave up after 1 try in") as caught:
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert time.monotonic() - began < 20
        assert caught.value.http_status == 503

    @both_ways
    def test_many_tries_end_by_then(self, start: Start, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 1.0)
        double = start({"max_attempts": 1000, "timeout": 0.2})
        double.misbehave(Fault.hang(5), times=None)

        began = time.monotonic()
        with pytest.raises(SMSPartnerUnavailableError, match=r"Gave up after \d tries in"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert 0.8 < time.monotonic() - began < 20

    @both_ways
    def test_a_turn_beyond_it(self, start: Start, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(policy, "TOTAL_SECONDS", 0.5)
        double = start({"requests_per_minute": 60})
        double.misbehave(Fault.status(503), times=None)

        began = time.monotonic()
        with pytest.raises(SMSPartnerUnavailableError, match="Gave up after 2 tries in"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert time.monotonic() - began < 20
        assert len(double.requests) == 1

    @both_ways
    def test_a_hang_lasts_no_longer_than_the_time_out(self, start: Start, ask: Ask) -> None:
        double = start({"timeout": 0.3, "max_attempts": 1})
        double.misbehave(Fault.hang(50))

        began = time.monotonic()
        with pytest.raises(SMSPartnerUnavailableError):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert 0.25 < time.monotonic() - began < 20


HEAD = b"HTTP/1.1 200 OK\r\n"
ODD_ANSWERS = {
    "nothing": b"",
    "not http": b"\x16\x03\x01\x02\x00\x01\x00",
    "no status": b"HTTP/1.1\r\n\r\n",
    "status 0": b"HTTP/1.1 000 \r\nContent-Length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
    "a long status line": b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n",
    "a long header": HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n",
    "many headers": HEAD + b"X: y\r\n" * 1000 + b"\r\n",
    "a bad length": HEAD + b"Content-Length: many\r\n\r\n{}",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n{}",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "bad chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "cut chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
    "bad gzip": response(b"not gzip", head=b"Content-Encoding: gzip\r\n"),
    "unknown encoding": response(b"x", head=b"Content-Encoding: br\r\n"),
    "bad charset": response(b"{}", head=b"Content-Type: application/json; charset=nonsense\r\n"),
    "a header without a colon": HEAD + b"nonsense\r\nContent-Length: 2\r\n\r\n{}",
    "header bytes": HEAD + b"X-\xff\x00: \xff\r\nContent-Length: 2\r\n\r\n{}",
    "a cookie": response(b"{}", head=b"Set-Cookie: \xff=;;;\r\n"),
    "a location": response(b"", status="301 Moved", head=b"Location: \xff\xfe://[\r\n"),
    "no location": response(b"", status="301 Moved"),
    "only a hint": b"HTTP/1.1 100 Continue\r\n\r\n",
    "switched": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "authenticate": response(b"", status="407 Proxy", head=b"Proxy-Authenticate: Basic\r\n"),
}


@both_ways
@pytest.mark.filterwarnings("default::urllib3.exceptions.HTTPWarning")
@pytest.mark.parametrize("answer", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_any_answer_ends_in_an_error_of_ours(
    ask: Ask, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(said(answer)) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("test-key", max_attempts=2))
        with pytest.raises(SMSPartnerError):
            ask(SMSPartnerHook(), "status_by_tag", "spring")


@both_ways
@pytest.mark.parametrize("encoding", ["gzip", "chunked"])
def test_usual_ways_to_write_a_body(ask: Ask, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if encoding == "gzip":
        answer = response(gzip.compress(ONE_ROW), head=b"Content-Encoding: gzip\r\n")
    else:
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in ONE_ROW)
        answer = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    with RawServer(said(answer)) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("test-key"))
        assert len(ask(SMSPartnerHook(), "status_by_tag", "spring")) == 1


class TestWhereItGoes:
    @both_ways
    @questions
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects_are_not_followed(
        self, start: Start, ask: Ask, what: str, argument: Any, status: int
    ) -> None:
        with RawServer(said(response(ONE_ROW))) as elsewhere:
            double = start({"max_attempts": 2})
            double.misbehave(Fault.redirect(f"{elsewhere.url}/v1/bulk-status-by-tag", status), times=None)

            with pytest.raises(SMSPartnerUnavailableError, match="redirect"):
                ask(SMSPartnerHook(), what, argument)
            assert elsewhere.heads == []

    @both_ways
    @questions
    def test_a_proxy_of_the_environment_is_not_for_loopback(
        self, start: Start, ask: Ask, what: str, argument: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with RawServer(said(response(b"{}"))) as proxy:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
                monkeypatch.setenv(name.lower(), proxy.url)
            for name in ("NO_PROXY", "no_proxy"):
                monkeypatch.delenv(name, raising=False)
            double = start()
            double.add_campaign("spring", size=1)

            assert len(ask(SMSPartnerHook(), what, argument)) == 1
            assert proxy.heads == []

    @both_ways
    def test_a_proxy_of_the_environment_is_for_the_vendor(
        self, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(
            "AIRFLOW_CONN_SMSPARTNER_DEFAULT",
            '{"conn_type": "smspartner", "password": "test-key", "extra": {"max_attempts": 1, "timeout": 2}}',
        )
        with RawServer(said(response(b"", status="502 No"))) as proxy:
            for name in ("HTTPS_PROXY", "https_proxy"):
                monkeypatch.setenv(name, proxy.url)
            for name in ("NO_PROXY", "no_proxy"):
                monkeypatch.delenv(name, raising=False)
            with pytest.raises(SMSPartnerUnavailableError):
                ask(SMSPartnerHook(), "status_by_tag", "spring")

            assert proxy.heads[0].startswith(b"CONNECT api.smspartner.fr:443 ")
            assert b"test-key" not in proxy.heads[0]

    @both_ways
    @questions
    def test_headers(self, double: SMSPartnerDouble, ask: Ask, what: str, argument: Any) -> None:
        from airflow import __version__ as airflow_version

        double.add_campaign("spring", size=1)
        ask(SMSPartnerHook(), what, argument)

        headers = double.requests[0].headers
        agent = f"airflow-provider-smspartner/{__version__} apache-airflow/{airflow_version}"
        assert headers["User-Agent"] == agent
        assert headers["Accept"] == "application/json"
        if what == "multi_status":
            assert headers["Content-Type"] == "application/json"

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
            assert len(server.heads) == 2
            assert b"cookie" not in server.heads[1].lower()
