"""The page about the first key shows what the command prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from check.asking import Check
from loopback import connect

from airflow_provider_smspartner.check.__main__ import main
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

PAGE = (Path(__file__).parents[2] / "docs" / "first-key.md").read_text()


def blocks(text: str) -> list[str]:
    """Return what is printed, without the first line and the time that answers took: they are others each time."""
    return re.sub(r"slowest answer: \d+ ms", "", text).split("\n\n")[1:]


def test_the_example_is_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    with SMSPartnerDouble() as double:
        connect(monkeypatch, double)
        campaign = double.add_campaign("spring", size=1200, settle_seconds=120_000)
        # The first look starts the campaign's clock; 17 hours later 600 messages have settled.
        SMSPartnerHook().get_status_by_tag("spring")
        double.advance(60_050)
        double.misbehave(Fault.ignore_page(), times=None)
        messages = tmp_path / "sent.csv"
        rows = [f"{each['phone_number']},{each['message_id']}" for each in campaign.messages[::200]]
        messages.write_text("\n".join(["phone_number,message_id", *rows]))

        done = check("--tag", "spring", "--messages", str(messages))

    (example,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert done.exit_code == 1
    assert blocks(example) == blocks(done.out)


def test_the_options_are_those_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    options = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))

    assert set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE)) == options
