"""The page of the documentation that shows the table, written from what the tests have seen."""

from __future__ import annotations

from collections.abc import Iterator

from faults.readers import READERS
from faults.table import TABLE, Row
from faults.written import Cells, WrittenPage, line

MAX_BYTES = 192 * 2**20
"""What a bomb may take at most, the double's share included."""

_OPENING = """\
# Faults, one by one

{faults} faults, played in {ways} ways, meet {readers} readers: {cells} cells. `make fault-table` plays all of
them against the double of the API, and writes this page from what it has seen. Each night's tests do the same,
and `make test` plays each fault for one operator and one mode of the sensor: the reader ended as it stands here,
and nothing that was logged or raised held the API key or a phone number. In the last section, Python's memory
peaked below {mebibytes} MiB in each cell, the double's included.

- *By tag* and *by list* are `SMSPartnerStatusByTagOperator` and `SMSPartnerMultiStatusOperator`. They meet the
  fault for ever, with `max_attempts` 2: "2 tries" says that both failed, "out of time" that the
  time for all tries was used up (5 minutes, shortened here).
- The others are `SMSPartnerCampaignSensor` in its three modes. It meets the fault at its first requests; then
  the API behaves again. "Waits, then" says that the fault did not end the wait. A fault that lasts ends it at
  its `timeout`, with `AirflowSensorTimeout`. Under `soft_fail` each error of the sensor is a skip.
- The campaign has three messages, on two pages of its tag. The sensor waits for the tag, where a row says *(list)*
  for the list.
- "—" says that the fault does not concern the reader.
- By tag the vendor does not say which message a row is about: rows that are foreign or come twice cannot be told
  from others there.

The last column plays the fault in your own tests, where `double` is an `SMSPartnerDouble`, such as the fixture
`smspartner_double`. Where it has several faults, or a `for`, all of them end alike:

```python
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

with SMSPartnerDouble() as double:
    double.misbehave(Fault.reset(), times=3)  # or times=None, for ever
```
"""

_HEAD = (
    "what happens",
    "by tag",
    "by list",
    "sensor: poke",
    "sensor: reschedule",
    "sensor: deferrable",
    "how to play it",
)


def expected_cells() -> dict[tuple[str, str], str]:
    """Return what the table expects."""
    return {
        (row.happens, reader): str(ending)
        for row in _rows()
        for reader in READERS
        if (ending := row.ending(reader)) is not None
    }


def render(cells: Cells) -> str:
    """Write the page."""
    faults = [*_rows()]
    opening = _OPENING.format(
        faults=len(faults),
        ways=sum(1 if row.arrange else len(row.faults()) for row in faults),
        readers=len(READERS),
        cells=len(cells),
        mebibytes=MAX_BYTES // 2**20,
    )
    return opening + "".join(_section(title, rows, cells) for title, rows in TABLE.items())


def _rows() -> Iterator[Row]:
    for rows in TABLE.values():
        yield from rows


def _section(title: str, rows: list[Row], cells: Cells) -> str:
    lines = [line(*_HEAD), line(*["---"] * len(_HEAD))]
    for row in rows:
        happens = row.happens if row.awaited == "tag" else f"{row.happens} *(list)*"
        endings = [cells.get((row.happens, reader), "—") for reader in READERS]
        lines.append(line(happens, *endings, f"`{' '.join(row.play.split())}`"))
    return f"\n## {title}\n\n" + "".join(lines)


PAGE = WrittenPage("faults.md", expected_cells, render)
