"""The table of faults: what happens, how the double plays it, and how each reader ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faults.arranged import expired, nobody_listens, unknown_authority, wrong_host
from faults.outcome import Outcome, raises, rows, waits_then_rows
from faults.played import Played
from faults.readers import OPERATORS, What
from loopback import SILENCE

from airflow_provider_smspartner.exceptions import (
    SMSPartnerCredentialsError,
    SMSPartnerIncompleteError,
    SMSPartnerInputError,
    SMSPartnerNotFoundError,
    SMSPartnerRequestError,
    SMSPartnerUnavailableError,
)


@dataclass(frozen=True, kw_only=True)
class Row(Played):
    """
    A fault, and how each reader ends that meets it.

    Operators meet it for ever, the sensor at its first requests only: then the API behaves again. The sensor's three
    modes have one ending, for they end alike.

    :param by_tag: how the operator by tag ends, None where the fault does not concern it.
    :param by_list: how the operator by list ends, None where the fault does not concern it.
    :param sensor: how the sensor ends.
    :param awaited: what the sensor waits for.
    :param extra: the connection's extra.
    :param total_seconds: what all tries of a request may take together.
    :param is_bomb: whether it aims at memory, which is then measured.
    """

    by_tag: Outcome | None
    by_list: Outcome | None
    sensor: Outcome
    awaited: What = "tag"
    extra: Mapping[str, Any] = field(default_factory=dict)
    total_seconds: float = 5.0
    is_bomb: bool = False

    def ending(self, reader: str) -> Outcome | None:
        """Return how a reader ends, None where the fault does not concern it."""
        return (
            {"by tag": self.by_tag, "by list": self.by_list}[reader] if reader in OPERATORS else self.sensor
        )


ALL = rows(Delivered=3)
LATER = waits_then_rows(Delivered=3)
GIVES_UP = raises(SMSPartnerUnavailableError, tries=2)
TOO_LARGE = raises(SMSPartnerUnavailableError)  # at once: it would be as large again
CREDENTIALS = raises(SMSPartnerCredentialsError)
REQUEST = raises(SMSPartnerRequestError)
INCOMPLETE = raises(SMSPartnerIncompleteError)


def passing(happens: str, play: str, **more: Any) -> Row:
    """Trouble that may pass: operators give up, the sensor goes on to wait."""
    given = {"by_tag": GIVES_UP, "by_list": GIVES_UP, "sensor": LATER, **more}
    return Row(happens=happens, play=play, **given)


def final(happens: str, play: str, ending: Outcome) -> Row:
    """Refusals that no retry mends: every reader ends at once."""
    return Row(happens=happens, play=play, by_tag=ending, by_list=ending, sensor=ending)


def harmless(happens: str, play: str, **more: Any) -> Row:
    """Oddities that change nothing."""
    return Row(happens=happens, play=play, by_tag=ALL, by_list=ALL, sensor=ALL, **more)


def of_pages(happens: str, play: str, operator: Outcome, sensor: Outcome = LATER) -> Row:
    """Faults of a tag's pages, which a list has not."""
    return Row(happens=happens, play=play, by_tag=operator, by_list=None, sensor=sensor)


def of_rows(
    happens: str, play: str, by_tag: Outcome | None, by_list: Outcome, sensor: Outcome = LATER, **more: Any
) -> Row:
    """Faults of rows, which matter most where a list is waited for."""
    given = {"by_tag": by_tag, "by_list": by_list, "sensor": sensor, **more}
    return Row(happens=happens, play=play, awaited="list", **given)


SHORT = {"timeout": SILENCE}
OUT_OF_TIME = raises(SMSPartnerUnavailableError, is_out_of_time=True)

NETWORK = [
    passing("Nobody listens: the connection is refused", "with double.down(): ...", arrange=nobody_listens),
    passing(
        "The connection is reset, before an answer or in the body", "Fault.reset(), Fault.reset_in_body()"
    ),
    passing("The connection is closed, without an answer or in the body", "Fault.hang(0), Fault.truncated()"),
    passing("Nothing comes: the vendor hangs before its answer", "Fault.hang(3600)", extra=SHORT),
    passing("Nothing more comes: the vendor hangs in the body", "Fault.hang_in_body(3600)", extra=SHORT),
    passing(
        "The body drips, byte by byte, for ever",
        "Fault.drip()",
        by_tag=OUT_OF_TIME,
        by_list=OUT_OF_TIME,
        total_seconds=0.4,
    ),
    passing(
        "What answers does not speak HTTP",
        r'Fault.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), Fault.raw(b"\x16\x03\x01\x02\x00\x01\x00")',
    ),
    passing(
        "The chunks of the body have no valid size",
        r'Fault.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\n{}\r\n") '
        'for size in (b"-1", b"zz", b"F" * 18)',
    ),
    passing(
        "The certificate has expired",
        "SMSPartnerDouble(ssl_context=...)  # a certificate of yesterday",
        arrange=expired,
    ),
    passing(
        "The certificate is for another host",
        "SMSPartnerDouble(ssl_context=...)  # a certificate for 192.0.2.1",
        arrange=wrong_host,
    ),
    passing(
        "The certificate is from an unknown authority, such as one signed by itself",
        "SMSPartnerDouble(ssl_context=...)  # any certificate, and no REQUESTS_CA_BUNDLE",
        arrange=unknown_authority,
    ),
]

HTTP = [
    harmless(
        "Interim answers come first, up to 20",
        "Fault.interim(count, status=status) for count in (1, 20) for status in (100, 102, 103, 199)",
    ),
    passing(
        "More interim answers come, or no end of them",
        "Fault.interim(21), Fault.interim(10**9)",
        is_bomb=True,
    ),
    passing(
        "The vendor switches protocols",
        r'Fault.raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")',
        extra=SHORT,
    ),
    harmless(
        "After the answer come more bytes",
        r'Fault.trailing(), Fault.trailing(b"more"), Fault.trailing(b"\r\n")',
    ),
    passing(
        "An answer without a body",
        'Fault.body(b""), Fault.body(b"", status=204), Fault.body(b"", status=205)',
    ),
    passing(
        "A redirect, to somewhere or to nowhere",
        '*(Fault.redirect("https://example.com/", status) for status in (301, 302, 303, 307, 308)), '
        'Fault.redirect("", 301), Fault.redirect("http://[", 308)',
    ),
    passing(
        "429, without a Retry-After or with one that is kept to",
        "Fault.status(429), Fault.status(429, retry_after=0.1)",
    ),
    passing(
        "429 with a Retry-After beyond the longest that is kept to",
        'Fault.status(429, retry_after=after) for after in (10**9, "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT")',
    ),
    passing(
        "429 with a Retry-After that says nothing",
        "Fault.status(429, retry_after=after) for after in "
        '(-5, 0, "soon", "", "nan", "inf", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 99 Foo 9999 99:99:99 GMT")',
    ),
]

NOT_JSON = [
    passing(
        "An HTML page with 200, or other text that is not JSON",
        r'Fault.html(), Fault.body(b"OK"), Fault.body(b"\x00\xff\xfe"), Fault.body(b"{")',
    ),
    passing("JSON that is no object", 'Fault.body(b"[]"), Fault.body(b"null"), Fault.body(b"1")'),
    passing(
        "JSON in UTF-16 or UTF-32, or with bytes that are not UTF-8",
        """Fault.charset("utf-16"), Fault.charset("utf-32"), """
        r"""Fault.body(b'{"success":true,"code":200,"currentPage":1,"total":1,"StatutResponse_List":'
        b'[{"phoneNumber":"+33639980000","messageId":1001,"status":"D\xe9livr\xe9"}]}')""",
    ),
    harmless("JSON with a byte order mark", 'Fault.charset("utf-8-sig")'),
    passing(
        "A compression that nobody asked for, or a damaged one",
        r'Fault.raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: " + name + b"\r\nContent-Length: 2\r\n\r\n{}") '
        'for name in (b"br", b"gzip", b"gzip, gzip")',
    ),
    passing("Success without any data, as in July 2026", "Fault.fake_success()"),
]

STATUSES = [
    passing(
        "HTTP 401, 403, 404 or 5xx, not in JSON",
        "make(status) for status in (401, 403, 404, 500, 502, 503, 504, 599) for make in (Fault.status, Fault.html)",
    ),
    final(
        "HTTP 401 or 403 in any shape of an error",
        "Fault.error(None, shape=shape, http_status=status) for shape in (1, 2, 3, 4, 5) for status in (401, 403)",
        CREDENTIALS,
    ),
    final(
        "HTTP 404 in any shape of an error, without the code 4",
        "Fault.error(None, shape=shape, http_status=404) for shape in (1, 2, 3, 4, 5)",
        REQUEST,
    ),
    passing(
        "HTTP 500, 502, 503, 504 or 599 in any shape of an error",
        "*(Fault.error(None, http_status=status) for status in (500, 502, 503, 504, 599)), "
        "*(Fault.error(None, shape=shape, http_status=503) for shape in (2, 3, 4, 5))",
    ),
]

CODES = [
    final(
        "Refused credentials: codes 1, 10, 20, 30, 40, 96",
        "*(Fault.error(code) for code in (1, 10, 20, 30, 40, 96)), "
        "*(Fault.error(10, shape=shape, http_status=status) for shape in (1, 2, 3, 4) for status in (200, 400))",
        CREDENTIALS,
    ),
    final(
        "Refused requests: codes 2, 3, 5, 6, 9, 50, 90",
        "*(Fault.error(code) for code in (2, 3, 5, 6, 9, 50, 90)), "
        "*(Fault.error(9, shape=shape, http_status=status) for shape in (1, 2, 3, 4) for status in (200, 400))",
        REQUEST,
    ),
    Row(
        happens="Nothing is found: code 4 for the whole call",
        play="Fault.error(4, shape=shape, http_status=status) for shape in (1, 2, 3, 4) for status in (200, 404)",
        by_tag=raises(SMSPartnerNotFoundError),
        by_list=rows(Not_found=3),
        sensor=LATER,
    ),
    of_rows(
        "Nothing is found: code 4 for each message",
        'Fault.error(4, "Numéro introuvable", shape=5)',
        None,
        rows(Not_found=3),
    ),
    passing(
        "An error on the vendor's side: code 500, or one that no page of the vendor names, with HTTP 200",
        "*(Fault.error(500, shape=shape, http_status=status) for shape in (1, 2, 3, 4) for status in (200, 400, 500)), "
        "Fault.error(999)",
    ),
]

PAGES = [
    of_pages(
        "The first page comes again, as `page` is ignored",
        "Fault.ignore_page()",
        INCOMPLETE,
    ),
    of_pages(
        "A page repeats the one before, or begins with rows of it",
        "Fault.repeat_page(), Fault.sent_meanwhile(counted=False)",
        *(INCOMPLETE, ALL),
    ),
    of_pages(
        "The total changes from page to page, as SMS are sent under the tag",
        "Fault.sent_meanwhile(), Fault.drifting_total(1), Fault.drifting_total(-1)",
        *(INCOMPLETE, ALL),
    ),
    of_pages(
        "The total is no plausible number",
        'Fault.total(total) for total in ("many", -1, 10**9, None, 2.5, [], True)',
        GIVES_UP,
    ),
]

ROWS = [
    of_rows(
        "A row is missing", "Fault.rows(lambda rows: rows[1:])", INCOMPLETE, rows(Delivered=2, Not_found=1)
    ),
    of_rows("All rows are missing", "Fault.rows(lambda rows: [])", INCOMPLETE, rows(Not_found=3)),
    of_rows(
        "Rows that were not asked for come instead",
        'Fault.rows(lambda rows: [{**row, "phoneNumber": "+33639989999", "messageId": 5} for row in rows])',
        ALL,
        GIVES_UP,
    ),
    of_rows(
        "Rows that were not asked for come as well",
        'Fault.rows(lambda rows: [*rows, {**rows[0], "phoneNumber": "+33639989999", "messageId": 5}])',
        ALL,
        ALL,
        ALL,
    ),
    of_rows("Rows come twice", "Fault.rows(lambda rows: rows * 2)", rows(Delivered=4), ALL, ALL),
    harmless("Rows come in another order", "Fault.rows(lambda rows: rows[::-1])", awaited="list"),
    passing(
        "What names a message, or its status, has a wrong type",
        'Fault.field(name, wrong) for name in ("phoneNumber", "status") for wrong in ([], {}, True, 2.5)',
        awaited="list",
    ),
    harmless(
        "What only describes a message has a wrong type",
        'Fault.field(name, wrong) for name in ("date", "stopSms", "stopSMS", "isSpam") '
        'for wrong in ([], {}, True, 2.5, -1, "?" * 999, 10**400)',
        awaited="list",
    ),
    passing("A row is no object", 'Fault.rows(lambda rows: [*rows, "row"]), Fault.rows(lambda rows: [None])'),
    of_rows(
        "A status that no page of the vendor names",
        'Fault.field("status", "Teleported")',
        rows(Unknown=3),
        rows(Unknown=3),
        rows(Unknown=3),
    ),
]

BOMBS = [
    passing("The headers never end", "Fault.endless_headers()", is_bomb=True),
    passing(
        "The body never ends, or a small one becomes huge when it is decompressed",
        "Fault.endless_body(), Fault.gzip_bomb()",
        by_tag=TOO_LARGE,
        by_list=TOO_LARGE,
        is_bomb=True,
    ),
    passing(
        "JSON that is nested 100,000 deep, or has a number of a million digits",
        'Fault.nested(100_000), Fault.body(b"[" * 100_000), Fault.body(b\'{"more":\' * 100_000), '
        """Fault.body(b'{"success":true,"code":200,"currentPage":1,"total":' + b"9" * 10**6 + b"}")""",
        is_bomb=True,
    ),
    of_rows(
        "A message id of 4,000 digits", 'Fault.field("messageId", 10**4000)', ALL, GIVES_UP, is_bomb=True
    ),
    of_rows(
        "12,000 rows where 3 are right",
        "Fault.many_rows(12_000)",
        raises(SMSPartnerInputError),
        ALL,
        ALL,
        is_bomb=True,
    ),
    of_rows(
        "50,000 rows where 3 are right",
        "Fault.many_rows(50_000)",
        raises(SMSPartnerInputError),
        ALL,
        ALL,
        is_bomb=True,
    ),
]

TABLE = {
    "The way to the vendor": NETWORK,
    "HTTP": HTTP,
    "What comes instead of an answer": NOT_JSON,
    "HTTP statuses, with every shape of an error": STATUSES,
    "The vendor's codes": CODES,
    "Pages of a tag": PAGES,
    "Rows": ROWS,
    "Bombs": BOMBS,
}
