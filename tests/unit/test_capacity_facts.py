"""What a service used on a day: how it is measured, merged, kept and never made up."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from capacity_days import LATER, MIB, day, killed, slices
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.capacity import room_of, shelf
from sutazai_ops.capacity.embedded import Keeper
from sutazai_ops.capacity.facts import SLICES, make_day, merged, of_detail, to_detail
from sutazai_ops.capacity.measure import due_days, measure_services, measure_values
from sutazai_ops.capacity.room import Room
from sutazai_ops.capacity.spread import added, spread_of
from sutazai_ops.capacity.values import MEASURES, REQUESTS
from sutazai_ops.installation import Installation
from sutazai_ops.ledger import ScalingEntry, open_ledger
from sutazai_ops.monitoring.promql import Sample, Samples, parse
from sutazai_ops.progress import Silent
from sutazai_ops.settings import Loaded, Settings
from sutazai_ops.slo.embedded import SamplesSource

DAY = date(2026, 10, 14)
START = datetime(2026, 10, 14, tzinfo=UTC)
numbers = st.floats(min_value=1e-3, max_value=1e12)


@given(st.lists(numbers, min_size=1), st.floats(min_value=0, max_value=1))
def test_a_percentile_is_within_a_hundredth_of_the_measured_one(values, share):
    rank = max(1, -int(-share * len(values) // 1))
    measured = sorted(values)[min(rank, len(values)) - 1]
    assert spread_of(values).quantile(share) == pytest.approx(measured, rel=0.011)


@given(st.lists(st.lists(numbers)))
def test_spreads_that_are_added_up_are_the_spread_of_everything(parts):
    whole, together = spread_of([one for part in parts for one in part]), added(map(spread_of, parts))
    assert together.bins == whole.bins
    assert together.peak == whole.peak
    assert together.total == pytest.approx(whole.total)


def test_a_day_says_peak_percentile_limit_and_band():
    memory = [300 * MIB] * 200 + [500 * MIB] * 88
    fact = day(memory=memory)
    assert fact.memory.spread.peak == 500 * MIB
    assert fact.memory.spread.quantile(0.5) == pytest.approx(300 * MIB, rel=0.01)
    assert (fact.memory.limit, fact.memory.in_band, fact.memory.limited) == (512 * MIB, 200, SLICES)
    # 0.2 of 0.5 cores is just in the band of 40 to 60 %.
    assert (fact.cpu.in_band, fact.coverage) == (SLICES, 1)


def test_a_service_without_a_limit_is_in_no_band():
    fact = day(memory_limit=None)
    assert (fact.memory.limit, fact.memory.limited, fact.memory.in_band) == (None, 0, 0)


def test_kills_are_counted_over_a_counter_that_begins_anew():
    counter = [2.0] * 100 + [None] * 10 + [3.0] * 50 + [1.0] * 129
    assert day(kills=counter).kills == 2
    assert day(kills=killed(3)).kills == 3
    assert day(kills=[None] * (SLICES + 1)).kills == 0


def test_what_was_not_measured_is_not_there():
    fact = day(memory=[None] * SLICES, cpu=[None] * SLICES)
    assert (fact.coverage, fact.memory.measured, fact.memory.spread.quantile(0.95)) == (0, 0, None)


def test_a_fact_is_kept_as_it_is():
    fact = day(memory=[300.5 * MIB, None] * 144, kills=killed(1))
    kept = of_detail("web", fact.day, to_detail(fact), LATER)
    assert to_detail(kept) == to_detail(fact)
    assert kept.memory.spread.quantile(0.95) == fact.memory.spread.quantile(0.95)


def test_an_hour_that_was_measured_better_before_stays():
    old, gone = day(), day(memory=[None] * 144 + [400 * MIB] * 144)
    both = merged(old, gone)
    assert both.coverage == 1
    assert both.hours[0].memory.spread.peak == 300 * MIB
    assert both.hours[23].memory.spread.peak == 400 * MIB


def test_a_day_is_settled_an_hour_after_it_is_over():
    for hours, final in ((24.5, False), (25, True)):
        assert make_day("web", DAY, slices(), SLICES, START + timedelta(hours=hours)).is_final() is final


def test_only_days_that_can_still_change_are_due():
    days = [DAY + timedelta(days=number) for number in range(4)]
    assert due_days({days[1]}, days[0], days[3]) == [days[0], days[2], days[3]]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda one: one.name)
def test_every_measure_asks_in_promql(measure):
    parse(measure.query)


def lived(hours: float, *, step: int = 60) -> Samples:
    """Samples of one service that was busy for a fifth of a core, counted ten requests a minute and was killed once."""
    found = Samples(2 * 86_400)
    for second in range(-600, int(hours * 3600) + 1, step):
        found.add(
            START.timestamp() + second,
            [
                Sample("sutazai_service_memory_working_set_bytes", {"service": "web"}, 300 * MIB),
                Sample("sutazai_service_memory_limit_bytes", {"service": "web"}, 512 * MIB),
                Sample("sutazai_service_cpu_seconds_total", {"service": "web"}, (second + 600) / 5),
                Sample("sutazai_service_oom_kills_total", {"service": "web"}, float(second >= 1800)),
                Sample("http_requests_total", {"service": "web", "status": "200"}, (second + 600) / 6),
            ],
        )
    return found


def test_a_day_that_runs_is_measured_as_far_as_it_has_come():
    now = START + timedelta(hours=2)
    (fact, other) = measure_services(["web", "idle"], DAY, SamplesSource(lived(2)), now, {})[::-1]
    assert (fact.service, fact.expected, fact.coverage) == ("web", 24, 1)
    assert fact.memory.spread.peak == 300 * MIB
    assert fact.cpu.spread.quantile(0.95) == pytest.approx(0.2, rel=0.02)
    assert fact.kills == 1
    assert fact.memory.in_band == 24
    assert (other.service, other.coverage) == ("idle", 0)


def test_what_is_counted_is_counted_by_the_hour():
    now = START + timedelta(hours=2.5)
    (value,) = measure_values([REQUESTS], DAY, SamplesSource(lived(2.5)), now, {})
    assert value.label == {"service": "web"}
    assert value.known == pytest.approx([600, 600], rel=0.02)
    assert value.value == pytest.approx(1200, rel=0.02)


class Stopped:
    """An engine whose exporter keeps the facts."""

    name = "embedded"


class Answered(Room):
    """Whose Prometheus answers out of memory."""

    keeps_itself = False  # type: ignore[assignment]
    samples = Samples(300)

    def source(self) -> SamplesSource:  # type: ignore[override]
        return SamplesSource(self.samples)


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    platform = tmp_path / "platform"
    platform.mkdir()
    (platform / "core.yaml").write_text("services: {web: {image: 'shop/web:1'}}\n")
    installation = Installation(Loaded(settings=Settings(home=tmp_path / "home", platform=platform), origins={}))
    installation.__dict__["engine"] = Stopped()
    return installation


def test_a_settled_day_is_not_due_again_and_todays_always_is(here):
    room = Answered(here, list(here.platform))
    Answered.samples = lived(30)
    now = START + timedelta(hours=30)
    days = room.due(now)
    assert len(days) == here.settings.monitoring.retention_days + 1
    assert set(room.update(days[-2:], now, Silent())) == {DAY, DAY + timedelta(days=1)}
    assert room.due(now)[-2:] == [DAY - timedelta(days=1), DAY + timedelta(days=1)]
    assert {day for _, day in room.facts(DAY, DAY + timedelta(days=9))} == {DAY, DAY + timedelta(days=1)}


def test_facts_out_of_memory_add_up_over_the_hours_and_over_a_restart(here):
    room = room_of(here, list(here.platform))
    for hours in (1.0, 2.0, 3.0):
        now = START + timedelta(hours=hours)
        # Memory that reaches no further back than an hour and ten minutes.
        samples = lived(hours)
        Keeper(lambda: room, samples).keep(now)
    fact = room.facts(DAY, DAY)["web", DAY]
    assert (fact.coverage, fact.expected, fact.kills) == (1, 36, 1)
    assert [value.value for value in room.values(DAY, DAY).values()] == [pytest.approx(1800, rel=0.02)]


def test_the_ledger_gives_back_what_it_was_given(tmp_path):
    ledger = open_ledger(Settings(home=tmp_path))
    facts = [day(number, service=name) for name in ("a", "b") for number in range(3)]
    now = START + timedelta(hours=2)
    values = measure_values([REQUESTS], DAY, SamplesSource(lived(2)), now, {})
    shelf.keep(ledger, facts, values)
    found = shelf.service_days(ledger, facts[0].day, facts[1].day)
    assert {key: to_detail(fact) for key, fact in found.items()} == {
        (fact.service, fact.day): to_detail(fact) for fact in facts if fact.day <= facts[1].day
    }
    (value,) = shelf.day_values(ledger, DAY, DAY, ["requests"]).values()
    assert value.known == pytest.approx(values[0].known)
    assert shelf.day_values(ledger, DAY, DAY, ["tasks"]) == {}


def test_days_with_another_number_of_containers_do_not_count(here):
    """What was measured is all of them together: six days of two, and then eight of one."""
    facts = [day(number, memory=(600 if number < 6 else 300) * MIB, memory_limit=None) for number in range(14)]
    shelf.keep(here.ledger, facts, [])
    changed = datetime.combine(facts[5].day, datetime.min.time(), UTC) + timedelta(hours=20)
    here.ledger.record_scaling(ScalingEntry(changed, "web", "down", 1, 2, 1, "", "test", outcome="done"))
    room = room_of(here, list(here.platform))
    [advice] = room.advice(facts[0].day, facts[-1].day)
    assert (advice.copies, advice.evidence.days, advice.evidence.memory_peak) == (1, 8, 300 * MIB)
    assert advice.findings[0].sentence == (
        f"on {facts[5].day} its number of containers was changed to 1: days until then do not count"
    )
    [judged] = room.judge(int(512 * MIB), facts[0].day, facts[-1].day)
    assert judged.holds is True


def test_each_of_those_that_were_scaled_is_measured_by_its_share(here):
    facts = [day(number, memory=900 * MIB) for number in range(14)]
    shelf.keep(here.ledger, facts, [])
    before = datetime.combine(facts[0].day, datetime.min.time(), UTC) - timedelta(days=3)
    here.ledger.record_scaling(ScalingEntry(before, "web", "up", 1, 1, 3, "", "test", outcome="done"))
    [advice] = room_of(here, list(here.platform)).advice(facts[0].day, facts[-1].day)
    assert (advice.copies, advice.evidence.memory_peak) == (3, 300 * MIB)
    assert not [one for one in advice.findings if "number of containers" in one.sentence]
