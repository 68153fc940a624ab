"""Files of recipients: numbers, or numbers and texts, in every format; faults are told without a number or a text."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from files.rows import NASTY
from files.stores import Bucket, attached

from airflow_provider_smspartner._files.columns import Column, Kind
from airflow_provider_smspartner._files.output import Output
from airflow_provider_smspartner._files.recipients import (
    NumberAndTextFile,
    NumberFile,
    to_number,
    to_number_and_text,
)
from airflow_provider_smspartner.exceptions import SMSPartnerInputError

NUMBER = "+33698765432"
SECRET = "Votre code confidentiel"
RECIPIENTS = [
    ("+33612345678", "Bonjour Zoé, à demain ; n'oubliez pas 😀"),
    ("07 12 34 56 78", NASTY),
    ("33698765432", "Le \u20ac est à 1,07 $\u2028fin"),  # without the plus sign, which Excel drops
]
TABLE = (Column("phone_number", Kind.TEXT), Column("message", Kind.TEXT))


def written(path: Path, recipients: Any) -> str:
    rows = ({"phone_number": number, "message": text} for number, text in recipients)
    Output.of(str(path), table=TABLE).write(rows)
    return str(path)


def needs(ending: str) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")


def of_content(kind: type[Any], path: Path, content: str | bytes) -> list[Any]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(kind.of(str(path)))


def of_columns(kind: type[Any], path: Path, columns: dict[str, Any], **options: Any) -> list[Any]:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table(columns), path, **options)
    return list(kind.of(str(path)))


# What is read


@pytest.mark.parametrize("ending", [".ndjson", ".csv.gz", ".parquet"])
def test_values_are_read_as_they_stand_there_and_in_order(tmp_path: Path, ending: str) -> None:
    needs(ending)
    uri = written(tmp_path / f"r{ending}", RECIPIENTS)
    for _ in range(2):
        assert list(NumberAndTextFile.of(uri)) == RECIPIENTS
        assert list(NumberFile.of(uri)) == [number for number, _ in RECIPIENTS]


def test_one_column_is_enough_for_numbers(tmp_path: Path) -> None:
    content = "phone_number\n+33612345678\n\n06 12 34 56 79\n"
    wanted = ["+33612345678", "06 12 34 56 79"]
    assert of_content(NumberFile, tmp_path / "r.csv", content) == wanted
    assert of_content(NumberFile, tmp_path / "r.csv.gz", gzip.compress(content.encode())) == wanted
    assert of_columns(NumberFile, tmp_path / "r.parquet", {"phoneNumber": wanted}) == wanted


def test_ndjson_may_be_objects_texts_or_pairs(tmp_path: Path) -> None:
    numbers = '{"Phone_Number": "+331", "name": [1]}\n"+332"\n\n{"PHONENUMBER": 333}'
    assert of_content(NumberFile, tmp_path / "r.ndjson", numbers) == ["+331", "+332", 333]
    texts = '{"Message": "a", "phoneNumber": "+331"}\n["+332", "b"]\n{"phone_number": null, "message": 1}'
    wanted = [("+331", "a"), ("+332", "b"), (None, 1)]
    assert of_content(NumberAndTextFile, tmp_path / "r.ndjson", texts) == wanted


def test_long_texts_are_read_from_parquet(tmp_path: Path) -> None:
    # The longest SMS: ten parts, all of them of characters with three bytes.
    numbers = [f"+336{n:08}" for n in range(500)]
    texts = ["\u20ac" * 1_525 + f"{n:05}" for n in range(500)]
    columns = {"phone_number": numbers, "message": texts}
    wanted = list(zip(numbers, texts, strict=True))
    assert of_columns(NumberAndTextFile, tmp_path / "r.parquet", columns, use_dictionary=False) == wanted


def test_other_storages(monkeypatch: pytest.MonkeyPatch) -> None:
    attached(monkeypatch, "s3", Bucket(), conn_id="aws")
    rows = [{"phone_number": number, "message": text} for number, text in RECIPIENTS]
    Output.of("s3://aws@bucket/r.csv", table=TABLE).write(rows)
    assert list(NumberAndTextFile.of("s3://bucket/r.csv", "aws")) == RECIPIENTS


# Faults


def fault(kind: type[Any], path: Path, content: str | bytes) -> str:
    """Read a file that is no good, and give what its error says after the file's name."""
    with pytest.raises(SMSPartnerInputError) as raised:
        of_content(kind, path, content)
    told = str(raised.value)
    assert told.startswith(f"recipients in {path}")
    assert "98765432" not in told
    assert "confidentiel" not in told
    assert raised.value.__suppress_context__
    return told.removeprefix(f"recipients in {path}")


GOOD = f"phone_number,message\n{NUMBER},{SECRET}\n"
OBJECT = json.dumps({"phone_number": NUMBER, "message": SECRET}) + "\n"
KEYS = "the keys of a recipient are phone_number (or phoneNumber)"
NO_NUMBER = ": there is no column phone_number: "
A_PAIR = "a recipient with a text of its own is a (phone_number, text) pair"

FAULTS: dict[str, tuple[type[Any], str, str, str]] = {
    "no text": (NumberAndTextFile, ".csv", f"phone_number\n{NUMBER}\n", ": there is no column message: "),
    "no number": (NumberFile, ".csv", f"message\n{SECRET}\n", f"{NO_NUMBER}there are "),
    "no header": (NumberFile, ".csv", f"{NUMBER}\n{NUMBER}\n", f"{NO_NUMBER}the first line"),
    "short": (NumberAndTextFile, ".csv", GOOD + f"{NUMBER}\n", ", line 3: fewer columns than the header"),
    "quote": (NumberAndTextFile, ".csv", GOOD + f'{NUMBER},"{SECRET}\n', ", line 3: not CSV"),
    "no JSON": (NumberAndTextFile, ".ndjson", OBJECT + f'{{"{SECRET}', ", line 2: not JSON"),
    "no key": (
        NumberAndTextFile,
        ".ndjson",
        OBJECT + json.dumps({"phoneNumber": NUMBER, "text": SECRET}),
        f", line 2: message is missing: {KEYS} and message, not phoneNumber, text",
    ),
    "text for a pair": (NumberAndTextFile, ".ndjson", OBJECT + f'"{NUMBER}"', f", line 2: {A_PAIR}"),
    "three values": (NumberAndTextFile, ".ndjson", f'["{NUMBER}", "a", "b"]', f", line 1: {A_PAIR}"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_by_its_row_without_number_and_text(tmp_path: Path, name: str) -> None:
    kind, ending, content, told = FAULTS[name]
    needs(ending)
    assert fault(kind, tmp_path / f"r{ending}", content).startswith(told)


@pytest.mark.parametrize(
    "content",
    [
        "phone_number,message\n+33612345678,Bonjour\n0698765432,Bonjour, à demain\n",
        "phone_number;message;;\n+33612345678;Bonjour;;\n0698765432;Bonjour;à demain;\n",
    ],
    ids=["beyond the header", "in a column without a name"],
)
def test_a_text_that_a_separator_cuts_is_not_read(tmp_path: Path, content: str) -> None:
    reported = fault(NumberAndTextFile, tmp_path / "r.csv", content)
    assert reported == ", line 3: more columns than the header: quote a text that has separators in it"
    # Where no text is wanted, nothing is lost.
    assert of_content(NumberFile, tmp_path / "r.csv", content) == ["+33612345678", "0698765432"]


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("Phone Number;Message", "'Phone Number' must be called phone_number. Accepted"),
        ("phone-number;le texte", "'phone-number' must be called phone_number. Accepted"),
        ("Mobile du client;MESSAGE", "there are 'Mobile du client', 'MESSAGE'. Accepted are phone_number"),
    ],
)
def test_a_header_that_nearly_fits_is_told_what_it_lacks(tmp_path: Path, header: str, hint: str) -> None:
    assert hint in fault(NumberAndTextFile, tmp_path / "r.csv", f"{header}\n{NUMBER};{SECRET}\n")


def test_columns_without_a_value_behind_the_last_are_none(tmp_path: Path) -> None:
    content = f"phone_number;message\n;;;\n{NUMBER};{SECRET};;\n; ;\n{NUMBER};{SECRET}; \n"
    assert of_content(NumberAndTextFile, tmp_path / "r.csv", content) == [(NUMBER, SECRET)] * 2


def test_a_first_line_that_may_be_a_text_is_not_shown(tmp_path: Path) -> None:
    told = fault(NumberAndTextFile, tmp_path / "r.csv", f";{SECRET}\n{NUMBER};{SECRET}\n")
    assert "does not look like a header" in told
    told = fault(NumberAndTextFile, tmp_path / "r.csv", f"Numéro;Texte-SMS\n{NUMBER};{SECRET}\n")
    assert "there are 'Numéro', 'Texte-SMS'. Accepted are phone_number or phoneNumber, and message" in told


@pytest.mark.parametrize(
    ("number", "text", "reported"),
    [
        (33698765432, "a", "the column phone_number holds int64, not text"),
        (NUMBER, 1, "the column message holds int64, not text"),
        (NUMBER, "x" * 100_000, "row 1: the column message holds values of more"),
    ],
    ids=["number", "text", "long text"],
)
def test_parquet_columns_of_another_type_or_size_are_reported(
    tmp_path: Path, number: object, text: object, reported: str
) -> None:
    with pytest.raises(SMSPartnerInputError, match=reported):
        of_columns(NumberAndTextFile, tmp_path / "r.parquet", {"phone_number": [number], "message": [text]})


def test_nulls_in_parquet_are_the_callers_to_judge(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    columns = {"phone_number": [NUMBER, None], "message": pa.array([None, None])}
    assert of_columns(NumberAndTextFile, tmp_path / "r.parquet", columns) == [(NUMBER, None), (None, None)]
    assert of_columns(NumberFile, tmp_path / "r.parquet", columns) == [NUMBER, None]


# Recipients in a list


def test_a_recipient_of_a_list_has_the_same_forms() -> None:
    assert to_number(NUMBER) == to_number({"phoneNumber": NUMBER}) == NUMBER
    pair = (NUMBER, SECRET)
    assert to_number_and_text(pair) == to_number_and_text(list(pair)) == pair
    assert to_number_and_text({"message": SECRET, "phone_number": NUMBER}) == pair


@pytest.mark.parametrize("odd", [NUMBER, 33698765432, (NUMBER,), {NUMBER, SECRET}], ids=type)
def test_what_is_no_recipient_is_reported_without_its_number(odd: object) -> None:
    with pytest.raises(
        SMSPartnerInputError, match=r"is a \(phone_number, text\) pair or a mapping"
    ) as raised:
        to_number_and_text(odd)
    assert "98765432" not in str(raised.value)
