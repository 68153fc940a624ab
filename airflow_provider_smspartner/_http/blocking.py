"""The synchronous client: sends calls with requests, several of them in threads at once."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from http.cookiejar import DefaultCookiePolicy
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

import requests
import urllib3
from tenacity import RetryCallState, Retrying

from airflow_provider_smspartner._http import logs, policy
from airflow_provider_smspartner._http.body import ACCEPT_ENCODING, BodyDecoder, BodyError
from airflow_provider_smspartner._http.bounds import Exchange, GivingUp, current, no_check
from airflow_provider_smspartner._http.connections import Adapter
from airflow_provider_smspartner._http.proxies import proxy_for
from airflow_provider_smspartner._http.throttle import throttle_for
from airflow_provider_smspartner._http.trust import authorities
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError
from airflow_provider_smspartner.protocol import Answer, Call
from airflow_provider_smspartner.protocol.answers import unavailable

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

    from airflow_provider_smspartner._connection.settings import Settings

T = TypeVar("T")

_CHUNK_BYTES = 64 * 1024
_SIGNAL_SECONDS = 0.1
"""How long a signal may stay unhandled while the main thread waits for others."""


class BlockingClient:
    """
    Sends calls, and returns what their answers say.

    :param settings: what the connection says.
    :param conn_id: whose throttle to keep to.
    :raises ValueError: if the certificate authorities or the proxy that the environment names can't be used.
    """

    def __init__(self, settings: Settings, conn_id: str) -> None:
        self._settings = settings
        self._conn_id = conn_id
        self.session = _new_session(settings)
        self._begin()

    def _begin(self) -> None:
        self._throttle = throttle_for(self._conn_id, self._settings.requests_per_minute)
        self._closing = GivingUp()
        self._given_up = {self._closing}
        self._owner = os.getpid()

    def close(self) -> None:
        """
        Close the connections, and end the calls that are in flight or still waited for.

        A signal handler may call this in the middle of a call.
        """
        if self._owner != os.getpid():
            # A fork has left us the parent's connections.
            return
        # First: whoever adds a switch of its own looks at this one afterwards, also in another thread.
        self._closing.set()
        for given_up in list(self._given_up):
            given_up.set()
        self._close_when_idle()

    def send(self, call: Call[T], given_up: GivingUp | None = None) -> T:
        """
        Send one call in its turn, again where that may help, and read its answer.

        :param given_up: ends waits and further tries once set; by default the client's closing.
        :raises SMSPartnerError: as the protocol reads it, or after the last try.
        """
        # The first turn may be minutes away where many share a ceiling: only then does the time begin to count.
        self.await_turn(given_up)
        return self.send_in_turn(call, given_up)

    def await_turn(self, given_up: GivingUp | None = None, *, check: Callable[[], None] = no_check) -> None:
        """
        Wait until the ceiling lets a call be sent.

        :param given_up: ends the wait once set; by default the client's closing.
        :param check: called again and again; it ends the wait by raising.
        :raises SMSPartnerUnavailableError: if it is set.
        """
        if self._owner != os.getpid():
            # After a fork: what the parent waits for and closes is not ours. The session opens its own connections.
            self._begin()
        turn = self._throttle.take_turn() if self._throttle is not None else 0
        if (given_up or self._closing).wait(turn, check):
            raise policy.closed_before_answer(surely_unsent=True)

    def send_in_turn(
        self, call: Call[T], given_up: GivingUp | None = None, *, check: Callable[[], None] = no_check
    ) -> T:
        """
        Send one call whose turn has come, as `send` does.

        :param given_up: as for `send`.
        :param check: called again and again between two tries, when nothing is in flight, but not during one; it
            ends the call by raising.
        """
        given_up = given_up or self._closing

        def pause(seconds: float) -> None:
            given_up.wait(seconds, check)
            self.await_turn(given_up, check=check)

        deadline = policy.call_deadline()
        options = policy.retry_options(
            call.request, max_attempts=self._settings.max_attempts, deadline=deadline
        )
        options["stop"] |= _stop_once(given_up)
        try:
            result: T = Retrying(sleep=pause, **options)(self._try, call, deadline, given_up)
        except SMSPartnerUnavailableError as error:
            raise policy.last_error(call.request, error) from None
        return result

    def send_in_order(self, calls: Iterator[Call[T]]) -> Generator[T, None, None]:
        """
        Send calls with up to ``max_connections`` of them in flight, and yield their results in order.

        :param calls: taken one by one, at most two further ahead than calls are in flight.
        """
        in_flight = self._settings.max_connections
        head = list(islice(calls, min(in_flight, 2)))
        if len(head) < 2:
            # One at a time needs no threads.
            yield from map(self.send, chain(head, calls))
            return
        window: deque[Future[T]] = deque()
        failed, given_up = threading.Event(), GivingUp()
        self._given_up.add(given_up)
        if self._closing.is_set():
            # The client was closed before it knew the new switch.
            given_up.set()

        def send(call: Call[T]) -> T:
            # What follows a failed call is not wanted any more: a wrong key is not tried again.
            if failed.is_set():
                raise policy.closed_before_answer(surely_unsent=True)
            try:
                return self.send(call, given_up)
            except BaseException:
                failed.set()
                raise

        pool = ThreadPoolExecutor(in_flight, thread_name_prefix="smspartner")
        try:
            for call in chain(head, calls):
                if self._owner != os.getpid():
                    raise RuntimeError(
                        "These rows were begun before a fork: begin them anew in this process."
                    )
                # One call more than are in flight: no thread waits for it until the rows before are taken.
                done = [_result_of(window.popleft())] if len(window) > in_flight else []
                window.append(pool.submit(send, call))
                yield from done
            while window:
                yield _result_of(window.popleft())
        finally:
            if self._owner == os.getpid():
                given_up.set()
                self._given_up.discard(given_up)
                pool.shutdown(cancel_futures=True)

    def _try(self, call: Call[T], deadline: float, given_up: GivingUp) -> T:
        with policy.counted():
            return self._try_uncounted(call, deadline, given_up)

    def _try_uncounted(self, call: Call[T], deadline: float, given_up: GivingUp) -> T:
        exchange = Exchange(
            deadline=deadline,
            timeout=self._settings.timeout,
            given_up=given_up,
            own_connection=policy.needs_own_connection(call.request),
        )
        try:
            with exchange, logs.named(call.request.method, call.request.path):
                answer = self._exchange(call, exchange)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if given_up.is_set():
                raise policy.closed_before_answer(surely_unsent=exchange.surely_unsent) from None
            # The library's error knows the URL: the error after the last try, a new one, has no link to it.
            fault = TimeoutError() if exchange.is_over() else error
            raise policy.no_answer(fault, self._settings, surely_unsent=exchange.surely_unsent) from None
        finally:
            if self._closing.is_set():
                self._close_when_idle()
        return call.read(answer)

    def _exchange(self, call: Call[T], exchange: Exchange) -> Answer:
        query, body = call.request.with_key(self._settings.api_key)
        with self.session.request(
            call.request.method,
            self._settings.base_url + call.request.path,
            params=query,
            data=body,
            headers=policy.headers_of(call.request),
            timeout=exchange.next_wait(),
            allow_redirects=False,
            stream=True,
        ) as response:
            try:
                content = _read_body(response, exchange)
                return Answer(response.status_code, response.headers, content, key=self._settings.api_key)
            except BodyError as fault:
                answer = Answer(response.status_code, response.headers, b"")
                raise unavailable(answer, str(fault), is_too_large=fault.is_too_large) from None

    def _close_when_idle(self) -> None:
        # The pools' locks are not for signal handlers: the last call in flight closes the connections.
        if not any(given_up.has_exchanges() for given_up in list(self._given_up)):
            self.session.close()


def _result_of(future: Future[T]) -> T:
    # Not one long wait: a signal that came just before it, perhaps to end the task, would only be handled after it.
    while not wait([future], _SIGNAL_SECONDS).done:
        pass
    return future.result()


def _stop_once(given_up: GivingUp) -> Callable[[RetryCallState], bool]:
    return lambda _: given_up.is_set()


def _read_body(response: requests.Response, exchange: Exchange) -> bytes | bytearray:
    decoder = BodyDecoder(
        content_encoding=response.headers.get("Content-Encoding"),
        content_length=response.headers.get("Content-Length"),
    )
    # Not read(), which waits until a chunk has filled up.
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
        for _ in decoder.steps(chunk):
            exchange.next_wait()
    # A connection that was cut looks as if the body had come to its end.
    exchange.next_wait()
    return decoder.finish()


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow no redirect, and don't look where it would lead: requests does, and stumbles over bad ones."""
        return

    def get_adapter(self, url: str) -> BaseAdapter:
        """Return what sends a request; of an adapter that a user has mounted nobody knows what it has sent."""
        adapter = super().get_adapter(url)
        exchange = current()
        if exchange is not None and not isinstance(adapter, Adapter):
            exchange.surely_unsent = False
        return adapter


def _new_session(settings: Settings) -> requests.Session:
    adapter = Adapter(pool_connections=1, pool_maxsize=settings.max_connections, pool_block=True)
    session = _Session()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers.update(
        {
            "User-Agent": policy.user_agent(),
            "Accept": "application/json",
            "Accept-Encoding": ACCEPT_ENCODING,
        }
    )
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # Of the environment only authorities and proxies count: requests would also send the password of a ~/.netrc.
    session.trust_env = False
    if proxy := proxy_for(settings):
        session.proxies = {"https": proxy}
    if settings.is_https:
        session.verify = str(authorities())
    return session
