"""The stack, started once for the tests of this folder, which look at one run after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from airflow_provider_smspartner.testing import SMSPartnerDouble
from local_airflow import stop_when_asked

if TYPE_CHECKING:
    from local_airflow import DagRun
    from stack.production import Production

# Characters that percent-encoding and JSON write differently, so that each form of the key can be looked for.
API_KEY = "k+/=&é secret"

Vendor = Callable[..., tuple[str, SMSPartnerDouble]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sweep after all others have left something to look at."""
    items.sort(key=lambda item: item.path.name == "test_sweep.py")


@pytest.fixture(scope="package")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """All of Airflow's processes, ready for runs."""
    for module in ("airflow.providers.celery", "airflow.providers.postgres"):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed here: `make stack` does that.")
    from services import postgresql_database, redis_database

    from stack.production import Production

    stop_when_asked()
    with postgresql_database() as database, redis_database() as broker:
        stack = Production(tmp_path_factory.mktemp("stack"), database=database, broker=broker)
        with stack.running():
            yield stack


@pytest.fixture
def vendor(production: Production) -> Iterator[Vendor]:
    """Start a double, and store a connection to it; give the connection's id and the double."""
    with ExitStack() as doubles:

        def start(conn_id: str | None = None, extra: dict[str, Any] | None = None, **options: Any) -> Any:
            double = doubles.enter_context(SMSPartnerDouble(api_key=API_KEY, **options))
            conn_id = conn_id or f"vendor_{uuid4().hex[:8]}"
            production.airflow.store_connection(conn_id, double, requests_per_minute=0, **(extra or {}))
            return conn_id, double

        yield start


@pytest.fixture(scope="package")
def awaited(production: Production) -> Iterator[tuple[DagRun, SMSPartnerDouble]]:
    """A run of the example that sends and awaits, which has come to its wait."""
    with SMSPartnerDouble(api_key=API_KEY, settle_seconds=3600) as double:
        production.airflow.store_connection("smspartner_default", double, requests_per_minute=0)
        run = production.trigger("smspartner_send_and_await")
        production.wait_for_state(run, "await_delivery", "deferred")
        yield run, double
