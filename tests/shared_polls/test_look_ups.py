"""When an Airflow connection is looked up, and what its waits are told."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from itertools import pairwise
from typing import Any

import pytest
from shared_polls.vendor import Backend, on_a_loop, seconds

from airflow_provider_smspartner._shared_polls import connections
from airflow_provider_smspartner._shared_polls.connections import Connection, connection_in_use
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError

task_of_the_log: ContextVar[str] = ContextVar("task_of_the_log", default="none")


async def lost(backend: Backend, connection: Connection) -> None:
    """Let a connection be lost, and a look-up find that out."""
    backend.key = None
    with pytest.raises(SMSPartnerUnavailableError):
        await connection.look_up()


def pauses(backend: Backend) -> list[float]:
    """Return the seconds between one look-up and the next."""
    return [later - earlier for earlier, later in pairwise(backend.asked_at)]


class TestLookUp:
    @on_a_loop
    async def test_says_what_the_connection_says(self, backend: Backend) -> None:
        connection = Connection("one")
        before = connection.said

        settings = await connection.look_up()

        assert before is None
        assert settings.api_key == "key"
        assert connection.said is settings
        assert (connection.conn_id, backend.asked) == ("one", ["one"])
        backend.key = "other"
        assert (await connection.look_up()).api_key == "other"

    @on_a_loop
    async def test_is_made_once_for_all_that_ask_meanwhile(self, backend: Backend) -> None:
        backend.seconds = 2.0
        connection = Connection("one")
        first, *others = [asyncio.ensure_future(connection.look_up()) for _ in range(5)]
        await asyncio.sleep(1)
        first.cancel()

        assert {settings.api_key for settings in await asyncio.gather(*others)} == {"key"}
        assert backend.asked == ["one"]

    @on_a_loop
    async def test_is_made_in_the_context_of_no_wait(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def watched(conn_id: str) -> Any:
            seen.append(task_of_the_log.get())
            return await backend.get(conn_id)

        seen: list[str] = []
        monkeypatch.setattr(connections, "get_async_connection", watched)
        task_of_the_log.set("a task's")

        await Connection("one").look_up()

        assert seen == ["none"]

    @on_a_loop
    async def test_that_has_failed_is_repeated_after_a_pause_and_not_before(self, backend: Backend) -> None:
        backend.key = None
        connection, errors = Connection("one"), []
        for _ in range(3):
            with pytest.raises(SMSPartnerUnavailableError) as caught:
                await connection.look_up()
            errors.append(caught.value)

        assert {str(error) for error in errors} == {
            "The Airflow connection 'one' cannot be used for now: it could not be looked up (RuntimeError)."
        }
        assert len({id(error) for error in errors}) == 3
        assert errors[0].__cause__ is None
        assert len(backend.asked) == 1
        await asyncio.sleep(1)
        backend.key = "key"
        assert (await connection.look_up()).api_key == "key"

    @on_a_loop
    async def test_that_hangs_is_given_up(self, backend: Backend) -> None:
        backend.seconds = 100.0

        with pytest.raises(SMSPartnerUnavailableError, match=r"could not be looked up \(TimeoutError\)"):
            await Connection("one").look_up()
        assert seconds() == 30


class TestFoundBy:
    @on_a_loop
    async def test_it_is_looked_for_until_it_is_there_at_pauses_that_double_up_to_a_minute(
        self, backend: Backend
    ) -> None:
        connection = Connection("one")
        for key in ("key", "new"):  # once more, if it is lost again
            await lost(backend, connection)
            began = len(backend.asked) - 1
            waiting = [asyncio.ensure_future(connection.found_by(seconds() + 3_600)) for _ in range(3)]
            await asyncio.sleep(1_000)
            assert not any(each.done() for each in waiting)
            backend.key = key

            found = await asyncio.gather(*waiting)

            found.append(await connection.found_by(seconds() + 3_600))  # at once
            assert [settings.api_key if settings else None for settings in found] == [key] * 4
            for number, pause in enumerate(pauses(backend)[began:]):
                assert min(2.0**number, 60.0) / 2 <= pause <= min(2.0**number, 60.0)
            asked = len(backend.asked)
            await asyncio.sleep(1_000)
            assert len(backend.asked) == asked  # nobody hopes any more

    @on_a_loop
    async def test_it_takes_no_longer_than_allowed(self, backend: Backend) -> None:
        connection = Connection("one")
        await connection.look_up()
        await lost(backend, connection)

        assert await connection.found_by(100.0) is None
        assert seconds() == 100
        await asyncio.sleep(60)
        asked = len(backend.asked)
        await asyncio.sleep(1_000)
        assert len(backend.asked) == asked

    @on_a_loop
    async def test_closing_ends_the_search(self, backend: Backend) -> None:
        connection = Connection("one")
        await lost(backend, connection)
        waiting = asyncio.ensure_future(connection.found_by(100.0))
        await asyncio.sleep(10)
        await connection.close()
        asked = len(backend.asked)

        assert await waiting is None
        assert len(backend.asked) == asked


class TestSaysNow:
    @on_a_loop
    async def test_what_was_looked_up_after_the_call_is_not_looked_up_again(self, backend: Backend) -> None:
        connection = Connection("one")
        await asyncio.sleep(1)
        used = await connection.look_up()

        assert await connection.says_now(used, sent_at=0, must_know=True) is used
        assert len(backend.asked) == 1

    @on_a_loop
    async def test_a_change_is_seen(self, backend: Backend) -> None:
        connection = Connection("one")
        used = await connection.look_up()
        backend.key = "new"

        assert (await connection.says_now(used, sent_at=seconds(), must_know=False)).api_key == "new"
        # Whoever was sent with the old settings learns it without a look-up.
        assert (await connection.says_now(used, sent_at=seconds(), must_know=True)).api_key == "new"
        assert len(backend.asked) == 2
        # As does who asks before any look-up.
        assert (await Connection("one").says_now(used, sent_at=0, must_know=False)).api_key == "new"

    @on_a_loop
    async def test_a_connection_that_cannot_be_found_now_is_an_error_only_if_it_must_be_known(
        self, backend: Backend
    ) -> None:
        connection = Connection("one")
        used = await connection.look_up()
        backend.key = None

        assert await connection.says_now(used, sent_at=seconds(), must_know=False) == used
        with pytest.raises(SMSPartnerUnavailableError, match="'one' cannot be used for now"):
            await connection.says_now(used, sent_at=seconds(), must_know=True)
        assert len(backend.asked) == 3

    @on_a_loop
    async def test_it_is_not_looked_up_so_soon_again_unless_it_must_be_known(self, backend: Backend) -> None:
        async def fail(*, must_know: bool) -> None:
            sent_at = seconds()
            await asyncio.sleep(0.1)
            assert await connection.says_now(used, sent_at=sent_at, must_know=must_know) == used

        await asyncio.sleep(3_600)
        connection = Connection("one")
        used = await connection.look_up()
        for _ in range(7):
            await fail(must_know=True)
            for _ in range(5):
                await fail(must_know=False)
        # Pauses double up to ten seconds.
        assert pauses(backend) == pytest.approx([0.1, 1, 2, 4, 8, 10, 10])

        # They are kept for a minute, and then forgotten.
        for quiet, pause in ((10 + 59, 10), (10 + 61, 1)):
            await asyncio.sleep(quiet)
            for _ in range(2):
                await fail(must_know=True)
            assert pauses(backend)[-1] == pytest.approx(pause)


@on_a_loop
async def test_all_waits_of_a_loop_use_one_connection_until_the_last_has_gone(backend: Backend) -> None:
    backend.seconds = 2.0
    async with connection_in_use("one") as first:
        async with connection_in_use("one") as same, connection_in_use("other") as other:
            assert (first is same, first is other) == (True, False)
            assert (first.conn_id, other.conn_id) == ("one", "other")
        waiting = asyncio.ensure_future(first.look_up())
        await asyncio.sleep(1)
    # Closed: nobody looks any more.
    with pytest.raises(SMSPartnerUnavailableError, match="given up"):
        await waiting
    async with connection_in_use("one") as again:
        assert again is not first
