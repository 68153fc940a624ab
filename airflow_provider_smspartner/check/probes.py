"""Eight probes of a real account: what is assumed, and what its answers show, in no words of the vendor's."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from airflow_provider_smspartner import _clock, protocol
from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef, Pair
from airflow_provider_smspartner.protocol import Answer, Call, TagPage
from airflow_provider_smspartner.protocol.answers import HTTP_TOO_MANY_REQUESTS, describe_codes, read_rows
from airflow_provider_smspartner.protocol.rows import MESSAGE_NOT_FOUND, Row, outcome_of, to_phone_number

if TYPE_CHECKING:
    from airflow_provider_smspartner._connection.settings import Settings
    from airflow_provider_smspartner._http.blocking import BlockingClient

T = TypeVar("T")

MAX_PAGES = 5  # of the user's tag: the first two tell how it is paged
MAX_TRIES = 2  # of each of ten calls, but for that with a wrong key, which is made once
MAX_MESSAGES = protocol.MAX_MESSAGES_PER_CALL - 1  # they are asked for in one call, with the made-up one
MAX_SECONDS = 10.0  # the time-out of every sample of the vendor's, and of a connection by default

# It has nothing of the real key in it, and the vendor can tell what it is.
WRONG_KEY = "made-up-key-of-the-check-command"

# Of a range that the French regulator keeps for fiction.
UNKNOWN_PHONE_NUMBER = "+33639980000"


class Subjects(NamedTuple):
    """What the user wants to be asked about; the messages are all different."""

    tag: str | None
    messages: Sequence[MessageRef]
    wrong_key: bool


class Finding(NamedTuple):
    """What a probe assumed, how well that is known, what it saw, and whether that plainly differs."""

    probe: str
    source: str
    assumed: str
    seen: str
    differs: bool


class _NothingSeenError(Exception):
    """Why there is nothing to be seen."""


@dataclass
class Interview:
    """Asks one thing after the other, and no more once no answer comes or the key is refused."""

    settings: Settings
    conn_id: str
    subjects: Subjects
    answers: list[Answer] = field(default_factory=list, init=False)
    slowest: float = field(default=0, init=False)
    rows: list[Row] = field(default_factory=list, init=False)
    trouble: SMSPartnerError | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        # Far above the ids that the vendor's pages show, and still a 32-bit integer.
        self.unknown: Pair = UNKNOWN_PHONE_NUMBER, str(2_000_000_000 + secrets.randbelow(100_000_000))

    def findings(self) -> list[Finding]:
        """
        Ask, and return what was seen.

        :raises ValueError: if the certificate authorities or the proxy that the environment names can't be used.
        """
        from airflow_provider_smspartner._http.opening import open_client

        settings = replace(self.settings, max_attempts=min(self.settings.max_attempts, MAX_TRIES))
        wrong = replace(settings, api_key=WRONG_KEY, max_attempts=1)
        with (
            closing(open_client(settings, self.conn_id)) as self._client,
            closing(open_client(wrong, self.conn_id)) as self._stranger,
        ):
            return [Finding(*words, *self._seen(probe)) for words, probe in _PROBES]

    def _seen(self, probe: _Probe) -> tuple[str, bool]:
        try:
            return probe(self)
        except _NothingSeenError as reason:
            return f"nothing: {reason}", False
        except SMSPartnerError as error:
            return _ended(error), True

    def ask(self, call: Call[T], *, wrong_key: bool = False) -> T:
        """Return what the package reads in the answer, or raise what it raises."""
        if self.trouble is not None:
            raise _NothingSeenError(_ended(self.trouble))
        client: BlockingClient = self._stranger if wrong_key else self._client
        client.await_turn()
        before, started = len(self.answers), _clock.monotonic()

        def read(answer: Answer) -> T:
            if len(self.answers) == before:  # before a second try there is a pause
                self.slowest = max(self.slowest, _clock.monotonic() - started)
            self.answers.append(answer)
            return call.read(answer)

        try:
            return client.send_in_turn(Call(call.request, read))
        except SMSPartnerError as error:
            is_refused = isinstance(error, SMSPartnerCredentialsError) and not wrong_key
            if not is_refused and error.http_status not in (None, HTTP_TOO_MANY_REQUESTS):
                raise
            self.trouble = error
        raise _NothingSeenError(_ended(self.trouble))

    def ask_rows(self, pairs: Iterable[Pair]) -> list[Row]:
        """Return the rows about messages as they come, not what the package makes of them."""
        (call,) = protocol.batches(pairs)
        return self.ask(Call(call.request, read_rows))[1]


_Probe = Callable[[Interview], tuple[str, bool]]
"""Returns what was seen, and whether it plainly differs from what is assumed."""


def _ended(error: SMSPartnerError) -> str:
    if error.http_status is None:
        return "no answer came"
    kinds = {
        SMSPartnerNotFoundError: "not found",
        SMSPartnerUnavailableError: "an answer that can't be used",
    }
    return f"{kinds.get(type(error), 'refused')} {describe_codes(error.code, error.http_status)}"


def _account(interview: Interview) -> tuple[str, bool]:
    interview.ask(protocol.account())
    return "success", False


def _pages(interview: Interview) -> tuple[str, bool]:
    if interview.subjects.tag is None:
        raise _NothingSeenError("no tag was given")
    pages: list[TagPage] = []
    incomplete = ""
    calls = protocol.status_by_tag(interview.subjects.tag)
    call: Call[TagPage] | None = next(calls)
    try:
        while call is not None and len(pages) < MAX_PAGES:
            pages.append(interview.ask(call))
            call = protocol.following(calls, pages[-1])
            interview.rows += read_rows(interview.answers[-1])[1]
    except SMSPartnerNotFoundError as error:
        raise _NothingSeenError("no message has the tag that was given") from error
    except SMSPartnerIncompleteError as error:
        incomplete = f"; incomplete: {error.received} of {error.expected} rows"
    received, total = sum(len(page.rows) for page in pages), pages[0].total
    sizes = ", ".join(str(len(page.rows)) for page in pages)
    numbers = ", ".join(str(page.number) for page in pages)
    again = "; page 2 has the rows of page 1" if pages[0].rows in [page.rows for page in pages[1:2]] else ""
    seen = f"pages of {sizes} rows; currentPage {numbers}; total {total}{again}{incomplete}"
    return seen, bool(incomplete) or (call is None and received != total)


def _list(interview: Interview) -> tuple[str, bool]:
    if not interview.subjects.messages:
        raise _NothingSeenError("no messages were given")
    asked: list[Pair] = [*interview.subjects.messages, interview.unknown]
    rows = interview.ask_rows(asked)
    interview.rows += rows
    counts = Counter(map(_pair, rows))
    answered = sum(1 for pair in asked[:-1] if pair in counts)
    several = sum(1 for count in counts.values() if count > 1)
    others = sum(1 for pair in counts if pair not in asked)
    rewritten = sum(1 for row in rows if row.phone_number != to_phone_number(row.phone_number))
    texts = sum(1 for row in rows if not isinstance(row.message_id, int))
    order = (
        "the order asked for"
        if list(counts) == [pair for pair in asked if pair in counts]
        else "another order"
    )
    seen = (
        f"{answered} of {len(asked) - 1} answered, in {order}; {several} in several rows; {others} not asked for; "
        f"{rewritten} numbers in another notation; {texts} ids not as numbers"
    )
    return seen, (answered, several, others, rewritten, texts) != (len(asked) - 1, 0, 0, 0, 0)


def _unknown_tag(interview: Interview) -> tuple[str, bool]:
    try:
        # By this beginning the double knows that it is not to make a campaign up.
        page = interview.ask(protocol.tag_page("unknown" + secrets.token_hex(6), 1))
    except SMSPartnerNotFoundError as error:
        return _ended(error), False
    return f"success with {len(page.rows)} rows", bool(page.rows)


def _unknown_message(interview: Interview) -> tuple[str, bool]:
    codes = {outcome_of(row).code for row in interview.ask_rows([interview.unknown])}
    if codes == {MESSAGE_NOT_FOUND}:
        return _ROW_WITH_CODE_4, False
    return ("a row with another code" if codes else "no row"), True


_ROW_WITH_CODE_4 = "a row with code 4"


def _rows(interview: Interview) -> tuple[str, bool]:
    rows = [row for row in interview.rows if outcome_of(row).code != MESSAGE_NOT_FOUND]
    if not rows:
        raise _NothingSeenError("there is no row about a message of yours")
    statuses, dates = Counter(map(_status, rows)), Counter(map(_date, rows))
    waiting = Counter(_date(row) for row in rows if outcome_of(row).status is DeliveryStatus.WAITING)
    seen = f"{_listed(statuses)}; dates: {_listed(dates)}; of Waiting rows: {_listed(waiting) or 'no row'}"
    return seen, not (statuses.keys() <= set(_STATUSES) and dates.keys() <= {_EPOCH, "none"})


_STATUSES = ("Delivered", "Not delivered", "Waiting", "KO", "ko")
_EPOCH = "epoch seconds as text"


def _status(row: Row) -> str:
    # Only what is known is shown: another text could say anything.
    is_unknown = outcome_of(row).status is DeliveryStatus.UNKNOWN
    return (
        row.status if row.status in _STATUSES else "another" if is_unknown else "known, but written otherwise"
    )


def _date(row: Row) -> str:
    if row.date in (None, ""):
        return "none"
    if outcome_of(row).date is None:
        return "unreadable"
    is_epoch = isinstance(row.date, str) and row.date.isdecimal()
    return _EPOCH if is_epoch else f"another {'text' if isinstance(row.date, str) else 'number'}"


def _wrong_key(interview: Interview) -> tuple[str, bool]:
    if not interview.subjects.wrong_key:
        raise _NothingSeenError("--skip-wrong-key was given")
    try:
        interview.ask(protocol.account(), wrong_key=True)
    except SMSPartnerCredentialsError as error:
        return _ended(error), error.code != 10 or (error.http_status or 500) >= 500
    return "success", True


def _limits(interview: Interview) -> tuple[str, bool]:
    if not interview.answers:
        raise _NothingSeenError("no answer came")
    names = (name.lower() for answer in interview.answers for name in answer.headers)
    # Only these names are shown: another one could hold anything.
    named = _listed(Counter(name for name in names if _LIMIT_HEADER.fullmatch(name)))
    seen = f"{named or 'no header about a limit'}; slowest answer: {1000 * interview.slowest:.0f} ms"
    return seen, interview.slowest > MAX_SECONDS


_LIMIT_HEADER = re.compile(r"retry-after|(x-)?rate-?limit(-(limit|policy|remaining|reset))?")

# The wrong key is the last to be asked with: if it makes the vendor block this address, all the rest is known by then.
_PROBES: tuple[tuple[tuple[str, str, str], _Probe], ...] = (
    (("account", "D", "/me with a right key is a success with credits"), _account),
    (("pages of a tag", "I", "page=2 is another page, numbered 2; total counts the rows of all"), _pages),
    (("list of messages", "U", "all answered, each in one row; as asked, ids as numbers (D)"), _list),
    (("unknown tag", "U", "not found (code 4), or no rows"), _unknown_tag),
    (("unknown message", "D", _ROW_WITH_CODE_4), _unknown_message),
    (("statuses and dates", "C", f"{', '.join(_STATUSES[:-1])}; {_EPOCH} (D), or none (U)"), _rows),
    (("wrong key", "C", "refused with code 10 (D), and HTTP 200 or 4xx"), _wrong_key),
    (("limit and time", "U", f"any headers, or none; an answer within {MAX_SECONDS:g} s (C)"), _limits),
)


def _pair(row: Row) -> Pair:
    return to_phone_number(row.phone_number), str(row.message_id)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{text}: {count}" for text, count in sorted(counts.items()))
