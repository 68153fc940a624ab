"""The hook against the double: rows, arguments, partial results, the connection test, cancelling and the stop list."""

from __future__ import annotations

import itertools
import json
import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from combinations import in_turn
from hooks.asking import refuse_page
from loopback import WAYS, Ask, Start, both_ways, connect, four_ways

from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.models import MessageRef
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

PHONE_NUMBER = "+33639980000"


class TestRows:
    @four_ways
    def test_by_tag_over_several_pages(self, double: SMSPartnerDouble, ask: Ask) -> None:
        campaign = double.add_campaign("spring", size=120, settle_seconds=0)

        rows = ask(SMSPartnerHook(), "status_by_tag", "spring")

        assert [row["phone_number"] for row in rows] == [each["phone_number"] for each in campaign.messages]
        assert {row["status"] for row in rows} == {"Delivered", "Not delivered"}
        assert all(row["message_id"] is row["is_spam"] is row["code"] is None for row in rows)
        assert json.loads(json.dumps(rows)) == rows
        assert sorted(int(request.query.get("page", 1)) for request in double.requests) == [1, 2, 3]

    @four_ways
    def test_by_list_over_several_calls(self, double: SMSPartnerDouble, ask: Ask) -> None:
        campaign = double.add_campaign("spring", size=1600, settle_seconds=0)
        messages = campaign.messages[::-1]

        rows = ask(SMSPartnerHook(), "multi_status", messages)

        assert [(row["phone_number"], row["message_id"]) for row in rows] == [
            (each["phone_number"], each["message_id"]) for each in messages
        ]
        assert {row["status"] for row in rows} == {"Delivered", "Not delivered"}
        assert json.loads(json.dumps(rows)) == rows
        sizes = sorted(len(request.body["SMSStatut_List"]) for request in double.requests)
        assert sizes == [100, 500, 500, 500]

    @both_ways
    def test_the_contracts_example(self, double: SMSPartnerDouble, ask: Ask) -> None:
        double.add_message("+33699999993", 111111, "Delivered")
        # A message that is named twice is asked for once.
        messages = [("0699999993", "111111"), ("0699999994", 2), MessageRef("+33699999993", 111111)]

        found, failed = ask(SMSPartnerHook(), "multi_status", messages)

        date = found.pop("date")
        assert date.endswith("+00:00")
        assert found == {
            "phone_number": "+33699999993",
            "message_id": "111111",
            "status": "Delivered",
            "raw_status": "Delivered",
            "stop_sms": False,
            "is_spam": False,
            "code": 200,
        }
        shown = failed["status"], failed["raw_status"], failed["code"]
        assert shown == ("Not found", "Numéro introuvable", 4)
        assert len(double.requests[0].body["SMSStatut_List"]) == 2

    @both_ways
    def test_an_unanswered_pair_shows(self, double: SMSPartnerDouble, ask: Ask) -> None:
        double.add_message("+33699999993", 1, "Delivered")
        double.misbehave(Fault.rows(lambda _: []))

        (row,) = ask(SMSPartnerHook(), "multi_status", [MessageRef("+33699999993", 1)])

        assert (row["status"], row["raw_status"], row["code"]) == ("Not found", None, None)

    @in_turn(ask=WAYS, answered=["not_found", "empty"])
    def test_an_unknown_tag_either_way(self, start: Start, ask: Ask, answered: str) -> None:
        double = start(unknown_tag=answered)

        with pytest.raises(SMSPartnerNotFoundError):
            ask(SMSPartnerHook(), "status_by_tag", "nobody")
        assert len(double.requests) == 1

    def test_the_asynchronous_half_looks_the_connection_up_asynchronously(
        self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        double.add_campaign("spring", size=1)
        loop_thread = threading.get_ident()
        looked_up = SMSPartnerHook.get_connection

        def get_connection(conn_id: str) -> Any:
            assert threading.get_ident() != loop_thread, "a synchronous look-up on the event loop"
            return looked_up(conn_id)

        monkeypatch.setattr(SMSPartnerHook, "get_connection", staticmethod(get_connection))

        assert len(WAYS["aget"](SMSPartnerHook(), "status_by_tag", "spring")) == 1


class TestArguments:
    @both_ways
    def test_a_good_tag_is_sent_as_it_is(self, double: SMSPartnerDouble, ask: Ask) -> None:
        tag = "é-_.1" * 4
        double.add_campaign(tag, size=1)

        assert len(ask(SMSPartnerHook(), "status_by_tag", tag)) == 1
        assert double.requests[0].query["tag"] == tag

    def test_the_plain_iterators_check_at_once(self) -> None:
        hook = SMSPartnerHook()
        with pytest.raises(ValueError, match="tag must"):
            hook.iter_status_by_tag("")
        with pytest.raises(ValueError, match="messages"):
            hook.iter_multi_status([None])

    @both_ways
    def test_upper_case_is_warned_about_once(
        self,
        double: SMSPartnerDouble,
        ask: Ask,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # Airflow 3.3 prints what a hook logs, past the standard library's logging.
        monkeypatch.setattr(SMSPartnerHook, "log", logging.getLogger("hook"))
        double.add_campaign("Spring", size=1)
        double.add_campaign("spring", size=1)
        hook = SMSPartnerHook()
        for tag in ("Spring", "Spring", "spring"):
            ask(hook, "status_by_tag", tag)

        assert [request.query["tag"] for request in double.requests] == ["Spring", "Spring", "spring"]
        assert len([record for record in caplog.records if "upper case" in record.getMessage()]) == 1


class TestPartialResults:
    @both_ways
    def test_a_short_paging_is_an_error(self, double: SMSPartnerDouble, ask: Ask) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        double.misbehave(Fault.ignore_page(), times=None)

        with pytest.raises(SMSPartnerIncompleteError) as caught:
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert (caught.value.expected, caught.value.received) == (120, 50)
        assert len(caught.value.__notes__) == 1

    @pytest.mark.parametrize("counted", [True, False])
    @both_ways
    def test_a_tag_that_changes_while_it_is_read_is_read_anew_a_few_times(
        self, double: SMSPartnerDouble, ask: Ask, counted: bool
    ) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        # Read ahead, the second and the third page are asked for together.
        double.misbehave(Fault.sent_meanwhile(counted=counted), times=3)
        rows = ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert len({row["phone_number"] for row in rows}) == len(rows) == 120

        double.misbehave(Fault.sent_meanwhile(counted=counted), times=None)
        double.clear_requests()
        with pytest.raises(SMSPartnerIncompleteError, match="has changed while it was read"):
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert sum("page" not in request.query for request in double.requests) == 3

    def test_rows_that_were_given_out_are_not_taken_back(self, double: SMSPartnerDouble) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        double.misbehave(Fault.sent_meanwhile(), times=2)
        with SMSPartnerHook() as hook, pytest.raises(SMSPartnerIncompleteError):
            list(hook.iter_status_by_tag("spring"))
        assert len(double.requests) == 2

    def test_rows_before_an_error_are_given_lazily(self, double: SMSPartnerDouble) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        refuse_page(double, 2)
        with SMSPartnerHook() as hook:
            rows = hook.iter_status_by_tag("spring")
            assert len([next(rows) for _ in range(50)]) == 50
            with pytest.raises(SMSPartnerCredentialsError):
                next(rows)


class TestTestConnection:
    @pytest.mark.parametrize("sandbox", [True, False])
    def test_a_right_key_says_balance_and_credits(
        self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch, sandbox: bool
    ) -> None:
        connect(monkeypatch, double, sandbox=sandbox)
        note = " The connection is in the sandbox: what it sends is neither delivered nor charged."

        with SMSPartnerHook() as hook:
            session = hook.get_conn()
            assert hook.test_connection() == (
                True,
                "SMS Partner accepts the API key: balance 10225.119 EUR, 269082 SMS credits."
                + (note if sandbox else ""),
            )
            assert hook.get_conn() is session
        assert [request.path for request in double.requests] == ["/v1/me"]

    @pytest.mark.parametrize(
        ("connection", "says", "requests"),
        [
            ({"password": "wr%2Fong&key"}, ("the API key is wrong (code 10",), 1),
            ({"password": ""}, ("no API key",), 0),
            ({"host": "http://127.0.0.1:1", "extra": {"max_attempts": 2}}, ("not be reached", "2 tries"), 0),
            ({"extra": {"timeout": "soon"}}, ("timeout",), 0),
        ],
        ids=["wrong key", "no key", "nobody there", "bad setting"],
    )
    def test_a_connection_that_does_not_work(
        self,
        double: SMSPartnerDouble,
        monkeypatch: pytest.MonkeyPatch,
        connection: dict[str, object],
        says: tuple[str, ...],
        requests: int,
    ) -> None:
        described = json.loads(double.connection_json()) | connection
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", json.dumps(described))

        ok, message = SMSPartnerHook().test_connection()

        assert not ok
        assert all(part in message for part in says)
        assert not any(part in message.replace("wrong", "") for part in ("ong", "soon", "incorrecte"))
        assert len(double.requests) == requests

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({"password": 5_123_456}, "has a number for an API key: put it in quotes"),
            ({"password": "\ud8005ecret"}, ""),
            ({"host": 5_123_456}, "Host must be text"),
            ({"host": "h" * 64 + ".example"}, ""),
            ({"port": "5ecret"}, "Port must be from 1 to 65535"),
            ({"extra": {1: "5ecret", "timeout": object()}}, "'timeout' must be a number"),
            ({"conn_id": None, "extra": {"5ecret"}}, "extra must be a JSON object"),
            (ValueError("5ecret"), "that can be read and used (ValueError)"),
            ({"password": property(lambda _: 1 / 0)}, "that can be read and used (ZeroDivisionError)"),
            ("not there", "that can be read and used (AirflowNotFoundException)"),
        ],
        ids=itertools.count(),
    )
    def test_it_never_raises_whatever_the_connection_holds(
        self, monkeypatch: pytest.MonkeyPatch, fields: Any, says: str
    ) -> None:
        defaults = {
            "conn_id": "sms",
            "host": "127.0.0.1:1",
            "schema": None,
            "port": None,
            "password": "the-key",
        }

        def get_connection(_: str) -> Any:
            if isinstance(fields, Exception):
                raise fields
            # Some fields are read by a method, as Airflow 2 reads those that it decrypts.
            return type("Odd", (), {**defaults, "extra": '{"max_attempts": 1}', **fields})()

        monkeypatch.delenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", raising=False)
        if fields != "not there":
            monkeypatch.setattr(SMSPartnerHook, "get_connection", staticmethod(get_connection))

        ok, message = SMSPartnerHook().test_connection()

        assert not ok
        assert says in message
        assert not any(told in message for told in ("5ecret", "5123456", "the-key"))

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.fake_success(),
            Fault.error(10, "secret words of the vendor", shape=4),
            Fault.body(b'{"success":true,"code":200,"credits":["secret"]}'),
            Fault.status(500, body="secret"),
            Fault.redirect("http://127.0.0.1:1/secret"),
        ],
        ids=["fake success", "error", "odd credits", "HTTP 500", "redirect"],
    )
    def test_any_other_answer_is_a_failure_without_the_vendors_words(
        self, double: SMSPartnerDouble, fault: Fault
    ) -> None:
        double.misbehave(fault, times=None)

        ok, message = SMSPartnerHook().test_connection()

        assert not ok
        assert message.startswith("SMS Partner ")
        assert "secret" not in message


class TestCancel:
    def test_an_answer_that_was_lost_is_asked_for_again(self, double: SMSPartnerDouble) -> None:
        at = datetime.now(UTC) + timedelta(days=2)
        double.misbehave(Fault.reset().after_processing(), path="message-cancel")
        with SMSPartnerHook() as hook:
            (receipt,) = hook.send(["+33639980000"], "Bonjour", scheduled_at=at.isoformat())
            double.clear_requests()
            assert receipt.message_id is not None
            hook.cancel(receipt.message_id)

        # The first request has cancelled: the second answer says so.
        assert [sms.cancelled for sms in double.sent] == [True]
        asked = {"apiKey": double.api_key, "messageId": receipt.message_id}
        assert [(each.method, each.path, each.query) for each in double.requests] == [
            ("GET", "/v1/message-cancel", asked),
            ("GET", "/v1/message-cancel", asked),
        ]

    @pytest.mark.parametrize(
        ("fault", "error_type", "says", "requests"),
        [
            (Fault.error(4), SMSPartnerNotFoundError, r"\(code 4, HTTP 200\)", 1),
            (Fault.error(7), SMSPartnerRequestError, r"\(code 7, HTTP 200\)", 1),
            (Fault.fake_success(), SMSPartnerUnavailableError, "without saying that a message was", 3),
        ],
        ids=["unknown", "too late", "fake success"],
    )
    def test_what_is_not_cancelled(
        self, start: Start, fault: Fault, error_type: type[Exception], says: str, requests: int
    ) -> None:
        double = start({"max_attempts": 3})
        double.misbehave(fault, times=None)

        with SMSPartnerHook() as hook, pytest.raises(error_type, match=says):
            hook.cancel("307")
        assert len(double.requests) == requests

    @pytest.mark.parametrize("message_id", ["a b", PHONE_NUMBER, None, True, -1], ids=repr)
    def test_a_bad_id_is_refused_before_anything_is_sent(
        self, double: SMSPartnerDouble, message_id: Any
    ) -> None:
        with pytest.raises(ValueError, match="message_id must be") as caught:
            SMSPartnerHook().cancel(message_id)

        assert double.requests == []
        assert PHONE_NUMBER[1:] not in str(caught.value)


def test_a_stop_list_that_is_short_is_asked_for_again(double: SMSPartnerDouble) -> None:
    double.add_stop(PHONE_NUMBER)
    double.misbehave(Fault.body(b'{"success":true,"code":200,"nbData":1,"data":[]}'))
    with SMSPartnerHook() as hook:
        (row,) = hook.iter_stop_list()

    assert row["phone_number"] == PHONE_NUMBER
    assert str(row["created_at"]).endswith("+00:00")
    assert [(each.path, each.query) for each in double.requests] == [
        ("/v1/stop-sms/list", {"apiKey": double.api_key})
    ] * 2
