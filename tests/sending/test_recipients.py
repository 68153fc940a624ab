"""Who gets which text: read whole and checked before anything is sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_smspartner._sending.recipients import read_recipients
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

ANNE, BOB, CLEO = "+33639980001", "+33639980002", "+33639980003"


def read(recipients: object, message: str | None = None, **options: Any) -> dict[str, str]:
    return read_recipients(recipients, message, **{"unicode": False, "max_recipients": 10, **options})


def generator() -> Iterator[str]:
    yield from (ANNE, BOB)


@pytest.mark.parametrize(
    "recipients",
    [
        [ANNE, BOB],
        (ANNE, BOB),
        generator(),
        ["06 39 98 00 01", "+33 (0)6.39.98.00.02"],
        [{"phone_number": ANNE}, {"phoneNumber": BOB, "name": "Bob"}],
        [ANNE, BOB, ANNE, "0639980001"],
    ],
)
def test_one_text_for_all(recipients: object) -> None:
    assert list(read(recipients, "Hello").items()) == [(ANNE, "Hello"), (BOB, "Hello")]


@pytest.mark.parametrize(
    "recipients",
    [
        [(ANNE, "Hello Anne"), (BOB, "Hello Bob")],
        [[ANNE, "Hello Anne"], [BOB, "Hello Bob"]],
        [{"phone_number": ANNE, "message": "Hello Anne"}, {"phoneNumber": BOB, "message": "Hello Bob"}],
        [(ANNE, "Hello Anne"), (BOB, "Hello Bob"), (ANNE, "Hello Anne")],
    ],
)
def test_a_text_for_each(recipients: object) -> None:
    assert list(read(recipients).items()) == [(ANNE, "Hello Anne"), (BOB, "Hello Bob")]


def test_who_is_named_again_with_another_text_gets_the_first(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    assert read([(ANNE, "one"), (BOB, "two"), (ANNE, "three"), (BOB, "two")]) == {ANNE: "one", BOB: "two"}

    assert "2 recipients are named again; each number gets one SMS." in caplog.text
    assert "1 recipients are named again with another text; each number gets the first." in caplog.text
    assert "9980" not in caplog.text
    assert "three" not in caplog.text


@pytest.mark.parametrize("ending", ["csv", "ndjson"])
def test_a_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"guests.{ending}"
    if ending == "csv":
        path.write_text(f'phone_number,message\n{ANNE},"Hello, Anne"\n{BOB},Hello Bob\n')
    else:
        path.write_text(
            f'{{"phone_number": "{ANNE}", "message": "Hello, Anne"}}\n["{BOB}", "Hello Bob"]\n',
        )

    assert read(str(path)) == {ANNE: "Hello, Anne", BOB: "Hello Bob"}


BAD = {
    "no list": (5, "Hello", "must be a list"),
    "bytes": (b"x", "Hello", "must be a list"),
    "one mapping": ({"phone_number": ANNE}, "Hello", "must be a list"),
    "a number alone": (ANNE, "Hello", "nor the path of a file"),
    "a list that was rendered to text": (f"['{ANNE}']", "Hello", "pass the upstream task's output itself"),
    "nobody": ([], "Hello", "is empty"),
    "not a number": ([BOB, "0123"], "Hello", r"recipients\[1\]: phone_number is neither"),
    "no text": ([ANNE], None, r"recipients\[0\]: a recipient with a text of its own"),
    "a pair with a text beside": ([(ANNE, "Hello")], "Hello", r"recipients\[0\]: phone_number must be text"),
    "text is no text": ([(ANNE, 5)], None, r"recipients\[0\]: message must be text, not of type int"),
    "a mapping without a text": ([{"phone_number": ANNE}], None, r"recipients\[0\]: message is missing"),
    "empty text": ([(ANNE, "a"), (BOB, " \n")], None, r"recipients\[1\]: message is empty"),
    "empty text for all": ([ANNE], "", "`message` is empty"),
    "long text": (
        [(ANNE, "x" * 1531)],
        None,
        r"recipients\[0\]: message has 1531 characters, which are 11 SMS",
    ),
    "long text for all": ([ANNE], "x" * 1531, r"`message` has 1531 characters, which are 11 SMS"),
    "too many": ([f"+336399800{n:02}" for n in range(11)], "Hello", "more than 10 recipients"),
}


@pytest.mark.parametrize(("recipients", "message", "fault"), BAD.values(), ids=BAD)
def test_bad_input_is_named_without_numbers(recipients: object, message: str | None, fault: str) -> None:
    with pytest.raises(SMSPartnerInputError, match=fault) as caught:
        read(recipients, message)

    assert "9980" not in str(caught.value)
    assert "Hello" not in str(caught.value)


def test_a_long_text_as_unicode() -> None:
    assert read([ANNE], "é" * 670, unicode=True)
    with pytest.raises(SMSPartnerInputError, match="11 SMS"):
        read([ANNE], "é" * 671, unicode=True)


def test_a_bad_row_of_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "guests.csv"
    path.write_text(f"phone_number;message\n{ANNE};Hello\n{BOB};\n")

    with pytest.raises(SMSPartnerInputError, match=r"guests\.csv, row 2: message is empty"):
        read(str(path))


def test_an_endless_list_ends_at_the_limit() -> None:
    def endless() -> Iterator[str]:
        n = 0
        while True:
            yield f"+3363998{n:04}"
            n += 1

    with pytest.raises(SMSPartnerInputError, match="`max_recipients`"):
        read(endless(), "Hello", max_recipients=1_000)


@pytest.mark.parametrize(("unicode", "warned"), [(False, True), (True, False)])
def test_characters_that_gsm_lacks_are_warned_about(
    unicode: bool, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    read([ANNE], "Prêt ?", unicode=unicode)

    assert ("GSM 03.38" in caplog.text) == warned
    assert "Prêt" not in caplog.text
