"""A headless Chromium, for the tests that look at Airflow's UI."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from lacking import skip_without

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# For a browser in a container, that talks to Airflow and to nobody else.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def executable() -> str:
    """Return the path of a browser; skip the test where there is none, or nothing to drive it with."""
    pytest.importorskip("playwright", reason="installed for Airflow 2.11 and 3.3, whose UIs it drives")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        skip_without(f"None of {', '.join(BROWSERS)} is installed.")
    return found


@contextmanager
def new_browser() -> Iterator[Browser]:
    """Start a browser; skip the test where there is none."""
    path = executable()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def new_page(browser: Browser, base_url: str, **context: Any) -> Iterator[Page]:
    """
    Open a page that knows nothing of the browser's other pages.

    :param browser: the browser.
    :param base_url: what the paths of `page.goto` are below.
    :param context: further arguments of Playwright's `new_context`.
    """
    with browser.new_context(locale="en-US", base_url=base_url, **context) as opened:
        yield opened.new_page()
