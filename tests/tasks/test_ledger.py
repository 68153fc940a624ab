"""The ledger of a send: what it keeps for the next try, and that no call is made by two tries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest
from harness import KEEPS_TASK_STATE, TaskInstance
from state_store import StateStore

from airflow_provider_smspartner._sending.delivery import Ledger, NoLedger, deliver, drive
from airflow_provider_smspartner._sending.send import Send
from airflow_provider_smspartner._tasks import ledger as ledgers
from airflow_provider_smspartner._tasks.ledger import open_ledger
from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
)
from airflow_provider_smspartner.models import Receipt
from airflow_provider_smspartner.protocol import Call

needs_store = pytest.mark.skipif(not KEEPS_TASK_STATE, reason="Airflow keeps nothing for a task's next try")

NUMBERS = [f"+3363998{n:04}" for n in range(1_003)]
TEXT = "Come at nine"
FINGERPRINT = "f" * 64
CALLS = 3
FIRST = NUMBERS[:500]


def receipt_for(numbers: Sequence[str], message_id: str = "300", **members: Any) -> Receipt:
    given = {"accepted": tuple(numbers), "sms": len(numbers), "cost": Decimal("19.014"), "currency": "EUR"}
    return Receipt(message_id=message_id, **{**given, **members})


@pytest.fixture
def store() -> StateStore:
    return StateStore()


def opened(store: StateStore, fingerprint: str = FINGERPRINT) -> Ledger:
    context = {"ti": TaskInstance(), "task_state_store": store}
    return open_ledger(cast("Any", context), fingerprint, CALLS)


@needs_store
def test_a_first_try_notes_which_send_it_is(store: StateStore) -> None:
    ledger = opened(store)

    assert store.get("smspartner_send") == {"fingerprint": FINGERPRINT, "calls": CALLS}
    assert ledger.adopt(0, FIRST) is None


@needs_store
def test_a_later_try_adopts_what_was_made(store: StateStore) -> None:
    receipt = receipt_for(FIRST)
    earlier = opened(store)
    earlier.begin(0)
    earlier.finish(0, FIRST, receipt)

    later = opened(store)

    assert later.adopt(0, FIRST) == receipt
    assert later.adopt(1, NUMBERS[500:1000]) is None


@needs_store
def test_a_call_that_was_under_way_is_ambiguous(store: StateStore) -> None:
    opened(store).begin(0)

    with pytest.raises(SMSPartnerAmbiguousSendError, match=r"while call 1 was under way: whether its 500 "):
        opened(store).adopt(0, FIRST)


@needs_store
def test_a_call_that_was_withdrawn_can_be_made(store: StateStore) -> None:
    earlier = opened(store)
    earlier.begin(0)
    earlier.withdraw(0)

    assert opened(store).adopt(0, FIRST) is None


@needs_store
def test_refused_recipients_and_what_is_unknown_come_back_as_they_were(store: StateStore) -> None:
    refused = {FIRST[7]: 14, FIRST[499]: None}
    receipts = [
        receipt_for([number for number in FIRST if number not in refused], refused=refused),
        Receipt(message_id=None, accepted=(), refused=dict.fromkeys(FIRST, 55)),
        receipt_for(FIRST, sms=None, cost=None, currency=None),
    ]
    earlier = opened(store)
    for position, receipt in enumerate(receipts):
        earlier.begin(position)
        earlier.finish(position, FIRST, receipt)

    later = opened(store)

    assert [later.adopt(position, FIRST) for position in range(3)] == receipts


@needs_store
def test_another_send_begins_anew_where_nothing_was_made(store: StateStore) -> None:
    earlier = opened(store)
    earlier.begin(0)
    earlier.withdraw(0)

    assert opened(store, "other").adopt(0, FIRST) is None
    assert store.get("smspartner_send")["fingerprint"] == "other"


@needs_store
@pytest.mark.parametrize("was_made", [True, False], ids=["made", "under way"])
def test_another_send_is_ambiguous_where_a_call_was_begun(store: StateStore, was_made: bool) -> None:
    earlier = opened(store)
    earlier.begin(0)
    if was_made:
        earlier.finish(0, FIRST, receipt_for(FIRST))

    with pytest.raises(SMSPartnerAmbiguousSendError, match="has begun to send something else"):
        opened(store, "other")


@needs_store
@pytest.mark.parametrize("key", ["smspartner_send", "smspartner_send_call_0"])
def test_what_it_cannot_read_is_ambiguous(store: StateStore, key: str) -> None:
    earlier = opened(store)
    earlier.begin(0)
    earlier.finish(0, FIRST, receipt_for(FIRST))
    store.set(key, "edited by hand")

    with pytest.raises(SMSPartnerAmbiguousSendError):
        opened(store).adopt(0, FIRST)


@needs_store
def test_the_store_never_lets_go_of_it_by_itself(store: StateStore) -> None:
    from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined]

    opened(store).begin(0)

    assert store.retentions == [NEVER_EXPIRE] * 3


@needs_store
def test_no_number_and_no_text_is_stored(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # The name of a try is random, and holds any five digits at times.
    monkeypatch.setattr(ledgers, "uuid4", lambda: UUID(int=0))
    send = Send.of(NUMBERS, TEXT, tag="spring", max_recipients=2_000)
    refused = dict.fromkeys(send.numbers_of(0)[:3], 14)

    def make(call: Call[Receipt]) -> Receipt:
        numbers = str((call.request.body or {})["phoneNumbers"]).split(",")
        return receipt_for([each for each in numbers if each not in refused], refused=refused)

    drive(deliver(send, opened(store, send.fingerprint("key"))), make)

    kept = json.dumps(store.kept)
    assert len(store.kept) == 2 + CALLS
    assert '"0\\": 14' in kept
    assert "63998" not in kept
    assert TEXT not in kept
    assert "spring" not in kept


@needs_store
def test_a_call_that_cannot_be_noted_before_is_not_made(store: StateStore) -> None:
    ledger = opened(store)
    store.fails_at = lambda what: what == "set smspartner_send_call_0"

    with pytest.raises(RuntimeError, match="does not answer"):
        drive(deliver(Send.of(NUMBERS[:3], TEXT), ledger), never)


@needs_store
def test_a_call_that_cannot_be_noted_after_is_ambiguous_and_the_last(store: StateStore) -> None:
    made: list[Call[Receipt]] = []
    ledger = opened(store)
    store.fails_at = lambda what: what == "set smspartner_send_call_0" and bool(made)

    def make(call: Call[Receipt]) -> Receipt:
        made.append(call)
        return receipt_for(FIRST)

    with pytest.raises(SMSPartnerAmbiguousSendError) as raised:
        drive(deliver(Send.of(NUMBERS, TEXT, max_recipients=2_000), ledger), make)

    assert len(made) == 1
    assert "Call 1 was made (message id 300), but Airflow could not note it (RuntimeError)" in str(
        raised.value
    )
    assert [each.message_id for each in raised.value.receipts] == ["300"]
    store.fails_at = lambda _: False
    with pytest.raises(SMSPartnerAmbiguousSendError, match="was under way"):
        opened(store).adopt(0, FIRST)


def never(call: Call[Receipt]) -> Receipt:
    raise AssertionError("nothing may be sent")


def test_without_a_task_instance_nothing_is_remembered() -> None:
    assert isinstance(open_ledger(cast("Any", {}), FINGERPRINT, CALLS), NoLedger)
    assert isinstance(open_ledger(cast("Any", None), FINGERPRINT, CALLS), NoLedger)


def test_without_a_store_only_the_first_try_may_send() -> None:
    context: Any = {"ti": TaskInstance()}
    context["ti"].try_number = 1
    assert isinstance(open_ledger(context, FINGERPRINT, CALLS), NoLedger)

    context["ti"].try_number = 2
    with pytest.raises(SMSPartnerAmbiguousSendError, match="This is try 2 of the task, and nothing is sent"):
        open_ledger(context, FINGERPRINT, CALLS)
