"""The three modes of the sensor end alike: each case runs in each mode on a real Airflow with a real database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from dags import sensor_modes as modes
from harness import KEEPS_TASK_STATE, run_dag

from airflow_provider_smspartner.testing import SMSPartnerDouble

# Airflow's scheduler and API run in this process, with warnings of their own.
pytestmark = pytest.mark.filterwarnings("default")


@dataclass(frozen=True)
class Ending:
    """How a case ended in one mode."""

    state: str
    tries: int
    rows: list[dict[str, Any]] | None
    summary: dict[str, Any] | None
    asked: list[list[int]]


@pytest.fixture(
    scope="module", params=[pytest.param(mode, marks=pytest.mark.xdist_group(mode)) for mode in modes.MODES]
)
def endings(
    request: pytest.FixtureRequest,
    metadata_database: None,
    made_once: Callable[[str, Callable[[Path], None]], Path],
) -> dict[str, Ending]:
    """Run all cases in a mode, once for all workers."""

    def run_cases(path: Path) -> None:
        path.write_text(json.dumps({name: asdict(each) for name, each in endings_in(request.param)}))

    told = json.loads(made_once(f"endings-{request.param}.json", run_cases).read_text())
    return {name: Ending(**each) for name, each in told.items()}


def endings_in(mode: str) -> Iterator[tuple[str, Ending]]:
    doubles = {}
    with ExitStack() as stack:
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        for name, case in modes.CASES.items():
            double = doubles[name] = stack.enter_context(SMSPartnerDouble(api_key="key"))
            case.arrange(double)
            conn_id = f"{mode}_{modes.task_id_of(name)}"
            for variable, value in double.connection_env(
                conn_id, requests_per_minute=0, max_attempts=1
            ).items():
                environment.setenv(variable, value)
        run = run_dag(f"sensor_mode_{mode}")
        for name in modes.CASES:
            task = run.task(modes.task_id_of(name))
            yield (
                name,
                Ending(
                    state=str(task.state),
                    tries=task.try_number,
                    rows=run.xcom(task.task_id),
                    summary=run.xcom(task.task_id, key="summary"),
                    asked=[
                        [pair["messageId"] for pair in asked.body["SMSStatut_List"]]
                        for asked in doubles[name].requests
                        if asked.body
                    ],
                ),
            )


@pytest.mark.parametrize("name", modes.CASES)
def test_ends_as_the_contract_says(
    endings: dict[str, Ending], name: str, request: pytest.FixtureRequest
) -> None:
    case, ending = modes.CASES[name], endings[name]
    if name.startswith("silence") and not KEEPS_TASK_STATE:
        mode = request.node.callspec.params["endings"]
        if mode == "reschedule":
            pytest.skip(
                "this Airflow keeps nothing for a rescheduled task: it knows nothing of earlier polls"
            )

    assert (ending.state, ending.tries) == (case.state, 1)
    statuses = None if ending.rows is None else [row["status"] for row in ending.rows]
    assert statuses == case.statuses
    assert (ending.summary and ending.summary["total"]) == (case.statuses and len(case.statuses))


def test_asks_only_for_what_is_still_unsettled(
    endings: dict[str, Ending], request: pytest.FixtureRequest
) -> None:
    mode = request.node.callspec.params["endings"]
    everything, fewer, one = [1000, 1001, 1002], [1000, 1001], [1000]

    assert (
        endings["list settles"].asked
        == {
            "poke": [everything, fewer, one],
            # A rescheduled task starts anew, and Airflow clears its XComs: it knows nothing of earlier polls.
            "reschedule": [everything] * 3,
            "deferrable": [everything, fewer, one, everything],
        }[mode]
    )
