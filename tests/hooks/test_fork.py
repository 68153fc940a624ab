"""A hook in a forked process: connections of its own, no lock of the parent's, and nothing closed but its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from itertools import count

import pytest
from loopback import RawServer, Start, head_of, one_row
from waits_for import wait_until

from airflow_provider_smspartner._http import throttle
from airflow_provider_smspartner.hooks import smspartner
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook

# Python 3.12 warns of forks in processes with threads; this is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def in_child(work: Callable[[], None]) -> None:
    """Run work in a forked process, and fail if it fails or hangs."""
    # Coverage has a lock, which another thread may hold at the fork, and the child's first step would wait for it.
    tracer = sys.gettrace()
    sys.settrace(None)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException as error:  # noqa: BLE001 - reported through the exit status
            os.write(2, repr(error).encode())
        finally:
            os._exit(status)
    sys.settrace(tracer)
    ended = (0, 0)

    def has_ended() -> bool:
        nonlocal ended
        ended = os.waitpid(pid, os.WNOHANG)
        return ended[0] == pid

    try:
        wait_until(has_ended, "the child")
    except AssertionError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    assert os.waitstatus_to_exitcode(ended[1]) == 0


class Connections:
    """A server that answers with the number of the connection that it was asked over."""

    def __init__(self) -> None:
        self._numbers = count()

    def __call__(self, client: socket.socket, server: RawServer) -> None:
        number = next(self._numbers)
        body = one_row(number)
        while True:
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            if not head_of(client):
                return


def connection_used_by(hook: SMSPartnerHook) -> str:
    (row,) = hook.get_status_by_tag("spring")
    return row["phone_number"]


def test_a_child_opens_its_own_connection_and_leaves_the_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    def child() -> None:
        assert [connection_used_by(hook), connection_used_by(hook)] == ["+33639980001", "+33639980001"]
        hook.close()

    def child_of_a_session() -> None:
        assert "+33639980002" in session.get(url, timeout=60).text

    with RawServer(Connections()) as server, SMSPartnerHook() as hook:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("test-key"))
        session, url = hook.get_conn(), f"{server.url}/v1/any"
        assert connection_used_by(hook) == "+33639980000"
        for work in (child, hook.close, child_of_a_session):
            # A child that only closes closes nothing of the parent's.
            in_child(work)
            assert connection_used_by(hook) == "+33639980000"
        assert "+33639980000" in session.get(url, timeout=60).text


def test_locks_that_the_parent_held(start: Start) -> None:
    start({"requests_per_minute": 6000}).add_campaign("spring", size=1, settle_seconds=0)
    hook = SMSPartnerHook()
    hook.get_status_by_tag("spring")
    (shared,) = throttle._throttles.values()

    def child() -> None:
        assert len(hook.get_status_by_tag("spring")) == 1
        assert len(SMSPartnerHook().get_status_by_tag("spring")) == 1

    with smspartner._opening, throttle._throttles_lock, shared._lock:
        in_child(child)
    hook.close()


def test_an_asynchronous_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connection() -> str:
        (row,) = await hook.aget_status_by_tag("spring")
        return str(row["phone_number"])

    def child() -> None:
        # The parent's loop is not this process's.
        asyncio.events._set_running_loop(None)
        assert asyncio.run(connection()) == "+33639980001"

    async def parent() -> None:
        async with hook:
            assert await connection() == "+33639980000"
            in_child(child)
            assert await connection() == "+33639980000"

    hook = SMSPartnerHook()
    with RawServer(Connections()) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", server.connection("test-key"))
        asyncio.run(parent())


def test_rows_begun_before_a_fork_do_not_hang(start: Start) -> None:
    campaign = start(page_size=500).add_campaign("spring", size=4000, settle_seconds=0)
    with SMSPartnerHook() as hook:
        rows = hook.iter_multi_status(campaign.messages)
        next(rows)

        def child() -> None:
            with pytest.raises(RuntimeError, match="begun before a fork"):
                list(rows)
            assert len(hook.get_multi_status(campaign.messages[:10])) == 10

        in_child(child)
        assert len(list(rows)) == 3999
