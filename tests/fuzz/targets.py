"""
The fuzz targets: which functions take any bytes at all, and what must come of them.

`scripts/fuzzing.py` (``make fuzz``) drives them by coverage. `test_targets.py` drives the same ones with the committed
corpus, and with inputs made of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fuzz.answers import (
    check_account,
    check_cancel,
    check_list,
    check_pages,
    check_send,
    check_stop_list,
    check_tag_page,
)
from fuzz.message_files import check_csv, check_ndjson, check_parquet
from fuzz.oracles import expect

CORPUS = Path(__file__).parent / "corpus"

MAX_SECONDS = 2.0
"""Of a processor, for one input: they have a few kilobytes, and take milliseconds."""

MAX_PARQUET_SECONDS = 15.0
"""A damaged Parquet file may claim a page of 2 GB, which pyarrow fills with zeros before it looks further."""


@dataclass(frozen=True)
class Target:
    """
    A function that takes any bytes.

    :param name: its corpus's folder.
    :param check: does what is to be tested; raises anything at all if that did not go as it must.
    :param share: of all inputs, in hundredths.
    :param max_seconds: of a processor, for one input.
    """

    name: str
    check: Callable[[bytes], None]
    share: int
    max_seconds: float = MAX_SECONDS

    def run(self, data: bytes) -> None:
        """
        Take one input.

        :param data: the input.
        :raises Exception: a finding.
        """
        began = time.process_time()
        self.check(data)
        seconds = time.process_time() - began
        expect(seconds < self.max_seconds, f"it took {seconds:.1f} s")

    @property
    def corpus(self) -> list[bytes]:
        """The committed inputs, in the order of their names."""
        return [path.read_bytes() for path in sorted((CORPUS / self.name).iterdir())]


TARGETS = (
    Target("answer_list", check_list, 16),
    Target("answer_tag", check_tag_page, 14),
    Target("answer_pages", check_pages, 14),
    Target("answer_account", check_account, 7),
    Target("answer_cancel", check_cancel, 5),
    Target("answer_stop_list", check_stop_list, 7),
    Target("answer_send", check_send, 8),
    Target("file_csv", check_csv, 11),
    Target("file_ndjson", check_ndjson, 12),
    Target("file_parquet", check_parquet, 6, MAX_PARQUET_SECONDS),
)
