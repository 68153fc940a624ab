"""Which requests a fault concerns, and whether the vendor acts on them; tests/faults plays each one to its readers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from testing.client import Client, Run

from airflow_provider_smspartner.testing import Fault

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()


def test_the_page_names_every_fault_as_it_can_be_made() -> None:
    calls = re.findall(r"^\| `(Fault\.\w.*?)` \|", PAGE, re.MULTILINE)
    made = {name for name, member in vars(Fault).items() if isinstance(member, staticmethod)}

    assert {re.split(r"[.(]", call)[1] for call in calls} == made
    for call in calls:
        assert isinstance(eval(call, {"Fault": Fault}), Fault), call  # noqa: S307 - a page of ours


def test_rows_that_move_on(run: Run) -> None:
    client = run(page_size=2)
    client.double.add_campaign("spring", size=5)
    client.double.misbehave(Fault.sent_meanwhile(), times=2)

    first, second = client.by_tag("spring"), client.by_tag("spring", page=2)

    assert first["StatutResponse_List"][1] == second["StatutResponse_List"][0]
    assert (first["total"], second["total"]) == (5, 6)


def test_times_and_order(client: Client) -> None:
    client.double.misbehave(Fault.status(500), times=2)
    client.double.misbehave(Fault.status(502))
    assert [client.me().status_code for _ in range(4)] == [500, 500, 502, 200]
    # For ever, until cleared.
    client.double.misbehave(Fault.status(500), times=None)
    assert {client.me().status_code for _ in range(5)} == {500}
    client.double.clear_faults()
    assert client.me().status_code == 200


def test_only_one_endpoint(client: Client) -> None:
    for path in ("/v1/me", "/me", "me"):
        client.double.misbehave(Fault.status(500), path=path)
        assert client.by_tag("spring")["code"] == 4
        assert client.me().status_code == 500


def test_impossible_faults(client: Client) -> None:
    with pytest.raises(ValueError, match="no endpoint"):
        client.double.misbehave(Fault.reset(), path="/v1/sent")
    with pytest.raises(ValueError, match="makes no sense"):
        client.double.misbehave(Fault.ignore_page(), path="/v1/me")
    with pytest.raises(ValueError, match="times"):
        client.double.misbehave(Fault.reset(), times=0)
    with pytest.raises(ValueError, match="not read"):
        Fault.reset_unread().after_processing()
    with pytest.raises(ValueError, match="shape"):
        Fault.error(4, shape=6)


NUMBER = "+33639980001"


@pytest.mark.parametrize(
    "fault", [lambda: Fault.status(502), Fault.fake_success], ids=["status", "fake success"]
)
def test_an_answer_instead_of_the_vendors(client: Client, fault: Callable[[], Fault]) -> None:
    client.double.misbehave(fault())
    before = client.send_to(NUMBER)
    assert client.double.sent == []
    client.double.misbehave(fault().after_processing())
    after = client.send_to(NUMBER)
    assert (after.status_code, after.content) == (before.status_code, before.content)
    assert len(client.double.sent) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault.reset,
        Fault.reset_in_body,
        lambda: Fault.hang(0.05),
        Fault.truncated,
        lambda: Fault.raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    ],
    ids=["reset", "reset in body", "hang", "truncated", "raw"],
)
def test_an_answer_that_is_lost(client: Client, fault: Callable[[], Fault]) -> None:
    client.double.misbehave(fault())
    with pytest.raises(requests.RequestException):
        client.send_to(NUMBER)
    assert client.double.sent == []
    client.double.misbehave(fault().after_processing())
    with pytest.raises(requests.RequestException):
        client.send_to(NUMBER)
    assert len(client.double.sent) == 1


def test_the_vendor_acts_once(run: Run) -> None:
    # Faults that alter the vendor's answer have it process the request, too.
    client = run(page_size=2)
    client.double.misbehave(Fault.headers({"X-Served-By": "double"}).after_processing())
    response = client.send_to(NUMBER)
    assert (response.json()["nbSMS"], response.headers["X-Served-By"]) == (1, "double")
    assert len(client.double.sent) == 1
    # Those that alter the request still do.
    client.double.add_campaign("spring", size=4)
    client.double.misbehave(Fault.ignore_page().after_processing())
    assert client.by_tag("spring", page=2)["currentPage"] == 1
