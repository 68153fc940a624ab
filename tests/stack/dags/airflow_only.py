"""A DAG without this package, to tell what is Airflow's."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag
from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync


@dag(schedule=None)
def stack_airflow_only() -> None:
    DateTimeSensorAsync(task_id="await_campaign", target_time="2199-01-01T00:00:00+00:00")


stack_airflow_only()
