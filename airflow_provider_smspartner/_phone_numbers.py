"""
Phone numbers in E.164, from the notations that people write.

The library phonenumbers (Google's libphonenumber) decides what a number is. The usual shapes take a way past it that
gives the same: the library takes 80 ms to import and some 30 µs for a number, and a message list has 100,000 of them.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Each gives what libphonenumber gives for it, which tests compare: mobile numbers of France and its overseas
# departments, and of countries that French campaigns reach. All others are left to the library.
PLAIN_E164 = re.compile(
    r"\+(?:"
    r"33[67][0-9]{8}"
    r"|590690[0-9]{6}|594694[0-9]{6}|596696[0-9]{6}|262692[0-9]{6}"
    r"|324[5-9][0-9]{7}"  # Belgium
    r"|417[5-9][0-9]{7}"  # Switzerland
    r"|3526[26][0-9]{7}"  # Luxembourg
    r"|4915[0-9]{9}|491[67][0-9]{8}"  # Germany
    r"|34[67][0-9]{8}"  # Spain
    r"|393[1-9][0-9]{8}"  # Italy
    r"|3519[1236][0-9]{7}"  # Portugal
    r"|447[4-9][0-9]{8}"  # United Kingdom
    r"|316[1-5][0-9]{7}"  # Netherlands
    r"|212[67][0-9]{8}|2135[5-9][0-9]{7}|216[259][0-9]{7}"  # Morocco, Algeria, Tunisia
    r"|1[2-9][0-9]{2}[2-9][0-9]{6}"  # North America
    r")"
)

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_INTERNATIONAL = re.compile(r"\+[1-9][0-9]{6,20}")

# Written nationally: what is valid in metropolitan France, by libphonenumber's metadata.
_METROPOLITAN = re.compile(r"0((?:6(?:[0-24-8][0-9]|3[0-8]|9[589])|7[3-9][0-9])[0-9]{6})")
_FRENCH_MOBILE = re.compile(r"0[67][0-9]{8}")

# Blocks that are an overseas department's as a whole, also where no range of them is assigned yet. Tests compare them
# with libphonenumber's metadata.
_OVERSEAS = {
    "0639": "+262",
    "0690": "+590",
    "0691": "+590",
    "0692": "+262",
    "0693": "+262",
    "0694": "+594",
    "0696": "+596",
    "0697": "+596",
}

# Of Mayotte's block this alone is metropolitan: Arcep keeps it for fiction, and this package's double uses it.
_FICTION = "063998"

# France, Guadeloupe, French Guiana, Martinique, Réunion, Mayotte: they share 06 and 07.
_REGIONS = ("FR", "GP", "GF", "MQ", "RE", "YT")

_FULL_WIDTH = {0xFF10 + digit: str(digit) for digit in range(10)} | {0xFF0B: "+"}
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_INVISIBLE = (
    "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff"
)
_PUNCTUATION = "./()[]\uff08\uff09\uff0e\uff0f"
_TO_DIGITS = str.maketrans(
    _FULL_WIDTH | dict.fromkeys(map(ord, _DASHES + _SPACES + _INVISIBLE + _PUNCTUATION))
)
_SCHEME = re.compile(r"tel:", re.IGNORECASE)

# Longer than any number with a mark on either side of each digit.
_MAX_LENGTH = 64


def normalised(phone_number: str) -> str | None:
    """
    Return a phone number in E.164, or None if it is not one.

    :param phone_number: E.164 in any notation, or a French mobile number in national notation, the overseas
        departments included.
    """
    if PLAIN_E164.fullmatch(phone_number):
        return phone_number
    if len(phone_number) > _MAX_LENGTH:
        return None
    digits = phone_number.translate(_TO_DIGITS)
    if scheme := _SCHEME.match(digits):
        digits = digits[scheme.end() :]
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if PLAIN_E164.fullmatch(digits):
        return digits
    if metropolitan := _METROPOLITAN.fullmatch(digits):
        return "+33" + metropolitan[1]
    if _FRENCH_MOBILE.fullmatch(digits):
        return _national(digits)
    return _international(digits) if _INTERNATIONAL.fullmatch(digits) else None


def _national(digits: str) -> str:
    if (country := _OVERSEAS.get(digits[:4])) and not digits.startswith(_FICTION):
        return country + digits[1:]
    return _assigned(digits)


# Both look-ups take texts of bounded length alone: what the caches hold is bounded, too.
@lru_cache(maxsize=4096)
def _assigned(digits: str) -> str:
    """Return a French mobile number as the region's that its range is assigned to, or else as France's."""
    import phonenumbers

    for region in _REGIONS:
        number = phonenumbers.parse(digits, region)
        if phonenumbers.is_valid_number_for_region(number, region):
            return f"+{number.country_code}{digits[1:]}"
    return "+33" + digits[1:]


@lru_cache(maxsize=4096)
def _international(digits: str) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(digits)
    except phonenumbers.NumberParseException:
        return None
    # Possible, not valid: the ranges that a country opens are used before any metadata knows them.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    e164 = f"+{number.country_code}{phonenumbers.national_significant_number(number)}"
    return e164 if _E164.fullmatch(e164) else None
