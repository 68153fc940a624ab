"""Sending through the hook, synchronously and asynchronously."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from combinations import in_turn
from loopback import connect

from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerCreditError,
    SMSPartnerInputError,
)
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.models import Receipt
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

NUMBERS = [f"+3363998{n:04}" for n in range(1_203)]
SECRET_TEXT = "Votre code est 482913"
Send = Callable[..., list[Receipt]]


def send(*arguments: Any, **options: Any) -> list[Receipt]:
    with SMSPartnerHook() as hook:
        return hook.send(*arguments, **options)


def asend(*arguments: Any, **options: Any) -> list[Receipt]:
    async def main() -> list[Receipt]:
        async with SMSPartnerHook() as hook:
            return await hook.asend(*arguments, **options)

    return asyncio.run(main())


both = pytest.mark.parametrize("send", [send, asend], ids=["sync", "async"])


@both
def test_nobody_to_send_to_is_no_mistake(double: SMSPartnerDouble, send: Any) -> None:
    assert send([], "Hello") == []
    assert double.requests == []


@both
def test_one_text_for_all(double: SMSPartnerDouble, send: Send) -> None:
    receipts = send(NUMBERS, "Bonjour", tag="spring", sender="Boutique", max_recipients=2_000)

    assert [len(each.accepted) for each in receipts] == [500, 500, 203]
    assert len({each.message_id for each in receipts}) == 3
    assert receipts[2].accepted == tuple(NUMBERS[1_000:])
    assert (receipts[0].sms, receipts[0].cost, receipts[0].currency) == (500, Decimal("19.0"), "EUR")
    assert [(each.phone_number, each.text) for each in double.sent] == [(n, "Bonjour") for n in NUMBERS]
    assert {(each.tag, each.sender, each.sandbox) for each in double.sent} == {("spring", "Boutique", False)}
    # Each has a connection of its own.
    assert len({request.peer_port for request in double.requests}) == 3


@in_turn(
    sandbox={
        "neither": (False, None, False),
        "option": (False, True, True),
        "connection": (True, None, True),
        "connection, whatever the option": (True, False, True),
    },
    send={"sync": send, "async": asend},
)
def test_the_sandbox(
    double: SMSPartnerDouble,
    send: Send,
    sandbox: tuple[bool, bool | None, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection, option, expected = sandbox
    connect(monkeypatch, double, sandbox=connection)

    send(NUMBERS[:1], "Bonjour", sandbox=option)

    assert [each.sandbox for each in double.sent] == [expected]


def test_a_tag_in_upper_case_is_warned_about(
    double: SMSPartnerDouble,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Airflow 3.3 prints what a hook logs, past the standard library's logging.
    monkeypatch.setattr(SMSPartnerHook, "log", logging.getLogger("hook"))

    send(NUMBERS[:1], "Bonjour", tag="Spring")

    assert "The tag 'Spring' has upper case" in caplog.text
    assert [each.tag for each in double.sent] == ["Spring"]


def test_refused_recipients(double: SMSPartnerDouble) -> None:
    double.add_stop(NUMBERS[1])
    double.refuse(NUMBERS[2], 13)
    double.add_stop("+33696123456")  # the same person as the one below

    (receipt,) = send(
        [(number, "Bonjour") for number in [*NUMBERS[:4], "0696123456", "0692123456", "+33692123456"]]
    )

    assert receipt.accepted == (NUMBERS[0], NUMBERS[3], "+262692123456")
    assert receipt.refused == {NUMBERS[1]: 14, NUMBERS[2]: 13, "+596696123456": 14}
    assert len(double.sent) == 3


@both
def test_no_credit_half_way(double: SMSPartnerDouble, send: Send) -> None:
    double.credit_sms = 700

    with pytest.raises(SMSPartnerCreditError, match="no credit left") as caught:
        send(NUMBERS, "Bonjour", max_recipients=2_000)

    assert [len(each.accepted) for each in caught.value.receipts] == [500]
    assert len(double.sent) == 500
    assert "500 of 500 recipients accepted" in caught.value.__notes__[0]


def test_bad_input_is_reported_before_anything_is_sent(double: SMSPartnerDouble) -> None:
    with pytest.raises(SMSPartnerInputError, match=r"recipients\[600\]: phone_number is neither"):
        send([*NUMBERS[:600], "0123"], "Bonjour")
    with pytest.raises(SMSPartnerInputError, match=r"recipients\[700\]: .* no mobile"):
        send([*NUMBERS[:700], "+33 1 42 68 53 00"], "Bonjour")
    with pytest.raises(SMSPartnerInputError, match="more than 1000 recipients"):
        send(NUMBERS, "Bonjour")
    with pytest.raises(TypeError, match="max_parts"):
        send(NUMBERS[:1], "Bonjour", max_parts=3)

    assert not double.requests


@both
def test_a_lost_answer_is_ambiguous_and_leaks_nothing(double: SMSPartnerDouble, send: Send) -> None:
    double.misbehave(Fault.reset().after_processing())

    with pytest.raises(SMSPartnerAmbiguousSendError) as caught:
        send(NUMBERS[:5], SECRET_TEXT)

    assert Counter(each.phone_number for each in double.sent) == Counter(NUMBERS[:5])
    text = "".join(traceback.format_exception(caught.value))
    assert not any(part in text for part in ("63998", SECRET_TEXT, double.api_key))


def test_a_long_list_is_not_read_on_the_event_loop(double: SMSPartnerDouble) -> None:
    class Recipients(list[str]):
        def __iter__(self) -> Iterator[str]:
            read_by.add(threading.get_ident())
            return super().__iter__()

    read_by: set[int] = set()

    asend(Recipients(NUMBERS), "Bonjour", max_recipients=2_000)

    assert len(double.sent) == len(NUMBERS)
    assert read_by
    assert threading.get_ident() not in read_by
