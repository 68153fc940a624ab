"""The driver of a send's calls: what it makes, what it notes and when, and what its errors and log lines say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from clocks import START, FakeClock
from sending.receipts import NUMBERS, receipt_for

from airflow_provider_smspartner._sending import send as send_module
from airflow_provider_smspartner._sending.delivery import NoLedger, NotMadeError, adrive, deliver, drive
from airflow_provider_smspartner._sending.send import Send
from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerCredentialsError,
    SMSPartnerCreditError,
    SMSPartnerError,
    SMSPartnerInputError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.models import Receipt
from airflow_provider_smspartner.protocol import Call

Log = list[tuple[Any, ...]]
LOST = SMSPartnerAmbiguousSendError("The answer is lost.", code=500, http_status=502)


@pytest.fixture(autouse=True)
def _calls_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_module, "MAX_RECIPIENTS_PER_CALL", 2)


def campaign(**options: Any) -> Send:
    """Return a send of three calls."""
    return Send.of(NUMBERS, "Hello", **{"tag": "spring", **options})


class Noted(NoLedger):
    """A ledger that shows what was noted in it."""

    def __init__(self, log: Log, made: Sequence[int] = ()) -> None:
        self._log = log
        self._made = made

    def adopt(self, position: int, numbers: Sequence[str]) -> Receipt | None:
        return receipt_for(position) if position in self._made else None

    def begin(self, position: int) -> None:
        self._log.append(("begin", position))

    def withdraw(self, position: int) -> None:
        self._log.append(("withdraw", position))

    def finish(self, position: int, numbers: Sequence[str], receipt: Receipt) -> None:
        self._log.append(("finish", position, receipt.message_id))


def vendor(log: Log, fails_at: int | None = None, error: BaseException = LOST) -> Callable[..., Any]:
    def make(call: Call[Receipt]) -> Receipt:
        position = NUMBERS.index((call.request.body or {})["SMSList"][0]["phoneNumber"]) // 2
        log.append(("make", position))
        if position == fails_at:
            raise error
        return receipt_for(position)

    return make


def drive_asynchronously(calls: Any, make: Callable[[Call[Receipt]], Receipt]) -> list[Receipt]:
    async def amake(call: Call[Receipt]) -> Receipt:
        await asyncio.sleep(0)
        return make(call)

    return asyncio.run(adrive(calls, amake))


both_ways = pytest.mark.parametrize("driven", [drive, drive_asynchronously])


@both_ways
def test_each_call_is_noted_before_and_after(driven: Callable[..., list[Receipt]]) -> None:
    log: Log = []

    receipts = driven(deliver(campaign(), Noted(log)), vendor(log))

    assert [each.message_id for each in receipts] == ["300", "301", "302"]
    assert log == [
        step for n in range(3) for step in [("begin", n), ("make", n), ("finish", n, str(300 + n))]
    ]


def test_what_an_earlier_try_has_made_is_not_made_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    log: Log = []

    receipts = drive(deliver(campaign(), Noted(log, made=[0, 1])), vendor(log))

    assert [each.message_id for each in receipts] == ["300", "301", "302"]
    assert log == [("begin", 2), ("make", 2), ("finish", 2, "302")]
    assert caplog.messages == [
        "Call 1 of 3 was made by an earlier try (message id 300); it is not made again.",
        "Call 2 of 3 was made by an earlier try (message id 301); it is not made again.",
        "Call 3 of 3: 1 of 1 recipients accepted, message id 302, 1 SMS, 19.0 EUR.",
    ]


@both_ways
@pytest.mark.parametrize(
    "error",
    [
        SMSPartnerCredentialsError("wrong key", code=10),
        SMSPartnerCreditError("no credit", code=11),
        SMSPartnerRequestError("bad sender", code=44),
        SMSPartnerUnavailableError("refused the connection", surely_unsent=True),
        NotMadeError(SMSPartnerError("terminated")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_call_that_was_not_made_is_taken_back(
    driven: Callable[..., list[Receipt]], error: SMSPartnerError | NotMadeError
) -> None:
    log: Log = []
    error.__notes__ = []

    with pytest.raises(SMSPartnerError, match=str(error)) as caught:
        driven(deliver(campaign(), Noted(log)), vendor(log, 1, error))

    assert caught.value is (error.why if isinstance(error, NotMadeError) else error)
    assert log[-3:] == [("begin", 1), ("make", 1), ("withdraw", 1)]
    assert [each.message_id for each in caught.value.receipts] == ["300"]
    assert caught.value.__notes__[-1] == (
        "Before this error: 2 of 2 recipients accepted, message id 300, 2 SMS, 19.0 EUR."
    )


@pytest.mark.parametrize(
    "error",
    [
        LOST,
        SMSPartnerNotFoundError("no such thing", code=4),
        SMSPartnerError("anything else"),
        KeyboardInterrupt(),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_other_error_leaves_the_call_under_way(error: BaseException) -> None:
    log: Log = []

    with pytest.raises(type(error)) as caught:
        drive(deliver(campaign(), Noted(log)), vendor(log, 2, error))

    assert log[-2:] == [("begin", 2), ("make", 2)]
    said = " ".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "4 of 4 recipients accepted, message ids 300, 301, 4 SMS, 38.0 EUR" in said


@pytest.mark.parametrize("error", [SMSPartnerError("anything"), KeyboardInterrupt()], ids=["error", "signal"])
def test_an_error_of_the_first_call_speaks_of_no_other(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        drive(deliver(campaign(), NoLedger()), vendor([], 0, error))

    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize(
    ("tag", "fails_at", "left", "advice"),
    [
        ("spring", 1, r"What surely was sent: 2 of 2 recipients accepted, .*", "Look the tag 'spring' up .*"),
        (None, 0, r"No other call was made\.", "Look into the account .*"),
    ],
    ids=["tag", "first call, no tag"],
)
def test_an_ambiguous_send_says_what_left_and_what_to_do(
    tag: str | None, fails_at: int, left: str, advice: str
) -> None:
    said = rf"^The answer is lost\. {left} {advice}; then send to those who have got none, in a new run\.$"

    with pytest.raises(SMSPartnerAmbiguousSendError, match=said) as caught:
        drive(deliver(campaign(tag=tag), NoLedger()), vendor([], fails_at))

    error = caught.value
    assert (error.code, error.http_status, len(error.receipts)) == (500, 502, fails_at)
    assert "9980" not in str(error)


def test_a_ledger_that_fails_after_a_call_does_not_hide_it() -> None:
    class Full(NoLedger):
        def finish(self, position: int, numbers: Sequence[str], receipt: Receipt) -> None:
            raise SMSPartnerAmbiguousSendError("Airflow could not note it.")

    with pytest.raises(SMSPartnerAmbiguousSendError, match="message id 300"):
        drive(deliver(campaign(), Full()), vendor([]))


def test_no_call_is_begun_once_the_check_fails() -> None:
    log: Log = []

    def check() -> None:
        if len(log) == 3:
            raise SMSPartnerError("terminated")

    with pytest.raises(SMSPartnerError, match="terminated") as caught:
        drive(deliver(campaign(), Noted(log), check=check), vendor(log))

    assert log == [("begin", 0), ("make", 0), ("finish", 0, "300")]
    assert len(caught.value.receipts) == 1


@pytest.mark.parametrize("made", [[], [0, 1], [0, 1, 2]], ids=["nothing", "two calls", "all calls"])
def test_once_the_schedule_is_past_only_what_earlier_tries_have_sent_is_reported(
    clock: FakeClock, made: list[int]
) -> None:
    log: Log = []
    calls = deliver(campaign(scheduled_at=START), Noted(log, made))

    if len(made) == 3:
        assert len(drive(calls, vendor(log))) == 3
    else:
        with pytest.raises(
            SMSPartnerInputError, match=r"`scheduled_at`, 2026-03-02T09:00\+00:00, is past"
        ) as caught:
            drive(calls, vendor(log))
        assert len(caught.value.receipts) == len(made)
    assert not log


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (14, r"\(code 14\): a phone number is on the STOP list\. Nothing was sent\. Correct"),
        (None, r": it does not say why\. Nothing was sent\. Ask SMS Partner\.\n"),
    ],
    ids=["a code", "no code"],
)
def test_a_send_that_reaches_nobody_is_an_error(code: int | None, why: str) -> None:
    receipt = Receipt(message_id=None, accepted=(), refused={NUMBERS[0]: None, NUMBERS[1]: code})

    with pytest.raises(SMSPartnerRequestError, match=rf"took none of the recipients ?{why}") as caught:
        drive(deliver(Send.of(NUMBERS[:2], "Hello"), NoLedger()), lambda _: receipt)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("refused", "codes"),
    [
        ({NUMBERS[2]: 14, NUMBERS[0]: 13}, " (code 13, 14)"),
        ({NUMBERS[2]: 14, NUMBERS[0]: None}, " (code 14)"),
        ({NUMBERS[2]: None}, ""),
    ],
    ids=["two codes", "one", "none"],
)
def test_log_lines_have_figures_alone(
    refused: dict[str, int | None], codes: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    receipts: Iterator[Receipt] = iter(
        [
            Receipt(message_id="7", accepted=tuple(NUMBERS[:2]), sms=2),
            receipt_for(1, accepted=(NUMBERS[3],), refused=refused, sms=1),
        ]
    )

    drive(deliver(Send.of(NUMBERS[:4], "e" * 161, sandbox=True), NoLedger()), lambda _: next(receipts))

    assert caplog.messages == [
        "Call 1 of 2, in the sandbox: 2 of 2 recipients accepted, message id 7, 2 SMS.",
        "SMS Partner counts 2 SMS for call 1; its accepted recipients need 4. Some may get none.",
        f"Call 2 of 2, in the sandbox: 1 of {1 + len(refused)} recipients accepted, message id 301, 1 SMS, 19.0 EUR.",
        f"SMS Partner refused {len(refused)} of the 2 recipients of call 2{codes}.",
        "SMS Partner counts 1 SMS for call 2; its accepted recipients need 2. Some may get none.",
    ]
