"""Who gets which text: read whole and checked before anything is sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import Markup

from airflow_provider_smspartner._sending.recipients import read_recipients
from airflow_provider_smspartner._sending.send import Send
from airflow_provider_smspartner.exceptions import SMSPartnerInputError
from airflow_provider_smspartner.operators.smspartner import SMSPartnerSendOperator

ANNE, BOB, CLEO = "+33639980001", "+33639980002", "+33639980003"


def read(recipients: object, message: str | None = None, **options: Any) -> dict[str, str]:
    return read_recipients(recipients, message, **{"unicode": False, "max_recipients": 10, **options})


@pytest.mark.parametrize(
    ("recipients", "message"),
    [
        (["06 39 98 00 01", "+33 (0)6.39.98.00.02"], Markup("Hello")),
        ([(ANNE,), [f"{BOB}\n"]], "Hello"),
        (iter((ANNE, BOB)), "Hello"),
        ([{"phone_number": ANNE}, {"phoneNumber": BOB, "name": "Bob"}], "Hello"),
        ([ANNE, BOB, ANNE, "0639980001"], "Hello"),
        (((ANNE, "Hello"), [BOB, "Hello"]), None),
        ([{"phone_number": ANNE, "message": "Hello"}, {"phoneNumber": BOB, "message": "Hello"}], None),
    ],
    ids=["list", "rows of one column", "iterator", "mappings", "named again", "pairs", "mappings with texts"],
)
def test_recipients_may_be_given_in_many_ways(recipients: object, message: str | None) -> None:
    texts = read(recipients, message)

    assert list(texts.items()) == [(ANNE, "Hello"), (BOB, "Hello")]
    assert {type(text) for text in texts.values()} == {str}


def test_texts_of_other_libraries_can_be_sent() -> None:
    rows = [{"phone_number": np.str_(ANNE), "message": np.str_("Hello")}]
    send = Send.of(rows, tag=np.str_("spring"), sender=Markup("Shop"))

    body = send.call(0).request.body or {}
    assert {type(value) for value in (body["tag"], body["sender"], *body["SMSList"][0].values())} == {str}


def test_a_person_overseas_is_one_recipient_whichever_country_code_is_written() -> None:
    written = ["0696123456", "+33696123456", "0033 (0)6 96 12 34 56", "+596696123456"]

    assert list(read(written, "Hello")) == ["+596696123456"]


def test_what_a_template_may_become_is_left_out() -> None:
    known = read(["{{ a }}", ANNE, "{{ b }}", BOB], "Hello", is_known=lambda each: "{" not in str(each))

    assert [*known] == [ANNE, BOB]


def test_who_is_named_again_with_another_text_gets_the_first(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    given = [(ANNE, "one"), (BOB, "two"), (ANNE, "three"), (ANNE, "four"), (BOB, "two")]
    assert read(given) == {ANNE: "one", BOB: "two"}

    assert " 3 recipients are named again; each number gets one SMS." in caplog.text
    assert " 2 recipients are named again with another text; each number gets the first." in caplog.text
    assert "9980" not in caplog.text
    assert "three" not in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("guests.csv", f'phone_number,message\n{ANNE},"Hello, you"\n{BOB},"Hello, you"\n', None),
        (
            "guests.ndjson",
            f'["{ANNE}", "Hello, you"]\n{{"phoneNumber": "{BOB}", "message": "Hello, you"}}\n',
            None,
        ),
        ("numbers.csv", f"phone_number\n{ANNE}\n{BOB}\n", "Hello, you"),
    ],
    ids=lambda value: str(value).partition("\n")[0][:12],
)
def test_a_file(tmp_path: Path, name: str, content: str, message: str | None) -> None:
    (tmp_path / name).write_text(content)

    assert read(str(tmp_path / name), message) == {ANNE: "Hello, you", BOB: "Hello, you"}


BAD = {
    "no list": (5, "Hello", "must be a list, .*, not of type int"),
    "one mapping": ({"phone_number": ANNE}, "Hello", "must be a list"),
    "a list that was rendered to text": (f"['{ANNE}']", "Hello", "pass the upstream task's output itself"),
    "not a number": ([BOB, "0123"], "Hello", r"recipients\[1\]: phone_number is neither"),
    "a landline": ([BOB, "+33 1 42 68 53 00"], "Hello", r"recipients\[1\]: phone_number is .* no mobile"),
    "a toll-free number": ([(BOB, "a"), ("+33800123456", "b")], None, r"recipients\[1\]: .* no mobile"),
    "a landline overseas": (
        [BOB, "+590590123456"],
        "Hello",
        r"recipients\[1\]: phone_number is .* no mobile",
    ),
    "a national landline": (
        [BOB, "01 42 68 53 00"],
        "Hello",
        r"recipients\[1\]: phone_number is .* no mobile",
    ),
    "a machine": ([BOB, "07 00 12 34 56 78 90"], "Hello", r"recipients\[1\]: phone_number is .*M2M"),
    "ten digits of a machine": ([BOB, "07 00 12 34 56"], "Hello", r"recipients\[1\]: phone_number is .*M2M"),
    "no text": ([ANNE], None, r"recipients\[0\]: a recipient with a text of its own"),
    "a pair with a text beside": ([(ANNE, "Hello")], "Hello", r"recipients\[0\]: phone_number must be text"),
    "text is no text": ([(ANNE, 5)], None, r"recipients\[0\]: message must be text, not of type int"),
    "a mapping without a text": ([{"phone_number": ANNE}], None, r"recipients\[0\]: message is missing"),
    "empty text": ([(ANNE, "a"), (BOB, " \n")], None, r"recipients\[1\]: message is empty"),
    "empty text for all": ([ANNE], "", "`message` is empty"),
    "text of which nothing is sent": (
        [(ANNE, "a"), (BOB, "~ ^")],
        None,
        r"recipients\[1\]: message is empty: SMS",
    ),
    "half a character": (
        [(ANNE, "a"), (BOB, "Hello \ud83d")],
        None,
        r"recipients\[1\]: message .* character 7 ",
    ),
    "half a character for all": ([ANNE], "\udce9", "`message` cannot be sent: character 1 "),
    "a link that would break": (
        [(ANNE, "a"), (BOB, "Hello: http://a.example/~b?c[]=1")],
        None,
        r"recipients\[1\]: message has a link, at character 8, .* Write %5B for \[, %5D for \], %7E for ~\.$",
    ),
    "a link that would break for all": (
        [ANNE],
        "www.a.example/forêt",
        "^`message` has a link, .* %C3%AA for ê",
    ),
    "too many": ([f"+336399800{n:02}" for n in range(11)], "Hello", "more than 10 recipients"),
}


@pytest.mark.parametrize(("recipients", "message", "fault"), BAD.values(), ids=BAD)
def test_bad_input_is_named_without_numbers(recipients: object, message: str | None, fault: str) -> None:
    with pytest.raises(SMSPartnerInputError, match=fault) as caught:
        read(recipients, message)

    assert "9980" not in str(caught.value)
    assert "Hello" not in str(caught.value)


@pytest.mark.parametrize("unicode", [False, True], ids=["GSM", "Unicode"])
@pytest.mark.parametrize("own", [False, True], ids=["for all", "of one's own"])
def test_a_text_may_be_ten_sms_long(unicode: bool, own: bool) -> None:
    longest = "é" * 670 if unicode else "x" * 1530
    assert read([(ANNE, longest)] if own else [ANNE], None if own else longest, unicode=unicode)

    too_long, place = longest + "e", r"recipients\[0\]: message" if own else "`message`"
    with pytest.raises(
        SMSPartnerInputError, match=f"^{place} has {len(too_long)} characters, which are 11 SMS"
    ):
        read([(ANNE, too_long)] if own else [ANNE], None if own else too_long, unicode=unicode)


def test_all_bad_rows_of_a_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "guests.csv"
    path.write_text(f"phone_number;message\n{ANNE};Hello\n{BOB};\n{CLEO}\n{CLEO};Hello\n0123;Hello\n")

    with pytest.raises(
        SMSPartnerInputError,
        match=r"guests\.csv, line 3: message is empty\. 3 rows are bad: lines 3, 4, 6\.$",
    ):
        read(str(path))


def test_all_bad_recipients_of_a_list_are_named() -> None:
    bad = [ANNE, "0123", None, BOB, "+33142685300"]

    with pytest.raises(
        SMSPartnerInputError, match=r"^recipients\[1\]: .*\. 3 recipients are bad: positions 1, 2, 4\.$"
    ):
        read(bad, "Hello")
    with pytest.raises(SMSPartnerInputError, match=r"^recipients\[1\]: phone_number is neither .*07…\)\.$"):
        read(cycle(bad), "Hello")


@pytest.mark.parametrize("path", ["out.csv", "out.csv/", "out/"])
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_folder_is_no_file(tmp_path: Path, scheme: str, path: str) -> None:
    (tmp_path / path).mkdir()
    (tmp_path / path / "part-00000.csv").write_text(f"phone_number\n{ANNE}\n")

    with pytest.raises(SMSPartnerInputError, match=r"is a folder.*name one file"):
        read(f"{scheme}{tmp_path}/{path}", "Hello")


def test_an_endless_list_ends_at_the_limit() -> None:
    def endless() -> Iterator[str]:
        n = 0
        while True:
            yield f"+3363998{n:04}"
            n += 1

    with pytest.raises(SMSPartnerInputError, match="`max_recipients`"):
        read(endless(), "Hello", max_recipients=1_000)


def test_texts_are_returned_as_they_go_out() -> None:
    given = [(ANNE, "a\r\n5 €"), (BOB, "http://a.example/e\u0301")]

    assert read(given) == {ANNE: "a:br:5 :euro:", BOB: "http://a.example/é"}
    assert read([ANNE, "0639980001"], "https://a.example/~[\n", unicode=True) == {
        ANNE: "https://a.example/~[:br:"
    }


def test_characters_that_do_not_arrive_are_named(caplog: pytest.LogCaptureFixture) -> None:
    given = [(ANNE, "Prêt ~ œ\N{NO-BREAK SPACE}?"), (BOB, "êtes \u0301"), (CLEO, "Don't: 5 €\nÀ")]

    read(given, unicode=True)
    SMSPartnerSendOperator(task_id="parsed", recipients=given)
    assert not caplog.messages

    read([*given, ("+33639980004", "Done")])
    replaced, lacking = caplog.messages
    assert replaced.startswith("3 of 4 texts have characters that SMS Partner replaces: ")
    assert replaced.endswith(": ~ by nothing, À by A, ê by e, œ by oe. `unicode` keeps them.")
    assert lacking.startswith("2 of 4 texts have characters that GSM 03.38 lacks: U+00A0, U+0301. What ")


def test_so_many_characters_are_named_that_they_do_not_make_a_text(caplog: pytest.LogCaptureFixture) -> None:
    read([ANNE], "".join(map(chr, range(0x4E30, 0x4E10, -1))))

    assert f": {', '.join(map(chr, range(0x4E11, 0x4E25)))} and 12 more. " in caplog.text
