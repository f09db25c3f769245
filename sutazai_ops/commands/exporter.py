"""`exporter`: the long-running process that measures the platform and tells Prometheus."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

import typer

from sutazai_ops.errors import OpsError
from sutazai_ops.installation import open_installation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sutazai_ops.installation import Installation
    from sutazai_ops.monitoring.exporter.exporter import Exporter
    from sutazai_ops.monitoring.exporter.serve import Ask
    from sutazai_ops.monitoring.thresholds import Rulebook
    from sutazai_ops.slo.objective import Objective

app = typer.Typer()

log = logging.getLogger(__name__)


@app.command()
def exporter(
    address: Annotated[
        str, typer.Option("--address", help="Of this machine, to listen on; 0.0.0.0 for every one.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="To listen on; monitoring.port if left out.")
    ] = None,
) -> None:
    """Measure what is meant to run, until ended by SIGTERM, and serve it to Prometheus at /metrics."""
    from sutazai_ops.deployment.meant import meant_to_run
    from sutazai_ops.monitoring.exporter.exporter import Exporter
    from sutazai_ops.monitoring.exporter.measuring import Watch
    from sutazai_ops.monitoring.exporter.program import run
    from sutazai_ops.monitoring.exporter.prometheus_api import NOTHING
    from sutazai_ops.monitoring.exporter.sources import Sources
    from sutazai_ops.monitoring.notify import notifiers

    here = open_installation()
    sources = Sources(here.settings, _read_all)
    watch = Watch(here.settings, here.engine, here.store, lambda: meant_to_run(here), _worked_on(here))
    told = notifiers(here.settings.alerts, here.platform, here.engine)
    is_alone = here.engine.name == "embedded"
    exporter = Exporter(watch, told, _budgets(here) if is_alone else NOTHING)
    _write_the_status_page(here, exporter)
    if is_alone:
        _keep_facts(here, exporter)
        _keep_capacity(here, exporter)
    run(exporter, address, here.settings.monitoring.port if port is None else port, sources)


def _write_the_status_page(here: Installation, exporter: Exporter) -> None:
    """Out of what the exporter measures; it also answers with the page, where no proxy stands before it."""
    from sutazai_ops.monitoring.exporter.schedule import Work
    from sutazai_ops.monitoring.exporter.serve import Page
    from sutazai_ops.monitoring.promql import evaluate
    from sutazai_ops.status_page.basis import REFRESH_SECONDS, journeys_of
    from sutazai_ops.status_page.page import FEED, JSON, PAGE
    from sutazai_ops.status_page.writer import EVERY_SECONDS, Writer

    def newest(selector: str) -> list[float]:
        with exporter.alerting.lock:
            return [one.value for one in evaluate(selector, exporter.alerting.samples, time.time())]

    try:
        journeys = journeys_of(_objectives(here).values())
    except OpsError as error:
        # What is measured does not depend on what users are told of it.
        log.error("the status page has no journeys: %s", error.what)  # noqa: TRY400  (a sentence, no traceback)
        journeys = ()
    writer = Writer(here.settings, newest, lambda: exporter.alerting.evaluated_at, journeys)

    def answer(name: str, kind: str) -> Ask:
        def page(query: str) -> Page:  # noqa: ARG001  (the page is the same for everybody)
            if name not in writer.files:
                return Page("the status page has not been written yet\n", HTTPStatus.SERVICE_UNAVAILABLE)
            return Page(writer.files[name].decode(), kind=kind)

        return page

    exporter.add(
        Work("status page", EVERY_SECONDS, writer.write),
        {
            "/status/": answer(PAGE, "text/html; charset=utf-8"),
            f"/status/{FEED}": answer(FEED, "application/atom+xml"),
            f"/status/{JSON}": answer(JSON, "application/json"),
        },
    )
    if here.engine.name == "embedded":
        # Elsewhere whoever computes the facts does this: the ledger is not this process' to read.
        exporter.add(Work("status page basis", REFRESH_SECONDS, lambda: _refresh(here)), {})


def _keep_facts(here: Installation, exporter: Exporter) -> None:
    """Of the objectives, where there is no Prometheus to ask for them later."""
    from sutazai_ops.deployment.meant import meant_to_run
    from sutazai_ops.monitoring.exporter.schedule import Work
    from sutazai_ops.slo import burn_here, promises_of
    from sutazai_ops.slo.embedded import EVERY_SECONDS, Keeper

    alerting = exporter.alerting
    keeper = Keeper(lambda: promises_of(here, meant_to_run(here)), alerting.samples, lambda: alerting.lock)

    def keep() -> None:
        keeper.keep()
        # Objectives come and go with services; of a file that is wrong the keeper has told.
        with suppress(OpsError):
            alerting.record(burn_here.recordings(_objectives(here).values()))

    exporter.add(Work("facts", EVERY_SECONDS, keep), {})
    exporter.note(burn_here.sentence())


def _budgets(here: Installation) -> Rulebook:
    """What of the alerts on budgets is evaluated where there is no Prometheus."""
    from sutazai_ops.slo import burn_here
    from sutazai_ops.slo.generated import page_url

    return burn_here.rulebook(page_url(here.settings))


def _keep_capacity(here: Installation, exporter: Exporter) -> None:
    """What services use, likewise."""
    from sutazai_ops.capacity import room_of
    from sutazai_ops.capacity.embedded import EVERY_SECONDS, Keeper
    from sutazai_ops.deployment.meant import meant_to_run
    from sutazai_ops.monitoring.exporter.schedule import Work

    alerting = exporter.alerting
    try:
        keeper = Keeper(lambda: room_of(here, meant_to_run(here)), alerting.samples, lambda: alerting.lock)
    except OpsError as error:
        # What is measured does not depend on which success metrics are made of it.
        log.error("what services use is not written down: %s", error.what)  # noqa: TRY400  (a sentence, no traceback)
        return
    exporter.add(Work("capacity facts", EVERY_SECONDS, keeper.keep), {})


def _read_all() -> None:
    """Read settings, platform and thresholds as they are now; raises `OpsError` where one is wrong."""
    from sutazai_ops.maintenance import read_windows
    from sutazai_ops.monitoring.thresholds import read_rulebook

    here = open_installation()
    read_rulebook(here.settings.monitoring)
    read_windows(here.settings.monitoring.windows, here.platform.services)


def _worked_on(here: Installation) -> Callable[[float], list[Sequence[str]]]:
    """Of which services nobody is told at a moment, by the windows that come again every week."""
    from zoneinfo import ZoneInfo

    from sutazai_ops.maintenance import FollowedWindows, holding

    zone = ZoneInfo(here.settings.timezone)
    windows = FollowedWindows(here.settings.monitoring.windows, here.platform.services)
    return lambda now: [one.services for one in holding(windows.read(), datetime.fromtimestamp(now, UTC), zone)]


def _refresh(here: Installation) -> None:
    from sutazai_ops.status_page.basis import refresh_of

    try:
        refresh_of(here, _objectives(here).values(), datetime.now(UTC))
    except OpsError as error:
        log.error("the last days of the status page are not gathered: %s", error.what)  # noqa: TRY400  (as above)


def _objectives(here: Installation) -> Mapping[str, Objective]:
    from sutazai_ops.deployment.meant import meant_to_run
    from sutazai_ops.slo import promises_of

    return promises_of(here, meant_to_run(here)).objectives
