"""The connection form in Airflow's UI, as somebody fills it in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from browser import new_browser, new_page
from pictures.airflow_3 import new_connection

from airflow_provider_smspartner._connection.fields import PLACEHOLDERS
from airflow_provider_smspartner.provider_info import get_provider_info
from local_airflow import LocalAirflow

if TYPE_CHECKING:
    from playwright.sync_api import Page

sync_api = pytest.importorskip("playwright.sync_api", reason="installed beside Airflow 3, whose UI it drives")
pytestmark = [pytest.mark.system, pytest.mark.browser]

CONN_ID = "smspartner_from_the_form"
KEY = "k+/=&é typed"


@pytest.fixture
def page(airflow: LocalAirflow) -> Iterator[Page]:
    with new_browser() as browser, new_page(browser, airflow.url) as page:
        yield page


def test_a_connection_is_entered_in_the_form(page: Page, airflow: LocalAirflow) -> None:
    form = new_connection(page, CONN_ID)
    # Airflow lets nobody mark or order the standard fields: the placeholders have to say it.
    for label, field in (("API key", "password"), ("Scheme", "schema"), ("Port", "port")):
        sync_api.expect(form.get_by_label(label)).to_have_attribute("placeholder", PLACEHOLDERS[field])
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
