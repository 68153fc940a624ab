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
        separator * 3,
        separator.join(["nom", "phone_number", "message_id"]),
        f" {separator} {separator}" + separator * 9,
        separator.join(['"a;b,c\td"', "+33612345678", "111"]),
        separator * 2,  # a row that the spreadsheet thinks is in use
        separator.join(["", "07 12 34 56 78", '"ab-2"', "", " ", ""]),
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
    with pytest.raises(SMSPartnerInputError, match=r"line 2: not UTF-8.*CSV UTF-8"):
        read(tmp_path, "phone_number;message_id;nom\n+33612345678;111;Zoé\n".encode("cp1252"))


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("sep=;\n;;\nphone_number;message_id\n+33612345678;111\n;\n\n0123;5\n", "line 7: phone_number"),
        (
            'phone_number;message_id;"a\nb"\n+33612345678;111;"c\n\nd"\n0123;5;"e\nf"\n',
            "line 6: phone_number",
        ),
        (
            "phone_number;message_id\n+33612345678\n+33712345678;1\n;7\n+33712345678;\n",
            "line 2: fewer columns .*. 3 rows are bad: lines 2, 4, 5.",
        ),
        (
            "phone_number\tmessage_id\n" + "0123\t1\n+33612345678\t2\n" * 1_200,
            r"line 2: .*\. 1,200 rows are bad: lines 2, 4, 6, .*, 40 and 1,180 more\.$",
        ),
    ],
    ids=["skipped rows", "line breaks", "faults of several kinds", "many"],
)
def test_faults_are_named_by_the_lines_of_the_file(tmp_path: Path, content: str, where: str) -> None:
    with pytest.raises(SMSPartnerInputError, match=rf"messages in .*m\.csv, {where}"):
        read(tmp_path, content)


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
