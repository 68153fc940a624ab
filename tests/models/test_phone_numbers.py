"""Phone numbers in every notation that people write, compared with libphonenumber."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, ValidationResult

from airflow_provider_smspartner._phone_numbers import PLAIN_E164
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import MessageRef, to_e164
from airflow_provider_smspartner.protocol.rows import to_phone_number

FRENCH_REGIONS = ("FR", "GP", "GF", "MQ", "RE", "YT")

ONE_NUMBER = (
    "+33612345678",
    "+33 (0)6 12 34 56 78",
    "+330612345678",
    "(+33) 6 12 34 56 78",
    "00 33 (0)6 12 34 56 78",
    "0612345678",
    "06/12/34/56/78",
    "TEL: 06-12-34-56-78",
    "06\u201012\u221234\uff0d56\ufe6378",
    "06\u00a012\u202f34\u200956\u300078",
    "\u202a+33612345678\u202c",
    "\ufeff06\u200b12\u200d34\u206056\u00ad78 ",
    "\uff0b\uff13\uff13\uff16\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
)
OTHERS = (
    ("0690 12 34 56", "+590690123456"),
    ("0691 99 99 99", "+590691999999"),  # in Guadeloupe's block, not assigned yet
    ("0692 12 34 56", "+262692123456"),
    ("0694 12 34 56", "+594694123456"),
    ("0696 12 34 56", "+596696123456"),
    ("0639 12 34 56", "+262639123456"),
    ("0709 01 23 45", "+590709012345"),
    ("0709 31 23 45", "+594709312345"),
    ("0695 12 34 56", "+33695123456"),
    ("06 39 98 00 01", "+33639980001"),  # Arcep keeps it for fiction, in metropolitan France
    ("07 00 12 34 56", "+33700123456"),
    ("+590 (0)690 12 34 56", "+590690123456"),
    ("+33690123456", "+33690123456"),  # possible to libphonenumber, so it stays what the sender wrote
    ("+44 (0)7912 345678", "+447912345678"),
    ("+39 06 1234 5678", "+390612345678"),  # Italy's 0 belongs to the number
    ("+1 (202) 555-0123", "+12025550123"),
)


@pytest.mark.parametrize(
    ("written", "e164"),
    [*((each, "+33612345678") for each in ONE_NUMBER), *OTHERS],
    ids=lambda text: text.encode("ascii", "backslashreplace").decode(),
)
def test_numbers_in_the_notations_that_people_write(written: str, e164: str) -> None:
    assert to_e164(written) == e164
    assert MessageRef(written, 1) == MessageRef(e164, 1)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+3361234567",
        "+999123456789",
        "+0612345678",
        "++33612345678",
        "33612345678",
        "06123456789",
        "06 12 34 56 7B",
        "tel:+33612345678;ext=3",
        "tel:tel:+33612345678",
        "0612345678, 0698765432",
        "06\n12345678",
        "\u0660\u0666\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",  # digits, but not of ASCII
        "0612345678" + " " * 60,
        "+" + "1" * 100_000,
    ],
    ids=lambda text: repr(text[:40]),
)
def test_what_is_no_phone_number_is_refused_and_not_shown(written: str) -> None:
    with pytest.raises(SMSPartnerInputError, match=r"^phone_number is neither") as caught:
        to_e164(written)

    assert not re.search(r"\d{4}", str(caught.value).replace("+33612345678", ""))


def test_an_answered_number_is_read_alike_and_never_fails() -> None:
    read: list[str | int] = ["33612345678", 33612345678, "0612345678", "+33 (0)6 12 34 56 78"]

    assert {to_phone_number(raw) for raw in read} == {"+33612345678"}
    for odd in ("36200", "short 1", "\ud800", "+999123456789", "9" * 5000, "\uff11" * 70):
        assert to_phone_number(odd)[:199] == odd[:199]
    assert to_phone_number(None) == ""


def _library(written: str, region: str | None = None) -> str | None:
    """Return what libphonenumber reads, or None where it says that no such number is possible."""
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _owned(national: str) -> str | None:
    """Return a French number as that of the region whose metadata calls it valid."""
    for region in FRENCH_REGIONS:
        number = phonenumbers.parse(national, region)
        if phonenumbers.is_valid_number_for_region(number, region):
            return phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return None


DASHES = ("-", "\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212", "\uff0d")
SPACES = (" ", "\u00a0", "\u2009", "\u202f", "\u3000", "  ")
SEPARATORS = ("", *SPACES, *DASHES, ".", "/", " - ", " / ")
MARKS = ("", "", "", "\u200b", "\u2060", "\ufeff", "\u00ad")
ROUND = (("", ""), ("", ""), ("\u202a", "\u202c"), ("\u200e", "\u200f"), ("\ufeff", ""), (" ", " "))


def _spelled(random: Random, lead: str, digits: str) -> str:
    separator, mark = random.choice(SEPARATORS), random.choice(MARKS)
    size = random.choice((2, 2, 3, len(digits)))
    groups = [digits[at : at + size] for at in range(0, len(digits), size)]
    before, after = random.choice(ROUND)
    return f"{before}{lead}{random.choice(('', separator))}{(separator + mark).join(groups)}{after}"


def _french_numbers(random: Random, count: int) -> Iterator[tuple[str, str]]:
    """Return valid French mobile numbers without their 0, and what they are in E.164."""
    overseas = ("690", "691", "692", "693", "694", "696", "697", "639", "7090", "7091", "7092", "7093")
    while count:
        start = random.choice(overseas) if count % 2 else random.choice("67") + str(random.randrange(10))
        national = start + "".join(random.choices("0123456789", k=9 - len(start)))
        if e164 := _owned("0" + national):
            count -= 1
            yield national, e164


@pytest.mark.parametrize("count", [50, pytest.param(1500, marks=pytest.mark.nightly)])
def test_any_spelling_becomes_what_libphonenumber_says(count: int) -> None:
    random = Random(count)  # noqa: S311 - it keeps no secret

    def check(written: str, expected: str | None) -> None:
        try:
            got = to_e164(written)
        except SMSPartnerInputError:
            got = None
        assert got == expected, ascii(written)

    for national, e164 in _french_numbers(random, count):
        country = e164[1 : -len(national)]
        leads = (
            *("0", "0", "(0)", "tel:0"),
            *(f"+{country}", f"+{country} ", f"00{country}", f"(+{country})", f"tel:+{country}"),
            *(f"+{country}0", f"+{country} (0)", f"+{country} 0 ", f"00{country} (0)"),
        )
        for lead in leads * 5:
            check(_spelled(random, lead, national), e164)


def _matching(random: Random, pattern: str) -> Iterator[str]:
    """Return numbers of each of the pattern's alternatives."""
    for shape in pattern.removeprefix(r"\+(?:").removesuffix(")").split("|"):
        parts = re.findall(r"(\[[^\]]+\]|\d)(?:\{(\d+)\})?", shape)
        for _ in range(120):
            digits = (random.choice(_digits(one)) for one, times in parts for _ in range(int(times or 1)))
            yield "+" + "".join(digits)


def _digits(one: str) -> list[str]:
    return [digit for digit in "0123456789" if re.fullmatch(one, digit)]


def test_whatever_goes_past_the_library_is_what_it_would_give() -> None:
    random = Random(9)  # noqa: S311 - it keeps no secret
    numbers = list(_matching(random, PLAIN_E164.pattern))

    assert len(numbers) > 2_000
    assert all(PLAIN_E164.fullmatch(number) for number in numbers)
    assert [number for number in numbers if _library(number) != number] == []
