"""A wait that is terminated while it polls: it asks no more, delivers nothing and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import AIRFLOW_3
from killing import killed, slowly

from airflow_provider_smspartner.testing import SMSPartnerDouble

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
}


# Each case is a process that imports Airflow: what the handler does is looked at once.
@pytest.mark.parametrize(
    ("mode", "raises"),
    [*((mode, False) for mode in MODES), ("poke", True)],
    ids=[*MODES, "poke, the handler raises"],
)
def test_a_terminated_poll_ends_soon_without_a_result(
    double: SMSPartnerDouble, tmp_path: Path, mode: str, raises: bool
) -> None:
    if mode == "reschedule" and not AIRFLOW_3:
        pytest.skip("there a rescheduling sensor asks the metadata database")
    double.add_campaign("spring", size=50 * 200, settle_seconds=0)
    double.misbehave(slowly(0.3), times=None)

    told, later = killed(
        double,
        "SMSPartnerCampaignSensor",
        {"tag": "spring", "output_path": str(tmp_path / "rows.csv"), "soft_fail": True, **MODES[mode]},
        raises=raises,
        when=lambda: len(double.requests) >= 3,
    )

    # Neither skipped, nor rescheduled, nor deferred.
    assert told["outcome"].startswith("Terminated" if raises else "SMSPartnerError: The task was terminated")
    assert told["xcoms"] == {}
    assert later <= 5
    assert list(tmp_path.iterdir()) == []
