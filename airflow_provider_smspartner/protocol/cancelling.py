"""Cancelling a send that is scheduled for later [cancel]."""

from __future__ import annotations

from typing import Any

import msgspec

from airflow_provider_smspartner.exceptions import SMSPartnerNotFoundError, SMSPartnerRequestError
from airflow_provider_smspartner.models import to_message_id
from airflow_provider_smspartner.protocol.answers import Envelope, describe_codes, read_envelope, unavailable
from airflow_provider_smspartner.protocol.codes import ALREADY_CANCELLED, CANCEL, OK
from airflow_provider_smspartner.protocol.exchange import Answer, Call, Request
from airflow_provider_smspartner.protocol.rows import MAX_CODE, to_int

# Words of the vendor decide nothing else: they come in French and in English. But a cancel's success has only these,
# and the gateway that once answered success to everything used the same ones each time [observed].
_FAKE_SUCCESS = "Request queued for processing"


class CancelAnswer(Envelope):
    """An answer about a cancelled send, and members by which the answer to another call is recognised."""

    message: Any = None
    rows: Any = msgspec.field(default=msgspec.UNSET, name="StatutResponse_List")
    data: Any = msgspec.UNSET
    credits: Any = msgspec.UNSET
    message_id: Any = msgspec.UNSET


_decoder = msgspec.json.Decoder(CancelAnswer)


def cancel(message_id: object) -> Call[None]:
    """
    Return the call that cancels a scheduled send, for all of its recipients [cancel].

    It may be repeated: what is cancelled already stays so, and counts as a success.

    :param message_id: what the send was answered.
    :raises SMSPartnerInputError: if it is no message id.
    """
    request = Request("GET", "/message-cancel", {"messageId": to_message_id(message_id)}, may_repeat=True)
    return Call(request, _read_cancel)


def _read_cancel(answer: Answer) -> None:
    try:
        envelope = read_envelope(answer, _decoder, CANCEL)
    except SMSPartnerRequestError as error:
        if error.code != ALREADY_CANCELLED:
            raise
        return
    except SMSPartnerNotFoundError as error:
        unknown = _unknown(error)
    else:
        _check_success(answer, envelope)
        return
    raise unknown  # raised here, so that the other is not its context


def _check_success(answer: Answer, envelope: CancelAnswer) -> None:
    # A success names neither the message nor anything else that only this call can answer: another gateway's success
    # cannot be told from it by its members.
    if envelope.message == _FAKE_SUCCESS:
        raise unavailable(answer, "it claims success without saying that a message was cancelled")
    if any(
        member is not msgspec.UNSET
        for member in (envelope.rows, envelope.data, envelope.credits, envelope.message_id)
    ):
        raise unavailable(answer, "it is the answer to another call")
    if to_int(envelope.code, at_most=MAX_CODE) not in {OK, ALREADY_CANCELLED}:
        raise unavailable(answer, f"it claims success without the code {OK}")


def _unknown(error: SMSPartnerNotFoundError) -> SMSPartnerNotFoundError:
    return SMSPartnerNotFoundError(
        "SMS Partner does not know the message that it was asked to cancel "
        f"{describe_codes(error.code, error.http_status)}. Check the message id: it is the one that the send gave.",
        code=error.code,
        http_status=error.http_status,
    )
