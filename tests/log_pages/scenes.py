"""The scenes of docs/trouble.md, docs/operating.md and other pages: what happens before the log that a page shows."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

from certificates import issue
from harness import new_context
from log_pages.stage import Stage, next_try, numbers
from state_store import StateStore

from airflow_provider_smspartner._tasks import arguments
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

NEED_A_LEDGER = ("killed_during_a_call", "changed_recipients", "adopted")
"""What is met only where Airflow keeps what a task has sent."""


def scene_of(name: str) -> str:
    """Return the method that plays what a page names."""
    return re.sub(r"\W+", "_", name).lower()


def fetch_meeting(fault: Fault, *, times: int | None = None, **extra: Any) -> Callable[[Stage], None]:
    """Return a scene: a campaign is fetched, and the double misbehaves."""

    def play(stage: Stage) -> None:
        stage.connect(**extra)
        stage.campaign("Delivered", size=120)
        stage.double.misbehave(fault, times=times)
        stage.fetch()

    return play


class Scenes(Stage):
    """Each public method is a scene."""

    wrong_key = fetch_meeting(Fault.error(10))
    address_not_allowed = fetch_meeting(Fault.error(96))
    account_blocked = fetch_meeting(Fault.error(30))
    server_error = fetch_meeting(Fault.status(503), max_attempts=3)
    server_error_that_passes = fetch_meeting(Fault.status(503), times=1)
    page_instead_of_json = fetch_meeting(Fault.html(), max_attempts=1)
    success_without_data = fetch_meeting(Fault.fake_success(), max_attempts=1)
    redirect = fetch_meeting(Fault.redirect("https://example.com/"), max_attempts=1)
    silence = fetch_meeting(Fault.hang(60), max_attempts=1, timeout=0.3)
    pages_that_end = fetch_meeting(Fault.total(500))
    unknown_field = fetch_meeting(Fault.headers({}), time_out=20)
    fetched = fetch_meeting(Fault.headers({}))

    def no_key(self) -> None:
        self.connect_as("smspartner_default", '{"conn_type": "smspartner"}')
        self.fetch()

    def no_connection(self) -> None:
        self.fetch(smspartner_conn_id="smspartner_nowhere")

    def refused_status(self) -> None:
        self.double.misbehave(Fault.error(9))
        self.fetch_list([("+33639980000", "1001")])

    def legal_hours(self) -> None:
        self.double.misbehave(Fault.error(22, http_status=400))
        self.send()

    def sender_not_allowed(self) -> None:
        self.double.misbehave(Fault.error(992, http_status=400))
        self.send(sender="MyClinic")

    def nobody_left(self) -> None:
        self.double.add_stop("+33639980000")
        self.send(recipients=["+33639980000"])

    def unknown_tag(self) -> None:
        self.fetch()

    def unknown_tag_awaited(self) -> None:
        self.await_campaign(not_found_grace=timedelta(0))

    def unknown_messages_awaited(self) -> None:
        self.campaign("Delivered", size=2)
        self.await_campaign(tag=None, messages=_ONE_UNKNOWN, not_found_grace=timedelta(0))

    def unknown_messages_fetched(self) -> None:
        self.campaign("Delivered", size=2)
        self.fetch_list(_ONE_UNKNOWN)

    def nobody_listens(self) -> None:
        self.connect(max_attempts=1)
        with self.double.down():
            self.fetch()

    def unknown_authority(self) -> None:
        self._fetch_by_tls()

    def certificate_of_another_host(self) -> None:
        self._fetch_by_tls(host="192.0.2.1", bundle="")

    def bundle_that_is_not_there(self) -> None:
        self._fetch_by_tls(bundle="/etc/ssl/our-proxy.pem")

    def _fetch_by_tls(self, *, host: str = "127.0.0.1", bundle: str | None = None) -> None:
        certificate = issue(self.folder, host=host)
        if bundle is not None:
            self.monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle or str(certificate.authority))
        with SMSPartnerDouble(ssl_context=certificate.server) as double:
            self.connect_as("smspartner_default", double.connection_json(max_attempts=1))
            self.fetch()

    def proxy(self) -> None:
        # Port 9 discards what comes, where anybody listens at all.
        self.monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        connection = '{"conn_type": "smspartner", "password": "key", "extra": {"max_attempts": 1}}'
        self.connect_as("smspartner_default", connection)
        self.fetch()

    def rate(self) -> None:
        self.campaign("Delivered", size=8)
        for n in (8, 9):
            self.double.add_message(f"+3363998{n:04}", str(1001 + n), "Not delivered", tag="spring-sale")
        self.await_campaign(min_delivery_rate=0.9)

    def bad_number(self) -> None:
        self.send(recipients=["+33639980000", "+33639980001", "01 23"])

    def too_many_recipients(self) -> None:
        self.send(recipients=numbers(1_001))

    def too_many_rows(self) -> None:
        self.campaign("Delivered", size=120)
        self.fetch(max_xcom_rows=100)

    def wrong_header(self) -> None:
        self.send(recipients=str(self.place("people.csv", "Nom;Mobile\nAda;06 39 98 00 00\n")))

    def missing_file(self) -> None:
        self.fetch_list(f"{self.folder}/sent.csv")

    def no_credit(self) -> None:
        self.double.credit_sms = 600
        self.send(recipients=numbers(720))

    def lost_answer(self) -> None:
        self.double.misbehave(Fault.reset().after_processing())
        self.send()

    def lost_answer_to_the_second_call(self) -> None:
        self.double.misbehave(Fault.headers({}))
        self.double.misbehave(Fault.status(502).after_processing())
        self.send(recipients=numbers(720))

    def killed_during_a_call(self) -> None:
        store = StateStore()
        self.kill_at_next_request()
        self.send(context=next_try(store), recipients=numbers(720))
        # As if Airflow had killed the process before the second call was answered.
        self.begin_new_log()
        context = next_try(store, smspartner_send_call_1={"state": "under way"})
        self.send(context=context, recipients=numbers(720))

    def changed_recipients(self) -> None:
        store = StateStore()
        self.send(context=next_try(store))
        self.begin_new_log()
        self.send(context=next_try(store), recipients=numbers(4))

    def retry_before_airflow_3_3(self) -> None:
        context = new_context()
        context["ti"].try_number = 2
        self.send(context=context)

    def adopted(self) -> None:
        store = StateStore()
        self.kill_at_next_request()
        self.send(context=next_try(store), recipients=numbers(720))
        self.begin_new_log()
        self.send(context=next_try(store), recipients=numbers(720))

    def timed_out(self) -> None:
        self.campaign("Delivered", size=2)
        self.double.add_message("+33639980002", "1003", "Waiting", tag="spring-sale")
        self.await_campaign(timeout=0)

    def terminated(self) -> None:
        self.campaign("Delivered", size=120)
        self.kill_at_next_request()
        self.fetch()

    def terminated_while_sending(self) -> None:
        self.kill_at_next_request()
        self.send(recipients=numbers(720))

    def wait(self) -> None:
        self.double.add_message("+33639980000", "1001", "Waiting", "Delivered", tag="spring-sale")
        self.double.add_message("+33639980001", "1002", "Waiting", "Waiting", "Delivered", tag="spring-sale")
        self.await_deferred()

    def wait_for_a_list(self) -> None:
        self.campaign("Waiting", "Delivered", size=3)
        messages = [(number, str(1001 + n)) for n, number in enumerate(numbers(3))]
        self.await_deferred(tag=None, messages=messages)

    def wait_for_a_large_campaign(self) -> None:
        for n, number in enumerate(numbers(1_000)):
            # Only the first page is asked for again while it has Waiting.
            waiting = ["Waiting", "Waiting"] if n < 50 else ["Waiting"]
            ending = "Not delivered" if n >= 950 else "Delivered"
            self.double.add_message(number, str(1001 + n), *waiting, ending, tag="spring-sale")
        self.await_deferred()

    def wait_with_failed_polls(self) -> None:
        self.connect(max_attempts=1)
        self.campaign("Waiting", "Delivered")
        self.double.misbehave(Fault.status(503), times=2)
        self.await_campaign()

    def wait_for_a_tag_that_is_not_known_yet(self) -> None:
        self.double.misbehave(Fault.error(4))
        self.campaign("Delivered")
        self.await_campaign()

    def sent(self) -> None:
        self.send(recipients=numbers(720))

    def sent_in_the_sandbox(self) -> None:
        self.connect(sandbox=True)
        self.send()

    def some_refused(self) -> None:
        self.double.refuse("+33639980000", 13)
        self.double.add_stop("+33639980001")
        self.send(recipients=[(number, "Hello") for number in numbers(3)], message=None)

    def fewer_sms(self) -> None:
        self.double.misbehave(Fault.body(b'{"success":true,"code":200,"message_id":10000001,"nbSMS":2}'))
        self.send()

    def named_again(self) -> None:
        self.send(recipients=[("+33639980000", "Hello"), ("06 39 98 00 00", "Good bye")], message=None)

    def other_characters(self) -> None:
        self.send(message="C'est prêt 🎉")

    def hour_that_comes_twice(self) -> None:
        self.send(scheduled_at="2099-10-25T02:30:00+01:00")

    def cut(self) -> None:
        self.notify("The task has failed. " * 100)

    def unknown_status(self) -> None:
        self.campaign("Lost on the way")
        self.fetch()

    def upper_case(self) -> None:
        self.double.add_message("+33639980000", "1001", "Delivered", tag="Spring")
        self.fetch(tag="Spring")

    def short_interval(self) -> None:
        self.monkeypatch.setattr(arguments, "_airflow_version", lambda: (3, 3))
        self.campaign("Delivered")
        self.await_deferred(poke_interval=2)

    def weak_key(self) -> None:
        self.connect_as("pseudonyms", '{"conn_type": "generic", "password": "short"}')
        self.campaign("Delivered")
        self.fetch(phone_numbers="hmac", pseudonym_conn_id="pseudonyms")

    def stop_list(self) -> None:
        self.double.add_stop("+33639980000")
        self.fetch_stop_list()

    def loaded(self) -> None:
        self.connect_as("warehouse", f'{{"conn_type": "sqlite", "host": "{self.folder}/warehouse.db"}}')
        self.campaign("Waiting", "Delivered", size=3)
        self.load()
        self.load()

    def loaded_without_a_campaign(self) -> None:
        self.connect_as("warehouse", f'{{"conn_type": "sqlite", "host": "{self.folder}/warehouse.db"}}')
        self.load(allow_empty=True)

    def table_that_does_not_fit(self) -> None:
        database = self.folder / "warehouse.db"
        self.connect_as("warehouse", f'{{"conn_type": "sqlite", "host": "{database}"}}')
        self.campaign("Delivered")
        self.load(table="statuses")
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("ALTER TABLE statuses DROP COLUMN code")
        self.begin_new_log()
        self.load(table="statuses")

    def left_behind(self) -> None:
        part = self.place(".rows.ndjson.0123456789ab.part")
        os.utime(part, (day_ago := time.time() - 90_000, day_ago))
        self.campaign("Delivered")
        self.fetch(output_path=f"{self.folder}/rows.ndjson")


_ONE_UNKNOWN = [("+33639980000", "1001"), ("+33639980001", "1002"), ("+33639980002", "9999")]
SCENES = {name for name in vars(Scenes) if not name.startswith("_")}
"""Their names, as `scene_of` gives them."""
