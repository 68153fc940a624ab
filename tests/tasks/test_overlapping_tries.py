"""
Two tries of a send at once: no call is made by both, whatever the order of their steps.

Airflow begins a retry when it has lost sight of a process, which may still run. A try is a list of steps: each reads or
writes the store once, or makes a call. The tests take the steps of two tries in every order, and let either of them
stop for ever at every step. A try that is to take its next step runs the real code anew: the steps it has taken give
what they gave, and the one after the next is not reached.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from harness import KEEPS_TASK_STATE
from sending.receipts import NUMBERS

from airflow_provider_smspartner._sending import send as send_module
from airflow_provider_smspartner._sending.delivery import deliver, drive
from airflow_provider_smspartner._sending.send import Send
from airflow_provider_smspartner._tasks import ledger as ledgers
from airflow_provider_smspartner._tasks.ledger import StoredLedger
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerUnavailableError
from airflow_provider_smspartner.models import Receipt
from airflow_provider_smspartner.protocol import Call

pytestmark = pytest.mark.skipif(not KEEPS_TASK_STATE, reason="Airflow keeps nothing for a task's next try")

SEND = Send.of(NUMBERS[:2], "Hello")
CALLS = range(2)
Kept = dict[str, str]


@pytest.fixture(autouse=True)
def _a_call_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_module, "MAX_RECIPIENTS_PER_CALL", 1)


class PausedError(BaseException):
    """The step is taken: not an `Exception`, so that nothing but the test takes notice."""


@dataclass(frozen=True)
class Step:
    """What a try has done, with a key of the store or a call, and what it has read."""

    what: str
    of: str
    gave: str = "null"


class Replay:
    """The store and the vendor, as a try sees them that takes one more step."""

    def __init__(self, taken: tuple[Step, ...], kept: Kept, *, unsent: bool) -> None:
        self.taken = list(taken)
        self.kept = dict(kept)
        self._unsent = unsent
        self._again = iter(taken)
        self._has_stepped = False

    def get(self, key: str, default: Any = None) -> Any:
        step = self._step("get", key, lambda: self.kept.get(key, "null"))
        return json.loads(step.gave)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self._step("set", key, lambda: self.kept.update({key: json.dumps(value)}))

    def delete(self, key: str) -> None:
        self._step("delete", key, lambda: self.kept.pop(key, None) and None)

    def make(self, call: Call[Receipt]) -> Receipt:
        numbers = [row["phoneNumber"] for row in (call.request.body or {})["SMSList"]]
        self._step("failed" if self._unsent else "made", str(SEND.numbers.index(numbers[0])), lambda: None)
        if self._unsent:
            raise SMSPartnerUnavailableError("no connection")
        return Receipt(message_id="300", accepted=tuple(numbers))

    def _step(self, what: str, of: str, act: Callable[[], str | None]) -> Step:
        if (step := next(self._again, None)) is not None:
            assert (step.what, step.of) == (what, of)
            return step
        if self._has_stepped:
            raise PausedError
        self._has_stepped = True
        self.taken.append(Step(what, of, act() or "null"))
        return self.taken[-1]


@dataclass(frozen=True)
class Try:
    """A try of the task: its steps so far, and how it has ended; no call of it can be made if it is `unsent`."""

    name: str
    unsent: bool = False
    taken: tuple[Step, ...] = ()
    end: str | None = None

    def next(self, kept: Kept, patch: pytest.MonkeyPatch) -> tuple[Try, Kept]:
        """Take one more step."""
        patch.setattr(ledgers, "uuid4", lambda: type("Id", (), {"hex": self.name}))
        replay, end = Replay(self.taken, kept, unsent=self.unsent), None
        try:
            drive(deliver(SEND, StoredLedger(replay, "fingerprint", SEND.call_count)), replay.make)
            end = "sent"
        except PausedError:
            pass
        except SMSPartnerError as error:
            end = type(error).__name__
        return replace(self, taken=tuple(replay.taken), end=end), replay.kept

    @property
    def made(self) -> list[str]:
        return [step.of for step in self.taken if step.what == "made"]

    @property
    def was_cut_off(self) -> bool:
        """Whether a call is noted as under way, and not as made or withdrawn."""
        noted = [step.what for step in self.taken if step.of.startswith("smspartner_send_call_")]
        return self.end is None and [each for each in noted if each != "get"].count("set") % 2 == 1


State = tuple[tuple[Try, Try], Kept]


def orders(*tries: Try, patch: pytest.MonkeyPatch) -> Iterator[State]:
    """Yield all that two tries can come to, whichever of them takes the next step; what is the same is seen once."""
    first, second = tries
    states: list[State] = [((first, second), {})]
    seen = set()
    while states:
        state = states.pop()
        both, kept = state
        if (key := (both, tuple(sorted(kept.items())))) in seen:
            continue
        seen.add(key)
        yield state
        for position, each in enumerate(both):
            if each.end is None:
                stepped, left = each.next(kept, patch)
                states.append(((stepped, both[1]) if position == 0 else (both[0], stepped), left))


def alone(each: Try, kept: Kept, patch: pytest.MonkeyPatch) -> tuple[Try, Kept]:
    """Let a try come to its end."""
    while each.end is None:
        each, kept = each.next(kept, patch)
    return each, kept


@pytest.mark.parametrize("unsent", [False, True], ids=["first sends", "first cannot send"])
def test_no_call_is_made_by_both(
    unsent: bool, monkeypatch: pytest.MonkeyPatch, tell: Callable[[str], None]
) -> None:
    ends = set()
    count = 0
    for (first, second), kept in orders(Try("first", unsent), Try("second"), patch=monkeypatch):
        count += 1
        assert not set(first.made) & set(second.made)
        assert len(first.made + second.made) <= len(CALLS)
        if None not in (first.end, second.end):
            ends.add((first.end, second.end))
            third, _ = alone(Try("third"), kept, monkeypatch)
            assert not set(third.made) & set(first.made + second.made)
    tell(f"{count} states of two tries")
    assert ("sent", "sent") in ends if not unsent else ("SMSPartnerUnavailableError", "sent") in ends
    assert ("SMSPartnerAmbiguousSendError", "sent") in ends


def test_a_try_that_is_killed_at_any_step_is_finished_or_ambiguous(
    monkeypatch: pytest.MonkeyPatch, tell: Callable[[str], None]
) -> None:
    first, kept = Try("first"), Kept()
    ends = []
    while first.end is None:
        second, _ = alone(Try("second"), kept, monkeypatch)
        ends.append(second.end)
        assert second.end == ("SMSPartnerAmbiguousSendError" if first.was_cut_off else "sent")
        if second.end == "sent":
            assert sorted(first.made + second.made) == [str(each) for each in CALLS]
        assert not set(first.made) & set(second.made)
        first, kept = first.next(kept, monkeypatch)
    assert first.made == [str(each) for each in CALLS]
    tell(f"killed at {len(ends)} steps: {ends.count('sent')} finished, the others ambiguous")
