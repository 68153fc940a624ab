"""JSON that must be read, JSON that must be refused, and JSON that may end either way: made here, by RFC 8259."""

from __future__ import annotations

from collections.abc import Iterator

_Cases = Iterator[tuple[str, bytes]]


def valid() -> _Cases:
    """Yield values that every parser must read: the name of each, and its bytes."""
    for number in (
        "0",
        "-0",
        "1",
        "-1",
        "10",
        "0.5",
        "-0.0",
        "1.25",
        "1e5",
        "1E5",
        "1e+5",
        "1e-5",
        "0e1",
        "1.5E-10",
    ):
        yield f"number {number}", number.encode()
    for literal in (
        "true",
        "false",
        "null",
        "[]",
        "{}",
        '""',
        '[""]',
        '{"":0}',
        "[[],{}]",
        '{"a":{"b":[1]}}',
    ):
        yield literal, literal.encode()
    for sign in r'"\/bfnrt':
        yield f"escape {sign}", rf'"\{sign}"'.encode()
    for code in ("0000", "0022", "005C", "00e9", "00E9", "2028", "FFFF", "fffe", "007f"):
        yield f"escape u{code}", rf'"\u{code}"'.encode()
    for pair in (r"\ud83d\ude00", r"\uD800\uDC00", r"\uDBFF\uDFFF"):
        yield f"surrogates {pair}", f'"{pair}"'.encode()
    for character in (
        "é",
        "\u2028",
        "\u2029",
        "\ufeff",
        "\ufffe",
        "\uffff",
        "😀",
        "\U0010ffff",
        "\x7f",
        "\x80",
        "\u200b",
    ):
        yield f"character U+{ord(character):04X}", f'"{character}"'.encode()
    for space in (" ", "\t", "\n", "\r", " \r\n\t "):
        yield f"space {space!r}", f"{space}[{space}1{space},{space}2{space}]{space}".encode()
    for depth in (1, 10, 100, 400):
        yield f"arrays {depth} deep", b"[" * depth + b"]" * depth
        yield f"objects {depth} deep", b'{"a":' * depth + b"1" + b"}" * depth
    yield "many members", b"{" + b",".join(b'"m%d":%d' % (n, n) for n in range(2_000)) + b"}"
    yield "a long text", b'"' + b"x" * 50_000 + b'"'
    yield "a long array", b"[" + b",".join([b"0"] * 20_000) + b"]"


def invalid() -> _Cases:
    """Yield what no parser may read."""
    for text in (
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "inf",
        "undefined",
        "None",
        "True",
        "TRUE",
        "nul",
        "tru",
        "nulll",
    ):
        yield f"word {text}", text.encode()
    for text in (
        *(
            "01",
            "-01",
            "00",
            "+1",
            "-",
            "--1",
            "1.",
            ".5",
            "-.5",
            "1.e5",
            "1e",
            "1e+",
            "1E-",
            "0x1F",
            "1_000",
            "1 000",
        ),
        *("1.2.3", "1e5e5", "1e1.5", "0b1", "1,5", "１", "1a", "-a", "1f", "1L", "Infinity1"),  # noqa: RUF001
    ):
        yield f"number {text}", text.encode()
    for text in (
        *(
            "[1,]",
            "[,1]",
            "[,]",
            "[1,,2]",
            "[1 2]",
            "[1",
            "[",
            "]",
            "[1]]",
            "[1:2]",
            "[1;2]",
            "(1)",
            "[1}",
            "{]",
        ),
        *(
            '{"a":1,}',
            '{,"a":1}',
            '{"a"}',
            '{"a":}',
            "{:1}",
            '{"a":1',
            '{"a"',
            "{",
            "}",
            '{"a":1}}',
            '{"a" 1}',
            "{a:1}",
        ),
        *(
            "{'a':1}",
            "{1:1}",
            "{null:1}",
            '{"a":1 "b":2}',
            '{"a":1,,"b":2}',
            '{"a"::1}',
            '{"a","b"}',
            '{"a":1;"b":2}',
        ),
        *(
            '"',
            '"a',
            "'a'",
            '"a""b"',
            '"\\"',
            '"\\',
            '"\\a"',
            '"\\x41"',
            '"\\u"',
            '"\\u12"',
            '"\\u12g4"',
            '"\\U0041"',
        ),
        *(
            "/*c*/1",
            "1//c",
            "#c",
            "1#",
            "<html>",
            "",
            " ",
            "\n",
            "\ufeff\ufeff1",
            "1 2",
            "[] []",
            "{}{}",
            "*",
            "`a`",
        ),
    ):
        yield f"text {text!r}", text.encode()
    for number in range(0x20):
        yield f"control U+{number:04X} in a text", b'"a%cb"' % number
    for space in ("\v", "\f", "\0", "\u00a0", "\u2028", "\u3000", "\u200b", "\x85"):
        yield f"space {space!r}", f"[{space}1]".encode()
    for whole in (b'{"a": [1, "b\\u00e9", -1.5e3, true, null]}',):
        for end in range(1, len(whole)):
            yield f"cut after {end} bytes", whole[:end]
    yield "arrays that do not close", b"[" * 50_000
    yield "objects that do not close", b'{"a":' * 50_000
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        yield encoding, '{"a": 1}'.encode(encoding)


def either() -> _Cases:
    """Yield what parsers may read or refuse: RFC 8259 leaves it to them, or it is JSON but for its bytes."""
    for surrogate in (
        r"\ud800",
        r"\udc00",
        r"\ud800\ud800",
        r"\udc00\ud800",
        r"\ud800a",
        r"\ud800\u0061",
        r"\udfff\n",
    ):
        yield f"lone surrogate {surrogate}", f'"{surrogate}"'.encode()
    for number in (
        "1e999",
        "-1e999",
        "1e-999",
        "1" * 400,
        "-" + "9" * 5_000,
        "0." + "1" * 5_000,
        "1e" + "9" * 50,
    ):
        yield f"number of {len(number)} characters, {number[:6]}", number.encode()
    for name, raw in {
        "a lone continuation byte": b"\x80",
        "a lead byte alone": b"\xc3",
        "an overlong slash": b"\xc0\xaf",
        "an overlong NUL": b"\xe0\x80\x80",
        "a surrogate in UTF-8": b"\xed\xa0\x80",
        "beyond Unicode": b"\xf4\x90\x80\x80",
        "five bytes": b"\xf8\x88\x80\x80\x80",
        "0xFE": b"\xfe",
        "0xFF": b"\xff",
        "Latin-1": b"num\xe9ro",
    }.items():
        yield name, b'"' + raw + b'"'
        yield f"{name} in a name", b'{"' + raw + b'":1}'
    yield "a member that stands twice", b'{"a":1,"a":2}'
    for depth in (600, 1_000, 5_000, 100_000):
        yield f"arrays {depth} deep", b"[" * depth + b"]" * depth
        yield f"objects {depth} deep", b'{"a":' * depth + b"1" + b"}" * depth
