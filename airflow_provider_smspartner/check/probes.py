"""What is asked, in which order, and within how many requests."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import (
    SMSPartnerError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
)
from airflow_provider_smspartner.models import MessageRef, Pair
from airflow_provider_smspartner.protocol.answers import HTTP_TOO_MANY_REQUESTS, StatusAnswer, read_rows
from airflow_provider_smspartner.protocol.rows import Row

if TYPE_CHECKING:
    from airflow_provider_smspartner._connection.settings import Settings
    from airflow_provider_smspartner._http.recording import RecordingClient, Try
    from airflow_provider_smspartner.protocol import Account, Answer, Call, TagPage

T = TypeVar("T")

MAX_REQUESTS = 20
"""All tries of all requests."""

MAX_TRIES = 2
"""Of one request: with more, one answer that can't be used would use up what the others need."""

MAX_PAGES = 5
"""Of the user's tag: the first two tell how it is paged, and five whole ones can still be counted."""

MAX_MESSAGES = protocol.MAX_MESSAGES_PER_CALL - 1
"""Of the user's: they are asked for in one call, with the made-up one."""

WRONG_KEY = "made-up-key-of-the-check-command"
"""Fixed, so that it has nothing of the real key in it, and so that the vendor can tell what it is."""

NO_TAG = "no tag was given"
NO_MESSAGES = "no messages were given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Generic[T]):
    """
    How a call ended that was answered.

    :param answer: the last one, or None if its body could not be read.
    :param value: what the package reads in it, or None if that is an error.
    :param error: what the package raises instead, or None.
    :param asked: the messages that the call was about, in their order.
    """

    answer: Answer | None
    value: T | None
    error: SMSPartnerError | None
    asked: tuple[Pair, ...] = ()

    @property
    def http_status(self) -> int | None:
        """The HTTP status of the answer."""
        return self.answer.http_status if self.answer else self.error.http_status if self.error else None


@dataclass(frozen=True, slots=True)
class Unasked:
    """
    A call that was not sent, or was not answered.

    :param reason: why.
    :param is_trouble: whether it was to be asked, and could not be.
    """

    reason: str
    is_trouble: bool = False


Rows = tuple[StatusAnswer, list[Row]]
"""An envelope, and the rows in it as they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    All that was asked, and how it was answered.

    :param account: the account, with the right key.
    :param pages: the pages of the user's tag, as they came.
    :param after_pages: why no page follows, or None if they are all of the tag's.
    :param incomplete: what the package raises at the last of the pages, or None.
    :param forward: the user's messages, then one that does not exist.
    :param backward: the same in reverse order.
    :param twice: the first of them, named twice in one call.
    :param unknown_tag: a tag that does not exist.
    :param unknown_message: a message that does not exist, alone.
    :param wrong_key: the account, with a wrong key.
    :param tries: every request that was sent.
    :param troubles: what went wrong while asking, in the package's words.
    """

    account: Reply[Account]
    pages: tuple[Reply[TagPage], ...]
    after_pages: Unasked | None
    incomplete: SMSPartnerIncompleteError | None
    forward: Reply[Rows] | Unasked
    backward: Reply[Rows] | Unasked
    twice: Reply[Rows] | Unasked
    unknown_tag: Reply[TagPage] | Unasked
    unknown_message: Reply[Rows] | Unasked
    wrong_key: Reply[Account] | Unasked
    tries: tuple[Try, ...]
    troubles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """
    What the user wants to be asked about.

    :param tag: one of the user's, or None.
    :param messages: some of the user's, each once, or none.
    :param wrong_key: whether to ask with a wrong key as well.
    """

    tag: str | None
    messages: Sequence[MessageRef]
    wrong_key: bool


def gather(settings: Settings, conn_id: str, subjects: Subjects) -> Evidence:
    """
    Ask, with at most `MAX_REQUESTS` requests.

    :param settings: what the connection says.
    :param conn_id: the connection's id.
    :param subjects: what to ask about.
    :raises SMSPartnerError: if not even the account could be asked for.
    :raises ValueError: if the certificate authorities or the proxy that the environment names can't be used.
    """
    from airflow_provider_smspartner._http.recording import Budget, RecordingClient

    budget = Budget(MAX_REQUESTS)
    settings = replace(settings, max_attempts=min(settings.max_attempts, MAX_TRIES))
    wrong = replace(settings, api_key=WRONG_KEY, max_attempts=1)
    with (
        closing(RecordingClient(settings, conn_id, budget)) as client,
        closing(RecordingClient(wrong, conn_id, budget)) as stranger,
    ):
        return _Interview(client, stranger).about(subjects)


class _Interview:
    """Asks one thing after the other, and no more once there is trouble."""

    def __init__(self, client: RecordingClient, stranger: RecordingClient) -> None:
        self._client = client
        self._stranger = stranger
        self._trouble: Unasked | None = None
        self._errors: list[SMSPartnerError] = []

    def about(self, subjects: Subjects) -> Evidence:
        account = self._ask(self._client, protocol.account())
        if isinstance(account, Unasked):
            raise self._errors[0]
        if account.error is not None:
            raise account.error
        unknown = MessageRef(UNKNOWN_PHONE_NUMBER, _unknown_id())
        pages, after_pages, incomplete = self._walk(subjects.tag)
        asked = (*subjects.messages, unknown)
        given = bool(subjects.messages)
        forward = self._ask_rows(asked) if given else Unasked(NO_MESSAGES)
        backward = self._ask_rows(asked[::-1]) if given else Unasked(NO_MESSAGES)
        twice = self._ask_rows(asked[:1] * 2) if given else Unasked(NO_MESSAGES)
        unknown_tag = self._ask(self._client, protocol.tag_page(_unknown_tag(), 1))
        unknown_message = self._ask_rows((unknown,))
        # Last: if it makes the vendor block this address, all the rest is known by then.
        wrong_key = (
            self._ask(self._stranger, protocol.account())
            if subjects.wrong_key
            else Unasked("--skip-wrong-key was given")
        )
        return Evidence(
            account=account,
            pages=pages,
            after_pages=after_pages,
            incomplete=incomplete,
            forward=forward,
            backward=backward,
            twice=twice,
            unknown_tag=unknown_tag,
            unknown_message=unknown_message,
            wrong_key=wrong_key,
            tries=(*self._client.tries, *self._stranger.tries),
            troubles=tuple(map(str, self._errors)),
        )

    def _ask(
        self, client: RecordingClient, call: Call[T], asked: tuple[Pair, ...] = ()
    ) -> Reply[T] | Unasked:
        from airflow_provider_smspartner._http.recording import BudgetSpentError

        if self._trouble is not None:
            return self._trouble
        value, error = None, None
        try:
            value = client.send(call)
        except BudgetSpentError:
            self._trouble = Unasked(f"all {MAX_REQUESTS} requests were used up", is_trouble=True)
            return self._trouble
        except SMSPartnerError as raised:
            error = raised
        if error is not None and error.http_status in _NO_ANSWERS:
            self._errors.append(error)
            self._trouble = Unasked(_NO_ANSWERS[error.http_status], is_trouble=True)
            return self._trouble
        return Reply(answer=client.tries[-1].answer, value=value, error=error, asked=asked)

    def _ask_rows(self, asked: tuple[Pair, ...]) -> Reply[Rows] | Unasked:
        (call,) = protocol.batches(asked)
        # The rows as they come, not what the package makes of them.
        read: Callable[[Answer], Rows] = read_rows
        return self._ask(self._client, protocol.Call(call.request, read), asked)

    def _walk(
        self, tag: str | None
    ) -> tuple[tuple[Reply[TagPage], ...], Unasked | None, SMSPartnerIncompleteError | None]:
        if tag is None:
            return (), Unasked(NO_TAG), None
        pages: list[Reply[TagPage]] = []
        calls = protocol.status_by_tag(tag)
        call: Call[TagPage] | None = next(calls)
        try:
            while call is not None:
                if len(pages) == MAX_PAGES:
                    return (
                        tuple(pages),
                        Unasked(f"the tag has more than the {MAX_PAGES} pages asked for"),
                        None,
                    )
                reply = self._ask(self._client, call)
                if isinstance(reply, Unasked):
                    return tuple(pages), reply, None
                pages.append(reply)
                if reply.value is None:
                    break
                call = protocol.following(calls, reply.value)
        except SMSPartnerIncompleteError as error:
            return tuple(pages), None, error
        except SMSPartnerNotFoundError:
            pass  # an empty first page, which its rows tell
        return tuple(pages), None, None


_NO_ANSWERS: dict[Any, str] = {
    None: "no answer came",
    HTTP_TOO_MANY_REQUESTS: f"too many requests (HTTP {HTTP_TOO_MANY_REQUESTS})",
}
"""HTTP statuses after which nothing more is asked."""

UNKNOWN_PHONE_NUMBER = "+33639980000"
"""Of a range that the French regulator keeps for fiction."""


def _unknown_id() -> int:
    # Nine digits and one: far above the ids that the vendor's pages show, and still a 32-bit integer.
    return 2_000_000_000 + secrets.randbelow(100_000_000)


def _unknown_tag() -> str:
    # By this beginning the double knows that it is not to make a campaign up.
    return "unknown" + secrets.token_hex(6)
