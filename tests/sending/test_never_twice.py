"""Whatever happens to a send: no number gets a text twice, and each try ends as the table says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from faults.arranged import Stage
from faults.written import SEEN
from harness import KEEPS_TASK_STATE
from sending.page import PAGE, rows
from sending.table import Row
from sending.ways import TASKS, TEXT, WAYS, Ending, attempt
from told import Capture, assert_nothing_in, captured, told_by

from airflow_provider_smspartner.testing import SMSPartnerDouble

capture = pytest.fixture(captured)

ROWS = [*rows()]
# Before Airflow 3.3, an operator's next try does not end as the table says.
PLAYED = [name for name, way in WAYS.items() if KEEPS_TASK_STATE or len(way.tries) == 1]
Play = Callable[[Row, str], dict[str, Sequence[Ending]]]


@pytest.fixture
def play(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capture: Capture, capfd: pytest.CaptureFixture[str]
) -> Play:
    """Play all variants of a row for a way to send, and return how the tries of each have ended."""

    def endings(row: Row, name: str) -> dict[str, Sequence[Ending]]:
        seen: dict[str, Sequence[Ending]] = {}
        for text in WAYS[name].texts:
            (folder := tmp_path / name / text).mkdir(parents=True)
            times = None if row.lasts else 1
            stage = Stage(monkeypatch, folder, dict(row.extra), passes=False, times=times)
            for number, (fault, played) in enumerate(row.plays(stage)):
                with played as double:
                    seen[f"{text}, {number}: {fault}"] = tries(name, text, stage, double, capture)
                    assert_nobody_got_two(double)
                assert_nothing_in([*capture.texts, *capfd.readouterr()])
                capture.texts.clear()
        return seen

    return endings


def tries(name: str, text: str, stage: Stage, double: SMSPartnerDouble, capture: Capture) -> list[Ending]:
    """Make all tries of a task, the fault being mended after the first."""
    send, endings = WAYS[name].start(), []
    for number in range(len(WAYS[name].tries)):
        if number == 1:
            # What answers now may take its time.
            stage.extra.pop("timeout", None)
            for mend in stage.mends:
                mend()
        ending, error = attempt(send, TASKS[text], double)
        endings.append(ending)
        told = [] if error is None else [*told_by(error)]
        assert_nothing_in(told)
        assert not [each for each in [*told, *capture.texts] if TEXT in each]
    return endings


def assert_nobody_got_two(double: SMSPartnerDouble) -> None:
    got = Counter((sms.phone_number, sms.text) for sms in double.sent)
    assert max(got.values(), default=0) <= 1, f"somebody got {max(got.values())} SMS of one text"


def expected(row: Row, name: str) -> list[Ending]:
    return list(row.endings[: len(WAYS[name].tries)])


def cells() -> Iterator[ParameterSet]:
    """Choose a way for each row, all ways in turn; the operator meets each kind of a next try as well."""
    kinds = set()
    for number, row in enumerate(ROWS):
        names = {PLAYED[number % len(PLAYED)]}
        if "operator" in PLAYED and (kind := tuple(row.endings)) not in kinds:
            kinds.add(kind)
            names.add("operator")
        for name in sorted(names):
            yield pytest.param(row, name, id=f"{row.happens}-{name}")


@pytest.mark.filterwarnings("default::urllib3.exceptions.HTTPWarning")
@pytest.mark.parametrize(("row", "name"), [*cells()])
def test_a_send_ends_as_the_table_says(row: Row, name: str, play: Play) -> None:
    seen = play(row, name)

    assert seen == dict.fromkeys(seen, expected(row, name))


@pytest.mark.nightly
@pytest.mark.filterwarnings("default::urllib3.exceptions.HTTPWarning")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.happens)
def test_a_send_ends_as_the_table_says_in_every_way(
    row: Row, play: Play, record_property: Callable[[str, object], None]
) -> None:
    seen = {name: play(row, name) for name in PLAYED}

    assert seen == {name: dict.fromkeys(seen[name], expected(row, name)) for name in PLAYED}
    for name in PLAYED:
        (*_, endings) = seen[name].values()
        for column, ending in zip(WAYS[name].tries, endings, strict=True):
            record_property(SEEN, (PAGE.name, row.happens, column, str(ending)))


def test_the_page_agrees_with_the_table() -> None:
    PAGE.check()
