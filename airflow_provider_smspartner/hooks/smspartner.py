"""The hook: Airflow's way to an SMS Partner account, synchronous and asynchronous."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from functools import partial
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner._connection import fields, form
from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner._http.opening import open_async_client, open_client
from airflow_provider_smspartner._sending.delivery import (
    Ledger,
    NoLedger,
    NotMadeError,
    adrive,
    deliver,
    drive,
)
from airflow_provider_smspartner._sending.send import Send, SendParameters
from airflow_provider_smspartner.exceptions import SMSPartnerError, TooManyRowsError
from airflow_provider_smspartner.models import MessageStatus, Receipt, StatusRow
from airflow_provider_smspartner.protocol import Call, StopListRow

if TYPE_CHECKING:
    import requests

    from airflow_provider_smspartner._http.asynchronous import AsyncClient
    from airflow_provider_smspartner._http.blocking import BlockingClient

# Of the module: a hook that holds a lock could not be copied with the operator that holds the hook.
_opening = Lock()


def _renew_lock() -> None:
    # Another thread of the parent may have held it when the process was forked.
    global _opening  # noqa: PLW0603
    _opening = Lock()


os.register_at_fork(after_in_child=_renew_lock)


_inherited: list[object] = []

_ROWS_AT_ONCE = 1_000
"""How many rows are made before the event loop gets its turn: few milliseconds' work, and more than a usual page."""


_IN_SANDBOX = "The connection is in the sandbox: what it sends is neither delivered nor charged."


class SMSPartnerHook(BaseHook):
    """
    Send SMS with SMS Partner, cancel what is scheduled, and ask for delivery statuses and the stop list.

    Connections to the API are kept alive over all calls of a hook. Use the hook in ``with``, or in ``async with``
    for the asynchronous methods, to close them at the end; without ``async with`` each asynchronous call opens and
    closes its own.

    :param smspartner_conn_id: the Airflow connection that holds the API key.

    .. seealso:: https://www.docpartner.dev/en/api/sms-partner
    """

    conn_name_attr = "smspartner_conn_id"
    default_conn_name = fields.DEFAULT_CONN_ID
    conn_type = fields.CONN_TYPE
    hook_name = fields.HOOK_NAME

    def __init__(self, smspartner_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.smspartner_conn_id = smspartner_conn_id
        self._settings: Settings | None = None
        self._client: BlockingClient | None = None
        self._async_client: AsyncClient | None = None
        self._opening_async: asyncio.Lock | None = None
        self._async_owner = os.getpid()
        self._closed_for_good = False
        self._warned_tags: set[str] = set()

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the connection form's extra fields, for Airflow up to 3.1."""
        return form.form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the behaviour of the connection form's standard fields, for Airflow up to 3.1."""
        return form.ui_field_behaviour()

    def get_conn(self) -> requests.Session:
        """
        Return the session of this hook, the same one each time.

        It has no key in it: the key is added to each request as it is sent. With an adapter of your own mounted on it,
        a call that sends SMS and gets no answer is never repeated: nobody knows what the adapter has sent.
        """
        return self._blocking_client().session

    def close(self, *, for_good: bool = False) -> None:
        """
        Close the connections that the synchronous methods opened.

        :param for_good: open none again: what is still being asked for, and is asked for later, fails.
        """
        if for_good:
            # First: what opens a connection at this moment looks at it afterwards.
            self._closed_for_good = True
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def __enter__(self) -> Self:
        """Use the hook until the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    async def __aenter__(self) -> Self:
        """Use the hook, with its connections kept alive, until the end of the block."""
        self._opening_async = asyncio.Lock()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._opening_async = None
        self._leave_to_parent()
        client, self._async_client = self._async_client, None
        if client is not None:
            await client.close()
        self.close()

    def iter_status_by_tag(
        self, tag: str, *, max_rows: int | None = None, read_ahead: bool = False
    ) -> Generator[StatusRow, None, None]:
        """
        Yield the statuses of a tag's messages, holding one page at a time.

        :param tag: 1 to 20 characters without white space; upper case is passed on with a warning.
        :param max_rows: more rows than that are an error, as soon as the first page tells; None for any number.
        :param read_ahead: ask for up to ``max_connections`` pages at once, and hold as many; faster if all are
            wanted.
        :raises ValueError: if the tag is not one, before anything is sent; if there are more than `max_rows`.
        :raises SMSPartnerNotFoundError: if no message has this tag, or not yet.
        :raises SMSPartnerIncompleteError: if the pages end before the rows that the vendor announced, or the tag
            changes while it is read: rows that were given out cannot be taken back, so the caller begins anew, or asks
            with `get_status_by_tag`, which does.
        :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`.

        .. seealso:: https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/status-by-tag
        """
        return _each(self._read_tag(self._checked(tag), max_rows=max_rows, read_ahead=read_ahead))

    def iter_multi_status(
        self, messages: Iterable[object], *, distinct: bool = False
    ) -> Generator[StatusRow, None, None]:
        """
        Yield the statuses of messages in the messages' order, asking for 500 in a call.

        Up to ``max_connections`` calls are in flight at once. A message that is named again is asked for once.

        :param messages: any iterable of messages, also an endless one; each a `MessageRef`, a
            ``(phone_number, message_id)`` pair, or a mapping with both.
        :param distinct: the messages are known to differ. They are read as they are asked for, also those of a
            collection, and none is remembered: memory does not grow with their number.
        :raises ValueError: names the position and the fault of a bad message; for a collection before anything
            is sent.
        :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`.

        .. seealso:: https://www.docpartner.dev/en/api/sms-partner/status-and-statistics/bulk-status
        """
        return _each(self._read_list(protocol.multi_status(messages, distinct=distinct)))

    def get_status_by_tag(self, tag: str) -> list[StatusRow]:
        """
        Return the statuses of a tag's messages: as `iter_status_by_tag`, all of them.

        If the tag changes while it is read, it is read anew, three times in all.
        """
        from airflow_provider_smspartner._http.paging import begin_anew

        tag = self._checked(tag)
        return begin_anew(lambda: _collect(self._read_tag(tag, read_ahead=True)))

    def get_multi_status(self, messages: Iterable[object]) -> list[StatusRow]:
        """Return the statuses of messages: as `iter_multi_status`, all of them."""
        return _collect(self._read_list(protocol.multi_status(messages)))

    async def aiter_status_by_tag(self, tag: str) -> AsyncGenerator[StatusRow, None]:
        """Yield the statuses of a tag's messages: as `iter_status_by_tag`, asynchronously."""
        async with aclosing(self._aread_tag(self._checked(tag))) as batches:
            async for batch in batches:
                for row in batch:
                    yield row

    async def aiter_multi_status(self, messages: Iterable[object]) -> AsyncGenerator[StatusRow, None]:
        """Yield the statuses of messages: as `iter_multi_status`, asynchronously."""
        async with aclosing(self._aread_list(protocol.multi_status(messages))) as batches:
            async for batch in batches:
                for row in batch:
                    yield row

    async def aget_status_by_tag(self, tag: str) -> list[StatusRow]:
        """Return the statuses of a tag's messages: as `get_status_by_tag`, asynchronously."""
        from airflow_provider_smspartner._http.paging import abegin_anew

        tag = self._checked(tag)
        return await abegin_anew(lambda: _acollect(self._aread_tag(tag, read_ahead=True)))

    async def aget_multi_status(self, messages: Iterable[object]) -> list[StatusRow]:
        """Return the statuses of messages: as `get_multi_status`, asynchronously."""
        return await _acollect(self._aread_list(protocol.multi_status(messages)))

    def send(
        self, recipients: object, message: str | None = None, **options: Unpack[SendParameters]
    ) -> list[Receipt]:
        """
        Send SMS, up to 500 in a call, and return the receipts, one for each call.

        Everything is checked before anything is sent. No call is ever repeated unless it surely was not made: the
        vendor has no means to recognise a repeated one. Use `SMSPartnerSendOperator` in a DAG, which remembers across
        Airflow's retries what was sent; this method does not: a retry of your own task sends everything again, whatever
        it failed of. Give that task ``retries=0``. It may return the receipts: XCom stores them, as dictionaries.

        :param recipients: with `message`, phone numbers that all get that text; without, ``(phone_number, text)``
            pairs or mappings with ``phone_number`` and ``message``. A list, or the path of a file with those columns.
            A number that is named again gets one SMS. If there are none, nothing is asked, and there is no receipt.
        :param message: the text for all of them, of at most 10 SMS.
        :param options: `tag`, 1 to 20 characters without white space; `sender`, 3 to 11 letters or digits;
            `scheduled_at`, an aware datetime or its ISO text, which is sent as the next step of five minutes;
            `stop_notice`, whether the vendor adds how to answer STOP; `unicode`, whether the text is sent as
            Unicode, 70 characters an SMS;
            `sandbox`, True to neither deliver nor charge anything, which a connection can also
            demand; `max_recipients`, 1000, more than which are an error.
        :raises ValueError: names the position and the fault, never a number or a text, before anything is sent.
        :raises SMSPartnerAmbiguousSendError: if SMS may or may not have left; its `receipts` are of those that have.
        :raises SMSPartnerCreditError: if the account has no credit left; its `receipts` are of the calls before.
        :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`; its `receipts` are of
            the calls before.

        .. seealso:: https://www.docpartner.dev/en/api/sms-partner
        """
        return self._deliver(self._prepare(recipients, message, **options), NoLedger())

    async def asend(
        self, recipients: object, message: str | None = None, **options: Unpack[SendParameters]
    ) -> list[Receipt]:
        """Send SMS: as `send`, asynchronously."""
        async with self._async_client_in_use() as client:
            # On a thread: it may be a long list, or a file.
            send = await asyncio.to_thread(
                self._send_of, recipients, message, always_sandbox=client.settings.sandbox, **options
            )
            return await adrive(deliver(send, NoLedger()), client.send)

    def _prepare(self, recipients: object, message: object, **options: Unpack[SendParameters]) -> Send:
        """Check what is to be sent, as `send` does."""
        always_sandbox = self._look_up_settings().sandbox
        return self._send_of(recipients, message, always_sandbox=always_sandbox, **options)

    def _send_of(
        self, recipients: object, message: object, *, always_sandbox: bool, **options: Unpack[SendParameters]
    ) -> Send:
        send = Send.of(recipients, message, always_sandbox=always_sandbox, **options)
        if send.options.tag is not None:
            self._checked(send.options.tag)
        return send

    def _fingerprint(self, send: Send) -> str:
        """Return a text by which a send is recognised, and which tells nothing about it."""
        return send.fingerprint(self._look_up_settings().api_key)

    def _deliver(
        self, send: Send, ledger: Ledger, *, check: Callable[[], None] = lambda: None
    ) -> list[Receipt]:
        """Make the calls of a send, but for those that the ledger knows, while `check` lets it."""
        client = self._blocking_client()

        def await_turn() -> None:
            check()
            # Before the ledger notes that the call is under way: what is killed while it waits has surely sent nothing.
            client.await_turn(check=check)

        def check_between_tries() -> None:
            try:
                check()
            except SMSPartnerError as why:
                raise NotMadeError(why) from None

        make = partial(client.send_in_turn, check=check_between_tries)
        return drive(deliver(send, ledger, check=await_turn), make)

    def cancel(self, message_id: int | str) -> None:
        """
        Cancel a scheduled send, for all of its recipients.

        What is cancelled already stays so: that is no error. Until 5 minutes before the time of sending the vendor
        still cancels. Its answer does not name the message: a gateway that answers success to everything, as was seen
        once, is recognised by that answer's words alone. Where much depends on it, cancel again later, or ask for the
        statuses.

        :param message_id: what the send was answered.
        :raises ValueError: if it is no message id, before anything is sent.
        :raises SMSPartnerNotFoundError: if the vendor does not know the message.
        :raises SMSPartnerRequestError: if the message was sent, or is to be sent in less than 5 minutes.
        :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`.

        .. seealso:: https://www.docpartner.dev/en/api/sms-partner/send-sms/cancel-scheduled-sms
        """
        call = protocol.cancel(message_id)
        self._blocking_client().send(call)

    def iter_stop_list(self) -> Generator[StopListRow, None, None]:
        """
        Yield everybody who answered STOP: the phone number, and since when.

        The vendor gives the list in one answer: all of it is held, and there is a limit of 64 MiB, some 800,000
        entries.

        :raises SMSPartnerError: see the error tree in `airflow_provider_smspartner.exceptions`.

        .. seealso:: https://www.docpartner.dev/en/api/sms-partner/replies-opt-outs-management/stop-list
        """
        for entry in self._blocking_client().send(protocol.stop_list()):
            yield entry.as_row()

    def _read_tag(
        self, tag: str, *, max_rows: int | None = None, read_ahead: bool = False
    ) -> Generator[list[StatusRow], None, None]:
        from airflow_provider_smspartner._http.paging import read_pages

        with closing(read_pages(self._blocking_client(), tag, ahead=read_ahead)) as pages:
            for page, _ in pages:
                if max_rows is not None and page.total > max_rows:
                    raise TooManyRowsError(page.total, max_rows)
                yield [status.as_row() for status in page.rows]

    def _read_list(
        self, calls: Iterator[Call[list[MessageStatus]]]
    ) -> Generator[list[StatusRow], None, None]:
        with closing(self._blocking_client().send_in_order(calls)) as batches:
            for batch in batches:
                yield [status.as_row() for status in batch]

    async def _aread_tag(
        self, tag: str, *, read_ahead: bool = False
    ) -> AsyncGenerator[list[StatusRow], None]:
        from airflow_provider_smspartner._http.paging import aread_pages

        async with self._async_client_in_use() as client:
            in_flight = client.max_connections if read_ahead else 0
            async with aclosing(aread_pages(client.send, tag, in_flight=in_flight)) as pages:
                async for page, _ in pages:
                    for start in range(0, len(page.rows), _ROWS_AT_ONCE):
                        if start:
                            # A page may have any number of rows: let the event loop run in between.
                            await asyncio.sleep(0)
                        yield [status.as_row() for status in page.rows[start : start + _ROWS_AT_ONCE]]

    async def _aread_list(
        self, calls: Iterator[Call[list[MessageStatus]]]
    ) -> AsyncGenerator[list[StatusRow], None]:
        async with self._async_client_in_use() as client, aclosing(client.send_in_order(calls)) as batches:
            async for batch in batches:
                yield [status.as_row() for status in batch]

    def test_connection(self) -> tuple[bool, str]:
        """
        Ask for the account, and say its balance and credits, and whether the connection is in the sandbox.

        Airflow does not mask secrets in the message: it holds only figures and this package's text. It never raises.

        .. seealso:: https://www.docpartner.dev/en/api/sms-partner/credits
        """
        try:
            connection = self.get_connection(self.smspartner_conn_id)
        except Exception as error:  # noqa: BLE001 - of a secrets backend, whose text may quote what it has read
            return False, self._cannot_use(error)
        try:
            settings = Settings.of(connection)
            with closing(open_client(settings, self.smspartner_conn_id)) as client:
                account = client.send(protocol.account())
        except (SMSPartnerError, ValueError) as error:
            return False, str(error)
        except Exception as error:  # noqa: BLE001 - Airflow 2 decrypts a field when it is read
            return False, self._cannot_use(error)
        facts = []
        if account.balance is not None:
            facts.append(f"balance {account.balance} {account.currency or ''}".rstrip())
        if account.sms_credits is not None:
            facts.append(f"{account.sms_credits} SMS credits")
        accepted = "SMS Partner accepts the API key" + (f": {', '.join(facts)}." if facts else ".")
        return True, f"{accepted} {_IN_SANDBOX}" if settings.sandbox else accepted

    def _cannot_use(self, error: Exception) -> str:
        kind = type(error).__name__
        return f"Airflow has no connection {self.smspartner_conn_id!r} that can be read and used ({kind})."

    def _look_up_settings(self) -> Settings:
        if self._settings is None:
            self._settings = Settings.of(self.get_connection(self.smspartner_conn_id))
        return self._settings

    def _has_changed(self) -> bool:
        """Look the connection up again, and return whether it has changed; later calls use what it says now."""
        before, self._settings = self._settings, None
        try:
            now = self._look_up_settings()
        finally:
            self._settings = self._settings or before
        if now == before:
            return False
        self.close()
        return True

    def _blocking_client(self) -> BlockingClient:
        settings = self._look_up_settings()
        with _opening:
            if self._client is None:
                self._client = open_client(settings, self.smspartner_conn_id)
            client = self._client
        if self._closed_for_good:
            from airflow_provider_smspartner._http.policy import closed_before_answer

            self.close()
            raise closed_before_answer(surely_unsent=True)
        return client

    @asynccontextmanager
    async def _async_client_in_use(self) -> AsyncIterator[AsyncClient]:
        from airflow.providers.common.compat.connection import get_async_connection

        if self._settings is None:
            self._settings = Settings.of(await get_async_connection(self.smspartner_conn_id, hook=self))
        self._leave_to_parent()
        if self._opening_async is None:
            client = await open_async_client(self._settings, self.smspartner_conn_id)
        else:
            # Coroutines that begin together share one client, and with it `max_connections`.
            async with self._opening_async:
                if self._async_client is None:
                    self._async_client = await open_async_client(self._settings, self.smspartner_conn_id)
                client = self._async_client
        try:
            yield client
        finally:
            if client is not self._async_client:
                await client.close()

    def _leave_to_parent(self) -> None:
        if self._async_owner != os.getpid():
            # A fork has brought the parent's event loop and connections: neither is used nor closed here.
            _inherited.append(self._async_client)
            self._async_client = None
            self._opening_async = None if self._opening_async is None else asyncio.Lock()
            self._async_owner = os.getpid()

    def _checked(self, tag: str) -> str:
        tag = protocol.check_tag(tag)
        if tag != tag.lower() and tag not in self._warned_tags:
            self._warned_tags.add(tag)
            self.log.warning(
                "The tag %r has upper case; the vendor asks for lower case. It is sent as it is.", tag
            )
        return tag


def _each(batches: Generator[list[StatusRow], None, None]) -> Generator[StatusRow, None, None]:
    with closing(batches):
        for batch in batches:
            yield from batch


def _collect(batches: Generator[list[StatusRow], None, None]) -> list[StatusRow]:
    collected: list[StatusRow] = []
    with _counting(collected), closing(batches):
        for batch in batches:
            collected += batch
    return collected


async def _acollect(batches: AsyncGenerator[list[StatusRow], None]) -> list[StatusRow]:
    collected: list[StatusRow] = []
    with _counting(collected):
        async with aclosing(batches):
            async for batch in batches:
                collected += batch
    return collected


@contextmanager
def _counting(collected: list[StatusRow]) -> Iterator[None]:
    """Add to an error how many rows were read before it."""
    try:
        yield
    except SMSPartnerError as error:
        error.note_rows(len(collected))
        raise
