"""The hook against the double: rows, arguments, partial results and the connection test."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hooks.asking import refuse_page, slow
from loopback import WAYS, Ask, Start, both_ways, connect, four_ways, get

from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerIncompleteError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
)
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.models import MessageRef
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble


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
        assert sorted(len(request.body["SMSStatut_List"]) for request in double.requests) == [
            100,
            500,
            500,
            500,
        ]

    def test_all_ways_give_the_same(self, double: SMSPartnerDouble) -> None:
        campaign = double.add_campaign("spring", size=600, settle_seconds=0)

        by_tag = [ask(SMSPartnerHook(), "status_by_tag", "spring") for ask in WAYS.values()]
        by_list = [ask(SMSPartnerHook(), "multi_status", campaign.messages) for ask in WAYS.values()]

        assert all(rows == by_tag[0] for rows in by_tag)
        assert all(rows == by_list[0] for rows in by_list)

    @four_ways
    def test_the_contracts_example(self, double: SMSPartnerDouble, ask: Ask) -> None:
        double.add_message("+33699999993", 111111, "Delivered")

        found, failed = ask(SMSPartnerHook(), "multi_status", [("0699999993", "111111"), ("0699999994", 2)])

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
        assert (failed["status"], failed["raw_status"], failed["code"]) == (
            "Not found",
            "Numéro introuvable",
            4,
        )

    @four_ways
    def test_an_unanswered_pair_shows(self, double: SMSPartnerDouble, ask: Ask) -> None:
        double.add_message("+33699999993", 1, "Delivered")
        double.misbehave(Fault.rows(lambda _: []))

        (row,) = ask(SMSPartnerHook(), "multi_status", [MessageRef("+33699999993", 1)])

        assert (row["status"], row["raw_status"], row["code"]) == ("Not found", None, None)

    @four_ways
    def test_repeats_are_asked_once(self, double: SMSPartnerDouble, ask: Ask) -> None:
        rows = ask(SMSPartnerHook(), "multi_status", [("0699999993", 1), ("+33699999993", "1")])

        assert len(rows) == len(double.requests[0].body["SMSStatut_List"]) == 1

    @four_ways
    def test_no_messages_need_no_request(self, double: SMSPartnerDouble, ask: Ask) -> None:
        assert ask(SMSPartnerHook(), "multi_status", []) == []
        assert double.requests == []

    @four_ways
    @pytest.mark.parametrize("answered", ["not_found", "empty"])
    def test_an_unknown_tag_either_way(self, start: Start, ask: Ask, answered: str) -> None:
        double = start(unknown_tag=answered)

        with pytest.raises(SMSPartnerNotFoundError):
            ask(SMSPartnerHook(), "status_by_tag", "nobody")
        assert len(double.requests) == 1

    @four_ways
    def test_results_stay_in_order_where_a_call_is_slow(self, double: SMSPartnerDouble, ask: Ask) -> None:
        campaign = double.add_campaign("spring", size=2000, settle_seconds=0)
        double.misbehave(slow(0.3))

        rows = ask(SMSPartnerHook(), "multi_status", campaign.messages)

        assert [row["message_id"] for row in rows] == [each["message_id"] for each in campaign.messages]

    @both_ways
    def test_another_connection(
        self, double: SMSPartnerDouble, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", double.connection_json())
        monkeypatch.delenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT")
        double.add_campaign("spring", size=1, settle_seconds=0)

        assert len(ask(SMSPartnerHook("other"), "status_by_tag", "spring")) == 1
        assert len(ask(SMSPartnerHook(smspartner_conn_id="other"), "status_by_tag", "spring")) == 1


class TestArguments:
    @four_ways
    @pytest.mark.parametrize("tag", ["", "a" * 21, "two words", "line\nbreak", None, 5])
    def test_a_bad_tag_is_refused_before_anything_is_sent(
        self, double: SMSPartnerDouble, ask: Ask, tag: object
    ) -> None:
        with pytest.raises(ValueError, match="tag must"):
            ask(SMSPartnerHook(), "status_by_tag", tag)
        assert double.requests == []

    @pytest.mark.parametrize("tag", ["a", "a" * 20, "é-_.1"])
    @both_ways
    def test_a_good_tag_is_sent_as_it_is(self, double: SMSPartnerDouble, ask: Ask, tag: str) -> None:
        double.add_campaign(tag, size=1)

        assert len(ask(SMSPartnerHook(), "status_by_tag", tag)) == 1
        assert double.requests[0].query["tag"] == tag

    @four_ways
    @pytest.mark.parametrize(
        "messages",
        [
            [*[("+33639980000", number) for number in range(1, 700)], ("+33639980000", None)],
            [{"phone_number": "+33639980000"}],
            [("not a number", 1)],
            "+33639980000",
            {"phone_number": "+33639980000", "message_id": 1},
            None,
        ],
        ids=["late", "no id", "no number", "text", "mapping", "none"],
    )
    def test_bad_messages_are_refused_before_anything_is_sent(
        self, double: SMSPartnerDouble, ask: Ask, messages: object
    ) -> None:
        with pytest.raises(ValueError, match="messages") as caught:
            ask(SMSPartnerHook(), "multi_status", messages)
        assert double.requests == []
        assert "39980000" not in str(caught.value)

    @four_ways
    def test_a_bad_message_of_an_iterator_names_its_position(
        self, double: SMSPartnerDouble, ask: Ask
    ) -> None:
        def messages() -> Iterator[object]:
            yield from (("+33639980000", number) for number in range(700))
            yield "nonsense"

        with pytest.raises(ValueError, match=r"messages\[700\]"):
            ask(SMSPartnerHook(), "multi_status", messages())

    def test_the_plain_iterators_check_at_once(self) -> None:
        hook = SMSPartnerHook()
        with pytest.raises(ValueError, match="tag must"):
            hook.iter_status_by_tag("")
        with pytest.raises(ValueError, match="messages"):
            hook.iter_multi_status([None])

    @pytest.mark.parametrize("ask", [get, WAYS["aiter"]])
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
    def test_rows_read_before_an_error_are_counted(self, double: SMSPartnerDouble, ask: Ask) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        refuse_page(double, 3)

        with pytest.raises(SMSPartnerCredentialsError) as caught:
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert caught.value.__notes__ == ["100 rows had been read before this error; they are not returned."]

    @both_ways
    def test_rows_of_a_list(self, start: Start, ask: Ask) -> None:
        double = start({"max_connections": 1})
        double.misbehave(slow(0))
        double.misbehave(Fault.error(10), times=None)
        messages = [("+33639980000", number) for number in range(1, 1100)]

        with pytest.raises(SMSPartnerCredentialsError) as caught:
            ask(SMSPartnerHook(), "multi_status", messages)
        assert caught.value.__notes__ == ["500 rows had been read before this error; they are not returned."]

    @both_ways
    def test_a_short_paging_is_an_error(self, double: SMSPartnerDouble, ask: Ask) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        double.misbehave(Fault.ignore_page(), times=None)

        with pytest.raises(SMSPartnerIncompleteError) as caught:
            ask(SMSPartnerHook(), "status_by_tag", "spring")
        assert (caught.value.expected, caught.value.received) == (120, 50)
        assert len(caught.value.__notes__) == 1

    def test_rows_before_an_error_are_given_lazily(self, double: SMSPartnerDouble) -> None:
        double.add_campaign("spring", size=120, settle_seconds=0)
        refuse_page(double, 2)
        with SMSPartnerHook() as hook:
            rows = hook.iter_status_by_tag("spring")
            assert len([next(rows) for _ in range(50)]) == 50
            with pytest.raises(SMSPartnerCredentialsError):
                next(rows)


class TestTestConnection:
    def test_a_right_key_says_balance_and_credits(self, double: SMSPartnerDouble) -> None:
        hook = SMSPartnerHook()
        assert hook.test_connection() == (
            True,
            "SMS Partner accepts the API key: balance 10225.119 EUR, 269082 SMS credits.",
        )
        assert [request.path for request in double.requests] == ["/v1/me"]

    @pytest.mark.parametrize("sandbox", [True, "true", False])
    def test_a_sandbox_is_named(
        self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch, sandbox: object
    ) -> None:
        connect(monkeypatch, double, sandbox=sandbox)
        note = " The connection is in the sandbox: what it sends is neither delivered nor charged."

        assert SMSPartnerHook().test_connection() == (
            True,
            "SMS Partner accepts the API key: balance 10225.119 EUR, 269082 SMS credits."
            + (note if sandbox else ""),
        )

    def test_it_leaves_the_hooks_session_open(self, double: SMSPartnerDouble) -> None:
        with SMSPartnerHook() as hook:
            session = hook.get_conn()
            hook.test_connection()
            assert hook.get_conn() is session

    def test_a_wrong_key(self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
        described = json.loads(double.connection_json()) | {"password": "wr%2Fong&key"}
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", json.dumps(described))

        ok, message = SMSPartnerHook().test_connection()

        assert not ok
        assert "the API key is wrong (code 10" in message
        assert "ong" not in message.replace("wrong", "")
        assert "incorrecte" not in message
        assert len(double.requests) == 1

    def test_no_key(self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
        described = json.loads(double.connection_json()) | {"password": ""}
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", json.dumps(described))

        ok, message = SMSPartnerHook().test_connection()

        assert not ok
        assert "no API key" in message
        assert double.requests == []

    def test_nobody_there(self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
        described = json.loads(double.connection_json(max_attempts=2)) | {"host": "http://127.0.0.1:1"}
        monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", json.dumps(described))

        ok, message = SMSPartnerHook().test_connection()

        assert not ok
        assert "could not be reached" in message
        assert "2 tries" in message

    def test_a_bad_setting(self, double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch) -> None:
        connect(monkeypatch, double, timeout="soon")

        ok, message = SMSPartnerHook().test_connection()

        assert not ok
        assert "timeout" in message
        assert "soon" not in message

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.fake_success(),
            Fault.html(),
            Fault.error(999, "secret words of the vendor"),
            Fault.error(10, "secret words of the vendor", shape=4),
            Fault.body(b'{"success":true,"code":200,"credits":["secret"]}'),
            Fault.body(b'{"success":true,"code":200,"credits":"secret"}'),
            Fault.status(500, body="secret"),
            Fault.redirect("http://127.0.0.1:1/secret"),
        ],
        ids=lambda fault: fault.name,
    )
    def test_any_other_answer_is_a_failure_without_the_vendors_words(
        self, double: SMSPartnerDouble, fault: Fault
    ) -> None:
        double.misbehave(fault, times=None)

        ok, message = SMSPartnerHook().test_connection()

        assert not ok
        assert message.startswith("SMS Partner ")
        assert "secret" not in message

    @pytest.mark.parametrize(
        ("credits_", "message"),
        [
            ({}, "SMS Partner accepts the API key."),
            ({"creditSms": 5}, "SMS Partner accepts the API key: 5 SMS credits."),
            ({"balance": 3.5}, "SMS Partner accepts the API key: balance 3.5."),
            (
                {"balance": "<b>secret</b>", "currency": "secret", "creditSms": "secret", "secret": 1},
                "SMS Partner accepts the API key.",
            ),
            (
                {"balance": {"secret": 1}, "currency": ["EUR"], "creditSms": None},
                "SMS Partner accepts the API key.",
            ),
        ],
    )
    def test_only_plain_figures_are_shown(
        self, double: SMSPartnerDouble, credits_: dict[str, Any], message: str
    ) -> None:
        body = {"success": True, "code": 200, "message": "secret", "credits": credits_}
        double.misbehave(Fault.body(json.dumps(body).encode()))

        assert SMSPartnerHook().test_connection() == (True, message)


@both_ways
def test_a_refused_request_is_asked_once(double: SMSPartnerDouble, ask: Ask) -> None:
    double.misbehave(Fault.error(50), times=None)

    with pytest.raises(SMSPartnerRequestError):
        ask(SMSPartnerHook(), "multi_status", [("+33639980000", 1)])
    assert len(double.requests) == 1


def test_the_asynchronous_half_looks_the_connection_up_asynchronously(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.add_campaign("spring", size=1)
    loop_thread = threading.get_ident()
    looked_up = SMSPartnerHook.get_connection

    def get_connection(conn_id: str) -> Any:
        assert threading.get_ident() != loop_thread, "a synchronous look-up on the event loop"
        return looked_up(conn_id)

    monkeypatch.setattr(SMSPartnerHook, "get_connection", staticmethod(get_connection))

    async def main() -> None:
        assert len(await SMSPartnerHook().aget_status_by_tag("spring")) == 1

    asyncio.run(main())
