"""Where Airflow 2 shows what is pictured."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pictures.seen import Area

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from local_airflow import DagRun

TRIES = 3
WAIT_MS = 8_000


class Airflow2:
    """The steps that a user takes in Airflow 2."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def connection_form(self, conn_id: str, key: str) -> Area:
        """The form with the key typed in; nothing of it is folded."""
        self._fill_form(conn_id, password=key)
        panel = self._page.locator(".panel", has=self._page.locator(".well"))
        return Area.around(panel, margin=12)

    def connection_form_extra(self, conn_id: str, key: str) -> Area:
        """The form's extra fields, and its buttons."""
        self._fill_form(conn_id, password=key)
        return Area.around(self._row("[id^=extra__smspartner__]"), self._page.locator(".well"))

    def test_connection(self, conn_id: str, connection: Mapping[str, Any]) -> Area:
        """The answer of the form's Test button."""
        fields = {name: str(connection[name]) for name in ("host", "schema", "port", "password")}
        self._fill_form(conn_id, **fields)
        self._page.get_by_role("button", name="Test").click()
        answer = self._page.locator(".alert").filter(has_text="SMS Partner")
        answer.wait_for()
        self._page.get_by_role("button", name="Test").blur()
        self._page.mouse.move(0, 0)
        return Area.around(answer, self._page.locator(".panel-heading"), self._row("#conn_type"))

    def graph(self, run: DagRun) -> Area:
        from playwright import sync_api

        nodes = self._page.locator(".react-flow__node")
        for _ in range(TRIES):
            self._open(run, "graph", height=1000)
            # Now and then the page measures no node, and hides them all.
            with suppress(sync_api.TimeoutError):
                nodes.get_by_text("success").first.wait_for(timeout=WAIT_MS)
                break
        self._settle()
        return Area.around(nodes, margin=24)

    def tasks(self, run: DagRun, task_id: str) -> Area:
        """The tasks of a run and their states, in the grid, and the trigger of the one that waits."""
        self._open(run, "details", task_id=task_id)
        trigger = self._page.get_by_role("row").filter(has_text="Trigger creation time")
        trigger.wait_for()
        self._settle()
        legend = self._page.get_by_text("no_status", exact=True)
        grid = self._page.get_by_text(task_id).first
        last_button = self._page.get_by_role("button").filter(has_text="Filter DAG by task")
        last_button.wait_for()
        return Area.around(legend, grid, trigger, last_button, margin=12)

    def log(self, run: DagRun, task_id: str, *, until: str) -> Area:
        """The log of a task, as soon as it says something."""
        self._open(run, "logs", task_id=task_id, height=2000)
        self._page.get_by_text("Wrap", exact=True).click()
        lines = self._page.locator("div", has=self._page.locator("> #pre_task_execution_logs_unfold")).last
        lines.filter(has_text=until).wait_for()
        self._settle()
        # Above stands the name of the machine.
        first = lines.locator("> #pre_task_execution_logs_unfold").first
        return Area.around(lines, below=first, margin=4)

    def xcom(self, run: DagRun, task_id: str) -> Area:
        # So high that no row has to be scrolled to.
        self._open(run, "xcom", task_id=task_id, height=3600)
        self._page.get_by_text("delivery_rate").wait_for()
        self._settle()
        # All rows but the first are folded up, from below, since what is below moves.
        rows = self._page.locator(".array-key").all()[1:]
        for row in reversed(rows):
            row.click()
        folded = self._page.locator(".collapsed-icon")
        if folded.count() < len(rows):
            rows[-1].click()  # The first click of a page is lost.
        folded.nth(len(rows) - 1).wait_for()
        self._settle()
        return Area.around(self._page.get_by_role("table").filter(has_text="return_value"))

    def link(self, run: DagRun, task_id: str, name: str) -> Area:
        self._open(run, "details", task_id=task_id)
        link = self._page.get_by_role("link", name=name)
        link.wait_for()
        buttons = self._page.get_by_role("button").filter(has_text="Filter DAG by task")
        buttons.wait_for()
        self._settle()
        first_tab = self._page.get_by_role("tab", name="Details")
        return Area.around(buttons, first_tab, link, margin=6)

    def _fill_form(self, conn_id: str, **fields: str) -> None:
        self._resize(1100, 1400)
        self._page.goto("/connection/add")
        self._page.locator("#conn_id").fill(conn_id)
        # What a mouse would click lies over it.
        self._page.locator("#conn_type").select_option("smspartner", force=True)
        for name, value in fields.items():
            self._page.locator(f"#{name}").fill(value)
        self._page.locator("#password").blur()

    def _row(self, field: str) -> Any:
        return self._page.locator("form tr:visible", has=self._page.locator(field))

    def _open(self, run: DagRun, tab: str, *, task_id: str | None = None, height: int = 900) -> None:
        self._resize(1280, height)
        task = f"&task_id={task_id}" if task_id else ""
        self._page.goto(f"/dags/{run.dag_id}/grid?dag_run_id={run.run_id}{task}&tab={tab}")

    def _resize(self, width: int, height: int) -> None:
        self._page.set_viewport_size({"width": width, "height": height})

    def _settle(self) -> None:
        # The panel and the nodes of the graph find their places.
        self._page.wait_for_timeout(1000)
