"""A real Airflow with campaigns, started once for all pictures; and the option that takes them anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import new_browser, new_page
from environment import EXAMPLE_DAGS
from harness import AIRFLOW_3
from lacking import skip_without

from airflow_provider_smspartner.testing import SMSPartnerDouble
from local_airflow import DagRun, LocalAirflow, connection_to
from pictures.airflow_2 import Airflow2
from pictures.airflow_3 import Airflow3
from pictures.local_airflow_2 import LocalAirflow2
from pictures.table import CONN_ID, PICTURES, SENSOR, SERIES, WRONG_CONN_ID, WRONG_KEY, Scene

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Of the account of both doubles.
KEY = "the-key-of-the-account"
DAG_ID = "smspartner_send_and_await"
# Twelve messages, polled every 6 s: each poll finds two more that have settled.
PARAMS = {"recipients": [f"+336399800{number:02}" for number in range(12)], "tag": "spring-sale"}
SETTLE_SECONDS = 36
# Longer than it takes to look at all pictures.
HELD_SECONDS = 3600
FONTS = ("Liberation Sans", "Liberation Mono")
# A family that is not there is as wide as any other that is not.
_HAS_FONT = """
family => {
    const context = document.createElement("canvas").getContext("2d");
    const width = name => {
        context.font = `72px "${name}", serif`;
        return context.measureText("Airflow").width;
    };
    return width(family) !== width("no such family");
}
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option; it is known where this folder is named on the command line."""
    parser.addoption(
        "--take-pictures",
        action="store_true",
        help="write docs/pictures anew, and the records of what the pictures show",
    )


@pytest.fixture
def takes_pictures(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--take-pictures", default=False))


@pytest.fixture(scope="package")
def folder() -> Path:
    """Where the pictures of this Airflow are."""
    series = ".".join(version("apache-airflow").split(".")[:2])
    if series not in SERIES:
        pytest.skip(f"there are no pictures of Airflow {series}")
    return PICTURES / f"airflow-{series}"


@pytest.fixture(scope="package")
def holding(folder: Path) -> Iterator[SMSPartnerDouble]:
    """The double whose messages go on waiting."""
    with SMSPartnerDouble(api_key=KEY, settle_seconds=HELD_SECONDS) as double:
        yield double


@pytest.fixture(scope="package")
def settling(folder: Path) -> Iterator[SMSPartnerDouble]:
    """The double whose messages settle while one looks on."""
    with SMSPartnerDouble(api_key=KEY, settle_seconds=SETTLE_SECONDS) as double:
        yield double


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser of all pictures; not with other fonts than theirs, which break lines elsewhere."""
    with new_browser() as started:
        page = started.new_page()
        missing = [family for family in FONTS if not page.evaluate(_HAS_FONT, family)]
        page.close()
        if missing:
            skip_without(f"The fonts of the pictures are not installed: {', '.join(missing)}.")
        yield started


@pytest.fixture(scope="package")
def airflow(
    browser: Browser, holding: SMSPartnerDouble, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalAirflow]:
    """Airflow with one of the example DAGs, and two connections; not without a browser to look at it."""
    dags = tmp_path_factory.mktemp("dags")
    shutil.copy(EXAMPLE_DAGS / "send_and_await.py", dags)
    kind = LocalAirflow if AIRFLOW_3 else LocalAirflow2
    with kind(tmp_path_factory.mktemp("airflow"), dags=dags) as started:
        started.wait_until_ready()
        started.store_connection(CONN_ID, holding)
        started.store_connection(WRONG_CONN_ID, holding, key=WRONG_KEY)
        yield started


@pytest.fixture(scope="package")
def connections(holding: SMSPartnerDouble) -> Mapping[str, Mapping[str, Any]]:
    """What the connections of this Airflow say."""
    right = connection_to(holding)
    return {CONN_ID: right, WRONG_CONN_ID: right | {"password": WRONG_KEY}}


@pytest.fixture(scope="package")
def waiting(airflow: LocalAirflow, holding: SMSPartnerDouble) -> DagRun:
    """A run whose sensor is deferred, and stays so; the triggerer polls for it."""
    run = airflow.trigger(DAG_ID, PARAMS, run_id="spring-sale-1")
    airflow.wait_for(
        "the sensor to be deferred", lambda: run.task(SENSOR)["state"] == "deferred", seconds=300
    )

    def polls() -> int:
        return sum(request.path.endswith("/multi-status") for request in holding.requests)

    airflow.wait_for("a poll of the triggerer", lambda: polls() > 1, seconds=300)
    return run


@pytest.fixture(scope="package")
def settled(airflow: LocalAirflow, settling: SMSPartnerDouble, waiting: DagRun) -> DagRun:
    """A run that has ended well; after the other: the first look-up of a triggerer takes seconds."""
    # No clock is moved: what the pictures show of times is true.
    airflow.store_connection(CONN_ID, settling)
    run = airflow.trigger(DAG_ID, PARAMS, run_id="spring-sale-2")
    airflow.wait_for("the run to end", lambda: run.state == "success", seconds=300)
    return run


@pytest.fixture
def page(browser: Browser, airflow: LocalAirflow) -> Iterator[Page]:
    """A page of the UI, as sharp as a good screen shows it."""
    with new_page(
        browser,
        airflow.url,
        color_scheme="light",
        timezone_id="UTC",
        device_scale_factor=2,
        viewport={"width": 1280, "height": 960},
    ) as page:
        yield page


@pytest.fixture
def scene(page: Page, connections: Mapping[str, Mapping[str, Any]], request: pytest.FixtureRequest) -> Scene:
    return Scene(Airflow3(page) if AIRFLOW_3 else Airflow2(page), request.getfixturevalue, connections)
