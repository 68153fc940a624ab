"""The error tree, as the contract and its docstring draw it."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_smspartner import exceptions
from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerCredentialsError,
    SMSPartnerCreditError,
    SMSPartnerDeliveryRateError,
    SMSPartnerError,
    SMSPartnerIncompleteError,
    SMSPartnerInputError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)

NEVER_RETRIED = [
    SMSPartnerCredentialsError,
    SMSPartnerRequestError,
    SMSPartnerDeliveryRateError,
    SMSPartnerInputError,
    SMSPartnerAmbiguousSendError,
]
RETRIED = [
    SMSPartnerNotFoundError,
    SMSPartnerUnavailableError,
    SMSPartnerIncompleteError,
    SMSPartnerCreditError,
]


@pytest.mark.parametrize("error_type", [*NEVER_RETRIED, *RETRIED])
def test_every_error_is_an_smspartner_error(error_type: type[SMSPartnerError]) -> None:
    assert SMSPartnerError in error_type.__bases__
    assert issubclass(error_type, AirflowException)
    assert error_type.__name__ in (exceptions.__doc__ or "")


@pytest.mark.parametrize("error_type", [*NEVER_RETRIED, *RETRIED])
def test_airflow_fails_the_task_at_once_for_what_no_retry_mends(error_type: type[SMSPartnerError]) -> None:
    assert issubclass(error_type, AirflowFailException) is (error_type in NEVER_RETRIED)


def test_there_are_no_others() -> None:
    assert set(SMSPartnerError.__subclasses__()) == {*NEVER_RETRIED, *RETRIED}


def test_facts_are_null_where_there_are_none() -> None:
    error = SMSPartnerError("text")

    assert (str(error), error.code, error.http_status) == ("text", None, None)
    assert tuple(error.receipts) == ()


def with_receipts(error: SMSPartnerError) -> SMSPartnerError:
    error.receipts = ["a receipt"]
    return error


@pytest.mark.parametrize("renewed", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301
@pytest.mark.parametrize(
    "error",
    [
        SMSPartnerCredentialsError("text", code=10, http_status=200),
        SMSPartnerUnavailableError("text", code=500, http_status=503, retry_after="7"),
        SMSPartnerIncompleteError("text", expected=10, received=4),
        with_receipts(SMSPartnerAmbiguousSendError("text", http_status=502)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_facts_survive_copies(error: SMSPartnerError, renewed: object) -> None:
    assert callable(renewed)
    twin = renewed(error)

    assert type(twin) is type(error)
    assert (twin.args, vars(twin)) == (error.args, vars(error))


def test_the_core_can_be_imported_before_airflow() -> None:
    # Airflow 3.3 reads every provider's metadata while it is imported itself, and so imports this package again.
    code = "import airflow_provider_smspartner.protocol"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
