"""The table of what a send meets: what happens, how many SMS leave, and how each try ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from faults.arranged import (
    connecting_hangs,
    expired,
    no_handshake,
    nobody_listens,
    unknown_authority,
    wrong_host,
)
from faults.outcome import raises
from faults.played import Played
from loopback import SILENCE, alert, close, receive_and_reset, say_nothing, speak_plainly
from sending.ways import Ending

from airflow_provider_smspartner.exceptions import (
    SMSPartnerAmbiguousSendError,
    SMSPartnerCredentialsError,
    SMSPartnerCreditError,
    SMSPartnerError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)

SENT = Ending(3, accepted=3)
ADOPTED = Ending(0, accepted=3)
GIVES_UP = Ending(0, outcome=raises(SMSPartnerUnavailableError, tries=2))
AMBIGUOUS = Ending(0, outcome=raises(SMSPartnerAmbiguousSendError))
NOBODY = Ending(0, outcome=raises(SMSPartnerRequestError))


@dataclass(frozen=True, kw_only=True)
class Row(Played):
    """
    What a send of three SMS in one call meets. All ways to send end alike.

    The fault is played at the first request; with `lasts` at all of them, until the first try has ended.

    :param endings: how the first try and the next one end.
    :param lasts: whether the fault lasts.
    :param extra: the connection's extra.
    """

    endings: Sequence[Ending]
    lasts: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


def unsent(happens: str, play: str, **more: Any) -> Row:
    """Nothing can have been sent: it is tried again, at once and by Airflow."""
    return Row(happens=happens, play=play, endings=[GIVES_UP, SENT], lasts=True, **more)


def lost(happens: str, play: str, **more: Any) -> list[Row]:
    """It is unknown what the vendor has done: it is played before and after it has sent the SMS."""
    one, *others = play.partition(" for ")
    after = "".join([f"{one}.after_processing()", *others])
    left = Ending(3, outcome=AMBIGUOUS.outcome)
    return [
        Row(happens=f"{happens}; nothing was sent", play=play, endings=[AMBIGUOUS, AMBIGUOUS], **more),
        Row(happens=f"{happens}; all was sent", play=after, endings=[left, AMBIGUOUS], **more),
    ]


def refused(happens: str, play: str, error: type[SMSPartnerError]) -> Row:
    """The vendor refuses: nothing was sent."""
    return Row(happens=happens, play=play, endings=[Ending(0, outcome=raises(error)), SENT])


SHORT = {"timeout": SILENCE}
A_SERVER = "# a server that answers so where TLS begins"

CONNECTING = [
    unsent("Nobody listens: the connection is refused", "with double.down(): ...", arrange=nobody_listens),
    unsent(
        "Connecting hangs: the time is up before there is a connection",
        "# a server that accepts no connection",
        arrange=connecting_hangs,
        extra=SHORT,
    ),
    unsent(
        "TLS: the certificate has expired",
        "SMSPartnerDouble(ssl_context=...)  # a certificate of yesterday",
        arrange=expired,
    ),
    unsent(
        "TLS: the certificate is for another host",
        "SMSPartnerDouble(ssl_context=...)  # a certificate for 192.0.2.1",
        arrange=wrong_host,
    ),
    unsent(
        "TLS: the certificate is from an unknown authority",
        "SMSPartnerDouble(ssl_context=...)  # any certificate, and no REQUESTS_CA_BUNDLE",
        arrange=unknown_authority,
    ),
    unsent("TLS: the server closes the connection", A_SERVER, arrange=no_handshake(close)),
    unsent("TLS: the server resets the connection", A_SERVER, arrange=no_handshake(receive_and_reset)),
    unsent("TLS: the server refuses the handshake", A_SERVER, arrange=no_handshake(alert)),
    unsent("TLS: the server speaks plain HTTP", A_SERVER, arrange=no_handshake(speak_plainly)),
    unsent("TLS: the server says nothing", A_SERVER, arrange=no_handshake(say_nothing), extra=SHORT),
]

NO_ANSWER = [
    Row(
        happens="The connection is reset before the request was read",
        play="Fault.reset_unread()",
        endings=[AMBIGUOUS, AMBIGUOUS],
    ),
    *lost("The connection is reset before an answer", "Fault.reset()"),
    *lost("The connection is reset in the middle of the answer", "Fault.reset_in_body()"),
    *lost("The connection is closed without an answer", "Fault.hang(0)"),
    *lost("Nothing comes: the time is up before an answer", "Fault.hang(60)", extra=SHORT),
    *lost(
        "Nothing more comes: the time is up in the middle of the answer",
        "Fault.hang_in_body(60)",
        extra=SHORT,
    ),
    *lost("The answer is cut", "Fault.truncated()"),
    *lost("What answers does not speak HTTP", r'Fault.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")'),
]

ANSWERS = [
    *lost("HTTP 200, and a page", "Fault.html()"),
    *lost("HTTP 200, and nothing", 'Fault.body(b"")'),
    *lost(
        "HTTP 200, and a success without a message id, as the gateway once answered to everything",
        "Fault.fake_success()",
    ),
    *lost("HTTP 403, and a page", "Fault.html(403)"),
    *lost(
        "A redirect", 'Fault.redirect("https://example.com/", status) for status in (301, 302, 303, 307, 308)'
    ),
    *lost("HTTP 502", "Fault.status(502)"),
    *lost("HTTP 503, with a time after which to try again", "Fault.status(503, retry_after=0)"),
    *lost("Any other HTTP 5xx", "Fault.status(status) for status in (500, 504, 520, 599)"),
    *lost(
        "HTTP 5xx with a code that refuses", "Fault.error(code, http_status=500) for code in (10, 11, 14, 44)"
    ),
    *lost(
        "Code 500: trouble with the vendor's queue",
        "Fault.error(500, shape=shape, http_status=status) for shape in (1, 2, 3, 4) for status in (200, 400)",
    ),
    *lost(
        "JSON without a code that the vendor documents for sending, with HTTP 200 or 4xx",
        "Fault.error(code, http_status=status) "
        "for code in (None, 4, 999) for status in (200, 400, 401, 404, 408, 409, 499)",
    ),
    *lost(
        "A refusal for lack of credit that has a message id",
        """Fault.body(b'{"success":false,"code":11,"message_id":307}', status=status) for status in (200, 429)""",
    ),
]

REFUSALS = [
    Row(
        happens="HTTP 429 once",
        play="Fault.status(429), Fault.status(429, retry_after=0.1), Fault.error(429, http_status=429)",
        endings=[SENT, ADOPTED],
    ),
    unsent("HTTP 429 for ever", "Fault.status(429), Fault.html(429)"),
    refused(
        "The key is wrong, or the account is refused",
        "Fault.error(code) for code in (1, 10, 20, 30, 40, 96)",
        SMSPartnerCredentialsError,
    ),
    refused(
        "There is no credit left", "Fault.error(11), Fault.error(11, http_status=400)", SMSPartnerCreditError
    ),
    refused(
        "The request is refused",
        "Fault.error(code, http_status=400) for code in (9, 22, 44, 52, 992)",
        SMSPartnerRequestError,
    ),
    Row(
        happens="All numbers are refused",
        play="Fault.error(code, shape=shape) for code in (13, 14, 55) for shape in (1, 4)",
        endings=[NOBODY, NOBODY],
    ),
]

NOTHING = [Row(happens="Nothing fails", play="Fault.headers({})", endings=[SENT, ADOPTED])]

TABLE = {
    "No fault": NOTHING,
    "There is no connection": CONNECTING,
    "There is no answer": NO_ANSWER,
    "The answer leaves open what was done": ANSWERS,
    "The answer says that nothing was sent": REFUSALS,
}
