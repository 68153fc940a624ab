"""Whatever happens, in whatever order: no number is sent a text twice, and what is reported as accepted was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from harness import KEEPS_TASK_STATE, new_context
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from loopback import connect
from state_store import StateStore

from airflow_provider_smspartner._sending import send as send_module
from airflow_provider_smspartner.exceptions import SMSPartnerAmbiguousSendError, SMSPartnerError
from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

pytestmark = pytest.mark.skipif(
    not KEEPS_TASK_STATE, reason="there Airflow keeps nothing of an earlier try, and no later one sends"
)

UNSENT = {"429": Fault.status(429), "no credit": Fault.error(11), "wrong key": Fault.error(10)}
LOST = {
    "reset": Fault.reset(),
    "closed": Fault.hang(0),
    "cut": Fault.truncated(),
    "page": Fault.html(),
    "fake success": Fault.fake_success(),
    "503": Fault.status(503),
    "code 500": Fault.error(500),
}
FAULTS = {
    "fine": Fault.headers({}),
    **UNSENT,
    **LOST,
    **{f"{name}, all was sent": fault.after_processing() for name, fault in LOST.items()},
}


class KilledError(BaseException):
    """The process is no more."""


class Store:
    """A task's store as one process sees it: at a step, before or after a reading or writing, something happens."""

    def __init__(self, store: StateStore, step: int | None, happens: Callable[[], object]) -> None:
        self._store = store
        self._left = step
        self._happens = happens

    def get(self, key: str, default: Any = None) -> Any:
        return self._step(self._store.get, key, default)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self._step(self._store.set, key, value)

    def delete(self, key: str) -> None:
        self._step(self._store.delete, key)

    def _step(self, act: Callable[..., Any], *arguments: Any) -> Any:
        self._go_on()
        result = act(*arguments)
        self._go_on()
        return result

    def _go_on(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                self._left = None
                self._happens()


class World:
    """The vendor, and a task whose tries share a store."""

    def __init__(self, double: SMSPartnerDouble) -> None:
        self.double = double
        self._store = StateStore()

    def attempt(self, recipients: list[Any], message: str | None, step: int | None, what: str) -> str:
        """Make a try, check what it has sent and what it says of that, and return how it has ended."""

        def happen() -> None:
            if what == "killed":
                raise KilledError
            if what == "store fails":
                raise RuntimeError("the store is away")
            event(f"overlap: {self.attempt(recipients, message, None, 'fine')}")

        context = new_context() | {"task_state_store": Store(self._store, step, happen)}
        reported: list[tuple[str, str | None]] = []
        ended = "done"
        try:
            rows = SMSPartnerSendOperator(task_id="send", recipients=recipients, message=message).execute(
                context
            )
            reported = [(row["phone_number"], row["message_id"]) for row in rows]
        except SMSPartnerError as error:
            reported = [(number, each.message_id) for each in error.receipts for number in each.accepted]
            ended = type(error).__name__
        except (KilledError, RuntimeError) as error:
            ended = type(error).__name__
        got = Counter((sms.phone_number, sms.text) for sms in self.double.sent)
        assert max(got.values(), default=0) <= 1, "somebody got a text twice"
        left = {(sms.phone_number, sms.message_id) for sms in self.double.sent}
        assert left.issuperset(reported), "what was not sent is reported as accepted"
        if ended == "done":
            assert left == {*reported}
        return ended


# Some are named again, in another notation and perhaps with another text.
people = st.lists(
    st.tuples(
        st.integers(0, 9), st.sampled_from(["+33", "0", "0033 "]), st.sampled_from(["Hello", "Good bye"])
    ),
    min_size=1,
    max_size=9,
)
# What happens to its requests, at which step what happens to its process, and whether it is a try of another send.
tries = st.lists(
    st.tuples(
        st.lists(st.sampled_from(sorted(FAULTS)), max_size=4),
        st.one_of(st.none(), st.integers(0, 30)),
        st.sampled_from(["killed", "overlapped", "store fails"]),
        st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60)
@given(who=people, own_texts=st.booleans(), refused=st.sets(st.integers(0, 9), max_size=3), script=tries)
# Another send begins and ends while this one reads what an earlier try has done.
@example(
    who=[(0, "+33", "Hello")],
    own_texts=False,
    refused=set(),
    script=[(["no credit"], None, "killed", True), ([], 3, "overlapped", True)],
)
def test_whatever_happens_nobody_gets_a_text_twice(
    who: list[tuple[int, str, str]],
    own_texts: bool,
    refused: set[int],
    script: list[tuple[list[str], int | None, str, bool]],
) -> None:
    def send(people: list[tuple[int, str, str]]) -> tuple[list[Any], str | None]:
        numbers = [f"{prefix}63998{person:04}" for person, prefix, _ in people]
        if own_texts:
            return [(number, text) for number, (*_, text) in zip(numbers, people, strict=True)], None
        return numbers, "Hello"

    with SMSPartnerDouble() as double, pytest.MonkeyPatch.context() as monkeypatch:
        connect(monkeypatch, double, max_attempts=2)
        monkeypatch.setattr(send_module, "MAX_RECIPIENTS_PER_CALL", 3)
        said_no = {f"+3363998{person:04}" for person in refused}
        for number in said_no:
            double.refuse(number, 14)
        world = World(double)
        for faults, step, what, is_other in script:
            double.clear_faults()
            for fault in faults:
                double.misbehave(FAULTS[fault])
            event(
                f"try: {world.attempt(*send([(99, '+33', 'Hello'), *who] if is_other else who), step, what)}"
            )
        double.clear_faults()
        ended = world.attempt(*send(who), None, "fine")
        event(f"last try: {ended}")
        if ended == "done":
            wanted = {f"+3363998{person:04}" for person, *_ in who}
            assert {sms.phone_number for sms in double.sent} == wanted - said_no
        else:
            assert ended in {SMSPartnerAmbiguousSendError.__name__, "SMSPartnerRequestError"}
