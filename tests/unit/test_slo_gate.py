"""The gate before a deployment: each thing that closes it, seen both ways, and who goes past it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from recorded_engine import RecordedEngine
from slo_days import ANSWERS, FAST, UP, dead_from, gap, measured, without

from sutazai_ops.deployment.deployments import Deployments
from sutazai_ops.errors import BadInput, OpsError, Refused
from sutazai_ops.installation import Installation
from sutazai_ops.progress import Silent
from sutazai_ops.settings import DeploySettings, Loaded, ObjectiveSettings, Settings
from sutazai_ops.slo.burn import PAIRS
from sutazai_ops.slo.day import Measured, make_fact
from sutazai_ops.slo.facts import DAY_MINUTES, Fact
from sutazai_ops.slo.gate import Cause, burning_by_facts, coverage_lately, judge
from sutazai_ops.slo.shelf import keep

NOW = datetime(2026, 10, 30, 12, 7, tzinfo=UTC)
GATING = {one.name: one.model_copy(update={"gate": True}) for one in (ANSWERS, UP, FAST)}


def month(**days: Measured) -> dict[str, dict[date, Fact]]:
    """Thirty days up to now, of each objective; `days` by their names say what happened to `up` and `answers`."""
    found: dict[str, dict[date, Fact]] = {}
    for objective in GATING.values():
        mine: dict[date, Fact] = {}
        for number in range(30):
            day = date(2026, 10, 1) + timedelta(days=number)
            elapsed = 725 if day == NOW.date() else DAY_MINUTES
            one = days.get(f"d{day.day}", measured(day, elapsed=elapsed))
            one = Measured(**{name: getattr(one, name) for name in one.__slots__} | {"day": day, "elapsed": elapsed})
            mine[day] = make_fact(objective, "q", one, list(mine.values()), NOW)
        found[objective.name] = mine
    return found


def causes(facts: dict[str, dict[date, Fact]], burning: object = None) -> set[tuple[Cause, str]]:
    gate = judge(GATING, facts, {} if burning is None else burning, NOW)  # type: ignore[arg-type]
    assert gate.is_open == (not gate.reasons)
    return {(reason.cause, reason.objective) for reason in gate.reasons}


def test_a_good_month_is_open() -> None:
    gate = judge(GATING, month(), {}, NOW)
    assert gate.is_open
    assert gate.sentence == "open: the least budget left is 100 %, of 3 objectives"


def test_a_spent_budget_closes() -> None:
    found = causes(month(d14=dead_from(10, 60)))
    assert found == {(Cause.SPENT, "answers"), (Cause.SPENT, "up")}


def test_a_budget_of_which_something_is_left_does_not() -> None:
    assert causes(month(d14=dead_from(10, 30))) == set()


def test_a_day_of_which_too_little_was_measured_closes() -> None:
    assert {cause for cause, _ in causes(month(d29=gap(800, 1000)))} == {Cause.BLIND}
    # An hour is missing: 96 % of the day was measured.
    assert causes(month(d29=gap(800, 860))) == set()
    # Of the day before the last nobody asks.
    assert causes(month(d27=gap(800, 1000))) == set()


def test_what_burns_closes() -> None:
    assert causes(month(), {"answers": PAIRS[0]}) == {(Cause.BURNING, "answers")}


def test_what_cannot_be_known_closes() -> None:
    gate = judge(GATING, month(), "Prometheus cannot be asked: connection refused", NOW)
    assert [reason.cause for reason in gate.reasons] == [Cause.BLIND]
    assert "whether a budget burns is not known: Prometheus cannot be asked" in gate.sentence


def test_what_was_never_measured_closes_nothing() -> None:
    gate = judge(GATING, {}, "Prometheus cannot be asked", NOW)
    assert gate.is_open
    assert gate.sentence == "open: nothing was measured here yet"


def test_what_was_measured_for_the_first_time_an_hour_ago_closes_nothing() -> None:
    late = {name: {NOW.date(): make_fact(one, "q", gap(0, 600, NOW.date()), [], NOW)} for name, one in GATING.items()}
    assert coverage_lately(late["up"], NOW) == 1
    assert judge(GATING, late, {}, NOW).is_open


def test_an_objective_that_does_not_gate_is_not_asked() -> None:
    relaxed = {name: one.model_copy(update={"gate": False}) for name, one in GATING.items()}
    assert judge(relaxed, month(d14=dead_from(10, 600)), {}, NOW).looked_at == ()


def test_too_few_events_spend_no_budget() -> None:
    few, one_less = [0.0] * 287 + [5.0], [0.0] * 287 + [4.0]
    facts = month()
    for day in facts["answers"]:
        one = measured(day, total=few, good=one_less if day.day == 3 else few)
        facts["answers"][day] = make_fact(GATING["answers"], "q", one, [], NOW)
    assert causes(facts) == set()


def test_where_no_rules_are_evaluated_the_last_hours_tell_what_burns() -> None:
    bad = without([300.0] * 288, 138, 145, 150.0)
    now = NOW.date()
    facts = month()
    facts["answers"][now] = make_fact(ANSWERS, "q", measured(now, elapsed=725, good=bad), [], NOW)
    assert set(burning_by_facts(GATING, facts, NOW)) == {"answers"}
    assert burning_by_facts(GATING, month(), NOW) == {}


# Deployments on an engine that is only written down


class Shop:
    def __init__(self, folder: Path, gate: str = "enforce") -> None:
        self.folder = folder / "platform"
        self.folder.mkdir()
        self.write("1.0")
        objectives = folder / "objectives.yaml"
        objectives.write_text("web-is-up: {gate: true, target: 0.999, alerts: ticket}\n")
        self.settings = Settings(
            home=folder / "home", platform=self.folder, deploy=DeploySettings(settle_seconds=0),
            slo=ObjectiveSettings(gate=gate, objectives=objectives),
        )  # fmt: skip
        self.engine: RecordedEngine | None = None

    def write(self, version: str) -> None:
        (self.folder / "core.yaml").write_text(f'services: {{web: {{image: "shop/web:{version}"}}}}\n')

    @property
    def deployments(self) -> Deployments:
        installation = Installation(Loaded(settings=self.settings, origins={}))
        self.engine = self.engine or RecordedEngine(installation.platform)
        self.engine.platform = installation.platform
        # The facts of this engine are kept by its exporter, so nobody has to be asked.
        self.engine.name = "embedded"
        installation.__dict__["engine"] = self.engine
        return Deployments.of(installation)

    def measure(self, what: Measured | None = None) -> None:
        now = datetime.now(UTC)
        ledger = self.deployments.installation.ledger
        facts = []
        for number in range(31):
            day = now.date() - timedelta(days=number)
            elapsed = DAY_MINUTES if number else (now.hour * 60 + now.minute) // 5 * 5
            one = what if what and number == 10 else measured()
            changed = {"day": day, "elapsed": elapsed}
            one = Measured(**{name: getattr(one, name) for name in one.__slots__} | changed)
            facts.append(make_fact(UP.model_copy(update={"name": "web-is-up"}), "q", one, [], now))
        keep(ledger, facts)


def test_a_platform_that_nobody_measured_yet_is_deployed(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    assert shop.deployments.deploy(Silent()).gate == "gate open: nothing was measured here yet"


def test_a_closed_gate_stops_a_deployment_before_anything_is_done(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.deployments.deploy(Silent())
    shop.measure(dead_from(3, 120))
    shop.write("1.1")
    before = list(shop.engine.done)  # type: ignore[union-attr]
    with pytest.raises(Refused, match="the gate is closed: web-is-up has") as refused:
        shop.deployments.deploy(Silent())
    assert "--override" in refused.value.remedy
    assert shop.engine.done == before  # type: ignore[union-attr]
    assert shop.deployments.releases.numbers() == [1]
    assert shop.deployments.look_at_gate().startswith("closed: web-is-up has")


def test_an_open_gate_lets_it_pass_and_says_what_is_left(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.deployments.deploy(Silent())
    shop.measure(dead_from(3, 20))
    shop.write("1.1")
    report = shop.deployments.deploy(Silent())
    # 20 of 30 days of 1.44 minutes and what has passed of today.
    assert re.fullmatch(r"gate open: the least budget left is 5\d %, of 1 objectives", report.gate)
    assert shop.deployments.installation.ledger.overrides_between(*_always()) == []


def test_an_override_passes_and_is_kept_with_who_and_why(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.deployments.deploy(Silent())
    shop.measure(dead_from(3, 120))
    shop.write("1.1")
    report = shop.deployments.deploy(Silent(), override="the fix for the outage")
    assert "the fix for the outage (it was closed: web-is-up has" in report.gate
    (kept,) = shop.deployments.installation.ledger.overrides_between(*_always())
    assert (kept.reason, kept.release) == ("the fix for the outage", 2)
    assert kept.actor
    assert kept.closed_because[0].startswith("web-is-up has")


def test_an_override_without_a_reason_is_refused(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    with pytest.raises(BadInput, match="needs a reason"):
        shop.deployments.deploy(Silent(), override="  ")


def test_a_roll_back_is_never_gated(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.deployments.deploy(Silent())
    shop.write("1.1")
    shop.deployments.deploy(Silent())
    shop.measure(dead_from(3, 120))
    shop.write("1.2")
    with pytest.raises(Refused):
        shop.deployments.deploy(Silent())
    report = shop.deployments.roll_back(Silent(), 1)
    assert report.phases[0].release == 3
    entry = shop.deployments.installation.ledger.recent_deployments(1)[0]
    assert entry.reason == "roll back to release 1"


@pytest.mark.parametrize(("mode", "told"), [("warn", "the setting slo.gate lets it pass"), ("off", "gate off")])
def test_a_gate_that_is_not_enforced_lets_everything_pass(tmp_path: Path, mode: str, told: str) -> None:
    shop = Shop(tmp_path, mode)
    shop.deployments.deploy(Silent())
    shop.measure(dead_from(3, 120))
    shop.write("1.1")
    assert told in shop.deployments.deploy(Silent()).gate


def test_nothing_to_do_asks_no_gate(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.deployments.deploy(Silent())
    shop.measure(dead_from(3, 120))
    assert shop.deployments.deploy(Silent()).gate == ""


def test_a_prometheus_that_cannot_be_asked_closes_what_was_measured_before(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.deployments.deploy(Silent())
    shop.measure()
    shop.write("1.1")
    deployments = shop.deployments
    shop.engine.name = "compose"  # type: ignore[union-attr]
    with pytest.raises(OpsError, match="whether a budget burns is not known"):
        deployments.deploy(Silent())


def _always() -> tuple[datetime, datetime]:
    return datetime(2000, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
