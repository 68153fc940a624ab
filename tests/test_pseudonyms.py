"""How a phone number leaves: the forms by themselves."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_smspartner._pseudonyms import FORMS, releasing
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

KEY = "a long random key, of any characters: é"


def left(phone_number: str, phone_numbers: str, key: str | None = KEY) -> str:
    row = {"phone_number": phone_number, "status": "Delivered", "code": None}
    released = releasing(phone_numbers, key)(row)
    assert {**released, "phone_number": phone_number} == row
    return str(released["phone_number"])


@pytest.mark.parametrize(
    ("phone_number", "masked"),
    [
        ("+33699999993", "+33*******93"),
        ("+262639990012", "+26********12"),
        ("+123456", "+12**56"),
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


@given(
    st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)
)
def test_pseudonyms_are_the_same_for_the_same_number_alone(one: str, another: str) -> None:
    release = releasing("hmac", KEY)

    def pseudonym(number: str) -> str:
        return release({"phone_number": number})["phone_number"]

    assert pseudonym(one) == pseudonym(one)
    assert (pseudonym(one) == pseudonym(another)) == (one == another)


def test_a_row_that_keeps_its_number_is_not_copied() -> None:
    row = {"phone_number": "+33699999993"}

    assert releasing("keep")(row) is row
    assert releasing("mask")(row) is not row
    assert row == {"phone_number": "+33699999993"}


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_there_are_no_pseudonyms(key: str | None) -> None:
    with pytest.raises(
        SMSPartnerInputError, match="there is no key: it is the password of the Airflow connection"
    ):
        releasing("hmac", key)


@pytest.mark.parametrize("phone_numbers", ["sha256", "HMAC", ""])
def test_no_other_form_is_known(phone_numbers: str) -> None:
    with pytest.raises(SMSPartnerInputError, match="must be one of 'keep', 'mask', 'hmac'"):
        releasing(phone_numbers, KEY)
    assert phone_numbers not in FORMS
