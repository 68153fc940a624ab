"""What must hold of every value and of every error, whatever came in."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from traceback import format_exception
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus, urlencode

from airflow_provider_smspartner.exceptions import SMSPartnerError

MAX_ERROR_LENGTH = 1_500
"""The longest errors name twenty columns of a file, of forty characters each."""

_EXAMPLES = ("(+33612345678)", "Use 06…")
_PUNCTUATION = re.compile(r"[ ./()-]")
_DIGITS = re.compile(r"\d{9}")
"""A French number has nine digits besides its prefix; no figure that an error names has more than eight."""


# Every form of the key differs from the others.
KEY = 'k+/=&é"secret%20'
VENDOR_TEXT = "Clé API incorrecte"
URL = f"https://api.smspartner.fr/v1/me?{urlencode({'apiKey': KEY})}"
_SECRETS = {
    *(KEY, quote(KEY, safe=""), quote(KEY, safe="").lower(), quote_plus(KEY), quote_plus(KEY).lower()),
    *(json.dumps(KEY)[1:-1], json.dumps(KEY, ensure_ascii=False)[1:-1], repr(KEY)[1:-1]),
    *("apiKey=", VENDOR_TEXT),
}


class FindingError(AssertionError):
    """The package did what it must never do."""


def expect(holds: object, otherwise: str) -> None:
    """
    Raise a finding unless something holds.

    :param holds: what must be true.
    :param otherwise: what is wrong if it is not.
    """
    if not holds:
        raise FindingError(otherwise)


def check_text(text: str, *, place: str = "") -> None:
    """
    Check what an error tells.

    :param text: its text.
    :param place: what it may name whole: the path of the file that it is about.
    """
    expect(0 < len(text) <= MAX_ERROR_LENGTH, f"an error's text has {len(text)} characters")
    if place:
        expect(place in text, "an error does not name the file")
        text = text.replace(place, "")
    for example in _EXAMPLES:
        text = text.replace(example, "")
    expect(
        not any(secret in text for secret in _SECRETS),
        "an error's text may hold the key, or the vendor's words",
    )
    expect(not _DIGITS.search(_PUNCTUATION.sub("", text)), "an error's text may hold a phone number")


def check_error(error: SMSPartnerError, *, place: str = "", may_suppress: bool = False) -> None:
    """
    Check an error, wherever Python would show words of it.

    :param error: what was raised.
    :param place: as for `check_text`.
    :param may_suppress: whether another error may stand behind it, as long as Python does not show it.
    """
    check_text(str(error), place=place)
    check_text(repr(error.args), place=place)
    # The lines of source in a traceback are ours, and may name files.
    shown = "".join(line for line in format_exception(error) if not line.startswith("  "))
    expect(
        not any(secret in shown for secret in _SECRETS), "a traceback holds the key, or the vendor's words"
    )
    expect(error.__cause__ is None, "an error has a cause")
    hidden = error.__context__ is None or (may_suppress and error.__suppress_context__)
    expect(hidden, "an error has a context")


UNREADABLE: Any = object()
"""What `json_value` returns for what is no JSON."""

TOO_LARGE: Any = object()
"""What `json_value` returns for JSON that Python's own library does not read: nested too deeply."""

_MARK = b"\xef\xbb\xbf"
_LARGE = 10**400


def json_value(body: bytes) -> Any:
    """
    Return what Python's own library reads, more strictly than by itself: no NaN, no Infinity.

    :param body: with or without a byte order mark; bytes that are no UTF-8 are replaced.
    """
    try:
        text = body.removeprefix(_MARK).decode("utf-8", "replace")
        return json.loads(text, parse_constant=_refuse, parse_int=_integer)
    except RecursionError:
        return TOO_LARGE
    except ValueError:
        return UNREADABLE


def names_a_member_twice(body: bytes) -> bool:
    """Return whether some object of a JSON text has two members of one name, which may be read as either."""
    found: list[bool] = []

    def note(members: list[tuple[str, Any]]) -> None:
        found.append(len({name for name, _ in members}) < len(members))

    text = body.removeprefix(_MARK).decode("utf-8", "replace")
    with suppress(ValueError, RecursionError):
        json.loads(text, object_pairs_hook=note, parse_int=_integer)
    return any(found)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _integer(digits: str) -> int:
    # Python refuses to read integers of thousands of digits.
    return int(digits) if len(digits) <= 400 else _LARGE
