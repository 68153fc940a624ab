"""A vendor in memory, tries of a task that share a store, and processes that end at any step."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from state_store import StateStore
from tenacity import Retrying

from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner._sending.delivery import deliver, drive
from airflow_provider_smspartner._sending.send import Send
from airflow_provider_smspartner._tasks.ledger import StoredLedger
from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import Receipt
from airflow_provider_smspartner.protocol import Answer, Call
from airflow_provider_smspartner.testing import SentSMS
from airflow_provider_smspartner.testing.answers import Vendor
from airflow_provider_smspartner.testing.campaigns import Clock, Ledger
from airflow_provider_smspartner.testing.exchange import RecordedRequest
from airflow_provider_smspartner.testing.sending import Sending


class KilledError(BaseException):
    """The process is no more."""


class Life:
    """
    The life of a process, which ends at a step, or during which another try begins and ends.

    :param step: at which that happens; None for never.
    :param happens: what.
    :param for_good: whether it happens at all further steps, too.
    """

    def __init__(
        self, step: int | None, happens: Callable[[], object] = lambda: None, *, for_good: bool = False
    ) -> None:
        self._left = step
        self._happens = happens
        self._for_good = for_good

    def go_on(self) -> None:
        """Take a step."""
        if self._left is None:
            return
        self._left -= 1
        if self._left < 0:
            if not self._for_good:
                self._left = None
            self._happens()


class Watched:
    """A task's store as one process sees it: each reading and writing is a step, before and after it."""

    def __init__(self, store: StateStore, life: Life) -> None:
        self._store = store
        self._life = life

    def get(self, key: str, default: Any = None) -> Any:
        self._life.go_on()
        value = self._store.get(key, default)
        self._life.go_on()
        return value

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self._life.go_on()
        self._store.set(key, value, retention=retention)
        self._life.go_on()

    def delete(self, key: str) -> None:
        self._life.go_on()
        self._store.delete(key)
        self._life.go_on()


def kill() -> None:
    raise KilledError


def fail() -> None:
    raise RuntimeError("the store is away")


def life_of(step: int | None, what: str, overlap: Callable[[], object]) -> Life:
    """
    Return a life in which something happens.

    :param step: when.
    :param what: "killed", "store fails" or "overlapped".
    :param overlap: makes the other try.
    """
    happens = {"killed": kill, "store fails": fail, "overlapped": overlap}[what]
    return Life(step, happens, for_good=what == "killed")


REFUSED = {
    "no credit": b'{"success":false,"code":11}',
    "wrong key": b'{"success":false,"code":10}',
    "bad sender": b'{"success":false,"code":44}',
    "no number left": b'{"success":false,"code":55,"errors":[{"code":"14"}]}',
}
LEFT_OPEN = {
    "page": (200, b"<html>"),
    "fake success": (200, b'{"success":true,"code":200,"message":"Request queued for processing"}'),
    "cut": (200, b'{"success":true,"code":200,"mess'),
    "code 500": (200, b'{"success":false,"code":500}'),
    "unknown code": (200, b'{"success":false,"code":999}'),
    "502": (502, b"<html>"),
    "503": (503, b'{"success":false,"code":11}'),
    "contradiction": (200, b'{"success":false,"code":11,"message_id":307}'),
    "429 that contradicts itself": (429, b'{"success":false,"message_id":307}'),
}


class World:
    """
    The vendor in memory, the real policy, and a store that all tries share.

    :param refused: the numbers that the vendor refuses.
    :param max_attempts: tries of a request.
    """

    def __init__(self, refused: Iterable[str] = (), max_attempts: int = 1) -> None:
        ledger, clock = Ledger(), Clock()
        self._sending = Sending(ledger, clock, settle_seconds=1)
        self._vendor = Vendor(
            ledger=ledger,
            sending=self._sending,
            clock=clock,
            api_key="k",
            page_size=500,
            auto_campaigns=None,
            unknown_tag="not_found",
            error_http_status=200,
        )
        self._sending.refused_numbers.update(dict.fromkeys(refused, 14))
        self._max_attempts = max_attempts
        self._store = StateStore()
        self.receipts: Sequence[Receipt] = ()

    @property
    def sent(self) -> list[SentSMS]:
        """What has left."""
        return self._sending.sent

    def attempt(self, send: Send, script: Iterable[str] = (), life: Life | None = None) -> str:
        """
        Make a try of the task, check what it has sent and what it says of that, and return how it has ended.

        :param send: what the task sends.
        :param script: what happens to each request; after its end all is fine.
        :param life: of the try's process.
        """
        receipts: Sequence[Receipt] = ()
        try:
            receipts = self._run(send, iter(script), life or Life(None))
            ended = "done"
        except KilledError:
            ended = "killed"
        except RuntimeError:
            ended = "the store failed"
        except SMSPartnerError as error:
            receipts = error.receipts
            ended = type(error).__name__
        check(self.sent, [(number, each.message_id) for each in receipts for number in each.accepted])
        self.receipts = receipts
        return ended

    def check_last(self, ended: str, numbers: Iterable[str]) -> None:
        """
        Check a last try that met no fault: all is told truly, or it says that it does not know.

        :param ended: how it has ended.
        :param numbers: that were to get an SMS.
        """
        if ended != "done":
            assert ended in {SMSPartnerAmbiguousSendError.__name__, SMSPartnerRequestError.__name__}
            return
        accepted = {number for each in self.receipts for number in each.accepted}
        said_no = {number for each in self.receipts for number in each.refused}
        assert accepted == {sms.phone_number for sms in self.sent}
        assert sorted([*accepted, *said_no]) == sorted({*numbers})

    def _run(self, send: Send, script: Iterator[str], life: Life) -> list[Receipt]:
        ledger = StoredLedger(Watched(self._store, life), send.fingerprint("k"), send.call_count)

        def make(call: Call[Receipt]) -> Receipt:
            options = policy.retry_options(
                call.request, max_attempts=self._max_attempts, deadline=policy.call_deadline()
            )
            try:
                receipt: Receipt = Retrying(sleep=lambda _: None, **options)(self._ask, call, script, life)
            except SMSPartnerUnavailableError as error:
                raise policy.last_error(call.request, error) from None
            return receipt

        return drive(deliver(send, ledger), make)

    def _ask(self, call: Call[Receipt], script: Iterator[str], life: Life) -> Receipt:
        happens, _, when = next(script, "fine").partition(", ")
        life.go_on()
        if happens == "unsent":
            raise SMSPartnerUnavailableError("refused", surely_unsent=True)
        if happens == "429":
            return call.read(Answer(429, {}, b""))
        if happens in REFUSED:
            return call.read(Answer(200, {}, REFUSED[happens]))
        answer = None
        if happens == "fine" or when:
            _, body = call.request.with_key("k")
            path = f"/v1{call.request.path}"
            answer = self._vendor.answer(
                RecordedRequest("POST", path, {}, {}, json.loads(body or b""), at=0, peer_port=0)
            )
            life.go_on()
        if happens == "lost":
            raise SMSPartnerUnavailableError("reset")
        if happens in LEFT_OPEN:
            return call.read(Answer(LEFT_OPEN[happens][0], {}, LEFT_OPEN[happens][1]))
        assert answer is not None
        return call.read(Answer(answer.http_status, {}, json.dumps(answer.content).encode()))


def check(sent: list[SentSMS], reported: list[tuple[str, str | None]]) -> None:
    got = Counter((sms.phone_number, sms.text) for sms in sent)
    assert max(got.values(), default=0) <= 1, "somebody got a text twice"
    left = {(sms.phone_number, sms.message_id) for sms in sent}
    assert left.issuperset(reported), "what was not sent is reported as accepted"
