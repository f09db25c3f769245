"""The alerts on burning budgets, as Prometheus itself reads, tests and evaluates them: each pair seen both ways."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from months import DAY_TICKS, HOUR_TICKS, Incident, make_month, write_blocks
from prometheus_server import program, running

from sutazai_ops.platform import read_platform
from sutazai_ops.settings import PACKAGED_PLATFORM
from sutazai_ops.slo.burn import PAIRS, Pair, alert_expression, burn_rules_file
from sutazai_ops.slo.burn_tests import burn_tests_file
from sutazai_ops.slo.gate import burning_by_rules
from sutazai_ops.slo.objective import Alerts, Objective, usual_indicator
from sutazai_ops.slo.objectives import read_objectives
from sutazai_ops.slo.report_model import ObjectiveKind
from sutazai_ops.slo.source import PrometheusSource

pytestmark = [pytest.mark.prometheus, pytest.mark.timeout(600)]

URL = "https://docs.example/slo/when-a-budget-burns.md"
FIRST = date(2026, 10, 5)
SERVICE = "shop"


def objective(name: str, kind: ObjectiveKind, **more: object) -> Objective:
    return Objective.model_validate(
        {"name": name, "kind": kind, "target": 0.999, "service": SERVICE, "alerts": Alerts.PAGE,
         **usual_indicator(kind, SERVICE), **more}
    )  # fmt: skip


FOUR = {
    one.name: one
    for one in (
        objective("answers", ObjectiveKind.RATIO),
        objective("is-up", ObjectiveKind.PROBE),
        objective("is-fast", ObjectiveKind.LATENCY, target=0.95, within="200ms"),
        Objective(name="is-fresh", kind=ObjectiveKind.FRESHNESS, age="backup_age_seconds", within="36h", target=0.99),
    )
}


def promtool(*arguments: str | Path) -> tuple[int, str]:
    binary = program("promtool")
    assert binary
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def tested(tmp_path: Path) -> Callable[[Callable[[str], str]], tuple[int, str]]:
    """Runs the generated tests over the generated rules, changed somehow."""

    def run(change: Callable[[str], str]) -> tuple[int, str]:
        (tmp_path / "rules.yml").write_text(change(burn_rules_file(FOUR, URL)))
        (tmp_path / "tests.yml").write_text(burn_tests_file(FOUR, "rules.yml", URL))
        return promtool("test", "rules", tmp_path / "tests.yml")

    return run


def test_prometheus_reads_the_rules_of_the_packaged_platform(tmp_path: Path) -> None:
    packaged = read_objectives(read_platform(PACKAGED_PLATFORM))
    (tmp_path / "rules.yml").write_text(burn_rules_file(packaged, URL))
    code, said = promtool("check", "rules", tmp_path / "rules.yml")
    assert code == 0, said


def test_the_generated_tests_pass(tested: Callable[..., tuple[int, str]]) -> None:
    code, said = tested(lambda rules: rules)
    assert code == 0, said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("objective:burn_rate:1h > 14.4", "objective:burn_rate:1h > 100"),
        ("    and objective:burn_rate:5m > 14.4\n", ""),
        ("objective:burn_rate:30m > 6", "objective:burn_rate:30m > -1"),
        ("and on (objective) objective:bad:1h >= on (objective) objective:least_failures\n", ""),
        ("sum_over_time(objective:bad:5m[6h:5m])", "sum_over_time(objective:bad:5m[6h:10m])"),
        ("objective:burn_rate:2h > 3", "objective:burn_rate:2h > 30"),
        ("    and objective:burn_rate:6h > 1\n", ""),
        ("severity: page", "severity: ticket"),
    ],
)
def test_the_generated_tests_see_what_is_wrong(tested: Callable[..., tuple[int, str]], old: str, new: str) -> None:
    def change(rules: str) -> str:
        assert old in rules
        return rules.replace(old, new)

    code, _ = tested(change)
    assert code != 0


# A week in a real Prometheus, in which each pair has its incident.


def at(day: int, hour: float) -> int:
    """A moment of the week, in ticks."""
    return int((day - 1) * DAY_TICKS + hour * HOUR_TICKS)


def moment(day: int, hour: float) -> datetime:
    return datetime.fromtimestamp(
        datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC).timestamp() + at(day, hour) * 5, UTC
    )


INCIDENTS = [
    Incident("dead", at(2, 10), at(2, 10.67)),
    Incident("errors-at-peak", at(4, 8), at(4, 14), share=0.009),
    Incident("errors-at-peak", at(6, 0), at(7, 12), share=0.0045),
]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusSource]:
    folder = tmp_path_factory.mktemp("week")
    tool = program("promtool")
    assert tool
    month = make_month(3, FIRST, 8, service=SERVICE, scrape=30, incidents=INCIDENTS, per_second=8)
    write_blocks([month], folder / "data", tool)
    two = {name: FOUR[name] for name in ("answers", "is-up")}
    groups = yaml.safe_load(burn_rules_file(two, URL))["groups"]
    start, end = moment(1, 0), moment(8, 23.9)
    # Rules see what is recorded already and not what is being recorded, so what stands on others comes second.
    for number, some in enumerate((groups[:1], groups[1:])):
        rules = folder / f"rules-{number}.yml"
        rules.write_text(yaml.safe_dump({"groups": some}))
        made = folder / f"made-{number}"
        with running(folder / "data") as address:
            span = (f"--start={int(start.timestamp())}", f"--end={int(end.timestamp())}")
            code, said = promtool(
                "tsdb", "create-blocks-from", "rules", "--max-block-duration=744h", *span, "--eval-interval=60s",
                f"--url={address}", f"--output-dir={made}", rules,
            )  # fmt: skip
            assert code == 0, said
        for block in made.iterdir():
            block.rename(folder / "data" / block.name)
    with running(folder / "data") as address:
        yield PrometheusSource(address)


def firing(week: PrometheusSource, pair: Pair, day: int, hour: float) -> set[str]:
    lines = week.at(alert_expression(pair), int(moment(day, hour).timestamp())).lines
    return {line.labels["objective"] for line in lines}


X14, X6, X3, X1 = PAIRS


@pytest.mark.parametrize(
    ("pair", "day", "hour", "objectives"),
    [
        (X14, 2, 10.6, {"is-up"}),
        (X14, 2, 11.5, set()),
        (X6, 4, 13.8, {"answers"}),
        (X14, 4, 13.8, set()),
        (X6, 4, 15.5, set()),
        (X3, 7, 10, {"answers"}),
        (X6, 7, 10, set()),
        (X3, 7, 15, set()),
        (X1, 7, 10, {"answers"}),
        (X1, 8, 23, set()),
        *((pair, 1, 20, set()) for pair in PAIRS),
        *((pair, 5, 23, set()) for pair in (X14, X6)),
    ],
    ids=str,
)
def test_each_pair_burns_in_its_incident_and_not_outside_of_it(
    week: PrometheusSource, pair: Pair, day: int, hour: float, objectives: set[str]
) -> None:
    assert firing(week, pair, day, hour) == objectives


def test_the_gate_sees_what_burns_by_the_rules(week: PrometheusSource) -> None:
    assert burning_by_rules(week, moment(2, 10.6)) == {"is-up": X14}
    assert burning_by_rules(week, moment(5, 12)) == {}


def test_the_gate_knows_where_no_rules_are_evaluated(week: PrometheusSource) -> None:
    assert burning_by_rules(week, datetime(2026, 9, 1, tzinfo=UTC)) is None
