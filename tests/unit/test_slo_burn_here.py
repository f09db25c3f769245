"""The one pair of windows that the exporter evaluates itself: it fires as on Prometheus, and the others are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from slo_days import UP

from sutazai_ops.monitoring.exporter.alerting import Alerting
from sutazai_ops.monitoring.exporter.kept import KeptAlerts
from sutazai_ops.monitoring.promql import Sample
from sutazai_ops.slo import burn_here
from sutazai_ops.slo.burn import PAIRS
from sutazai_ops.slo.objective import Alerts, Objective

PAGED = UP.model_copy(update={"name": "shop-is-up", "service": "shop", "alerts": Alerts.PAGE})
EVERY = 30
PROBE = ("ok", "failed", "unknown")
PAGE = "https://example.org/when-a-budget-burns.md"


class Watch:
    """An exporter's alerting by a clock of its own, on what a probe says."""

    def __init__(self, folder: Path, objective: Objective = PAGED) -> None:
        self.now, self.state = 1_795_651_740.0, "ok"
        book = burn_here.rulebook(PAGE)
        self.alerting = Alerting(book, self._probe, KeptAlerts(folder), "https://runbooks", now=lambda: self.now)
        self.alerting.record(burn_here.recordings([objective]))

    def _probe(self) -> list[Sample]:
        probe = "unknown" if self.state == "stopped" else self.state
        return [
            *(Sample("sutazai_probe_state", {"service": "shop", "state": one}, float(one == probe)) for one in PROBE),
            Sample("sutazai_service_state", {"service": "shop", "state": "stopped"}, float(self.state == "stopped")),
        ]

    def live(self, minutes: float, state: str = "ok") -> list[tuple[str, str]]:
        self.state = state
        for _ in range(round(minutes * 60 / EVERY)):
            self.now += EVERY
            self.alerting.evaluate()
        return [(one.threshold, str(one.state)) for one in self.alerting.alerts]


def test_an_outage_of_minutes_fires_and_its_end_is_told_once_the_short_window_is_well(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    assert watch.live(60) == []
    assert watch.live(10, "failed") == [("budget_burns_14_4x", "firing")]
    (notice,) = watch.alerting.notices()
    assert notice.labels == {
        "alertname": "budget_burns_14_4x", "severity": "page", "signal": "budget_burn",
        "objective": "shop-is-up", "service": "shop",
    }  # fmt: skip
    assert notice.annotations == {
        "summary": "shop-is-up burns its budget more than 14.4 times too fast over 1 h and 5 min: a month's budget is"
        " gone in two days",
        "next": "sutazai-ops slo status",
        "runbook_url": PAGE,
    }
    assert watch.live(11) == [("budget_burns_14_4x", "resolved")]


def test_what_does_not_run_burns_though_nobody_could_ask_it(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.live(60)
    assert watch.live(10, "stopped") == [("budget_burns_14_4x", "firing")]


def test_too_few_failures_and_what_could_not_be_asked_fire_nothing(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.live(60)
    # Four samples of a probe that is asked every half minute, of five that have to fail.
    assert watch.live(2, "failed") == []
    assert watch.live(20, "unknown") == []


@pytest.mark.parametrize("told", [Alerts.TICKET, Alerts.NONE])
def test_nobody_is_woken_by_an_objective_that_wakes_nobody(tmp_path: Path, told: Alerts) -> None:
    watch = Watch(tmp_path, PAGED.model_copy(update={"alerts": told}))
    watch.live(60)
    assert watch.live(30, "failed") == []


def test_every_pair_is_evaluated_or_named_as_not_evaluated() -> None:
    said = burn_here.sentence()
    assert [pair.alert for pair in PAIRS if pair.alert not in said] == []
    evaluated, not_evaluated = said.split("not evaluated")
    assert "budget_burns_14_4x" in evaluated
    assert "budget_burns_6x (6 h and 30 min)" in not_evaluated
