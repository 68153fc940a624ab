"""The page of the documentation that shows how many SMS leave, written from what the tests have seen."""

from __future__ import annotations

from collections.abc import Iterator

from faults.written import Cells, WrittenPage, line
from sending.table import NOTHING, TABLE, Row
from sending.ways import WAYS

_OPENING = """\
# Never twice

SMS Partner has no means to recognise a request that it has had before: what is sent again is received again. So
nothing that sends is repeated unless it surely was not sent. {faults} faults, played in {played} ways, meet {ways}
ways to send: {cells} cells. `make fault-table` plays all of them against the double of the API, counts the SMS that
the double has sent, and writes this page from what it has seen. Each night's tests do the same, and `make test` plays
each fault for one way to send: each SMS left at most once, what was reported as accepted was sent, and nothing that
was logged or raised held the API key, a phone number or a text.

- Three SMS are sent in one call, by `/bulk-send`: once with the same text, and once with own texts. Both end alike.
  `max_attempts` is 2.
- *Operator* is `SMSPartnerSendOperator` on Airflow 3.3 or later. *Its next try* is what Airflow's next try of the task
  does once the fault has passed. Airflow makes none by itself after `SMSPartnerAmbiguousSendError`,
  `SMSPartnerCredentialsError` and `SMSPartnerRequestError`; the column shows that even one that somebody forces sends
  no SMS twice. Before Airflow 3.3 no next try sends anything: each ends with `SMSPartnerAmbiguousSendError`.
- *Adopted* are SMS that an earlier try has sent: they are reported, and not sent again.
- HTTP 429 is believed: the vendor has not acted on the request.

The last column plays the fault in your own tests, where `double` is an `SMSPartnerDouble`, such as the fixture
`smspartner_double`. A fault that is played `after_processing` keeps the answer from the client once the SMS have left.
`double.sent` has them:

```python
from airflow_provider_smspartner.testing import Fault, SMSPartnerDouble

with SMSPartnerDouble() as double:
    double.misbehave(Fault.reset().after_processing())
```
"""

COLUMNS = [column for way in WAYS.values() for column in way.tries]


def expected_cells() -> dict[tuple[str, str], str]:
    """Return what the table expects."""
    return {
        (row.happens, column): str(ending)
        for row in rows()
        for way in WAYS.values()
        for column, ending in zip(way.tries, row.endings, strict=False)
    }


def render(cells: Cells) -> str:
    """Write the page."""
    faults = [row for row in rows() if row not in NOTHING]
    opening = _OPENING.format(
        faults=len(faults),
        played=sum(1 if row.arrange else len(row.faults()) for row in faults),
        ways=len(WAYS),
        cells=len(cells),
    )
    return opening + "".join(_section(title, rows, cells) for title, rows in TABLE.items())


def rows() -> Iterator[Row]:
    """Yield all rows of the table."""
    for section in TABLE.values():
        yield from section


def _section(title: str, section: list[Row], cells: Cells) -> str:
    head = ("what happens", *COLUMNS, "how to play it")
    lines = [line(*head), line(*["---"] * len(head))]
    lines += [
        line(
            row.happens,
            *[cells[row.happens, column] for column in COLUMNS],
            f"`{' '.join(row.play.split())}`",
        )
        for row in section
    ]
    return f"\n## {title}\n\n" + "".join(lines)


PAGE = WrittenPage("never-twice.md", expected_cells, render)
