"""The command line: what it takes, how it ends, and that it runs as a process of its own."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from check.asking import TAG, Check, as_csv
from commands import environment_of_a_user, run_python
from harness import AIRFLOW_3
from told import PHONE_NUMBER as ANY_PHONE_NUMBER

from airflow_provider_smspartner.testing import SMSPartnerDouble

PHONE_NUMBER = "+33639980000"


def test_as_a_process_without_a_database(double: SMSPartnerDouble, tmp_path: Path) -> None:
    campaign = double.add_campaign(TAG, size=120)
    # What Airflow logs must not get into the JSON: of an unknown extra it warns.
    connection = double.connection_env("sms_live", requests_per_minute=0, time_out=1)
    env = environment_of_a_user(tmp_path, env={"LC_ALL": "C", **connection})
    command = ("-m", "airflow_provider_smspartner.check", "--conn-id", "sms_live", "--tag", TAG)

    done = run_python(*command, "--messages", "-", "--json", env=env, stdin=as_csv(campaign))

    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert len(double.requests) == report["answers"] == len(report["probes"]) == 8
    assert "'time_out'" in done.stderr
    assert not (tmp_path / "airflow.db").exists()
    for text in (done.stdout, done.stderr):
        assert TAG not in text
        assert double.api_key not in text
        assert not re.search(ANY_PHONE_NUMBER, text)


@pytest.mark.parametrize("arguments", [["--json"], ["--tag", "not a tag"]], ids=" ".join)
def test_a_reader_who_has_gone_sees_no_traceback(
    double: SMSPartnerDouble, tmp_path: Path, arguments: list[str]
) -> None:
    env = environment_of_a_user(tmp_path, env=double.connection_env(requests_per_minute=0))
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "airflow_provider_smspartner.check", "--skip-wrong-key", *arguments]

    with os.fdopen(writer, "w") as gone:
        # One of them reports an error, which is where `2>&1 | head` reads it.
        errors = gone if "--tag" in arguments else subprocess.PIPE
        done = subprocess.run(command, env=env, stdout=gone, stderr=errors, text=True, check=False)

    assert done.returncode == (2 if "--tag" in arguments else 0)
    assert not re.search("Traceback|BrokenPipe", done.stderr or "")


BACKEND = """
from airflow.{} import Connection
from airflow.secrets import BaseSecretsBackend

class Vault(BaseSecretsBackend):
    def get_connection(self, conn_id, team_name=None):
        if conn_id == "vault":
            return Connection(
                conn_id=conn_id, conn_type="smspartner", host="127.0.0.1", schema="http", port="{}", password={!r},
                extra='{{"requests_per_minute": "0"}}',
            )
"""
TASKS = """
import asyncio, sys
from airflow_provider_smspartner.check.__main__ import main
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.notifications.smspartner import SMSPartnerNotifier
from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator

sms = {"recipients": ["+33639980001"], "message": "Hello", "smspartner_conn_id": "vault"}
assert main(["--conn-id", "vault", "--skip-wrong-key"]) == 0
assert SMSPartnerHook("vault").test_connection()[0]
SMSPartnerNotifier(**sms).notify({})
asyncio.run(SMSPartnerNotifier(**sms).async_notify({}))
SMSPartnerSendOperator(task_id="send", **sms).execute({})
"""


@pytest.mark.parametrize("kind", ["models", *(["sdk"] if AIRFLOW_3 else [])])
def test_connections_of_a_secrets_backend_serve_everywhere(
    double: SMSPartnerDouble, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "vault.py").write_text(BACKEND.format(kind, double.port, double.api_key))
    env = environment_of_a_user(tmp_path, env={"AIRFLOW__SECRETS__BACKEND": "vault.Vault"})

    done = run_python("-c", TASKS, env=env, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert len(double.sent) == 3


def test_a_key_that_is_refused_is_not_tried_again(
    double: SMSPartnerDouble, monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    connection = json.loads(double.connection_json()) | {"password": "another"}
    monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", json.dumps(connection))

    done = check("--tag", TAG)

    assert (done.exit_code, len(double.requests)) == (1, 1)
    assert "error: SMS Partner refuses the credentials: the API key is wrong (code 10, HTTP 200)" in done.err


def test_a_host_that_is_not_there(double: SMSPartnerDouble, check: Check) -> None:
    with double.down():
        done = check()

    assert done.exit_code == 1
    assert done.out.count("seen     nothing: no answer came") == 5
    assert "the connection was refused" in done.err


@pytest.mark.parametrize(
    ("connection", "fault"),
    [
        ('{"conn_type": "smspartner"}', "has no API key"),
        ('{"password": "abcdef", "extra": {"timeout": "soon"}}', "'timeout' must be"),
        ('{"password": "abcdef"', "Airflow finds no connection 'smspartner_default' that it can read"),
        ('{"password": "abcdef", "host": "https://127.0.0.1:1"}', "REQUESTS_CA_BUNDLE names a file"),
    ],
    ids=["no key", "extra", "no JSON", "no authorities"],
)
def test_a_connection_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, check: Check, connection: str, fault: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SMSPARTNER_DEFAULT", connection)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))

    done = check()

    assert (done.exit_code, done.out) == (1, "")
    last = done.err.splitlines()[-1]
    assert last.startswith("error: ")
    assert fault in last
    assert "abcdef" not in done.err


def test_messages_of_a_file(
    double: SMSPartnerDouble, tmp_path: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = double.add_campaign(TAG, size=4)
    path = tmp_path / "messages.ndjson"
    path.write_text("".join(json.dumps(each) + "\n" for each in campaign.messages))
    (tmp_path / "messages.csv").write_text(as_csv(campaign))
    monkeypatch.chdir(tmp_path)

    for name in (str(path), "messages.csv"):
        assert "4 of 4 answered" in check("--messages", name, "--json").seen("list of messages")


@pytest.mark.parametrize(
    ("arguments", "content", "fault"),
    [
        (
            ["--messages", "-"],
            f"phone_number,message_id\n{PHONE_NUMBER},1\n12,1\n",
            "messages[1]: phone_number is",
        ),
        (["--messages", "-"], f"{PHONE_NUMBER},1001\n", "does not look like a header, and is not shown here"),
        (["--messages", "none.csv"], "", "there is no file"),
        (["--tag", "two words"], "", "tag must not contain white space"),
        ([f"--json={PHONE_NUMBER}"], "", "this is not how the command is called"),
    ],
    ids=["a bad row", "no header", "no file", "no tag", "no option"],
)
def test_bad_input(  # noqa: PLR0917 - fixtures
    double: SMSPartnerDouble,
    monkeypatch: pytest.MonkeyPatch,
    check: Check,
    arguments: list[str],
    content: str,
    fault: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content.encode())))

    done = check(*arguments)

    assert (done.exit_code, done.out) == (2, "")
    assert fault in done.err
    assert "33639" not in done.err
    assert not double.requests
