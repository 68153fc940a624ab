"""A real Airflow that runs the example DAGs against the double, started once for the tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from secrets import token_urlsafe

import pytest
from cryptography.fernet import Fernet
from environment import EXAMPLE_DAGS, bundles
from statsd_receiver import StatsdReceiver

from airflow_provider_smspartner.testing import SMSPartnerDouble
from local_airflow import LocalAirflow

# Characters that percent-encoding and JSON write differently, so that each form of the key can be looked for.
API_KEY = "k+/=&é secret"
CAMPAIGN_SIZE = 40
DAGS = Path(__file__).parent / "dags"


@pytest.fixture(scope="package")
def vendor() -> Iterator[SMSPartnerDouble]:
    """The double that this Airflow asks."""
    with SMSPartnerDouble(
        api_key=API_KEY, auto_campaigns=True, campaign_size=CAMPAIGN_SIZE, settle_seconds=6, page_size=25
    ) as double:
        yield double


@pytest.fixture(scope="package")
def metrics() -> Iterator[StatsdReceiver]:
    """What this Airflow sends its metrics to."""
    receiver = StatsdReceiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="package")
def airflow(
    vendor: SMSPartnerDouble,
    metrics: StatsdReceiver,
    migrated_database: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LocalAirflow]:
    """Scheduler, triggerer, dag-processor and api-server, ready for runs."""
    if version("apache-airflow").startswith("2."):
        pytest.skip("Airflow 2 has another API and another UI")
    home = tmp_path_factory.mktemp("airflow")
    shutil.copy(migrated_database, home / "airflow.db")
    (home / "database-version").write_text(version("apache-airflow"))
    examples = tmp_path_factory.mktemp("examples")
    for name in ("send_and_await.py", "campaign_outlet.py"):
        shutil.copy(EXAMPLE_DAGS / name, examples)
    env = {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": bundles(examples=examples, system=DAGS),
        # Sends that wait to be killed need no processor.
        "AIRFLOW__CORE__PARALLELISM": "12",
        # Many tasks that start at once keep each other waiting: by default a writer gives up after 5 s.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=60",
        # The first command of an Airflow writes them into its configuration. Here four begin at once.
        "AIRFLOW__API_AUTH__JWT_SECRET": token_urlsafe(64),
        "AIRFLOW__API__SECRET_KEY": token_urlsafe(64),
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
    }
    started = LocalAirflow(home, dags=examples, env=vendor.connection_env() | metrics.env | env)
    with started:
        started.wait_until_ready()
        yield started
