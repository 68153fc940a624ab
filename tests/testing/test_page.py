"""docs/testing.md names every fault of the double, and every option of its command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_smspartner.testing import Fault
from airflow_provider_smspartner.testing.__main__ import _parser

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
FAULTS = re.findall(r"^\| `(Fault\.\w.*?)` \|", PAGE, re.MULTILINE)
OPTIONS = re.findall(r"^\| `(--[\w-]+)` \|(?: `?([^`|]+?)`?)? \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("call", FAULTS)
def test_a_fault_of_the_page_can_be_made(call: str) -> None:
    assert isinstance(eval(call, {"Fault": Fault}), Fault)  # noqa: S307 - a page of ours


def test_the_page_names_every_fault() -> None:
    made = {name for name, member in vars(Fault).items() if isinstance(member, staticmethod)}

    assert {re.split(r"[.(]", call)[1] for call in FAULTS} == made


def test_the_page_names_every_option_of_the_command_line() -> None:
    def shown(default: Any) -> str:
        return "" if default == [] else f"{default:g}" if isinstance(default, float) else str(default)

    options = {
        action.option_strings[-1]: shown(action.default)
        for action in _parser()._actions
        if action.dest != "help"
    }

    assert dict(OPTIONS) == options
