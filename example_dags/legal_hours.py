"""
Send a commercial SMS within the legal hours, whenever the DAG runs.

Commercial SMS may not leave at night, on Sundays and on public holidays in France. A task chooses when they are to
leave: in 10 to 15 minutes if that is between 9:00 and 19:00 of a working day, otherwise at the next 9:00 of one. SMS
Partner keeps them until then.

The time is the output of a task of its own. A retry of the task that sends finds the same one: with another time it
would be another send, and end as ambiguous.

This sends through the connection ``smspartner_default``. The phone numbers are of a range that is kept for fiction. To
try it on a real account, switch the connection's sandbox on: then nothing is delivered or charged.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import dag, task
from dateutil.easter import easter

from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator

PARIS = ZoneInfo("Europe/Paris")
# Within the legal hours, 08:00 to 20:00, with some room.
BEGIN, END = time(9), time(19)
# Month and day.
HOLIDAYS = {(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)}
# Easter Monday, Ascension Day and Whit Monday.
DAYS_AFTER_EASTER = {1, 39, 50}


def is_working_day(day: date) -> bool:
    is_sunday = day.weekday() == 6
    is_holiday = (day.month, day.day) in HOLIDAYS or (day - easter(day.year)).days in DAYS_AFTER_EASTER
    return not is_sunday and not is_holiday


def next_legal_time(now: datetime) -> datetime:
    soon = (now + timedelta(minutes=10)).astimezone(PARIS)
    day = soon.date()
    if is_working_day(day) and BEGIN <= soon.time() < END:
        return soon
    if soon.time() >= BEGIN:
        day += timedelta(days=1)
    while not is_working_day(day):
        day += timedelta(days=1)
    return datetime.combine(day, BEGIN, tzinfo=PARIS)


@dag(schedule=None, tags=["smspartner", "example"], doc_md=__doc__)
def smspartner_legal_hours() -> None:
    @task
    def choose_time() -> str:
        return next_legal_time(datetime.now(PARIS)).isoformat()

    SMSPartnerSendOperator(
        task_id="send",
        recipients=["+33639980000", "+33639980001"],
        message="The spring sale has begun: 20 percent off until Sunday.",
        tag="spring-sale",
        scheduled_at=choose_time(),
        stop_notice=True,  # commercial SMS must say how to answer STOP
        retries=2,
    )


smspartner_legal_hours()
