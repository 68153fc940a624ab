"""
Phone numbers in E.164, from the notations that people write.

The library phonenumbers (Google's libphonenumber) decides what a number is. The usual shapes take a way past it that
gives the same: the library takes 80 ms to import and some 30 µs for a number, and a message list has 100,000 of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

# Each gives what libphonenumber gives for it, which tests compare: mobile numbers of France and its overseas
# departments, and of countries that French campaigns reach. All others are left to the library.
PLAIN_E164 = re.compile(
    r"\+(?:"
    r"336[0-24-8][0-9]{7}|3363[0-8][0-9]{6}|3363998[0-9]{4}|3369[589][0-9]{6}|337[3-9][0-9]{7}"
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
_METROPOLITAN = re.compile(r"(?:0|\+330?)((?:6(?:[0-24-8][0-9]|3[0-8]|9[589])|7[3-9][0-9])[0-9]{6})")
_FRENCH_MOBILE = re.compile(r"(?:0|\+330?)([67][0-9]{8})")

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

_FULL_WIDTH = {0xFF10 + digit: str(digit) for digit in range(10)} | {0xFF0B: "+", 0xFF0E: ".", 0xFF0F: "/"}
_BRACKETS = {ord("["): "(", ord("]"): ")", 0xFF08: "(", 0xFF09: ")"}
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_LINES = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"
_INVISIBLE = (
    "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff"
)
_AROUND = _SPACES + _LINES + _INVISIBLE
_TO_ASCII = str.maketrans(
    _FULL_WIDTH
    | _BRACKETS
    | dict.fromkeys(map(ord, _DASHES), "-")
    | dict.fromkeys(map(ord, _SPACES), " ")
    | dict.fromkeys(map(ord, _INVISIBLE))
)
_SCHEME = re.compile(r"tel:", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"\(([^()]*)\)")

# The notations that nearly all French numbers have: they take a way past what follows, to the same.
_USUAL = re.compile(
    r"(?:0|(?:\+|00)33 ?(?:\(0\) ?)?)([67])([ .-]?)([0-9]{2})\2([0-9]{2})\2([0-9]{2})\2([0-9]{2})"
)

# Brackets are around the country code, and around what comes right behind it or first of all: a trunk "(0)" or an area
# code. Anywhere else they hold another fact than the number.
_WRITTEN = re.compile(
    r"(?P<country>\(\+ ?[0-9]{1,3}\)|\+ ?(?:\([0-9]{1,3}\)|[0-9]{1,3}(?= *[-./]? *\()))?"
    r" *[-./]? *(?P<area>\([0-9]{1,5}\))? *[-./]? *"
    r"(?P<groups>\+? ?[0-9]+(?:(?: +| *[-./] *)[0-9]+)*)"
)
_GROUP = re.compile(r"[0-9]+")
_SEPARATOR = re.compile(r"(?<=[0-9])[^0-9]+")
# A slash, or a dash or dot with space beside it.
_WIDE = re.compile(r"/|[-.] | [-.]")
_INTERNATIONAL_PREFIX = re.compile(r"^(\(?)00[ .-]?")
_NO_DIGIT = re.compile(r"[^0-9+]+")

# Longer than any number with a mark on either side of each digit.
_MAX_LENGTH = 64


def normalised(phone_number: str) -> str | None:
    """
    Return a phone number in E.164, or None if it is not one, or more than one.

    :param phone_number: E.164 in any notation, or a French mobile number in national notation, the overseas
        departments included. White space around it is none of it.
    """
    if PLAIN_E164.fullmatch(phone_number):
        return phone_number
    if usual := _USUAL.fullmatch(phone_number):
        return _french("0" + "".join(usual.group(1, 3, 4, 5, 6)))
    written = _WRITTEN.fullmatch(_ascii(phone_number))
    if written is None:
        return None
    digits = _NO_DIGIT.sub("", written[0])
    if not _are_of_one_number(written["groups"]):
        return None
    return _french(digits) or _foreign(digits, written["groups"])


def _ascii(phone_number: str) -> str:
    """Return what is written, in ASCII and without what is around it; an empty text if it is too long."""
    text = phone_number.strip(_AROUND)
    if len(text) > _MAX_LENGTH:
        return ""
    text = text.translate(_TO_ASCII)
    if scheme := _SCHEME.match(text):
        text = text[scheme.end() :]
    if whole := _IN_BRACKETS.fullmatch(text):
        text = whole[1]
    return _INTERNATIONAL_PREFIX.sub(r"\1+", text.strip(" -./"))


def _are_of_one_number(written: str) -> bool:
    """Return whether groups of digits are those of one number, as far as their shape tells."""
    groups, separators = _GROUP.findall(written), _SEPARATOR.findall(written)
    if len(groups[-1]) == 1 < max(map(len, groups)) and not (
        # In pairs, one digit may be left over.
        len(groups) > _PAIRS_FROM
        and all(len(pair) == 2 for pair in groups[2:-1])
        and _are_alike(separators[2:])
    ):
        return False
    # What is wide parts an area code from the rest, or all groups alike.
    behind_country = separators[written.startswith("+") :]
    behind_area = behind_country[1:]
    return (
        not any(map(_WIDE.search, behind_area))
        or _are_alike(behind_country)
        or (len(behind_area) > 1 and _are_alike(behind_area))
    )


_PAIRS_FROM = 4


def _are_alike(separators: Sequence[str]) -> bool:
    return len(set(map(str.strip, separators))) <= 1


def _french(digits: str) -> str | None:
    """Return a French mobile number in E.164: overseas numbers are theirs also where +33 is before them."""
    if metropolitan := _METROPOLITAN.fullmatch(digits):
        return "+33" + metropolitan[1]
    if mobile := _FRENCH_MOBILE.fullmatch(digits):
        return _national("0" + mobile[1])
    return None


def _national(digits: str) -> str:
    if (country := _OVERSEAS.get(digits[:4])) and not digits.startswith(_FICTION):
        return country + digits[1:]
    return _assigned(digits)


# All look-ups take texts of bounded length alone: what the caches hold is bounded, too.
@lru_cache(maxsize=4096)
def _assigned(digits: str) -> str:
    """Return a French mobile number as the region's that its range is assigned to, or else as France's."""
    import phonenumbers

    for region in _REGIONS:
        number = phonenumbers.parse(digits, region)
        if phonenumbers.is_valid_number_for_region(number, region):
            return f"+{number.country_code}{digits[1:]}"
    return "+33" + digits[1:]


def _foreign(digits: str, written: str) -> str | None:
    if not _INTERNATIONAL.fullmatch(digits) or _holds_a_whole_number(digits, written):
        return None
    return _international(digits)


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


def _holds_a_whole_number(digits: str, written: str) -> bool:
    """
    Return whether a number ends at a separator already, and what follows is not written as the rest of a number is.

    :param digits: all of them, with the country's.
    :param written: their last groups.
    """
    groups, separators = _GROUP.findall(written), list(map(str.strip, _SEPARATOR.findall(written)))
    end = len(digits)
    steps = list(zip(groups, groups[1:], ["", *separators], separators, strict=False))
    for before, group, last, separator in reversed(steps):
        end -= len(group)
        looks_odd = len(before) - len(group) > 3 or (separator not in {"", last} and len(group) <= 3)
        if (looks_odd or not _is_valid(digits)) and _is_valid(digits[:end]):
            return True
    return False


@lru_cache(maxsize=4096)
def _is_valid(digits: str) -> bool:
    import phonenumbers

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(digits))
    except phonenumbers.NumberParseException:
        return False


_QUOTES = "='\"\u2018\u2019\u201c\u201d"
_NO_MOBILE = "a French number, but no mobile (06…, 07…): it gets no SMS"
_OF_A_MACHINE = "a number of a machine (M2M: 07 00 and 14 digits in all), which SMS Partner does not support"
_AGAIN = "Format the column as text there, and export it again"
_LOST = f"is lost, as in a spreadsheet, to which it is a number. {_AGAIN}"
_REASONS = {
    r"\+?[0-9](?:[.,][0-9]*)? ?[eE]\+?[0-9]{1,2}": (
        f"a spreadsheet has made 3.36E+10 or the like of it, and digits are lost. {_AGAIN}"
    ),
    r"[1-9][0-9]{8,14}[.,]0+": (
        f"a spreadsheet, or what has read the file, has made a decimal number (….0) of it. {_AGAIN}"
    ),
    r"[67][0-9]{8}": f"its leading 0 {_LOST}",
    r"[1-9][0-9]{9,14}": f"its leading + {_LOST}",
    r"(?:0|\+330?)700[0-9]{10}": f"it is {_OF_A_MACHINE}",
    r"0[1-589][0-9]{8}": f"it is {_NO_MOBILE}",
}


def why_none(phone_number: str) -> str:
    """Return why a text is no phone number, without the text."""
    if not phone_number.strip(_AROUND):
        return "phone_number is empty"
    reason = _reason(_ascii(phone_number))
    return "phone_number is neither E.164 (+33612345678) nor a French mobile number (06…, 07…)" + reason


def _reason(text: str) -> str:
    """Return what it is instead; where a spreadsheet has changed it, how to mend that."""
    digits = _NO_DIGIT.sub("", text)
    if (alone := text.strip(_QUOTES)) != text and normalised(alone):
        return ": quotes or = are around it, by which a spreadsheet keeps it as text. Give the number alone"
    for shape, reason in _REASONS.items():
        if re.fullmatch(shape, text) or re.fullmatch(shape, digits):
            return f": {reason}"
    begins = {text[: group.end()] for group in _GROUP.finditer(text)} - {text}
    if any(map(normalised, begins)):
        return ": more than one number is in it. Give one, without an extension or a remark"
    return ""


_GETS_NO_SMS = re.compile(r"\+(?:33|262|590|594|596)[1-589]")


def why_no_sms(e164: str) -> str | None:
    """Return why nothing can be sent to a phone number, or None if as far as is known something can."""
    if _GETS_NO_SMS.match(e164):
        return f"phone_number is {_NO_MOBILE}"
    return f"phone_number is {_OF_A_MACHINE}" if e164.startswith("+33700") else None
