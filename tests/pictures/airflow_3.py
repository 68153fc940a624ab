"""Where Airflow 3 shows what is pictured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pictures.seen import Area

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from local_airflow import DagRun

# A box of JSON that is scrolled shows a part of its last line.
_END_AT_A_LINE = """
boxes => boxes.forEach(box => {
    const line = box.querySelector(".view-line").offsetHeight;
    box.style.height = `${Math.floor(box.offsetHeight / line) * line}px`;
})
"""


def new_connection(page: Page, conn_id: str) -> Locator:
    """Open the form of a new connection of this type, and return it."""
    page.goto("/")
    page.get_by_role("button", name="Admin").click()
    page.get_by_role("menuitem", name="Connections").click()
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Connection ID").fill(conn_id)
    form.get_by_role("combobox").fill("SMS Partner")
    page.get_by_role("option", name="SMS Partner", exact=True).click()
    return form


class Airflow3:
    """The steps that a user takes in Airflow 3."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def connection_form(self, conn_id: str, key: str) -> Area:
        """The form with the key typed in."""
        form = new_connection(self._page, conn_id)
        key_box = form.get_by_label("API key")
        key_box.fill(key)
        key_box.blur()
        return Area.around(form)

    def connection_form_extra(self, conn_id: str, key: str) -> Area:
        """The extra fields of the form."""
        self._resize(1280, 1100)
        form = new_connection(self._page, conn_id)
        form.get_by_label("API key").fill(key)
        head = form.get_by_role("button", name="Extra Fields", exact=True)
        head.click()
        fields = form.get_by_role("region")
        fields.get_by_text("Sandbox").wait_for()
        self._settle()
        return Area.around(head, fields)

    def test_connection(self, conn_id: str, connection: Mapping[str, Any]) -> Area:
        """The answer of the Test button, which stands in the list of the stored connections."""
        self._resize(1060, 500)
        self._page.goto("/connections")
        row = self._page.get_by_role("row").filter(has_text=conn_id)
        button = row.get_by_role("button", name="Test")
        button.click()
        answer = self._page.locator("[data-scope=toast][data-part=root]")
        answer.wait_for()
        # Else the button's tooltip covers what is below it.
        button.blur()
        self._page.mouse.move(0, 0)
        self._settle()
        return Area.around(self._page.get_by_role("table"), answer, margin=8)

    def graph(self, run: DagRun) -> Area:
        self._resize(1500, 700)
        self._page.goto(f"/dags/{run.dag_id}/runs/{run.run_id}")
        self._page.get_by_role("button", name="Show Graph").click()
        nodes = self._page.locator(".react-flow__node")
        nodes.get_by_text("success").first.wait_for()
        self._settle()
        return Area.around(nodes, margin=24)

    def tasks(self, run: DagRun, task_id: str) -> Area:
        """The tasks of a run and their states, in the grid and as a list."""
        self._resize(1280, 720)
        self._page.goto(f"/dags/{run.dag_id}/runs/{run.run_id}")
        names = self._page.get_by_role("table").get_by_role("link", name=task_id)
        names.wait_for()
        self._settle()
        # The table itself goes on to the right of the window.
        all_names = self._page.get_by_role("cell").filter(has=self._page.get_by_role("link"))
        whole_width = self._page.get_by_role("button", name="Trigger")
        return Area.around(self._page.get_by_role("navigation"), all_names, whole_width, margin=12)

    def log(self, run: DagRun, task_id: str, *, until: str) -> Area:
        """The log of a task, as soon as it says something."""
        self._resize(1280, 2000)
        self._page.goto(f"/dags/{run.dag_id}/runs/{run.run_id}/tasks/{task_id}")
        self._page.get_by_role("button", name="Log Settings").click()
        self._page.get_by_role("menuitem", name="Wrap").click()
        self._page.get_by_text(until).last.wait_for()
        self._settle()
        return Area.around(self._page.get_by_role("code").first)

    def xcom(self, run: DagRun, task_id: str) -> Area:
        self._resize(1280, 1200)
        self._page.goto(f"/dags/{run.dag_id}/runs/{run.run_id}/tasks/{task_id}/xcom")
        self._page.get_by_role("button", name="Expand all").click()
        self._page.get_by_text("delivery_rate").wait_for()
        self._page.locator("section", has=self._page.locator(".view-line")).evaluate_all(_END_AT_A_LINE)
        self._settle()
        return Area.around(self._page.get_by_role("table"))

    def link(self, run: DagRun, task_id: str, name: str) -> Area:
        self._resize(1280, 800)
        self._page.goto(f"/dags/{run.dag_id}/runs/{run.run_id}/tasks/{task_id}/details")
        link = self._page.get_by_role("link", name=name)
        link.wait_for()
        self._settle()
        tabs = self._page.get_by_role("link", name="Details").locator("..")
        return Area.around(self._page.get_by_role("heading", name=task_id), tabs, link, margin=10)

    def _resize(self, width: int, height: int) -> None:
        self._page.set_viewport_size({"width": width, "height": height})

    def _settle(self) -> None:
        # Menus and toasts glide in.
        self._page.wait_for_timeout(700)
