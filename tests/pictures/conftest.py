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
from local_airflow import LocalAirflow, connection_to
from pictures.airflow_2 import Airflow2
from pictures.airflow_3 import Airflow3
from pictures.campaign import CONN_ID, HELD_SECONDS, SETTLE_SECONDS, Campaign
from pictures.local_airflow_2 import LocalAirflow2
from pictures.table import PICTURES, SERIES, WRONG_CONN_ID, WRONG_KEY, Scene

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Of the account of both doubles.
KEY = "the-key-of-the-account"
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
    """Whether the pictures are to be written."""
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
def campaign(airflow: LocalAirflow, holding: SMSPartnerDouble, settling: SMSPartnerDouble) -> Campaign:
    """The campaigns."""
    return Campaign(airflow, holding, settling)


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
def scene(page: Page, campaign: Campaign, connections: Mapping[str, Mapping[str, Any]]) -> Scene:
    """What there is to look at."""
    return Scene(Airflow3(page) if AIRFLOW_3 else Airflow2(page), campaign, connections)
