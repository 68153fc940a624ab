"""Cancelling and the stop list, through the hook, against servers that answer by hand."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from loopback import RawServer, response, said
from protocol.samples import CANCELLED, FAKE_SUCCESS, PHONE, STOP_LIST

from airflow_provider_smspartner.exceptions import (
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

KEY = "k+/="
Connect = Callable[..., None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Lead the default connection to a server."""

    def lead(server: RawServer) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection(KEY, max_attempts=3))

    return lead


def asked(server: RawServer) -> list[tuple[str, str, dict[str, list[str]]]]:
    """Return method, path and query of what a server was asked."""
    lines = [head.split(b"\r\n")[0].decode().split() for head in server.heads]
    return [(method, urlsplit(url).path, parse_qs(urlsplit(url).query)) for method, url, _ in lines]


def in_turn(*answers: bytes) -> Callable[[socket.socket, RawServer], None]:
    """Give one answer after the other."""
    return lambda client, server: client.sendall(answers[len(server.heads) - 1])


def refused(code: int) -> bytes:
    return json.dumps({"success": False, "code": code, "message": "Texte"}).encode()


class TestCancel:
    def test_what_is_asked(self, connect: Connect) -> None:
        with RawServer(said(response(CANCELLED))) as server, SMSPartnerHook() as hook:
            connect(server)
            hook.cancel(307)

        assert asked(server) == [("GET", "/v1/message-cancel", {"apiKey": [KEY], "messageId": ["307"]})]

    def test_an_answer_that_was_lost_is_asked_for_again(self, connect: Connect) -> None:
        # The first may have cancelled: then the second answer says so.
        with RawServer(in_turn(b"", response(refused(5)))) as server, SMSPartnerHook() as hook:
            connect(server)
            hook.cancel("307")

        assert len(server.heads) == 2

    @pytest.mark.parametrize(
        ("code", "error_type"),
        [(4, SMSPartnerNotFoundError), (6, SMSPartnerRequestError), (7, SMSPartnerRequestError)],
    )
    def test_what_is_refused_is_asked_once(
        self, connect: Connect, code: int, error_type: type[Exception]
    ) -> None:
        with RawServer(said(response(refused(code)))) as server, SMSPartnerHook() as hook:
            connect(server)
            with pytest.raises(error_type, match=rf"\(code {code}, HTTP 200\)"):
                hook.cancel(307)

        assert len(server.heads) == 1

    def test_a_success_that_is_none(self, connect: Connect) -> None:
        with RawServer(said(response(FAKE_SUCCESS))) as server, SMSPartnerHook() as hook:
            connect(server)
            with pytest.raises(
                SMSPartnerUnavailableError, match="without saying that a message was cancelled"
            ):
                hook.cancel(307)

        assert len(server.heads) == 3

    @pytest.mark.parametrize("message_id", ["", "a b", PHONE, None, True, -1, 1.5], ids=repr)
    def test_a_bad_id_is_told_before_anything_is_sent(self, connect: Connect, message_id: object) -> None:
        with RawServer(said(response(CANCELLED))) as server, SMSPartnerHook() as hook:
            connect(server)
            with pytest.raises(ValueError, match="message_id must be") as caught:
                hook.cancel(message_id)  # type: ignore[arg-type]

        assert server.heads == []
        assert PHONE[1:] not in str(caught.value)


class TestStopList:
    def test_rows(self, connect: Connect) -> None:
        with RawServer(said(response(STOP_LIST))) as server, SMSPartnerHook() as hook:
            connect(server)
            rows = list(hook.iter_stop_list())

        assert rows == [{"phone_number": PHONE, "created_at": "2015-07-20T08:19:45+00:00"}]
        assert json.loads(json.dumps(rows)) == rows
        assert asked(server) == [("GET", "/v1/stop-sms/list", {"apiKey": [KEY]})]

    def test_a_short_list_is_asked_for_again(self, connect: Connect) -> None:
        short = b'{"success":true,"code":200,"nbData":1,"data":[]}'
        with RawServer(in_turn(response(short), response(STOP_LIST))) as server, SMSPartnerHook() as hook:
            connect(server)
            assert len(list(hook.iter_stop_list())) == 1

        assert len(server.heads) == 2
