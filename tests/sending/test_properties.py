"""Whatever happens, in whatever order: no number is sent a text twice, and what is reported as accepted was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from harness import KEEPS_TASK_STATE, new_context
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from loopback import connect
from sending.world import LEFT_OPEN, REFUSED, KilledError, Life, Watched, World, check, kill, life_of
from state_store import StateStore

from airflow_provider_smspartner._sending import send as send_module
from airflow_provider_smspartner._sending.send import Send
from airflow_provider_smspartner.exceptions import (
    SMSPartnerError,
)
from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

pytestmark = pytest.mark.skipif(
    not KEEPS_TASK_STATE, reason="there Airflow keeps nothing of an earlier try, and no later one sends"
)

NOTATIONS: list[Callable[[str], str]] = [
    lambda digits: f"+33{digits}",
    lambda digits: f"0{digits}",
    lambda digits: f"0033{digits}",
    lambda digits: f"+33 (0){digits[0]} {digits[1:]}",
    lambda digits: ".".join(("0" + digits)[n : n + 2] for n in range(0, 10, 2)),
]


requests = st.one_of(
    st.just("fine"),
    st.sampled_from(["unsent", "429", *REFUSED]),
    st.sampled_from([f"{fault}{when}" for fault in ("lost", *LEFT_OPEN) for when in ("", ", all was sent")]),
)


people = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(NOTATIONS), st.sampled_from(["Hello", "Good bye"])),
    min_size=1,
    max_size=14,
)
tries = st.lists(
    st.tuples(
        st.lists(requests, max_size=5),
        st.one_of(st.none(), st.integers(0, 40)),
        st.sampled_from(["killed", "overlapped", "store fails"]),
        st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=4,
)


def e164(person: int) -> str:
    return f"+3363998{person:04}"


@contextmanager
def calls_of(size: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(send_module, "MAX_RECIPIENTS_PER_CALL", size)
        yield


def recipients_of(
    who: list[tuple[int, Callable[[str], str], str]], *, own_texts: bool
) -> tuple[list[Any], str | None]:
    numbers = [write(e164(person)[3:]) for person, write, _ in who]
    if own_texts:
        return [(number, text) for number, (_, _, text) in zip(numbers, who, strict=True)], None
    return numbers, "Hello"


@settings(max_examples=600)
@given(
    who=people,
    own_texts=st.booleans(),
    refused=st.sets(st.integers(0, 9), max_size=3),
    size=st.integers(1, 4),
    max_attempts=st.integers(1, 3),
    script=tries,
)
# Another send begins and ends while this one reads what an earlier try has done.
@example(
    who=[(0, NOTATIONS[0], "Hello")],
    own_texts=False,
    refused=set(),
    size=1,
    max_attempts=1,
    script=[(["unsent"], None, "killed", True), ([], 3, "overlapped", True)],
)
def test_whatever_happens_nobody_gets_a_text_twice(  # noqa: PLR0917 - what hypothesis draws
    who: list[tuple[int, Callable[[str], str], str]],
    own_texts: bool,
    refused: set[int],
    size: int,
    max_attempts: int,
    script: list[tuple[list[str], int | None, str, bool]],
) -> None:
    # Whom a /send refuses its answer does not tell: there nobody is.
    world = World({e164(person) for person in refused} if own_texts else (), max_attempts)
    recipients, message = recipients_of(who, own_texts=own_texts)
    others = recipients_of([(99, NOTATIONS[0], "Hello"), *who], own_texts=own_texts)
    with calls_of(size):
        send = Send.of(recipients, message)
        other_send = Send.of(*others)

        def overlap() -> None:
            event(f"overlap: {world.attempt(send)}")

        for requests, step, what, is_other in script:
            now = other_send if is_other else send
            event(f"try: {world.attempt(now, requests, life_of(step, what, overlap))}")
        ended = world.attempt(send)
    event(f"last try: {ended}")
    world.check_last(ended, [e164(person) for person, _, _ in who])


FAULTS = {
    "none": Fault.headers({}),
    "429": Fault.status(429),
    "no credit": Fault.error(11),
    "wrong key": Fault.error(10),
    "reset": Fault.reset(),
    "reset unread": Fault.reset_unread(),
    "closed": Fault.hang(0),
    "cut": Fault.truncated(),
    "page": Fault.html(),
    "fake success": Fault.fake_success(),
    "503": Fault.status(503),
    "code 500": Fault.error(500),
}
FAULTS |= {
    f"{name}, all was sent": fault.after_processing()
    for name, fault in FAULTS.items()
    if not fault.is_unread and name not in {"none", "429", "no credit", "wrong key"}
}


@pytest.fixture(scope="module")
def long_lived() -> Iterator[SMSPartnerDouble]:
    with SMSPartnerDouble() as double, pytest.MonkeyPatch.context() as monkeypatch:
        connect(monkeypatch, double, max_attempts=2)
        yield double


@settings(max_examples=40)
@given(
    who=people,
    own_texts=st.booleans(),
    script=st.lists(
        st.tuples(
            st.lists(st.sampled_from(sorted(FAULTS)), max_size=4), st.one_of(st.none(), st.integers(0, 20))
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_nor_does_the_operator_send_a_text_twice(
    long_lived: SMSPartnerDouble,
    who: list[tuple[int, Callable[[str], str], str]],
    own_texts: bool,
    script: list[tuple[list[str], int | None]],
) -> None:
    recipients, message = recipients_of(who, own_texts=own_texts)
    store = StateStore()

    def attempt(life: Life) -> list[tuple[str, str | None]] | None:
        context = new_context()
        context["task_state_store"] = Watched(store, life)
        operator = SMSPartnerSendOperator(task_id="send", recipients=recipients, message=message)
        try:
            messages = operator.execute(context)
        except (KilledError, SMSPartnerError) as error:
            event(type(error).__name__)
            return None
        return [(each["phone_number"], each["message_id"]) for each in messages]

    long_lived.clear_sent()
    with calls_of(3):
        for faults, step in script:
            long_lived.clear_faults()
            for fault in faults:
                long_lived.misbehave(FAULTS[fault])
            reported = attempt(Life(step, kill, for_good=True))
            check(long_lived.sent, reported or [])
        long_lived.clear_faults()
        reported = attempt(Life(None))
        check(long_lived.sent, reported or [])
    if reported is not None:
        assert sorted(reported) == sorted((sms.phone_number, sms.message_id) for sms in long_lived.sent)
        assert {number for number, _ in reported} == {e164(person) for person, _, _ in who}
