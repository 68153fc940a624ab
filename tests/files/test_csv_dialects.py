"""CSV as spreadsheets write it: separators, quotes, spaces, marks; and a header that does not fit is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from combinations import pairs

from airflow_provider_smspartner._messages.from_file import MessageFile
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import MessageRef

WANTED = [MessageRef("+33612345678", 111), MessageRef("+33712345678", "ab-2")]


def read(path: Path, content: str | bytes) -> list[MessageRef]:
    path = path / "m.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(MessageFile.of(str(path)))


@pairs(
    mark={"plain": "", "with a byte order mark": "\ufeff"},
    end={"LF": "\n", "CRLF": "\r\n"},
    separator={"comma": ",", "semicolon": ";", "tab": "\t"},
    stated={"header": False, "sep=": True},
)
def test_the_header_tells_the_separator(
    tmp_path: Path, mark: str, end: str, separator: str, stated: bool
) -> None:
    lines = [
        f"sep={separator}" if stated else "",
        separator.join(["nom", "phone_number", "message_id"]),
        separator.join(['"a;b,c\td"', "+33612345678", "111"]),
        separator * 2,  # a row that the spreadsheet thinks is in use
        separator.join(["", "07 12 34 56 78", '"ab-2"']),
        "",
    ]
    assert read(tmp_path, mark + end.join(lines if stated else lines[1:])) == WANTED


@pytest.mark.parametrize(
    "header",
    [
        "phone_number;message_id;PhoneNumber",  # an exact name goes before a similar one
        " phone_number ; message_id ",
        '"phone_number" ;messageId',
        "PHONE_NUMBER;Message_ID",
        '"phone_number";message_id;"a, ""b"",\nc"',
    ],
)
def test_a_header_may_be_written_in_many_ways(tmp_path: Path, header: str) -> None:
    assert read(tmp_path, f"{header}\n+33612345678;111\n+33712345678;ab-2\n") == WANTED


def test_only_ascii_is_the_same_in_the_encoding_of_windows(tmp_path: Path) -> None:
    content = "phone_number;message_id\n+33612345678;111\n+33712345678;ab-2\n"
    assert read(tmp_path, content.encode("cp1252")) == WANTED
    with pytest.raises(SMSPartnerInputError, match=r"row 1: not UTF-8.*CSV UTF-8"):
        read(tmp_path, "phone_number;message_id;nom\n+33612345678;111;Zoé\n".encode("cp1252"))


def fault(path: Path, content: str) -> str:
    with pytest.raises(SMSPartnerInputError) as raised:
        read(path, content)
    return str(raised.value).partition("m.csv: ")[2]


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (
            "Nom;Téléphone mobile;Identifiant-SMS;tel2",
            (
                "no column phone_number and no column message_id: there are 'Nom', 'Téléphone mobile', "
                "'Identifiant-SMS', 'tel2'. Accepted are phone_number or phoneNumber, and message_id or messageId"
            ),
        ),
        ("phone_number,id", "there is no column message_id: there are 'phone_number', 'id'."),
        (";".join(f"c{n}" for n in range(30)), "'c18', 'c19' and 10 more"),
        ("phone_number;message_id;phone_number", "the column phone_number is there twice"),
    ],
    ids=["neither", "one of two", "many", "twice"],
)
def test_a_header_that_does_not_fit_is_shown(tmp_path: Path, header: str, shown: str) -> None:
    assert shown in fault(tmp_path, f"{header}\nx;+33612345678;1;2\n")


@pytest.mark.parametrize(
    "line",
    [
        "+33698765432;111",
        "Marie;tel 06 98 76 54 32;111",
        "٠٦٩٨٧٦٥٤٣٢;a",
        "x" * 41 + ";y",
        ";".join(f"c{n}" for n in range(1_000)) + ";98765432",
    ],
)
def test_a_first_line_that_is_no_header_is_not_shown(tmp_path: Path, line: str) -> None:
    told = fault(tmp_path, f"{line}\n+33698765432;111\n")
    assert "does not look like a header" in told
    for part in line.replace("\n", ";").replace(",", ";").split(";"):
        assert len(part) < 4 or part not in told
