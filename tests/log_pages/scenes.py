"""The scenes of docs/trouble.md and docs/operating.md, and of others: what happens, by the name on the page."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any

from certificates import issue
from harness import new_context
from log_pages.stage import Stage, next_try, numbers
from state_store import StateStore

from airflow_provider_smspartner._tasks import arguments
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

Scene = Callable[[Stage], None]
SCENES: dict[str, Scene] = {}
NEED_A_LEDGER = ("killed during a call", "changed recipients", "adopted")
"""What is met only where Airflow keeps what a task has sent."""


def scene(name: str) -> Callable[[Scene], Scene]:
    """Enter a scene into the table."""

    def enter(play: Scene) -> Scene:
        assert name not in SCENES
        SCENES[name] = play
        return play

    return enter


def _fetch_meeting(fault: Fault, *, times: int | None = None, **extra: Any) -> Scene:
    def play(stage: Stage) -> None:
        stage.connect(**extra)
        stage.campaign("Delivered", size=120)
        stage.double.misbehave(fault, times=times)
        stage.fetch()

    return play


SCENES |= {
    "wrong key": _fetch_meeting(Fault.error(10)),
    "address not allowed": _fetch_meeting(Fault.error(96)),
    "account blocked": _fetch_meeting(Fault.error(30)),
    "server error": _fetch_meeting(Fault.status(503), max_attempts=3),
    "server error that passes": _fetch_meeting(Fault.status(503), times=1),
    "page instead of JSON": _fetch_meeting(Fault.html(), max_attempts=1),
    "success without data": _fetch_meeting(Fault.fake_success(), max_attempts=1),
    "redirect": _fetch_meeting(Fault.redirect("https://example.com/"), max_attempts=1),
    "silence": _fetch_meeting(Fault.hang(60), max_attempts=1, timeout=0.3),
    "pages that end": _fetch_meeting(Fault.total(500)),
    "unknown field": _fetch_meeting(Fault.headers({}), time_out=20),
}


@scene("no key")
def _(stage: Stage) -> None:
    stage.connect_as("smspartner_default", '{"conn_type": "smspartner"}')
    stage.fetch()


@scene("no connection")
def _(stage: Stage) -> None:
    stage.fetch(smspartner_conn_id="smspartner_nowhere")


@scene("refused status")
def _(stage: Stage) -> None:
    stage.double.misbehave(Fault.error(9))
    stage.fetch_list([("+33639980000", "1001")])


@scene("legal hours")
def _(stage: Stage) -> None:
    stage.double.misbehave(Fault.error(22, http_status=400))
    stage.send()


@scene("sender not allowed")
def _(stage: Stage) -> None:
    stage.double.misbehave(Fault.error(992, http_status=400))
    stage.send(sender="MyClinic")


@scene("nobody left")
def _(stage: Stage) -> None:
    stage.double.add_stop("+33639980000")
    stage.send(recipients=["+33639980000"])


@scene("unknown tag")
def _(stage: Stage) -> None:
    stage.fetch()


@scene("unknown tag, awaited")
def _(stage: Stage) -> None:
    stage.wait(not_found_grace=timedelta(0))


@scene("unknown messages, awaited")
def _(stage: Stage) -> None:
    stage.campaign("Delivered", size=2)
    messages = [("+33639980000", "1001"), ("+33639980001", "1002"), ("+33639980002", "9999")]
    stage.wait(tag=None, messages=messages, not_found_grace=timedelta(0))


@scene("unknown messages, fetched")
def _(stage: Stage) -> None:
    stage.campaign("Delivered", size=2)
    stage.fetch_list([("+33639980000", "1001"), ("+33639980001", "1002"), ("+33639980002", "9999")])


@scene("nobody listens")
def _(stage: Stage) -> None:
    stage.connect(max_attempts=1)
    with stage.double.down():
        stage.fetch()


def _fetch_by_tls(stage: Stage, *, host: str = "127.0.0.1", bundle: str | None = None) -> None:
    certificate = issue(stage.folder, host=host)
    if bundle is not None:
        stage.monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle or str(certificate.authority))
    with SMSPartnerDouble(ssl_context=certificate.server) as double:
        stage.connect_as("smspartner_default", double.connection_json(max_attempts=1))
        stage.fetch()


SCENES |= {
    "unknown authority": _fetch_by_tls,
    "certificate of another host": partial(_fetch_by_tls, host="192.0.2.1", bundle=""),
    "bundle that is not there": partial(_fetch_by_tls, bundle="/etc/ssl/our-proxy.pem"),
}


@scene("proxy")
def _(stage: Stage) -> None:
    # Port 9 discards what comes, where anybody listens at all.
    stage.monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    stage.connect_as(
        "smspartner_default", '{"conn_type": "smspartner", "password": "key", "extra": {"max_attempts": 1}}'
    )
    stage.fetch()


@scene("rate")
def _(stage: Stage) -> None:
    stage.campaign("Delivered", size=8)
    for n in (8, 9):
        stage.double.add_message(f"+3363998{n:04}", str(1001 + n), "Not delivered", tag="spring-sale")
    stage.wait(min_delivery_rate=0.9)


@scene("bad number")
def _(stage: Stage) -> None:
    stage.send(recipients=["+33639980000", "+33639980001", "01 23"])


@scene("too many recipients")
def _(stage: Stage) -> None:
    stage.send(recipients=numbers(1_001))


@scene("too many rows")
def _(stage: Stage) -> None:
    stage.campaign("Delivered", size=120)
    stage.fetch(max_xcom_rows=100)


@scene("wrong header")
def _(stage: Stage) -> None:
    stage.send(recipients=str(stage.place("people.csv", "Nom;Mobile\nAda;06 39 98 00 00\n")))


@scene("missing file")
def _(stage: Stage) -> None:
    stage.fetch_list(f"{stage.folder}/sent.csv")


@scene("no credit")
def _(stage: Stage) -> None:
    stage.double.credit_sms = 600
    stage.send(recipients=numbers(720))


@scene("lost answer")
def _(stage: Stage) -> None:
    stage.double.misbehave(Fault.reset().after_processing())
    stage.send()


@scene("lost answer to the second call")
def _(stage: Stage) -> None:
    stage.double.misbehave(Fault.headers({}))
    stage.double.misbehave(Fault.status(502).after_processing())
    stage.send(recipients=numbers(720))


@scene("killed during a call")
def _(stage: Stage) -> None:
    store = StateStore()
    stage.kill_at_next_request()
    stage.send(context=next_try(store), recipients=numbers(720))
    # As if Airflow had killed the process before the second call was answered.
    stage.begin_new_log()
    stage.send(
        context=next_try(store, smspartner_send_call_1={"state": "under way"}), recipients=numbers(720)
    )


@scene("changed recipients")
def _(stage: Stage) -> None:
    store = StateStore()
    stage.send(context=next_try(store))
    stage.begin_new_log()
    stage.send(context=next_try(store), recipients=numbers(4))


@scene("retry before Airflow 3.3")
def _(stage: Stage) -> None:
    context = new_context()
    context["ti"].try_number = 2
    stage.send(context=context)


@scene("timed out")
def _(stage: Stage) -> None:
    stage.campaign("Delivered", size=2)
    stage.double.add_message("+33639980002", "1003", "Waiting", tag="spring-sale")
    stage.wait(timeout=0)


@scene("terminated")
def _(stage: Stage) -> None:
    stage.campaign("Delivered", size=120)
    stage.kill_at_next_request()
    stage.fetch()


@scene("terminated while sending")
def _(stage: Stage) -> None:
    stage.kill_at_next_request()
    stage.send(recipients=numbers(720))


@scene("wait")
def _(stage: Stage) -> None:
    _two_that_settle(stage)
    stage.wait_deferred()


@scene("wait for a list")
def _(stage: Stage) -> None:
    stage.campaign("Waiting", "Delivered", size=3)
    messages = [(number, str(1001 + n)) for n, number in enumerate(numbers(3))]
    stage.wait_deferred(tag=None, messages=messages)


@scene("wait for a large campaign")
def _(stage: Stage) -> None:
    for n, number in enumerate(numbers(1_000)):
        # Only the first page is asked for again while it has Waiting.
        waiting = ["Waiting", "Waiting"] if n < 50 else ["Waiting"]
        ending = "Not delivered" if n >= 950 else "Delivered"
        stage.double.add_message(number, str(1001 + n), *waiting, ending, tag="spring-sale")
    stage.wait_deferred()


@scene("wait with failed polls")
def _(stage: Stage) -> None:
    stage.connect(max_attempts=1)
    stage.campaign("Waiting", "Delivered")
    stage.double.misbehave(Fault.status(503), times=2)
    stage.wait()


@scene("wait for a tag that is not known yet")
def _(stage: Stage) -> None:
    stage.double.misbehave(Fault.error(4))
    stage.campaign("Delivered")
    stage.wait()


def _two_that_settle(stage: Stage) -> None:
    stage.double.add_message("+33639980000", "1001", "Waiting", "Delivered", tag="spring-sale")
    stage.double.add_message("+33639980001", "1002", "Waiting", "Waiting", "Delivered", tag="spring-sale")


SCENES["fetched"] = _fetch_meeting(Fault.headers({}))


@scene("sent")
def _(stage: Stage) -> None:
    stage.send(recipients=numbers(720))


@scene("sent in the sandbox")
def _(stage: Stage) -> None:
    stage.connect(sandbox=True)
    stage.send()


@scene("some refused")
def _(stage: Stage) -> None:
    stage.double.refuse("+33639980000", 13)
    stage.double.add_stop("+33639980001")
    stage.send(recipients=[(number, "Hello") for number in numbers(3)], message=None)


@scene("adopted")
def _(stage: Stage) -> None:
    store = StateStore()
    stage.kill_at_next_request()
    stage.send(context=next_try(store), recipients=numbers(720))
    stage.begin_new_log()
    stage.send(context=next_try(store), recipients=numbers(720))


@scene("named again")
def _(stage: Stage) -> None:
    stage.send(recipients=[("+33639980000", "Hello"), ("06 39 98 00 00", "Good bye")], message=None)


@scene("other characters")
def _(stage: Stage) -> None:
    stage.send(message="C'est prêt.")


@scene("cut")
def _(stage: Stage) -> None:
    stage.notify("The task has failed. " * 100)


@scene("unknown status")
def _(stage: Stage) -> None:
    stage.campaign("Lost on the way")
    stage.fetch()


@scene("upper case")
def _(stage: Stage) -> None:
    stage.double.add_message("+33639980000", "1001", "Delivered", tag="Spring")
    stage.fetch(tag="Spring")


@scene("short interval")
def _(stage: Stage) -> None:
    stage.monkeypatch.setattr(arguments, "_airflow_version", lambda: (3, 3))
    stage.campaign("Delivered")
    stage.wait_deferred(poke_interval=2)


@scene("weak key")
def _(stage: Stage) -> None:
    stage.connect_as("pseudonyms", '{"conn_type": "generic", "password": "short"}')
    stage.campaign("Delivered")
    stage.fetch(phone_numbers="hmac", pseudonym_conn_id="pseudonyms")


@scene("stop list")
def _(stage: Stage) -> None:
    stage.double.add_stop("+33639980000")
    stage.fetch_stop_list()


@scene("loaded")
def _(stage: Stage) -> None:
    stage.connect_as("warehouse", f'{{"conn_type": "sqlite", "host": "{stage.folder}/warehouse.db"}}')
    stage.campaign("Waiting", "Delivered", size=3)
    stage.load()
    stage.load()


@scene("table that does not fit")
def _(stage: Stage) -> None:
    database = stage.folder / "warehouse.db"
    stage.connect_as("warehouse", f'{{"conn_type": "sqlite", "host": "{database}"}}')
    stage.campaign("Delivered")
    stage.load(table="statuses")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("ALTER TABLE statuses DROP COLUMN code")
    stage.begin_new_log()
    stage.load(table="statuses")


@scene("left behind")
def _(stage: Stage) -> None:
    part = stage.place(".rows.ndjson.0123456789ab.part")
    os.utime(part, (day_ago := time.time() - 90_000, day_ago))
    stage.campaign("Delivered")
    stage.fetch(output_path=f"{stage.folder}/rows.ndjson")
