"""The table of the pictures: what each shows, whatever the Airflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_smspartner._connection.fields import EXTRA_FIELDS, HOOK_NAME, PLACEHOLDERS, RELABELING
from airflow_provider_smspartner.links.smspartner import SMSPartnerAccountLink

if TYPE_CHECKING:
    from local_airflow import DagRun
    from pictures.airflow_2 import Airflow2
    from pictures.airflow_3 import Airflow3
    from pictures.seen import Area

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = DOCS / "pictures"
# The newest Airflow and the oldest: their UIs have little in common.
SERIES = ("3.3", "2.11")

SENSOR = "await_delivery"
CONN_ID = "smspartner_default"
# What is typed into the form that is not stored; a picture shows dots.
TYPED_KEY = "the-key-of-no-account"
# A second connection, whose key the double refuses.
WRONG_CONN_ID = "smspartner_marketing"
WRONG_KEY = "the-key-of-another-account"


@dataclass(frozen=True)
class Scene:
    """
    What there is to look at.

    :param ui: the UI.
    :param run: gives the run that is ``waiting`` or ``settled``.
    :param connections: the stored connections by their ids, keys included.
    """

    ui: Airflow2 | Airflow3
    run: Callable[[str], DagRun]
    connections: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Picture:
    """
    A picture of the docs.

    :param name: its file's, without the ending.
    :param find: goes to the part of the UI that it is of.
    :param shows: the texts that make it worth showing.
    """

    name: str
    find: Callable[[Scene], Area]
    shows: tuple[str, ...]


TABLE = (
    Picture(
        "connection-form",
        lambda scene: scene.ui.connection_form(CONN_ID, TYPED_KEY),
        (
            CONN_ID,
            HOOK_NAME,
            PLACEHOLDERS["host"],
            PLACEHOLDERS["schema"],
            PLACEHOLDERS["port"],
            *RELABELING.values(),
            "(dots)",
        ),
    ),
    Picture(
        "connection-form-extra",
        lambda scene: scene.ui.connection_form_extra(CONN_ID, TYPED_KEY),
        tuple(text for field in EXTRA_FIELDS for text in (field.label, field.description)),
    ),
    Picture(
        "test-right-key",
        lambda scene: scene.ui.test_connection(CONN_ID, scene.connections[CONN_ID]),
        (CONN_ID, "SMS Partner accepts the API key: balance"),
    ),
    Picture(
        "test-wrong-key",
        lambda scene: scene.ui.test_connection(WRONG_CONN_ID, scene.connections[WRONG_CONN_ID]),
        (WRONG_CONN_ID, "SMS Partner refuses the credentials: the API key is wrong"),
    ),
    Picture(
        "graph",
        lambda scene: scene.ui.graph(scene.run("waiting")),
        ("send", "SMSPartnerSendOperator", "success", SENSOR, "SMSPartnerCampaignSensor", "deferred"),
    ),
    Picture(
        "deferred",
        lambda scene: scene.ui.tasks(scene.run("waiting"), SENSOR),
        (SENSOR, "eferred"),  # the older UI writes it small
    ),
    Picture(
        "wait-log",
        lambda scene: scene.ui.log(scene.run("settled"), SENSOR, until="; done."),
        (
            "Waiting for campaign of 12 messages until 100% of its messages have settled",
            "next poll in 6 s",
            "0 of 12 settled (0.0%): Waiting 12.",
            "12 of 12 settled (100.0%): Delivered 11, Not delivered 1; done.",
        ),
    ),
    Picture(
        "xcom",
        lambda scene: scene.ui.xcom(scene.run("settled"), SENSOR),
        ("return_value", "phone_number", "raw_status", "summary", "delivery_rate", "settled"),
    ),
    Picture(
        "link",
        lambda scene: scene.ui.link(scene.run("settled"), SENSOR, SMSPartnerAccountLink.name),
        (SMSPartnerAccountLink.name,),
    ),
)
