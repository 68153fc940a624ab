"""Message lists from files, while they are asked for: the same as a list in memory, but on disk."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_smspartner._messages import on_disk as module
from airflow_provider_smspartner._messages.from_argument import read_pending
from airflow_provider_smspartner._messages.on_disk import PendingOnDisk
from airflow_provider_smspartner._messages.pending import PendingInMemory
from airflow_provider_smspartner._waiting.campaign import Campaign
from airflow_provider_smspartner._waiting.tally import Tally
from airflow_provider_smspartner.exceptions import SMSPartnerNotFoundError, SMSPartnerUnavailableError
from airflow_provider_smspartner.models import DeliveryStatus, MessageRef

ASK_FOR_ALL = str(Path(__file__).with_name("ask_for_all.py"))


def ref(number: int) -> MessageRef:
    return MessageRef(f"+336{number:08}", number)


def refs(count: int) -> Iterator[MessageRef]:
    return map(ref, range(count))


def backlog_of(messages: list[MessageRef]) -> PendingOnDisk:
    backlog = PendingOnDisk()
    backlog.load(messages)
    return backlog


def nameless_files() -> int:
    """Count the open files that no folder names: of all that earlier tests may close meanwhile, none is like that."""
    count = 0
    for descriptor in Path("/dev/fd").iterdir():
        with suppress(OSError):  # the listing's own
            status = os.fstat(int(descriptor.name))
            count += stat.S_ISREG(status.st_mode) and not status.st_nlink
    return count


# Few of each, so that many are equal, in one of the two or in both.
FEW = st.builds(
    MessageRef, st.integers(1, 9).map("+3361234567{}".format), st.sampled_from(["1", "01", 1, "a", "A"])
)


@given(st.lists(FEW, max_size=40))
def test_gives_each_message_once_and_in_order(messages: list[MessageRef]) -> None:
    with closing(backlog_of(messages)) as backlog:
        assert list(backlog) == list(dict.fromkeys(messages))
        assert list(backlog) == list(dict.fromkeys(messages))  # and again
        assert len(backlog) == len(set(messages))
        assert all(type(each) is MessageRef for each in backlog)


OUTCOMES = st.sampled_from(list(DeliveryStatus))
ENDS = st.sampled_from(
    [None, None, SMSPartnerUnavailableError("x"), SMSPartnerNotFoundError("x"), ValueError("x")]
)


@given(
    messages=st.lists(FEW, max_size=20, unique=True),
    readings=st.lists(st.tuples(st.lists(OUTCOMES, min_size=20, max_size=20), ENDS), max_size=5),
    at_once=st.integers(1, 6),
)
def test_is_read_as_a_list_in_memory_is(
    messages: list[MessageRef],
    readings: list[tuple[list[DeliveryStatus], Exception | None]],
    at_once: int,
) -> None:
    def read(watch: Campaign, outcomes: list[DeliveryStatus], end: Exception | None) -> object:
        try:
            with Tally(watch) as tally:
                for each, outcome in zip(watch.messages, outcomes, strict=False):
                    tally.add(outcome, each)
                if end:
                    raise end
        except ValueError as error:
            return error
        return tally.trouble, tally.summary and tally.summary.counts

    with pytest.MonkeyPatch.context() as patch, closing(backlog_of(messages)) as backlog:
        patch.setattr(module, "_AT_ONCE", at_once)
        on_disk, in_memory = (
            Campaign(tag=None, messages=backlog),
            Campaign(tag=None, messages=PendingInMemory(messages)),
        )
        for outcomes, end in readings:
            assert read(on_disk, outcomes, end) == read(in_memory, outcomes, end)
            assert list(on_disk.messages) == list(in_memory.messages)
            assert len(on_disk.messages) == len(in_memory.messages)
            assert on_disk.settled == in_memory.settled
            assert str(on_disk) == str(in_memory)


def test_its_file_has_no_name_and_is_gone_once_it_is_closed() -> None:
    before = nameless_files()
    backlog = backlog_of(list(refs(60_000)))  # more than is held in memory
    for each in refs(30_000):
        backlog.settle(each)
    (named,) = {name for _, _, name in backlog._database.execute("PRAGMA database_list")}
    assert named == ""
    assert nameless_files() > before

    backlog.close()
    backlog.close()

    assert nameless_files() == before
    assert len(backlog) == 60_000
    with pytest.raises(sqlite3.ProgrammingError):
        next(iter(backlog))


def test_a_fault_in_a_file_is_reported_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    lines = [f"{number},{message_id}\n" for number, message_id in refs(60_000)]
    path.write_text("phone_number,message_id\n" + "".join(lines) + "0998765432,1\n")
    before = nameless_files()

    with pytest.raises(ValueError, match=r"m\.csv, line 60002: phone_number is neither") as raised:
        PendingOnDisk.of(str(path))

    assert nameless_files() == before
    assert "98765432" not in str(raised.value)


def test_a_full_disk_is_reported_without_numbers() -> None:
    with closing(PendingOnDisk()) as backlog:
        backlog._database.execute("PRAGMA temp.max_page_count = 10")
        with pytest.raises(
            OSError, match=r"^messages cannot be held in a temporary file: database or disk is full$"
        ):
            backlog.load(refs(10_000))


def test_a_disk_that_fails_in_a_reading_leaves_what_was_there() -> None:
    with closing(backlog_of(list(refs(1_000)))) as backlog:
        watch = Campaign(tag=None, messages=backlog)
        # As SQLite does when the disk is full: it ends the transaction by itself.
        backlog._database.execute(
            "CREATE TEMP TRIGGER full BEFORE DELETE ON messages WHEN old.position > 700 "
            "BEGIN SELECT RAISE(ROLLBACK, 'full'); END"
        )

        def read() -> None:
            with Tally(watch) as tally:
                for each in backlog:
                    tally.add(DeliveryStatus.DELIVERED, each)

        with pytest.raises(sqlite3.Error, match="full"):
            read()
        assert list(backlog) == list(refs(1_000))
        assert watch.settled == {}


def test_only_a_long_file_is_held_on_disk(tmp_path: Path) -> None:
    def held(messages: object) -> object:
        with closing(read_pending(messages)) as pending:
            assert list(pending) == list(refs(len(pending)))
            return type(pending), len(pending)

    path = tmp_path / "m.csv"
    for count, kind in ((500, PendingInMemory), (501, PendingOnDisk)):
        path.write_text(
            "phone_number,message_id\n" + "".join(f"{each[0]},{each[1]}\n" for each in refs(count))
        )
        assert held(str(path)) == (kind, count)
    assert held(list(refs(501))) == (PendingInMemory, 501)


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's peak of a process")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    for name, count in (("few", 20_000), ("many", 150_000)):
        lines = "".join(f"{number},{message_id}\n" for number, message_id in refs(count))
        (tmp_path / f"{name}.csv").write_text("phone_number,message_id\n" + lines)

    # SQLite's memory is not Python's, so a process of its own is looked at; not by its ru_maxrss, which begins at
    # the size of the process that started it.
    done = subprocess.run(
        [sys.executable, ASK_FOR_ALL, str(tmp_path / "few.csv"), str(tmp_path / "many.csv")],
        check=True,
        capture_output=True,
        text=True,
    )

    asked, grown = map(int, done.stdout.split()[-2:])
    assert asked == 150_000
    assert grown < 6
