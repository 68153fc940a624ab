"""The error tree, as the contract and its docstring draw it, and what may be imported before Airflow."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from combinations import pairs

from airflow_provider_smspartner import exceptions
from airflow_provider_smspartner.exceptions import SMSPartnerError

NEVER_RETRIED: set[type[SMSPartnerError]] = {
    exceptions.SMSPartnerCredentialsError,
    exceptions.SMSPartnerRequestError,
    exceptions.SMSPartnerDeliveryRateError,
    exceptions.SMSPartnerInputError,
    exceptions.SMSPartnerAmbiguousSendError,
}
RETRIED: set[type[SMSPartnerError]] = {
    exceptions.SMSPartnerNotFoundError,
    exceptions.SMSPartnerUnavailableError,
    exceptions.SMSPartnerIncompleteError,
    exceptions.SMSPartnerCreditError,
}


def test_airflow_fails_the_task_at_once_for_what_no_retry_mends() -> None:
    tree = {*SMSPartnerError.__subclasses__()}

    assert tree == NEVER_RETRIED | RETRIED
    assert {each for each in tree if issubclass(each, AirflowFailException)} == NEVER_RETRIED
    assert issubclass(SMSPartnerError, AirflowException)
    assert [each for each in tree if each.__name__ not in (exceptions.__doc__ or "")] == []


AMBIGUOUS = exceptions.SMSPartnerAmbiguousSendError("text", http_status=502)
AMBIGUOUS.receipts = ["a receipt"]


@pairs(
    error={
        "unavailable": exceptions.SMSPartnerUnavailableError(
            "text", code=500, http_status=503, retry_after="7"
        ),
        "incomplete": exceptions.SMSPartnerIncompleteError("text", expected=10, received=4),
        "ambiguous": AMBIGUOUS,
        "too many rows": exceptions.TooManyRowsError(10, 4),
    },
    renewed={"pickle": lambda error: pickle.loads(pickle.dumps(error)), "copy": copy.copy},  # noqa: S301
)
def test_facts_survive_copies(
    error: SMSPartnerError, renewed: Callable[[SMSPartnerError], SMSPartnerError]
) -> None:
    twin = renewed(error)

    assert type(twin) is type(error)
    assert (twin.args, vars(twin), twin.receipts) == (error.args, vars(error), error.receipts)


def test_the_core_can_be_imported_before_airflow_and_without_libphonenumber() -> None:
    # Airflow 3.3 reads every provider's metadata while it is imported itself, and so imports this package again.
    script = (
        "import sys\n"
        "import airflow_provider_smspartner.protocol\n"
        # Airflow up to 3.1 loads it by itself, for a type of SQLAlchemy-Utils that it does not use.
        "if 'phonenumbers' in sys.modules: sys.exit()\n"
        "from airflow_provider_smspartner.models import MessageRef\n"
        "for number in ('+33612345678', '06 12 34 56 78', '0690123456', '0033 6 12 34 56 78', '36200'):\n"
        "    try: MessageRef(number, 1)\n"
        "    except ValueError: pass\n"
        "assert 'phonenumbers' not in sys.modules\n"
        "MessageRef('+8613912345678', 1)\n"
        "assert 'phonenumbers' in sys.modules\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
