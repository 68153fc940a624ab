"""When an Airflow connection is looked up, and what its waits are told."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Connection as AirflowConnection
from shared_polls.vendor import on_a_loop

from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner._shared_polls import connections
from airflow_provider_smspartner._shared_polls.connections import Connection, connection_in_use
from airflow_provider_smspartner.exceptions import SMSPartnerUnavailableError

AHEAD = 1_000.0
task_of_the_log: ContextVar[str] = ContextVar("task_of_the_log", default="none")


@dataclass
class Backend:
    """
    A secrets backend.

    :param key: the API key of the connection, or None if it is not there.
    :param seconds: how long a look-up takes.
    """

    key: str | None = "key"
    seconds: float = 0.0
    asked: list[str] = field(default_factory=list)

    async def get(self, conn_id: str) -> Any:
        self.asked.append(conn_id)
        key = self.key
        await asyncio.sleep(self.seconds)
        if key is None:
            raise RuntimeError("vault token s3cr3t")
        return AirflowConnection(conn_id=conn_id, conn_type="smspartner", password=key)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    made = Backend()
    monkeypatch.setattr(connections, "get_async_connection", made.get)
    return made


def now() -> float:
    return asyncio.get_running_loop().time()


class TestLookUp:
    @on_a_loop
    async def test_says_what_the_connection_says(self, backend: Backend) -> None:
        connection = Connection("one")
        before = connection.said

        settings = await connection.look_up()

        assert before is None
        assert isinstance(settings, Settings)
        assert settings.api_key == "key"
        assert connection.said is settings
        assert (connection.conn_id, backend.asked) == ("one", ["one"])
        backend.key = "other"
        assert (await connection.look_up()).api_key == "other"

    @on_a_loop
    async def test_is_made_once_for_all_that_ask_meanwhile(self, backend: Backend) -> None:
        backend.seconds = 0.02
        connection = Connection("one")
        first, *others = [asyncio.ensure_future(connection.look_up()) for _ in range(5)]
        await asyncio.sleep(0.005)
        first.cancel()

        assert {settings.api_key for settings in await asyncio.gather(*others)} == {"key"}
        assert backend.asked == ["one"]

    @on_a_loop
    async def test_is_made_in_the_context_of_no_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Watched(Backend):
            async def get(self, conn_id: str) -> Any:
                seen.append(task_of_the_log.get())
                return await super().get(conn_id)

        seen: list[str] = []
        monkeypatch.setattr(connections, "get_async_connection", Watched().get)
        task_of_the_log.set("a task's")

        await Connection("one").look_up()

        assert (seen, task_of_the_log.get()) == (["none"], "a task's")

    @on_a_loop
    async def test_that_has_failed_a_moment_ago_is_not_repeated(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("_FIRST_PAUSE_SECONDS", "_MAX_PAUSE_SECONDS"):
            monkeypatch.setattr(connections, name, AHEAD)
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
        assert len(backend.asked) == 1
        assert errors[0].__cause__ is None

    @on_a_loop
    async def test_is_repeated_after_a_pause(self, backend: Backend) -> None:
        backend.key = None
        connection = Connection("one")
        for _ in range(2):
            with pytest.raises(SMSPartnerUnavailableError):
                await connection.look_up()
            await asyncio.sleep(0.15)
        backend.key = "key"

        assert (await connection.look_up()).api_key == "key"
        assert len(backend.asked) == 3

    @on_a_loop
    async def test_says_what_is_wrong_with_the_connection(self, backend: Backend) -> None:
        backend.key = ""

        with pytest.raises(
            SMSPartnerUnavailableError, match=r"'one' cannot be used for now: .*key"
        ) as caught:
            await Connection("one").look_up()
        assert str(caught.value).endswith(".")
        assert not str(caught.value).endswith("..")

    def test_that_hangs_is_given_up(self, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connections, "_LOOK_UP_SECONDS", 0.02)
        backend.seconds = 10.0

        @on_a_loop
        async def main() -> None:
            with pytest.raises(SMSPartnerUnavailableError, match=r"could not be looked up \(TimeoutError\)"):
                await Connection("one").look_up()

        main()

    @on_a_loop
    async def test_that_is_given_up_with_the_connection_ends_its_waits(self, backend: Backend) -> None:
        backend.seconds = 10.0
        connection = Connection("one")
        waiting = asyncio.ensure_future(connection.look_up())
        await asyncio.sleep(0.01)
        await connection.close()

        with pytest.raises(SMSPartnerUnavailableError, match=r"'one' cannot be used.*look-up was given up"):
            await waiting


class TestPauses:
    """Between the look-ups of a connection that cannot be found."""

    @pytest.fixture(autouse=True)
    def _as_shipped(self, monkeypatch: pytest.MonkeyPatch, short_pauses: None) -> None:
        monkeypatch.setattr(connections, "_FIRST_PAUSE_SECONDS", 1.0)
        monkeypatch.setattr(connections, "_MAX_PAUSE_SECONDS", 60.0)

    @on_a_loop
    async def test_double_each_time_up_to_a_minute(self, backend: Backend) -> None:
        backend.key = None
        connection = Connection("one")
        for number in range(40):
            connection._next_at = 0.0
            before = now()
            with pytest.raises(SMSPartnerUnavailableError):
                await connection.look_up()
            most = min(2.0**number, 60.0)
            assert connection._next_at - before >= 0.5 * most
            assert connection._next_at - now() <= most

    @on_a_loop
    async def test_begin_anew_once_it_was_found(self, backend: Backend) -> None:
        connection = Connection("one")
        for key, longest in ((None, 1.0), (None, 2.0), ("key", 2.0), (None, 1.0)):
            backend.key = key
            connection._next_at = 0.0
            await asyncio.gather(connection.look_up(), return_exceptions=True)
            assert connection._next_at - now() <= longest


class TestFoundBy:
    @on_a_loop
    async def test_a_connection_that_is_there_is_said_at_once(self, backend: Backend) -> None:
        connection = Connection("one")
        settings = await connection.look_up()

        assert await connection.found_by(now() + AHEAD) is settings
        assert len(backend.asked) == 1

    @on_a_loop
    async def test_it_is_looked_for_until_it_is_there(self, backend: Backend) -> None:
        backend.key = None
        connection = Connection("one")
        await asyncio.gather(connection.look_up(), return_exceptions=True)
        waiting = [asyncio.ensure_future(connection.found_by(now() + AHEAD)) for _ in range(3)]
        await asyncio.sleep(0.15)
        assert not any(each.done() for each in waiting)
        backend.key = "key"

        found = await asyncio.gather(*waiting)

        assert {settings.api_key for settings in found if settings} == {"key"}
        assert None not in found
        asked = len(backend.asked)
        await asyncio.sleep(0.3)
        assert len(backend.asked) == asked
        # And once more, if it is lost again.
        backend.key = None
        await asyncio.gather(connection.look_up(), return_exceptions=True)
        again = asyncio.ensure_future(connection.found_by(now() + AHEAD))
        backend.key = "new"
        assert (await again).api_key == "new"  # type: ignore[union-attr]

    @on_a_loop
    async def test_that_takes_no_longer_than_allowed(self, backend: Backend) -> None:
        connection = Connection("one")
        await connection.look_up()
        backend.key = None
        await asyncio.gather(connection.look_up(), return_exceptions=True)
        began = now()

        assert await connection.found_by(began + 0.1) is None
        assert now() - began >= 0.1
        await asyncio.sleep(0.3)
        asked = len(backend.asked)
        await asyncio.sleep(0.3)
        assert len(backend.asked) == asked  # nobody hopes any more

    @on_a_loop
    async def test_closing_ends_the_search(self, backend: Backend) -> None:
        backend.key = None
        connection = Connection("one")
        await asyncio.gather(connection.look_up(), return_exceptions=True)
        waiting = asyncio.ensure_future(connection.found_by(now() + 0.6))
        await asyncio.sleep(0.05)
        await connection.close()
        asked = len(backend.asked)

        assert await waiting is None
        assert len(backend.asked) <= asked


class TestSaysNow:
    @on_a_loop
    async def test_what_was_looked_up_after_the_call_is_not_looked_up_again(self, backend: Backend) -> None:
        connection = Connection("one")
        sent_at = now()
        await asyncio.sleep(0.01)
        used = await connection.look_up()

        assert await connection.says_now(used, sent_at=sent_at, must_know=True) is used
        assert len(backend.asked) == 1

    @on_a_loop
    async def test_a_change_is_seen(self, backend: Backend) -> None:
        connection = Connection("one")
        used = await connection.look_up()
        backend.key = "new"

        assert (await connection.says_now(used, sent_at=now(), must_know=False)).api_key == "new"
        # Whoever was sent with the old settings learns it without a look-up.
        assert (await connection.says_now(used, sent_at=now(), must_know=True)).api_key == "new"
        assert len(backend.asked) == 2

    @on_a_loop
    async def test_it_is_not_looked_up_so_soon_again_unless_it_must_be_known(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "_FIRST_RECHECK_SECONDS", AHEAD)
        connection = Connection("one")
        used = await connection.look_up()
        for _ in range(5):
            assert await connection.says_now(used, sent_at=now(), must_know=False) == used
        assert len(backend.asked) == 2
        assert connection._recheck_at - now() > 0.9 * AHEAD
        recheck_at = connection._recheck_at = now() + 0.05

        await connection.says_now(used, sent_at=now(), must_know=True)

        assert now() >= recheck_at
        assert len(backend.asked) == 3

    @on_a_loop
    async def test_a_connection_that_cannot_be_found_now_is_an_error_only_if_it_must_be_known(
        self, backend: Backend
    ) -> None:
        connection = Connection("one")
        used = await connection.look_up()
        backend.key = None

        assert await connection.says_now(used, sent_at=now(), must_know=False) == used
        with pytest.raises(SMSPartnerUnavailableError, match="'one' cannot be used for now"):
            await connection.says_now(used, sent_at=now(), must_know=True)
        assert len(backend.asked) == 3

    @on_a_loop
    async def test_before_any_look_up_it_is_looked_up(self, backend: Backend) -> None:
        used = await Connection("one").look_up()
        backend.key = "new"

        assert (await Connection("one").says_now(used, sent_at=now(), must_know=False)).api_key == "new"

    def test_pauses_double_up_to_ten_seconds_and_are_forgotten_after_a_quiet_minute(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "_FIRST_RECHECK_SECONDS", 1.0)

        @on_a_loop
        async def main() -> None:
            connection = Connection("one")
            used = await connection.look_up()
            pauses: list[float] = []
            for quiet in (3600.0, 0.0, 1.0, 59.0, 0.0, 0.0, 61.0, 0.0):
                connection._recheck_at = now() - quiet
                await connection.says_now(used, sent_at=now(), must_know=False)
                pauses.append(round(connection._recheck_at - now()))
            assert pauses == [1, 2, 4, 8, 10, 10, 1, 2]

        main()


@on_a_loop
async def test_all_waits_of_a_loop_use_one_connection_until_the_last_has_gone(backend: Backend) -> None:
    backend.seconds = 0.02
    async with connection_in_use("one") as first:
        async with connection_in_use("one") as same, connection_in_use("other") as other:
            assert (first is same, first is other) == (True, False)
            assert (first.conn_id, other.conn_id) == ("one", "other")
        waiting = asyncio.ensure_future(first.look_up())
        await asyncio.sleep(0.005)
    # Closed: nobody looks any more.
    with pytest.raises(SMSPartnerUnavailableError, match="given up"):
        await waiting
    async with connection_in_use("one") as again:
        assert again is not first
