"""A round over rules: what is looked at, what is written down, and what Dagster is asked to run."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from small_engine import SmallEngine, container, seen

from sutazai_ops.capacity import autoscaler
from sutazai_ops.capacity.autoscaler import Memory, carry_out, judge_all
from sutazai_ops.capacity.autoscaling import Move, Since
from sutazai_ops.capacity.defs import follow_queues, scale_service
from sutazai_ops.capacity.rules import read_rules
from sutazai_ops.deployment.release import Release, ReleasedPhase, ReleasedService, Releases
from sutazai_ops.errors import Refused, Unreachable
from sutazai_ops.installation import Installation
from sutazai_ops.ledger import IncidentEntry
from sutazai_ops.orchestration import Operations
from sutazai_ops.progress import Silent
from sutazai_ops.remediation.actions.agents import scale_out
from sutazai_ops.settings import CapacitySettings, Loaded, Settings

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PLATFORM = """
services:
  redis: {image: redis:7, x-sutazai: {queues: [{name: jobs, key: jobs, queued_at: at}]}}
  worker: {image: worker:1, x-sutazai: {takes: {queue: jobs}}}
"""
RULES = """
jobs: {service: worker, up: {above: 10s, for: 5s}, down: {below: 1s, for: 60s}, most: 2, cool_down: 0s}
"""


class Workers(SmallEngine):
    """Runs so many workers, and scales them at a word."""

    def __init__(self, count: int = 1) -> None:
        super().__init__()
        self.count = count

    def observe(self):
        return [seen("worker", containers=tuple(container("worker", id=f"w{n}") for n in range(self.count)))]

    def server(self, service):
        raise Unreachable(f"{service} does not answer")

    def capacity(self) -> None:
        return None

    def scale(self, order, service, copies, progress):
        self.count = copies
        return ()


HERE: list[Installation] = []


class Opened(Operations):
    """Opens what the test has made."""

    def open(self) -> Installation:
        return HERE[0]


@pytest.fixture
def house(tmp_path) -> Callable[[str], Installation]:
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform" / "core.yaml").write_text(PLATFORM)
    (tmp_path / "rules.yaml").write_text(RULES)
    worker = ReleasedService(name="worker", phase="core", spec="s", release=1, definition={"image": "worker:1"})
    release = Release(number=1, phases={"core": ReleasedPhase(project="p", top={})}, services={"worker": worker})

    def open_house(mode: str) -> Installation:
        capacity = CapacitySettings(autoscaling=mode, autoscaling_rules=tmp_path / "rules.yaml")
        settings = Settings(home=tmp_path / "home", platform=tmp_path / "platform", capacity=capacity)
        one = Installation(Loaded(settings=settings, origins={}))
        one.engine = Workers()
        releases = Releases(settings.releases)
        if not releases.numbers():
            releases.write(release, "a test", NOW)
            releases.make_current(1)
        HERE[:] = [one]
        return one

    return open_house


def rounds(house: Installation, monkeypatch, *ages: float | None):
    """Do these rounds, five seconds apart; the last one judged and what was written down of each."""
    memories: dict[str, Memory] = {}
    written = []
    for number, age in enumerate(ages):
        monkeypatch.setattr(autoscaler, "_ages", lambda *_, age=age: {} if age is None else {"jobs": age})
        rules = read_rules(house.platform, house.settings.capacity.autoscaling_rules)
        [judged] = judge_all(house, rules, memories, NOW + timedelta(seconds=5 * number))
        entry, memories["jobs"] = carry_out(house, judged, Silent())
        written += [entry] if entry else []
    return judged, written


def test_what_is_decided_is_done_and_stands_in_the_ledger(house, monkeypatch):
    here = house("act")
    _, written = rounds(here, monkeypatch, 20, 20, 20, 20, 20)
    assert here.engine.count == 2
    up, bound = written
    assert (up.before, up.after, up.outcome, up.facts) == (1, 2, "done", {"age_seconds": 20, "running": 1})
    # That the bound alone holds more back is written down once, however long it lasts.
    assert (bound.move, bound.outcome) == ("hold", "only said")
    assert [one.after for one in here.ledger.standing_scalings().values()] == [2]


def test_observing_writes_down_and_does_nothing(house, monkeypatch):
    here = house("observe")
    _, written = rounds(here, monkeypatch, 20, 20)
    assert [(one.after, one.outcome) for one in written] == [(2, "only said")]
    assert here.engine.count == 1
    assert here.ledger.standing_scalings() == {}


def test_off_does_not_even_write_down(house, monkeypatch):
    here = house("off")
    judged, written = rounds(here, monkeypatch, 20, 20)
    assert judged.decision.move is Move.UP
    assert written == []
    assert here.ledger.scalings_since(NOW) == []


def old(queue: str = "jobs") -> IncidentEntry:
    """An incident of a queue that grows old."""
    alerts = [{"threshold": "queue_old", "labels": {"service": "redis", "queue": queue}}]
    return IncidentEntry(7, "redis", "queue-old", "queue-old", "page", "jobs wait", alerts, NOW, NOW)


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_a_repair_adds_containers_up_to_the_most_that_the_rule_allows(house, mode):
    here = house(mode)
    assert scale_out(here, old()) == "worker has 2 containers in place of 1"
    assert here.engine.count == 2
    [entry] = here.ledger.standing_scalings().values()
    assert (entry.rule, entry.actor, entry.because) == ("jobs", "remediation", "incident 7: jobs wait")
    with pytest.raises(Refused, match="as many containers as is allowed: worker"):
        scale_out(here, old())
    assert here.engine.count == 2


def test_a_repair_leaves_it_to_autoscaling_where_that_acts(house):
    with pytest.raises(Refused, match="autoscaling follows the queue by itself"):
        scale_out(house("act"), old())


def test_a_queue_that_no_rule_follows_gets_nobody_more(house, tmp_path):
    here = house("off")
    (tmp_path / "rules.yaml").write_text("")
    with pytest.raises(Refused, match="no rule of autoscaling is on a service that takes from jobs"):
        scale_out(here, old())


def test_a_queue_that_does_not_answer_has_no_known_age(house):
    here = house("act")
    [judged] = judge_all(here, read_rules(here.platform, here.settings.capacity.autoscaling_rules), {}, NOW)
    assert judged.decision.because == "it is not known how long the oldest entry has waited"


def test_the_sensor_launches_one_run_however_often_it_looks_before_that_is_done(house, monkeypatch):
    house("act")
    monkeypatch.setattr(autoscaler, "_ages", lambda *_: {"jobs": 20.0})
    since = datetime.now(UTC) - timedelta(seconds=9)

    def look(cursor: str) -> tuple[list[dg.RunRequest], str]:
        given = {"cursor": cursor, "resources": {"operations": Opened()}, "instance": instance}
        with dg.build_sensor_context(**given) as context:
            found = follow_queues(context)
        return found.run_requests, found.cursor

    with dg.DagsterInstance.ephemeral() as instance:
        [first], cursor = look(json.dumps({"jobs": Memory(Since(old=since)).as_json()}))
        [again], cursor = look(cursor)
        assert first.run_key == again.run_key
        # Some minutes later another key would be due, and the run still waits.
        later = json.dumps({"jobs": Memory(Since(old=since - timedelta(minutes=5))).as_json()})
        waits = dg.DagsterRunStatus.NOT_STARTED
        run = instance.create_run_for_job(scale_service, run_config=first.run_config, status=waits, tags=first.tags)
        assert look(later)[0] == []
        instance.report_run_canceled(run)
        [another], _ = look(later)
        assert another.run_key != first.run_key


def test_the_run_that_the_sensor_asks_for_is_taken_by_dagster_and_scales(house, monkeypatch):
    here = house("act")
    monkeypatch.setattr(autoscaler, "_ages", lambda *_: {"jobs": 20.0})
    since = datetime.now(UTC) - timedelta(seconds=9)
    cursor = json.dumps({"jobs": Memory(Since(old=since)).as_json()})
    instance = dg.DagsterInstance.ephemeral()
    given = {"cursor": cursor, "resources": {"operations": Opened()}, "instance": instance}
    with instance, dg.build_sensor_context(**given) as context:
        [asked] = follow_queues(context).run_requests
    made = dg.Definitions(jobs=[scale_service], resources={"operations": Opened()}).resolve_job_def("scale_service")
    # As the daemon hands it over: what is no JSON, or null within a map, is refused by Dagster before anything is run.
    assert made.execute_in_process(run_config=json.loads(json.dumps(asked.run_config))).success
    assert here.engine.count == 2


def test_the_sensor_does_nothing_while_it_is_off(house):
    house("off")
    with dg.build_sensor_context(resources={"operations": Opened()}) as context:
        assert follow_queues(context).skip_reason.skip_message == "capacity.autoscaling is off"
