"""
What is told of a database's errors: never what the driver says, for it quotes rows, and rows hold phone numbers.

The driver's error is no cause or context of ours either, so that no log can follow the one to the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_smspartner.exceptions import SMSPartnerError

NOTHING_WRITTEN = "Nothing was written."
PERHAPS_WRITTEN = "Either all rows were written, or none. A retry writes them again."

P = ParamSpec("P")
R = TypeVar("R")

_IDENTIFIER = re.compile(r"[A-Za-z_]\w{0,127}", re.ASCII)
_SQLSTATE = re.compile(r"[0-9A-Z]{5}", re.ASCII)


def telling(doing: str, left: str = NOTHING_WRITTEN) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """
    Let no error of a driver out of a function, but one of ours that says what is safe to say.

    :param doing: what the function does, in words.
    :param left: what is left behind where it fails.
    """

    def decorated(action: Callable[P, R]) -> Callable[P, R]:
        @wraps(action)
        def told(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return action(*args, **kwargs)
            except AirflowException:  # Airflow's own, or already ours
                raise
            except Exception as error:  # noqa: BLE001 - drivers have errors of their own
                fault = f"{doing} failed: {described(error)}. {left}"
            # Outside of the handler: in it, Python would remember the driver's error as the context of ours.
            raise SMSPartnerError(fault)

        return told

    return decorated


def described(error: BaseException) -> str:
    """
    Return what an error is, by names and codes: none of its text.

    :param error: SQLAlchemy's or a driver's.
    """
    original: Any = getattr(error, "orig", None) or error
    facts = [type(original).__name__]
    # psycopg, psycopg2; MySQL's drivers give a number; sqlite3 a name.
    sqlstate = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if isinstance(sqlstate, str) and _SQLSTATE.fullmatch(sqlstate):
        facts.append(f"SQLSTATE {sqlstate}")
    number = original.args[0] if getattr(original, "args", ()) else None
    if isinstance(number, int):
        facts.append(f"error {number}")
    diagnosis = getattr(original, "diag", None)
    for name, value in (
        ("", getattr(original, "sqlite_errorname", None)),
        ("table ", getattr(diagnosis, "table_name", None)),
        ("column ", getattr(diagnosis, "column_name", None)),
        ("constraint ", getattr(diagnosis, "constraint_name", None)),
    ):
        if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
            facts.append(f"{name}{value}")
    return ", ".join(facts)
