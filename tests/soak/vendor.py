"""
The vendor of a script, in the place of the HTTP client: its answers are bytes, which the package's protocol reads.

It stands where `AsyncClient` does, since sockets and virtual time do not go together; what is below is tested in
tests/http. Everything above is the package's own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from soak.script import PAGE_SIZE, WORDS, Group, Script
from virtual_time import VirtualLoop

from airflow_provider_smspartner._connection.settings import Settings
from airflow_provider_smspartner._http import policy
from airflow_provider_smspartner.protocol import Answer, Call

LATENCY = 0.08
FAULT_SHARE = 0.03
FAULTS = (
    *("refused connection", "reset", "time-out", "HTTP 503", "HTTP 429", "code 500"),
    *("fake success", "cut short", "slow", "slow"),
)
_encode = msgspec.json.encode


@dataclass
class Vendor:
    """The vendor of a script; it counts answers by connection, and calls that met a fault by what it was."""

    script: Script
    answered: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    open_clients: int = 0

    async def open_client(self, settings: Settings, conn_id: str) -> Client:
        """Open a client: what the package's own `open_async_client` does."""
        self.open_clients += 1
        return Client(self, settings, conn_id)

    @property
    def calls(self) -> int:
        """How many calls were made."""
        return self.answered.total() + self.faults.total()

    def body_of(self, call: Call[Any], now: float) -> bytes:
        """Return the answer of a vendor that is well."""
        if call.request.body is None:
            return self._tag_page(call.request.query["tag"], int(call.request.query.get("page", 1)), now)
        asked = call.request.body["SMSStatut_List"]
        ids = [pair["messageId"] for pair in asked]
        if not self.script.refused_messages.isdisjoint(ids):
            return b'{"success":false,"code":6}'
        rows = [
            row
            for pair, number in zip(asked, ids, strict=True)
            if (row := self._row(pair["phoneNumber"], number, now)) is not None
        ]
        return _encode({"success": True, "code": 200, "StatutResponse_List": rows})

    def _row(self, phone_number: str, number: int, now: float) -> dict[str, Any] | None:
        row = {"success": True, "code": 200, "phoneNumber": phone_number, "messageId": number}
        status = self.script.group_of[number].status_at(now)
        if status == "Not found":
            # The vendor leaves a message out, or says that it does not know it.
            return (
                None if number % 2 else {**row, "success": False, "code": 4, "status": "Numéro introuvable"}
            )
        return {**row, "status": WORDS.get(status, status), "date": "1772323200", "stopSms": "0"}

    def _tag_page(self, tag: str, page: int, now: float) -> bytes:
        campaign = self.script.campaigns[tag]
        statuses = [
            (number, status)
            for group in campaign.groups
            if (status := group.status_at(now)) != "Not found"
            for number in group.ids
        ]
        if not statuses and campaign.is_unknown_an_error:
            return b'{"success":false,"code":4}'
        shown = statuses[PAGE_SIZE * (page - 1) : PAGE_SIZE * page]
        rows = [
            {"phoneNumber": phone_of(number), "status": WORDS.get(status, status), "stopSMS": False}
            for number, status in shown
        ]
        answer = {"success": True, "code": 200, "currentPage": page, "total": len(statuses)}
        return _encode({**answer, "StatutResponse_List": rows})


def phone_of(number: int) -> str:
    """Return the phone number of a message."""
    return f"+336{number:08}"


def messages_of(groups: tuple[Group, ...]) -> list[list[str]]:
    """Return messages as a trigger's arguments have them."""
    return [[phone_of(number), str(number)] for group in groups for number in group.ids]


class Client:
    """Sends calls to the vendor of a script."""

    def __init__(self, vendor: Vendor, settings: Settings, conn_id: str) -> None:
        self._vendor = vendor
        self._settings = settings
        self._conn_id = conn_id

    async def close(self) -> None:
        """Note that there is one client less."""
        self._vendor.open_clients -= 1

    async def send_once(self, call: Call[Any]) -> Any:
        """Send a call, and read what the vendor answers to it or what becomes of it instead."""
        vendor, now = self._vendor, asyncio.get_running_loop().time()
        connection = vendor.script.connections[self._conn_id]
        outage = connection.outage_at(now)
        random = vendor.script.faults
        fault = None
        if outage is not None:
            fault = outage.fault
        elif random.random() < FAULT_SHARE:
            fault = random.choice(FAULTS)
        body = b'{"success":false,"code":10}' if now >= connection.refused_from else vendor.body_of(call, now)
        if fault is None:
            await asyncio.sleep(LATENCY)
            vendor.answered[self._conn_id] += 1
            return call.read(Answer(200, {}, body))
        vendor.faults[f"{fault} (outage)" if outage else fault] += 1
        return await self._meet(fault, call, body)

    async def _meet(self, fault: str, call: Call[Any], body: bytes) -> Any:
        random = self._vendor.script.faults
        match fault:
            case "refused connection":
                raise policy.no_answer(ConnectionRefusedError(), self._settings, surely_unsent=True)
            case "reset":
                # The vendor may well have answered: the answer is lost.
                await asyncio.sleep(LATENCY)
                lost = aiohttp.ServerDisconnectedError()
                raise policy.no_answer(lost, self._settings, surely_unsent=False)
            case "time-out":
                await asyncio.sleep(self._settings.timeout)
                raise policy.no_answer(TimeoutError(), self._settings, surely_unsent=False)
            case "slow":
                await asyncio.sleep(random.uniform(1, self._settings.timeout))
        await asyncio.sleep(LATENCY)
        answers = {
            "HTTP 503": Answer(503, {}, b"<html>Service Unavailable</html>"),
            "HTTP 429": Answer(429, {"Retry-After": str(random.choice((1, 5, 30, 120)))}, b""),
            "code 500": Answer(200, {}, b'{"success":false,"code":500}'),
            "fake success": Answer(200, {}, b'{"success":true,"code":200,"message":"Request queued"}'),
            "cut short": Answer(200, {}, body[:-1]),
            "slow": Answer(200, {}, body),
        }
        return call.read(answers[fault])


def running_loop() -> VirtualLoop:
    """Return the running event loop, which is a virtual one."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop
