"""The example DAGs run, each on a real metadata database, against the double."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.providers.common.compat.sdk import Asset
from environment import EXAMPLE_DAGS
from harness import AIRFLOW_3, activate, dags, run_dag
from told import without_ids
from warehouses import opened

from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

# Airflow's scheduler and API run in this process, with warnings of their own.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def playground(monkeypatch: pytest.MonkeyPatch, metadata_database: None) -> Iterator[SMSPartnerDouble]:
    """A double that makes up every campaign it is asked for, and settles it within a second."""
    with SMSPartnerDouble(api_key="key", auto_campaigns=True, campaign_size=60, settle_seconds=1.0) as double:
        for name, value in double.connection_env(requests_per_minute=0).items():
            monkeypatch.setenv(name, value)
        yield double


def assert_no_phone_number(printed: str) -> None:
    """Check what the tasks have printed and logged."""
    # Airflow 3.0's `dag.test()` prints what its supervisor says at DEBUG, each XCom in full.
    lines = without_ids(printed).splitlines()
    assert not [line for line in lines if "3363998" in line and "[debug " not in line]


def test_campaign_by_tag(playground: SMSPartnerDouble, capfd: pytest.CaptureFixture[str]) -> None:
    run = run_dag("smspartner_campaign_by_tag", conf={"tag": "autumn"})

    summary = run.xcom("await_campaign", key="summary")
    assert run.state == "success"
    assert (summary["total"], summary["waiting"], summary["settled"]) == (60, 0, True)
    assert run.xcom("judge_delivery") == summary["delivery_rate"]
    assert {request.query["tag"] for request in playground.requests} == {"autumn"}
    printed = capfd.readouterr().out
    assert "Status" in printed
    assert f"Total{60:>19}" in printed


def test_campaign_by_tag_fails_where_too_little_is_delivered(playground: SMSPartnerDouble) -> None:
    half = {"Delivered": 0.5, "Not delivered": 0.5}
    playground.add_campaign("autumn", size=10, settle_seconds=0, outcomes=half)

    run = run_dag("smspartner_campaign_by_tag", conf={"tag": "autumn"})

    assert str(run.task("await_campaign").state) == "success"
    assert str(run.task("judge_delivery").state) == "failed"


def events_of(asset: Asset) -> list[Any]:
    """Return the events of an asset as Airflow's database has them, oldest first."""
    from airflow.utils.session import create_session
    from sqlalchemy.orm import joinedload

    # Airflow 2 has other names for the same.
    name = "asset" if AIRFLOW_3 else "dataset"
    models = import_module(f"airflow.models.{name}")
    event, model = (getattr(models, f"{name.title()}{kind}") for kind in ("Event", "Model"))
    of_asset = getattr(event, name)
    with create_session() as session:
        found = session.query(event).join(of_asset).options(joinedload(of_asset))
        return list(found.filter(model.uri == asset.uri).order_by(event.id))


@pytest.fixture
def spring(metadata_database: None) -> Asset:
    """The asset of the example, known to Airflow and active, as it is once the DAG file was parsed."""
    asset = Asset("smspartner://spring")
    if not AIRFLOW_3:
        dags()["smspartner_campaign_outlet"].sync_to_db()
    elif version("apache-airflow").startswith("3.0."):  # later ones do so in `dag.test()`
        activate(asset)
    return asset


def test_campaign_outlet(
    playground: SMSPartnerDouble, spring: Asset, capfd: pytest.CaptureFixture[str]
) -> None:
    run = run_dag("smspartner_campaign_outlet", conf={"tag": "autumn"})

    assert run.state == "success"
    (event,) = (each for each in events_of(spring) if each.source_run_id == run.dag_run.run_id)
    summary = event.extra["smspartner"]
    assert (summary["total"], summary["waiting"], summary["settled"]) == (60, 0, True)
    assert run.xcom("await_campaign", key="summary") is None

    # The second DAG reads the event from what Airflow gives to a run that the event has started.
    report = dags()["smspartner_campaign_report"].get_task("report").python_callable
    name = "triggering_asset_events" if AIRFLOW_3 else "triggering_dataset_events"
    capfd.readouterr()
    assert report(**{name: {"the asset": [event]}}) == summary
    assert capfd.readouterr().out == f"{summary['delivered']} of 60 messages were delivered.\n"


def test_a_campaign_below_its_rate_updates_no_asset(playground: SMSPartnerDouble, spring: Asset) -> None:
    playground.add_campaign("autumn", size=10, settle_seconds=0, outcomes={"Not delivered": 1.0})

    run = run_dag("smspartner_campaign_outlet", conf={"tag": "autumn"})

    assert str(run.task("await_campaign").state) == "failed"
    assert [each for each in events_of(spring) if each.source_run_id == run.dag_run.run_id] == []


def test_a_run_of_the_report_that_no_event_has_started_is_skipped(metadata_database: None) -> None:
    run = run_dag("smspartner_campaign_report")

    assert str(run.task("report").state) == "skipped"


def test_message_list(playground: SMSPartnerDouble, capfd: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        playground.add_message(
            f"+336399800{number:02}", str(500_000 + number), "KO" if number == 7 else "Delivered"
        )

    run = run_dag("smspartner_message_list")

    rows = run.xcom("fetch_statuses")
    assert run.state == "success"
    assert [row["message_id"] for row in rows] == [str(500_000 + n) for n in range(12)]
    assert run.xcom("await_messages") is None
    assert run.xcom("find_undelivered") == ["500007"]
    printed = "".join(capfd.readouterr())
    assert "1 of 12 messages were not delivered" in printed
    assert_no_phone_number(printed)


def test_send_and_await(playground: SMSPartnerDouble, capfd: pytest.CaptureFixture[str]) -> None:
    numbers = [f"+336399800{n:02}" for n in range(40)]

    run = run_dag("smspartner_send_and_await", conf={"tag": "autumn"})

    assert run.state == "success"
    assert [sms.phone_number for sms in playground.sent] == numbers
    assert {(sms.tag, sms.stop_notice, sms.sandbox) for sms in playground.sent} == {("autumn", True, False)}
    assert [row["phone_number"] for row in run.xcom("await_delivery")] == numbers
    summary = run.xcom("await_delivery", key="summary")
    assert (summary["total"], summary["settled"]) == (40, True)
    assert run.xcom("judge_delivery") == summary["delivery_rate"]
    printed = "".join(capfd.readouterr())
    assert "Sent to 40 of 40 recipients, tag autumn:" in printed
    assert "40 SMS for 1.52 EUR" in printed
    assert f"Total{40:>19}" in printed
    assert_no_phone_number(printed)


def test_personalised_texts(
    playground: SMSPartnerDouble, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    playground.refuse("+33639980103", 13)

    run = run_dag("smspartner_personalised_texts", conf={"folder": tmp_path.as_uri()})

    assert run.state == "success"
    written = [
        json.loads(line) for path in tmp_path.rglob("*.ndjson") for line in path.read_text().splitlines()
    ]
    assert len(written) == 24
    assert [(sms.phone_number, sms.text) for sms in playground.sent] == [
        (row["phone_number"], row["message"]) for row in written if row["phone_number"] != "+33639980103"
    ]
    assert {(sms.tag, sms.sender) for sms in playground.sent} == {("reminders", "MyClinic")}
    printed = "".join(capfd.readouterr())
    assert "23 of 24 recipients accepted, 1 refused" in printed
    assert "23 SMS for 0.874 EUR" in printed
    assert_no_phone_number(printed)


def test_resend_undelivered(playground: SMSPartnerDouble, capfd: pytest.CaptureFixture[str]) -> None:
    statuses = {
        "+33639980300": ["Not delivered"],
        "+33639980301": ["Delivered"],
        "+33639980302": ["Waiting"],
        "+33639980303": ["KO"],
        "+33639980304": ["Not delivered", "Delivered"],  # two messages to one number
        "+33639980305": ["Not delivered", "Not delivered"],
        "+33639980306": ["Lost on the way"],  # a status that nobody knows
        "+33639980307": ["Not delivered"],  # on the account's list
        "+33639980308": ["Not delivered"],  # sent to before, under the second tag
    }
    for number, each in statuses.items():
        for serial, status in enumerate(each):
            playground.add_message(number, f"{number[-3:]}{serial}", status, tag="autumn")
    playground.add_message("+33639980309", "3090", "Not delivered", tag="autumn", stop_sms=True)
    playground.add_stop("+33639980307")
    playground.add_message("+33639980308", "9308", "Waiting", tag="autumn-2")
    conf = {"tag": "autumn", "second_tag": "autumn-2"}

    run = run_dag("smspartner_resend_undelivered", conf=conf)

    assert run.state == "success"
    assert [sms.phone_number for sms in playground.sent] == ["+33639980300", "+33639980305"]
    assert {(sms.tag, sms.stop_notice) for sms in playground.sent} == {("autumn-2", True)}
    printed = "".join(capfd.readouterr())
    assert "2 of 10 numbers may be sent to: nothing was delivered to them." in printed
    assert_no_phone_number(printed)

    # SMS Partner remembers who was sent to: another run sends to nobody.
    again = run_dag("smspartner_resend_undelivered", conf=conf)

    assert [str(again.task(name).state) for name in ("choose_recipients", "send")] == ["skipped", "skipped"]
    assert len(playground.sent) == 2


def test_resend_undelivered_after_an_ambiguous_end(playground: SMSPartnerDouble) -> None:
    playground.add_message("+33639980300", "1", "Not delivered", tag="autumn")
    playground.add_message("+33639980301", "2", "Not delivered", tag="autumn")
    # A double that makes up campaigns would make up one for the second tag.
    playground.add_message("+33639980399", "3", "Delivered", tag="autumn-2")
    playground.misbehave(Fault.reset().after_processing(), path="bulk-send")
    conf = {"tag": "autumn", "second_tag": "autumn-2"}

    first, second = (run_dag("smspartner_resend_undelivered", conf=conf) for _ in range(2))

    assert str(first.task("send").state) == "failed"
    assert str(second.task("send").state) == "skipped"
    assert [sms.phone_number for sms in playground.sent] == ["+33639980300", "+33639980301"]


def test_csv_from_a_colleague(
    playground: SMSPartnerDouble, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = run_dag("smspartner_csv_from_a_colleague", conf={"folder": tmp_path.as_uri()})

    assert run.state == "success"
    assert [(sms.phone_number, sms.text) for sms in playground.sent] == [
        ("+33639980200", "Bonjour Zoé, votre rendez-vous : lundi à 9:00."),
        ("+33639980201", "Bonjour Anais, votre rendez-vous : lundi à 9:30."),  # as SMS Partner sends it
        ("+33639980202", "Bonjour René, votre rendez-vous : mardi à 14:00; salle 2."),
    ]
    printed = "".join(capfd.readouterr())
    assert "3 of 3 recipients accepted, 0 refused" in printed
    assert_no_phone_number(printed)


def test_alert_on_failure(playground: SMSPartnerDouble, capfd: pytest.CaptureFixture[str]) -> None:
    run = run_dag("smspartner_alert_on_failure")

    assert run.state == "failed"
    (sms,) = playground.sent
    assert (sms.phone_number, sms.tag, sms.parts) == ("+33639980000", "airflow-alerts", 1)
    assert sms.text.startswith("Airflow: smspartner_alert_on_failure.load_orders has failed, try 1. Run: ")
    assert_no_phone_number("".join(capfd.readouterr()))


def test_alert_below_a_rate(playground: SMSPartnerDouble) -> None:
    playground.add_campaign("autumn", size=10, settle_seconds=0, outcomes={"Delivered": 0.8, "KO": 0.2})

    run = run_dag("smspartner_alert_below_a_rate", conf={"tag": "autumn"})

    assert run.state == "failed"
    assert len(run.xcom("await_campaign")) == 10
    (sms,) = playground.sent
    assert (sms.phone_number, sms.tag) == ("+33639980000", "airflow-alerts")
    is_told = not version("apache-airflow").startswith(("3.0.", "3.1.", "3.2."))
    said = "80.00% of 10 messages were delivered, less than the 90.00% asked for."
    assert sms.text == f"autumn: {said if is_told else 'the wait has failed'}"

    # Above the rate it is silent.
    assert run_dag("smspartner_alert_below_a_rate", conf={"tag": "winter"}).state == "success"
    assert playground.sent == [sms]


def test_legal_hours(playground: SMSPartnerDouble) -> None:
    run = run_dag("smspartner_legal_hours")

    assert run.state == "success"
    (leaves_at,) = {sms.scheduled_for for sms in playground.sent}
    assert leaves_at is not None
    assert 9 <= leaves_at.astimezone(ZoneInfo("Europe/Paris")).hour <= 19
    assert leaves_at > datetime.now(UTC)


@pytest.mark.parametrize(
    ("now", "leaves_at"),
    [
        ("2026-03-25 10:00", "2026-03-25 10:10"),  # a Wednesday
        ("2026-03-25 03:00", "2026-03-25 09:00"),
        ("2026-03-25 08:55", "2026-03-25 09:05"),
        ("2026-03-25 18:55", "2026-03-26 09:00"),
        ("2026-03-28 22:00", "2026-03-30 09:00"),  # a Saturday; the clocks go forward in the night
        ("2026-12-24 19:30", "2026-12-26 09:00"),
        ("2026-04-04 22:00", "2026-04-07 09:00"),  # the Saturday before Easter
        ("2026-05-13 22:00", "2026-05-15 09:00"),  # the day before Ascension Day
    ],
)
def test_the_next_legal_time(now: str, leaves_at: str) -> None:
    spec = spec_from_file_location("legal_hours", EXAMPLE_DAGS / "legal_hours.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    paris = ZoneInfo("Europe/Paris")

    chosen = module.next_legal_time(datetime.fromisoformat(now).replace(tzinfo=paris).astimezone(UTC))

    assert chosen == datetime.fromisoformat(leaves_at).replace(tzinfo=paris)


def test_watch_the_account(playground: SMSPartnerDouble, capfd: pytest.CaptureFixture[str]) -> None:
    playground.credit_sms = 1_000
    assert run_dag("smspartner_watch_the_account").state == "success"
    assert "1000 SMS credits" in capfd.readouterr().out

    playground.credit_sms = 999
    assert run_dag("smspartner_watch_the_account").state == "failed"

    playground.clear_requests()
    playground.misbehave(Fault.error(10))
    assert run_dag("smspartner_watch_the_account").state == "failed"
    assert [request.path for request in playground.requests] == ["/v1/me"]


def test_mapped_campaigns(playground: SMSPartnerDouble) -> None:
    for tag, delivered in (("north", 0.5), ("south", 0.9), ("east", 0.8)):
        playground.add_campaign(
            tag, size=60, settle_seconds=0, outcomes={"Delivered": delivered, "KO": 1 - delivered}
        )

    run = run_dag("smspartner_mapped_campaigns")

    assert run.state == "success"
    assert [len(run.xcom("fetch_statuses", map_index=index)) for index in range(3)] == [60] * 3
    assert run.xcom("compare") == "south"
    for task_id in ("await_campaign", "fetch_statuses"):
        shown = [run.task(task_id, map_index=index).rendered_map_index for index in range(3)]
        assert shown == ["north", "south", "east"]


def test_partitioned_list(
    playground: SMSPartnerDouble, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    duckdb = pytest.importorskip("duckdb")
    listed = [str(500_000 + n) for n in range(2_300)]
    for n, message_id in enumerate(listed):
        # One message, in the second part, is delivered after it was first asked for.
        statuses = ["Waiting", "Delivered"] if n == 1_500 else ["KO" if n % 10 == 7 else "Delivered"]
        playground.add_message(f"+3363998{n:04}", message_id, *statuses)
    conf = {"folder": tmp_path.as_uri()}
    at = datetime(2025, 11, 21, 10, tzinfo=UTC)

    run = run_dag("smspartner_partitioned_list", conf=conf, at=at)

    assert run.state == "success"
    landed = [run.xcom("fetch_part", map_index=index) for index in range(3)]
    assert [part["rows"] for part in landed] == [1_000, 1_000, 300]
    paths = [Path(part["path"].removeprefix("file://")) for part in landed]
    assert sorted((tmp_path / "statuses").rglob("*.*")) == paths
    assert [path.parent.name for path in paths] == ["part=0000", "part=0001", "part=0002"]
    lines = [line for path in paths for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert [json.loads(line)["message_id"] for line in lines] == listed
    summary = run.xcom("add_up")
    assert [summary[key] for key in ("total", "delivered", "ko", "waiting")] == [2_300, 2_069, 230, 1]
    assert summary["checked_at"] == max(
        run.xcom("fetch_part", key="summary", map_index=index)["checked_at"] for index in range(3)
    )
    assert run.task("fetch_part", map_index=2).rendered_map_index == "part=0002"
    printed = "".join(capfd.readouterr())
    assert f"Total{2_300:>19} in 3 parts" in printed
    assert_no_phone_number(printed)

    # A part that is run again replaces its own file.
    before = {path: path.read_bytes() for path in paths}
    assert run_dag("smspartner_partitioned_list", conf=conf, at=at).state == "success"
    assert sorted((tmp_path / "statuses").rglob("*.*")) == paths
    assert [path.parent.name for path in paths if path.read_bytes() != before[path]] == ["part=0001"]

    # The files are one table.
    with duckdb.connect(config={"threads": 1}) as connection:
        files = f"{tmp_path}/statuses/*/*/*.ndjson.gz"
        table = connection.sql(f"FROM read_json('{files}', hive_partitioning=true)")
        types = dict(zip(table.columns, map(str, table.types), strict=True))
        parts = table.aggregate("run, part, count(*)").order("ALL").fetchall()
    assert types["phone_number"] == "VARCHAR"
    found = [(name[:18], int(part), count) for name, part, count in parts]
    assert found == [("manual__2025-11-21", part, rows) for part, rows in enumerate((1_000, 1_000, 300))]


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly)])
def test_nightly_warehouse(
    playground: SMSPartnerDouble,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    database: str,
) -> None:
    # Late reports: what was delivered on the second night was waiting on the first.
    for n in range(4):
        playground.add_message(f"+3363998000{n}", str(n), "Waiting", "Delivered", tag="news-20261103")
    with opened(database, tmp_path, monkeypatch) as warehouse:
        for day in (4, 5):
            run = run_dag("smspartner_nightly_warehouse", at=datetime(2026, 11, day, 2, 30, tzinfo=UTC))
            assert run.state == "success"

        tags = warehouse.select("SELECT tag, count(*) FROM sms_statuses GROUP BY tag ORDER BY tag")
        assert tags == [
            ("news-20261101", 60),
            ("news-20261102", 60),
            ("news-20261103", 4),
            ("news-20261104", 60),
        ]
        late = "SELECT status, count(*) FROM sms_history WHERE tag = 'news-20261103' GROUP BY status ORDER BY status"
        assert warehouse.select(late) == [("Delivered", 4), ("Waiting", 4)]
        assert warehouse.select("SELECT count(*) FROM sms_statuses WHERE phone_number LIKE '+3363998%'") == [
            (0,)
        ]
    changed = [run.xcom("load_statuses", map_index=index)["changed"] for index in range(3)]
    assert changed[1:] == [4, 60]
    printed = "".join(capfd.readouterr())
    assert f"news-20261103{4:>11}  100.0%" in printed
    assert_no_phone_number(printed)


def test_nightly_warehouse_reports_in_spite_of_a_day_without_a_campaign(
    playground: SMSPartnerDouble,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    playground.add_campaign("news-20261102", size=0)
    with opened("sqlite", tmp_path, monkeypatch):
        run = run_dag("smspartner_nightly_warehouse", at=datetime(2026, 11, 4, 2, 30, tzinfo=UTC))

    states = [str(run.task("load_statuses", map_index=index).state) for index in range(3)]
    assert states == ["success", "failed", "success"]
    assert run.state == "success"
    printed = "".join(capfd.readouterr())
    assert f"news-20261101{60:>11}" in printed
    assert f"news-20261103{60:>11}" in printed


def test_every_example_is_tested() -> None:
    tests = Path(__file__).read_text()

    assert [path.stem for path in EXAMPLE_DAGS.glob("*.py") if f"def test_{path.stem}(" not in tests] == []
