"""Debian's Chromium, driven by Playwright: one browser for a module's tests, a page of its own for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright
from screens import DESK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page


# Not for the session: while it is open, an event loop runs in this thread, and nobody else can have one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Without a sandbox, since CI is root in a container, where there can be none.
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


class Visit:
    """A page as it was opened, and what it did besides."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))


@pytest.fixture
def visit(browser):
    """Open a file, as somebody with such a screen and such a taste would; `at` is what their clock says."""
    contexts = []

    def visit(file: Path, *, screen=DESK, scheme="light", script=True, at=None) -> Visit:
        context = browser.new_context(viewport=screen, color_scheme=scheme, java_script_enabled=script)
        contexts.append(context)
        seen = Visit(context.new_page())
        if at is not None:
            seen.page.clock.set_fixed_time(at)
        seen.page.goto(file.as_uri())
        return seen

    yield visit
    for context in contexts:
        context.close()
