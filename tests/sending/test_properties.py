"""Whatever happens, in whatever order: no number is sent a text twice, and what is reported as accepted was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from harness import KEEPS_TASK_STATE
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from sending.world import LEFT_OPEN, REFUSED, World, life_of

from airflow_provider_smspartner._sending import send as send_module
from airflow_provider_smspartner._sending.send import Send

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


@settings(max_examples=200)
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
