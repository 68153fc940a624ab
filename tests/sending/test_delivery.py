"""The driver of a send's calls: what it makes, what it notes and when, and what an error tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_smspartner._sending.delivery import NoLedger, adrive, deliver, drive
from airflow_provider_smspartner._sending.send import Send
from airflow_provider_smspartner._sending.summary import describe_receipts, summarised
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

NUMBERS = [f"+3363998{n:04}" for n in range(1_203)]
Log = list[tuple[Any, ...]]


def campaign(tag: str | None = "spring") -> Send:
    return Send.of(NUMBERS, "Hello", tag=tag, max_recipients=2_000)


def receipt_for(position: int, **members: Any) -> Receipt:
    accepted = tuple(campaign().numbers_of(position))
    given = {"accepted": accepted, "sms": len(accepted), "cost": Decimal("19.0"), "currency": "EUR"}
    return Receipt(message_id=str(300 + position), **{**given, **members})


class Noted(NoLedger):
    """A ledger that shows what it was told."""

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


def vendor(log: Log, fails_at: int | None = None, error: BaseException | None = None) -> Callable[..., Any]:
    def make(call: Call[Receipt]) -> Receipt:
        first = str((call.request.body or {})["phoneNumbers"]).partition(",")[0]
        position = NUMBERS.index(first) // 500
        log.append(("make", position))
        if position == fails_at and error is not None:
            raise error
        return receipt_for(position)

    return make


def test_each_call_is_noted_before_and_after() -> None:
    log: Log = []

    receipts = drive(deliver(campaign(), Noted(log)), vendor(log))

    assert [each.message_id for each in receipts] == ["300", "301", "302"]
    assert log == [
        step for n in range(3) for step in [("begin", n), ("make", n), ("finish", n, str(300 + n))]
    ]


def test_asynchronously() -> None:
    log: Log = []
    make = vendor(log)

    async def amake(call: Call[Receipt]) -> Receipt:
        await asyncio.sleep(0)
        return make(call)  # type: ignore[no-any-return]  # a receipt, or it raises

    receipts = asyncio.run(adrive(deliver(campaign(), NoLedger()), amake))

    assert [each.message_id for each in receipts] == ["300", "301", "302"]
    assert log == [("make", 0), ("make", 1), ("make", 2)]


def test_what_an_earlier_try_has_made_is_not_made_again() -> None:
    log: Log = []

    receipts = drive(deliver(campaign(), Noted(log, made=[0, 1])), vendor(log))

    assert [each.message_id for each in receipts] == ["300", "301", "302"]
    assert log == [("begin", 2), ("make", 2), ("finish", 2, "302")]


NOT_SENT = [
    SMSPartnerCredentialsError("wrong key", code=10),
    SMSPartnerCreditError("no credit", code=11),
    SMSPartnerRequestError("bad sender", code=44),
    SMSPartnerUnavailableError("refused the connection", surely_unsent=True),
]


@pytest.mark.parametrize("error", NOT_SENT, ids=lambda error: type(error).__name__)
def test_a_call_that_was_not_made_is_taken_back(error: SMSPartnerError) -> None:
    log: Log = []

    with pytest.raises(type(error)) as caught:
        drive(deliver(campaign(), Noted(log)), vendor(log, 1, error))

    assert log[-3:] == [("begin", 1), ("make", 1), ("withdraw", 1)]
    assert [each.message_id for each in caught.value.receipts] == ["300"]
    (note,) = caught.value.__notes__
    assert note == ("Before this error: 500 of 500 recipients accepted, message id 300, 500 SMS, 19.0 EUR.")


@pytest.mark.parametrize(
    "error",
    [
        SMSPartnerAmbiguousSendError("The answer is lost."),
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
    told = " ".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "1000 of 1000 recipients accepted, message ids 300, 301, 1000 SMS, 38.0 EUR" in told


@pytest.mark.parametrize(
    ("tag", "advice"), [("spring", "Look the tag 'spring' up"), (None, "Look into the account")]
)
def test_an_ambiguous_send_says_what_left_and_what_to_do(tag: str | None, advice: str) -> None:
    with pytest.raises(SMSPartnerAmbiguousSendError) as caught:
        drive(
            deliver(campaign(tag), NoLedger()),
            vendor([], 1, SMSPartnerAmbiguousSendError("The answer is lost.", code=500, http_status=502)),
        )

    error = caught.value
    assert str(error).startswith("The answer is lost. What surely was sent: 500 of 500 recipients accepted")
    assert advice in str(error)
    assert str(error).endswith("then send to those who have got none, in a new run.")
    assert (error.code, error.http_status, len(error.receipts)) == (500, 502, 1)
    assert "9980" not in str(error)


def test_the_first_call_of_all_is_ambiguous() -> None:
    with pytest.raises(SMSPartnerAmbiguousSendError, match=r"lost\. No other call was made") as caught:
        drive(
            deliver(campaign(), NoLedger()),
            vendor([], 0, SMSPartnerAmbiguousSendError("The answer is lost.")),
        )

    assert caught.value.receipts == ()


def test_a_ledger_that_fails_after_a_call_does_not_hide_it() -> None:
    class Full(Noted):
        def finish(self, position: int, numbers: Sequence[str], receipt: Receipt) -> None:
            raise SMSPartnerAmbiguousSendError("Airflow could not note it.")

    with pytest.raises(SMSPartnerAmbiguousSendError, match="message id 300"):
        drive(deliver(campaign(), Full([])), vendor([]))


def test_no_call_is_begun_once_the_check_fails() -> None:
    log: Log = []

    def check() -> None:
        if len(log) == 3:
            raise SMSPartnerError("terminated")

    with pytest.raises(SMSPartnerError, match="terminated") as caught:
        drive(deliver(campaign(), Noted(log), check=check), vendor(log))

    assert log == [("begin", 0), ("make", 0), ("finish", 0, "300")]
    assert len(caught.value.receipts) == 1


def test_a_schedule_that_is_past_is_told_before_anything_is_noted_or_sent() -> None:
    log: Log = []
    send = Send.of(NUMBERS[:2], "Hello", scheduled_at="2020-01-01T09:00:00Z")

    with pytest.raises(SMSPartnerInputError, match=r"`scheduled_at`, 2020-01-01T09:00\+00:00, is past"):
        drive(deliver(send, Noted(log)), vendor(log))

    assert not log


@pytest.mark.parametrize("made", [[0, 1, 2], [0, 1]])
def test_a_try_after_the_schedule_tells_what_earlier_tries_have_sent(made: list[int]) -> None:
    log: Log = []
    send = Send.of(NUMBERS, "Hello", scheduled_at="2020-01-01T09:00:00Z", max_recipients=2_000)

    if made == [0, 1, 2]:
        assert len(drive(deliver(send, Noted(log, made)), vendor(log))) == 3
    else:
        with pytest.raises(SMSPartnerInputError, match="is past") as caught:
            drive(deliver(send, Noted(log, made)), vendor(log))
        assert len(caught.value.receipts) == 2
        assert "1000 of 1000 recipients accepted" in caught.value.__notes__[0]
    assert not log


def test_refused_recipients_are_counted() -> None:
    send = Send.of(NUMBERS[:3], "Hello")
    receipt = Receipt(message_id="7", accepted=tuple(NUMBERS[:2]), refused={NUMBERS[2]: 14}, sms=2)

    receipts = drive(deliver(send, NoLedger()), lambda _: receipt)

    assert summarised(receipts, tag=None) == {
        "tag": None,
        "recipients": 3,
        "accepted": 2,
        "refused": 1,
        "sms": 2,
        "cost": None,
        "currency": None,
        "calls": 1,
    }


def test_a_send_that_reaches_nobody_is_an_error() -> None:
    send = Send.of(NUMBERS[:2], "Hello")
    receipt = Receipt(message_id=None, accepted=(), refused=dict.fromkeys(NUMBERS[:2], 14))

    with pytest.raises(SMSPartnerRequestError, match=r"took none of the recipients \(code 14\)") as caught:
        drive(deliver(send, NoLedger()), lambda _: receipt)

    assert caught.value.code == 14


def test_log_lines_tell_figures_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    receipt = Receipt(
        message_id="7", accepted=tuple(NUMBERS[:2]), refused={NUMBERS[2]: 14}, sms=2, cost=Decimal("0.076")
    )

    drive(deliver(Send.of(NUMBERS[:3], "Hello", sandbox=True), NoLedger()), lambda _: receipt)

    lines = [record.message for record in caplog.records]
    assert lines == [
        "Call 1 of 1, in the sandbox: 2 of 3 recipients accepted, message id 7, 2 SMS, 0.076.",
        "SMS Partner refused 1 of the 3 recipients of call 1 (code 14).",
    ]


def test_cost_adds_up_exactly() -> None:
    receipts = [receipt_for(n, cost=Decimal("0.1")) for n in range(3)]

    assert summarised(receipts, tag="spring")["cost"] == "0.3"
    assert summarised(receipts, tag="spring")["currency"] == "EUR"


@pytest.mark.parametrize(
    ("unknown", "totals"),
    [
        ({"sms": None}, (None, "38.0", "EUR")),
        ({"cost": None}, (1_000, None, "EUR")),
        ({"currency": None}, (1_000, "38.0", None)),
        ({"currency": "USD"}, (1_000, None, None)),
        ({"sms": None, "cost": None, "currency": None}, (None, None, None)),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_a_total_is_null_if_the_part_of_a_call_is_unknown(
    unknown: dict[str, Any], totals: tuple[object, ...], order: int
) -> None:
    receipts = [receipt_for(0), receipt_for(1, **unknown)][::order]

    summary = summarised(receipts, tag=None)

    assert (summary["sms"], summary["cost"], summary["currency"]) == totals


def test_a_call_that_took_nobody_leaves_the_totals_known() -> None:
    refused = Receipt(message_id=None, accepted=(), refused={NUMBERS[0]: 14})

    summary = summarised([refused, receipt_for(1)], tag=None)

    assert (summary["sms"], summary["cost"], summary["currency"]) == (500, "19.0", "EUR")


def test_lines_leave_out_what_the_vendor_does_not_say() -> None:
    known, unknown = receipt_for(0), receipt_for(1, sms=None, cost=None, currency=None)

    assert describe_receipts([known]).endswith("message id 300, 500 SMS, 19.0 EUR")
    assert describe_receipts([unknown]).endswith("message id 301")
    assert describe_receipts([known, unknown]).endswith("message ids 300, 301")


def test_of_many_message_ids_the_first_are_shown() -> None:
    receipts = [Receipt(message_id=str(n), accepted=(), sms=0) for n in range(30)]

    assert "message ids 0, 1, " in describe_receipts(receipts)
    assert "19 and 10 more" in describe_receipts(receipts)


def test_a_receipt_shows_no_number() -> None:
    assert "9980" not in repr(receipt_for(0, refused={NUMBERS[0]: 14}))
    assert receipt_for(2).messages[0] == {"phone_number": NUMBERS[1000], "message_id": "302"}
