"""Airflow connections that change, or cannot be found, while triggers wait; and which waits share their polls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from campaign_triggers import campaign_trigger, fire
from shared_polls.vendor import DOWN, WRONG_KEY, Backend, D, Vendor, W, on_a_loop, ref, seconds

from airflow_provider_smspartner._shared_polls import connections, registry
from airflow_provider_smspartner._shared_polls.connections import connection_in_use
from airflow_provider_smspartner._shared_polls.dispatcher import SharedPolls
from airflow_provider_smspartner.triggers.smspartner import SMSPartnerCampaignTrigger

WAITS = 40
DONE = {"verdict": "done", "counts": {"Delivered": 1}}


def waiting(**arguments: Any) -> list[SMSPartnerCampaignTrigger]:
    given = {"poke_interval": 60, "timeout": 7_200, **arguments}
    return [campaign_trigger(messages=[[*map(str, ref(number))]], **given) for number in range(WAITS)]


@pytest.mark.parametrize(
    ("error", "change"),
    [(WRONG_KEY, {"key": "new"}), (DOWN, {"fields": {"host": "https://elsewhere"}})],
    ids=["another key", "another host"],
)
@on_a_loop
async def test_a_connection_that_changes_ends_no_wait(
    vendor: Vendor, backend: Backend, error: Exception, change: dict[str, Any]
) -> None:
    def trouble(_: Any, used: Any) -> Exception | None:
        return None if used.api_key == "new" or "elsewhere" in used.base_url else error

    async def happen() -> None:
        await asyncio.sleep(100)
        vars(backend).update(change)
        vendor.trouble = trouble
        await asyncio.sleep(300)
        vendor.asked.clear()
        await asyncio.sleep(600)
        # They share again.
        assert 8 <= len(vendor.asked) <= 15
        vendor.status = D

    vendor.status = W
    *events, _ = await asyncio.gather(fire(*waiting()), happen())

    assert events == [[DONE] * WAITS]
    assert len(backend.asked) <= 4


@on_a_loop
async def test_refused_credentials_of_an_unchanged_connection_end_the_waits_at_once(
    vendor: Vendor, backend: Backend
) -> None:
    vendor.trouble = lambda _, __: WRONG_KEY

    assert (
        await fire(*waiting(first_in=5)) == [{"verdict": "refused", "code": 10, "http_status": 200}] * WAITS
    )
    assert seconds() <= 6
    assert (len(vendor.asked), len(backend.asked)) == (1, 2)


@on_a_loop
async def test_refused_credentials_whose_connection_cannot_be_found_now_do_not_end_the_wait(
    vendor: Vendor, backend: Backend
) -> None:
    async def happen() -> None:
        await asyncio.sleep(100)
        backend.key = None
        vendor.trouble = lambda _, used: None if used is not None and used.api_key == "new" else WRONG_KEY
        await asyncio.sleep(600)
        backend.key, vendor.status = "new", D

    (event,), _ = await asyncio.gather(fire(*waiting()[:1]), happen())

    assert event == DONE


class Unreadable:
    """As on Airflow 2 after a lost Fernet key: it decrypts the extra only once that is read."""

    def __getattr__(self, name: str) -> Any:
        if name == "extra":
            raise RuntimeError("vault token s3cr3t")
        return "key"


async def unreadable(_: str) -> Unreadable:
    return Unreadable()


@pytest.mark.parametrize(
    ("key", "look_up", "why"),
    [
        (None, None, r"it could not be looked up (RuntimeError)"),
        ("", None, "The connection 'smspartner_default' has no API key"),
        ("key", unreadable, r"it could not be looked up (RuntimeError)"),
    ],
    ids=["missing", "without a key", "unreadable"],
)
@on_a_loop
async def test_a_connection_that_cannot_be_used_yet_is_waited_for_at_a_pace_and_not_quoted(
    *,
    vendor: Vendor,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    log_lines: Callable[[], list[tuple[str, str]]],
    key: str | None,
    look_up: Any,
    why: str,
) -> None:
    async def mend() -> None:
        await asyncio.sleep(600)
        monkeypatch.setattr(connections, "get_async_connection", backend.get)
        backend.key = "key"

    backend.key, vendor.status = key, D
    if look_up is not None:
        monkeypatch.setattr(connections, "get_async_connection", look_up)
    events, _ = await asyncio.gather(fire(*waiting()), mend())

    assert events == [DONE] * WAITS
    # Soon after, and with a look-up for all of them each half to whole minute in the end.
    assert seconds() <= 661
    assert len(backend.asked) <= 30
    warnings = [line for level, line in log_lines() if level == "warning"]
    assert f"The Airflow connection 'smspartner_default' cannot be used for now: {why}" in warnings[0]
    # Each wait says so as often as it polls.
    assert 9 * WAITS <= len(warnings) <= 11 * WAITS
    assert "s3cr3t" not in str(warnings)


@on_a_loop
async def test_a_connection_that_is_never_found_ends_the_wait_at_its_deadline(
    vendor: Vendor, backend: Backend
) -> None:
    backend.key = None

    assert await fire(campaign_trigger(tag="spring", timeout=90, poke_interval=60)) == [
        {"verdict": "timed_out"}
    ]
    assert seconds() == pytest.approx(90.01)
    assert vendor.asked == []


@asynccontextmanager
async def taking_part(conn_id: str) -> AsyncIterator[SharedPolls]:
    async with (
        connection_in_use(conn_id) as connection,
        registry.shared_polls(connection, await connection.look_up()) as polls,
    ):
        yield polls


@on_a_loop
async def test_waits_share_on_one_connection_as_it_was_found_only(vendor: Vendor, backend: Backend) -> None:
    async with taking_part("one") as first, taking_part("one") as same, taking_part("other") as other:
        assert first is same
        assert first is not other
        backend.fields = {"extra": '{"timeout": 3}'}
        async with taking_part("one") as changed:
            assert changed is not first
        backend.fields = {}
        first._sender.is_over = True
        async with taking_part("one") as anew:
            assert anew is not first
    async with taking_part("other") as again:
        assert again is not other


@pytest.mark.parametrize(("attempts", "failed_polls"), [(2, 1), (3, 0)])
@on_a_loop
async def test_the_polls_keep_to_the_connections_attempts_and_sockets(
    *,
    vendor: Vendor,
    backend: Backend,
    log_lines: Callable[[], list[tuple[str, str]]],
    attempts: int,
    failed_polls: int,
) -> None:
    backend.fields = {"extra": f'{{"max_attempts": {attempts}, "max_connections": 3}}'}
    vendor.failures, vendor.status = [DOWN] * 2, D
    await fire(campaign_trigger(tag="spring", poke_interval=30))

    assert [level for level, _ in log_lines()].count("warning") == failed_polls
    await fire(*(campaign_trigger(tag=f"tag{number}") for number in range(10)))
    assert vendor.most_in_flight == 3


@on_a_loop
async def test_a_wait_polls_first_when_it_is_due_and_at_once_if_that_has_passed(
    vendor: Vendor, backend: Backend
) -> None:
    await asyncio.sleep(7_200)
    for first_in in (300, -3_600):
        began = seconds()
        trigger = campaign_trigger(tag="spring", first_in=first_in, timeout=1_000, poke_interval=6_000)
        assert (await fire(trigger))[0]["verdict"] == "timed_out"
        assert vendor.sent_at[-2] - began == pytest.approx(max(first_in, 0) + 0.05)


@pytest.mark.parametrize(("failures", "verdict", "begun"), [(3, "done", 4), (999, "timed_out", 6)])
@on_a_loop
async def test_authorities_that_cannot_be_used_for_now_are_a_failed_poll(  # noqa: PLR0917 - fixtures
    vendor: Vendor,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    failures: int,
    verdict: str,
    begun: int,
    log_lines: Callable[[], list[tuple[str, str]]],
) -> None:
    opened: list[tuple[float, str, str]] = []

    async def open_client(settings: Any, conn_id: str) -> Any:
        opened.append((seconds(), settings.api_key, conn_id))
        backend.key = "new"
        if len(opened) <= failures:
            raise ValueError("no authorities")
        return await vendor.open(settings, conn_id)

    monkeypatch.setattr(registry, "open_async_client", open_client)
    vendor.status = D

    (event,) = await fire(campaign_trigger(messages=[[*map(str, ref(1))]], poke_interval=60, timeout=290))

    assert event["verdict"] == verdict
    # At the pace of its polls, and each time with what the connection says by then.
    assert [round((at - opened[0][0]) / 58) for at, *_ in opened] == [*range(begun)]
    assert [key for _, key, _ in opened] == ["key", *["new"] * (begun - 1)]
    assert {conn_id for *_, conn_id in opened} == {"smspartner_default"}
    told = [line for _, line in log_lines() if "cannot be asked for now: no authorities" in line]
    assert len(told) == min(failures, begun)
