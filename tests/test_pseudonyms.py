"""How a phone number leaves: the forms by themselves."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from airflow_provider_smspartner._pseudonyms import releasing
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

KEY = "a long random key, of any characters: é"


def left(phone_number: str, phone_numbers: str, key: str | None = KEY) -> str:
    row = {"phone_number": phone_number, "raw_status": "Numéro introuvable", "code": None}
    released = releasing(phone_numbers, key)(row)
    assert {**released, "phone_number": phone_number} == row
    return str(released["phone_number"])


@pytest.mark.parametrize(
    ("phone_number", "masked"),
    [
        ("+33699999993", "+33*******93"),
        ("+12345", "+12*45"),
        ("+1234", "*****"),
        ("", ""),
    ],
)
def test_a_mask_shows_the_first_three_characters_and_the_last_two(phone_number: str, masked: str) -> None:
    assert left(phone_number, "mask") == masked


def test_a_pseudonym_is_the_hex_hmac_sha256_of_the_number() -> None:
    expected = hmac.new(KEY.encode(), b"+33699999993", hashlib.sha256).hexdigest()

    assert left("+33699999993", "hmac") == expected
    assert left("+33699999993", "hmac", "another key") != expected


def test_one_number_has_one_pseudonym_in_all_rows() -> None:
    release = releasing("hmac", KEY)
    numbers = ("+33699999993", "+33699999992", "+33699999993")

    first, other, again = (release({"phone_number": number})["phone_number"] for number in numbers)

    assert first == again != other


def test_a_row_that_keeps_its_number_is_not_copied() -> None:
    row = {"phone_number": "+33699999993"}

    assert releasing("keep")(row) is row
    assert releasing("mask")(row) is not row
    assert row == {"phone_number": "+33699999993"}


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_there_are_no_pseudonyms(key: str | None) -> None:
    with pytest.raises(SMSPartnerInputError, match="no key: it is the password of the Airflow connection"):
        releasing("hmac", key)


@pytest.mark.parametrize("phone_numbers", ["HMAC", ""])
def test_no_other_form_is_known(phone_numbers: str) -> None:
    with pytest.raises(SMSPartnerInputError, match="must be one of 'keep', 'mask', 'hmac'"):
        releasing(phone_numbers, KEY)
