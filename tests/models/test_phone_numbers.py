"""Phone numbers in every notation that people write, compared with libphonenumber."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

import numpy as np
import phonenumbers
import pytest
from markupsafe import Markup
from phonenumbers import PhoneNumberFormat, ValidationResult

from airflow_provider_smspartner._phone_numbers import PLAIN_E164
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import MessageRef, to_e164
from airflow_provider_smspartner.protocol.rows import to_phone_number
from airflow_provider_smspartner.testing.campaigns import e164 as double_e164

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
    "\t+33612345678\r\n",
    "0612345678" + " " * 60,
    "(06) 12 34 56 78",
    "00.33.6.12.34.56.78",
    "+33 [0]6 12 34 56 78.",
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
    *((written, "+596696123456") for written in ("+33696123456", "0033 (0)696 12 34 56", "+33 0696123456")),
    ("+33709012345", "+590709012345"),
    ("+33639980001", "+33639980001"),
    ("+44 (0)7912 345678", "+447912345678"),
    ("+39 06 1234 5678", "+390612345678"),  # Italy's 0 belongs to the number
    ("+1 (202) 555-0123", "+12025550123"),
    *(
        (written, "+436641234567")
        for written in ("+43 (0)664/123 45 67", "+43 664 / 1234567", "+43 664 12 34 56 7")
    ),
    ("+49 (0) 170 / 123 45 67", "+491701234567"),
    ("+32 475/12.34.56", "+32475123456"),
    ("+7 (912) 345-67-89", "+79123456789"),
    ("+55 (11) 9 1234-5678", "+5511912345678"),
    ("+46 (0)70-123 45 67", "+46701234567"),
)


@pytest.mark.parametrize(
    ("written", "e164"),
    [*((each, "+33612345678") for each in ONE_NUMBER), *OTHERS],
    ids=lambda text: text.encode("ascii", "backslashreplace").decode(),
)
def test_numbers_in_the_notations_that_people_write(written: str, e164: str) -> None:
    assert to_e164(written) == e164
    assert MessageRef(written, 1) == MessageRef(e164, 1)


TWO_FACTS = (
    *("+491701234567.0", "+491701234567.00", "0612345678.0", "+43 664 123456 (2)", "+43 664 123456 [1]"),
    *(
        "+43 664 123456 / 2",
        "+43 664 123456/12",
        "+43 664 123456 - 2",
        "+43 664 123456-12",
        "+43 664 123456 2",
    ),
    *("+43 664 123 45 67 / 12", "+43 664 123 45 67-12", "+43664123456 12", "+352 621 123 456 12"),
    *("+43664123456 x12", "+43664123456 ext. 3", "tel:+33612345678;ext=3", "+43 664 123456 +43 664 654321"),
    *("0612345678, 0698765432", "06 12 34 56 78 / 06 98 76 54 32", "+43 664 123456 (0)", "+43 664 123456\t2"),
)
WHY = {
    "more than one number is in it": TWO_FACTS,
    "empty$": ("", " \t\n", "\u200b"),
    "quotes or = are .* a spreadsheet": ("'0612345678", '="0612345678"', "\u2019+33612345678"),
    "a spreadsheet has made 3.36E.10": ("3,36E+10", "3.36123E+10", "6e8"),
    "a spreadsheet, .* decimal number .* as text": ("33612345678.0", "612345678,0"),
    "leading 0 is lost, .* spreadsheet.* as text there, and export it again": ("612345678", "6 12 34 56 78"),
    r"leading \+ is lost, .* spreadsheet": ("33612345678", "491701234567"),
    "M2M": ("+33 700 12 34 56 78 90", "07001234567890"),
    "no mobile": ("01 42 68 53 00", "0800123456"),
    r"neither E.164 \(\+33612345678\) nor a French mobile number \(06…, 07…\)$": (
        *("+3361234567", "+999123456789", "+0612345678", "++33612345678", "06123456789", "06 12 34 56 7B"),
        *(
            "tel:tel:+33612345678",
            "06\n12345678",
            "06 12 34 56 7 (8)",
            "06 12 34 56 / 78",
            "+" + "1" * 100_000,
        ),
        "\u0660\u0666\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",  # digits, but not of ASCII
    ),
}


@pytest.mark.parametrize(
    ("written", "why"),
    [(written, why) for why, all_written in WHY.items() for written in all_written],
    ids=lambda text: ascii(text[:30]),
)
def test_what_is_no_phone_number_is_refused_and_not_shown(written: str, why: str) -> None:
    with pytest.raises(SMSPartnerInputError, match=f"^phone_number is .*{why}") as caught:
        to_e164(written)

    assert not re.search(r"\d{4}", str(caught.value).replace("+33612345678", ""))


@pytest.mark.parametrize("kind", [np.str_, Markup])
def test_a_text_of_another_library_becomes_a_plain_one(kind: type[str]) -> None:
    for text in (to_e164(kind("+33612345678")), *MessageRef(kind("06 12 34 56 78"), kind("7"))):
        assert type(text) is str


def test_an_answered_number_is_read_alike_and_never_fails() -> None:
    read: list[str | int] = ["33612345678", 33612345678, "0612345678", 612345678, "612345678"]

    assert {to_phone_number(raw) for raw in read} == {"+33612345678"}
    for odd in ("36200", "short 1", "\ud800", "+999123456789", "9" * 5000, "\uff11" * 70):
        assert to_phone_number(odd)[:199] == odd[:199]
    assert to_phone_number(None) == ""
    assert to_phone_number("33696123456") == to_phone_number("696123456") == "+596696123456"


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
        assert double_e164(f"+33 {national}") == double_e164(f"0{national}") == e164


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
