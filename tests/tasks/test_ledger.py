"""The ledger of a send: what it keeps for the next try, and that no call is made by two tries."""

from __future__ import annotations

import json
from typing import Any, cast
from uuid import UUID

import pytest
from harness import KEEPS_TASK_STATE, TaskInstance
from sending.receipts import NUMBERS, receipt_for
from state_store import StateStore

from airflow_provider_smspartner._sending import send as send_module
from airflow_provider_smspartner._sending.delivery import Ledger, NoLedger, deliver, drive
from airflow_provider_smspartner._sending.send import Send
from airflow_provider_smspartner._tasks import ledger as ledgers
from airflow_provider_smspartner._tasks.ledger import open_ledger
from airflow_provider_smspartner.exceptions import SMSPartnerAmbiguousSendError
from airflow_provider_smspartner.models import Receipt
from airflow_provider_smspartner.protocol import Call

needs_store = pytest.mark.skipif(not KEEPS_TASK_STATE, reason="Airflow keeps nothing for a task's next try")

TEXT = "Come at nine"
FINGERPRINT = "f" * 64
CALLS = 3
FIRST = NUMBERS[:2]


@pytest.fixture
def store() -> StateStore:
    return StateStore()


@pytest.fixture
def campaign(monkeypatch: pytest.MonkeyPatch) -> Send:
    """A send of three calls."""
    monkeypatch.setattr(send_module, "MAX_RECIPIENTS_PER_CALL", 2)
    return Send.of(NUMBERS, TEXT, tag="spring")


def opened(store: StateStore, fingerprint: str = FINGERPRINT) -> Ledger:
    context = {"ti": TaskInstance(), "task_state_store": store}
    return open_ledger(cast("Any", context), fingerprint, CALLS)


def begun(store: StateStore) -> Ledger:
    """Return the ledger of a try that has begun its first call."""
    ledger = opened(store)
    ledger.begin(0)
    return ledger


@needs_store
def test_a_try_notes_which_send_it_is_and_the_store_never_lets_go_of_it(store: StateStore) -> None:
    from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined]

    ledger = opened(store)

    assert store.get("smspartner_send") == {"fingerprint": FINGERPRINT, "calls": CALLS}
    assert ledger.adopt(0, FIRST) is None
    ledger.begin(0)
    assert store.retentions == [NEVER_EXPIRE] * 3


@needs_store
def test_a_later_try_adopts_what_was_made_as_it_was(store: StateStore) -> None:
    receipts = [
        receipt_for(0),
        receipt_for(0, accepted=(FIRST[0],), refused={FIRST[1]: 14}),
        receipt_for(0, accepted=(FIRST[1],), refused={FIRST[0]: None}, sms=None, cost=None, currency=None),
        Receipt(message_id=None, accepted=(), refused=dict.fromkeys(FIRST, 55)),
    ]
    earlier = opened(store)
    for position, receipt in enumerate(receipts):
        earlier.begin(position)
        earlier.finish(position, FIRST, receipt)

    later = opened(store)

    assert [later.adopt(position, FIRST) for position in range(5)] == [*receipts, None]
    # After a call that was not made there is none to ask for.
    store.fails_at = lambda _: True
    assert later.adopt(5, FIRST) is None


@needs_store
def test_a_call_that_was_under_way_is_ambiguous(store: StateStore) -> None:
    begun(store)

    with pytest.raises(SMSPartnerAmbiguousSendError, match=r"while call 1 was under way: whether its 2 "):
        opened(store).adopt(0, FIRST)


@needs_store
@pytest.mark.parametrize("fingerprint", [FINGERPRINT, "other"])
def test_a_call_that_was_withdrawn_can_be_made_by_any_send(store: StateStore, fingerprint: str) -> None:
    begun(store).withdraw(0)

    assert opened(store, fingerprint).adopt(0, FIRST) is None
    assert store.get("smspartner_send")["fingerprint"] == fingerprint


@needs_store
@pytest.mark.parametrize("was_made", [True, False], ids=["made", "under way"])
def test_another_send_is_ambiguous_where_a_call_was_begun(store: StateStore, was_made: bool) -> None:
    earlier = begun(store)
    if was_made:
        earlier.finish(0, FIRST, receipt_for(0))

    with pytest.raises(SMSPartnerAmbiguousSendError, match="has begun to send something else"):
        opened(store, "other")


MADE = {"state": "made", "message_id": "300", "refused": {}, "sms": 2, "cost": "0.1", "currency": "EUR"}


@needs_store
@pytest.mark.parametrize(
    "entry",
    [
        "edited by hand",
        {},
        {**MADE, "state": "sent"},
        {name: value for name, value in MADE.items() if name != "refused"},
        *({**MADE, "refused": refused} for refused in (["0"], {"x": 14}, {"2": 14}, {"-1": 14}, {"0": "14"})),
        *({**MADE, "message_id": message_id} for message_id in (300, None)),
        {**MADE, "cost": "much"},
    ],
    ids=str,
)
def test_a_call_that_it_cannot_read_is_ambiguous(store: StateStore, entry: object) -> None:
    begun(store).finish(0, FIRST, receipt_for(0))
    store.set("smspartner_send_call_0", entry)

    with pytest.raises(SMSPartnerAmbiguousSendError, match="keeps of call 1 cannot be read"):
        opened(store).adopt(0, FIRST)


@needs_store
@pytest.mark.parametrize("lost", ["smspartner_send", "smspartner_send_call_0", "smspartner_send_call_1"])
@pytest.mark.parametrize("call_count", [1, CALLS])
def test_what_was_lost_from_it_is_ambiguous(store: StateStore, lost: str, call_count: int) -> None:
    earlier = opened(store)
    for position in range(CALLS):
        earlier.begin(position)
        earlier.finish(position, FIRST, receipt_for(0))
    store.delete(lost)
    context: Any = {"ti": TaskInstance(), "task_state_store": store}

    def adopt_all() -> None:
        later = open_ledger(context, FINGERPRINT, call_count)
        for position in range(CALLS):
            later.adopt(position, FIRST)

    with pytest.raises(
        SMSPartnerAmbiguousSendError, match=r"and it is not made again|something else"
    ) as raised:
        adopt_all()
    if lost != "smspartner_send":
        position = int(lost[-1])
        said = f"Airflow keeps call {position + 2} of this task, and has lost call {position + 1}: "
        assert said in str(raised.value)


@needs_store
def test_a_second_send_in_one_task_is_called_so(store: StateStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    context: Any = {"ti": TaskInstance(), "task_state_store": store}
    send = Send.of(FIRST, TEXT)
    for _ in range(2):
        drive(deliver(send, open_ledger(context, FINGERPRINT, 1)), lambda _: receipt_for(0))

    with pytest.raises(SMSPartnerAmbiguousSendError, match=r"another send already\. One task makes one"):
        open_ledger(context, "other", 1)
    assert "made by an earlier send (message id 300)" in caplog.text
    context["ti"] = TaskInstance()
    with pytest.raises(SMSPartnerAmbiguousSendError, match="An earlier try of this task has begun to send"):
        open_ledger(context, "other", 1)


@needs_store
def test_a_try_that_still_runs_begins_no_call_once_a_later_one_has_begun(store: StateStore) -> None:
    earlier = opened(store)
    opened(store)

    with pytest.raises(SMSPartnerAmbiguousSendError, match="A later try of this task has begun"):
        earlier.begin(0)


@needs_store
def test_no_number_and_no_text_is_stored(
    store: StateStore, campaign: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The name of a try is random, and holds any five digits at times.
    monkeypatch.setattr(ledgers, "uuid4", lambda: UUID(int=0))

    drive(
        deliver(campaign, opened(store, campaign.fingerprint("key"))),
        lambda _: receipt_for(0, refused={NUMBERS[0]: 14}),
    )

    kept = json.dumps(store.kept)
    assert len(store.kept) == 2 + CALLS
    assert '"0\\": 14' in kept
    assert not [each for each in ("63998", TEXT, "spring") if each in kept]


@needs_store
def test_a_call_that_cannot_be_noted_after_is_ambiguous_and_the_last(
    store: StateStore, campaign: Send
) -> None:
    made: list[Call[Receipt]] = []

    def make(call: Call[Receipt]) -> Receipt:
        made.append(call)
        return receipt_for(0)

    ledger = opened(store)
    store.fails_at = lambda what: what == "set smspartner_send_call_0" and bool(made)
    said = r"Call 1 was made \(message id 300\), but Airflow could not note it \(RuntimeError\)"

    with pytest.raises(SMSPartnerAmbiguousSendError, match=said) as raised:
        drive(deliver(campaign, ledger), make)

    assert len(made) == 1
    assert [each.message_id for each in raised.value.receipts] == ["300"]
    store.fails_at = lambda _: False
    with pytest.raises(SMSPartnerAmbiguousSendError, match="was under way"):
        opened(store).adopt(0, FIRST)


def test_without_a_store_only_the_first_try_may_send() -> None:
    context: Any = {"ti": TaskInstance()}
    contexts: list[Any] = [{}, None, context]
    assert all(isinstance(open_ledger(each, FINGERPRINT, CALLS), NoLedger) for each in contexts)
    context["ti"].try_number = 1
    assert isinstance(open_ledger(context, FINGERPRINT, CALLS), NoLedger)

    context["ti"].try_number = 2
    with pytest.raises(SMSPartnerAmbiguousSendError, match="This is try 2 of the task, and nothing is sent"):
        open_ledger(context, FINGERPRINT, CALLS)
