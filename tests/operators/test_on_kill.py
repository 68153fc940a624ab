"""A fetch that is terminated: it asks no more, delivers nothing and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from harness import new_context
from killing import killed, slowly

from airflow_provider_smspartner._http import blocking
from airflow_provider_smspartner._http.policy import closed_before_answer
from airflow_provider_smspartner.exceptions import SMSPartnerError, SMSPartnerUnavailableError
from airflow_provider_smspartner.hooks.smspartner import SMSPartnerHook
from airflow_provider_smspartner.operators.smspartner import SMSPartnerStatusByTagOperator
from airflow_provider_smspartner.testing import SMSPartnerDouble

PAGES = 200
IN_FLIGHT = 4

FETCHES: dict[str, tuple[str, dict[str, Any]]] = {
    "tag": ("SMSPartnerStatusByTagOperator", {"tag": "spring"}),
    "list": (
        "SMSPartnerMultiStatusOperator",
        {"messages": [[f"+336{n:08}", n] for n in range(500 * 20)]},
    ),
}


def list_of_messages(hook: SMSPartnerHook) -> Iterator[Any]:
    return hook.iter_multi_status([(f"+336{n:08}", n) for n in range(500 * 4)])


def tag_read_ahead(hook: SMSPartnerHook) -> Iterator[Any]:
    return hook.iter_status_by_tag("spring", read_ahead=True)


# Each case is a process that imports Airflow: what the handler does is looked at once.
@pytest.mark.parametrize(
    ("fetch", "lands", "raises"),
    [("tag", False, False), ("tag", True, False), ("list", True, False), ("tag", True, True)],
    ids=["tag, xcom", "tag, file", "list, file", "tag, file, the handler raises"],
)
def test_a_terminated_fetch_ends_soon_without_a_result(
    double: SMSPartnerDouble, tmp_path: Path, fetch: str, lands: bool, raises: bool
) -> None:
    double.add_campaign("spring", size=50 * PAGES, settle_seconds=0)
    double.misbehave(slowly(0.3), times=None)
    kind, arguments = FETCHES[fetch]
    target = tmp_path / "rows.ndjson"
    target.write_text("old")
    if lands:
        arguments = {**arguments, "output_path": str(target)}

    told, later = killed(
        double,
        kind,
        {**arguments, "max_xcom_rows": 1_000_000},
        raises=raises,
        when=lambda: len(double.requests) >= 3 and len(list(tmp_path.iterdir())) == 1 + lands,
    )

    assert told["outcome"].startswith("Terminated" if raises else "SMSPartnerError: The task was terminated")
    assert told["xcoms"] == {}
    # What was in flight at that moment.
    assert later <= IN_FLIGHT + 1
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_hook_that_is_closed_for_good_asks_no_more(double: SMSPartnerDouble) -> None:
    double.add_campaign("spring", size=200, settle_seconds=0)
    hook = SMSPartnerHook()
    rows = hook.iter_status_by_tag("spring")
    next(rows)
    hook.close(for_good=True)
    asked = len(double.requests)

    with pytest.raises(SMSPartnerUnavailableError, match="closed"):
        list(rows)
    with pytest.raises(SMSPartnerUnavailableError, match=str(closed_before_answer(surely_unsent=True))):
        hook.get_status_by_tag("spring")
    with pytest.raises(SMSPartnerUnavailableError):
        hook.get_conn()
    assert len(double.requests) == asked

    hook.close()
    (again := SMSPartnerHook()).close()
    assert len(again.get_status_by_tag("spring")) == 200  # closed, but not for good
    again.close()


@pytest.mark.parametrize("step", ["islice", "GivingUp", "ThreadPoolExecutor"])
@pytest.mark.parametrize("fetch", [list_of_messages, tag_read_ahead], ids=["list", "tag"])
def test_a_hook_that_is_closed_at_a_step_of_beginning_asks_no_more(
    double: SMSPartnerDouble,
    monkeypatch: pytest.MonkeyPatch,
    fetch: Callable[[SMSPartnerHook], Iterator[Any]],
    step: str,
) -> None:
    double.add_campaign("spring", size=50 * 20, settle_seconds=0)
    hook = SMSPartnerHook()
    # The client itself has begun before.
    hook.get_conn()
    real = getattr(blocking, step)
    asked: list[int] = []

    def closed_then(*given: Any, **options: Any) -> Any:
        if not asked:
            asked.append(len(double.requests))
            hook.close(for_good=True)
        return real(*given, **options)

    monkeypatch.setattr(blocking, step, closed_then)
    with pytest.raises(SMSPartnerUnavailableError, match="closed"):
        list(fetch(hook))
    assert [len(double.requests)] == asked


def test_a_kill_while_the_file_is_published_delivers_nothing_else(
    double: SMSPartnerDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.add_campaign("spring", size=20, settle_seconds=0)
    target = tmp_path / "rows.csv"
    operator = SMSPartnerStatusByTagOperator(task_id="fetch", tag="spring", output_path=str(target))
    replace = Path.replace

    def killed_then(self: Path, other: Any) -> Path:
        operator.on_kill()
        return replace(self, other)

    monkeypatch.setattr(Path, "replace", killed_then)
    context = new_context()
    with pytest.raises(SMSPartnerError, match="terminated"):
        operator.execute(context)
    assert context["ti"].xcoms == {}
    assert list(tmp_path.iterdir()) == []

    monkeypatch.undo()


def test_a_kill_after_the_file_was_published_says_that_it_is_there(
    double: SMSPartnerDouble, tmp_path: Path
) -> None:
    double.add_campaign("spring", size=20, settle_seconds=0)
    target = tmp_path / "rows.csv"
    operator = SMSPartnerStatusByTagOperator(task_id="fetch", tag="spring", output_path=str(target))

    class KilledByItsSummary:
        def xcom_push(self, **_: Any) -> None:
            operator.on_kill()

    with pytest.raises(
        SMSPartnerError, match=f"terminated after its file was written: .*{target} is complete"
    ):
        operator.execute(cast("Any", {"ti": KilledByItsSummary()}))
    assert len(target.read_text().splitlines()) == 1 + 20


def test_an_operator_can_be_executed_again_after_a_kill(double: SMSPartnerDouble) -> None:
    double.add_campaign("spring", size=20, settle_seconds=0)
    operator = SMSPartnerStatusByTagOperator(task_id="fetch", tag="spring")
    operator.on_kill()
    assert len(operator.execute(new_context())) == 20
    operator.on_kill()
    assert len(operator.execute(new_context())) == 20
