"""CSV as spreadsheets write it: separators, quotes, spaces, marks; and a header that does not fit is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_smspartner._messages.from_file import MessageFile
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.models import MessageRef

WANTED = [MessageRef("+33612345678", 111), MessageRef("+33712345678", "ab-2")]


def read(path: Path, content: str | bytes) -> list[MessageRef]:
    path = path / "m.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(MessageFile.of(str(path)))


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("stated", [False, True], ids=["", "sep="])
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
        " phone_number ; message_id ",
        '"phone_number";"message_id"',
        '"phone_number" ;messageId',
        "phoneNumber;messageId",
        "PHONE_NUMBER;Message_ID",
        "phone_number;message_id;;",
        '"phone_number";message_id;"a, ""b"",\nc"',
    ],
)
def test_a_header_may_be_written_in_many_ways(tmp_path: Path, header: str) -> None:
    assert read(tmp_path, f"{header}\n+33612345678;111\n+33712345678;ab-2\n") == WANTED


def test_an_exact_name_goes_before_a_similar_one(tmp_path: Path) -> None:
    content = "PhoneNumber;phone_number;message_id\nx;+33612345678;111\ny;+33712345678;ab-2\n"
    assert read(tmp_path, content) == WANTED


def test_only_ascii_is_the_same_in_the_encoding_of_windows(tmp_path: Path) -> None:
    content = "phone_number;message_id\n+33612345678;111\n+33712345678;ab-2\n"
    assert read(tmp_path, content.encode("cp1252")) == WANTED
    with pytest.raises(SMSPartnerInputError, match=r"row 1: not UTF-8.*CSV UTF-8"):
        read(tmp_path, "phone_number;message_id;nom\n+33612345678;111;Zoé\n".encode("cp1252"))


def fault(path: Path, content: str) -> str:
    with pytest.raises(SMSPartnerInputError) as raised:
        read(path, content)
    return str(raised.value).partition("m.csv: ")[2]


def test_a_header_that_does_not_fit_is_shown(tmp_path: Path) -> None:
    told = fault(tmp_path, "Nom;Téléphone mobile;Identifiant-SMS;tel2\nx;+33612345678;1;2\n")
    assert "there is no column phone_number and no column message_id" in told
    assert "'Nom', 'Téléphone mobile', 'Identifiant-SMS', 'tel2'" in told
    assert "phone_number or phoneNumber" in told
    assert "message_id or messageId" in told
    assert "no column message_id" in fault(tmp_path, "phone_number,id\n1,2\n")
    assert "no column phone_number" not in fault(tmp_path, "phone_number,id\n1,2\n")


@pytest.mark.parametrize(
    "line",
    [
        "+33698765432;111",
        "0698765432,111",
        "06 98 76 54 32;111",
        "Marie;tel 06.98.76.54.32;111",
        "Marie;tel 06 98 76 54 32;111",
        "a98765432b;c",
        "٠٦٩٨٧٦٥٤٣٢;a",
        "x" * 41 + ";y",
        '"a\nb";c',
        "{'phone_number': '+33698765432'};a",
        ";".join(f"c{n}" for n in range(1_000)) + ";98765432",
    ],
)
def test_a_first_line_that_is_no_header_is_not_shown(tmp_path: Path, line: str) -> None:
    told = fault(tmp_path, f"{line}\n+33698765432;111\n")
    assert "does not look like a header" in told
    for part in line.replace("\n", ";").replace(",", ";").split(";"):
        assert len(part) < 4 or part not in told


def test_no_more_than_twenty_names_are_shown(tmp_path: Path) -> None:
    told = fault(tmp_path, ";".join(f"c{n}" for n in range(30)) + "\n")
    assert "'c19'" in told
    assert "'c20'" not in told
    assert "and 10 more" in told


def test_a_column_that_is_there_twice_is_told(tmp_path: Path) -> None:
    assert "the column phone_number is there twice" in fault(
        tmp_path, "phone_number;message_id;phone_number\n+33612345678;111;+33712345678\n"
    )
