"""The connection form in Airflow's UI, as somebody fills it in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_smspartner._connection.fields import PLACEHOLDERS
from airflow_provider_smspartner.provider_info import get_provider_info
from local_airflow import LocalAirflow

if TYPE_CHECKING:
    from playwright.sync_api import Page

sync_api = pytest.importorskip("playwright.sync_api", reason="installed beside Airflow 3, whose UI it drives")
pytestmark = [pytest.mark.system, pytest.mark.browser]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# For a browser in a container, that talks to Airflow and to nobody else.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CONN_ID = "smspartner_from_the_form"
KEY = "k+/=&é typed"


@pytest.fixture
def page(airflow: LocalAirflow) -> Iterator[Page]:
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        page = browser.new_page(locale="en-US", base_url=airflow.url)
        yield page
        browser.close()


def test_a_connection_is_entered_in_the_form(page: Page, airflow: LocalAirflow) -> None:
    page.goto("/")
    page.get_by_role("button", name="Admin").click()
    page.get_by_role("menuitem", name="Connections").click()
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Connection ID").fill(CONN_ID)
    form.get_by_role("combobox").fill("SMS Partner")
    page.get_by_role("option", name="SMS Partner", exact=True).click()
    # Airflow lets nobody mark or order the standard fields: the placeholders have to say it.
    sync_api.expect(form.get_by_placeholder(PLACEHOLDERS["password"])).to_be_visible()
    sync_api.expect(form.get_by_placeholder(PLACEHOLDERS["schema"])).to_be_visible()
    form.get_by_label("API key").fill(KEY)
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    extra: dict[str, Any] = {}
    for number, (name, field) in enumerate(extra_fields().items(), start=11):
        if "boolean" in field["schema"]["type"]:
            switch = form.get_by_label(field["label"], exact=True)
            sync_api.expect(switch).not_to_be_checked()
            switch.press("Space")  # what a mouse would click lies over it
            sync_api.expect(switch).to_be_checked()
            extra[name] = True
            continue
        box = form.get_by_label(field["label"], exact=True)
        sync_api.expect(box).to_have_value(str(field["schema"]["default"]).removesuffix(".0"))
        box.fill(str(number))
        extra[name] = number
    box.blur()  # the form takes over what is typed when its box is left
    form.get_by_role("button", name="Save").click()
    sync_api.expect(form).to_be_hidden()

    saved = airflow.get(f"connections/{CONN_ID}")
    assert saved["conn_type"] == "smspartner"
    assert saved["password"] == "***"
    assert json.loads(saved["extra"]) == extra


def extra_fields() -> dict[str, Any]:
    """The form's own fields, as the metadata describes them."""
    (connection_type,) = get_provider_info()["connection-types"]
    fields: dict[str, Any] = connection_type["conn-fields"]
    assert list(fields) == ["timeout", "max_attempts", "requests_per_minute", "max_connections", "sandbox"]
    return fields
