"""Inputs made of others: of their bytes, and of what they mean as JSON. One random source makes the same ones again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from fuzz.oracles import KEY, URL, VENDOR_TEXT

_NAMES = (
    *(
        "success",
        "code",
        "message",
        "errors",
        "error",
        "StatutResponse_List",
        "total",
        "currentPage",
        "credits",
    ),
    *("nbData", "data", "message_id", "nbSMS", "cost", "currency", "SMSResponse_List"),
    *("phoneNumber", "messageId", "status", "date", "stopSms", "stopSMS", "isSpam", "createdAt", "nbSms"),
    *("balance", "creditSms"),
)

_PUNCTUATION = (b"{", b"}", b"[", b"]", b",", b":", b'"', b'""', b",,,", b";", b"\t", b"\n", b"\r\n", b"\r")
_CHARACTERS = (b"\\", b"\\u", b"\\ud83d", b"\\udc00", b"\0", b"\x1e", b"\x7f", b"\xe2\x80\xa8")
_BAD_UTF_8 = (b"\x80", b"\xc3", b"\xff", b"\xed\xa0\x80")
_MARKS = (b"\xfe\xff", b"\xef\xbb\xbf", b"\x1f\x8b\x08\0", b"PAR1", b"sep=;\n")
_JSON_VALUES = (b"true", b"false", b"null", b"NaN", b"Infinity", b"-", b"-0", b"1e999", b"0.1")
_LONG = (b"1" * 30, b"1" * 5_000, b"[" * 1_500, b'{"a":' * 1_500)
_OF_MESSAGES = (b"phone_number", b"message_id", b"+33699999993", b"0612345678", b"Delivered", b"Waiting")
_TOKENS = (
    *_PUNCTUATION,
    *_CHARACTERS,
    *_BAD_UTF_8,
    *_MARKS,
    *_JSON_VALUES,
    *_LONG,
    *_OF_MESSAGES,
    *(name.encode() for name in _NAMES),
)

_NUMBERS = (0, 1, 2, 4, 10, 55, 200, 429, 500, -1, 2.5, 10**9, 2**63, 2**64, 10**300, 1e308)
_DIGITS = ("0", "1", "4", "9", "١٢٣", "²")
_STATUSES = ("Delivered", "delivered", "Waiting", "ko", "Numéro introuvable")
_PHONE_NUMBERS = ("+33699999993", "0699999993", "33699999993", 33699999993)
_MESSAGE_IDS = (111111, "111111", "x-2")
_DATES = ("1517934416", 1517934416, "2018-02-06 17:26:56", "2018-02-06T17:26:56+25:00", "99999999999999")
_TEXTS = ("", "\0", "é", "😀", "\ud800", "x" * 300, KEY, URL, VENDOR_TEXT)
_LEAVES: tuple[Any, ...] = (
    *(None, True, False),
    *_NUMBERS,
    *_DIGITS,
    *_STATUSES,
    *_PHONE_NUMBERS,
    *_MESSAGE_IDS,
    *_DATES,
    *_TEXTS,
    *([], {}, [[]], [{}], {"code": "9"}, {"message": "NOCREDITS"}),
)
_MAX_BYTES = 8_192


def mutate(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """
    Return an input made of another.

    :param data: the input.
    :param random: what it is made with.
    :param others: inputs to take parts of.
    """
    for _ in range(random.choice((1, 1, 1, 2, 2, 4))):
        data = (_in_json(data, random) if random.random() < 0.5 else None) or _in_bytes(data, random, others)
    return data[:_MAX_BYTES]


def _in_bytes(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at = random.randint(0, len(data))
    end = min(len(data), at + random.choice((1, 1, 2, 4, 8, 16, 64)))
    head, part, tail = data[:at], data[at:end], data[end:]
    match random.randrange(8):
        case 0 if part:
            new = bytes([part[0] ^ (1 << random.randrange(8))]) + part[1:]
        case 1:
            new = random.randbytes(len(part))
        case 2:
            new = b""
        case 3:
            new = part + part * random.choice((1, 1, 3, 40))
        case 4:
            new = tail = b""
        case 5 if others:
            other = random.choice(others)
            new, tail = other[random.randint(0, len(other)) :], b""
        case 6:
            new = random.choice(_TOKENS)
        case _:
            new = random.choice(_TOKENS) + part
    return head + new + tail


def _in_json(data: bytes, random: Random) -> bytes | None:
    """Change one of the JSON values in an input, or return None if there is none."""
    # Choices of the target stand before it; lines and pages are values of their own.
    for separator in (b"\x1e", b"\n"):
        if separator in data:
            break
    parts = data.split(separator)
    number = random.randrange(len(parts))
    begin = min((at for at in map(parts[number].find, (b"{", b"[")) if at >= 0), default=-1)
    if begin < 0:
        return None
    try:
        value = json.loads(parts[number][begin:])
    except (ValueError, RecursionError):
        return None
    changed = _changed(value, random)
    text = json.dumps(changed, ensure_ascii=random.random() < 0.5).encode("utf-8", "replace")
    if random.random() < 0.1:
        # A member that stands twice, which no dict can have.
        text = text.replace(b"{", b'{"%b":%b,' % _member(random), 1).replace(b",}", b"}")
    parts[number] = parts[number][:begin] + text
    return separator.join(parts)


def _member(random: Random) -> tuple[bytes, bytes]:
    return random.choice(_NAMES).encode(), json.dumps(random.choice(_LEAVES)).encode()


def _changed(value: Any, random: Random, depth: int = 0) -> Any:
    if not (isinstance(value, dict | list) and value) or (depth and random.random() < 0.2):
        return random.choice(_LEAVES)
    if isinstance(value, dict):
        return _changed_object(value, random, depth)
    at, kind = random.randrange(len(value)), random.randrange(5)
    if kind == 0:
        return [*value, random.choice((value[at], random.choice(_LEAVES)))]
    inner = [] if kind == 1 else [_changed(value[at], random, depth + 1)]
    return [*value[:at], *inner, *value[at + 1 :]]


def _changed_object(value: dict[str, Any], random: Random, depth: int) -> dict[str, Any]:
    name, kind = random.choice(list(value)), random.randrange(6)
    if kind == 0:
        return {key: each for key, each in value.items() if key != name}
    if kind == 1:
        return {**value, random.choice(_NAMES): random.choice(_LEAVES)}
    if kind == 2:
        return {(random.choice(_NAMES) if key == name else key): each for key, each in value.items()}
    return {**value, name: _changed(value[name], random, depth + 1)}
