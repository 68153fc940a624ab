"""
Properties of the protocol: nothing is lost, nothing goes on for ever, nothing leaks.

That any bytes at all end in a value or an error without secrets is shown by the fuzz targets.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from fuzz.oracles import KEY, check_error
from hypothesis import example, given, settings
from hypothesis import strategies as st
from protocol.samples import CALLS, PHONE, drive_tag, page_of, tag_numbers, tag_rows

from airflow_provider_smspartner import protocol
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerNotFoundError
from airflow_provider_smspartner.protocol import Answer


@settings(max_examples=25)
@given(
    size=st.one_of(st.integers(0, 12), st.integers(0, 1600), st.sampled_from([499, 500, 501, 1000, 1001])),
    different=st.integers(1, 1600),
    is_lazy=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_every_message_exactly_once_and_in_order(
    size: int, different: int, is_lazy: bool, random: Random
) -> None:
    numbers = random.choices(range(different), k=size)
    messages = [(f"+336{number // 3:08}", number) for number in numbers]
    statuses, sizes = [], []
    for call in protocol.multi_status(iter(messages) if is_lazy else messages):
        pairs = (call.request.body or {})["SMSStatut_List"]
        sizes.append(len(pairs))
        answered = [{**pair, "status": f"{pair['messageId']}"} for pair in pairs]
        random.shuffle(answered)
        body = json.dumps({"success": True, "StatutResponse_List": answered}).encode()
        statuses += call.read(Answer(200, {}, body))

    expected = list(dict.fromkeys((phone_number, str(number)) for phone_number, number in messages))
    assert [(status.phone_number, status.message_id) for status in statuses] == expected
    assert [status.outcome.raw_status for status in statuses] == [number for _, number in expected]
    assert sizes == [min(500, len(expected) - start) for start in range(0, len(expected), 500)]


@settings(max_examples=40)
@given(size=st.integers(1, 300), page_size=st.integers(1, 60), figure=st.sampled_from([int, str]))
def test_an_honest_server_gives_all_rows_once_and_in_order(
    size: int, page_size: int, figure: Callable[[int], object]
) -> None:
    def serve(asked: int) -> Answer:
        rows = tag_rows(page_size * (asked - 1), min(page_size * asked, size))
        return page_of(rows, figure(asked), figure(size))

    received = tag_numbers(serve, most_calls=-(-size // page_size))

    assert received == [row["phoneNumber"] for row in tag_rows(0, size)]


# For each call: rows, or the page to repeat; what is added to the number asked for, or the number itself; the total.
scripts = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from([False, False, False, True]),
        st.sampled_from([0, 0, 0, 0, 0, 1, -1, 10**9, None, "two", PHONE[1:]]),
        st.one_of(st.integers(0, 60), st.sampled_from([20, 20, 20, 5_000_000, None, -3, 10**12, "x", 2.5])),
    ),
    max_size=25,
)
honest_start = (2, False, 0, 20)


@settings(max_examples=100)
@given(script=scripts)
@example(script=[honest_start, (0, True, 0, 20)])  # repeats under the right number
@example(script=[honest_start, (1, False, 0, 2)])  # the total shrinks
@example(script=[(1, False, 0, 2 + n) for n in range(25)])  # the total runs away
def test_a_hostile_server_is_left_with_all_rows_or_an_error(
    script: list[tuple[int, bool, object, object]],
) -> None:
    pages = iter(script)
    given: list[list[dict[str, object]]] = []
    largest_total = 1

    def serve(asked: int) -> Answer:
        nonlocal largest_total
        size, repeats, number, total = next(pages, (0, False, 0, None))
        start = sum(map(len, given))
        given.append(given[size % len(given)] if repeats and given else tag_rows(start, start + size))
        largest_total = max(largest_total, total if isinstance(total, int) else 0)
        return page_of(given[-1], asked + number if isinstance(number, int) else number, total)

    received: list[str] = []
    try:
        for page in drive_tag(serve, most_calls=len(script) + 2):
            received += [row.phone_number for row in page.rows]
    except SMSPartnerError as error:
        check_error(error)
        assert not (received and isinstance(error, SMSPartnerNotFoundError))  # noqa: PT017 - either end is right
    else:
        assert len(received) >= largest_total
        assert received == [row["phoneNumber"] for row in tag_rows(0, len(received))]


@settings(max_examples=30)
@given(key=st.one_of(st.just(KEY), st.text(min_size=1)))
def test_any_key_arrives_as_it_is_and_shows_nowhere(key: str) -> None:
    for make in CALLS.values():
        request = make().request
        query, body = request.with_key(key)
        sent = json.loads(body) if body else query

        assert sent["apiKey"] == key
        assert request == make().request  # nothing of the key stays behind
        assert ("apiKey" in query) is (request.method == "GET")
