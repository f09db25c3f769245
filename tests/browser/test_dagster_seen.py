"""The Dagster UI as an operator uses it: the night is started by a click and by the schedule, and shows what it did.

The web server and the daemon are those of `make dev`, over an embedded platform of their own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from dagster_home import running
from playwright.sync_api import Page, expect
from screens import DESK

from sutazai_ops.engines.daemons import free_port

ROOT = Path(__file__).parents[2]
SECONDS = 240
"""How long a run may take until it has begun and ended, on a machine that does other things too."""

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


class Dagster:
    """One web server with its daemon."""

    def __init__(self, home: Path) -> None:
        self.home, self.address = home, f"http://127.0.0.1:{free_port()}"
        self.environment = {
            **os.environ,
            "SUTAZAI_HOME": str(home),
            "SUTAZAI_ENGINE": "embedded",
            "SUTAZAI_ENVIRONMENT": "production",
            # The schedule's tick is what is to be seen, and not the night.
            "SUTAZAI_BACKUP__SCHEDULE": "* * * * *",
            "DAGSTER_HOME": str(home / "dagster"),
        }

    def ask(self, question: str, **variables: object) -> dict:
        """Put a question of GraphQL, as the pages do."""
        body = json.dumps({"query": question, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.address}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)["data"]

    def runs(self) -> list[dict]:
        """Every run of the night, newest first."""
        question = """{ runsOrError(filter: {pipelineName: "nightly_backup"}) { ... on Runs { results {
            runId status tags { key value } } } } }"""
        return self.ask(question)["runsOrError"]["results"]


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dagster]:
    one = Dagster(tmp_path_factory.mktemp("ui") / "home")
    (one.home / "dagster").mkdir(parents=True)
    shutil.copy(ROOT / "dagster.yaml", one.home / "dagster")
    ops = [sys.executable, "-m", "sutazai_ops.cli"]
    subprocess.run([*ops, "up"], env=one.environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    port = one.address.rpartition(":")[2]
    try:
        with running(["dagster", "dev", "-h", "127.0.0.1", "-p", port], one.environment, one.home / "dagster.log"):
            _until(lambda: one.ask("{ version }"), 120)
            yield one
    finally:
        subprocess.run([*ops, "down"], env=one.environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def page(browser) -> Iterator[Page]:
    context = browser.new_context(viewport=DESK)
    yield context.new_page()
    context.close()


def test_the_night_is_started_by_a_click_and_succeeds(dagster: Dagster, page: Page):
    page.goto(f"{dagster.address}/locations/sutazai_ops/jobs/nightly_backup")
    page.get_by_role("button", name="Materialize all").click()
    run = _until(lambda: next((run for run in dagster.runs() if not _by_schedule(run)), None))
    page.goto(f"{dagster.address}/runs/{run['runId']}")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=SECONDS * 1000)
    assert {run["runId"]: run["status"] for run in dagster.runs()}[run["runId"]] == "SUCCESS"


def test_an_asset_says_what_it_is_and_shows_its_figures_over_time(dagster: Dagster, page: Page):
    page.goto(f"{dagster.address}/assets/backups/postgres?view=overview")
    expect(page.get_by_text("The newest backup of postgres").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("stored_bytes").first).to_be_visible(timeout=60_000)
    page.get_by_text("Plots", exact=True).click()
    expect(page.locator("canvas").first).to_be_visible(timeout=60_000)


def test_the_proof_shows_a_picture_of_the_last_sets(dagster: Dagster, page: Page):
    page.goto(f"{dagster.address}/assets/backups/restore_verification?view=overview")
    picture = page.locator("img[src^='data:image/']").first

    def is_shown() -> bool:
        page.get_by_text("Show Markdown").first.click(timeout=60_000)
        with suppress(AssertionError):
            expect(picture).to_be_visible(timeout=5_000)
        return picture.is_visible()

    # Whatever a run tells meanwhile has the page drawn anew, and what was just opened is closed by that.
    _until(is_shown, 60)


def test_the_schedule_launches_the_night_by_itself(dagster: Dagster):
    run = _until(lambda: next((run for run in dagster.runs() if _by_schedule(run)), None))
    _until(lambda: {run["runId"]: run["status"] for run in dagster.runs()}[run["runId"]] == "SUCCESS")


def _by_schedule(run: dict) -> bool:
    return any(tag["key"] == "dagster/schedule_name" for tag in run["tags"])


def _until(find: Callable[[], object], seconds: float = SECONDS) -> dict:
    until = time.monotonic() + seconds
    while True:
        try:
            if found := find():
                return found  # type: ignore[return-value]
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(1)
